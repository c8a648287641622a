//! gRPC: real clients and servers of tonic, and the answer header by header.

use axum::Router;
use axum::body::Body;
use axum::routing::any;
use http::{Request, StatusCode};
use portcullis::layer::{ProblemJson, RequireScopeLayer};
use portcullis::test_util::MockIssuer;
use portcullis::{
    AccessToken, Identity, Issuer, RejectionKind, ResourceServer, Scoped, WorkspaceAccess,
};
use tonic::codegen::tokio_stream::Empty;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::support::{Requests as _, TestResponse, server, trusting};

portcullis::scopes! { Check = "health:check"; }

/// Tells its caller who that is.
struct WhoAmI;

#[tonic::async_trait]
impl Health for WhoAmI {
    type WatchStream = Empty<Result<HealthCheckResponse, Status>>;

    async fn check(
        &self,
        request: tonic::Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let identity = Identity::of(request.extensions()).map_err(|refusal| {
            let answer = refusal.to_response::<()>();
            Status::from_header_map(answer.headers()).expect("gRPC is spoken")
        })?;
        let Identity::Subject(subject) = identity else {
            return Err(Status::internal("another kind of caller"));
        };
        let mut response = Response::new(HealthCheckResponse {
            status: ServingStatus::Serving.into(),
        });
        let id = subject.id().map(ToString::to_string).unwrap_or_default();
        let id = id.parse().expect("metadata");
        response.metadata_mut().insert("caller", id);
        Ok(response)
    }

    async fn watch(
        &self,
        _: tonic::Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("nothing to watch"))
    }
}

/// A server of tonic on loopback, behind the layer; a client of it, and what ends it.
async fn served(server: &ResourceServer) -> (HealthClient<Channel>, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    let layer = server.authenticate().grpc().optional();
    let task = tokio::spawn(async move {
        Server::builder()
            .layer(layer)
            .layer(RequireScopeLayer::of::<Check>())
            .add_service(HealthServer::new(WhoAmI))
            .serve_with_incoming(TcpIncoming::from(listener))
            .await
            .expect("it serves");
    });
    let channel = Channel::from_shared(format!("http://{address}"))
        .expect("an address")
        .connect()
        .await
        .expect("it listens");
    (HealthClient::new(channel), task)
}

async fn check(
    client: &mut HealthClient<Channel>,
    token: Option<&str>,
) -> Result<Response<HealthCheckResponse>, Status> {
    let mut request = tonic::Request::new(HealthCheckRequest::default());
    if let Some(token) = token {
        let field = format!("Bearer {token}").parse().expect("metadata");
        request.metadata_mut().insert("authorization", field);
    }
    client.check(request).await
}

#[tokio::test]
async fn a_client_of_tonic_understands_every_refusal_and_gets_in_with_a_good_token() {
    let issuer = MockIssuer::new();
    let (mut client, task) = served(&server(&issuer)).await;
    let token = issuer.token().subject("alice").scope("health:check");
    let answer = check(&mut client, Some(&token.sign())).await;
    let answer = answer.expect("the answer of the service");
    assert_eq!(answer.metadata().get("caller").expect("a caller"), "alice");
    assert_eq!(answer.get_ref().status(), ServingStatus::Serving);

    let late = token.clone().expired().sign();
    let weak = token.scope("other").sign();
    for (token, code, challenge) in [
        (None, Code::Unauthenticated, "Bearer realm"),
        (Some("a,b"), Code::InvalidArgument, "invalid_request"),
        (Some("garbage"), Code::Unauthenticated, "invalid_token"),
        (Some(&*late), Code::Unauthenticated, "invalid_token"),
        (
            Some(&weak),
            Code::PermissionDenied,
            "scope=\"health:check\"",
        ),
    ] {
        let status = check(&mut client, token).await.expect_err("a refusal");
        assert_eq!(status.code(), code, "{token:?}");
        let said = status.metadata().get("www-authenticate").expect("metadata");
        let said = said.to_str().expect("text");
        assert!(said.contains(challenge), "{said}");
    }
    task.abort();
}

#[tokio::test]
async fn an_outage_is_unavailable_and_says_when_to_come_again() {
    let issuer = MockIssuer::new();
    let down =
        trusting([Issuer::oidc(issuer.issuer()).key_set_url("http://127.0.0.1:9/jwks.json")]);
    let (mut client, task) = served(&down).await;
    let token = issuer.token().scope("health:check").sign();
    let status = check(&mut client, Some(&token)).await.expect_err("down");
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.metadata().contains_key("retry-after"));
    assert!(!status.metadata().contains_key("www-authenticate"));
    task.abort();
}

fn routes() -> Router {
    Router::new()
        .route("/", any(|_: AccessToken| async { "ok" }))
        .route("/scoped", any(|_: Scoped<Check>| async { "ok" }))
        .route(
            "/layer",
            any(|| async { "ok" }).layer(RequireScopeLayer::of::<Check>().rendered()),
        )
        .route(
            "/workspaces/{workspace_id}",
            any(|_: WorkspaceAccess| async { "ok" }),
        )
        .route("/fault", any(|_: WorkspaceAccess| async { "ok" }))
}

