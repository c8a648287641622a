//! What was decided by rules that are gone ends, each kind of it, and what stays goes on.

use axum::routing::get;
use portcullis::config::ClientAuthentication;
use portcullis::extract::UserInfo;
use portcullis::lease::LeaseEnd;
use portcullis::revocation::Revocation;
use portcullis::test_util::{Endpoint, ManualClock, MockIssuer};
use portcullis::{Issuer, ResourceServer};
use serde_json::json;

use super::with;
use crate::support::lease::lease_by;
use crate::support::{API, Requests as _, TestApp, trusting};

const OTHER: &str = "https://other.example";

fn hits(server: &ResourceServer) -> u64 {
    server.token_cache_status().expect("it is on").hits()
}

#[tokio::test]
async fn a_removed_issuer_ends_its_remembered_tokens_and_its_leases_at_once() {
    let (kept, removed) = (MockIssuer::new(), MockIssuer::named(OTHER));
    let server = trusting([kept.trusted(), removed.trusted()]);
    let app = TestApp::new(&server);
    let (good, gone) = (kept.token().sign(), removed.token().sign());
    for token in [&good, &gone, &good, &gone] {
        assert_eq!(app.verdict(token).await, "200");
    }
    assert_eq!(hits(&server), 2, "both are remembered");
    let mut ended = lease_by(&server, &gone).await.expect("admitted");
    let open = lease_by(&server, &good).await.expect("admitted");
    server.replace(with([kept.trusted()])).expect("sound");
    assert_eq!(app.verdict(&gone).await, "401 invalid_token unknown_issuer");
    assert_eq!(ended.ended().await, LeaseEnd::IssuerReplaced);
    assert_eq!(open.end(), None);
    let before = hits(&server);
    assert_eq!(app.verdict(&good).await, "200");
    assert_eq!(hits(&server), before + 1, "what is unchanged is remembered");
    let status = server.lease_status();
    let ends: Vec<_> = status.ended().filter(|(_, count)| *count > 0).collect();
    assert_eq!(ends, [("issuer_replaced", 1)]);
    // It is trusted again by what it is now, and not by what was remembered.
    server
        .replace(with([kept.trusted(), removed.trusted()]))
        .expect("sound");
    assert_eq!(app.verdict(&gone).await, "200");
}

#[tokio::test]
async fn other_rules_decide_the_very_next_request_of_a_remembered_token() {
    let issuer = MockIssuer::new();
    let server = trusting([issuer.trusted()]);
    let app = TestApp::new(&server);
    let (web, cli) = (issuer.token().client("web"), issuer.token().client("cli"));
    let (web, cli) = (web.sign(), cli.sign());
    for token in [&web, &cli] {
        assert_eq!(app.verdict(token).await, "200");
    }
    let mut lease = lease_by(&server, &web).await.expect("admitted");
    server
        .replace(with([issuer.trusted().client_id("web")]))
        .expect("sound");
    assert_eq!(lease.ended().await, LeaseEnd::IssuerReplaced);
    assert_eq!(app.verdict(&cli).await, "401 invalid_token client_id");
    assert_eq!(app.verdict(&web).await, "200");
    server.replace(with([issuer.trusted()])).expect("sound");
    assert_eq!(app.verdict(&cli).await, "200");
}

