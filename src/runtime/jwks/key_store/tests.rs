mod discovery;

use super::test_keys::{ISSUER, X1, X2, config, has, loaded, miss, refused, secs, started, waits};
use super::test_server::{Server, TestClock, chunked, ok, set, status, with};
use super::*;
use crate::model::algorithm::{Algorithm, AlgorithmSet};
use crate::runtime::http::tls::HttpOptions;
use crate::runtime::jwks::refresh_task;
use crate::runtime::util::current_runtime::NoRuntime;

#[tokio::test]
async fn nothing_that_a_failing_issuer_says_replaces_good_keys() {
    let server = Server::start().await;
    server.set("/jwks", ok(&set(&[("a", X1)])));
    let (keys, _clock) = loaded(&server).await;
    let big = format!(r#"{{"keys":[],"pad":"{}"}}"#, "x".repeat(300_000));
    let elsewhere = format!("location: {}/other\r\n", server.url);
    server.set("/other", ok(&set(&[("evil", X2)])));
    let answers = [
        ("500", status(500, "")),
        ("404", status(404, "")),
        ("204", status(204, "")),
        ("302", status(302, &elsewhere)),
        ("307", status(307, &elsewhere)),
        ("empty set", ok(r#"{"keys":[]}"#)),
        ("null", ok("null")),
        ("no keys", ok("{}")),
        ("text", ok("<html>")),
        ("truncated", ok(r#"{"keys":[{"kty":"#)),
        ("too large", ok(&big)),
        ("too large, chunked", chunked(&big)),
        (
            "gzip",
            with("content-encoding: gzip\r\n", &set(&[("evil", X2)])),
        ),
        ("hang up", Vec::new()),
    ];
    for (failures, (name, answer)) in (1..).zip(answers) {
        server.set("/jwks", answer);
        keys.refresh_now().await.expect_err(name);
        assert!(has(&keys, "a") && !has(&keys, "evil"), "{name}");
        let status = keys.status();
        assert_eq!(status.failures(), failures, "{name}");
        assert_eq!(status.state(), KeySetState::Stale, "{name}");
        assert!(status.last_error().is_some(), "{name}");
    }
    assert_eq!(server.hits("/other"), 0);
    server.set("/jwks", ok(&set(&[("a", X1)])));
    keys.refresh_now().await.expect("a refresh");
    assert_eq!(keys.status().state(), KeySetState::Fresh);
    assert_eq!(keys.status().last_error(), None);
}

#[tokio::test]
async fn a_server_that_answers_503_is_not_asked_again_at_once() {
    let server = Server::start().await;
    server.set("/jwks", status(503, ""));
    let (keys, _clock) = started(&server, Some("/jwks"));
    keys.first_attempt().await.expect_err("503");
    assert_eq!(server.hits("/jwks"), 1);
    let error = keys
        .status()
        .last_error()
        .map(str::to_owned)
        .expect("an error");
    assert_eq!(error, format!("`{}/jwks` answered 503", server.url));
}

#[tokio::test]
async fn the_schedule_follows_the_clock_and_a_removed_key_is_gone() {
    let server = Server::start().await;
    server.set("/jwks", ok(&set(&[("a", X1)])));
    let (keys, clock) = loaded(&server).await;
    server.set("/jwks", ok(&set(&[("b", X2)])));
    clock.advance(530);
    assert!(has(&keys, "a"));
    assert_eq!(server.hits("/jwks"), 1);
    clock.advance(140);
    keys.ended(2).await;
    assert!(has(&keys, "b") && !has(&keys, "a"));
    assert_eq!(server.hits("/jwks"), 2);
}

#[tokio::test]
async fn an_unchanged_set_is_confirmed_and_kept() {
    let server = Server::start().await;
    server.set("/jwks", with("etag: \"v1\"\r\n", &set(&[("a", X1)])));
    let (keys, clock) = loaded(&server).await;
    let before = Arc::as_ptr(&keys.current_set.load().as_ref().expect("a snapshot").keys);
    server.set("/jwks", status(304, "cache-control: max-age=900\r\n"));
    clock.advance(100);
    keys.refresh_now().await.expect("a refresh");
    assert!(server.last_request().contains("if-none-match: \"v1\""));
    let status = keys.status();
    assert_eq!(status.age(), Some(Duration::ZERO));
    assert!(status.next_attempt().is_some_and(|rest| rest > secs(800)));
    let after = Arc::as_ptr(&keys.current_set.load().as_ref().expect("a snapshot").keys);
    assert_eq!(before, after);

    // With the keys gone there is nothing that a 304 could confirm.
    keys.drop_keys();
    assert!(matches!(keys.current().err(), Some(Outage::KeysNotLoaded)));
    assert_eq!(keys.status().state(), KeySetState::Dropped);
    keys.ended(3).await;
    assert!(!server.last_request().contains("if-none-match"));
    assert!(keys.current().is_err());
    server.set("/jwks", ok(&set(&[("b", X2)])));
    keys.refresh_now().await.expect("a refresh");
    assert!(has(&keys, "b"));
}

#[tokio::test]
async fn a_fetch_that_the_drop_overtook_brings_no_keys_back() {
    let server = Server::start().await;
    server.set("/jwks", ok(&set(&[("a", X1)])));
    let (keys, _clock) = loaded(&server).await;
    let gate = server.hold();
    let fetch = keys.state().schedule.queue();
    keys.requested.notify_one();
    server.requested(2).await;
    keys.drop_keys();
    gate.add_permits(1);
    keys.ended(fetch).await;
    assert!(matches!(keys.current().err(), Some(Outage::KeysNotLoaded)));
    gate.add_permits(1);
    keys.ended(fetch + 1).await;
    assert!(has(&keys, "a"));
}

#[tokio::test]
async fn keys_past_the_maximum_staleness_count_as_none() {
    let server = Server::start().await;
    server.set("/jwks", ok(&set(&[("a", X1)])));
    let (keys, clock) = loaded(&server).await;
    server.set("/jwks", status(404, ""));
    keys.refresh_now().await.expect_err("404");
    clock.advance(24 * 60 * 60);
    assert!(has(&keys, "a"));
    assert!(
        keys.status()
            .stale_since()
            .is_some_and(|since| since >= secs(86_399))
    );
    clock.advance(1);
    assert!(matches!(keys.current().err(), Some(Outage::KeysTooStale)));
    assert_eq!(keys.status().state(), KeySetState::TooStale);
    let ticket = waits(keys.miss(None, Some("a"), None));
    keys.wait(&ticket).await;
    let (outage, rest) = refused(keys.miss(None, Some("a"), Some(ticket)));
    assert_eq!(outage, Outage::KeysTooStale);
    assert!(rest >= secs(1) && rest <= secs(30));
}

#[tokio::test]
async fn the_task_ends_with_the_last_handle_even_while_it_fetches() {
    let server = Server::start().await;
    server.set("/jwks", ok(&set(&[("a", X1)])));
    let (keys, _clock) = loaded(&server).await;
    refresh_task::start(&keys).expect("a runtime");
    let source = Arc::downgrade(&keys.source);
    drop(keys);
    until(|| source.upgrade().is_none()).await;

    let _gate = server.hold();
    let (keys, _clock) = started(&server, Some("/jwks"));
    server.requested(2).await;
    let source = Arc::downgrade(&keys.source);
    drop(keys);
    until(|| source.upgrade().is_none()).await;
}

#[tokio::test]
async fn an_issuer_that_is_down_at_start_is_found_when_it_comes_back() {
    let server = Server::start().await;
    let (keys, clock) = started(&server, Some("/jwks"));
    keys.first_attempt().await.expect_err("404");
    assert_eq!(keys.status().state(), KeySetState::NeverLoaded);
    assert!(!keys.ready() && keys.counts());
    server.set("/jwks", ok(&set(&[("a", X1)])));
    clock.advance(2);
    keys.ended(2).await;
    assert!(has(&keys, "a"));
}

#[tokio::test]
async fn lazy_keys_are_fetched_for_the_first_token() {
    let server = Server::start().await;
    server.set("/jwks", ok(&set(&[("a", X1)])));
    let mut config = config(&server, Some("/jwks"));
    config.lazy = true;
    let clock = Arc::new(TestClock::default());
    let keys = RemoteKeys::new(config, clock).expect("keys");
    refresh_task::start(&keys).expect("a runtime");
    keys.first_attempt().await.expect("nothing to wait for");
    assert!(keys.status().is_on_demand() && keys.is_lazy() && keys.ready() && !keys.counts());
    assert_eq!(server.hits("/jwks"), 0);
    keys.wait(&waits(keys.miss(None, Some("a"), None))).await;
    assert!(has(&keys, "a") && !keys.status().is_on_demand());
}

#[tokio::test]
async fn a_slow_body_is_given_up_and_costs_no_key() {
    let server = Server::start().await;
    server.set("/jwks", ok(&set(&[("a", X1)])));
    let (keys, _clock) = loaded(&server).await;
    // Headers and half a body, and then nothing.
    let mut answer = ok(&set(&[("b", X2)]));
    answer.truncate(answer.len() - 10);
    server.set("/jwks", answer);
    server.linger();
    let error = keys.refresh_now().await.expect_err("too slow");
    assert!(error.to_string().ends_with("within 5 s"), "{error}");
    assert!(has(&keys, "a"));
}

#[test]
fn without_a_runtime_there_is_an_error_and_no_panic() {
    let config = RemoteConfig {
        issuer: ISSUER.into(),
        tenants: Vec::new(),
        location: Location::KeySet("https://issuer.example.com/jwks".to_owned()),
        algorithms: AlgorithmSet::of(Algorithm::all()),
        most_keys: 100,
        most_bytes: 256 << 10,
        lazy: false,
        http_options: HttpOptions::default(),
        limits: RefreshLimits::default(),
        bearer: None,
        key_set_origin: None,
        copy: None,
    };
    let keys = RemoteKeys::new(config, Arc::new(TestClock::default())).expect("keys");
    assert_eq!(refresh_task::start(&keys), Err(NoRuntime));
}

#[test]
fn a_runtime_that_ends_strands_nobody() {
    let build = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
    };
    let first = build().expect("a runtime");
    let (keys, server) = first.block_on(async {
        let server = Server::start().await;
        server.set("/jwks", ok(&set(&[("a", X1)])));
        (loaded(&server).await.0, server)
    });
    drop(first);
    let second = build().expect("a runtime");
    second.block_on(async {
        assert_eq!(keys.refresh_now().await, Err(RefreshError::NotRunning));
        keys.wait(&waits(miss(&keys, Some("b")))).await;
        refresh_task::start(&keys).expect("a runtime");
        keys.refresh_now()
            .await
            .expect_err("the server went with its runtime");
    });
    assert!(has(&keys, "a"));
    drop(server);
}

async fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        tokio::task::yield_now().await;
    }
}
