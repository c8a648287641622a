//! Odd tokens at an endpoint that is asked about tokens or users: nothing that one caller sends
//! closes it for others, and an endpoint that is down is still left alone.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Response;
use portcullis::extract::UserInfo;
use portcullis::test_util::{ManualClock, MockIssuer};
use portcullis::{Algorithm, Issuer, ResourceServer};
use serde_json::json;

use crate::support::endpoint::{Endpoint, Question, json as answer};
use crate::support::introspection::{TOKEN, app, good, issuer, ours, server};
use crate::support::logs::Logs;
use crate::support::{API, Requests as _, TestApp};

const SECOND: Duration = Duration::from_secs(1);

/// A status, and what it asks for in `Retry-After`.
type Refusal = (u16, Option<&'static str>);

const REFUSALS: [Refusal; 6] = [
    (400, None),
    (403, None),
    (413, None),
    (429, Some("60")),
    (500, None),
    (503, Some("3600")),
];

/// Odd tokens and good ones a second.
const RATES: [(u32, u32); 4] = [(5, 5), (20, 5), (50, 20), (100, 20)];

fn refusal((status, rest): Refusal) -> Response<Body> {
    let mut response = Response::builder().status(status);
    if let Some(rest) = rest {
        response = response.header("retry-after", rest);
    }
    response.body(Body::empty()).expect("an answer")
}

/// The same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 % u64::from(bound)).expect("small")
    }
}

/// Sends odd tokens and good ones at random, each of them new, at this rate, about 50 good ones in
/// all. How many good ones there were, and how many of them were not admitted.
async fn flood(app: &TestApp, clock: &ManualClock, bad: u32, good: u32) -> (u32, u32) {
    let (mut random, mut sent, mut lost) = (Random(0x9e37_79b9_7f4a_7c15), 0, 0);
    for number in 0..(bad + good) * (50 / good) {
        clock.advance(SECOND / (bad + good));
        if random.below(bad + good) < good {
            sent += 1;
            lost += u32::from(app.verdict(&format!("good-{number}")).await != "200");
        } else {
            let found = app.verdict(&format!("bad-{number}")).await;
            assert!(found.starts_with("503 unavailable"), "{found}");
        }
    }
    (sent, lost)
}

/// Says that good tokens are good, and this of all others.
fn refusing(refused: Refusal) -> impl Fn(&Question) -> Response<Body> {
    move |question| {
        let token = question.field("token").expect("a token");
        if token.starts_with("good") {
            answer(200, &good())
        } else {
            refusal(refused)
        }
    }
}

/// The rate table. It refuses our own request as well, so it is no help here.
#[tokio::test]
async fn flood_of_odd_tokens_keeps_no_good_token_out() {
    for refused in REFUSALS {
        for (bad, good) in RATES {
            // The breaker's own test has every rate for longer; a status changes nothing there.
            if (bad, good) != (20, 5) && ![400, 503].contains(&refused.0) {
                continue;
            }
            let clock = ManualClock::new();
            let endpoint = Endpoint::doing(refusing(refused)).await;
            let server = server(issuer(&endpoint), &clock);
            let (sent, lost) = flood(&app(&server), &clock, bad, good).await;
            assert!(
                lost * 100 <= sent,
                "{refused:?}, {bad}/{good}: {lost} of {sent}"
            );
        }
    }
}

#[tokio::test]
async fn flood_that_meets_no_good_token_for_long_does_not_close_an_endpoint_that_answers_us() {
    let clock = ManualClock::new();
    let endpoint = Endpoint::doing(|question| {
        let token = question.field("token").expect("a token");
        match &token {
            bad if bad.starts_with("bad") => refusal((500, None)),
            good_one if good_one.starts_with("good") => answer(200, &good()),
            // RFC 7662 s2.2: of a text that is no token it says so.
            _ => answer(200, &json!({"active": false})),
        }
    })
    .await;
    let server = server(issuer(&endpoint), &clock);
    let app = app(&server);
    for minute in 0..3 {
        for number in 0..200 {
            clock.advance(SECOND / 10);
            app.verdict(&format!("bad-{minute}-{number}")).await;
        }
        assert_eq!(app.verdict(&format!("good-{minute}")).await, "200");
    }
    let own = endpoint.calls() - 603;
    assert!((40..=61).contains(&own), "at most once a second: {own}");
}

