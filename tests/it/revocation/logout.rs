//! Back-channel logout: what a provider says has ended is refused from then on, and nothing else
//! ends anything.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use portcullis::revocation::{Revocation, RevocationKind};
use portcullis::test_util::{Fault, ManualClock, MockIssuer, TokenBuilder};
use portcullis::time::Clock as _;
use portcullis::{Algorithm, ResourceServer, ResourceServerBuilder};
use serde_json::json;

use crate::support::{API, Requests as _, TestApp, TestResponse, trusting};

const REVOKED: &str = "401 invalid_token revoked";
const FORM: &str = "application/x-www-form-urlencoded";
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

struct Site {
    clock: ManualClock,
    issuer: MockIssuer,
    server: ResourceServer,
    app: TestApp,
}

impl Site {
    fn new() -> Self {
        Self::with(|builder| builder)
    }

    fn with(settings: impl FnOnce(ResourceServerBuilder) -> ResourceServerBuilder) -> Self {
        let clock = ManualClock::new();
        let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
        let issuer = issuer.with_clock(clock.clone());
        let trusted = issuer.trusted().logout_client(MockIssuer::CLIENT_ID);
        let builder = ResourceServer::builder(API)
            .issuer(trusted)
            .clock(clock.clone());
        let server = settings(builder).build().expect("sound");
        Self {
            app: app(&server),
            clock,
            issuer,
            server,
        }
    }

    /// An access token of a session that began so long ago.
    fn token(&self, session: Option<&str>, subject: &str, ago: i64) -> String {
        let token = self.issuer.token().subject(subject);
        let token = token.claim("auth_time", self.clock.now().as_secs() - ago);
        match session {
            Some(session) => token.claim("sid", session).sign(),
            None => token.sign(),
        }
    }

    fn logout(&self) -> TokenBuilder {
        self.issuer.logout_token()
    }

    async fn send(&self, logout: &str) -> u16 {
        send(&self.app, logout).await.status.as_u16()
    }
}

fn app(server: &ResourceServer) -> TestApp {
    TestApp::new(server).public("/logout", server.backchannel_logout().expect("a client"))
}

async fn send(app: &TestApp, logout: &str) -> TestResponse {
    send_form(app, FORM, format!("logout_token={logout}")).await
}

async fn send_form(app: &TestApp, content_type: &str, form: impl Into<Body>) -> TestResponse {
    let request = Request::post("/logout").header("content-type", content_type);
    app.exchange(request.body(form.into()).expect("a request"))
        .await
}

#[tokio::test]
async fn a_session_ends_and_no_other() {
    let site = Site::new();
    let ended = [
        site.token(Some("s-1"), "user-1", 100),
        site.token(Some("s-1"), "user-1", 0),
    ];
    let other = [
        site.token(Some("s-2"), "user-1", 100),
        site.token(None, "user-1", 100),
        site.token(None, "user-2", 100),
    ];
    for token in ended.iter().chain(&other) {
        assert_eq!(site.app.verdict(token).await, "200");
    }
    let logout = site.logout().without("sub").claim("sid", "s-1").sign();
    let answer = send(&site.app, &logout).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, ""));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    for token in &ended {
        assert_eq!(site.app.verdict(token).await, REVOKED);
    }
    for token in &other {
        assert_eq!(site.app.verdict(token).await, "200");
    }
}

#[tokio::test]
async fn a_subject_without_a_session_is_signed_out_of_all() {
    let site = Site::new();
    let old = [
        site.token(Some("s-1"), "user-1", 100),
        site.token(None, "user-1", 100),
    ];
    let other = site.token(None, "user-2", 100);
    assert_eq!(
        site.send(&site.logout().subject("user-1").sign()).await,
        200
    );
    for token in &old {
        assert_eq!(site.app.verdict(token).await, REVOKED);
    }
    assert_eq!(site.app.verdict(&other).await, "200");
    site.clock.advance(Duration::from_secs(31));
    let again = site.token(Some("s-2"), "user-1", 0);
    assert_eq!(site.app.verdict(&again).await, "200", "signed in again");
    assert_eq!(site.app.verdict(&old[0]).await, REVOKED);
}

