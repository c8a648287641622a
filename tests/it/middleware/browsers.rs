//! Browsers: a CORS layer outside, a cookie from an allowed origin, a challenge that scripts see.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Method, Request, request};
use portcullis::layer::ProblemJson;
use portcullis::test_util::MockIssuer;
use portcullis::{AccessToken, Scoped};
use tower_http::cors::CorsLayer;

use crate::support::{Requests as _, TestResponse, server};

const APP: &str = "https://app.example.com";
const COOKIE: &str = "__Host-token";

portcullis::scopes! { Write = "orders:write"; }

fn app(issuer: &MockIssuer) -> Router {
    let layer = server(issuer).authenticate().renderer(ProblemJson);
    let cors = CorsLayer::new()
        .allow_origin([APP.parse().expect("a value")])
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE])
        .expose_headers([WWW_AUTHENTICATE, RETRY_AFTER])
        .allow_credentials(true);
    Router::new()
        .route(
            "/",
            get(|_: AccessToken| async { "ok" }).post(|_: Scoped<Write>| async { "ok" }),
        )
        .route_layer(layer.danger().token_cookie_from(COOKIE, [APP]))
        .layer(cors)
}

async fn ask(app: &Router, request: request::Builder) -> TestResponse {
    app.exchange(request.body(Body::empty()).expect("a request"))
        .await
}

#[tokio::test]
async fn a_preflight_needs_no_token_and_the_request_after_it_does() {
    let app = app(&MockIssuer::new());
    let preflight = Request::options("/")
        .header("origin", APP)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization");
    let answer = ask(&app, preflight).await;
    assert_eq!(answer.verdict(), "200");
    assert_eq!(answer.header("access-control-allow-origin"), Some(APP));
    assert_eq!(
        answer.header("access-control-allow-credentials"),
        Some("true")
    );

    let answer = ask(&app, Request::post("/").header("origin", APP)).await;
    assert_eq!(answer.verdict(), "401 missing_token");
    let plain = ask(&app, Request::options("/")).await;
    assert_ne!(plain.status, 401, "the CORS layer answers every OPTIONS");
}

#[tokio::test]
async fn scripts_of_an_allowed_origin_read_challenge_and_body_of_a_refusal() {
    let issuer = MockIssuer::new();
    let app = app(&issuer);
    let cookie = |token: &str| format!("theme=dark; {COOKIE}={token}");
    let late = issuer.token().expired().sign();
    let weak = issuer.token().sign();
    let good = issuer.token().scope("orders:write").sign();
    for (token, expected) in [
        (&late, "401 invalid_token expired"),
        (&weak, "403 insufficient_scope"),
        (&good, "200"),
    ] {
        let request = Request::post("/")
            .header("origin", APP)
            .header("cookie", cookie(token));
        let answer = ask(&app, request).await;
        assert_eq!(answer.verdict(), expected);
        assert_eq!(answer.header("access-control-allow-origin"), Some(APP));
        assert_eq!(
            answer.header("access-control-expose-headers"),
            Some("www-authenticate,retry-after")
        );
        let refused = expected != "200";
        assert_eq!(answer.header("www-authenticate").is_some(), refused);
        let media_type = answer.header("content-type");
        assert_eq!(media_type == Some("application/problem+json"), refused);
    }
}

#[tokio::test]
async fn pages_of_other_origins_neither_write_nor_read() {
    let issuer = MockIssuer::new();
    let app = app(&issuer);
    let good = format!("{COOKIE}={}", issuer.token().scope("orders:write").sign());
    for origin in ["https://evil.example", "null"] {
        let request = || {
            Request::builder()
                .header("origin", origin)
                .header("cookie", &good)
        };
        let written = ask(&app, request().method("POST").uri("/")).await;
        assert_eq!(written.verdict(), "401 missing_token");
        // What is safe is done; whether a script may read the answer is for CORS to say.
        let read = ask(&app, request().uri("/")).await;
        assert_eq!(read.verdict(), "200");
        assert_eq!(read.header("access-control-allow-origin"), None);
    }
}
