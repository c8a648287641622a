//! Push (RFC 8935): answers, secrets, bounds, outages.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use portcullis::ResourceServer;
use portcullis::revocation::Revocation;
use portcullis::ssf::{EventType, SecurityEvent, subject_mapper_fn};
use portcullis::test_util::{Endpoint, Fault, ManualClock, MockIssuer};
use portcullis::time::UnixTime;
use serde_json::json;
use tower::ServiceExt as _;

use super::{REVOKED, SET, Site, app, error_of, issuer, push, push_with, refusal};
use crate::support::logs::Logs;
use crate::support::{API, Requests as _};

#[tokio::test]
async fn a_pushed_event_ends_the_tokens_of_its_subject_and_no_other() {
    let site = Site::new();
    let ended = site.token("user-1", Some("s-1"), 100);
    let other = site.token("user-2", Some("s-2"), 100);
    for token in [&ended, &other] {
        assert_eq!(site.verdict(token).await, "200");
    }
    let set = site.event(&EventType::ACCOUNT_DISABLED).sign();
    let answer = push(&site.app, set.clone()).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (202, ""));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(site.verdict(&ended).await, REVOKED);
    assert_eq!(site.verdict(&other).await, "200");
    // Up to the time of the event: a later sign-in is good.
    site.clock.advance(Duration::from_secs(120));
    let later = site.token("user-1", Some("s-3"), 0);
    assert_eq!(site.verdict(&later).await, "200");
    let status = site.status();
    assert_eq!((status.received(), status.applied()), (1, 1));
    assert_eq!(status.remembered(), 1);
}

#[tokio::test]
async fn a_repeated_event_is_acknowledged_and_does_nothing() {
    let site = Site::new();
    let set = site.event(&EventType::SESSION_REVOKED).sign();
    assert_eq!(site.push(set.clone()).await, 202);
    let entries = site.server.revocations().list();
    for entry in &entries {
        assert!(site.server.revocations().withdraw(entry.revocation()));
    }
    site.clock.advance(Duration::from_secs(60));
    assert_eq!(site.push(format!("{set}\n")).await, 202);
    assert!(site.server.revocations().is_empty(), "it did nothing");
    let status = site.status();
    assert_eq!((status.received(), status.applied()), (2, 1));
    assert_eq!(status.repeated(), 1);
}

#[tokio::test]
async fn a_thousand_events_are_all_in_force() {
    let site = Site::with(|transmitter| transmitter.remembered_events(100));
    let mut pushes = tokio::task::JoinSet::new();
    for number in 0..1000 {
        let subject = format!("user-{number}");
        let sub_id = json!({"format": "iss_sub", "iss": site.issuer.issuer(), "sub": subject});
        let set = site
            .event(&EventType::ACCOUNT_PURGED)
            .claim("sub_id", sub_id);
        let (app, set) = (site.app.clone(), set.sign());
        pushes.spawn(async move { push(&app, set).await.status.as_u16() });
    }
    assert!(pushes.join_all().await.iter().all(|status| *status == 202));
    let status = site.status();
    assert_eq!((status.received(), status.applied()), (1000, 1000));
    assert_eq!(site.server.revocations().len(), 1000);
    assert_eq!(status.remembered(), 100, "bounded");
}

