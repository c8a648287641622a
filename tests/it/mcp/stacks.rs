//! The layer in axum's routers, under optional layers, without any layer, and in plain tower.

use std::convert::Infallible;

use axum::Router;
use axum::body::{Body, Bytes};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use portcullis::layer::ProblemJson;
use portcullis::mcp::{McpBody, McpLayer};
use portcullis::test_util::MockIssuer;
use portcullis::{AccessToken, ResourceServer};
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::mcp::support::{McpApp, call, echo, echoed, scopes};
use crate::support::{Requests as _, server};

#[tokio::test]
async fn layer_works_around_a_nested_service_and_inside_a_nested_router() {
    let issuer = MockIssuer::new();
    let server = server(&issuer);
    let inner = Router::new()
        .nest("/deep", echo())
        .layer(McpLayer::new(scopes()))
        .layer(server.authenticate());
    let app = Router::new().nest("/api", inner);
    let post = async |scope: &str| {
        let request = Request::post("/api/deep/mcp")
            .header("authorization", issuer.token().scope(scope).bearer())
            .body(Body::from(call("edit")))
            .expect("a request");
        app.exchange(request).await.body_or_verdict()
    };
    assert_eq!(post("missions:read").await, "403 insufficient_scope");
    assert_eq!(
        post("missions:read missions:write").await,
        echoed(&call("edit"))
    );
}

#[tokio::test]
async fn plain_tower_service_with_another_body_works() {
    let issuer = MockIssuer::new();
    let server = server(&issuer);
    let inner = service_fn(async |request: Request<Full<Bytes>>| {
        let token = AccessToken::of(request.extensions()).expect("a token");
        let scope = Bytes::from(token.scope().to_string());
        // A body that has no default and is not made of bytes.
        Ok::<_, Infallible>(Response::new(Full::new(scope).boxed_unsync()))
    });
    let service = server
        .authenticate()
        .layer(McpLayer::new(scopes()).layer(inner));
    let post = async |scope: &str| {
        let request = Request::post("/mcp")
            .header("authorization", issuer.token().scope(scope).bearer())
            .body(Full::from(call("edit")))
            .expect("a request");
        let response: Response<McpBody<_>> = service.clone().oneshot(request).await.expect("never");
        let status = response.status().as_u16();
        let body = response
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    };
    assert_eq!(post("missions:read").await, (403, String::new()));
    let rights = "missions:read missions:write";
    assert_eq!(post(rights).await, (200, rights.to_owned()));
}

#[tokio::test]
async fn request_without_a_token_is_refused_under_an_optional_layer_and_without_a_layer() {
    let optional = McpApp::around(
        McpLayer::new(scopes()),
        |server: &ResourceServer| server.authenticate().optional(),
        echo(),
    );
    let request = || {
        Request::post("/mcp")
            .body(Body::from(call("open")))
            .expect("a request")
    };
    let answer = optional.router.exchange(request()).await;
    assert_eq!(answer.verdict(), "401 missing_token");
    assert_eq!(
        optional.post_old(None, "", &call("open")).await.verdict(),
        "200"
    );
    let unlayered = echo().layer(McpLayer::new(scopes()));
    let answer = unlayered.exchange(request()).await;
    assert_eq!(answer.verdict(), "500 not_authenticated");
}

#[tokio::test]
async fn refusals_have_the_body_of_the_renderer_and_protocol_errors_their_own() {
    let app = McpApp::around(
        McpLayer::new(scopes()),
        |server: &ResourceServer| server.authenticate().renderer(ProblemJson),
        echo(),
    );
    let refused = app.post_old(None, "missions:read", &call("edit")).await;
    assert_eq!(
        refused.header("content-type"),
        Some("application/problem+json")
    );
    let fault = app.post_old(None, "missions:read", "nonsense").await;
    assert_eq!(fault.header("content-type"), Some("application/json"));
    assert!(fault.body.contains("-32700"), "{}", fault.body);
}
