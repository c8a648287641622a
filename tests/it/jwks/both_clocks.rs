//! Ages end by the wall clock or by the monotonic one, whichever says so first: a machine that was
//! suspended wakes with the first far ahead and the second where it was.

use std::time::Duration;

use axum::routing::get;
use portcullis::extract::UserInfo;
use portcullis::status::KeySetState;
use portcullis::test_util::{Endpoint, Fault, ManualClock, MockIssuer, ServedIssuer};
use portcullis::time::{Clock as _, UnixTime};
use portcullis::{Algorithm, ResourceServer, ResourceServerBuilder};
use serde_json::json;

use crate::support::introspection::{TOKEN, builder as asking, good, issuer as asked};
use crate::support::{API, Requests as _, TestApp};

const HOUR: Duration = Duration::from_secs(3600);

/// The machine is suspended for so long.
fn suspend(clock: &ManualClock, span: Duration) {
    clock.set_wall(clock.now().saturating_add(span));
}

fn signer(clock: &ManualClock) -> MockIssuer {
    MockIssuer::new()
        .with_algorithms([Algorithm::ES256])
        .with_clock(clock.clone())
}

async fn started(served: &ServedIssuer, clock: &ManualClock) -> ResourceServer {
    let trusted = served.trusted().max_staleness(HOUR);
    let server = ResourceServer::builder(API).issuer(trusted);
    let server = server.clock(clock.clone()).build().expect("sound");
    server.connect().await.expect("up")
}

#[tokio::test]
async fn introspection_cache_life_ends_by_the_wall_clock_too() {
    let clock = ManualClock::new();
    let endpoint = crate::support::endpoint::Endpoint::saying(good()).await;
    let server = asking(asked(&endpoint), &clock).build().expect("sound");
    let app = crate::support::introspection::app(&server);
    let verdict = async || app.get("/", TOKEN).await.verdict();
    assert_eq!(verdict().await, "200");
    endpoint.turn(|_| crate::support::endpoint::json(200, &json!({"active": false})));
    suspend(&clock, Duration::from_secs(59));
    assert_eq!(verdict().await, "200");
    suspend(&clock, Duration::from_secs(1));
    assert_eq!(verdict().await, "401 invalid_token inactive");
    // A refusal is remembered for 10 s, by the same clocks.
    endpoint.turn(|_| crate::support::endpoint::json(200, &good()));
    assert_eq!(verdict().await, "401 invalid_token inactive");
    suspend(&clock, Duration::from_secs(10));
    assert_eq!(verdict().await, "200");
    // A wall clock that is set back lengthens nothing.
    clock.set_wall(clock.now().saturating_sub(24 * HOUR));
    endpoint.turn(|_| crate::support::endpoint::json(200, &json!({"active": false})));
    clock.advance(Duration::from_secs(60));
    assert_eq!(verdict().await, "401 invalid_token inactive");
}

#[tokio::test]
async fn max_staleness_ends_by_the_wall_clock_too_and_the_next_request_fetches() {
    let clock = ManualClock::new();
    let issuer = signer(&clock);
    let served = issuer.serve().await;
    let server = started(&served, &clock).await;
    let app = TestApp::new(&server);
    let token = issuer.token().expires_in(1000 * HOUR).sign();
    let new = || issuer.token().expires_in(1000 * HOUR).sign();
    assert_eq!(app.get("/", &token).await.verdict(), "200");
    suspend(&clock, HOUR);
    assert_eq!(
        app.get("/", &new()).await.verdict(),
        "200",
        "as old as it may be"
    );
    assert_eq!(served.fetches(), 1);

    // The key is retired while the machine sleeps on.
    issuer.rotate();
    issuer.retire_old_keys();
    suspend(&clock, 300 * HOUR);
    let status = &server.key_set_status()[0];
    assert_eq!(status.state(), KeySetState::TooStale);
    assert_eq!(status.age(), Some(301 * HOUR));
    assert!(!server.ready());
    assert_eq!(
        app.get("/", &token).await.verdict(),
        "401 invalid_token unknown_key",
        "remembered or not: the keys are fetched first"
    );
    assert_eq!(served.fetches(), 2);
    assert_eq!(app.get("/", &new()).await.verdict(), "200");
}

#[tokio::test]
async fn max_staleness_that_is_over_by_the_wall_clock_is_an_outage_where_nobody_answers() {
    let clock = ManualClock::new();
    let issuer = signer(&clock);
    let served = issuer.serve().await;
    let server = started(&served, &clock).await;
    let app = TestApp::new(&server);
    let token = issuer.token().expires_in(1000 * HOUR).sign();
    assert_eq!(app.get("/", &token).await.verdict(), "200");
    served.break_key_set_with(Fault::Status(500));
    suspend(&clock, HOUR + Duration::from_secs(1));
    assert_eq!(
        app.get("/", &token).await.verdict(),
        "503 unavailable keys_too_stale"
    );
}

#[tokio::test]
async fn cooldown_is_over_by_the_wall_clock_too() {
    let clock = ManualClock::new();
    let issuer = signer(&clock);
    let served = issuer.serve().await;
    let server = started(&served, &clock).await;
    let app = TestApp::new(&server);
    let unknown = issuer.token().key_id("stranger").sign();
    assert_eq!(
        app.get("/", &unknown).await.verdict(),
        "401 invalid_token unknown_key"
    );
    issuer.rotate();
    let rotated = issuer.token().sign();
    assert_eq!(
        app.get("/", &rotated).await.verdict(),
        "503 unavailable key_unconfirmed"
    );
    suspend(&clock, Duration::from_secs(30));
    assert_eq!(app.get("/", &rotated).await.verdict(), "200");
}

