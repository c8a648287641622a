//! Mistakes in the settings of transmitters.

use std::time::Duration;

use portcullis::error::ConfigMistakeKind;
use portcullis::ssf::{EventEffect, EventType, SsfTransmitter};
use portcullis::test_util::{ManualClock, MockIssuer};
use portcullis::{ResourceServer, ResourceServerBuilder};

use super::issuer;
use crate::support::API;

fn builder() -> (MockIssuer, ResourceServerBuilder) {
    let issuer = issuer(&ManualClock::new());
    let builder = ResourceServer::builder(API).issuer(issuer.trusted());
    (issuer, builder)
}

type Change = Box<dyn Fn(SsfTransmitter) -> SsfTransmitter>;

#[test]
fn each_mistake_names_its_setting() {
    use ConfigMistakeKind::{Invalid, Missing, OutOfBounds, Repeated};

    let with = |change: &dyn Fn(SsfTransmitter) -> SsfTransmitter| {
        let (issuer, builder) = builder();
        builder
            .ssf_transmitter(change(issuer.transmitter()))
            .build()
    };
    assert!(with(&|one| one).is_ok());
    let second = Duration::from_secs(1);
    let mistakes: Vec<(Change, &str, ConfigMistakeKind)> = vec![
        (Box::new(|one| one.audience("")), "audience", Invalid),
        (
            Box::new(|one| one.speaks_for("https://else.example")),
            "speaks_for",
            Invalid,
        ),
        (
            Box::new(|one| one.remembered_events(0)),
            "remembered_events",
            OutOfBounds,
        ),
        (
            Box::new(|one| one.remembered_events(10_000_001)),
            "remembered_events",
            OutOfBounds,
        ),
        (
            Box::new(|one| one.remembered_events(1).remembered_events(2)),
            "remembered_events",
            Repeated,
        ),
        (
            Box::new(|one| one.push_authorization("")),
            "push_authorization",
            Invalid,
        ),
        (
            Box::new(|one| one.push_authorization(" x")),
            "push_authorization",
            Invalid,
        ),
        (
            Box::new(|one| one.push_authorization("a\nb")),
            "push_authorization",
            Invalid,
        ),
        (
            Box::new(|one| {
                one.push_authorization("a")
                    .push_authorization("b")
                    .push_authorization("c")
            }),
            "push_authorization",
            OutOfBounds,
        ),
        (
            Box::new(|one| {
                one.on(EventType::SESSION_REVOKED, EventEffect::Ignore)
                    .on(EventType::SESSION_REVOKED, EventEffect::RevokeSubject)
            }),
            "on",
            Repeated,
        ),
        (
            Box::new(|one| one.poll("http://idp.example.com/poll")),
            "poll",
            Invalid,
        ),
        (
            Box::new(|one| one.poll("https://p").poll("https://q")),
            "poll",
            Repeated,
        ),
        (Box::new(|one| one.poll_bearer("x")), "poll_bearer", Missing),
        (
            Box::new(|one| one.poll("https://idp.example.com").poll_bearer("")),
            "poll_bearer",
            Invalid,
        ),
        (
            Box::new(|one| one.poll("https://idp.example.com").poll_bearer("a\nb")),
            "poll_bearer",
            Invalid,
        ),
        (
            Box::new(|one| one.poll_max_events(10)),
            "poll_max_events",
            Missing,
        ),
        (
            Box::new(|one| one.poll_max_events(0)),
            "poll_max_events",
            OutOfBounds,
        ),
        (
            Box::new(|one| one.poll_max_events(1001)),
            "poll_max_events",
            OutOfBounds,
        ),
        (
            Box::new(move |one| one.poll_interval(second / 100)),
            "poll_interval",
            OutOfBounds,
        ),
        (
            Box::new(move |one| one.poll_interval(second * 3601)),
            "poll_interval",
            OutOfBounds,
        ),
        (
            Box::new(move |one| one.poll_wait(second * 301)),
            "poll_wait",
            OutOfBounds,
        ),
        (
            Box::new(move |one| one.poll_wait(second * 3 / 2)),
            "poll_wait",
            OutOfBounds,
        ),
        (
            Box::new(move |one| one.leeway(second * 301)),
            "leeway",
            OutOfBounds,
        ),
        (Box::new(|one| one.algorithms([])), "algorithms", Missing),
        (
            Box::new(|one| one.root_certificate("x")),
            "root_certificate",
            Invalid,
        ),
        (
            Box::new(|one| one.configuration_url("https://idp.example.com")),
            "key_set",
            ConfigMistakeKind::Conflict,
        ),
    ];
    for (change, setting, kind) in mistakes {
        let error = with(&*change).expect_err(setting);
        assert_eq!((error.setting(), error.kind()), (setting, kind), "{error}");
        assert!(error.issuer().is_some(), "{error}");
    }
}

