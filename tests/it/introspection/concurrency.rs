//! Many requests with opaque tokens, and an issuer that is slow, down or strict: bounded work, and
//! one token's answer never given for another.

use std::time::Duration;

use http::Response;
use portcullis::Issuer;
use portcullis::test_util::ManualClock;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::Requests as _;
use crate::support::endpoint::{Endpoint, json as answer};
use crate::support::introspection::{AS, TOKEN, app, builder, good, issuer, ours, server, with};
use crate::support::logs::Logs;

const SECOND: Duration = Duration::from_secs(1);

/// Ends when this holds.
async fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_thousand_requests_with_one_unseen_token_ask_once() {
    let endpoint = Endpoint::saying(good()).await;
    let server = server(issuer(&endpoint), &ManualClock::new());
    let app = app(&server);
    endpoint.close();
    let mut requests = JoinSet::new();
    for _ in 0..1000 {
        let app = app.clone();
        requests.spawn(async move { app.verdict(TOKEN).await });
    }
    endpoint.asked(1).await;
    // All others find it remembered, or under way.
    endpoint.open();
    let verdicts = requests.join_all().await;
    assert!(verdicts.iter().all(|verdict| verdict == "200"));
    assert_eq!(endpoint.calls(), 1);
    assert_eq!(server.introspection_status().expect("asked").in_flight(), 0);
}

