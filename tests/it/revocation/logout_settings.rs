//! Sessions under another name, logout tokens without `exp`, and what an operator hears of refused
//! logout tokens.

use std::time::Duration;

use axum::body::Body;
use axum::routing::get;
use http::Request;
use portcullis::revocation::Revocation;
use portcullis::test_util::{ManualClock, MockIssuer, TokenBuilder};
use portcullis::time::Clock as _;
use portcullis::{AccessToken, Algorithm, Issuer, ResourceServer};

use crate::support::logs::Logs;
use crate::support::{API, Requests as _, TestApp};

const REVOKED: &str = "401 invalid_token revoked";

struct Site {
    clock: ManualClock,
    issuer: MockIssuer,
    server: ResourceServer,
    app: TestApp,
}

impl Site {
    fn with(settings: impl FnOnce(Issuer) -> Issuer) -> Self {
        let clock = ManualClock::new();
        let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
        let issuer = issuer.with_clock(clock.clone());
        let trusted = issuer.trusted().logout_client(MockIssuer::CLIENT_ID);
        let server = ResourceServer::builder(API)
            .issuer(settings(trusted))
            .clock(clock.clone())
            .build()
            .expect("sound");
        let app = TestApp::behind(server.authenticate())
            .route(
                "/",
                get(|token: AccessToken| async move {
                    token.session_ids().collect::<Vec<_>>().join(" ")
                }),
            )
            .public("/logout", server.backchannel_logout().expect("a client"));
        Self {
            clock,
            issuer,
            server,
            app,
        }
    }

    fn token(&self) -> TokenBuilder {
        self.issuer.token()
    }

    async fn sessions(&self, token: &str) -> String {
        self.app.get("/", token).await.body
    }

    async fn log_out(&self, token: &str) -> u16 {
        let request = Request::post("/logout")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(format!("logout_token={token}")));
        let answer = self.app.exchange(request.expect("a request")).await;
        answer.status.as_u16()
    }

    fn revoke_session(&self, id: &str) {
        let revocation = Revocation::session(&self.issuer.issuer(), id);
        self.server.revocations().revoke(revocation).expect("room");
    }
}

#[tokio::test]
async fn session_claim_is_what_revocations_and_logouts_go_by() {
    let site = Site::with(|issuer| issuer.session_claim("session_id"));
    let named = site.token().claim("session_id", "S1").sign();
    let standard = site.token().claim("sid", "S1").sign();
    let both = site
        .token()
        .claim("session_id", "S1")
        .claim("sid", "S2")
        .sign();
    let other = site.token().claim("session_id", "S3").sign();
    let cognitos = site.token().claim("origin_jti", "S1").sign();
    for (token, sessions) in [
        (&named, "S1"),
        (&standard, "S1"),
        (&both, "S1 S2"),
        (&other, "S3"),
        (&cognitos, ""),
    ] {
        assert_eq!(site.app.verdict(token).await, "200");
        assert_eq!(site.sessions(token).await, sessions);
    }
    site.revoke_session("S1");
    for token in [&named, &standard, &both] {
        assert_eq!(site.app.verdict(token).await, REVOKED);
    }
    for token in [&other, &cognitos] {
        assert_eq!(site.app.verdict(token).await, "200");
    }
    let logout = site
        .issuer
        .logout_token()
        .without("sub")
        .claim("session_id", "S3");
    assert_eq!(site.log_out(&logout.sign()).await, 200);
    assert_eq!(site.app.verdict(&other).await, REVOKED);
}

#[tokio::test]
async fn session_claim_may_be_nested_or_the_usual_one() {
    let nested = Site::with(|issuer| issuer.session_claim(["https://x.example/session", "id"]));
    let session = serde_json::json!({ "id": "S1" });
    let token = nested
        .token()
        .claim("https://x.example/session", session)
        .sign();
    assert_eq!(nested.sessions(&token).await, "S1");
    nested.revoke_session("S1");
    assert_eq!(nested.app.verdict(&token).await, REVOKED);

    let usual = Site::with(|issuer| issuer.session_claim("sid"));
    let token = usual.token().claim("sid", "S1").sign();
    assert_eq!(usual.sessions(&token).await, "S1", "once");
    usual.revoke_session("S1");
    assert_eq!(usual.app.verdict(&token).await, REVOKED);
}

