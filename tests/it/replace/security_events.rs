//! Transmitters of security events, while the configuration is replaced.

use http::Request;
use portcullis::Algorithm;
use portcullis::ResourceServer;
use portcullis::ssf::{EventEffect, EventType};
use portcullis::test_util::{Endpoint, ManualClock, MockIssuer, TokenBuilder};

use super::with;
use crate::support::{API, Requests as _, TestApp, TestResponse};

const REVOKED: &str = "401 invalid_token revoked";

fn issuer(clock: &ManualClock) -> MockIssuer {
    let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
    issuer.with_clock(clock.clone())
}

async fn push(app: &TestApp, set: &TokenBuilder) -> TestResponse {
    let request = Request::post("/events").header("content-type", "application/secevent+jwt");
    let request = request.body(set.sign().into()).expect("a request");
    app.exchange(request).await
}

#[tokio::test]
async fn a_transmitter_goes_on_with_what_it_remembers_and_speaks_for_the_new_rules() {
    let clock = ManualClock::new();
    let issuer = issuer(&clock);
    let server = ResourceServer::builder(API)
        .issuer(issuer.trusted())
        .clock(clock.clone())
        .ssf_transmitter(issuer.transmitter())
        .build()
        .expect("sound");
    let events = server.ssf_push().expect("a transmitter");
    let app = TestApp::new(&server).public("/events", events);
    let event = |id: &str| {
        let event = issuer.security_event(&EventType::ACCOUNT_DISABLED);
        event.claim("jti", id)
    };
    let first = event("1");
    assert_eq!(push(&app, &first).await.status, 202);
    // Other rules for the issuer: the transmitter speaks for these.
    let changed = || issuer.trusted().also_named("https://alias.example");
    let report = server.replace(with([changed()]).ssf_transmitter(issuer.transmitter()));
    let report = report.expect("sound");
    assert_eq!(report.transmitters().count(), 1);
    assert_eq!(push(&app, &first).await.status, 202);
    let status = server.ssf_status();
    let own = status.transmitter(&issuer.issuer()).expect("it is there");
    assert_eq!((own.received(), own.repeated()), (2, 1), "it is remembered");
    let token = issuer.token().subject("user-1");
    assert_eq!(app.verdict(&token.sign()).await, REVOKED);
    // With the same rules and settings it is the same one.
    let same = server.replace(with([changed()]).ssf_transmitter(issuer.transmitter()));
    assert!(same.expect("sound").is_empty());
    // Another effect, and then none.
    let ignoring = issuer
        .transmitter()
        .on(EventType::ACCOUNT_DISABLED, EventEffect::Ignore);
    let report = server.replace(with([changed()]).ssf_transmitter(ignoring));
    assert!(
        report
            .expect("sound")
            .to_string()
            .contains("transmitters changed")
    );
    assert_eq!(push(&app, &event("2")).await.status, 202);
    server.replace(with([changed()])).expect("sound");
    let refused = push(&app, &event("3")).await;
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("invalid_issuer"), "{}", refused.body);
}

#[tokio::test]
async fn a_transmitter_that_is_added_is_polled_and_one_that_is_removed_is_not() {
    let clock = ManualClock::new();
    let issuer = issuer(&clock).serve().await;
    let server = ResourceServer::builder(API)
        .issuer(issuer.trusted())
        .clock(clock.clone())
        .build()
        .expect("sound");
    let server = server.connect().await.expect("a runtime");
    let event = |id: &str| {
        let event = issuer.security_event(&EventType::ACCOUNT_DISABLED);
        issuer.queue_security_event(event.claim("jti", id).sign());
    };
    event("1");
    let polled = issuer.transmitter().poll(issuer.url_of(Endpoint::SsfPoll));
    let replacement = with([issuer.trusted()]).ssf_transmitter(polled);
    server.replace(replacement).expect("sound");
    while server.revocations().is_empty() {
        tokio::task::yield_now().await;
    }
    server.replace(with([issuer.trusted()])).expect("sound");
    assert_eq!(server.ssf_status().transmitters().len(), 0);
    let before = issuer.requests(Endpoint::SsfPoll);
    clock.advance(std::time::Duration::from_secs(3600));
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    // The one that was under way at most.
    assert!(issuer.requests(Endpoint::SsfPoll) <= before + 1);
}
