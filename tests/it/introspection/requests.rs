//! Opaque tokens: asked about at a real endpoint, judged like any other token, remembered for a
//! while.

use std::time::Duration;

use portcullis::error::Objection;
use portcullis::test_util::{ManualClock, MockIssuer};
use portcullis::time::Clock as _;
use portcullis::{ResourceServer, TenantClaims};
use serde_json::{Value, json};

use crate::support::endpoint::{Endpoint, json as answer, raw};
use crate::support::introspection::{AS, TOKEN, app, builder, good, issuer, server, with};
use crate::support::{API, Requests as _};

/// The verdict on one token of which the endpoint says this.
async fn verdict_on(said: Value) -> String {
    let endpoint = Endpoint::saying(said).await;
    let server = server(issuer(&endpoint), &ManualClock::new());
    app(&server).verdict(TOKEN).await
}

#[tokio::test]
async fn an_active_token_reaches_the_handler_and_is_remembered() {
    let endpoint = Endpoint::saying(good()).await;
    let server = server(issuer(&endpoint), &ManualClock::new());
    let app = app(&server);
    for _ in 0..3 {
        let reply = app.get("/", TOKEN).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.body, format!("subject user-1 of {AS}"));
    }
    assert_eq!(endpoint.calls(), 1);
    let question = endpoint.last();
    assert_eq!(question.method, "POST");
    assert_eq!(question.target, "/introspect");
    assert_eq!(question.body, format!("token={TOKEN}"));
    assert_eq!(question.header("accept"), "application/json");
    // `orders-api:s3cr3t`
    assert_eq!(
        question.header("authorization"),
        "Basic b3JkZXJzLWFwaTpzM2NyM3Q="
    );
    let status = server.introspection_status().expect("it is asked");
    assert_eq!((status.calls(), status.failures()), (1, 0));
    assert_eq!(
        (status.hits(), status.misses(), status.remembered()),
        (2, 1, 1)
    );
    assert!(server.ready(), "nothing has to be loaded");
}

#[tokio::test]
async fn only_the_boolean_true_is_good_and_what_is_no_answer_is_an_outage() {
    assert_eq!(verdict_on(good()).await, "200");
    assert_eq!(
        verdict_on(with("active", false.into())).await,
        "401 invalid_token inactive"
    );
    for other in [
        with("active", Value::Null),
        with("active", "true".into()),
        with("active", 1.into()),
        with("active", json!([true])),
        json!({ "data": good() }),
        json!(true),
        json!([]),
    ] {
        let found = verdict_on(other.clone()).await;
        assert_eq!(found, "503 unavailable introspection_failed", "{other}");
    }
}

#[tokio::test]
async fn an_answer_is_checked_like_a_jwt() {
    for (member, value, expected) in [
        ("iss", Value::Null, "200"),
        ("sub", Value::Null, "200"),
        ("token_type", Value::Null, "200"),
        ("token_type", "bearer".into(), "200"),
        ("exp", Value::Null, "200"),
        ("exp", 4_102_444_800.5.into(), "200"),
        ("aud", json!(["https://other.example", API]), "200"),
        (
            "iss",
            "https://evil.example".into(),
            "401 invalid_token unknown_issuer",
        ),
        ("iss", 7.into(), "401 invalid_token claims"),
        ("aud", Value::Null, "401 invalid_token audience"),
        (
            "aud",
            "https://other.example".into(),
            "401 invalid_token audience",
        ),
        (
            "aud",
            format!("{API}/x").into(),
            "401 invalid_token audience",
        ),
        ("aud", json!([]), "401 invalid_token audience"),
        ("exp", 1.into(), "401 invalid_token expired"),
        ("exp", "later".into(), "401 invalid_token claims"),
        (
            "nbf",
            4_000_000_000_i64.into(),
            "401 invalid_token not_yet_valid",
        ),
        ("nbf", "now".into(), "401 invalid_token claims"),
        ("sub", 7.into(), "401 invalid_token claims"),
        ("scope", 7.into(), "401 invalid_token claims"),
        (
            "token_type",
            "refresh_token".into(),
            "401 invalid_token token_use",
        ),
        ("token_type", "N_A".into(), "401 invalid_token token_use"),
        ("token_type", 7.into(), "401 invalid_token token_use"),
        ("token_type", "DPoP".into(), "401 invalid_token binding"),
        ("cnf", json!({"jkt": "x"}), "401 invalid_token binding"),
        ("cnf", json!({}), "401 invalid_token binding"),
        ("typ", "ID".into(), "401 invalid_token token_use"),
        ("typ", "Refresh".into(), "401 invalid_token token_use"),
        ("token_use", "refresh".into(), "401 invalid_token token_use"),
        ("at_hash", "x".into(), "401 invalid_token token_use"),
    ] {
        let found = verdict_on(with(member, value.clone())).await;
        assert_eq!(found, expected, "{member}: {value}");
    }
}

