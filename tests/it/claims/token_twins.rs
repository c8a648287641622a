//! Tokens that resemble one which is remembered: each is judged for itself.

use std::time::Duration;

use axum::routing::get;
use portcullis::test_util::{ManualClock, MockIssuer};
use portcullis::time::UnixTime;
use portcullis::{AccessToken, Algorithm, ResourceServer, ResourceServerBuilder};

use crate::support::{API, Requests as _, TestApp, builder};

fn issuer() -> MockIssuer {
    MockIssuer::new().with_algorithms([Algorithm::ES256])
}

fn built(builder: ResourceServerBuilder) -> (ResourceServer, TestApp) {
    let server = builder.build().expect("sound");
    let app = TestApp::behind(server.authenticate()).route(
        "/",
        get(|token: AccessToken| async move { token.id().unwrap_or_default().to_owned() }),
    );
    (server, app)
}

/// Hits and misses.
fn counts(server: &ResourceServer) -> (u64, u64) {
    let status = server.token_cache_status().expect("it is on");
    (status.hits(), status.misses())
}

#[tokio::test]
async fn a_token_that_differs_in_any_one_byte_is_not_found() {
    let issuer = issuer();
    let (server, cached) = built(builder(&issuer));
    let (_, plain) = built(builder(&issuer).without_token_cache());
    let token = issuer.token().sign();
    assert_eq!(cached.verdict(&token).await, "200");
    for place in 0..token.len() {
        let mut twin = token.clone().into_bytes();
        // One bit, and still a character of base64url, or nearly.
        twin[place] ^= 1;
        let twin = String::from_utf8(twin).expect("ascii");
        let answer = cached.verdict(&twin).await;
        assert_ne!(answer, "200", "byte {place}");
        assert_eq!(answer, plain.verdict(&twin).await, "byte {place}");
    }
    assert_eq!(counts(&server).0, 0);
    assert_eq!(cached.verdict(&token).await, "200");
    assert_eq!(counts(&server).0, 1);
}

#[tokio::test]
async fn the_same_claims_under_another_signature_are_another_entry() {
    let issuer = issuer();
    let (server, app) = built(builder(&issuer));
    let token = issuer.token().claim("jti", "one");
    let (first, second) = (token.sign(), token.sign());
    assert_ne!(first, second, "ECDSA signs with a fresh number each time");
    for twin in [&first, &second] {
        assert_eq!(app.verdict(twin).await, "200");
    }
    assert_eq!(counts(&server), (0, 2));
    for twin in [&first, &second] {
        assert_eq!(app.verdict(twin).await, "200");
    }
    assert_eq!(counts(&server), (2, 2));
}

#[tokio::test]
async fn tokens_of_one_length_and_key_keep_their_own_claims() {
    let issuer = issuer();
    let (_, app) = built(builder(&issuer));
    let names: Vec<String> = (0..50).map(|name| format!("token-{name:02}")).collect();
    let tokens: Vec<String> = names
        .iter()
        .map(|name| issuer.token().claim("jti", name).sign())
        .collect();
    for _ in 0..2 {
        for (name, token) in names.iter().zip(&tokens) {
            assert_eq!(app.get("/", token).await.body, *name);
        }
    }
}

/// Rules belong to a server. Whoever changes them has another one, which remembers nothing.
#[tokio::test]
async fn other_rules_judge_a_remembered_token_anew() {
    let clock = ManualClock::new();
    let issuer = MockIssuer::new()
        .with_algorithms([Algorithm::ES256, Algorithm::ES384])
        .with_clock(clock.clone());
    let of = |builder: ResourceServerBuilder| built(builder.clock(clock.clone()));
    let (_, lax) = of(builder(&issuer));
    let token = issuer.token().claim("padding", "x".repeat(1000)).sign();
    assert_eq!(lax.verdict(&token).await, "200");
    let trusting = |issuer| ResourceServer::builder(API).issuer(issuer);
    for (strict, answer) in [
        (
            trusting(issuer.trusted().audience("https://other.example.com")),
            "401 invalid_token audience",
        ),
        (
            trusting(issuer.trusted().algorithms([Algorithm::ES384])),
            "401 invalid_token algorithm",
        ),
        (
            builder(&issuer).max_token_bytes(token.len() - 1),
            "401 invalid_token too_large",
        ),
    ] {
        let (_, strict) = of(strict);
        for _ in 0..2 {
            assert_eq!(strict.verdict(&token).await, answer);
            assert_eq!(lax.verdict(&token).await, "200");
        }
    }
}

#[tokio::test]
async fn a_clock_that_jumps_past_the_expiry_and_back_decides_each_time() {
    let clock = ManualClock::new();
    let issuer = issuer().with_clock(clock.clone());
    let (server, app) = built(builder(&issuer).clock(clock.clone()));
    // All of it within the life of a remembered token, which ends by the wall clock too.
    let token = issuer.token().expires_in(Duration::from_secs(100)).sign();
    let start = ManualClock::START.as_secs();
    for (wall, answer) in [
        (start, "200"),
        (start + 129, "200"),
        (start + 130, "401 invalid_token expired"),
        (start + 290, "401 invalid_token expired"),
        (start + 10, "200"),
    ] {
        clock.set_wall(UnixTime::from_secs(wall));
        assert_eq!(app.verdict(&token).await, answer, "at {wall}");
    }
    assert_eq!(counts(&server), (4, 1), "found each time");
}
