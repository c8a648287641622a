//! The cache of verified tokens: it saves signatures, and changes no verdict.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::routing::get;
use portcullis::error::Objection;
use portcullis::status::TokenCacheStatus;
use portcullis::test_util::{Fault, ManualClock, MockIssuer, ServedIssuer, TokenBuilder};
use portcullis::{
    Algorithm, Claims, ResourceServer, ResourceServerBuilder, TenantClaims, WorkspaceAccess,
};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::support::{API, Requests as _, TestApp, builder, trusting};

fn issuer() -> MockIssuer {
    MockIssuer::new().with_algorithms([Algorithm::ES256])
}

fn app(server: &ResourceServer) -> TestApp {
    TestApp::new(server).route(
        "/claims",
        get(|Claims(claims): Claims<serde_json::Value>| async move {
            format!("{:p}", Arc::as_ptr(&claims))
        }),
    )
}

fn status(server: &ResourceServer) -> TokenCacheStatus {
    server.token_cache_status().expect("it is on")
}

/// Hits and misses.
fn counts(server: &ResourceServer) -> (u64, u64) {
    let status = status(server);
    (status.hits(), status.misses())
}

#[tokio::test]
async fn a_token_seen_again_is_found_and_its_claims_are_not_read_again() {
    let issuer = issuer();
    let server = builder(&issuer).build().expect("sound");
    let app = app(&server);
    let token = issuer.token().sign();
    let first = app.get("/claims", &token).await.body;
    assert_eq!(counts(&server), (0, 1));
    for seen in 1..=5 {
        assert_eq!(app.get("/claims", &token).await.body, first, "one payload");
        assert_eq!(counts(&server), (seen, 1));
    }
    let status = status(&server);
    assert_eq!((status.entries(), status.evictions()), (1, 0));
    assert!((512..1024).contains(&status.bytes()), "{status:?}");
}

#[tokio::test]
async fn a_token_that_fails_is_never_remembered() {
    let issuer = issuer();
    let server = builder(&issuer)
        .check(|token| match token.id() {
            Some("barred") => Err(Objection::Token),
            _ => Ok(()),
        })
        .build()
        .expect("sound");
    let app = app(&server);
    let good = issuer.token();
    for bad in [
        good.clone().expired().sign(),
        good.clone().not_before_in(Duration::from_secs(600)).sign(),
        good.clone().audience("https://other.example.com").sign(),
        good.clone().claim("jti", "barred").sign(),
        good.tampered_payload(),
        good.tampered_signature(),
        good.sign_with_wrong_key(),
        good.unsigned(),
        "garbage".to_owned(),
        "a.b.c".to_owned(),
    ] {
        for _ in 0..2 {
            assert_ne!(app.verdict(&bad).await, "200", "{bad}");
        }
    }
    assert_eq!(status(&server).entries(), 0);
    assert_eq!(status(&server).hits(), 0);
    assert_eq!(app.verdict(&good.sign()).await, "200");
    assert_eq!(status(&server).entries(), 1);
}

#[tokio::test]
async fn another_payload_under_the_same_signature_is_another_token() {
    let issuer = issuer();
    let server = builder(&issuer).build().expect("sound");
    let app = app(&server);
    let token = issuer.token().sign();
    assert_eq!(app.verdict(&token).await, "200");
    let parts: Vec<&str> = token.split('.').collect();
    let other = issuer.token().subject("somebody-else").sign();
    let others: Vec<&str> = other.split('.').collect();
    for forged in [
        [parts[0], others[1], parts[2]].join("."),
        [parts[0], parts[1], others[2]].join("."),
        format!("{token}A"),
        token[..token.len() - 1].to_owned(),
        format!("{token}="),
    ] {
        assert_ne!(app.verdict(&forged).await, "200", "{forged}");
    }
    assert_eq!(status(&server).hits(), 0);
}

#[tokio::test]
async fn time_and_the_applications_check_are_judged_on_every_request() {
    let clock = ManualClock::new();
    let issuer = issuer().with_clock(clock.clone());
    let barred = Arc::new(AtomicBool::new(false));
    let asked = Arc::new(AtomicUsize::new(0));
    let (is_barred, count) = (Arc::clone(&barred), Arc::clone(&asked));
    let server = builder(&issuer)
        .clock(clock.clone())
        .check(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            if is_barred.load(Ordering::SeqCst) {
                Err(Objection::Caller)
            } else {
                Ok(())
            }
        })
        .build()
        .expect("sound");
    let app = app(&server);
    let token = issuer.token().expires_in(Duration::from_secs(120)).sign();
    assert_eq!(app.verdict(&token).await, "200");
    assert_eq!(app.verdict(&token).await, "200");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    barred.store(true, Ordering::SeqCst);
    assert_eq!(app.verdict(&token).await, "403 wrong_caller");
    barred.store(false, Ordering::SeqCst);

    clock.advance(Duration::from_secs(149));
    assert_eq!(app.verdict(&token).await, "200");
    clock.advance(Duration::from_secs(1));
    assert_eq!(app.verdict(&token).await, "401 invalid_token expired");
    assert_eq!(
        counts(&server).1,
        1,
        "found each time, and judged each time"
    );

    // A wall clock that is set back: the same as without a cache.
    let later = issuer.token().not_before_in(Duration::ZERO).sign();
    assert_eq!(app.verdict(&later).await, "200");
    clock.set_wall(ManualClock::START);
    assert_eq!(app.verdict(&later).await, "401 invalid_token not_yet_valid");
}