#[tokio::test]
async fn each_fault_of_a_token_has_its_error() {
    let site = Site::new();
    let event = || site.event(&EventType::SESSION_REVOKED);
    let now = site.now();
    for (set, expected) in [
        (event().sign_with_wrong_key(), "invalid_key"),
        (event().unsigned(), "invalid_key"),
        (
            event().key_id("unknown").sign_with_wrong_key(),
            "invalid_key",
        ),
        (
            event().issuer("https://else.example").sign(),
            "invalid_issuer",
        ),
        (event().without("iss").sign(), "invalid_request"),
        (
            event().claim("aud", "https://else.example").sign(),
            "invalid_audience",
        ),
        (event().claim("aud", json!([])).sign(), "invalid_audience"),
        (event().without("aud").sign(), "invalid_audience"),
        (event().header("typ", "JWT").sign(), "invalid_request"),
        (event().header("typ", "at+jwt").sign(), "invalid_request"),
        (
            event().header("typ", "logout+jwt").sign(),
            "invalid_request",
        ),
        (event().without_header("typ").sign(), "invalid_request"),
        (event().claim("sub", "user-1").sign(), "invalid_request"),
        (event().claim("exp", now + 60).sign(), "invalid_request"),
        (event().without("jti").sign(), "invalid_request"),
        (event().claim("jti", "").sign(), "invalid_request"),
        (
            event().claim("jti", "x".repeat(1025)).sign(),
            "invalid_request",
        ),
        (event().without("iat").sign(), "invalid_request"),
        (event().claim("iat", now + 3600).sign(), "invalid_request"),
        (event().claim("iat", "now").sign(), "invalid_request"),
        (event().claim("nbf", now + 3600).sign(), "invalid_request"),
        (event().claim("toe", "then").sign(), "invalid_request"),
        (event().without("events").sign(), "invalid_request"),
        (event().claim("events", json!({})).sign(), "invalid_request"),
        (
            event().claim("events", json!({"x": 1})).sign(),
            "invalid_request",
        ),
        (
            event().claim("events", json!(["x"])).sign(),
            "invalid_request",
        ),
        (event().claim("sub_id", "user-1").sign(), "invalid_request"),
        (event().claim("sub_id", json!({})).sign(), "invalid_request"),
        (
            event().claim("sub_id", json!({"format": "email"})).sign(),
            "invalid_request",
        ),
        (
            event()
                .event(
                    &EventType::SESSION_REVOKED,
                    json!({"event_timestamp": "then"}),
                )
                .sign(),
            "invalid_request",
        ),
        (String::new(), "invalid_request"),
        ("not a token".to_owned(), "invalid_request"),
        ("a.b.c".to_owned(), "invalid_request"),
        (
            event().claim("x", "y".repeat(20_000)).sign(),
            "invalid_request",
        ),
    ] {
        assert_eq!(refusal(&site, set.clone()).await, expected, "{set}");
    }
    assert!(site.server.revocations().is_empty());
    let counted: u64 = site.status().refused().iter().map(|(_, count)| count).sum();
    let unknown: u64 = site
        .server
        .ssf_status()
        .refused()
        .iter()
        .map(|(_, count)| count)
        .sum();
    assert_eq!(
        counted + unknown,
        34,
        "each is counted, the body that is too large too"
    );
    // The accepted twins: other spellings of the same.
    for set in [
        event().header("typ", "application/SecEvent+JWT").sign(),
        event()
            .claim(
                "aud",
                json!(["https://else.example", MockIssuer::SSF_AUDIENCE]),
            )
            .sign(),
        event().claim("iat", now - 86_400 * 7).sign(),
        event().claim("toe", now - 5).sign(),
        event().claim("unknown", 1).sign(),
    ] {
        assert_eq!(site.push(set).await, 202);
    }
    assert_eq!(site.status().applied(), 5);
}

#[tokio::test]
async fn no_other_kind_of_token_is_an_event_and_no_event_is_another_kind() {
    let clock = ManualClock::new();
    let issuer = issuer(&clock);
    let server = ResourceServer::builder(API)
        .issuer(issuer.trusted().logout_client(MockIssuer::CLIENT_ID))
        .clock(clock.clone())
        // The audience of access tokens, so that the kind alone decides.
        .ssf_transmitter(
            issuer
                .transmitter()
                .audience(API)
                .audience(MockIssuer::CLIENT_ID),
        )
        .build()
        .expect("sound");
    let app = app(&server).public("/logout", server.backchannel_logout().expect("a client"));
    let others = [
        issuer.token().sign(),
        issuer.id_token().sign(),
        issuer.logout_token().sign(),
        issuer.refresh_token(),
    ];
    for other in others {
        assert_eq!(error_of(&push(&app, other).await), "invalid_request");
    }
    let set = issuer.security_event(&EventType::SESSION_REVOKED).claim(
        "aud",
        json!([API, MockIssuer::CLIENT_ID, MockIssuer::SSF_AUDIENCE]),
    );
    // With all that an access token needs, and what a logout token needs.
    let logout = EventType::from_static("http://schemas.openid.net/event/backchannel-logout");
    let looks_alike = set
        .clone()
        .claim("exp", 4_102_444_800_u64)
        .claim("sub", "user-1")
        .claim("client_id", MockIssuer::CLIENT_ID)
        .event(&logout, json!({}));
    for set in [set.sign(), looks_alike.sign()] {
        assert_eq!(app.verdict(&set).await, "401 invalid_token token_type");
        let form = format!("logout_token={set}");
        let request = Request::post("/logout")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(form))
            .expect("a request");
        assert_eq!(app.exchange(request).await.status.as_u16(), 400);
    }
    assert!(server.revocations().is_empty());
    assert_eq!(
        push(&app, set.sign()).await.status.as_u16(),
        202,
        "the twin"
    );
}