#[tokio::test]
async fn odd_token_is_not_asked_about_again_for_a_second_and_others_are() {
    for (refused, rest) in [
        ((400, None), 1),
        ((413, None), 1),
        ((429, Some("7")), 7),
        ((503, Some("7")), 7),
        ((503, Some("3600")), 60),
    ] {
        let clock = ManualClock::new();
        let endpoint = Endpoint::doing(refusing(refused)).await;
        let server = server(issuer(&endpoint), &clock);
        let app = app(&server);
        for _ in 0..20 {
            let reply = app.get("/", TOKEN).await;
            assert_eq!(reply.status, 503);
            assert_eq!(reply.header("retry-after"), Some(&*rest.to_string()));
        }
        assert_eq!(endpoint.calls(), 1, "{refused:?}");
        assert_eq!(app.verdict("good-1").await, "200", "{refused:?}");
        clock.advance(rest * SECOND);
        endpoint.turn(|_| answer(200, &good()));
        assert_eq!(app.verdict(TOKEN).await, "200", "{refused:?}");
        assert_eq!(endpoint.calls(), 3);
    }
}

#[tokio::test]
async fn failure_that_may_be_chance_is_asked_about_once_more_at_once() {
    let clock = ManualClock::new();
    let endpoint = Endpoint::doing(|_| refusal((500, None))).await;
    let server = server(issuer(&endpoint), &clock);
    let app = app(&server);
    for _ in 0..20 {
        let found = app.verdict(TOKEN).await;
        assert_eq!(found, "503 unavailable introspection_failed");
    }
    assert_eq!(endpoint.calls(), 2);
    clock.advance(SECOND);
    endpoint.turn(|_| answer(200, &good()));
    assert_eq!(app.verdict(TOKEN).await, "200");
}

#[tokio::test]
async fn endpoint_that_cannot_be_reached_is_left_alone_after_a_few_tokens_and_probed_by_one() {
    let clock = ManualClock::new();
    let gone = Endpoint::saying(good()).await;
    let url = gone.url();
    drop(gone);
    let settings = Issuer::introspected(url)
        .client_authentication(ours())
        .introspection_timeout(30 * SECOND);
    let server = server(settings, &clock);
    let app = app(&server);
    let calls = || server.introspection_status().expect("asked").calls();
    let mut before = 0;
    for name in 0.. {
        app.verdict(&format!("token-{name}")).await;
        // Our own question comes behind an answer.
        tokio::task::yield_now().await;
        if calls() == before {
            break;
        }
        before = calls();
    }
    assert!(before >= 6, "five tokens, and our own question: {before}");
    for name in 0..50 {
        let found = app.verdict(&format!("more-{name}")).await;
        assert_eq!(found, "503 unavailable introspection_failed");
    }
    assert_eq!(calls(), before, "the endpoint is not asked");
    for second in 1..=4 {
        clock.advance(SECOND);
        for name in 0..10 {
            app.verdict(&format!("at-{second}-{name}")).await;
        }
        assert_eq!(calls(), before + second, "one probe a second");
    }
}

#[tokio::test]
async fn endpoint_that_fails_for_everybody_is_probed_by_one_while_others_are_turned_away() {
    let clock = ManualClock::new();
    let endpoint = Endpoint::doing(|_| refusal((502, None))).await;
    let server = server(issuer(&endpoint), &clock);
    let app = app(&server);
    // Some seconds of ordinary use.
    for number in 0..60 {
        app.verdict(&format!("user-{number}")).await;
        clock.advance(SECOND / 10);
    }
    app.verdict("perhaps-a-probe").await;
    let before = endpoint.calls();
    for number in 0..50 {
        app.verdict(&format!("late-{number}")).await;
    }
    assert_eq!(endpoint.calls(), before, "it is left alone");
    endpoint.close();
    clock.advance(SECOND);
    let probe = tokio::spawn({
        let app = app.clone();
        async move { app.verdict("probe").await }
    });
    endpoint.asked(before + 1).await;
    for number in 0..50 {
        let found = app.verdict(&format!("beside-{number}")).await;
        assert_eq!(found, "503 unavailable introspection_failed");
    }
    endpoint.turn(|_| answer(200, &good()));
    endpoint.open();
    assert_eq!(probe.await.expect("it ends"), "200");
    for number in 0..10 {
        assert_eq!(app.verdict(&format!("back-{number}")).await, "200");
    }
}

#[tokio::test]
async fn probe_whose_client_goes_away_leaves_room_for_the_next() {
    let clock = ManualClock::new();
    let endpoint = Endpoint::doing(|_| refusal((502, None))).await;
    let server = server(issuer(&endpoint).concurrent_introspections(1), &clock);
    let app = app(&server);
    for number in 0..60 {
        app.verdict(&format!("user-{number}")).await;
        clock.advance(SECOND / 10);
    }
    clock.advance(SECOND);
    endpoint.turn(|_| answer(200, &good()));
    // It is dropped before its task runs: nothing waits for it any more.
    let probe = app.get("/", "probe");
    assert!(futures_now(probe).is_none());
    tokio::task::yield_now().await;
    while server.introspection_status().expect("asked").in_flight() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(app.verdict(TOKEN).await, "200");
}