#[tokio::test]
async fn an_entry_lives_as_long_as_was_said_and_no_longer() {
    let clock = ManualClock::new();
    let issuer = issuer().with_clock(clock.clone());
    let server = builder(&issuer)
        .clock(clock.clone())
        .token_cache_life(Duration::from_secs(60))
        .build()
        .expect("sound");
    let app = app(&server);
    let token = issuer.token().sign();
    assert_eq!(app.verdict(&token).await, "200");
    clock.advance(Duration::from_secs(59));
    assert_eq!(app.verdict(&token).await, "200");
    assert_eq!(counts(&server), (1, 1));
    clock.advance(Duration::from_secs(1));
    // Hits lengthen no entry's life.
    assert_eq!(app.verdict(&token).await, "200");
    assert_eq!(counts(&server), (1, 2));
    assert_eq!(status(&server).entries(), 1);
}

#[tokio::test]
async fn guards_judge_a_token_that_is_found_like_any_other() {
    let pool = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf");
    let server = trusting([pool.trusted().tenant_claims(TenantClaims::aworld())]);
    let behind = |context: &str| {
        TestApp::behind(server.authenticate().context(context))
            .route("/{workspace_id}", get(|_: WorkspaceAccess| async {}))
    };
    let (app, dashboard) = (behind("app"), behind("dashboard"));
    let token = pool.aworld_user().sign();
    for _ in 0..2 {
        assert_eq!(app.get("/acme-prod", &token).await.verdict(), "200");
        assert_eq!(
            app.get("/acme-dev", &token).await.verdict(),
            "403 wrong_tenant"
        );
        assert_eq!(
            dashboard.get("/acme-prod", &token).await.verdict(),
            "403 wrong_caller"
        );
    }
    assert_eq!(counts(&server), (5, 1));
}

/// A server whose keys are fetched, by a clock that the test moves.
async fn fetched(issuer: &MockIssuer, clock: &ManualClock) -> (ServedIssuer, ResourceServer) {
    let served = issuer.serve().await;
    let server = ResourceServer::builder(API)
        .issuer(served.trusted())
        .clock(clock.clone())
        .build()
        .expect("sound")
        .connect()
        .await
        .expect("up");
    (served, server)
}

#[tokio::test]
async fn a_swap_that_keeps_the_key_keeps_the_entry_and_one_that_drops_it_ends_it() {
    let clock = ManualClock::new();
    let issuer = issuer().with_clock(clock.clone());
    let (_served, server) = fetched(&issuer, &clock).await;
    let app = app(&server);
    let old = issuer.token().sign();
    assert_eq!(app.verdict(&old).await, "200");
    server.refresh_now().await.expect("up");
    assert_eq!(app.verdict(&old).await, "200");
    assert_eq!(counts(&server), (1, 1), "the same set again");

    issuer.rotate();
    server.refresh_now().await.expect("up");
    let new = issuer.token().sign();
    assert_eq!(app.verdict(&new).await, "200");
    assert_eq!(app.verdict(&old).await, "200");
    assert_eq!(counts(&server), (2, 2), "another key beside it");

    issuer.retire_old_keys();
    server.refresh_now().await.expect("up");
    assert_eq!(app.verdict(&old).await, "401 invalid_token unknown_key");
    let before = counts(&server);
    assert_eq!(app.verdict(&new).await, "200");
    assert_eq!(counts(&server), (before.0 + 1, before.1));
}

#[tokio::test]
async fn a_token_without_kid_is_judged_anew_after_any_change() {
    let clock = ManualClock::new();
    let issuer = issuer().with_clock(clock.clone());
    let (_served, server) = fetched(&issuer, &clock).await;
    let app = app(&server);
    let token = issuer.token().without_header("kid").sign();
    assert_eq!(app.verdict(&token).await, "200");
    server.refresh_now().await.expect("up");
    assert_eq!(app.verdict(&token).await, "200");
    assert_eq!(counts(&server), (1, 1));
    for _ in 0..4 {
        issuer.rotate();
    }
    server.refresh_now().await.expect("up");
    // Five keys fit now, and where more than four do, none is tried.
    assert_eq!(app.verdict(&token).await, "401 invalid_token ambiguous_key");
}

