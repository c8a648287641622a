//! Axway API Gateway: opaque tokens and a token information service.

use std::time::Duration;

use axum::routing::get;
use portcullis::test_util::{Endpoint, Fault, ManualClock, MockIssuer, ServedIssuer};
use portcullis::{Algorithm, Identity, Issuer, ResourceServer, Scoped};

use crate::support::{API, Requests as _, TestApp};

// Its scopes are URLs.
portcullis::scopes! {
    Read = "https://gateway.example.com/auth/read";
    Write = "https://gateway.example.com/auth/write";
}

const READ: &str = "https://gateway.example.com/auth/read https://gateway.example.com/auth/more";

async fn gateway(clock: &ManualClock) -> ServedIssuer {
    MockIssuer::named("https://gateway.example.com")
        .with_algorithms([Algorithm::ES256])
        .with_clock(clock.clone())
        .serve()
        .await
}

fn app(issuer: Issuer, clock: &ManualClock) -> TestApp {
    let server = ResourceServer::builder(API)
        .issuer(issuer)
        .clock(clock.clone())
        .build()
        .expect("sound");
    TestApp::behind(server.authenticate())
        .route("/read", get(|_: Scoped<Read>| async {}))
        .route("/write", get(|_: Scoped<Write>| async {}))
        .route("/who", get(who))
}

async fn who(identity: Identity) -> String {
    match identity {
        Identity::Subject(subject) => format!(
            "{} by {}",
            subject.id().map(ToString::to_string).unwrap_or_default(),
            subject
                .client()
                .map(ToString::to_string)
                .unwrap_or_default()
        ),
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn an_opaque_token_goes_as_far_as_its_scope_and_is_asked_about_once_a_minute() {
    let clock = ManualClock::new();
    let gateway = gateway(&clock).await;
    let app = app(gateway.token_information(), &clock);
    let token = gateway.token().subject("admin").scope(READ).issue();
    for _ in 0..2 {
        assert_eq!(app.get("/read", &token).await.verdict(), "200");
        assert_eq!(
            app.get("/write", &token).await.verdict(),
            "403 insufficient_scope"
        );
        let who = app.get("/who", &token).await.body;
        assert_eq!(who, format!("admin by {}", MockIssuer::CLIENT_ID));
    }
    assert_eq!(gateway.requests(Endpoint::TokenInformation), 1);
    clock.advance(Duration::from_secs(60));
    assert_eq!(app.get("/read", &token).await.verdict(), "200");
    assert_eq!(gateway.requests(Endpoint::TokenInformation), 2);
}

#[tokio::test]
async fn unknown_expired_and_revoked_tokens_are_refused() {
    let clock = ManualClock::new();
    let gateway = gateway(&clock).await;
    let app = app(gateway.token_information(), &clock);
    let token = gateway.token().scope(READ);
    let (good, short) = (
        token.issue(),
        token.clone().expires_in(Duration::from_secs(10)).issue(),
    );
    for token in [&good, &short] {
        assert_eq!(app.get("/read", token).await.verdict(), "200");
    }
    let never = "Z".repeat(54);
    let late = token.clone().expired().issue();
    let revoked = token.issue();
    gateway.revoke(&revoked);
    for bad in [&never, &late, &revoked] {
        assert_eq!(
            app.get("/read", bad).await.verdict(),
            "401 invalid_token inactive"
        );
    }
    // What is remembered ends with the token, leeway aside, and with its minute.
    gateway.revoke(&good);
    clock.advance(Duration::from_secs(59));
    assert_eq!(app.get("/read", &good).await.verdict(), "200");
    assert_eq!(
        app.get("/read", &short).await.verdict(),
        "401 invalid_token inactive"
    );
    clock.advance(Duration::from_secs(1));
    assert_eq!(
        app.get("/read", &good).await.verdict(),
        "401 invalid_token inactive"
    );
}

#[tokio::test]
async fn a_service_that_is_down_is_an_outage_and_no_verdict() {
    let clock = ManualClock::new();
    let gateway = gateway(&clock).await;
    let app = app(gateway.token_information(), &clock);
    let token = gateway.token().scope(READ);
    let (seen, unseen) = (token.issue(), token.issue());
    assert_eq!(app.get("/read", &seen).await.verdict(), "200");
    for fault in [
        Fault::Refuse,
        Fault::Status(500),
        Fault::Status(401),
        Fault::CutBody,
        Fault::Body(b"<html>".to_vec()),
        Fault::TooManyRequests(Duration::from_secs(1)),
    ] {
        gateway.break_endpoint_with(Endpoint::TokenInformation, fault.clone());
        let answer = app.get("/read", &unseen).await;
        assert!(answer.verdict().starts_with("503 unavailable"), "{fault:?}");
        assert!(answer.header("retry-after").is_some(), "{fault:?}");
        assert_eq!(app.get("/read", &seen).await.verdict(), "200");
        clock.advance(Duration::from_secs(2)); // past the rest that it asked for
    }
    gateway.recover();
    assert_eq!(app.get("/read", &unseen).await.verdict(), "200");
}