/// Polls once, and drops what is not ready.
fn futures_now<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => Some(value),
        std::task::Poll::Pending => None,
    }
}

#[tokio::test]
async fn odd_token_that_always_comes_first_keeps_nobody_out_for_long() {
    let clock = ManualClock::new();
    let endpoint = Endpoint::doing(|_| refusal((502, None))).await;
    let server = server(issuer(&endpoint), &clock);
    let app = app(&server);
    for number in 0..60 {
        app.verdict(&format!("user-{number}")).await;
        clock.advance(SECOND / 10);
    }
    // It is well again, but for odd tokens.
    endpoint.turn(|question| match question.field("token").expect("one") {
        odd if odd.starts_with("bad") => refusal((400, None)),
        good_one if good_one.starts_with("good") => answer(200, &good()),
        _ => answer(200, &json!({"active": false})),
    });
    let mut lost = 0;
    for second in 0..20 {
        clock.advance(SECOND);
        app.verdict(&format!("bad-{second}")).await;
        lost += u32::from(app.verdict(&format!("good-{second}")).await != "200");
    }
    assert!(lost <= 1, "{lost} of 20");
}

#[derive(serde::Deserialize)]
struct Contact {
    email: String,
}

/// A server whose users' claims are told by this endpoint.
fn telling(mock: &MockIssuer, endpoint: &Endpoint, clock: &ManualClock) -> Router {
    let server = ResourceServer::builder(API)
        .issuer(mock.trusted().userinfo(endpoint.url()))
        .clock(clock.clone())
        .build()
        .expect("sound");
    Router::new()
        .route(
            "/",
            get(|UserInfo(contact): UserInfo<Contact>| async move { contact.email.clone() }),
        )
        .route_layer(server.authenticate())
}

fn mock(clock: &ManualClock) -> MockIssuer {
    MockIssuer::new()
        .with_algorithms([Algorithm::ES256])
        .with_clock(clock.clone())
}

/// The `sub` of the token in a question.
fn subject(question: &Question) -> String {
    use base64::Engine as _;
    let token = question.header("authorization").to_owned();
    let payload = token.split('.').nth(1).unwrap_or_default().to_owned();
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload);
    let claims: serde_json::Value =
        serde_json::from_slice(&payload.expect("base64url")).unwrap_or_default();
    claims["sub"].as_str().unwrap_or_default().to_owned()
}

/// Answers for every user but one.
fn but_mallory(refused: Refusal) -> impl Fn(&Question) -> Response<Body> {
    move |question| match &*subject(question) {
        odd if odd.starts_with("mallory") => refusal(refused),
        "" => refusal((401, None)),
        user => answer(200, &json!({"sub": user, "email": "a@example.com"})),
    }
}

#[tokio::test]
async fn userinfo_that_refuses_one_users_token_is_there_for_others() {
    for refused in REFUSALS {
        if refused.0 == 403 {
            continue; // It is about what the token may see, and a verdict.
        }
        let clock = ManualClock::new();
        let mock = mock(&clock);
        let endpoint = Endpoint::doing(but_mallory(refused)).await;
        let app = telling(&mock, &endpoint, &clock);
        let mallory = mock.token().subject("mallory").sign();
        for _ in 0..20 {
            let found = app.verdict(&mallory).await;
            assert!(found.starts_with("503 unavailable"), "{refused:?}: {found}");
        }
        assert!(endpoint.calls() <= 2, "{refused:?}");
        let alice = mock.token().subject("alice").sign();
        assert_eq!(app.verdict(&alice).await, "200", "{refused:?}");
        clock.advance(61 * SECOND);
        endpoint.turn(but_mallory((200, None)));
        let bob = mock.token().subject("bob").sign();
        assert_eq!(app.verdict(&bob).await, "200", "{refused:?}");
    }
}

#[tokio::test]
async fn userinfo_that_is_busy_with_one_user_is_not_asked_about_that_user_and_is_about_others() {
    let clock = ManualClock::new();
    let mock = mock(&clock);
    let endpoint = Endpoint::doing(but_mallory((429, Some("60")))).await;
    let app = telling(&mock, &endpoint, &clock);
    let token = |user: &str, number: usize| {
        let token = mock.token().subject(user).claim("number", number);
        token.sign()
    };
    for number in 0..100 {
        let reply = app.get("/", &token("mallory", number)).await;
        assert_eq!(reply.verdict(), "503 unavailable user_info_busy");
        assert_eq!(reply.header("retry-after"), Some("60"));
    }
    assert_eq!(endpoint.calls(), 1, "each of them is Mallory's");
    assert_eq!(app.verdict(&token("alice", 0)).await, "200");
    clock.advance(60 * SECOND);
    app.verdict(&token("mallory", 0)).await;
    assert_eq!(endpoint.calls(), 3, "and then Mallory's is asked about");
}

