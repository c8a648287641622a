//! Leases: what was begun with a token ends with it, over real sockets, and for the right reason.

mod bodies;
mod ends;
mod grpc;
mod renewal;
mod stress;
mod upgrades;
mod web_sockets;

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use futures_core::Stream;
use http::Request;
use portcullis::lease::{Lease, LeaseEnd};
use portcullis::test_util::{ManualClock, MockIssuer, TokenBuilder};
use portcullis::{Algorithm, ResourceServer, ResourceServerBuilder};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use crate::support::{API, TestApp};

/// How long a test waits for what is to come, in real time.
const PATIENCE: Duration = Duration::from_secs(20);

/// An issuer and a server by one clock that a test moves.
struct World {
    clock: ManualClock,
    issuer: MockIssuer,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::new();
        let issuer = MockIssuer::new()
            .with_algorithms([Algorithm::ES256])
            .with_clock(clock.clone());
        Self { clock, issuer }
    }

    fn builder(&self) -> ResourceServerBuilder {
        ResourceServer::builder(API)
            .issuer(self.issuer.trusted())
            .clock(self.clock.clone())
    }

    fn server(&self) -> ResourceServer {
        self.builder().build().expect("sound")
    }

    fn token(&self, subject: &str) -> TokenBuilder {
        self.issuer.token().audience(API).subject(subject)
    }
}

/// The lease of a request with this token.
async fn lease(server: &ResourceServer, token: &str) -> Lease {
    let (sender, mut leases) = mpsc::channel(1);
    let app: Router = TestApp::behind(server.authenticate())
        .route(
            "/",
            get(async move |lease: Lease| sender.send(lease).await.is_ok().to_string()),
        )
        .into();
    let request = Request::get("/").header("authorization", format!("Bearer {token}"));
    let request = request.body(Body::empty()).expect("a request");
    let response = app.oneshot(request).await.expect("never fails");
    assert_eq!(response.status(), 200);
    leases.recv().await.expect("a lease")
}

/// The end of a lease, which a test waits for.
async fn end_of(lease: &mut Lease) -> LeaseEnd {
    within(lease.ended()).await
}

/// What is to come.
async fn within<T>(what: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(PATIENCE, what).await;
    outcome.expect("it comes in time")
}

/// A server on loopback.
async fn serve(app: impl Into<Router>) -> (SocketAddr, JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let address = listener.local_addr().expect("an address");
    let app = app.into();
    let task = tokio::spawn(async move { axum::serve(listener, app).await.expect("it serves") });
    (address, task)
}

/// What a channel brings, as a stream.
struct Channel<T>(mpsc::Receiver<T>);

impl<T> Stream for Channel<T> {
    type Item = Result<T, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|item| item.map(Ok))
    }
}

/// A body of which the test sends each frame.
fn sent_by_hand() -> (mpsc::Sender<Bytes>, Body) {
    let (sender, receiver) = mpsc::channel(4);
    (sender, Body::from_stream(Channel(receiver)))
}