#[tokio::test]
async fn answers_of_an_introspection_endpoint_end_with_the_rules_and_the_credentials() {
    let clock = ManualClock::new();
    let issuer = MockIssuer::new().with_clock(clock.clone()).serve().await;
    issuer.accept_client_token("second");
    let server = ResourceServer::builder(API)
        .issuer(issuer.introspected())
        .clock(clock.clone())
        .build()
        .expect("sound");
    let app = TestApp::new(&server);
    let token = issuer.token().audience(API).issue();
    let asked = || issuer.requests(Endpoint::Introspection);
    for _ in 0..2 {
        assert_eq!(app.verdict(&token).await, "200");
    }
    assert_eq!(asked(), 1, "the answer is remembered");
    server
        .replace(with([issuer.introspected()]))
        .expect("sound");
    assert_eq!(app.verdict(&token).await, "200");
    assert_eq!(asked(), 1, "nothing has changed");
    let mut lease = lease_by(&server, &token).await.expect("admitted");
    // The secret is rotated: what was said to the old client is asked anew, leases go on.
    let rotated = || {
        let secret = ClientAuthentication::bearer("second");
        Issuer::introspected(issuer.url_of(Endpoint::Introspection))
            .identified_as(issuer.url())
            .client_authentication(secret)
    };
    let report = server.replace(with([rotated()])).expect("sound");
    assert!(
        report.to_string().contains("client_authentication"),
        "{report}"
    );
    assert!(!report.to_string().contains("second"), "no secret");
    assert_eq!(app.verdict(&token).await, "200");
    assert_eq!(asked(), 2);
    assert_eq!(lease.end(), None);
    // Other rules end both.
    let strict = rotated().client_id("nobody");
    server.replace(with([strict])).expect("sound");
    assert_eq!(lease.ended().await, LeaseEnd::IssuerReplaced);
    assert_eq!(app.verdict(&token).await, "401 invalid_token client_id");
}

#[derive(serde::Deserialize)]
struct Contact {
    email: String,
}

#[tokio::test]
async fn answers_of_a_userinfo_endpoint_end_with_the_rules() {
    let issuer = MockIssuer::new();
    issuer.set_user_info("alice", json!({"email": "alice@example.com"}));
    let issuer = issuer.serve().await;
    let asked = || issuer.trusted().userinfo(issuer.url_of(Endpoint::UserInfo));
    let server = with([asked()]).build().expect("sound");
    let server = server.connect().await.expect("a runtime");
    let app = TestApp::behind(server.authenticate()).route(
        "/",
        get(|UserInfo(contact): UserInfo<Contact>| async move { contact.email.clone() }),
    );
    let token = issuer.token().subject("alice").sign();
    for _ in 0..2 {
        let answer = app.get("/", &token).await.body_or_verdict();
        assert_eq!(answer, "alice@example.com");
    }
    assert_eq!(issuer.requests(Endpoint::UserInfo), 1);
    server.replace(with([asked()])).expect("sound");
    assert_eq!(app.verdict(&token).await, "200");
    assert_eq!(issuer.requests(Endpoint::UserInfo), 1);
    issuer.set_user_info("alice", json!({"email": "new@example.com"}));
    let changed = asked().leeway(std::time::Duration::from_secs(31));
    server.replace(with([changed])).expect("sound");
    let answer = app.get("/", &token).await.body_or_verdict();
    assert_eq!(answer, "new@example.com");
}

#[tokio::test]
async fn revocations_outlast_the_removal_of_their_issuer() {
    let (kept, removed) = (MockIssuer::new(), MockIssuer::named(OTHER));
    let both = || with([kept.trusted(), removed.trusted()]);
    let server = both().build().expect("sound");
    let app = TestApp::new(&server);
    let token = removed.token().claim("jti", "1").sign();
    assert_eq!(app.verdict(&token).await, "200");
    let revocation = Revocation::token(&removed.issuer(), "1");
    server.revocations().revoke(revocation).expect("known");
    server.replace(with([kept.trusted()])).expect("sound");
    server.replace(both()).expect("sound");
    assert_eq!(app.verdict(&token).await, "401 invalid_token revoked");
    let other = removed.token().claim("jti", "2").sign();
    assert_eq!(app.verdict(&other).await, "200");
}

#[tokio::test]
async fn static_keys_that_an_operator_dropped_stay_dropped_while_they_are_the_same() {
    let issuer = MockIssuer::new();
    let server = trusting([issuer.trusted()]);
    let app = TestApp::new(&server);
    let token = issuer.token().sign();
    let keys = server.issuer_keys(&issuer.issuer()).expect("configured");
    keys.drop_keys();
    assert_eq!(app.verdict(&token).await, "503 unavailable keys_not_loaded");
    let other_rules = issuer.trusted().client_id("web").client_id("cli");
    server.replace(with([other_rules])).expect("sound");
    assert_eq!(app.verdict(&token).await, "503 unavailable keys_not_loaded");
    issuer.rotate();
    server.replace(with([issuer.trusted()])).expect("sound");
    assert_eq!(app.verdict(&issuer.token().sign()).await, "200");
}