#[tokio::test]
async fn a_session_of_a_subject_takes_tokens_along_that_name_no_session() {
    let site = Site::new();
    let ended = [
        site.token(Some("s-1"), "user-1", 100),
        site.token(None, "user-1", 100),
    ];
    let other = [
        site.token(Some("s-2"), "user-1", 100),
        site.token(None, "user-2", 100),
    ];
    let logout = site.logout().subject("user-1").claim("sid", "s-1");
    assert_eq!(site.send(&logout.sign()).await, 200);
    for token in &ended {
        assert_eq!(site.app.verdict(token).await, REVOKED);
    }
    for token in &other {
        assert_eq!(site.app.verdict(token).await, "200");
    }
    let list = site.server.revocations().list();
    let mut kinds: Vec<_> = list
        .iter()
        .map(|one| one.revocation().kind().as_str())
        .collect();
    kinds.sort_unstable();
    let session = RevocationKind::Session.as_str();
    assert_eq!(kinds, [session, "subject_without_session"]);
}

#[tokio::test]
async fn the_same_token_again_changes_nothing() {
    let site = Site::new();
    let logout = site.logout().subject("user-1").sign();
    assert_eq!(site.send(&logout).await, 200);
    let first = site.server.revocations().list();
    site.clock.advance(Duration::from_secs(60));
    let since = site.token(None, "user-1", 0);
    assert_eq!(site.send(&logout).await, 200);
    let again = site.server.revocations().list();
    assert_eq!(again[0].revocation(), first[0].revocation());
    assert_eq!(
        site.app.verdict(&since).await,
        "200",
        "who signed in since stays"
    );
    site.clock.advance(Duration::from_secs(3600));
    assert_eq!(site.send(&logout).await, 400, "over");
}