#[tokio::test]
async fn userinfo_flood_of_many_refused_users_keeps_no_other_out() {
    for refused in [
        (400, None),
        (429, Some("60")),
        (500, None),
        (503, Some("3600")),
    ] {
        let clock = ManualClock::new();
        let mock = mock(&clock);
        let endpoint = Endpoint::doing(but_mallory(refused)).await;
        let app = telling(&mock, &endpoint, &clock);
        for round in 0..6 {
            for number in 0..20 {
                let user = format!("mallory-{round}-{number}");
                app.verdict(&mock.token().subject(&user).sign()).await;
                clock.advance(SECOND / 10);
            }
            let user = format!("alice-{round}");
            let found = app.verdict(&mock.token().subject(&user).sign()).await;
            assert_eq!(found, "200", "{refused:?}, {round}");
        }
    }
}

#[tokio::test]
async fn log_lines_that_odd_tokens_cause_are_one_pair_a_minute() {
    let logs = Logs::default();
    let listening = logs.listen();
    let clock = ManualClock::new();
    let statuses = [400, 429, 403, 500];
    let endpoint = Endpoint::doing(move |question| {
        let token = question.field("token").expect("a token");
        match token.strip_prefix("bad-") {
            Some(number) => {
                let number: usize = number.parse().expect("a number");
                refusal((statuses[number % 4], None))
            }
            None => answer(200, &good()),
        }
    })
    .await;
    let server = server(issuer(&endpoint), &clock);
    let app = app(&server);
    for number in 0..240 {
        app.verdict(&format!("bad-{number}")).await;
        assert_eq!(app.verdict(&format!("good-{number}")).await, "200");
        clock.advance(SECOND / 2);
    }
    let count = |what: &str| logs.text().matches(what).count();
    assert_eq!(count("tokens cannot be introspected"), 2, "in two minutes");
    assert_eq!(count("tokens are introspected again"), 2);

    // What was kept back is told when the minute is over: it is no stranger's any longer.
    endpoint.turn(|_| refusal((500, None)));
    for number in 0..120 {
        app.verdict(&format!("down-{number}")).await;
        clock.advance(SECOND);
    }
    assert_eq!(count("tokens cannot be introspected"), 3);
    drop(listening);
}

#[tokio::test]
async fn log_lines_about_userinfo_that_cannot_be_used_are_one_a_minute() {
    let logs = Logs::default();
    let listening = logs.listen();
    let clock = ManualClock::new();
    let mock = mock(&clock);
    let endpoint = Endpoint::doing(|_| {
        answer(
            200,
            &json!({"sub": "somebody else", "email": "a@example.com"}),
        )
    })
    .await;
    let app = telling(&mock, &endpoint, &clock);
    for number in 0..90 {
        let token = mock.token().subject("mallory").claim("number", number);
        let found = app.verdict(&token.sign()).await;
        assert_eq!(found, "503 unavailable user_info_failed");
        clock.advance(SECOND);
    }
    drop(listening);
    let text = logs.text();
    assert_eq!(text.matches("userinfo cannot be used").count(), 2);
}

#[tokio::test]
async fn key_set_failures_that_strangers_cause_are_told_by_the_schedule_alone() {
    let logs = Logs::default();
    let listening = logs.listen();
    let clock = ManualClock::new();
    let mock = mock(&clock).serve().await;
    let server = ResourceServer::builder(API)
        .issuer(mock.trusted())
        .clock(clock.clone())
        .build()
        .expect("sound")
        .connect()
        .await
        .expect("up");
    let app = app(&server);
    mock.break_key_set_with(portcullis::test_util::Fault::Status(500));
    for _ in 0..100 {
        app.verdict(&mock.token().sign_with_unknown_key()).await;
        clock.advance(SECOND);
    }
    drop(listening);
    let told = logs.text().matches("could not be refreshed").count();
    assert!(told <= 8, "at most as often as it is fetched: {told}");
}

#[tokio::test]
async fn ordinary_use_causes_no_question_of_our_own() {
    let clock = ManualClock::new();
    let endpoint = Endpoint::saying(good()).await;
    let server = server(issuer(&endpoint), &clock);
    let app = app(&server);
    for number in 0..200 {
        assert_eq!(app.verdict(&format!("good-{number}")).await, "200");
    }
    assert_eq!(endpoint.calls(), 200, "none of our own");
}
