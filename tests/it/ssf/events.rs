//! Which type of event does what, and when it occurred.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use portcullis::ssf::{EventEffect, EventType, SecurityEvent, SubjectIdentifier};
use portcullis::time::UnixTime;
use serde_json::json;

use super::{REVOKED, Site};
use crate::support::logs::Logs;

const DECREASE: &str = "decrease";

#[tokio::test]
async fn events_without_an_effect_are_counted() {
    let site = Site::new();
    let token = site.token("user-1", None, 10);
    for event_type in [
        EventType::SESSION_ESTABLISHED,
        EventType::SESSION_PRESENTED,
        EventType::DEVICE_COMPLIANCE_CHANGE,
        EventType::RISK_LEVEL_CHANGE,
        EventType::ACCOUNT_ENABLED,
        EventType::ACCOUNT_CREDENTIAL_CHANGE_REQUIRED,
        EventType::CREDENTIAL_COMPROMISE,
        EventType::IDENTIFIER_CHANGED,
        EventType::IDENTIFIER_RECYCLED,
        EventType::from_static("https://idp.example.com/events/own"),
    ] {
        assert_eq!(site.push(site.event(&event_type).sign()).await, 202);
    }
    assert_eq!(site.verdict(&token).await, "200");
    assert_eq!((site.status().ignored(), site.status().applied()), (10, 0));
}

#[tokio::test]
async fn an_assurance_level_that_decreases_ends_tokens() {
    let site = Site::new();
    let token = site.token("user-1", None, 10);
    let event = |payload| {
        let event_type = EventType::ASSURANCE_LEVEL_CHANGE;
        site.event(&event_type).event(&event_type, payload).sign()
    };
    for payload in [
        json!({"namespace": "NIST-AAL", "current_level": "nist-aal2", "change_direction": "increase"}),
        json!({"namespace": "x", "current_level": "y"}),
        json!({"change_direction": ["decrease"]}),
    ] {
        assert_eq!(site.push(event(payload)).await, 202);
        assert_eq!(site.verdict(&token).await, "200");
    }
    assert_eq!(
        site.push(event(json!({"change_direction": DECREASE})))
            .await,
        202
    );
    assert_eq!(site.verdict(&token).await, REVOKED);
}

#[tokio::test]
async fn a_setting_changes_what_an_event_does() {
    let site = Site::with(|transmitter| {
        transmitter
            .on(EventType::SESSION_REVOKED, EventEffect::Ignore)
            .on(EventType::CREDENTIAL_COMPROMISE, EventEffect::RevokeSubject)
    });
    let token = site.token("user-1", None, 10);
    assert_eq!(
        site.push(site.event(&EventType::SESSION_REVOKED).sign())
            .await,
        202
    );
    assert_eq!(site.verdict(&token).await, "200");
    assert_eq!(
        site.push(site.event(&EventType::CREDENTIAL_COMPROMISE).sign())
            .await,
        202
    );
    assert_eq!(site.verdict(&token).await, REVOKED);
}

#[tokio::test]
async fn a_revocation_reaches_up_to_the_time_of_the_event() {
    for (ago, payload, toe, expected) in [
        // The event's own time counts first, then `toe`, then `iat`.
        (500, json!({"event_timestamp": -300}), None, REVOKED),
        (100, json!({"event_timestamp": -300}), None, "200"),
        (100, json!({"event_timestamp": -300}), Some(0), "200"),
        (500, json!({}), Some(-300), REVOKED),
        (100, json!({}), Some(-300), "200"),
        (100, json!({}), None, REVOKED),
        // Milliseconds, or another time far ahead, are not believed.
        (
            100,
            json!({"event_timestamp": 1_000_000_000_000_i64}),
            None,
            REVOKED,
        ),
        (
            100,
            json!({"event_timestamp": 1_000_000_000_000_i64}),
            Some(-300),
            "200",
        ),
        (100, json!({}), Some(100_000), REVOKED),
    ] {
        let site = Site::new();
        let token = site.token("user-1", None, ago);
        let now = site.now();
        let mut payload = payload;
        if let Some(offset) = payload
            .get("event_timestamp")
            .and_then(serde_json::Value::as_i64)
        {
            payload["event_timestamp"] = (now + offset).into();
        }
        let event_type = EventType::ACCOUNT_DISABLED;
        let mut set = site.event(&event_type).event(&event_type, &payload);
        if let Some(offset) = toe {
            set = set.claim("toe", now + offset);
        }
        assert_eq!(site.push(set.sign()).await, 202);
        assert_eq!(
            site.verdict(&token).await,
            expected,
            "{ago} {payload} {toe:?}"
        );
        // A sign-in that is yet to come is good, whatever the event states.
        site.clock.advance(Duration::from_secs(400));
        let later = site.token("user-1", None, 0);
        assert_eq!(site.verdict(&later).await, "200", "{payload} {toe:?}");
    }
}

