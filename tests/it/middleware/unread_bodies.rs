//! Refused requests whose body was not read, over real HTTP/1.1 connections.
//!
//! hyper closes a connection whose request was answered before its body was read. A client that
//! still sends loses the answer then, and its next request too.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::post;
use http::{Request, StatusCode};
use portcullis::layer::RequireScopeLayer;
use portcullis::test_util::MockIssuer;
use portcullis::{AccessToken, AuthenticateLayer, ResourceServer, Scoped, WorkspaceUser};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{API, Requests as _, TestApp, server};

portcullis::scopes! {
    Read = "read";
    Write = "write";
}

/// Longer than anything here takes; a test that waits so long fails.
const PATIENCE: Duration = Duration::from_secs(60);

struct Site {
    address: SocketAddr,
    bearer: String,
}

/// An application with guards of every form, served by axum on loopback.
async fn site(layer: impl FnOnce(AuthenticateLayer) -> AuthenticateLayer) -> Site {
    let issuer = MockIssuer::new();
    let server: ResourceServer = server(&issuer);
    let app = Router::new()
        .route(
            "/read",
            post(|_: Scoped<Read>, body: Bytes| async move { body.len().to_string() }),
        )
        .route("/write", post(|_: Scoped<Write>, _: Bytes| async {}))
        .route("/workspace", post(|_: WorkspaceUser, _: Bytes| async {}))
        .route(
            "/layer",
            post(|_: Bytes| async {}).layer(RequireScopeLayer::of::<Write>()),
        )
        .route(
            "/partly",
            post(|_: AccessToken, body: Body| async move {
                // A handler that begins to read and refuses then.
                use http_body_util::BodyExt as _;
                let mut body = body;
                let _ = body.frame().await;
                let mut response = http::Response::new(Body::empty());
                *response.status_mut() = StatusCode::FORBIDDEN;
                let kind = portcullis::RejectionKind::WrongTenant;
                response.extensions_mut().insert(kind);
                response
            }),
        )
        .route_layer(layer(server.authenticate()))
        .route("/plain", post(|| async { StatusCode::FORBIDDEN }));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    let token = issuer.token().audience(API).scope("read").sign();
    Site {
        address,
        bearer: format!("Bearer {token}"),
    }
}

/// A client that sends its whole request before it reads, as many do.
struct Client {
    stream: TcpStream,
    rest: Vec<u8>,
}

impl Client {
    async fn to(site: &Site) -> Self {
        Self {
            stream: TcpStream::connect(site.address).await.expect("a server"),
            rest: Vec::new(),
        }
    }

    /// Sends a request with `Content-Length`, or in chunks, and gives the status of the answer.
    async fn call(
        &mut self,
        path: &str,
        authorization: &str,
        body: &[u8],
        chunked: bool,
    ) -> std::io::Result<u16> {
        let framing = if chunked {
            "transfer-encoding: chunked".to_owned()
        } else {
            format!("content-length: {}", body.len())
        };
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: a.test\r\nauthorization: {authorization}\r\n{framing}\r\n\r\n"
        );
        self.stream.write_all(head.as_bytes()).await?;
        if chunked {
            for chunk in body.chunks(16 * 1024) {
                let size = format!("{:x}\r\n", chunk.len());
                self.stream.write_all(size.as_bytes()).await?;
                self.stream.write_all(chunk).await?;
                self.stream.write_all(b"\r\n").await?;
            }
            self.stream.write_all(b"0\r\n\r\n").await?;
        } else {
            self.stream.write_all(body).await?;
        }
        self.status().await
    }

    /// Reads one answer. All here have a `Content-Length`, or no body.
    async fn status(&mut self) -> std::io::Result<u16> {
        loop {
            if let Some(end) = find(&self.rest, b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.rest[..end]).to_ascii_lowercase();
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "))
                    .map_or(0, |length| length.parse().expect("a length"));
                if self.rest.len() >= end + 4 + length {
                    self.rest.drain(..end + 4 + length);
                    return Ok(head[9..12].parse().expect("a status"));
                }
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer).await? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                length => self.rest.extend_from_slice(&buffer[..length]),
            }
        }
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len())
        .position(|window| window == wanted)
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work)
        .await
        .expect("an answer in time")
}

#[tokio::test]
async fn refused_bodies_are_read_and_a_thousand_connections_lose_no_call() {
    let site = site(|layer| layer).await;
    let body = vec![b'x'; 64 * 1024];
    let mut client = Client::to(&site).await;
    for round in 0..1_000 {
        // Each refused call is followed by a good one, on the same connection.
        let refused = within(client.call("/read", "Bearer bad.bad.bad", &body, round % 2 == 0));
        assert_eq!(refused.await.expect("the refusal arrives"), 401, "{round}");
        let good = within(client.call("/read", &site.bearer, b"good", round % 2 == 1)).await;
        assert_eq!(good.expect("the connection is whole"), 200, "{round}");
    }
}