async fn post(app: &Router, path: &str, media_type: &str, token: &str) -> TestResponse {
    let request = Request::post(path)
        .header("content-type", media_type)
        .header("authorization", format!("Bearer {token}"));
    app.exchange(request.body(Body::empty()).expect("a request"))
        .await
}

#[tokio::test]
async fn layer_and_guards_answer_a_grpc_client_without_a_body_and_others_as_ever() {
    let issuer = MockIssuer::new();
    let server = server(&issuer);
    let layer = || server.authenticate().renderer(ProblemJson);
    let without = routes().route_layer(layer());
    let speaking = routes().route_layer(layer().grpc());
    let good = issuer.token().scope("health:check").sign();
    let weak = issuer.token().sign();
    for (path, token, status, code, kind) in [
        ("/", "garbage", 401, "16", "invalid_token"),
        ("/", "a,b", 400, "3", "invalid_request"),
        ("/scoped", &*weak, 403, "7", "insufficient_scope"),
        ("/layer", &weak, 403, "7", "insufficient_scope"),
        ("/workspaces/w", &weak, 403, "7", "no_tenant"),
        ("/fault", &weak, 500, "13", "misconfigured"),
    ] {
        let json = post(&speaking, path, "application/json", token).await;
        let grpc = post(&speaking, path, "application/grpc", token).await;
        let deaf = post(&without, path, "application/grpc", token).await;
        assert_eq!(
            (json.status.as_u16(), deaf.status.as_u16()),
            (status, status)
        );
        assert_eq!(json.wire(), deaf.wire(), "{path}");
        assert_eq!(json.body, deaf.body);
        assert!(json.body.contains(kind), "{}", json.body);
        assert_eq!(grpc.status, StatusCode::OK);
        assert_eq!(grpc.kind.map(RejectionKind::as_str), Some(kind));
        assert_eq!(grpc.kind, json.kind);
        assert_eq!(grpc.header("grpc-status"), Some(code), "{path}");
        assert_eq!(grpc.header("grpc-message"), None);
        assert_eq!(grpc.header("content-type"), Some("application/grpc"));
        assert_eq!(grpc.header("cache-control"), Some("no-store"));
        assert_eq!(grpc.body, "");
        let challenge = "www-authenticate";
        assert_eq!(grpc.header(challenge), json.header(challenge));
        assert_eq!(json.header("grpc-status"), None);
    }
    for path in ["/", "/scoped", "/layer"] {
        let answer = post(&speaking, path, "application/grpc", &good).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "ok"));
        assert_eq!(answer.header("grpc-status"), None);
    }
}

#[tokio::test]
async fn each_family_is_answered_in_its_own_media_type() {
    let issuer = MockIssuer::new();
    let app = routes().route_layer(server(&issuer).authenticate().grpc());
    for (asked, answered) in [
        ("application/grpc", "application/grpc"),
        ("application/grpc+proto", "application/grpc"),
        ("Application/GRPC;charset=utf-8", "application/grpc"),
        ("application/grpc-web+proto", "application/grpc-web"),
        ("application/grpc-web-text", "application/grpc-web-text"),
    ] {
        let answer = post(&app, "/", asked, "garbage").await;
        assert_eq!(answer.status, 200, "{asked}");
        assert_eq!(answer.header("content-type"), Some(answered), "{asked}");
    }
    for other in ["application/grpcfoo", "application/json", ""] {
        let answer = post(&app, "/", other, "garbage").await;
        assert_eq!(answer.status, 401, "{other}");
        assert_eq!(answer.header("grpc-status"), None, "{other}");
    }
}

#[tokio::test]
async fn a_message_is_the_fixed_sentence_where_the_layer_gives_sentences() {
    let issuer = MockIssuer::new();
    let layer = server(&issuer).authenticate().grpc().error_descriptions();
    let app = routes().route_layer(layer);
    let answer = post(&app, "/", "application/grpc", "garbage").await;
    let sentence = "the access token is not valid here";
    assert_eq!(answer.header("grpc-message"), Some(sentence));
    let challenge = answer.challenge();
    assert!(challenge.contains(sentence), "{challenge}");
}

#[tokio::test]
async fn the_answer_after_a_wait_for_the_issuer_is_in_grpc_too() {
    let served = MockIssuer::new().serve().await;
    let server = trusting([served.trusted()])
        .connect()
        .await
        .expect("it connects");
    let app = routes().route_layer(server.authenticate().grpc());
    let unknown = served.token().sign_with_unknown_key();
    let answer = post(&app, "/", "application/grpc", &unknown).await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("grpc-status").is_some());
    let good = served.token().sign();
    let answer = post(&app, "/", "application/grpc", &good).await;
    assert_eq!(answer.body, "ok");
}