#[tokio::test]
async fn requests_of_another_form_are_refused() {
    let site = Site::new();
    let set = site.event(&EventType::SESSION_REVOKED).sign();
    for method in ["GET", "PUT", "DELETE"] {
        let request = Request::builder().method(method).uri("/events");
        let answer = site
            .app
            .exchange(request.body(Body::empty()).expect("a request"))
            .await;
        assert_eq!(answer.status.as_u16(), 405);
        assert_eq!(answer.header("allow"), Some("POST"));
    }
    for content_type in ["application/jwt", "application/json", "text/plain"] {
        let answer = push_with(&site.app, &[("content-type", content_type)], set.clone()).await;
        assert_eq!(error_of(&answer), "invalid_request", "{content_type}");
    }
    assert_eq!(
        error_of(&push_with(&site.app, &[], set.clone()).await),
        "invalid_request"
    );
    for content_type in [
        "Application/SecEvent+JWT",
        "application/secevent+jwt; charset=utf-8",
    ] {
        let answer = push_with(&site.app, &[("content-type", content_type)], set.clone()).await;
        assert_eq!(answer.status.as_u16(), 202);
    }
}

#[tokio::test]
async fn a_secret_of_the_authorization_field_is_demanded_and_rotated() {
    let site = Site::with(|transmitter| {
        transmitter
            .push_authorization("Bearer old")
            .push_authorization("Bearer new")
    });
    let set = || site.event(&EventType::SESSION_REVOKED).sign();
    for shown in ["Bearer old", "Bearer new"] {
        let fields = [("content-type", SET), ("authorization", shown)];
        assert_eq!(
            push_with(&site.app, &fields, set()).await.status.as_u16(),
            202
        );
    }
    for shown in ["Bearer ol", "bearer old", "old", ""] {
        let fields = [("content-type", SET), ("authorization", shown)];
        let answer = push_with(&site.app, &fields, set()).await;
        assert_eq!(error_of(&answer), "authentication_failed", "{shown}");
    }
    assert_eq!(refusal(&site, set()).await, "authentication_failed");
    let twice = [
        ("content-type", SET),
        ("authorization", "Bearer old"),
        ("authorization", "Bearer new"),
    ];
    let answer = push_with(&site.app, &twice, set()).await;
    assert_eq!(error_of(&answer), "authentication_failed");
    assert_eq!(site.status().refused(), [("authentication_failed", 6)]);
    assert_eq!(site.status().received(), 2);
}

#[tokio::test]
async fn the_secret_of_another_transmitter_is_no_access() {
    let clock = ManualClock::new();
    let (first, second) = (issuer(&clock), MockIssuer::named("https://second.test"));
    let second = second.with_clock(clock.clone());
    let server = ResourceServer::builder(API)
        .issuer(first.trusted())
        .issuer(second.trusted())
        .clock(clock.clone())
        .ssf_transmitter(first.transmitter().push_authorization("Bearer first"))
        .ssf_transmitter(second.transmitter().push_authorization("Bearer second"))
        .build()
        .expect("sound");
    let app = app(&server);
    let set = first.security_event(&EventType::SESSION_REVOKED).sign();
    let fields = |shown| [("content-type", SET), ("authorization", shown)];
    let answer = push_with(&app, &fields("Bearer second"), set.clone()).await;
    assert_eq!(error_of(&answer), "access_denied");
    let answer = push_with(&app, &fields("Bearer first"), set).await;
    assert_eq!(answer.status.as_u16(), 202);
}