#[tokio::test]
async fn scopes_tenants_and_own_checks_hold_for_opaque_tokens() {
    let endpoint = Endpoint::saying(with("workspace", "acme".into())).await;
    let clock = ManualClock::new();
    let rules = TenantClaims::by_workspace("workspace").without_accounts();
    let settings = builder(issuer(&endpoint).tenant_claims(rules), &clock);
    let server = settings
        .check(|token| match token.client_id() {
            Some(client) if client.as_str() == "barred" => Err(Objection::Token),
            _ => Ok(()),
        })
        .build()
        .expect("sound");
    let app = app(&server);
    for (path, expected) in [
        ("/orders", "200"),
        ("/workspaces/acme", "200"),
        ("/workspaces/other", "403 wrong_tenant"),
    ] {
        assert_eq!(app.get(path, TOKEN).await.verdict(), expected, "{path}");
    }
    let kind = app.get("/", TOKEN).await.body;
    assert!(kind.starts_with("user user-1"), "{kind}");
    endpoint.turn(|_| answer(200, &with("scope", "other".into())));
    assert_eq!(
        app.get("/orders", "another").await.verdict(),
        "403 insufficient_scope"
    );
    endpoint.turn(|_| answer(200, &with("client_id", "barred".into())));
    for _ in 0..2 {
        assert_eq!(
            app.verdict("third").await,
            "401 invalid_token objection",
            "on every request"
        );
    }
    assert_eq!(endpoint.calls(), 3);
}

#[tokio::test]
async fn a_machine_is_known_by_its_own_id_where_no_user_is_named() {
    for (username, expected) in [(Value::Null, "client web"), ("bob".into(), "subject web")] {
        let mut said = with("sub", "web".into());
        said["username"] = username;
        let endpoint = Endpoint::saying(said).await;
        let server = server(issuer(&endpoint), &ManualClock::new());
        let body = app(&server).get("/", TOKEN).await.body;
        assert!(body.starts_with(expected), "{body}");
    }
}

#[tokio::test]
async fn an_answer_is_remembered_for_its_life_and_never_past_the_tokens_end() {
    let clock = ManualClock::new();
    let endpoint = Endpoint::saying(good()).await;
    let settings = issuer(&endpoint).introspection_cache_life(Duration::from_secs(30));
    let server = server(settings, &clock);
    let app = app(&server);
    assert_eq!(app.verdict(TOKEN).await, "200");
    endpoint.turn(|_| answer(200, &json!({"active": false})));
    clock.advance(Duration::from_secs(29));
    assert_eq!(
        app.verdict(TOKEN).await,
        "200",
        "a look does not prolong it"
    );
    clock.advance(Duration::from_secs(1));
    assert_eq!(app.verdict(TOKEN).await, "401 invalid_token inactive");
    assert_eq!(endpoint.calls(), 2);

    // Refusals are remembered for ten seconds.
    endpoint.turn(|_| answer(200, &good()));
    clock.advance(Duration::from_secs(9));
    assert_eq!(app.verdict(TOKEN).await, "401 invalid_token inactive");
    clock.advance(Duration::from_secs(1));
    assert_eq!(app.verdict(TOKEN).await, "200");
    assert_eq!(endpoint.calls(), 3);

    // Five seconds to live, and thirty of leeway: asked again, and good until the issuer says no.
    let end = clock.now().as_secs() + 5;
    endpoint.turn(move |_| answer(200, &with("exp", end.into())));
    assert_eq!(app.verdict("short").await, "200");
    clock.advance(Duration::from_secs(4));
    assert_eq!(app.verdict("short").await, "200");
    assert_eq!(endpoint.calls(), 4);
    clock.advance(Duration::from_secs(1));
    assert_eq!(app.verdict("short").await, "200", "within the leeway");
    assert_eq!(endpoint.calls(), 5);
    clock.advance(Duration::from_secs(30));
    assert_eq!(app.verdict("short").await, "401 invalid_token expired");
}

#[tokio::test]
async fn an_answer_without_an_end_is_remembered_briefly() {
    let clock = ManualClock::new();
    let endpoint = Endpoint::saying(with("exp", Value::Null)).await;
    let server = server(issuer(&endpoint), &clock);
    let app = app(&server);
    assert_eq!(app.verdict(TOKEN).await, "200");
    clock.advance(Duration::from_secs(9));
    assert_eq!(app.verdict(TOKEN).await, "200");
    assert_eq!(endpoint.calls(), 1);
    clock.advance(Duration::from_secs(1));
    assert_eq!(app.verdict(TOKEN).await, "200");
    assert_eq!(endpoint.calls(), 2);
}