#[tokio::test]
async fn session_claim_that_is_no_text_hides_nothing() {
    let site = Site::with(|issuer| issuer.session_claim("session_id"));
    let token = site.token().claim("session_id", 7).sign();
    assert_eq!(site.app.verdict(&token).await, "401 invalid_token claims");
    let without = site.token().sign();
    assert_eq!(site.app.verdict(&without).await, "200", "the accepted twin");
    // Where it is no session, it may be anything.
    let site = Site::with(|issuer| issuer);
    let token = site.token().claim("session_id", 7).sign();
    assert_eq!(site.app.verdict(&token).await, "200");
}

#[test]
fn session_claim_without_a_name_is_a_mistake() {
    let issuer = MockIssuer::new().trusted().session_claim("");
    let error = ResourceServer::builder(API).issuer(issuer).build();
    assert_eq!(error.expect_err("a mistake").setting(), "session_claim");
}

#[tokio::test]
async fn logout_token_without_exp_is_taken_for_two_minutes_where_that_is_allowed() {
    let strict = Site::with(|issuer| issuer);
    let lenient = Site::with(Issuer::logout_tokens_without_exp);
    for (site, expected) in [(&strict, 400), (&lenient, 200)] {
        let token = site.token().claim("sid", "S2").sign();
        assert_eq!(site.app.verdict(&token).await, "200");
        let logout = site.issuer.logout_token().claim("sid", "S2").without("exp");
        assert_eq!(site.log_out(&logout.sign()).await, expected);
        let verdict = site.app.verdict(&token).await;
        assert_eq!(verdict == REVOKED, expected == 200, "{verdict}");
    }
    let now = lenient.clock.now().as_secs();
    let logout = |iat: i64| {
        let token = lenient.issuer.logout_token().claim("sid", "S3");
        token.without("exp").claim("iat", iat)
    };
    for (logout, expected) in [
        (logout(now - 149), 200),
        (logout(now - 150), 400),
        (logout(now - 180), 400),
        (logout(now + 31), 400),
        (logout(now).without("iat"), 400),
        // What it states counts.
        (logout(now - 60).claim("exp", now - 31), 400),
        (logout(now - 600).claim("exp", now + 60), 200),
        (logout(now).claim("exp", "soon"), 400),
    ] {
        assert_eq!(lenient.log_out(&logout.sign()).await, expected);
    }
}

#[tokio::test]
async fn logout_token_that_is_refused_though_signed_is_a_warning_once_a_minute() {
    let site = Site::with(|issuer| issuer);
    let logs = Logs::default();
    let _listening = logs.listen();
    let words = "a logout token of the issuer was refused";
    let count = || logs.text().matches(words).count();
    let stranger = site.issuer.logout_token().sign_with_wrong_key();
    assert_eq!(site.log_out(&stranger).await, 400);
    assert_eq!(site.log_out("nonsense").await, 400);
    assert_eq!(count(), 0, "strangers cause none");
    let refused = site.issuer.logout_token().without("exp").sign();
    for _ in 0..10 {
        assert_eq!(site.log_out(&refused).await, 400);
    }
    assert_eq!(count(), 1);
    assert!(
        logs.text().contains("does not say when it ends"),
        "{}",
        logs.text()
    );
    assert_eq!(
        logs.text().matches("a logout token was refused").count(),
        11
    );
    site.clock.advance(Duration::from_secs(60));
    let access = site.token().sign();
    assert_eq!(site.log_out(&access).await, 400);
    assert_eq!(count(), 2);
}

#[tokio::test]
async fn logout_token_that_comes_again_leaves_the_list_as_it_was() {
    let site = Site::with(|issuer| issuer);
    let logout = site.issuer.logout_token().claim("sid", "S1").sign();
    assert_eq!(site.log_out(&logout).await, 200);
    let mut first = site
        .server
        .revocations()
        .snapshot()
        .lines()
        .map(str::to_owned)
        .collect::<Vec<_>>();
    first.sort();
    for _ in 0..30 {
        site.clock.advance(Duration::from_secs(1));
        assert_eq!(site.log_out(&logout).await, 200);
    }
    let mut again = site
        .server
        .revocations()
        .snapshot()
        .lines()
        .map(str::to_owned)
        .collect::<Vec<_>>();
    again.sort();
    assert_eq!(again, first);
    // It ends by the time of the token, not of its coming.
    let end = ManualClock::START.saturating_add(Duration::from_secs(24 * 3600 + 60));
    assert_eq!(site.server.revocations().list()[0].ends_at(), end);
}