#[tokio::test]
async fn refused_bodies_are_read_whoever_refuses_and_however_long_they_are() {
    let site = site(|layer| layer).await;
    for (path, authorization, expected) in [
        ("/read", "Bearer bad.bad.bad", 401),
        ("/read", "", 400),
        ("/read", "Basic abc", 401),
        ("/write", &*site.bearer, 403),
        ("/workspace", &*site.bearer, 403),
        ("/layer", &*site.bearer, 403),
        ("/partly", &*site.bearer, 403),
    ] {
        for size in [1, 200 * 1024, 2 * 1024 * 1024, 4 * 1024 * 1024] {
            for chunked in [false, true] {
                let body = vec![b'x'; size];
                let mut client = Client::to(&site).await;
                let name = format!("{path} {authorization:.6} {size} {chunked}");
                let refused = within(client.call(path, authorization, &body, chunked)).await;
                assert_eq!(refused.expect(&name), expected, "{name}");
                let good = within(client.call("/read", &site.bearer, b"good", false)).await;
                assert_eq!(good.expect(&name), 200, "{name}");
            }
        }
    }
}

#[tokio::test]
async fn slow_sender_is_answered_when_the_time_is_over_and_holds_nothing() {
    let short = Duration::from_millis(50);
    let site = site(|layer| layer.refused_body_time(short)).await;
    for path in ["/read", "/write"] {
        let authorization = if path == "/read" {
            "Bearer bad.bad.bad"
        } else {
            &site.bearer
        };
        let mut client = Client::to(&site).await;
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: a.test\r\nauthorization: {authorization}\r\ncontent-length: 1000\r\n\r\nx"
        );
        client
            .stream
            .write_all(head.as_bytes())
            .await
            .expect("sent");
        // The rest never comes, and the answer does.
        let status = within(client.status()).await.expect("an answer");
        assert_eq!(status, if path == "/read" { 401 } else { 403 });
        let mut end = Vec::new();
        let read = within(client.stream.read_to_end(&mut end)).await;
        assert!(matches!(read, Ok(0) | Err(_)), "the connection is closed");
    }
}

#[tokio::test]
async fn longer_body_than_the_bound_is_answered_at_once() {
    // An hour of waiting would show.
    let site = site(|layer| {
        layer
            .refused_body_bytes(1_000)
            .refused_body_time(Duration::from_secs(60))
    })
    .await;
    let head = |length: u32| {
        format!(
            "POST /read HTTP/1.1\r\nhost: a.test\r\nauthorization: Bearer bad.bad.bad\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let mut client = Client::to(&site).await;
    let request = head(1_001);
    client
        .stream
        .write_all(request.as_bytes())
        .await
        .expect("sent");
    assert_eq!(within(client.status()).await.expect("an answer"), 401);

    // Its twin is waited for.
    let mut client = Client::to(&site).await;
    let request = head(1_000);
    client
        .stream
        .write_all(request.as_bytes())
        .await
        .expect("sent");
    client.stream.write_all(&[b'x'; 1_000]).await.expect("sent");
    assert_eq!(within(client.status()).await.expect("an answer"), 401);
    let good = within(client.call("/read", &site.bearer, b"good", false)).await;
    assert_eq!(good.expect("the connection is whole"), 200);
}

#[tokio::test]
async fn expecting_client_is_not_invited_to_send() {
    let site = site(|layer| layer).await;
    for (path, authorization, expected) in [
        ("/read", "Bearer bad.bad.bad", 401),
        ("/write", &*site.bearer, 403),
        ("/layer", &*site.bearer, 403),
        // The twin: the handler wants the body.
        ("/read", &*site.bearer, 100),
    ] {
        let mut client = Client::to(&site).await;
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: a.test\r\nauthorization: {authorization}\r\nexpect: 100-continue\r\ncontent-length: 2000000\r\n\r\n"
        );
        client
            .stream
            .write_all(head.as_bytes())
            .await
            .expect("sent");
        let status = within(client.status()).await.expect("an answer");
        assert_eq!(status, expected, "{path}");
    }
}

#[tokio::test]
async fn refused_bodies_of_plain_hyper_are_read_as_well() {
    use hyper_util::rt::TokioIo;
    use hyper_util::service::TowerToHyperService;
    use tower::Layer as _;

    let issuer = MockIssuer::new();
    let handler = tower::service_fn(|request: Request<hyper::body::Incoming>| async {
        use http_body_util::BodyExt as _;
        let body = request.into_body().collect().await.expect("a body");
        let length = body.to_bytes().len().to_string();
        Ok::<_, std::convert::Infallible>(http::Response::new(length))
    });
    // Both layers, so that either may refuse.
    let guard = RequireScopeLayer::of::<Write>().layer(handler);
    let service = server(&issuer).authenticate().layer(guard);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            let connection = hyper::server::conn::http1::Builder::new();
            tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
        }
    });
    let token = |scope| issuer.token().audience(API).scope(scope).sign();
    let bearer = format!("Bearer {}", token("read"));
    let good = format!("Bearer {}", token("write"));
    let site = Site { address, bearer };
    let body = vec![b'x'; 2 * 1024 * 1024];
    let mut client = Client::to(&site).await;
    for (authorization, expected) in [
        ("Bearer bad.bad.bad", 401),
        (&*good, 200),
        (&*site.bearer, 403),
        (&*good, 200),
    ] {
        for chunked in [false, true] {
            let status = within(client.call("/", authorization, &body, chunked)).await;
            assert_eq!(status.expect("an answer"), expected, "{authorization}");
        }
    }
}

