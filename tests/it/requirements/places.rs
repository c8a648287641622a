//! Where requirements stand: under an optional layer, without a layer, in gRPC, behind a renderer; with
//! a role of a workspace, and with mistakes in the wiring.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::{get, post};
use http::Request;
use portcullis::error::Refusal;
use portcullis::extract::{Authorized, Refuser};
use portcullis::layer::{ProblemJson, RequireLayer};
use portcullis::test_util::MockIssuer;
use portcullis::{AccessToken, ResourceServer, TenantClaims};

use crate::support::{API, Requests as _, TestApp, server};

portcullis::requirements! {
    Pay {
        scope: "pay:write",
        acr: "phr" | "mfa",
        max_age: Duration::from_secs(300),
    }
    ByRole { role: "editor" }
    ByTenant { tenant: true }
    Class { acr: "phr" }
}

const STEP_UP: &str = "401 insufficient_user_authentication";

fn routes() -> Router {
    Router::new()
        .route("/extractor", get(async |_: Authorized<Pay>| {}))
        .route(
            "/layer",
            get(async |_: Option<AccessToken>| {}).route_layer(RequireLayer::of::<Pay>()),
        )
        .route(
            "/maybe",
            get(async |token: Option<Authorized<Pay>>| token.is_some().to_string()),
        )
}

#[tokio::test]
async fn missing_token_under_an_optional_layer_is_told_all_that_it_must_have() {
    let issuer = MockIssuer::new();
    let app = TestApp::behind(server(&issuer).authenticate().optional()).routes(routes());
    for path in ["/extractor", "/layer"] {
        let answer = app.send(path, &[]).await;
        assert_eq!(answer.verdict(), "401 missing_token");
        assert_eq!(
            answer.challenge(),
            "Bearer realm=\"https://api.example.com\", scope=\"pay:write\", acr_values=\"phr mfa\", max_age=\"300\""
        );
    }
    assert_eq!(app.send("/maybe", &[]).await.body, "false");
    let token = issuer.token().audience(API).scope("pay:write");
    assert_eq!(app.get("/maybe", &token.sign()).await.verdict(), STEP_UP);
}

#[tokio::test]
async fn without_a_layer_outside_every_requirement_answers_500() {
    for path in ["/extractor", "/layer", "/maybe"] {
        let answer = routes().send(path, &[]).await;
        assert_eq!(answer.verdict(), "500 not_authenticated", "{path}");
    }
}

#[tokio::test]
async fn step_up_in_grpc_is_unauthenticated_with_the_same_challenge() {
    let issuer = MockIssuer::new();
    let routes = Router::new()
        .route("/extractor", post(async |_: Authorized<Pay>| {}))
        .route(
            "/layer",
            post(async |_: AccessToken| {}).route_layer(RequireLayer::of::<Pay>()),
        );
    let layer = server(&issuer).authenticate().grpc().error_descriptions();
    let app = TestApp::behind(layer).routes(routes);
    let token = issuer.token().audience(API).scope("pay:write").sign();
    for path in ["/extractor", "/layer"] {
        let request = Request::post(path)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/grpc")
            .body(Body::empty())
            .expect("a request");
        let answer = app.exchange(request).await;
        assert_eq!(answer.verdict(), "200 insufficient_user_authentication");
        assert_eq!(answer.header("grpc-status"), Some("16"));
        assert_eq!(
            answer.header("grpc-message"),
            Some("a different or more recent authentication of the user is needed")
        );
        let challenge = answer.challenge();
        for part in [
            "error=\"insufficient_user_authentication\"",
            "scope=\"pay:write\"",
            "acr_values=\"phr mfa\"",
            "max_age=\"300\"",
        ] {
            assert!(challenge.contains(part), "{challenge}");
        }
    }
}

#[tokio::test]
async fn renderer_makes_the_body_of_extractor_and_layer() {
    let issuer = MockIssuer::new();
    let routes = Router::new()
        .route("/extractor", get(async |_: Authorized<Pay>| {}))
        .route(
            "/layer",
            get(async |_: AccessToken| {}).route_layer(RequireLayer::of::<Pay>().rendered()),
        );
    let layer = server(&issuer).authenticate().renderer(ProblemJson);
    let app = TestApp::behind(layer).routes(routes);
    let token = issuer.token().audience(API).scope("pay:write").sign();
    for path in ["/extractor", "/layer"] {
        let answer = app.get(path, &token).await;
        assert_eq!(
            answer.body,
            r#"{"type":"about:blank","title":"Unauthorized","status":401,"kind":"insufficient_user_authentication"}"#
        );
    }
}

