//! Signed answers: how old they may be, and that what they said ends with the keys that verified
//! them.

use std::time::Duration;

use axum::routing::get;
use portcullis::extract::UserInfo;
use portcullis::test_util::{
    Endpoint as Page, Fault, ManualClock, MockIssuer, ServedIssuer, TokenBuilder,
};
use portcullis::time::Clock as _;
use portcullis::{Algorithm, Issuer, ResourceServer};
use serde_json::{Value, json};

use crate::support::API;
use crate::support::Requests as _;
use crate::support::TestApp;
use crate::support::endpoint::{Endpoint, json as answer, raw};
use crate::support::introspection::{AS, TOKEN, app, good, issuer, ours, server, with};
use crate::support::introspection::{SIGNED, signed};

const SECOND: Duration = Duration::from_secs(1);
const FAILED: &str = "503 unavailable introspection_failed";

fn mock(name: &str, clock: &ManualClock) -> MockIssuer {
    MockIssuer::named(name)
        .with_algorithms([Algorithm::ES256])
        .with_clock(clock.clone())
}

/// A signed answer with these members beside the answer.
fn answer_with(mock: &MockIssuer, members: &Value) -> String {
    let mut claims = json!({
        "iss": mock.issuer(), "aud": "orders-api", "iat": ManualClock::START.as_secs(),
        "token_introspection": good(),
    });
    for (name, value) in members.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    let token = mock.token().typ("token-introspection+jwt");
    token.payload_json(claims.to_string()).sign()
}

#[tokio::test]
async fn signed_answer_of_another_time_is_no_answer() {
    let now = ManualClock::START.as_secs();
    let (leeway, age) = (30, 300);
    for (members, expected) in [
        (json!({}), "200"),
        (json!({"iat": now - age - leeway}), "200"),
        (json!({"iat": now - age - leeway - 1}), FAILED),
        (json!({"iat": now + age + leeway}), "200"),
        (json!({"iat": now + age + leeway + 1}), FAILED),
        (json!({"iat": 0}), FAILED),
        (json!({"iat": 4_102_444_800_i64}), FAILED),
        (json!({"iat": null}), FAILED),
        (json!({"iat": "now"}), FAILED),
        (json!({"exp": now + 60}), "200"),
        (json!({"exp": now - leeway + 1}), "200"),
        (json!({"exp": now - leeway}), FAILED),
        (json!({"exp": 1_000_000_000}), FAILED),
        (json!({"exp": "later"}), FAILED),
        (json!({"exp": null}), FAILED),
        (json!({"nbf": now}), "200"),
        (json!({"nbf": now + leeway}), "200"),
        (json!({"nbf": null}), "200"),
        (json!({"nbf": now + leeway + 1}), FAILED),
        (json!({"nbf": 4_102_444_800_i64}), FAILED),
        (json!({"nbf": "now"}), FAILED),
    ] {
        let clock = ManualClock::new();
        let mock = mock(AS, &clock);
        let body = answer_with(&mock, &members);
        let endpoint = Endpoint::doing(move |_| raw(200, SIGNED, body.clone())).await;
        let settings = issuer(&endpoint).signed_answers().key_set(mock.key_set());
        let server = server(settings, &clock);
        assert_eq!(app(&server).verdict(TOKEN).await, expected, "{members}");
    }
}

#[tokio::test]
async fn signed_answer_that_is_played_back_is_good_for_its_age_alone_which_is_a_setting() {
    for (settings, age) in [
        (None, 330),
        (Some(Duration::from_secs(3600)), 3630),
        (Some(SECOND), 31),
    ] {
        let clock = ManualClock::new();
        let mock = mock(AS, &clock);
        let body = answer_with(&mock, &json!({}));
        let endpoint = Endpoint::doing(move |_| raw(200, SIGNED, body.clone())).await;
        let mut issuer = issuer(&endpoint).signed_answers().key_set(mock.key_set());
        if let Some(age) = settings {
            issuer = issuer.signed_answer_age(age);
        }
        let server = server(issuer, &clock);
        let app = app(&server);
        clock.advance(age * SECOND);
        assert_eq!(app.verdict("one").await, "200", "{settings:?}");
        clock.advance(SECOND);
        assert_eq!(app.verdict("two").await, FAILED, "{settings:?}");
    }
    for bad in [Duration::ZERO, Duration::from_secs(3601)] {
        let issuer = Issuer::introspected("https://as.example/introspect")
            .client_authentication(ours())
            .signed_answer_age(bad);
        let built = ResourceServer::builder(API).issuer(issuer).build();
        assert_eq!(built.expect_err("a mistake").setting(), "signed_answer_age");
    }
}