#[tokio::test]
async fn keys_that_are_dropped_end_what_they_verified() {
    let clock = ManualClock::new();
    let issuer = issuer().with_clock(clock.clone());
    let (served, server) = fetched(&issuer, &clock).await;
    let app = app(&server);
    let token = issuer.token().sign();
    assert_eq!(app.verdict(&token).await, "200");
    served.break_key_set_with(Fault::Status(500));
    let keys = server.issuer_keys(&issuer.issuer()).expect("configured");
    keys.drop_keys();
    assert!(app.verdict(&token).await.starts_with("503"));
}

#[tokio::test]
async fn keys_that_grow_too_old_end_what_they_verified() {
    let clock = ManualClock::new();
    let issuer = issuer().with_clock(clock.clone());
    let served = issuer.serve().await;
    let trusted = served
        .trusted()
        .refresh_interval(Duration::from_secs(60))
        .max_staleness(Duration::from_secs(75));
    let server = ResourceServer::builder(API)
        .issuer(trusted)
        .clock(clock.clone())
        .build()
        .expect("sound")
        .connect()
        .await
        .expect("up");
    let app = app(&server);
    let token = issuer.token().sign();
    served.break_key_set_with(Fault::Status(500));
    assert_eq!(app.verdict(&token).await, "200");
    clock.advance(Duration::from_secs(75));
    assert_eq!(app.verdict(&token).await, "200");
    assert_eq!(counts(&server).0, 1);
    clock.advance(Duration::from_secs(1));
    assert!(app.verdict(&token).await.starts_with("503"));
}

#[tokio::test]
async fn two_servers_remember_nothing_for_each_other() {
    let issuer = issuer();
    let (one, other) = (builder(&issuer).build(), builder(&issuer).build());
    let (one, other) = (one.expect("sound"), other.expect("sound"));
    let token = issuer.token().sign();
    assert_eq!(app(&one).verdict(&token).await, "200");
    assert_eq!(app(&other).verdict(&token).await, "200");
    assert_eq!((counts(&one), counts(&other)), ((0, 1), (0, 1)));
    // Clones of one server are that server.
    assert_eq!(app(&one.clone()).verdict(&token).await, "200");
    assert_eq!(counts(&one), (1, 1));
}

#[tokio::test]
async fn entries_and_bytes_are_bounded_and_a_flood_spares_what_is_used() {
    const MOST: usize = 800;
    let issuer = issuer();
    let server = builder(&issuer)
        .token_cache_entries(MOST)
        .token_cache_bytes(1 << 20)
        .build()
        .expect("sound");
    let app = app(&server);
    let used: Vec<String> = (0..20)
        .map(|name| issuer.token().subject(&format!("regular-{name}")).sign())
        .collect();
    for token in used.iter().chain(&used) {
        assert_eq!(app.verdict(token).await, "200");
    }
    for stranger in 0..3 * MOST {
        let token = issuer.token().subject(&format!("stranger-{stranger}"));
        assert_eq!(app.verdict(&token.sign()).await, "200");
        let bad = token.claim("exp", 1).sign();
        assert_eq!(app.verdict(&bad).await, "401 invalid_token expired");
        let status = status(&server);
        assert!(
            status.entries() <= MOST && status.bytes() <= 1 << 20,
            "{status:?}"
        );
    }
    let before = counts(&server).0;
    for token in &used {
        assert_eq!(app.verdict(token).await, "200");
    }
    assert_eq!(
        counts(&server).0 - before,
        20,
        "all of them were still there"
    );
    assert_eq!(status(&server).evictions(), 0, "nothing went for them");

    // A stranger that comes again is no stranger.
    let again = issuer.token().subject("again").sign();
    for _ in 0..2 {
        assert_eq!(app.verdict(&again).await, "200");
    }
    let before = counts(&server).0;
    assert_eq!(app.verdict(&again).await, "200");
    assert_eq!(counts(&server).0 - before, 1);
}

