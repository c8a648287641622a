//! Bodies of responses over HTTP/1.1 and HTTP/2.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::response::sse::{Event, Sse};
use axum::routing::get;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use portcullis::revocation::Revocation;
use portcullis::time::Clock as _;
use portcullis::{AccessToken, ResourceServer};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};

use super::{Channel, World, lease, sent_by_hand, serve, within};
use crate::support::{Requests as _, TestApp};

/// The response to a request over a connection of its own.
async fn request(
    address: std::net::SocketAddr,
    version: http::Version,
    path: &str,
    token: &str,
) -> http::Response<Incoming> {
    let stream = TcpStream::connect(address).await.expect("it listens");
    let io = TokioIo::new(stream);
    let request = Request::get(format!("http://{address}{path}"))
        .header("host", address.to_string())
        .header("authorization", format!("Bearer {token}"))
        .body(Body::empty())
        .expect("a request");
    let response = if version == http::Version::HTTP_2 {
        let handshake = http2::handshake(TokioExecutor::new(), io).await;
        let (mut sender, connection) = handshake.expect("HTTP/2");
        tokio::spawn(connection);
        sender.send_request(request).await
    } else {
        let (mut sender, connection) = http1::handshake(io).await.expect("HTTP/1.1");
        tokio::spawn(connection);
        sender.send_request(request).await
    };
    response.expect("an answer")
}

/// Events that the test sends, one channel for each request.
fn events(server: &ResourceServer) -> (TestApp, mpsc::UnboundedReceiver<mpsc::Sender<Event>>) {
    let (opened, streams) = mpsc::unbounded_channel();
    let handler = get(async move |_: AccessToken| {
        let (sender, receiver) = mpsc::channel(4);
        opened.send(sender).expect("the test listens");
        Sse::new(Channel(receiver))
    });
    let app = TestApp::behind(server.authenticate().end_streams()).route("/events", handler);
    (app, streams)
}

async fn text(body: &mut Incoming) -> Option<String> {
    let mut data = Bytes::new();
    // HTTP/2 may end a stream with an empty frame.
    while data.is_empty() {
        let frame = within(body.frame()).await?.expect("no error");
        data = frame.into_data().ok()?;
    }
    Some(String::from_utf8(data.to_vec()).expect("text"))
}

#[tokio::test]
async fn events_end_with_the_token_of_their_request_and_those_of_others_go_on() {
    for version in [http::Version::HTTP_11, http::Version::HTTP_2] {
        let world = World::new();
        let server = world.server();
        let (app, mut streams) = events(&server);
        let (address, task) = serve(app).await;
        let mut open = Vec::new();
        for subject in ["alice", "bob"] {
            let token = world.token(subject).sign();
            let response = request(address, version, "/events", &token).await;
            assert_eq!(response.status(), StatusCode::OK);
            let sender = streams.recv().await.expect("a stream");
            let mut body = response.into_body();
            sender
                .send(Event::default().data("one"))
                .await
                .expect("open");
            assert_eq!(text(&mut body).await.as_deref(), Some("data: one\n\n"));
            open.push((sender, body));
        }
        let (alice, bob) = (&mut open.remove(0), &mut open.remove(0));
        let issuer = world.issuer.issuer();
        let revocation = Revocation::subject(&issuer, "alice", world.clock.now());
        server.revocations().revoke(revocation).expect("known");
        assert_eq!(text(&mut alice.1).await, None, "a plain end");
        // What the handler made is dropped.
        within(alice.0.closed()).await;
        bob.0
            .send(Event::default().data("two"))
            .await
            .expect("open");
        assert_eq!(text(&mut bob.1).await.as_deref(), Some("data: two\n\n"));
        world
            .clock
            .advance(std::time::Duration::from_secs(24 * 3600));
        assert_eq!(text(&mut bob.1).await, None, "expired");
        assert_eq!(server.lease_status().open(), 0);
        task.abort();
    }
}