#[tokio::test]
async fn every_rule_of_logout_tokens_is_kept() {
    let site = Site::new();
    let now = site.clock.now().as_secs();
    let good = || site.logout().claim("sid", "s-1");
    let other = MockIssuer::named("https://else.example").with_algorithms([Algorithm::ES256]);
    let other = other.with_clock(site.clock.clone());
    let fine = [
        ("as it comes", good()),
        ("of an older server", good().typ("JWT")),
        ("without a type", good().without_header("typ")),
        ("a media type", good().typ("application/LOGOUT+jwt")),
        (
            "for several",
            good().claim("aud", json!(["else", MockIssuer::CLIENT_ID])),
        ),
        (
            "other events too",
            good().claim("events", json!({EVENT: {"x": 1}, "urn:other": {}})),
        ),
        ("no subject", good().without("sub")),
        ("no session", good().without("sid")),
        ("a clock ahead", good().claim("iat", now + 30)),
        ("just over", good().claim("exp", now - 29)),
    ];
    let bad = [
        ("an access token", site.issuer.token()),
        ("an id token", site.issuer.id_token()),
        ("another type", good().typ("at+jwt")),
        (
            "a type that is no text",
            good().header("typ", json!(["logout+jwt"])),
        ),
        ("a stranger's", other.logout_token()),
        (
            "another issuer's key",
            other.logout_token().issuer(&site.issuer.issuer()),
        ),
        ("for another client", good().claim("aud", "else")),
        ("without `aud`", good().without("aud")),
        (
            "an audience of another type",
            good().claim("aud", json!({"a": MockIssuer::CLIENT_ID})),
        ),
        ("over", good().claim("exp", now - 30)),
        ("without an end", good().without("exp")),
        ("an end of another type", good().claim("exp", "4102444800")),
        ("of the future", good().claim("iat", now + 31)),
        ("not yet good", good().claim("nbf", now + 31)),
        ("without a beginning", good().without("iat")),
        (
            "a beginning of another type",
            good().claim("iat", json!(null)),
        ),
        ("without an id", good().without("jti")),
        ("an id of another type", good().claim("jti", 1)),
        ("without events", good().without("events")),
        ("events as a text", good().claim("events", EVENT)),
        ("events as a list", good().claim("events", json!([EVENT]))),
        ("no events", good().claim("events", json!({}))),
        (
            "another event",
            good().claim("events", json!({"urn:other": {}})),
        ),
        (
            "an event in capitals",
            good().claim("events", json!({EVENT.to_uppercase(): {}})),
        ),
        (
            "an event that is null",
            good().claim("events", json!({EVENT: null})),
        ),
        (
            "an event that is true",
            good().claim("events", json!({EVENT: true})),
        ),
        (
            "an event that is a list",
            good().claim("events", json!({EVENT: []})),
        ),
        ("a nonce", good().claim("nonce", "n-1")),
        ("a nonce that is null", good().claim("nonce", json!(null))),
        (
            "without `sid` and `sub`",
            good().without("sid").without("sub"),
        ),
        ("a session of another type", good().claim("sid", 7)),
        ("a session without a name", good().claim("sid", "")),
        (
            "a subject of another type",
            good().claim("sub", json!(["user-1"])),
        ),
        (
            "a session too long to hold",
            good().claim("sid", "x".repeat(1025)),
        ),
    ];
    let list = site.server.revocations();
    for (name, token) in &bad {
        let answer = send(&site.app, &token.sign()).await;
        assert_eq!(answer.status.as_u16(), 400, "{name}");
        assert_eq!(answer.body, r#"{"error":"invalid_request"}"#, "{name}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(list.is_empty(), "{name}");
    }
    let forged = [
        good().unsigned(),
        good().with_hmac_of_public_key(),
        good().tampered_payload(),
        good().tampered_signature(),
        good().sign_with_wrong_key(),
        good().sign_with_unknown_key(),
        good().truncated(),
        site.issuer.refresh_token(),
        "a.b.c".to_owned(),
        String::new(),
        "x".repeat(20_000),
    ];
    for token in &forged {
        assert_eq!(site.send(token).await, 400, "{token}");
        assert!(list.is_empty());
    }
    for (name, token) in &fine {
        assert_eq!(site.send(&token.sign()).await, 200, "{name}");
        assert!(!list.is_empty(), "{name}");
        for entry in list.list() {
            assert!(list.withdraw(entry.revocation()));
        }
    }
}

#[tokio::test]
async fn a_logout_token_opens_no_door() {
    let site = Site::new();
    let logout = site.logout().audience(API);
    for token in [
        logout.clone(),
        logout.clone().typ("JWT"),
        logout.typ("at+jwt"),
    ] {
        assert!(
            site.app
                .verdict(&token.sign())
                .await
                .starts_with("401 invalid_token")
        );
    }
    assert_eq!(
        site.app.verdict(&site.token(None, "user-1", 0)).await,
        "200"
    );
}

#[tokio::test]
async fn one_token_comes_in_a_form_and_in_no_other_way() {
    let site = Site::new();
    let token = site.logout().sign();
    for content_type in [FORM, "Application/X-WWW-Form-Urlencoded; charset=UTF-8"] {
        let form = format!("state=1&logout_token={}&x", token.replace('.', "%2E"));
        let answer = send_form(&site.app, content_type, form).await;
        assert_eq!(answer.status.as_u16(), 200, "{content_type}");
    }
    for content_type in ["", "text/plain", "application/json", "multipart/form-data"] {
        let form = format!("logout_token={token}");
        let answer = send_form(&site.app, content_type, form).await;
        assert_eq!(answer.status.as_u16(), 400, "{content_type}");
    }
    for form in [
        String::new(),
        token.clone(),
        format!("token={token}"),
        format!("logout_token={token}&logout_token={token}"),
        format!("logout_token={token}%0A"),
        format!("logout_token=+{token}"),
        format!("logout_token={token}&x={}", "y".repeat(32 * 1024)),
    ] {
        let answer = send_form(&site.app, FORM, form.clone()).await;
        assert_eq!(answer.status.as_u16(), 400, "{form}");
    }
    let broken = broken_body();
    assert_eq!(
        send_form(&site.app, FORM, broken).await.status.as_u16(),
        400
    );
    for method in ["GET", "PUT", "HEAD", "DELETE"] {
        let request = Request::builder().method(method);
        let request = request.uri(format!("/logout?logout_token={token}"));
        let answer = site
            .app
            .exchange(request.body(Body::empty()).expect("a request"))
            .await;
        assert_eq!(answer.status.as_u16(), 405, "{method}");
        assert_eq!(answer.header("allow"), Some("POST"));
    }
}

/// A body that breaks off.
fn broken_body() -> Body {
    struct Broken(bool);

    impl futures_core::Stream for Broken {
        type Item = Result<&'static str, std::io::Error>;

        fn poll_next(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Self::Item>> {
            let first = std::mem::replace(&mut self.0, false);
            std::task::Poll::Ready(Some(if first {
                Ok("logout_token=a.b.c")
            } else {
                Err(std::io::ErrorKind::ConnectionReset.into())
            }))
        }
    }

    Body::from_stream(Broken(true))
}

#[tokio::test]
async fn an_outage_is_no_verdict_on_a_logout() {
    let clock = ManualClock::new();
    let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
    let served = issuer.with_clock(clock.clone()).serve().await;
    served.break_with(Fault::Status(500));
    let trusted = served.trusted().logout_client(MockIssuer::CLIENT_ID);
    let server = ResourceServer::builder(API)
        .issuer(trusted)
        .clock(clock.clone())
        .build();
    let server = server
        .expect("sound")
        .connect()
        .await
        .expect("down is a status");
    let app = app(&server);
    let token = served.logout_token().subject("user-1").sign();
    let answer = send(&app, &token).await;
    assert_eq!(answer.status.as_u16(), 503);
    assert!(answer.header("retry-after").is_some());
    assert!(server.revocations().is_empty());
    served.recover();
    server.refresh_now().await.expect("keys");
    assert_eq!(send(&app, &token).await.status.as_u16(), 200);

    // A key that came since is asked for, as for a request.
    clock.advance(Duration::from_secs(60));
    served.rotate();
    let fetches = served.fetches();
    let token = served.logout_token().subject("user-2").sign();
    assert_eq!(send(&app, &token).await.status.as_u16(), 200);
    assert!(served.fetches() > fetches);
    assert_eq!(server.revocations().len(), 2);
}

#[tokio::test]
async fn a_logout_without_room_is_no_success() {
    let site = Site::with(|builder| builder.most_revocations(1));
    let list = site.server.revocations();
    let other = Revocation::token(&site.issuer.issuer(), "other");
    list.revoke(other.clone()).expect("there is room");
    let answer = send(&site.app, &site.logout().sign()).await;
    assert_eq!(answer.status.as_u16(), 503);
    assert!(answer.header("retry-after").is_some());
    assert!(list.withdraw(&other));
    assert_eq!(site.send(&site.logout().sign()).await, 200);
}

#[test]
fn without_a_logout_client_there_is_no_logout() {
    let issuer = MockIssuer::new();
    let server = trusting([issuer.trusted()]);
    let mistake = server
        .backchannel_logout()
        .expect_err("no issuer has logout clients");
    assert_eq!(mistake.setting(), "logout_client");
    let empty = ResourceServer::builder(API)
        .issuer(issuer.trusted().logout_client(""))
        .build();
    assert_eq!(empty.expect_err("a slip").setting(), "logout_client");
}