#[tokio::test]
async fn token_cache_life_ends_by_the_wall_clock_too() {
    let clock = ManualClock::new();
    let issuer = signer(&clock);
    let server = ResourceServer::builder(API)
        .issuer(issuer.trusted())
        .clock(clock.clone())
        .build()
        .expect("sound");
    let app = TestApp::new(&server);
    let token = issuer.token().expires_in(1000 * HOUR).sign();
    let misses = || server.token_cache_status().expect("it is on").misses();
    assert_eq!(app.get("/", &token).await.verdict(), "200");
    suspend(&clock, Duration::from_secs(299));
    assert_eq!(app.get("/", &token).await.verdict(), "200");
    assert_eq!(misses(), 1);
    suspend(&clock, Duration::from_secs(1));
    assert_eq!(app.get("/", &token).await.verdict(), "200");
    assert_eq!(misses(), 2);
}

#[tokio::test]
async fn userinfo_is_remembered_for_a_minute_by_the_wall_clock_too() {
    let clock = ManualClock::new();
    let issuer = signer(&clock);
    issuer.set_user_info("alice", json!({"email": "alice@example.com"}));
    let served = issuer.serve().await;
    let trusted = served.trusted().userinfo(served.url_of(Endpoint::UserInfo));
    let server = ResourceServer::builder(API).issuer(trusted);
    let server = server.clock(clock.clone()).build().expect("sound");
    let server = server.connect().await.expect("up");
    let app = TestApp::behind(server.authenticate())
        .route("/", get(|_: UserInfo<serde_json::Value>| async {}));
    let token = issuer.token().subject("alice").sign();
    for (slept, asked) in [(0, 1), (59, 1), (1, 2)] {
        suspend(&clock, Duration::from_secs(slept));
        assert_eq!(app.get("/", &token).await.verdict(), "200");
        assert_eq!(served.requests(Endpoint::UserInfo), asked);
    }
}

fn at(
    wall: i64,
    settings: impl Fn(ResourceServerBuilder) -> ResourceServerBuilder,
) -> (ManualClock, MockIssuer, ResourceServer) {
    let clock = ManualClock::at(UnixTime::from_secs(wall));
    let issuer = signer(&clock);
    let builder = ResourceServer::builder(API)
        .issuer(issuer.trusted())
        .clock(clock.clone());
    let server = settings(builder).build().expect("sound");
    (clock, issuer, server)
}

#[tokio::test]
async fn clock_that_is_not_set_is_an_outage_and_no_token_is_judged_by_it() {
    // 1970, 2001, 2020 and the last second before the floor.
    for wall in [-5, 0, 1_000_000_000, 1_577_836_800, 1_759_276_799] {
        let (clock, issuer, server) = at(wall, |builder| builder);
        let app = TestApp::new(&server);
        let in_2001 = issuer.token().claim("exp", 1_000_000_000 + 3600);
        let early = issuer.token().claim("nbf", ManualClock::START.as_secs());
        for token in [issuer.token().sign(), early.sign()] {
            let answer = app.get("/", &token).await;
            assert_eq!(answer.verdict(), "503 unavailable clock_unset", "at {wall}");
            assert_eq!(answer.header("retry-after"), Some("5"));
        }
        assert_ne!(
            app.get("/", &in_2001.sign()).await.verdict(),
            "200",
            "at {wall}"
        );
        assert!(!server.ready(), "at {wall}");
        // What needs no clock is judged without one.
        assert_eq!(
            app.get("/", &issuer.token().sign_with_wrong_key())
                .await
                .verdict(),
            "401 invalid_token signature"
        );
        // Once the clock is set, all is as ever.
        clock.set_wall(ManualClock::START);
        let token = issuer.token().sign();
        assert_eq!(app.get("/", &token).await.verdict(), "200");
        assert!(server.ready());
        // And a token that was remembered is not judged by a clock that loses its time.
        clock.set_wall(UnixTime::from_secs(wall));
        assert_eq!(
            app.get("/", &token).await.verdict(),
            "503 unavailable clock_unset"
        );
    }
}

#[tokio::test]
async fn earliest_time_moves_the_floor_for_tests_with_old_tokens() {
    let lowered = |builder: ResourceServerBuilder| builder.earliest_time(UnixTime::from_secs(0));
    let (_, issuer, server) = at(1_000_000_000, lowered);
    let app = TestApp::new(&server);
    assert_eq!(app.get("/", &issuer.token().sign()).await.verdict(), "200");
    assert!(server.ready());
    let (_, issuer, server) = at(1_759_276_800, |builder| builder);
    let answer = TestApp::new(&server).get("/", &issuer.token().sign()).await;
    assert_eq!(answer.verdict(), "200", "the floor itself");
}

#[tokio::test]
async fn clock_that_is_not_set_is_an_outage_for_opaque_tokens_too() {
    let clock = ManualClock::at(UnixTime::from_secs(0));
    let endpoint = crate::support::endpoint::Endpoint::saying(good()).await;
    let server = asking(asked(&endpoint), &clock).build().expect("sound");
    let app = crate::support::introspection::app(&server);
    assert_eq!(
        app.get("/", TOKEN).await.verdict(),
        "503 unavailable clock_unset"
    );
    clock.set_wall(ManualClock::START);
    assert_eq!(app.get("/", TOKEN).await.verdict(), "200");
}
