//! Which subject ends what, and whose subjects are left alone.

use portcullis::ResourceServer;
use portcullis::revocation::{Revocation, RevocationEntry, RevocationKind};
use portcullis::ssf::{EventType, SecurityEvent, SubjectIdentifier, subject_mapper_fn};
use portcullis::test_util::{ManualClock, MockIssuer};
use serde_json::{Value, json};

use super::{REVOKED, Site, app, issuer, push};
use crate::support::{API, Requests as _};

/// What the event with this subject revokes: kind and id of each, in order.
async fn revoked(
    site: &Site,
    event_type: &EventType,
    sub_id: Value,
) -> Vec<(RevocationKind, String)> {
    for entry in site.server.revocations().list() {
        site.server.revocations().withdraw(entry.revocation());
    }
    let set = site.event(event_type).claim("sub_id", sub_id).sign();
    assert_eq!(site.push(set).await, 202);
    let entries = site.server.revocations().list();
    let mut found: Vec<_> = entries
        .iter()
        .map(RevocationEntry::revocation)
        .map(|one| (one.kind(), one.id().unwrap_or_default().to_owned()))
        .collect();
    found.sort_by_key(|(kind, id)| (kind.as_str(), id.clone()));
    found
}

#[tokio::test]
async fn the_default_table_ends_tokens_sessions_and_subjects() {
    use RevocationKind::{Session, Subject, SubjectWithoutSession, Token};

    let site = Site::new();
    let iss = site.issuer.issuer();
    let user = json!({"format": "iss_sub", "iss": iss, "sub": "user-1"});
    let opaque = json!({"format": "opaque", "id": "s-1"});
    let jwt = json!({"format": "jwt_id", "iss": iss, "jti": "t-1"});
    let device = json!({"format": "opaque", "id": "d-1"});
    let with_session = json!({"format": "complex", "user": user, "session": opaque});
    let with_device =
        json!({"format": "complex", "user": user, "device": device, "tenant": opaque});
    let aliases = json!({"format": "aliases", "identifiers": [
        {"format": "email", "email": "a@example.com"}, user,
    ]});
    let own = |kind: RevocationKind, id: &str| (kind, id.to_owned());
    let revoked_session = &EventType::SESSION_REVOKED;
    let change = &EventType::TOKEN_CLAIMS_CHANGE;
    let credential = &EventType::CREDENTIAL_CHANGE;
    for (event_type, subject, expected) in [
        (revoked_session, &user, vec![own(Subject, "user-1")]),
        (revoked_session, &opaque, vec![own(Session, "s-1")]),
        (
            revoked_session,
            &with_session,
            vec![own(Session, "s-1"), own(SubjectWithoutSession, "user-1")],
        ),
        (revoked_session, &with_device, vec![own(Subject, "user-1")]),
        (revoked_session, &aliases, vec![own(Subject, "user-1")]),
        (
            revoked_session,
            &json!({"format": "complex", "session": jwt}),
            vec![own(Token, "t-1")],
        ),
        (change, &jwt, vec![own(Token, "t-1")]),
        (change, &user, vec![own(Subject, "user-1")]),
        (change, &opaque, vec![]),
        (credential, &user, vec![own(Subject, "user-1")]),
        (credential, &with_session, vec![own(Subject, "user-1")]),
        (credential, &jwt, vec![own(Token, "t-1")]),
        (
            &EventType::ACCOUNT_DISABLED,
            &with_session,
            vec![own(Subject, "user-1")],
        ),
        (
            &EventType::ACCOUNT_PURGED,
            &user,
            vec![own(Subject, "user-1")],
        ),
        (
            &EventType::SESSIONS_REVOKED,
            &user,
            vec![own(Subject, "user-1")],
        ),
        (
            revoked_session,
            &json!({"format": "email", "email": "a@example.com"}),
            vec![],
        ),
        (
            revoked_session,
            &json!({"format": "complex", "device": device}),
            vec![],
        ),
        (
            revoked_session,
            &json!({"format": "catalog_item", "catalog_id": "1"}),
            vec![],
        ),
    ] {
        assert_eq!(
            revoked(&site, event_type, subject.clone()).await,
            expected,
            "{event_type} {subject}"
        );
    }
    let status = site.status();
    assert_eq!(
        (status.applied(), status.unmapped(), status.foreign()),
        (14, 4, 0)
    );
}

