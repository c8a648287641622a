//! Streams of gRPC, by a client and a server of tonic, and the body of gRPC-Web.

use axum::body::Body;
use axum::routing::any;
use http::Request;
use http_body_util::BodyExt as _;
use portcullis::revocation::Revocation;
use portcullis::time::Clock as _;
use tokio::sync::{Mutex, mpsc};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tower::ServiceExt as _;

use super::{World, sent_by_hand, within};
use crate::support::TestApp;

/// Streams what the test sends.
struct Watched(Mutex<Vec<mpsc::Receiver<HealthCheckResponse>>>);

type Answers =
    std::pin::Pin<Box<dyn futures_core::Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

struct Stream(mpsc::Receiver<HealthCheckResponse>);

impl futures_core::Stream for Stream {
    type Item = Result<HealthCheckResponse, Status>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|item| item.map(Ok))
    }
}

#[tonic::async_trait]
impl Health for Watched {
    type WatchStream = Answers;

    async fn check(
        &self,
        _: tonic::Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        Ok(Response::new(HealthCheckResponse::default()))
    }

    async fn watch(
        &self,
        _: tonic::Request<HealthCheckRequest>,
    ) -> Result<Response<Answers>, Status> {
        let receiver = self.0.lock().await.pop().expect("a stream");
        Ok(Response::new(Box::pin(Stream(receiver))))
    }
}

#[tokio::test]
async fn a_stream_of_grpc_ends_with_trailers_that_say_unauthenticated() {
    let world = World::new();
    let server = world.server();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    let layer = server.authenticate().grpc().end_streams();
    let (first, one) = mpsc::channel(4);
    let (second, two) = mpsc::channel(4);
    let service = HealthServer::new(Watched(Mutex::new(vec![two, one])));
    let task = tokio::spawn(async move {
        Server::builder()
            .layer(layer)
            .add_service(service)
            .serve_with_incoming(TcpIncoming::from(listener))
            .await
            .expect("it serves");
    });
    let channel = Channel::from_shared(format!("http://{address}")).expect("an address");
    let channel = channel.connect().await.expect("it listens");
    let mut client = HealthClient::new(channel);
    let mut open = Vec::new();
    for (subject, sender) in [("alice", first), ("bob", second)] {
        let mut request = tonic::Request::new(HealthCheckRequest::default());
        let field = format!("Bearer {}", world.token(subject).sign());
        request
            .metadata_mut()
            .insert("authorization", field.parse().expect("metadata"));
        let stream = client.watch(request).await.expect("admitted").into_inner();
        open.push((sender, stream));
    }
    let serving = HealthCheckResponse {
        status: ServingStatus::Serving.into(),
    };
    for (sender, stream) in &mut open {
        sender.send(serving).await.expect("open");
        assert_eq!(within(stream.message()).await.expect("open"), Some(serving));
    }
    let revocation = Revocation::subject(&world.issuer.issuer(), "alice", world.clock.now());
    server.revocations().revoke(revocation).expect("known");
    let status = within(open[0].1.message()).await.expect_err("ended");
    assert_eq!(status.code(), Code::Unauthenticated);
    assert_eq!(status.message(), "the access token was revoked");
    // The other goes on, and its own end is its own.
    open[1].0.send(serving).await.expect("open");
    assert_eq!(
        within(open[1].1.message()).await.expect("open"),
        Some(serving)
    );
    drop(open.remove(1).0);
    task.abort();
}

#[tokio::test]
async fn a_stream_of_grpc_web_ends_with_trailers_in_its_body() {
    for (media_type, start) in [
        ("application/grpc-web+proto", &b"\x80\0\0\0"[..]),
        ("application/grpc-web-text", b"gAAAA"),
    ] {
        let world = World::new();
        let server = world.server();
        let (sender, body) = sent_by_hand();
        let body = std::sync::Arc::new(Mutex::new(Some(body)));
        let handler = any(async move || {
            let body = body.lock().await.take().expect("one request");
            ([("content-type", media_type)], body)
        });
        let app = TestApp::behind(server.authenticate().grpc().end_streams()).route("/", handler);
        let request = Request::post("/")
            .header("content-type", media_type)
            .header("authorization", world.token("alice").bearer())
            .body(Body::empty())
            .expect("a request");
        let response = axum::Router::from(app)
            .oneshot(request)
            .await
            .expect("never fails");
        let mut body = response.into_body();
        sender.send("first".into()).await.expect("open");
        let frame = within(body.frame())
            .await
            .expect("a frame")
            .expect("no error");
        assert_eq!(frame.into_data().expect("data"), "first");
        world
            .clock
            .advance(std::time::Duration::from_secs(48 * 3600));
        let frame = within(body.frame())
            .await
            .expect("a frame")
            .expect("no error");
        assert!(frame.into_data().expect("data").starts_with(start));
        assert!(within(body.frame()).await.is_none());
    }
}