#[test]
fn a_transmitter_has_an_audience_an_address_and_somebody_to_speak_for() {
    let (issuer, builder) = builder();
    let without = SsfTransmitter::new(issuer.issuer()).key_set(issuer.key_set());
    let error = builder
        .ssf_transmitter(without)
        .build()
        .expect_err("no audience");
    assert_eq!(error.setting(), "audience");
    let (_, builder) = self::builder();
    let plain = SsfTransmitter::new("http://idp.example.com").audience("a");
    let error = builder
        .ssf_transmitter(plain)
        .build()
        .expect_err("plain http");
    assert_eq!(error.setting(), "ssf_transmitter");
    let (issuer, builder) = self::builder();
    let mute = SsfTransmitter::new("https://else.example").audience("a");
    let error = builder
        .ssf_transmitter(mute.clone())
        .build()
        .expect_err("no transmitter");
    assert_eq!(
        (error.setting(), error.kind()),
        ("speaks_for", ConfigMistakeKind::Missing)
    );
    let (_, builder) = self::builder();
    let heard = mute.clone().on_event(|_| {});
    assert!(builder.ssf_transmitter(heard).build().is_ok());
    let builder = ResourceServer::builder(API).issuer(issuer.trusted());
    let speaking = mute.speaks_for(issuer.issuer());
    assert!(builder.ssf_transmitter(speaking).build().is_ok());
}

#[test]
fn a_server_has_each_transmitter_once_and_at_most_sixteen() {
    let (issuer, builder) = builder();
    let error = builder
        .ssf_transmitter(issuer.transmitter())
        .ssf_transmitter(issuer.transmitter())
        .build()
        .expect_err("twice");
    assert_eq!(
        (error.setting(), error.kind()),
        ("ssf_transmitter", ConfigMistakeKind::Repeated)
    );
    let (issuer, mut builder) = self::builder();
    for number in 0..17 {
        let one = SsfTransmitter::new(format!("https://t{number}.example"));
        builder = builder.ssf_transmitter(one.audience("a").speaks_for(issuer.issuer()));
    }
    let error = builder.build().expect_err("too many");
    assert_eq!(
        (error.setting(), error.kind()),
        ("ssf_transmitter", ConfigMistakeKind::OutOfBounds)
    );
    let (_, builder) = self::builder();
    let server = builder.build().expect("sound");
    assert_eq!(
        server.ssf_push().expect_err("none").setting(),
        "ssf_transmitter"
    );
    assert!(server.ssf_status().transmitters().is_empty());
}

#[test]
fn debug_shows_no_secret() {
    let transmitter = SsfTransmitter::new("https://idp.example.com")
        .push_authorization("Bearer secret-1")
        .poll("https://idp.example.com/poll")
        .poll_bearer("secret-2");
    let (_, builder) = builder();
    let shown = format!(
        "{transmitter:?} {:?}",
        builder.ssf_transmitter(transmitter.clone())
    );
    assert!(!shown.contains("secret"), "{shown}");
}
