mod discovery;
mod server;

use server::{Server, TestClock, chunked, ok, set, status, with};

use super::*;
use crate::model::algorithm::{Algorithm, AlgorithmSet};
use crate::runtime::http::tls::HttpOptions;
use crate::runtime::jwks::refresh_task;
use crate::runtime::util::current_runtime::NoRuntime;
use crate::verify::jose::jwk_set::{Selection, select};

const ISSUER: &str = "https://issuer.example.com";
const X1: &str = "ejZuOHWLCxl1jLNedvEmcJ2OueiirqRO-g5BzOTBgQY";
const X2: &str = "_KUg1pjGYRYLGez9wfL76U798W6HZwGUZgojWv0dd08";

#[tokio::test]
async fn an_unknown_id_causes_one_fetch_and_is_then_unknown() {
    let server = Server::start().await;
    server.set("/jwks", ok(&set(&[("a", X1)])));
    let (keys, _clock) = loaded(&server).await;

    let ticket = waits(miss(&keys, Some("b")));
    keys.wait(&ticket).await;
    assert!(matches!(again(&keys, Some("b"), ticket), Miss::Unknown));
    assert_eq!(server.hits("/jwks"), 2);
    // Known to be absent: told at once, without another fetch.
    assert!(matches!(miss(&keys, Some("b")), Miss::Unknown));
    assert_eq!(server.hits("/jwks"), 2);
}

#[tokio::test]
async fn a_second_unknown_id_inside_the_cooldown_is_an_outage() {
    let server = Server::start().await;
    server.set("/jwks", ok(&set(&[("a", X1)])));
    let (keys, clock) = loaded(&server).await;
    let ticket = waits(miss(&keys, Some("b")));
    keys.wait(&ticket).await;
    clock.advance(12);
    for n in 0..1_000 {
        let (outage, rest) = refused(miss(&keys, Some(&format!("stranger{n}"))));
        assert_eq!((outage, rest), (Outage::KeyUnconfirmed, secs(18)));
    }
    assert_eq!(server.hits("/jwks"), 2);
}

#[tokio::test]
async fn a_key_is_known_to_be_lacking_exactly_where_a_miss_would_say_so_and_do_nothing_else() {
    let server = Server::start().await;
    server.set("/jwks", ok(&set(&[("a", X1)])));
    let (keys, clock) = loaded(&server).await;
    assert!(
        !keys.is_known_to_lack("b"),
        "it may have been published since"
    );
    let ticket = waits(miss(&keys, Some("b")));
    assert!(!keys.is_known_to_lack("b"), "a fetch is awaited");
    keys.wait(&ticket).await;
    assert!(keys.is_known_to_lack("b") && keys.is_known_to_lack("b"));
    assert!(!keys.is_known_to_lack("a"), "it is there");
    assert!(!keys.is_known_to_lack("c"), "it was never seen");
    clock.advance(29);
    assert!(keys.is_known_to_lack("b"));
    clock.advance(1);
    assert!(!keys.is_known_to_lack("b"), "the cooldown is over");
    assert_eq!(server.hits("/jwks"), 2, "none of these fetches");
    let ticket = waits(miss(&keys, Some("b")));
    keys.wait(&ticket).await;
    server.set("/jwks", ok(&set(&[("a", X1), ("b", X2)])));
    keys.refresh_now().await.expect("a refresh");
    assert!(!keys.is_known_to_lack("b"), "it was published");
    keys.drop_keys();
    assert!(!keys.is_known_to_lack("b"), "there are no keys");
}

#[tokio::test]
async fn many_first_requests_share_one_fetch_and_find_the_rotated_key() {
    let server = Server::start().await;
    server.set("/jwks", ok(&set(&[("a", X1)])));
    let (keys, _clock) = loaded(&server).await;
    server.set("/jwks", ok(&set(&[("a", X1), ("b", X2)])));
    let tickets: Vec<_> = (0..100).map(|_| waits(miss(&keys, Some("b")))).collect();
    for ticket in tickets {
        keys.wait(&ticket).await;
        assert!(has(&keys, "b") && has(&keys, "a"));
    }
    assert_eq!(server.hits("/jwks"), 2);
}

