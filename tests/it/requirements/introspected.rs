//! Opaque tokens: `acr`, `auth_time` and scope of the introspection response (RFC 9470 section 6.2),
//! beside signed tokens of the same claims.

use std::time::Duration;

use axum::routing::get;
use portcullis::config::ScopeHierarchy;
use portcullis::extract::Authorized;
use portcullis::layer::RequireLayer;
use portcullis::test_util::{ManualClock, MockIssuer};
use portcullis::time::Clock as _;
use portcullis::{AccessToken, Algorithm, Issuer, ResourceServer};
use serde_json::json;

use crate::support::{API, Requests as _, TestApp};

portcullis::requirements! {
    Pay {
        scope: "pay:write",
        acr: "phr" | "mfa",
        max_age: Duration::from_secs(300),
    }
}

async fn app(issuer: Issuer, clock: &ManualClock) -> TestApp {
    let server = ResourceServer::builder(API)
        .issuer(issuer)
        .scope_hierarchy(ScopeHierarchy::new().implies("pay:admin", "pay:write"))
        .clock(clock.clone())
        .build()
        .expect("sound")
        .connect()
        .await
        .expect("the issuer is the one that was configured");
    TestApp::behind(server.authenticate())
        .route("/extractor", get(async |_: Authorized<Pay>| {}))
        .route(
            "/layer",
            get(async |_: AccessToken| {}).route_layer(RequireLayer::of::<Pay>()),
        )
}

#[tokio::test]
async fn introspected_token_is_judged_like_a_signed_one() {
    let clock = ManualClock::new();
    let issuer = MockIssuer::new()
        .with_algorithms([Algorithm::ES256])
        .with_clock(clock.clone());
    let issuer = issuer.serve().await;
    let signed = app(issuer.trusted(), &clock).await;
    let opaque = app(issuer.introspected(), &clock).await;
    let now = clock.now().as_secs();
    let good = issuer
        .token()
        .audience(API)
        .scope("pay:write")
        .claim("acr", "mfa")
        .claim("auth_time", now - 300);
    let step_up = "401 insufficient_user_authentication";
    for (what, token, expected) in [
        ("good", good.clone(), "200"),
        (
            "several classes",
            good.clone().claim("acr", ["pwd", "phr"]),
            "200",
        ),
        ("a wider scope", good.clone().scope("pay:admin"), "200"),
        (
            "another scope",
            good.clone().scope("pay:read"),
            "403 insufficient_scope",
        ),
        ("another class", good.clone().claim("acr", "pwd"), step_up),
        ("no class", good.clone().without("acr"), step_up),
        ("a number", good.clone().claim("acr", 1), step_up),
        (
            "too old",
            good.clone().claim("auth_time", now - 301),
            step_up,
        ),
        ("no time", good.clone().without("auth_time"), step_up),
        (
            "a text",
            good.clone().claim("auth_time", now.to_string()),
            step_up,
        ),
        (
            "in the future",
            good.clone().claim("auth_time", now + 31),
            step_up,
        ),
        (
            "no claim",
            good.clone().claim("auth_time", json!(null)),
            step_up,
        ),
    ] {
        let forms = [(&signed, token.sign()), (&opaque, token.issue())];
        for (app, token) in &forms {
            for path in ["/extractor", "/layer", "/extractor"] {
                let answer = app.get(path, token).await;
                assert_eq!(answer.verdict(), expected, "{what} at {path}: {token}");
            }
        }
    }
}