#[tokio::test]
async fn role_of_a_workspace_counts_at_the_extractor_and_that_of_the_claim_at_both() {
    let issuer = MockIssuer::new();
    let rules = TenantClaims::by_workspace("workspace")
        .account_claim("account")
        .user_claim("user")
        .role_claim("role");
    let server = ResourceServer::builder(API)
        .issuer(issuer.trusted().tenant_claims(rules))
        .build()
        .expect("sound");
    let app = TestApp::behind(server.authenticate())
        .route("/extractor", get(async |_: Authorized<ByRole>| {}))
        .route(
            "/layer",
            get(async |_: AccessToken| {}).route_layer(RequireLayer::of::<ByRole>()),
        );
    let user = issuer
        .token()
        .audience(API)
        .claim("workspace", "acme-prod")
        .claim("account", "acme")
        .claim("user", "u-1");
    let no = "403 wrong_caller";
    for (token, extractor, layer) in [
        (user.clone().claim("role", "editor"), "200", no),
        (user.clone().claim("roles", ["editor"]), "200", "200"),
        (user.clone().claim("role", "viewer"), no, no),
        (user, no, no),
    ] {
        let token = token.sign();
        assert_eq!(app.get("/extractor", &token).await.verdict(), extractor);
        assert_eq!(app.get("/layer", &token).await.verdict(), layer);
    }
}

/// A role and a tenant count in the context that they are for: a layer that names none answers 500,
/// whatever is sent.
#[tokio::test]
async fn role_and_tenant_demand_that_the_layer_names_its_context() {
    let issuer = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf");
    let server = ResourceServer::builder(API)
        .issuer(issuer.trusted().tenant_claims(TenantClaims::aworld()))
        .build()
        .expect("sound");
    let layered = || get(async |_: Option<AccessToken>| {});
    let routes = || {
        Router::new()
            .route("/role", get(async |_: Authorized<ByRole>| {}))
            .route(
                "/role-layer",
                layered().route_layer(RequireLayer::of::<ByRole>()),
            )
            .route("/role-maybe", get(async |_: Option<Authorized<ByRole>>| {}))
            .route("/tenant", get(async |_: Authorized<ByTenant>| {}))
            .route(
                "/tenant-layer",
                layered().route_layer(RequireLayer::of::<ByTenant>()),
            )
            .route(
                "/tenant-maybe",
                get(async |_: Option<Authorized<ByTenant>>| {}),
            )
            .route("/class-maybe", get(async |_: Option<Authorized<Class>>| {}))
    };
    let wired = TestApp::behind(server.authenticate().context("app").optional()).routes(routes());
    let unwired = TestApp::behind(server.authenticate().optional()).routes(routes());
    let editor = issuer
        .aworld_user()
        .role("editor")
        .groups(["editor"])
        .claim("roles", ["editor"])
        .sign();
    for path in [
        "/role",
        "/role-layer",
        "/role-maybe",
        "/tenant",
        "/tenant-layer",
        "/tenant-maybe",
    ] {
        assert_eq!(wired.get(path, &editor).await.verdict(), "200", "{path}");
        let answer = unwired.get(path, &editor).await;
        assert_eq!(answer.verdict(), "500 misconfigured no_context", "{path}");
    }
    for path in ["/role-maybe", "/tenant-maybe"] {
        assert_eq!(wired.send(path, &[]).await.verdict(), "200", "{path}");
        let answer = unwired.send(path, &[]).await;
        assert_eq!(answer.verdict(), "500 misconfigured no_context", "{path}");
    }
    assert_eq!(unwired.send("/class-maybe", &[]).await.verdict(), "200");
}

#[tokio::test]
async fn requirement_that_depends_on_data_is_checked_in_the_handler() {
    async fn transfer(refuser: Refuser, Path(amount): Path<u32>) -> Result<String, Refusal> {
        if amount > 1000 {
            refuser.require::<Pay>()?;
        }
        if amount > 9000 {
            refuser.require::<ByRole>()?;
            refuser.require::<ByTenant>()?;
        }
        Ok("moved".to_owned())
    }
    let issuer = MockIssuer::new();
    let layer = server(&issuer).authenticate().optional();
    let app = TestApp::behind(layer.renderer(ProblemJson)).route("/{amount}", get(transfer));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.expect("after 1970").as_secs();
    let token = issuer.token().audience(API).scope("pay:write");
    let strong = token.clone().claim("acr", "mfa").claim("auth_time", now);
    let editor = strong.clone().claim("roles", ["editor"]);
    for (path, token, expected) in [
        ("/1000", &token, "200"),
        ("/1001", &token, STEP_UP),
        ("/1001", &strong, "200"),
        (
            "/1001",
            &strong.clone().scope("x"),
            "403 insufficient_scope",
        ),
        ("/9001", &strong, "403 wrong_caller"),
        ("/9001", &editor, "403 no_tenant"),
    ] {
        let answer = app.get(path, &token.sign()).await;
        assert_eq!(answer.verdict(), expected, "{path}");
    }
    let answer = app.get("/1001", &token.sign()).await;
    assert!(answer.body.contains("insufficient_user_authentication"));
    assert!(
        answer
            .challenge()
            .contains("scope=\"pay:write\", acr_values=\"phr mfa\", max_age=\"300\""),
        "{}",
        answer.challenge()
    );
    assert_eq!(app.send("/1001", &[]).await.verdict(), "401 missing_token");
}
