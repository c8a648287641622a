//! A gRPC service behind the layer, over real connections on loopback.
//!
//! ```sh
//! cargo run --example grpc
//! ```
//!
//! 1. `server.authenticate().grpc()` is a layer of tonic's server like any other.
//! 2. A refusal is a status that every gRPC client understands; the challenge is metadata.
//! 3. The service reads who is calling from the request's extensions.
//! 4. A stream ends with its token: `.end_streams()` writes the status into the trailers.
//!
//! The service is tonic's health check, so that nothing must be generated. The program ends by
//! itself, and fails on an answer that is not the expected one.

use std::error::Error;
use std::io::{self, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll};

use portcullis::error::Refusal;
use portcullis::layer::RequireScopeLayer;
use portcullis::revocation::Revocation;
use portcullis::test_util::MockIssuer;
use portcullis::{Identity, ResourceServer, scopes};
use tokio::net::TcpListener;
use tonic::codegen::tokio_stream::Stream;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

scopes! {
    /// See how the service is.
    ReadHealth = "health:read";
}

struct Service;

#[tonic::async_trait]
impl Health for Service {
    type WatchStream = Changes;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let identity = Identity::of(request.extensions()).map_err(|refusal| status(&refusal))?;
        let status = match identity {
            Identity::Subject(_) => ServingStatus::Serving,
            _ => ServingStatus::Unknown,
        };
        Ok(Response::new(HealthCheckResponse {
            status: status.into(),
        }))
    }

    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let status = ServingStatus::Serving.into();
        Ok(Response::new(Changes(Some(HealthCheckResponse { status }))))
    }
}

/// The status now, and then a wait for a change that does not come.
struct Changes(Option<HealthCheckResponse>);

impl Stream for Changes {
    type Item = Result<HealthCheckResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let now = self.0.take();
        now.map_or(Poll::Pending, |response| Poll::Ready(Some(Ok(response))))
    }
}

/// The refusal as the layer would answer it. Without a layer no gRPC is spoken: that is ours.
fn status(refusal: &Refusal) -> Status {
    Status::from_header_map(refusal.to_response::<()>().headers())
        .unwrap_or_else(|| Status::internal("no layer covers this service"))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let issuer = MockIssuer::new();
    let server = ResourceServer::builder(MockIssuer::AUDIENCE)
        .issuer(issuer.trusted())
        .build()?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let serving = tokio::spawn(
        Server::builder()
            .layer(server.authenticate().grpc().end_streams()) // the first one is outside
            .layer(RequireScopeLayer::of::<ReadHealth>())
            .add_service(HealthServer::new(Service))
            .serve_with_incoming(TcpIncoming::from(listener)),
    );

    let channel = Channel::from_shared(format!("http://{address}"))?;
    let mut client = HealthClient::new(channel.connect().await?);
    let token = issuer.token();
    let good = token.clone().scope("health:read").sign();
    let poor = token.clone().scope("other").sign();
    let late = token.scope("health:read").expired().sign();
    for (caller, token, expected) in [
        ("good token", Some(good), Code::Ok),
        ("other scope", Some(poor), Code::PermissionDenied),
        ("expired token", Some(late), Code::Unauthenticated),
        ("no token", None, Code::Unauthenticated),
    ] {
        let mut request = Request::new(HealthCheckRequest::default());
        if let Some(token) = token {
            let field = format!("Bearer {token}").parse()?;
            request.metadata_mut().insert("authorization", field);
        }
        let (code, said) = match client.check(request).await {
            Ok(answer) => (Code::Ok, answer.get_ref().status().as_str_name().to_owned()),
            Err(status) => (status.code(), challenge(&status)),
        };
        writeln!(io::stdout(), "{caller:<13}  {code:?}  {said}")?;
        assert_eq!(code, expected, "{caller}");
        let serving = said == ServingStatus::Serving.as_str_name();
        assert_eq!(serving, expected == Code::Ok, "{caller}");
    }

    let token = issuer.token().scope("health:read").claim("sid", "phone");
    let mut request = Request::new(HealthCheckRequest::default());
    let field = format!("Bearer {}", token.sign()).parse()?;
    request.metadata_mut().insert("authorization", field);
    let mut changes = client.watch(request).await?.into_inner();
    let first = changes
        .message()
        .await?
        .map(|answer| answer.status().as_str_name());
    writeln!(io::stdout(), "a stream       {}", first.unwrap_or_default())?;
    server
        .revocations()
        .revoke(Revocation::session(&issuer.issuer(), "phone"))?;
    let end = changes.message().await.err().ok_or("the stream goes on")?;
    writeln!(
        io::stdout(),
        "is revoked     {:?}  {}",
        end.code(),
        end.message()
    )?;
    assert_eq!(end.code(), Code::Unauthenticated);
    serving.abort();
    Ok(())
}

fn challenge(status: &Status) -> String {
    let said = status.metadata().get("www-authenticate");
    let said = said.and_then(|said| said.to_str().ok());
    said.unwrap_or_default().to_owned()
}
