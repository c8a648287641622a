//! Poll (RFC 8936): acknowledged after the effect, refused with an error, tried again after a failure.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use portcullis::ResourceServer;
use portcullis::revocation::Revocation;
use portcullis::ssf::{
    EventType, SecurityEvent, SsfTransmitter, SsfTransmitterStatus, subject_mapper_fn,
};
use portcullis::test_util::{Endpoint, Fault, ManualClock, ServedIssuer};
use portcullis::time::{Clock as _, UnixTime};
use serde_json::{Value, json};

use super::{REVOKED, issuer};
use crate::support::{API, Requests as _, TestApp};

const POLL: Endpoint = Endpoint::SsfPoll;

struct Polled {
    clock: ManualClock,
    issuer: ServedIssuer,
    server: Option<ResourceServer>,
}

impl Polled {
    async fn new() -> Self {
        let clock = ManualClock::new();
        let issuer = issuer(&clock).serve().await;
        let server = None;
        Self {
            clock,
            issuer,
            server,
        }
    }

    fn queue(&self, event_type: &EventType, id: &str, subject: &str) {
        let sub_id = json!({"format": "iss_sub", "iss": self.issuer.issuer(), "sub": subject});
        let set = self.issuer.security_event(event_type);
        let set = set.claim("jti", id).claim("sub_id", sub_id).sign();
        self.issuer.queue_security_event(set);
    }

    async fn connect(&mut self, settings: impl FnOnce(SsfTransmitter) -> SsfTransmitter) {
        let server = self.build(settings, 1_000_000);
        self.server = Some(server.connect().await.expect("a runtime"));
    }

    fn build(
        &self,
        settings: impl FnOnce(SsfTransmitter) -> SsfTransmitter,
        room: usize,
    ) -> ResourceServer {
        let transmitter = self.issuer.transmitter().poll(self.issuer.url_of(POLL));
        let builder = ResourceServer::builder(API)
            .issuer(self.issuer.trusted())
            .clock(self.clock.clone())
            .most_revocations(room)
            .ssf_transmitter(settings(transmitter));
        builder.build().expect("sound")
    }

    fn server(&self) -> &ResourceServer {
        self.server.as_ref().expect("connected")
    }

    async fn verdict(&self, subject: &str) -> String {
        let token = self.issuer.token().subject(subject).sign();
        TestApp::new(self.server()).verdict(&token).await
    }

    /// Ends when so many polls have come and the last one was answered.
    async fn polled(&self, count: usize) {
        self.issuer.await_requests(POLL, count).await;
        while self.status().poll().expect("polled").polls() < count as u64 {
            tokio::task::yield_now().await;
        }
    }

    fn status(&self) -> SsfTransmitterStatus {
        let status = self.server().ssf_status();
        status.transmitters()[0].clone()
    }

    fn question(&self) -> Value {
        let last = self.issuer.last_security_event_poll().expect("a poll");
        serde_json::from_str(&last).expect("json")
    }
}

#[tokio::test]
async fn polled_events_end_tokens_and_are_acknowledged_after_that() {
    let mut site = Polled::new().await;
    site.queue(&EventType::ACCOUNT_DISABLED, "1", "user-1");
    site.queue(&EventType::ACCOUNT_PURGED, "2", "user-2");
    site.connect(|transmitter| transmitter).await;
    // The second request acknowledges.
    site.polled(2).await;
    assert_eq!(site.issuer.acknowledged_security_events(), ["1", "2"]);
    for subject in ["user-1", "user-2"] {
        assert_eq!(site.verdict(subject).await, REVOKED);
    }
    assert_eq!(site.verdict("user-3").await, "200");
    assert_eq!(
        site.question(),
        json!({"ack": ["1", "2"], "maxEvents": 100, "returnImmediately": true})
    );
    // Later ones after the interval.
    site.queue(&EventType::ACCOUNT_DISABLED, "3", "user-3");
    site.clock.await_sleepers(1).await;
    site.clock.advance(Duration::from_secs(10));
    site.polled(4).await;
    assert_eq!(site.verdict("user-3").await, REVOKED);
    let status = site.status();
    assert_eq!((status.received(), status.applied()), (3, 3));
    let poll = status.poll().expect("it is polled");
    assert_eq!(
        (poll.polls(), poll.failures(), poll.last_error()),
        (4, 0, None)
    );
    assert_eq!(poll.last_success(), Some(site.clock.now()));
}

#[tokio::test]
async fn more_events_than_one_answer_has_come_at_once() {
    let mut site = Polled::new().await;
    for number in 0..1000 {
        let id = number.to_string();
        site.queue(&EventType::ACCOUNT_DISABLED, &id, &format!("user-{number}"));
    }
    site.connect(|transmitter| transmitter.poll_max_events(100))
        .await;
    site.polled(11).await;
    assert_eq!(site.issuer.queued_security_events(), 0);
    assert_eq!(site.issuer.acknowledged_security_events().len(), 1000);
    assert_eq!(site.server().revocations().len(), 1000);
    assert_eq!(site.status().applied(), 1000);
}