#[tokio::test]
async fn signed_answer_is_remembered_no_longer_than_it_is_good() {
    let clock = ManualClock::new();
    let mock = mock(AS, &clock);
    let body = answer_with(&mock, &json!({"exp": clock.now().as_secs() + 20}));
    let endpoint = Endpoint::doing(move |_| raw(200, SIGNED, body.clone())).await;
    let settings = issuer(&endpoint).signed_answers().key_set(mock.key_set());
    let server = server(settings, &clock);
    let app = app(&server);
    for (seconds, calls) in [(0, 1), (19, 1), (1, 2)] {
        clock.advance(seconds * SECOND);
        assert_eq!(app.verdict(TOKEN).await, "200");
        assert_eq!(endpoint.calls(), calls);
    }
}

/// An endpoint whose answers this served issuer signs.
async fn signing(mock: &ServedIssuer) -> Endpoint {
    let said = with("iss", mock.issuer().into());
    let mock = MockIssuer::clone(mock);
    Endpoint::doing(move |_| raw(200, SIGNED, signed(&mock, "orders-api", &said))).await
}

async fn connected(
    endpoint: &Endpoint,
    mock: &ServedIssuer,
    clock: &ManualClock,
) -> ResourceServer {
    let settings = Issuer::introspected(endpoint.url())
        .identified_as(mock.issuer())
        .client_authentication(ours())
        .introspection_timeout(30 * SECOND)
        .introspection_cache_life(Duration::from_secs(300))
        .signed_answers()
        .key_set_url(mock.key_set_url());
    let server = server(settings, clock);
    server.connect().await.expect("it is there")
}

async fn served(clock: &ManualClock) -> ServedIssuer {
    let mock = MockIssuer::new()
        .with_algorithms([Algorithm::ES256])
        .with_clock(clock.clone());
    mock.serve().await
}

#[tokio::test]
async fn dropped_keys_end_the_answers_that_they_verified() {
    let clock = ManualClock::new();
    let mock = served(&clock).await;
    let endpoint = signing(&mock).await;
    let server = connected(&endpoint, &mock, &clock).await;
    let app = app(&server);
    for _ in 0..2 {
        assert_eq!(app.verdict(TOKEN).await, "200");
    }
    assert_eq!(endpoint.calls(), 1);
    mock.break_key_set_with(Fault::Status(503));
    server
        .issuer_keys(&mock.issuer())
        .expect("its keys")
        .drop_keys();
    endpoint.turn(|_| answer(503, &json!({})));
    for token in [TOKEN, "another"] {
        assert_eq!(app.verdict(token).await, FAILED, "{token}");
    }
    // Its twin: with keys and the endpoint back the same token is good again.
    mock.recover();
    let said = with("iss", mock.issuer().into());
    endpoint.turn({
        let mock = MockIssuer::clone(&mock);
        move |_| raw(200, SIGNED, signed(&mock, "orders-api", &said))
    });
    clock.advance(61 * SECOND);
    let keys = server.issuer_keys(&mock.issuer()).expect("its keys");
    keys.refresh_now().await.expect("keys");
    assert_eq!(app.verdict(TOKEN).await, "200");
}

#[tokio::test]
async fn dropped_keys_end_refusals_that_stand_on_them_too() {
    let clock = ManualClock::new();
    let mock = served(&clock).await;
    let endpoint = Endpoint::doing({
        let mock = MockIssuer::clone(&mock);
        move |_| {
            raw(
                200,
                SIGNED,
                signed(&mock, "orders-api", &json!({"active": false})),
            )
        }
    })
    .await;
    let server = connected(&endpoint, &mock, &clock).await;
    let app = app(&server);
    for _ in 0..2 {
        assert_eq!(app.verdict(TOKEN).await, "401 invalid_token inactive");
    }
    assert_eq!(endpoint.calls(), 1);
    mock.break_key_set_with(Fault::Status(503));
    server
        .issuer_keys(&mock.issuer())
        .expect("its keys")
        .drop_keys();
    assert_eq!(app.verdict(TOKEN).await, FAILED, "signed by another issuer");
}

#[tokio::test]
async fn key_that_leaves_the_set_ends_its_answers_and_one_that_stays_keeps_them() {
    for retires in [false, true] {
        let clock = ManualClock::new();
        let mock = served(&clock).await;
        let endpoint = signing(&mock).await;
        let server = connected(&endpoint, &mock, &clock).await;
        let app = app(&server);
        assert_eq!(app.verdict(TOKEN).await, "200");
        mock.rotate();
        if retires {
            mock.retire_old_keys();
        }
        let keys = server.issuer_keys(&mock.issuer()).expect("its keys");
        keys.refresh_now().await.expect("keys");
        assert_eq!(app.verdict(TOKEN).await, "200");
        let calls = if retires { 2 } else { 1 };
        assert_eq!(
            endpoint.calls(),
            calls,
            "{retires}: asked anew, by the new key"
        );
    }
}