#[tokio::test]
async fn each_token_gets_its_own_answer() {
    let endpoint = Endpoint::doing(|question| {
        let token = question.field("token").expect("a token");
        answer(200, &with("sub", token.into()))
    })
    .await;
    let server = server(issuer(&endpoint), &ManualClock::new());
    let app = app(&server);
    endpoint.close();
    let mut requests = JoinSet::new();
    let prefix = "p".repeat(200);
    for number in 0..40 {
        let (app, token) = (app.clone(), format!("{prefix}{number}"));
        requests.spawn(async move {
            let reply = app.get("/", &token).await;
            (reply.body.contains(&format!(" {token} ")), reply.status)
        });
    }
    endpoint.asked(40).await;
    endpoint.open();
    for (is_own, status) in requests.join_all().await {
        assert!(is_own && status == 200);
    }
    // The same letters in another case are another token.
    endpoint.turn(|_| answer(200, &json!({"active": false})));
    let other = format!("{}0", "P".repeat(200));
    assert_eq!(app.verdict(&other).await, "401 invalid_token inactive");
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_nothing_for_others() {
    let endpoint = Endpoint::saying(good()).await;
    let server = server(issuer(&endpoint), &ManualClock::new());
    let app = app(&server);
    endpoint.close();
    let leader = tokio::spawn({
        let app = app.clone();
        async move { app.verdict(TOKEN).await }
    });
    endpoint.asked(1).await;
    let follower = tokio::spawn({
        let app = app.clone();
        async move { app.verdict(TOKEN).await }
    });
    leader.abort();
    assert!(leader.await.expect_err("aborted").is_cancelled());
    endpoint.open();
    assert_eq!(follower.await.expect("it ends"), "200");
    assert_eq!(endpoint.calls(), 1);
}

#[tokio::test]
async fn only_so_many_questions_are_under_way_and_the_others_wait_their_turn() {
    let endpoint = Endpoint::saying(good()).await;
    let settings = issuer(&endpoint).concurrent_introspections(2);
    let server = server(settings, &ManualClock::new());
    let app = app(&server);
    endpoint.close();
    let mut requests = JoinSet::new();
    for number in 0..10 {
        let app = app.clone();
        requests.spawn(async move { app.verdict(&format!("{TOKEN}{number}")).await });
    }
    until(|| server.introspection_status().expect("asked").in_flight() == 10).await;
    endpoint.asked(2).await;
    assert_eq!(endpoint.calls(), 2);
    endpoint.open();
    let verdicts = requests.join_all().await;
    assert!(verdicts.iter().all(|verdict| verdict == "200"));
    assert_eq!(endpoint.calls(), 10);
}

#[tokio::test]
async fn a_storm_of_tokens_is_refused_where_it_is_too_much() {
    let endpoint = Endpoint::saying(good()).await;
    let server = server(issuer(&endpoint), &ManualClock::new());
    let app = app(&server);
    endpoint.close();
    let mut requests = JoinSet::new();
    for number in 0..300 {
        let app = app.clone();
        requests.spawn(async move { app.verdict(&format!("{TOKEN}{number}")).await });
    }
    let mut turned_away = 0;
    while let Some(done) = requests.join_next().await {
        match done.expect("it ends").as_str() {
            "503 unavailable too_many_waiting" => turned_away += 1,
            other => assert_eq!(other, "200"),
        }
        if turned_away == 300 - 256 {
            endpoint.open();
        }
    }
    assert_eq!(turned_away, 300 - 256);
}

#[tokio::test]
async fn introspection_waits_no_longer_than_its_timeout_and_the_answer_serves_the_next() {
    let clock = ManualClock::new();
    let endpoint = Endpoint::saying(good()).await;
    let settings = Issuer::introspected(endpoint.url())
        .identified_as(AS)
        .client_authentication(ours())
        .introspection_timeout(2 * SECOND);
    let server = server(settings, &clock);
    let app = app(&server);
    endpoint.close();
    let waiting = tokio::spawn({
        let app = app.clone();
        async move { app.get("/", TOKEN).await }
    });
    endpoint.asked(1).await;
    until(|| clock.sleepers() > 0).await;
    clock.advance(2 * SECOND);
    let reply = waiting.await.expect("it ends");
    assert_eq!(reply.verdict(), "503 unavailable introspection_timed_out");
    assert_eq!(reply.header("retry-after"), Some("1"));
    endpoint.open();
    until(|| server.introspection_status().expect("asked").in_flight() == 0).await;
    assert_eq!(app.verdict(TOKEN).await, "200");
    assert_eq!(endpoint.calls(), 1, "it was answered meanwhile");
}

#[tokio::test]
async fn an_endpoint_that_asks_for_a_rest_gets_it() {
    let clock = ManualClock::new();
    let endpoint = Endpoint::doing(|_| {
        Response::builder()
            .status(429)
            .header("retry-after", "7")
            .body("".into())
            .expect("an answer")
    })
    .await;
    let server = server(issuer(&endpoint), &clock);
    let app = app(&server);
    let reply = app.get("/", TOKEN).await;
    assert_eq!(reply.verdict(), "503 unavailable introspection_busy");
    assert_eq!(reply.header("retry-after"), Some("7"));
    endpoint.turn(|_| answer(200, &good()));
    clock.advance(3 * SECOND);
    let reply = app.get("/", TOKEN).await;
    assert_eq!(reply.verdict(), "503 unavailable introspection_busy");
    assert_eq!(reply.header("retry-after"), Some("4"), "what is left of it");
    assert_eq!(endpoint.calls(), 1);
    clock.advance(4 * SECOND);
    assert_eq!(app.verdict(TOKEN).await, "200");

    // An hour is longer than the bound.
    endpoint.turn(|_| {
        Response::builder()
            .status(503)
            .header("retry-after", "3600")
            .body("".into())
            .expect("an answer")
    });
    let reply = app.get("/", "other").await;
    assert_eq!(reply.header("retry-after"), Some("60"));
}

#[tokio::test]
async fn an_endpoint_that_keeps_failing_is_asked_once_a_second() {
    let clock = ManualClock::new();
    let endpoint = Endpoint::doing(|_| answer(500, &json!({}))).await;
    let server = server(issuer(&endpoint), &clock);
    let app = app(&server);
    let fail = async |name: usize| {
        let failed = app.verdict(&format!("{TOKEN}{name}")).await;
        assert_eq!(failed, "503 unavailable introspection_failed");
    };
    for name in 0..200 {
        fail(name).await;
    }
    // 64 tokens, and our own question once.
    assert_eq!(endpoint.calls(), 65);
    for second in 1..=4 {
        clock.advance(SECOND);
        for name in 0..20 {
            fail(1000 * second + name).await;
        }
        assert_eq!(endpoint.calls(), 65 + second, "one probe");
    }
    endpoint.turn(|_| answer(200, &good()));
    clock.advance(SECOND);
    assert_eq!(app.verdict(TOKEN).await, "200");
    assert_eq!(app.verdict("another").await, "200");
    let status = server.introspection_status().expect("asked");
    assert_eq!((status.calls(), status.failures()), (71, 69));
    assert_eq!(status.failing_for(), None);
}

#[tokio::test]
async fn what_is_no_token_is_never_asked_about() {
    let endpoint = Endpoint::saying(good()).await;
    let server = builder(issuer(&endpoint), &ManualClock::new())
        .max_token_bytes(1024)
        .build()
        .expect("sound");
    let app = app(&server);
    for bad in [
        "a;b",
        "a&token=b",
        "a%26b",
        "a b",
        "a,b",
        "a?b",
        "a\u{e9}b",
        "=",
        "a=b",
    ] {
        let found = app.verdict(bad).await;
        assert_eq!(found, "400 invalid_request not_a_token", "{bad}");
    }
    let long = "a".repeat(1025);
    assert_eq!(app.verdict(&long).await, "401 invalid_token too_large");
    assert_eq!(endpoint.calls(), 0);
    assert_eq!(app.verdict(&long[1..]).await, "200");
}

#[tokio::test]
async fn operators_hear_when_trouble_starts_changes_and_ends_and_never_a_secret() {
    let logs = Logs::default();
    let listening = logs.listen();
    let endpoint = Endpoint::doing(|_| answer(500, &json!({"secret": "of-the-body"}))).await;
    let clock = ManualClock::new();
    let server = server(issuer(&endpoint), &clock);
    let app = app(&server);
    for _ in 0..3 {
        app.verdict(TOKEN).await;
    }
    endpoint.turn(|_| answer(401, &json!({})));
    clock.advance(60 * SECOND);
    app.verdict(TOKEN).await;
    endpoint.turn(|_| answer(200, &good()));
    app.verdict(TOKEN).await;
    drop(listening);
    let text = logs.text();
    let times = |what: &str| text.matches(what).count();
    assert_eq!(times("tokens cannot be introspected"), 2, "{text}");
    assert_eq!(
        times("introspection_failed"),
        6,
        "one event, three refusals and two summaries: {text}"
    );
    assert_eq!(times("tokens are introspected again"), 1, "{text}");
    for secret in [TOKEN, "s3cr3t", "b3JkZXJz", "of-the-body"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert!(!format!("{server:?} {:?}", server.introspection_status()).contains("s3cr3t"));
}