#[tokio::test]
async fn a_swap_between_the_look_and_the_miss_asks_for_another_look() {
    let server = Server::start().await;
    server.set("/jwks", ok(&set(&[("a", X1)])));
    let (keys, _clock) = loaded(&server).await;
    keys.wait(&waits(miss(&keys, Some("b")))).await;
    let old = keys.current().expect("keys").searched();
    server.set("/jwks", ok(&set(&[("b", X2)])));
    keys.refresh_now().await.expect("a refresh");
    let ticket = waits(keys.miss(Some(old), Some("b"), None));
    keys.wait(&ticket).await;
    assert!(has(&keys, "b"));
}

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
async fn waiters_join_the_first_fetch_and_are_bounded() {
    let server = Server::start().await;
    server.set("/jwks", ok(&set(&[("a", X1)])));
    let gate = server.hold();
    let (keys, _clock) = started(&server, Some("/jwks"));
    let mut tickets: Vec<_> = (0..256)
        .map(|_| waits(keys.miss(None, Some("a"), None)))
        .collect();
    let (outage, rest) = refused(keys.miss(None, Some("a"), None));
    assert_eq!((outage, rest), (Outage::TooManyWaiting, secs(1)));
    // One who goes away frees a place and cancels nothing.
    let (waiting, ticket) = (Arc::clone(&keys), tickets.pop().expect("a ticket"));
    let gone = tokio::spawn(async move { waiting.wait(&ticket).await });
    server.requested(1).await;
    gone.abort();
    gone.await.expect_err("aborted");
    let ticket = waits(keys.miss(None, Some("a"), None));
    gate.add_permits(1);
    keys.wait(&ticket).await;
    assert!(has(&keys, "a"));
    assert_eq!(server.hits("/jwks"), 1);
}

#[tokio::test]
async fn a_wait_ends_by_real_time_although_the_clock_stands_still() {
    let server = Server::start().await;
    server.set("/jwks", ok(&set(&[("a", X1)])));
    let _gate = server.hold();
    let mut config = config(&server, Some("/jwks"));
    config.limits.wait = Duration::from_millis(50);
    let keys = RemoteKeys::new(config, Arc::new(TestClock::default())).expect("keys");
    refresh_task::start(&keys).expect("a runtime");
    let ticket = waits(keys.miss(None, None, None));
    keys.wait(&ticket).await;
    let (outage, rest) = refused(keys.miss(None, None, Some(ticket)));
    assert_eq!((outage, rest), (Outage::KeysNotLoaded, secs(1)));
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

#[test]
fn waiting_may_move_between_threads() {
    fn sendable<T: Send>(_: impl FnOnce(Arc<RemoteKeys>, WaitTicket) -> T) {}
    sendable(|keys, ticket| async move { keys.wait(&ticket).await });
    sendable(|keys, _| async move { keys.refresh_now().await });
    sendable(|_, ticket| ticket);
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn miss(keys: &RemoteKeys, id: Option<&str>) -> Miss {
    keys.miss(
        keys.current().ok().map(|loaded| loaded.searched()),
        id,
        None,
    )
}

fn again(keys: &RemoteKeys, id: Option<&str>, ticket: WaitTicket) -> Miss {
    keys.miss(
        keys.current().ok().map(|loaded| loaded.searched()),
        id,
        Some(ticket),
    )
}

fn waits(miss: Miss) -> WaitTicket {
    match miss {
        Miss::Wait(ticket) => ticket,
        other => panic!("no wait: {other:?}"),
    }
}

fn refused(miss: Miss) -> (Outage, Duration) {
    match miss {
        Miss::Unavailable {
            outage,
            retry_after,
        } => (outage, retry_after),
        other => panic!("not refused: {other:?}"),
    }
}

fn has(keys: &RemoteKeys, id: &str) -> bool {
    let current = keys.current().expect("keys");
    matches!(
        select(&[&current], Some(id), Algorithm::EdDSA, ISSUER),
        Selection::Keys { .. }
    )
}

fn config(server: &Server, path: Option<&str>) -> RemoteConfig {
    let at = |path| format!("{}{path}", server.url);
    RemoteConfig {
        issuer: ISSUER.into(),
        tenants: Vec::new(),
        location: match path {
            Some(path) => Location::KeySet(at(path)),
            None => Location::Discovery(vec![at("/one"), at("/two")]),
        },
        algorithms: AlgorithmSet::of(Algorithm::all()),
        most_keys: 100,
        most_bytes: 256 << 10,
        lazy: false,
        http_options: HttpOptions::default(),
        limits: RefreshLimits {
            wait: secs(60), // a slow machine fails no test
            ..RefreshLimits::default()
        },
        bearer: None,
        key_set_origin: None,
        copy: None,
    }
}

fn started(server: &Server, path: Option<&str>) -> (Arc<RemoteKeys>, Arc<TestClock>) {
    let clock = Arc::new(TestClock::default());
    let keys = RemoteKeys::new(config(server, path), clock.clone()).expect("keys");
    refresh_task::start(&keys).expect("a runtime");
    (keys, clock)
}

async fn loaded(server: &Server) -> (Arc<RemoteKeys>, Arc<TestClock>) {
    let (keys, clock) = started(server, Some("/jwks"));
    keys.first_attempt().await.expect("keys");
    (keys, clock)
}

async fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        tokio::task::yield_now().await;
    }
}