#[tokio::test]
async fn a_body_that_states_its_length_is_broken_off() {
    for version in [http::Version::HTTP_11, http::Version::HTTP_2] {
        let world = World::new();
        let server = world.server();
        let (sender, body) = sent_by_hand();
        let body = Arc::new(Mutex::new(Some(body)));
        let handler = get(async move |_: AccessToken| {
            let body = body.lock().await.take().expect("one request");
            ([("content-length", "10")], body)
        });
        let app = TestApp::behind(server.authenticate().end_streams()).route("/", handler);
        let (address, task) = serve(app).await;
        let token = world.token("alice").claim("jti", "1").sign();
        let mut body = request(address, version, "/", &token).await.into_body();
        sender
            .send(Bytes::from_static(b"half."))
            .await
            .expect("open");
        assert_eq!(text(&mut body).await.as_deref(), Some("half."));
        let revocation = Revocation::token(&world.issuer.issuer(), "1");
        server.revocations().revoke(revocation).expect("known");
        let rest = within(body.frame()).await;
        assert!(rest.is_some_and(|frame| frame.is_err()), "no whole body");
        task.abort();
    }
}

#[tokio::test]
async fn a_body_that_is_done_at_once_takes_no_lease() {
    let world = World::new();
    let server = world.server();
    let app = TestApp::behind(server.authenticate().end_streams())
        .route("/", get(async |_: AccessToken| "hello"))
        .route(
            "/two",
            get(async |_: AccessToken| {
                let frames = [Ok::<_, Infallible>("two"), Ok(" frames")];
                Body::from_stream(tonic::codegen::tokio_stream::iter(frames))
            }),
        );
    let token = world.token("alice").sign();
    assert_eq!(app.get("/", &token).await.body, "hello");
    assert_eq!(app.verdict("garbage").await, "401 invalid_token malformed");
    assert_eq!(server.lease_status().opened(), 0);
    assert_eq!(app.get("/two", &token).await.body, "two frames");
    assert_eq!(server.lease_status().opened(), 1);
    assert_eq!(server.lease_status().open(), 0);
}

/// A body that always has more.
struct Flood(Arc<AtomicUsize>);

impl futures_core::Stream for Flood {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        std::task::Poll::Ready(Some(Ok(Bytes::from_static(&[b'x'; 16 * 1024]))))
    }
}

#[tokio::test]
async fn a_client_that_never_reads_gets_no_more_than_its_window_once_the_token_is_revoked() {
    for version in [http::Version::HTTP_11, http::Version::HTTP_2] {
        let world = World::new();
        let server = world.server();
        let polls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&polls);
        let handler = get(async move |_: AccessToken| Body::from_stream(Flood(counted)));
        let app = TestApp::behind(server.authenticate().end_streams()).route("/", handler);
        let (address, task) = serve(app).await;
        let token = world.token("alice").claim("jti", "1").sign();
        let mut body = request(address, version, "/", &token).await.into_body();
        // Until it goes on, and nothing moves for a while; what is asserted does not depend on it.
        let (mut sent, mut turns) = (0, 0);
        while sent < 2 || turns < 1_000 {
            tokio::task::yield_now().await;
            let now = polls.load(Ordering::Relaxed);
            turns = if now == sent { turns + 1 } else { 0 };
            sent = now;
        }
        assert_eq!(server.lease_status().open(), 1);
        let revocation = Revocation::token(&world.issuer.issuer(), "1");
        let before = polls.load(Ordering::Relaxed);
        server.revocations().revoke(revocation).expect("known");
        assert_eq!(server.lease_status().open(), 0);
        // It reads at last: what was sent before, and the end.
        let mut read = 0;
        while let Some(frame) = within(body.frame()).await {
            read += frame
                .expect("no error")
                .into_data()
                .map_or(0, |data| data.len());
        }
        assert_eq!(polls.load(Ordering::Relaxed), before);
        assert_eq!(read, before * 16 * 1024);
        task.abort();
    }
}