#[tokio::test]
async fn static_keys_stay_until_they_are_dropped_and_so_do_their_answers() {
    let clock = ManualClock::new();
    let mock = mock(AS, &clock);
    let body = answer_with(&mock, &json!({}));
    let endpoint = Endpoint::doing(move |_| raw(200, SIGNED, body.clone())).await;
    let settings = issuer(&endpoint).signed_answers().key_set(mock.key_set());
    let server = server(settings, &clock);
    let app = app(&server);
    for _ in 0..3 {
        clock.advance(19 * SECOND);
        assert_eq!(app.verdict(TOKEN).await, "200");
    }
    assert_eq!(endpoint.calls(), 1);
    server
        .issuer_keys(AS)
        .expect("it is configured")
        .drop_keys();
    let failed = "503 unavailable introspection_failed";
    assert_eq!(app.verdict(TOKEN).await, failed, "no key verifies it");
}

#[derive(serde::Deserialize)]
struct Contact {
    email: String,
}

/// A server with static keys for tokens, or with those that the issuer serves, and its userinfo.
async fn telling(
    mock: &ServedIssuer,
    fetched: bool,
    clock: &ManualClock,
) -> (ResourceServer, TestApp) {
    let keys = if fetched {
        mock.trusted()
    } else {
        Issuer::oidc(mock.issuer()).key_set(mock.key_set())
    };
    let server = ResourceServer::builder(API)
        .issuer(keys.userinfo(mock.url_of(Page::UserInfo)))
        .clock(clock.clone())
        .build()
        .expect("sound")
        .connect()
        .await
        .expect("it is there");
    let app = TestApp::behind(server.authenticate()).route(
        "/",
        get(|UserInfo(contact): UserInfo<Contact>| async move { contact.email.clone() }),
    );
    (server, app)
}

#[tokio::test]
async fn dropped_keys_end_signed_userinfo() {
    for (is_signed, calls) in [(true, 2), (false, 1)] {
        let clock = ManualClock::new();
        let mock = served(&clock).await;
        mock.set_user_info("alice", json!({"email": "alice@example.com"}));
        if is_signed {
            mock.sign_user_info();
        }
        let (server, app) = telling(&mock, true, &clock).await;
        let token = mock.token().subject("alice").audience(API).sign();
        for _ in 0..2 {
            assert_eq!(app.verdict(&token).await, "200");
        }
        assert_eq!(mock.requests(Page::UserInfo), 1);
        let keys = server
            .issuer_keys(&mock.issuer())
            .expect("it is configured");
        keys.drop_keys();
        keys.refresh_now().await.expect("keys");
        assert_eq!(app.verdict(&token).await, "200");
        let found = mock.requests(Page::UserInfo);
        assert_eq!(found, calls, "{is_signed}");
    }
}

#[tokio::test]
async fn signed_userinfo_of_another_time_is_no_answer() {
    let clock = ManualClock::new();
    let mock = served(&clock).await;
    let (_, app) = telling(&mock, true, &clock).await;
    let hour = Duration::from_secs(3600);
    let failed = "503 unavailable user_info_failed";
    let told = || {
        mock.token()
            .subject("alice")
            .audience(MockIssuer::CLIENT_ID)
            .claim("email", "a@example.com")
    };
    let cases: [(&str, TokenBuilder, &str); 9] = [
        ("as it should be", told(), "200"),
        ("without dates", told().without("iat").without("exp"), "200"),
        (
            "null dates",
            told().claim("iat", Value::Null).claim("nbf", Value::Null),
            "200",
        ),
        ("over", told().expired(), failed),
        ("exp null", told().claim("exp", Value::Null), failed),
        ("to come", told().not_before_in(hour), failed),
        ("old", told().issued_ago(hour).expires_in(2 * hour), failed),
        (
            "old and for ever",
            told().claim("iat", 0).without("exp"),
            failed,
        ),
        (
            "of the future",
            told().claim("iat", 4_102_444_800_i64),
            failed,
        ),
    ];
    for (number, (what, jwt, expected)) in cases.into_iter().enumerate() {
        let body = jwt.sign().into_bytes();
        let typed = Fault::BodyOfType("application/jwt".into(), body);
        mock.break_endpoint_with(Page::UserInfo, typed);
        let token = mock.token().subject("alice").claim("number", number);
        assert_eq!(app.verdict(&token.sign()).await, expected, "{what}");
    }
}
