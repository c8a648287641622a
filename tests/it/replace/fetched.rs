//! Key sets that are fetched: which of them a replacement keeps, and which tasks it ends and starts.

use std::time::Duration;

use portcullis::error::ReplaceError;
use portcullis::lease::LeaseEnd;
use portcullis::test_util::{Fault, ManualClock, MockIssuer, ServedIssuer};
use portcullis::{Issuer, ResourceServer};

use super::with;
use crate::support::lease::lease_by;
use crate::support::{API, Requests as _, TestApp};

async fn served(clock: &ManualClock) -> ServedIssuer {
    MockIssuer::new().with_clock(clock.clone()).serve().await
}

fn by_address(issuer: &ServedIssuer) -> Issuer {
    Issuer::oidc(issuer.url()).key_set_url(issuer.key_set_url())
}

async fn connected(issuer: Issuer, clock: &ManualClock) -> ResourceServer {
    let builder = ResourceServer::builder(API)
        .issuer(issuer)
        .clock(clock.clone());
    let server = builder.build().expect("sound");
    server.connect().await.expect("a runtime")
}

#[tokio::test]
async fn an_issuer_with_other_rules_keeps_its_keys_and_its_task() {
    let clock = ManualClock::new();
    let issuer = served(&clock).await;
    let server = connected(by_address(&issuer), &clock).await;
    let app = TestApp::new(&server);
    let token = issuer.token().audience(API).client("web").sign();
    assert_eq!(app.verdict(&token).await, "200");
    assert_eq!(issuer.fetches(), 1);
    // The issuer is down; its keys are at hand.
    issuer.break_with(Fault::Status(503));
    for client in ["web", "cli", "web"] {
        let changed = by_address(&issuer).client_id(client);
        server.replace(with([changed])).expect("sound");
        let expected = if client == "web" {
            "200"
        } else {
            "401 invalid_token client_id"
        };
        assert_eq!(app.verdict(&token).await, expected, "{client}");
    }
    assert_eq!(issuer.fetches(), 1, "nothing was fetched again");
    issuer.recover();
    clock.advance(Duration::from_secs(700));
    server.refresh_now().await.expect("the task runs");
    assert!(issuer.fetches() > 1);
}

#[tokio::test]
async fn an_issuer_whose_keys_come_from_elsewhere_fetches_them_anew() {
    let clock = ManualClock::new();
    let (old, new) = (served(&clock).await, served(&clock).await);
    let named =
        |keys: &ServedIssuer| Issuer::oidc("https://id.example").key_set_url(keys.key_set_url());
    let server = connected(named(&old), &clock).await;
    let app = TestApp::new(&server);
    let token = |keys: &ServedIssuer| {
        let token = keys.token().issuer("https://id.example");
        token.audience(API).sign()
    };
    assert_eq!(app.verdict(&token(&old)).await, "200");
    let report = server.replace(with([named(&new)])).expect("sound");
    assert_eq!(report.changed()[0].settings(), ["key_set_url"]);
    report.connected().await.expect("it is asked");
    assert_eq!(app.verdict(&token(&new)).await, "200");
    let verdict = app.verdict(&token(&old)).await;
    assert!(verdict.starts_with("401"), "{verdict}");
    let asked = old.fetches();
    clock.advance(Duration::from_secs(3600));
    server.refresh_now().await.expect("it answers");
    assert_eq!(old.fetches(), asked, "nothing is asked there any more");
}

#[tokio::test]
async fn an_added_issuer_is_fetched_and_a_removed_one_is_left_alone() {
    let clock = ManualClock::new();
    let (one, two) = (served(&clock).await, served(&clock).await);
    let server = connected(by_address(&one), &clock).await;
    let app = TestApp::new(&server).public("/ready", server.readiness());
    let token = two.token().audience(API).sign();
    assert_eq!(
        app.verdict(&token).await,
        "401 invalid_token unknown_issuer"
    );
    let both = || with([by_address(&one), by_address(&two)]);
    let report = server.replace(both()).expect("sound");
    assert_eq!(report.added().collect::<Vec<_>>(), [two.url()]);
    report.connected().await.expect("it is asked");
    assert_eq!(app.verdict(&token).await, "200");
    assert_eq!((one.fetches(), two.fetches()), (1, 1));
    assert_eq!(server.key_set_status().len(), 2);
    server.replace(with([by_address(&one)])).expect("sound");
    assert_eq!(server.key_set_status().len(), 1);
    clock.advance(Duration::from_secs(3600));
    server.refresh_now().await.expect("it answers");
    assert_eq!(two.fetches(), 1);
}

#[tokio::test]
async fn a_new_issuer_that_is_down_is_answered_503_and_costs_the_others_nothing() {
    let clock = ManualClock::new();
    let (up, down) = (served(&clock).await, served(&clock).await);
    down.break_with(Fault::Status(500));
    let server = connected(by_address(&up), &clock).await;
    let app = TestApp::new(&server);
    let report = server.replace(with([by_address(&up), by_address(&down)]));
    let report = report.expect("sound");
    report.connected().await.expect("a status and no error");
    let token = down.token().audience(API).sign();
    let verdict = app.verdict(&token).await;
    assert!(verdict.starts_with("503"), "{verdict}");
    assert!(!server.ready());
    assert_eq!(app.verdict(&up.token().audience(API).sign()).await, "200");
}