#[tokio::test]
async fn an_outage_of_the_keys_is_503_and_the_event_is_sent_again() {
    let clock = ManualClock::new();
    let issuer = issuer(&clock).serve().await;
    issuer.break_endpoint_with(Endpoint::SsfConfiguration, Fault::Status(500));
    let server = ResourceServer::builder(API)
        .issuer(issuer.trusted())
        .clock(clock.clone())
        .ssf_transmitter(issuer.transmitter());
    let set = issuer.security_event(&EventType::SESSION_REVOKED).sign();
    let server = server.build().expect("sound");
    let unconnected = push(&app(&server), set.clone()).await;
    assert_eq!(unconnected.status.as_u16(), 503);
    let server = server.connect().await.expect("a runtime");
    assert!(server.ready(), "requests can be judged");
    let app = app(&server);
    let answer = push(&app, set.clone()).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (503, ""));
    let seconds: u64 = answer
        .header("retry-after")
        .expect("a time")
        .parse()
        .expect("seconds");
    assert!(seconds > 0);
    issuer.recover();
    clock.advance(Duration::from_secs(60));
    assert_eq!(push(&app, set).await.status.as_u16(), 202);
    let status = server.ssf_status();
    let status = status.transmitter(&issuer.issuer()).expect("it");
    assert_eq!((status.failed(), status.applied()), (2, 1));
    assert_eq!(status.keys().len(), 1);
}

#[tokio::test]
async fn a_key_that_is_new_is_fetched_under_the_cooldown() {
    let clock = ManualClock::new();
    let issuer = issuer(&clock).serve().await;
    let server = ResourceServer::builder(API)
        .issuer(issuer.trusted())
        .clock(clock.clone())
        .ssf_transmitter(issuer.transmitter())
        .build()
        .expect("sound")
        .connect()
        .await
        .expect("a runtime");
    let app = app(&server);
    assert_eq!(issuer.requests(Endpoint::SsfConfiguration), 1);
    issuer.rotate();
    clock.advance(Duration::from_secs(60));
    let set = issuer.security_event(&EventType::SESSION_REVOKED).sign();
    assert_eq!(push(&app, set).await.status.as_u16(), 202);
    let fetches = issuer.fetches();
    for _ in 0..10 {
        let unknown = issuer.security_event(&EventType::SESSION_REVOKED);
        let unknown = unknown.key_id("invented").sign_with_wrong_key();
        let _ = push(&app, unknown).await;
    }
    assert!(issuer.fetches() <= fetches + 1, "the cooldown holds");
}

#[tokio::test]
async fn a_configuration_document_of_another_issuer_is_a_mistake() {
    let clock = ManualClock::new();
    let issuer = issuer(&clock).serve().await;
    let other = json!({"issuer": "https://else.example", "jwks_uri": issuer.key_set_url()});
    let other = Fault::Body(other.to_string().into_bytes());
    issuer.break_endpoint_with(Endpoint::SsfConfiguration, other);
    let server = ResourceServer::builder(API)
        .issuer(issuer.trusted())
        .clock(clock)
        .ssf_transmitter(issuer.transmitter())
        .build()
        .expect("sound");
    let error = server.connect().await.expect_err("another issuer");
    assert!(
        error.to_string().contains("https://else.example"),
        "{error}"
    );
}

#[tokio::test]
async fn an_event_for_which_there_is_no_room_is_sent_again() {
    let site = Site::built(|one| one, |builder| builder.most_revocations(1));
    let before = Revocation::subject(
        &site.issuer.issuer(),
        "other",
        UnixTime::from_secs(site.now()),
    );
    site.server
        .revocations()
        .revoke(before.clone())
        .expect("room");
    let token = site.token("user-1", None, 100);
    let set = site.event(&EventType::ACCOUNT_DISABLED).sign();
    let answer = push(&site.app, set.clone()).await;
    assert_eq!(answer.status.as_u16(), 503);
    assert_eq!(answer.header("retry-after"), Some("30"));
    assert_eq!(site.verdict(&token).await, "200");
    assert!(site.server.revocations().withdraw(&before));
    assert_eq!(site.push(set).await, 202, "it was not remembered");
    assert_eq!(site.verdict(&token).await, REVOKED);
    assert_eq!((site.status().failed(), site.status().applied()), (1, 1));
}