#[tokio::test]
async fn every_event_of_a_token_counts_and_subjects_of_drafts_are_read() {
    let site = Site::new();
    let token = site.token("user-1", None, 10);
    let subject = json!({"subject_type": "iss-sub", "iss": site.issuer.issuer(), "sub": "user-1"});
    let set = site
        .event(&EventType::ACCOUNT_ENABLED)
        .without("sub_id")
        .event(&EventType::ACCOUNT_DISABLED, json!({ "subject": subject }))
        .event(&EventType::SESSION_REVOKED, json!({}));
    assert_eq!(site.push(set.sign()).await, 202);
    assert_eq!(site.verdict(&token).await, REVOKED);
    let status = site.status();
    assert_eq!((status.received(), status.applied()), (1, 1));
    assert_eq!(
        (status.ignored(), status.unmapped()),
        (1, 1),
        "one names no subject"
    );
    let many = (0..17).fold(site.event(&EventType::ACCOUNT_ENABLED), |set, number| {
        set.event(
            &EventType::new(format!("https://e.example/{number}")),
            json!({}),
        )
    });
    assert_eq!(super::refusal(&site, many.sign()).await, "invalid_request");
}

#[tokio::test]
async fn stream_events_are_remembered() {
    let site = Site::new();
    let stream = json!({"format": "opaque", "id": "stream-1"});
    let verification = EventType::VERIFICATION;
    let set = site
        .event(&verification)
        .claim("sub_id", &stream)
        .event(&verification, json!({"state": "c3RhdGU="}));
    assert_eq!(site.push(set.sign()).await, 202);
    let updated = EventType::STREAM_UPDATED;
    let set = site.event(&updated).claim("sub_id", &stream).event(
        &updated,
        json!({"status": "paused", "reason": "License is not valid"}),
    );
    assert_eq!(site.push(set.sign()).await, 202);
    let status = site.status();
    let seen = status.verification().expect("a verification");
    assert_eq!(
        (seen.state(), seen.stream_id()),
        (Some("c3RhdGU="), Some("stream-1"))
    );
    assert_eq!(seen.received_at().as_secs(), site.now());
    let stream = status.stream().expect("a status");
    assert_eq!(
        (stream.status(), stream.reason()),
        ("paused", Some("License is not valid"))
    );
    assert_eq!(status.last_event().map(UnixTime::as_secs), Some(site.now()));
    assert!(site.server.revocations().is_empty());
}

#[tokio::test]
async fn the_application_sees_each_event_once() {
    let seen: Arc<Mutex<Vec<SecurityEvent>>> = Arc::default();
    let hook = Arc::clone(&seen);
    let site = Site::with(|transmitter| {
        transmitter.on_event(move |event| hook.lock().expect("no panic").push(event.clone()))
    });
    let event_type = EventType::RISK_LEVEL_CHANGE;
    let set = site
        .event(&event_type)
        .claim("jti", "jti-1")
        .claim("txn", "txn-1")
        .event(&event_type, json!({"current_level": "HIGH"}))
        .sign();
    assert_eq!(site.push(set.clone()).await, 202);
    assert_eq!(site.push(set).await, 202);
    let bad = site.event(&event_type).sign_with_wrong_key();
    assert_eq!(site.push(bad).await, 400);
    let seen = seen.lock().expect("no panic");
    let [event] = seen.as_slice() else {
        panic!("{seen:?}");
    };
    assert_eq!(event.event_type(), &event_type);
    assert_eq!(event.transmitter(), site.issuer.issuer());
    assert_eq!((event.id(), event.transaction()), ("jti-1", Some("txn-1")));
    assert_eq!(
        event.subject().map(SubjectIdentifier::format),
        Some("iss_sub")
    );
    assert_eq!(event.issued_at().as_secs(), site.now());
    assert_eq!(event.payload(), r#"{"current_level":"HIGH"}"#);
    let payload: serde_json::Value = event.deserialize().expect("json");
    assert_eq!(payload["current_level"], "HIGH");
}

#[tokio::test]
async fn what_ends_nothing_is_a_warning_once_a_minute_without_values() {
    let site = Site::new();
    let logs = Logs::default();
    let _listening = logs.listen();
    let address = json!({"format": "email", "email": "alice@example.com"});
    let foreign = json!({"format": "iss_sub", "iss": "https://else.example", "sub": "alice"});
    let event = || site.event(&EventType::SESSION_REVOKED);
    for _ in 0..3 {
        assert_eq!(
            site.push(event().claim("sub_id", &address).sign()).await,
            202
        );
        assert_eq!(site.push(event().without("jti").sign()).await, 400);
        assert_eq!(site.push(event().sign_with_wrong_key()).await, 400);
    }
    // In the same minute: the one does not hide the other.
    assert_eq!(
        site.push(event().claim("sub_id", &foreign).sign()).await,
        202
    );
    let text = logs.text();
    let count = |words: &str| text.matches(words).count();
    assert_eq!(count("nothing maps its subject"), 1, "{text}");
    assert_eq!(
        count("does not speak for the subject's issuer"),
        1,
        "{text}"
    );
    assert_eq!(
        count("that its transmitter has signed was refused"),
        1,
        "{text}"
    );
    assert!(count("a security event was refused") >= 4, "{text}");
    assert!(
        text.contains("session-revoked") && text.contains("claim=jti"),
        "{text}"
    );
    assert!(!text.contains("alice"), "{text}");
}