#[tokio::test]
async fn a_session_with_its_user_ends_and_other_sessions_go_on() {
    let site = Site::new();
    let ended = [
        site.token("user-1", Some("s-1"), 10),
        site.token("user-1", None, 10),
    ];
    let other = [
        site.token("user-1", Some("s-2"), 10),
        site.token("user-2", None, 10),
    ];
    let subject = json!({
        "format": "complex",
        "session": {"format": "opaque", "id": "s-1"},
        "user": {"format": "iss_sub", "iss": site.issuer.issuer(), "sub": "user-1"},
    });
    let set = site
        .event(&EventType::SESSION_REVOKED)
        .claim("sub_id", subject);
    assert_eq!(site.push(set.sign()).await, 202);
    for token in &ended {
        assert_eq!(site.verdict(token).await, REVOKED);
    }
    for token in &other {
        assert_eq!(site.verdict(token).await, "200");
    }
}

#[tokio::test]
async fn subjects_of_another_realm_are_never_acted_on() {
    let clock = ManualClock::new();
    let (own, other) = (issuer(&clock), MockIssuer::named("https://other.test"));
    let other = other.with_clock(clock.clone());
    let build = |speaks: bool| {
        let transmitter = own.transmitter();
        let transmitter = if speaks {
            transmitter.speaks_for(other.issuer())
        } else {
            transmitter
        };
        ResourceServer::builder(API)
            .issuer(own.trusted())
            .issuer(other.trusted())
            .clock(clock.clone())
            .ssf_transmitter(transmitter)
            .build()
            .expect("sound")
    };
    let token = other.token().sign();
    let foreign = json!({"format": "iss_sub", "iss": other.issuer(), "sub": MockIssuer::SUBJECT});
    let unknown = json!({"format": "iss_sub", "iss": "https://nowhere.example", "sub": "1"});
    let jwt = json!({"format": "jwt_id", "iss": other.issuer(), "jti": "1"});
    let in_complex = json!({"format": "complex", "user": foreign, "session": foreign});
    let server = build(false);
    let silent = app(&server);
    for subject in [&foreign, &unknown, &jwt, &in_complex] {
        let set = own
            .security_event(&EventType::SESSION_REVOKED)
            .claim("sub_id", subject);
        assert_eq!(push(&silent, set.sign()).await.status.as_u16(), 202);
    }
    assert!(server.revocations().is_empty());
    assert_eq!(silent.verdict(&token).await, "200");
    let status = server.ssf_status();
    assert_eq!(status.transmitters()[0].foreign(), 4);
    // The twin: it speaks for that issuer.
    let server = build(true);
    let speaking = app(&server);
    let set = own
        .security_event(&EventType::SESSION_REVOKED)
        .claim("sub_id", foreign);
    assert_eq!(push(&speaking, set.sign()).await.status.as_u16(), 202);
    assert_eq!(speaking.verdict(&token).await, REVOKED);
}

#[tokio::test]
async fn a_session_is_of_the_realm_of_its_user() {
    let clock = ManualClock::new();
    let (own, other) = (issuer(&clock), MockIssuer::named("https://other.test"));
    let third = MockIssuer::named("https://third.test").with_clock(clock.clone());
    let other = other.with_clock(clock.clone());
    let server = ResourceServer::builder(API)
        .issuer(own.trusted())
        .issuer(other.trusted())
        .issuer(third.trusted())
        .clock(clock.clone())
        .ssf_transmitter(own.transmitter().speaks_for(other.issuer()))
        .build()
        .expect("sound");
    let app = app(&server);
    let token = |issuer: &MockIssuer| issuer.token().claim("sid", "s-1").sign();
    let event = |issuer: &str| {
        let subject = json!({
            "format": "complex",
            "session": {"format": "opaque", "id": "s-1"},
            "user": {"format": "iss_sub", "iss": issuer, "sub": MockIssuer::SUBJECT},
        });
        own.security_event(&EventType::SESSION_REVOKED)
            .claim("sub_id", subject)
            .sign()
    };
    // A user of an issuer that the transmitter does not speak for: no session ends.
    for issuer in [third.issuer(), "https://nowhere.example".to_owned()] {
        assert_eq!(push(&app, event(&issuer)).await.status.as_u16(), 202);
    }
    assert!(server.revocations().is_empty());
    assert_eq!(server.ssf_status().transmitters()[0].foreign(), 2);
    // The twin: the session ends in the realm of the user, and in no other.
    assert_eq!(
        push(&app, event(&other.issuer())).await.status.as_u16(),
        202
    );
    assert_eq!(app.verdict(&token(&other)).await, REVOKED);
    for issuer in [&own, &third] {
        assert_eq!(app.verdict(&token(issuer)).await, "200");
    }
}