#[tokio::test]
async fn nothing_is_remembered_where_that_is_switched_off() {
    let endpoint = Endpoint::saying(good()).await;
    let server = server(
        issuer(&endpoint).without_introspection_cache(),
        &ManualClock::new(),
    );
    let app = app(&server);
    for calls in 1..=3 {
        assert_eq!(app.verdict(TOKEN).await, "200");
        assert_eq!(endpoint.calls(), calls);
    }
}

#[tokio::test]
async fn an_outage_is_never_a_verdict_and_what_is_remembered_stays_good() {
    let clock = ManualClock::new();
    let endpoint = Endpoint::saying(good()).await;
    let server = server(issuer(&endpoint), &clock);
    let app = app(&server);
    assert_eq!(app.verdict(TOKEN).await, "200");
    for (number, (status, fault)) in [
        (500, "introspection_failed"),
        (404, "introspection_failed"),
        (400, "introspection_failed"),
        (307, "introspection_failed"),
        (204, "introspection_failed"),
        (401, "introspection_refused_us"),
        (403, "introspection_refused_us"),
        (429, "introspection_busy"),
    ]
    .into_iter()
    .enumerate()
    {
        endpoint.turn(move |_| answer(status, &good()));
        let reply = app.get("/", &format!("other-{number}")).await;
        assert_eq!(reply.verdict(), format!("503 unavailable {fault}"));
        assert_eq!(reply.header("retry-after"), Some("1"));
        assert_eq!(reply.header("www-authenticate"), None);
        assert_eq!(app.verdict(TOKEN).await, "200", "it is remembered");
        let status = server.introspection_status().expect("it is asked");
        assert!(status.is_failing() && status.last_error().is_some());
        // The next one is asked all the same, and this one after a second.
        endpoint.turn(|_| answer(200, &good()));
        assert_eq!(app.verdict(&format!("next-{number}")).await, "200");
        clock.advance(Duration::from_secs(1));
        assert_eq!(app.verdict(&format!("other-{number}")).await, "200");
        let status = server.introspection_status().expect("it is asked");
        assert!(!status.is_failing() && status.last_error().is_none());
    }
}

#[tokio::test]
async fn html_and_broken_bodies_are_no_answer() {
    for (media_type, body) in [
        ("text/html", "<html>".to_owned()),
        ("application/json", String::new()),
        ("application/json", format!("{}x", good())),
        (
            "application/json",
            "{\"active\":true,\"active\":true}".to_owned(),
        ),
        (
            "application/json",
            format!("{}{}", " ".repeat(300_000), good()),
        ),
        (
            "application/json",
            format!(
                "{{\"active\":true,\"a\":{}{}}}",
                "[".repeat(70),
                "]".repeat(70)
            ),
        ),
    ] {
        let endpoint = Endpoint::doing(move |_| raw(200, media_type, body.clone())).await;
        let server = server(issuer(&endpoint), &ManualClock::new());
        let app = app(&server);
        assert_eq!(
            app.verdict(TOKEN).await,
            "503 unavailable introspection_failed"
        );
        endpoint.turn(|_| answer(200, &good()));
        assert_eq!(app.verdict(TOKEN).await, "200");
    }
}

#[tokio::test]
async fn jwts_of_another_issuer_are_verified_here_and_never_asked_about() {
    let mock = MockIssuer::new();
    let endpoint = Endpoint::saying(good()).await;
    let server = ResourceServer::builder(API)
        .issuer(mock.trusted())
        .issuer(issuer(&endpoint))
        .build()
        .expect("sound");
    let app = app(&server);
    let token = mock.token();
    assert_eq!(app.verdict(&token.sign()).await, "200");
    for bad in [
        token.tampered_signature(),
        token.unsigned(),
        token.clone().expired().sign(),
        token.clone().issuer("https://unknown.example").sign(),
        token.clone().issuer(AS).sign(),
        "abc.def.ghi".to_owned(),
        "a.b.c.d.e".to_owned(),
    ] {
        let reply = app.get("/", &bad).await;
        assert_eq!(reply.status, 401, "{bad}");
    }
    assert_eq!(endpoint.calls(), 0);
    for opaque in [TOKEN, "a.b", "a.b.c.d", "a.b.c.d.e.f", "a~b.c", "a/b+c=="] {
        assert_eq!(app.verdict(opaque).await, "200", "{opaque}");
        assert_eq!(endpoint.last().field("token").as_deref(), Some(opaque));
    }
    assert_eq!(endpoint.calls(), 6);
}