#[tokio::test]
async fn refused_events_are_reported_with_their_error() {
    let mut site = Polled::new().await;
    let event = || site.issuer.security_event(&EventType::SESSION_REVOKED);
    let forged = event().claim("jti", "forged").sign_with_wrong_key();
    let foreign = event()
        .claim("jti", "foreign")
        .issuer("https://else.example")
        .sign();
    let audience = event()
        .claim("jti", "audience")
        .claim("aud", "other")
        .sign();
    let sets = [
        ("forged", forged),
        ("foreign", foreign),
        ("audience", audience),
        ("renamed", event().claim("jti", "another").sign()),
        ("nonsense", "nonsense".to_owned()),
    ];
    for (id, set) in sets {
        site.issuer.queue_security_event_as(id, set);
    }
    site.queue(&EventType::ACCOUNT_DISABLED, "good", "user-1");
    site.connect(|transmitter| transmitter).await;
    site.polled(2).await;
    let mut refused = site.issuer.refused_security_events();
    refused.sort();
    let expected = [
        ("audience", "invalid_audience"),
        ("foreign", "invalid_issuer"),
        ("forged", "invalid_key"),
        ("nonsense", "invalid_request"),
        ("renamed", "invalid_request"),
    ];
    let expected = expected.map(|(id, code)| (id.to_owned(), code.to_owned()));
    assert_eq!(refused, expected);
    assert_eq!(site.issuer.acknowledged_security_events(), ["good"]);
    assert_eq!(site.server().revocations().len(), 1);
}

#[tokio::test]
async fn an_event_that_could_not_be_stored_is_not_acknowledged_and_comes_again() {
    let mut site = Polled::new().await;
    site.queue(&EventType::ACCOUNT_DISABLED, "1", "user-1");
    let server = site.build(|transmitter| transmitter, 1);
    let name = site.issuer.issuer();
    let before = Revocation::subject(
        &name,
        "other",
        UnixTime::from_secs(site.clock.now().as_secs()),
    );
    server.revocations().revoke(before.clone()).expect("room");
    site.server = Some(server.connect().await.expect("a runtime"));
    site.polled(1).await;
    site.clock.await_sleepers(1).await;
    assert_eq!(site.verdict("user-1").await, "200");
    assert!(site.issuer.acknowledged_security_events().is_empty());
    assert!(site.server().revocations().withdraw(&before));
    site.clock.advance(Duration::from_secs(2));
    site.polled(3).await;
    assert_eq!(site.verdict("user-1").await, REVOKED);
    assert_eq!(site.issuer.acknowledged_security_events(), ["1"]);
    assert_eq!((site.status().failed(), site.status().applied()), (1, 1));
}

#[tokio::test]
async fn an_application_that_panics_loses_no_event() {
    let calls = Arc::new(AtomicUsize::new(0));
    let mut site = Polled::new().await;
    site.queue(&EventType::ACCOUNT_DISABLED, "1", "user-1");
    let counted = Arc::clone(&calls);
    let mapper = subject_mapper_fn(move |_: SecurityEvent| {
        let call = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            assert!(call > 0, "the first call fails");
            Ok(None)
        }
    });
    site.connect(|transmitter| transmitter.map_subjects(mapper))
        .await;
    site.polled(1).await;
    site.clock.await_sleepers(1).await;
    site.clock.advance(Duration::from_secs(2));
    site.polled(3).await;
    assert_eq!(site.verdict("user-1").await, REVOKED);
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_failed_poll_backs_off_and_keeps_what_is_to_be_acknowledged() {
    let mut site = Polled::new().await;
    let failures = [
        Fault::Status(500),
        Fault::Refuse,
        Fault::Redirect("https://else.example".to_owned()),
        Fault::Body(b"[]".to_vec()),
        Fault::Body(vec![b' '; 17 << 20]),
        Fault::TooManyRequests(Duration::from_secs(1)),
    ];
    site.issuer.break_endpoint_with(POLL, Fault::Status(503));
    site.connect(|transmitter| transmitter).await;
    site.polled(1).await;
    for (number, fault) in failures.into_iter().enumerate() {
        site.clock.await_sleepers(1).await;
        let status = site.status();
        let poll = status.poll().expect("polled");
        assert_eq!(poll.failures() as usize, number + 1);
        assert!(poll.last_error().is_some());
        let next = poll.next_in().expect("a time");
        let pause = Duration::from_secs(1 << number);
        assert!(
            (pause..=pause * 5 / 4).contains(&next),
            "{number}: {next:?}"
        );
        site.issuer.break_endpoint_with(POLL, fault);
        site.clock.advance(next);
        site.polled(number + 2).await;
    }
    site.clock.await_sleepers(1).await;
    site.queue(&EventType::ACCOUNT_DISABLED, "1", "user-1");
    let token = site.issuer.token().sign();
    site.issuer.recover();
    site.clock.advance(Duration::from_secs(100));
    site.polled(9).await;
    assert_eq!(TestApp::new(site.server()).verdict(&token).await, REVOKED);
    assert_eq!(site.issuer.acknowledged_security_events(), ["1"]);
    let status = site.status();
    assert_eq!(
        status
            .poll()
            .map(|poll| (poll.failures(), poll.last_error())),
        Some((0, None))
    );
}