#[tokio::test]
async fn a_connected_server_of_static_keys_starts_what_a_replacement_adds() {
    let clock = ManualClock::new();
    let (fixed, fetched) = (MockIssuer::new(), served(&clock).await);
    let server = with([fixed.trusted()]).build().expect("sound");
    let server = server.connect().await.expect("nothing to load");
    let app = TestApp::new(&server);
    let both = with([fixed.trusted(), by_address(&fetched)]);
    let report = server.replace(both).expect("sound");
    report.connected().await.expect("it is asked");
    let token = fetched
        .token()
        .audience(API)
        .expires_in(Duration::from_secs(1 << 30));
    assert_eq!(app.verdict(&token.sign()).await, "200");
}

#[test]
fn a_replacement_outside_a_runtime_uses_that_of_connect() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let clock = ManualClock::new();
    let (one, two) = runtime.block_on(async { (served(&clock).await, served(&clock).await) });
    let server = runtime.block_on(connected(by_address(&one), &clock));
    let both = with([by_address(&one), by_address(&two)]);
    let report = server.replace(both).expect("the other runtime is there");
    runtime.block_on(async {
        report.connected().await.expect("it is asked");
        let app = TestApp::new(&server);
        assert_eq!(app.verdict(&two.token().audience(API).sign()).await, "200");
    });
    let fixed = with([MockIssuer::new().trusted()]).build().expect("sound");
    // Never connected, so nothing is to be started.
    let report = fixed.replace(with([by_address(&two)])).expect("sound");
    assert_eq!(report.revision(), 2);
    assert_ne!(
        ReplaceError::NoRuntime.to_string(),
        "",
        "it says what to do"
    );
}

/// A program may replace the configuration on a runtime that lives for this alone.
#[test]
fn what_a_replacement_starts_lives_as_long_as_the_runtime_of_connect() {
    let runtime = || tokio::runtime::Runtime::new().expect("a runtime");
    let (serving, lasting) = (runtime(), runtime());
    let clock = ManualClock::new();
    let (one, two, three) = serving.block_on(async {
        let two = served(&clock).await;
        (served(&clock).await, two, served(&clock).await)
    });
    let server = lasting.block_on(connected(by_address(&one), &clock));
    let brief = runtime();
    brief.block_on(async {
        let both = with([by_address(&one), by_address(&two)]);
        server.replace(both).expect("sound");
    });
    drop(brief);
    let app = TestApp::new(&server);
    let verdict = |issuer: &ServedIssuer| {
        let token = issuer.token().audience(API).sign();
        let app = app.clone();
        serving.block_on(async move { app.verdict(&token).await })
    };
    assert_eq!(verdict(&two), "200");
    // Where that one has ended, it is the one of the replacement.
    drop(lasting);
    serving.block_on(async {
        let all = with([by_address(&one), by_address(&two), by_address(&three)]);
        let report = server.replace(all).expect("sound");
        report.connected().await.expect("it is asked");
    });
    assert_eq!(verdict(&three), "200");
}

/// A request that waits for a key when its issuer is removed, or gets other rules, is decided by them.
#[tokio::test]
async fn a_request_that_waits_for_a_key_is_decided_by_the_new_rules() {
    for (is_removed, client, expected) in [
        (true, "web", "401 invalid_token unknown_issuer"),
        (false, "web", "200"),
        (false, "cli", "401 invalid_token client_id"),
    ] {
        let clock = ManualClock::new();
        let (issuer, other) = (
            served(&clock).await,
            MockIssuer::named("https://other.example"),
        );
        let server = connected(by_address(&issuer), &clock).await;
        let app = TestApp::new(&server);
        issuer.rotate();
        clock.advance(Duration::from_secs(60));
        issuer.break_key_set_with(Fault::Hang);
        let token = issuer.token().audience(API).client("cli").sign();
        let waiting = {
            let (app, token) = (app.clone(), token.clone());
            tokio::spawn(async move { app.verdict(&token).await })
        };
        while issuer.fetches() < 2 {
            tokio::task::yield_now().await;
        }
        issuer.recover();
        let replacement = if is_removed {
            with([other.trusted()])
        } else if client == "web" {
            with([by_address(&issuer).leeway(Duration::from_secs(31))])
        } else {
            with([by_address(&issuer).client_id("web")])
        };
        server.replace(replacement).expect("sound");
        let verdict = waiting.await.expect("no panic");
        assert_eq!(verdict, expected);
    }
}

#[tokio::test]
async fn a_tenant_that_is_added_or_removed_leaves_the_others_as_they_are() {
    let clock = ManualClock::new();
    let keys = served(&clock).await;
    let tenants = |ids: &[&'static str]| {
        let issuer = Issuer::oidc_tenants("https://login.example/{tenant}/v2", "tid", ids.to_vec());
        issuer.key_set_url(keys.key_set_url())
    };
    let token = |tenant: &str| {
        let token = keys
            .token()
            .issuer(&format!("https://login.example/{tenant}/v2"));
        token.claim("tid", tenant).audience(API).sign()
    };
    let server = connected(tenants(&["one", "two"]), &clock).await;
    let app = TestApp::new(&server);
    for tenant in ["one", "two"] {
        assert_eq!(app.verdict(&token(tenant)).await, "200");
    }
    let one = lease_by(&server, &token("one")).await.expect("admitted");
    let mut two = lease_by(&server, &token("two")).await.expect("admitted");
    let report = server.replace(with([tenants(&["one", "three"])]));
    assert_eq!(report.expect("sound").changed()[0].settings(), ["issuer"]);
    assert_eq!(one.end(), None);
    assert_eq!(two.ended().await, LeaseEnd::IssuerReplaced);
    assert_eq!(app.verdict(&token("one")).await, "200");
    assert_eq!(
        app.verdict(&token("two")).await,
        "401 invalid_token unknown_issuer"
    );
    assert_eq!(app.verdict(&token("three")).await, "200");
    assert_eq!(keys.fetches(), 1, "the key set is the same");
}