#[tokio::test]
async fn the_cache_can_be_switched_off_and_its_settings_have_bounds() {
    let issuer = issuer();
    let server = builder(&issuer)
        .without_token_cache()
        .build()
        .expect("sound");
    let app = app(&server);
    let token = issuer.token().sign();
    for _ in 0..2 {
        assert_eq!(app.verdict(&token).await, "200");
    }
    assert_eq!(server.token_cache_status(), None);
    let second = Duration::from_secs(1);
    for (builder, setting) in [
        (
            builder(&issuer).token_cache_entries(0),
            "token_cache_entries",
        ),
        (
            builder(&issuer).token_cache_entries(10_000_001),
            "token_cache_entries",
        ),
        (
            builder(&issuer).token_cache_bytes((1 << 20) - 1),
            "token_cache_bytes",
        ),
        (
            builder(&issuer).token_cache_bytes((1 << 30) + 1),
            "token_cache_bytes",
        ),
        (
            builder(&issuer).token_cache_life(second / 2),
            "token_cache_life",
        ),
        (
            builder(&issuer).token_cache_life(301 * second),
            "token_cache_life",
        ),
    ] {
        let mistake = builder.build().expect_err(setting);
        assert_eq!(mistake.setting(), setting);
    }
    for builder in [
        builder(&issuer).token_cache_entries(1),
        builder(&issuer).token_cache_bytes(1 << 20),
        builder(&issuer).token_cache_life(second),
        builder(&issuer).token_cache_life(300 * second),
    ] {
        let app = self::app(&builder.build().expect("sound"));
        for _ in 0..2 {
            assert_eq!(app.verdict(&token).await, "200");
        }
    }
}

/// What may happen between two requests.
#[derive(Clone, Debug)]
enum Happening {
    Ask { token: usize },
    Advance { secs: u64 },
    SetBack { secs: i64 },
    Rotate,
    Retire,
    Refresh,
    Drop,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        8 => (0..12_usize).prop_map(|token| Happening::Ask { token }),
        2 => (1..200_u64).prop_map(|secs| Happening::Advance { secs }),
        1 => (1..200_i64).prop_map(|secs| Happening::SetBack { secs }),
        1 => Just(Happening::Rotate),
        1 => Just(Happening::Retire),
        2 => Just(Happening::Refresh),
        1 => Just(Happening::Drop),
    ]
}

/// Tokens of all sorts, as they are signed at this moment.
fn token(issuer: &MockIssuer, which: usize) -> String {
    let good = issuer.token().claim("jti", "t");
    let of = |builder: TokenBuilder| builder.sign();
    match which {
        0 => of(good),
        1 => of(good.subject("other")),
        2 => of(good.expires_in(Duration::from_secs(90))),
        3 => of(good.not_before_in(Duration::from_secs(60))),
        4 => of(good.without_header("kid")),
        5 => of(good.expires_in(Duration::from_secs(5))),
        6 => good.tampered_payload(),
        7 => of(good.audience("https://other.example.com")),
        _ => of(good.subject(&format!("user-{which}"))),
    }
}

/// The same requests, times and key sets: a server with a cache and one without answer alike.
#[test]
fn with_and_without_a_cache_the_answers_are_the_same() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let sequences = prop::collection::vec(happening(), 1..60);
    let config = ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    TestRunner::new(config)
        .run(&sequences, |sequence| {
            runtime.block_on(compare(sequence));
            Ok(())
        })
        .expect("no difference");
}

async fn compare(sequence: Vec<Happening>) {
    let clock = ManualClock::new();
    let issuer = issuer().with_clock(clock.clone());
    let served = issuer.serve().await;
    let build = async |builder: ResourceServerBuilder| {
        let server = builder.clock(clock.clone()).build().expect("sound");
        server.connect().await.expect("up")
    };
    // Longer than a sequence takes: the jitter of a periodic refresh differs between servers.
    let interval = Duration::from_secs(12 * 3600);
    let builder =
        || ResourceServer::builder(API).issuer(served.trusted().refresh_interval(interval));
    let with = build(builder().token_cache_entries(4)).await;
    let without = build(builder().without_token_cache()).await;
    let (cached, plain) = (app(&with), app(&without));
    let mut tokens: Vec<String> = (0..12).map(|which| token(&issuer, which)).collect();
    for happening in sequence {
        match &happening {
            Happening::Ask { token } => {
                let token = &tokens[*token];
                assert_eq!(cached.verdict(token).await, plain.verdict(token).await);
            }
            Happening::Advance { secs } => clock.advance(Duration::from_secs(*secs)),
            Happening::SetBack { secs } => {
                let wall = portcullis::time::Clock::now(&clock).as_secs() - secs;
                clock.set_wall(portcullis::time::UnixTime::from_secs(wall));
            }
            Happening::Rotate => {
                issuer.rotate();
                // Some tokens are signed anew; the others keep their old key.
                for which in [0, 4, 9] {
                    tokens[which] = token(&issuer, which);
                }
            }
            Happening::Retire => issuer.retire_old_keys(),
            Happening::Refresh => {
                with.refresh_now().await.expect("up");
                without.refresh_now().await.expect("up");
            }
            Happening::Drop => {
                for server in [&with, &without] {
                    let keys = server.issuer_keys(&issuer.issuer()).expect("configured");
                    keys.drop_keys();
                    server.refresh_now().await.expect("up");
                }
            }
        }
    }
}