#[tokio::test]
async fn a_handler_renews_the_lease_of_its_own_response() {
    let world = World::new();
    let server = world.server();
    let (sender, body) = sent_by_hand();
    let body = Arc::new(Mutex::new(Some(body)));
    let (leases, mut lease) = mpsc::channel(1);
    let handler = get(async move |lease: portcullis::lease::Lease| {
        leases.send(lease).await.expect("the test listens");
        body.lock().await.take().expect("one request")
    });
    let app: Router = TestApp::behind(server.authenticate().end_streams())
        .route("/", handler)
        .into();
    let (address, task) = serve(app).await;
    let minute = std::time::Duration::from_secs(60);
    let token = world.token("alice").expires_in(minute).sign();
    let response = request(address, http::Version::HTTP_11, "/", &token).await;
    let mut body = response.into_body();
    let lease = lease.recv().await.expect("a lease");
    let next = world.token("alice").expires_in(60 * minute).sign();
    let _ = lease.renew(&next).await.expect("the same caller");
    assert_eq!(server.lease_status().opened(), 1);
    world.clock.advance(10 * minute);
    sender
        .send(Bytes::from_static(b"still"))
        .await
        .expect("open");
    assert_eq!(text(&mut body).await.as_deref(), Some("still"));
    world.clock.advance(60 * minute);
    assert_eq!(text(&mut body).await, None);
    task.abort();
}

#[tokio::test]
async fn a_request_without_a_token_under_an_optional_layer_has_no_lease() {
    let world = World::new();
    let server = world.server();
    let (sender, body) = sent_by_hand();
    let body = Arc::new(Mutex::new(Some(body)));
    let handler = get(async move |lease: Option<portcullis::lease::Lease>| {
        assert!(lease.is_none());
        body.lock().await.take().expect("one request")
    });
    let layer = server.authenticate().optional().end_streams();
    let app = TestApp::behind(layer).route("/", handler);
    let (address, task) = serve(app).await;
    let stream = TcpStream::connect(address).await.expect("it listens");
    let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
    tokio::spawn(connection);
    let request = Request::get("/")
        .header("host", "a.test")
        .body(Body::empty());
    let response = client.send_request(request.expect("a request")).await;
    let mut body = response.expect("an answer").into_body();
    world
        .clock
        .advance(std::time::Duration::from_secs(48 * 3600));
    sender
        .send(Bytes::from_static(b"open"))
        .await
        .expect("open");
    assert_eq!(text(&mut body).await.as_deref(), Some("open"));
    assert_eq!(server.lease_status().opened(), 0);
    task.abort();
}

#[tokio::test]
async fn nothing_follows_the_trailers_of_a_body_whose_lease_ends() {
    let world = World::new();
    let server = world.server();
    for (has_trailers, follows) in [(true, false), (false, true)] {
        let token = world.token("alice").claim("jti", has_trailers.to_string());
        let lease = lease(&server, &token.sign()).await;
        let (sender, frames) = mpsc::channel(1);
        let headers = [("content-type", "application/grpc")];
        let headers = headers.map(|(name, value)| {
            let value = http::HeaderValue::from_static(value);
            (http::HeaderName::from_static(name), value)
        });
        let body = lease.body(StreamBody::new(Channel(frames)));
        let mut body = body.for_response(&headers.into_iter().collect());
        let frame = if has_trailers {
            Frame::trailers(http::HeaderMap::new())
        } else {
            Frame::data(Bytes::from_static(b"x"))
        };
        sender.send(frame).await.expect("a receiver");
        assert!(body.frame().await.is_some());
        let revocation = Revocation::token(&world.issuer.issuer(), &has_trailers.to_string());
        server.revocations().revoke(revocation).expect("known");
        assert_eq!(within(body.frame()).await.is_some(), follows);
        assert!(within(body.frame()).await.is_none());
        drop(sender);
    }
}