#[tokio::test]
async fn a_part_of_a_subject_that_ends_nothing_is_counted() {
    let site = Site::with(|transmitter| {
        let issuer = transmitter_issuer(&transmitter);
        transmitter.map_subjects(subject_mapper_fn(move |event: SecurityEvent| {
            let issuer = issuer.clone();
            async move {
                let is_mapped = matches!(event.subject(), Some(SubjectIdentifier::Opaque { .. }));
                Ok(is_mapped.then(|| {
                    ["https://else.example", &issuer]
                        .map(|issuer| Revocation::session(issuer, "1"))
                        .to_vec()
                }))
            }
        }))
    });
    let own = json!({"format": "iss_sub", "iss": site.issuer.issuer(), "sub": "user-1"});
    let foreign = json!({"format": "iss_sub", "iss": "https://else.example", "sub": "1"});
    let email = json!({"format": "email", "email": "alice@example.com"});
    let session = json!({"format": "opaque", "id": "s-1"});
    for (subject, unmapped, foreign) in [
        // By the application.
        (&session, 0, 1),
        (
            &json!({"format": "aliases", "identifiers": [own, foreign]}),
            0,
            2,
        ),
        // The session ends, and the account is not known.
        (
            &json!({"format": "complex", "user": email, "session": session}),
            1,
            2,
        ),
        // Names of one subject: one of them suffices.
        (
            &json!({"format": "aliases", "identifiers": [own, email]}),
            1,
            2,
        ),
    ] {
        let set = site.event(&EventType::ACCOUNT_DISABLED);
        assert_eq!(site.push(set.claim("sub_id", subject).sign()).await, 202);
        let status = site.status();
        let counts = (status.unmapped(), status.foreign());
        assert_eq!(counts, (unmapped, foreign), "{subject}");
    }
    assert_eq!(site.status().applied(), 4);
}

#[tokio::test]
async fn the_application_maps_what_the_table_does_not_know() {
    let site = Site::with(|transmitter| {
        let issuer = transmitter_issuer(&transmitter);
        transmitter.map_subjects(subject_mapper_fn(move |event: SecurityEvent| {
            let issuer = issuer.clone();
            async move {
                Ok(match event.subject() {
                    Some(SubjectIdentifier::Email { email, .. }) => match email.as_str() {
                        "alice@example.com" => {
                            let before = event.occurred_at();
                            Some(vec![Revocation::subject(&issuer, "user-1", before)])
                        }
                        "foreign@example.com" => {
                            Some(vec![Revocation::session("https://else.example", "1")])
                        }
                        "broken@example.com" => return Err("no connection".into()),
                        _ => Some(vec![]),
                    },
                    _ => None,
                })
            }
        }))
    });
    let token = site.token("user-1", None, 10);
    let event = |email: &str| {
        let subject = json!({"format": "email", "email": email});
        site.event(&EventType::ACCOUNT_DISABLED)
            .claim("sub_id", subject)
            .sign()
    };
    assert_eq!(site.push(event("bob@example.com")).await, 202);
    assert_eq!(site.push(event("foreign@example.com")).await, 202);
    assert_eq!(site.push(event("broken@example.com")).await, 503);
    assert_eq!(site.verdict(&token).await, "200");
    assert_eq!(site.push(event("alice@example.com")).await, 202);
    assert_eq!(site.verdict(&token).await, REVOKED);
    // What it leaves to the table.
    let other = site.token("user-2", None, 10);
    let subject = json!({"format": "iss_sub", "iss": site.issuer.issuer(), "sub": "user-2"});
    let set = site
        .event(&EventType::ACCOUNT_DISABLED)
        .claim("sub_id", subject);
    assert_eq!(site.push(set.sign()).await, 202);
    assert_eq!(site.verdict(&other).await, REVOKED);
    let status = site.status();
    assert_eq!(
        (status.unmapped(), status.foreign(), status.failed()),
        (1, 1, 1)
    );
    assert_eq!(status.applied(), 2);
}

fn transmitter_issuer(_: &portcullis::ssf::SsfTransmitter) -> String {
    MockIssuer::new().issuer()
}

#[tokio::test]
async fn a_mapper_that_hangs_is_bounded_in_time() {
    let site = Site::with(|transmitter| {
        transmitter.map_subjects(subject_mapper_fn(|_: SecurityEvent| async {
            std::future::pending::<()>().await;
            Ok(None)
        }))
    });
    let set = site.event(&EventType::SESSION_REVOKED).sign();
    let (app, clock) = (site.app.clone(), site.clock.clone());
    let pushed = tokio::spawn(async move { push(&app, set).await.status.as_u16() });
    clock.await_sleepers(1).await;
    clock.advance(std::time::Duration::from_secs(3));
    assert_eq!(pushed.await.expect("no panic"), 503);
    assert_eq!(site.status().failed(), 1);
}