#[tokio::test]
async fn a_bearer_token_is_sent_and_may_be_computed() {
    let mut site = Polled::new().await;
    site.issuer.require_poll_token("t-1");
    site.queue(&EventType::ACCOUNT_DISABLED, "1", "user-1");
    site.connect(|transmitter| transmitter.poll_bearer("t-0"))
        .await;
    site.polled(1).await;
    let error = site
        .status()
        .poll()
        .and_then(|poll| poll.last_error().map(ToOwned::to_owned));
    assert_eq!(error.as_deref(), Some("the poll endpoint answered 401"));
    assert!(!format!("{:?}", site.status()).contains("t-0"));
    let calls = Arc::new(AtomicUsize::new(0));
    site.connect(|transmitter| {
        transmitter.poll_bearer_fn(move || {
            let call = calls.fetch_add(1, Ordering::SeqCst);
            async move {
                match call {
                    0 => Err("the authorization server is down".into()),
                    _ => Ok("t-1".to_owned()),
                }
            }
        })
    })
    .await;
    site.clock.await_sleepers(1).await;
    site.clock.advance(Duration::from_secs(2));
    site.issuer.await_requests(POLL, 3).await;
    assert_eq!(site.verdict("user-1").await, REVOKED);
}

#[tokio::test]
async fn a_bearer_token_that_never_comes_and_one_that_panics_are_failed_polls() {
    let calls = Arc::new(AtomicUsize::new(0));
    let mut site = Polled::new().await;
    site.queue(&EventType::ACCOUNT_DISABLED, "1", "user-1");
    site.connect(|transmitter| {
        transmitter.poll_bearer_fn(move || {
            let call = calls.fetch_add(1, Ordering::SeqCst);
            assert!(call != 1, "the second call fails");
            async move {
                if call == 0 {
                    std::future::pending::<()>().await;
                }
                Ok("t-1".to_owned())
            }
        })
    })
    .await;
    for (failures, wait) in [(1, 10), (2, 2)] {
        site.clock.await_sleepers(1).await;
        site.clock.advance(Duration::from_secs(wait));
        while site.status().poll().expect("polled").failures() < failures {
            tokio::task::yield_now().await;
        }
        let status = site.status();
        let error = status.poll().and_then(|poll| poll.last_error());
        assert!(error.expect("an error").contains("no bearer token"));
    }
    assert_eq!(site.issuer.requests(POLL), 0);
    site.clock.await_sleepers(1).await;
    site.clock.advance(Duration::from_secs(3));
    site.issuer.await_requests(POLL, 2).await;
    assert_eq!(site.verdict("user-1").await, REVOKED);
}

#[tokio::test]
async fn a_transmitter_that_ignores_acknowledgements_causes_no_loop() {
    let mut site = Polled::new().await;
    site.issuer.redeliver_security_events();
    site.queue(&EventType::ACCOUNT_DISABLED, "1", "user-1");
    site.issuer.queue_security_event_as("bad", "bad");
    site.connect(|transmitter| transmitter).await;
    site.polled(2).await;
    site.clock.await_sleepers(1).await;
    assert_eq!(site.issuer.requests(POLL), 2);
    assert_eq!((site.status().applied(), site.status().repeated()), (1, 1));
}

#[tokio::test]
async fn a_long_poll_says_so_and_the_task_ends_with_the_server() {
    let mut site = Polled::new().await;
    site.issuer.break_endpoint_with(POLL, Fault::Hang);
    site.connect(|transmitter| transmitter.poll_wait(Duration::from_secs(30)))
        .await;
    site.issuer.await_requests(POLL, 1).await;
    site.issuer.recover();
    site.polled(1).await;
    assert_eq!(site.question()["returnImmediately"], false);
    site.clock.await_sleepers(1).await;
    let sleepers = site.clock.sleepers();
    assert!(sleepers > 0);
    site.server = None;
    while site.clock.sleepers() > 0 {
        tokio::task::yield_now().await;
    }
    site.clock.advance(Duration::from_secs(3600));
    tokio::task::yield_now().await;
    assert_eq!(site.issuer.requests(POLL), 1);
}

#[tokio::test]
async fn connecting_twice_polls_once() {
    let mut site = Polled::new().await;
    site.connect(|transmitter| transmitter).await;
    let again = site.server().clone().connect().await.expect("a runtime");
    site.polled(1).await;
    site.clock.await_sleepers(1).await;
    assert_eq!(site.issuer.requests(POLL), 1);
    drop(again);
}