#[tokio::test]
async fn a_mapper_that_panics_loses_no_event() {
    let calls = Arc::new(AtomicUsize::new(0));
    let site = Site::with(|transmitter| {
        transmitter.map_subjects(subject_mapper_fn(move |_: SecurityEvent| {
            let call = calls.fetch_add(1, Ordering::SeqCst);
            assert!(call != 0, "the first call fails at once");
            async move {
                assert!(call != 1, "the second call fails later");
                Ok(None)
            }
        }))
    });
    let token = site.token("user-1", None, 10);
    let set = site.event(&EventType::ACCOUNT_DISABLED).sign();
    for failed in 1..=2 {
        let answer = push(&site.app, set.clone()).await;
        assert_eq!(answer.status.as_u16(), 503);
        assert_eq!(answer.header("retry-after"), Some("30"));
        assert_eq!(site.status().failed(), failed);
    }
    assert_eq!(site.verdict(&token).await, "200");
    assert_eq!(site.push(set).await, 202);
    assert_eq!(site.verdict(&token).await, REVOKED);
}

#[tokio::test]
async fn a_hook_that_panics_keeps_no_event_from_the_others() {
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&seen);
    let site = Site::with(|transmitter| {
        transmitter
            .on_event(|_| panic!("the first hook fails"))
            .on_event(move |_| {
                counted.fetch_add(1, Ordering::SeqCst);
            })
    });
    let set = site
        .event(&EventType::ACCOUNT_DISABLED)
        .event(&EventType::VERIFICATION, json!({"state": "1"}));
    assert_eq!(site.push(set.sign()).await, 202);
    assert_eq!(seen.load(Ordering::SeqCst), 2);
    assert!(site.status().verification().is_some());
}

/// A body that breaks off.
struct Broken;

impl http_body::Body for Broken {
    type Data = bytes::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<std::io::Result<http_body::Frame<bytes::Bytes>>>> {
        Poll::Ready(Some(Err(std::io::ErrorKind::UnexpectedEof.into())))
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_counted_and_a_body_that_breaks_off_is_sent_again() {
    let site = Site::new();
    let logs = Logs::default();
    let _listening = logs.listen();
    let set = site.event(&EventType::SESSION_REVOKED).sign();
    assert_eq!(refusal(&site, "x".repeat(1 << 20)).await, "invalid_request");
    let answer = push_with(&site.app, &[("content-type", "text/plain")], set).await;
    assert_eq!(error_of(&answer), "invalid_request");
    let status = site.server.ssf_status();
    assert_eq!(status.refused(), [("invalid_request", 2)]);
    let text = logs.text();
    assert_eq!(
        text.matches("a security event was refused").count(),
        2,
        "{text}"
    );
    let service = site.server.ssf_push().expect("a transmitter");
    let request = Request::post("/").header("content-type", SET);
    let answer = service.oneshot(request.body(Broken).expect("a request"));
    let answer = answer.await.expect("infallible");
    assert_eq!(answer.status().as_u16(), 503);
    assert!(answer.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn the_service_is_a_router_and_takes_any_body() {
    let site = Site::new();
    let push = site.server.ssf_push().expect("a transmitter");
    let router: Router = Router::new().nest("/ssf", push.clone().into());
    let set = site.event(&EventType::SESSION_REVOKED).sign();
    let request = Request::post("/ssf/anything").header("content-type", SET);
    let request = request.body(Body::from(set.clone())).expect("a request");
    assert_eq!(
        router.oneshot(request).await.expect("infallible").status(),
        202
    );
    let request = Request::post("/").header("content-type", SET);
    let answer = push.oneshot(request.body(set).expect("a request")).await;
    assert_eq!(answer.expect("infallible").status(), 202);
}