#[tokio::test]
async fn refused_bodies_of_other_kinds_of_requests_are_left_alone() {
    use tower::{Layer as _, ServiceExt as _};

    let issuer = MockIssuer::new();
    let layer = server(&issuer).authenticate();
    let service = layer.layer(tower::service_fn(|_: Request<Body>| async {
        Ok::<_, std::convert::Infallible>(http::Response::new(Body::empty()))
    }));
    // Such a body never ends, so that an answer shows that it was not read.
    let endless = || Body::new(Endless);
    let request = |version| {
        Request::post("/")
            .version(version)
            .header("content-length", "1000")
            .body(endless())
            .expect("a request")
    };
    for version in [http::Version::HTTP_2, http::Version::HTTP_3] {
        let answer = within(service.clone().oneshot(request(version))).await;
        assert_eq!(
            answer.expect("an answer").status(),
            StatusCode::UNAUTHORIZED
        );
    }
    let off = server(&issuer).authenticate().refused_body_bytes(0);
    let service = off.layer(tower::service_fn(|_: Request<Body>| async {
        Ok::<_, std::convert::Infallible>(http::Response::new(Body::empty()))
    }));
    let answer = within(service.oneshot(request(http::Version::HTTP_11))).await;
    assert_eq!(
        answer.expect("an answer").status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn layers_around_each_other_wait_for_a_refused_body_once() {
    let issuer = MockIssuer::new();
    let server = server(&issuer);
    let wait = Duration::from_millis(500);
    let mut app = Router::new()
        .route("/write", post(|_: Scoped<Write>, _: Bytes| async {}))
        .route(
            "/layer",
            post(|_: Bytes| async {}).layer(RequireScopeLayer::of::<Write>()),
        );
    for _ in 0..8 {
        app = app.layer(server.authenticate().refused_body_time(wait));
    }
    let token = issuer.token().audience(API).scope("read").sign();
    for path in ["/write", "/layer"] {
        let request = Request::post(path)
            .header("authorization", format!("Bearer {token}"))
            .header("content-length", "1000")
            .body(Body::new(Endless))
            .expect("a request");
        let begin = std::time::Instant::now();
        let answer = within(app.exchange(request)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        let took = begin.elapsed();
        assert!(took >= wait && took < 5 * wait, "{path} {took:?}");
    }
}

/// A body of which nothing ever comes.
struct Endless;

impl axum::body::HttpBody for Endless {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

#[tokio::test]
async fn admitted_bodies_reach_the_handler_whole_with_their_limits() {
    let issuer = MockIssuer::new();
    let app = TestApp::behind(server(&issuer).authenticate()).route(
        "/",
        post(|_: AccessToken, body: Bytes| async move { body.len().to_string() }),
    );
    let token = issuer.token().audience(API).sign();
    for (size, expected) in [
        (0, StatusCode::OK),
        (1, StatusCode::OK),
        (2 * 1024 * 1024, StatusCode::OK),
        // axum's own limit, which it recognises by the cause of the error.
        (2 * 1024 * 1024 + 1, StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let request = Request::post("/")
            .header("authorization", format!("Bearer {token}"))
            .body(Body::from(vec![b'x'; size]))
            .expect("a request");
        let answer = app.exchange(request).await;
        assert_eq!(answer.status, expected, "{size}");
        if expected == StatusCode::OK {
            assert_eq!(answer.body, size.to_string());
        }
    }
}
