//! Shared Signals: what a transmitter says has ended is refused from then on, and nothing else ends
//! anything.

mod events;
mod poll;
mod push;
mod settings;
mod shared;
mod specifications;
mod subjects;

use axum::body::Body;
use http::Request;
use portcullis::ssf::{EventType, SsfTransmitter, SsfTransmitterStatus};
use portcullis::test_util::{ManualClock, MockIssuer, TokenBuilder};
use portcullis::time::Clock as _;
use portcullis::{Algorithm, ResourceServer, ResourceServerBuilder};

use crate::support::{API, Requests as _, TestApp, TestResponse};

const REVOKED: &str = "401 invalid_token revoked";
const SET: &str = "application/secevent+jwt";

/// A server with one issuer, which is the transmitter too, and its push endpoint.
struct Site {
    clock: ManualClock,
    issuer: MockIssuer,
    server: ResourceServer,
    app: TestApp,
}

impl Site {
    fn new() -> Self {
        Self::with(|transmitter| transmitter)
    }

    fn with(settings: impl FnOnce(SsfTransmitter) -> SsfTransmitter) -> Self {
        Self::built(settings, |builder| builder)
    }

    fn built(
        settings: impl FnOnce(SsfTransmitter) -> SsfTransmitter,
        server: impl FnOnce(ResourceServerBuilder) -> ResourceServerBuilder,
    ) -> Self {
        let clock = ManualClock::new();
        let issuer = issuer(&clock);
        let builder = ResourceServer::builder(API)
            .issuer(issuer.trusted())
            .clock(clock.clone())
            .ssf_transmitter(settings(issuer.transmitter()));
        let server = server(builder).build().expect("sound");
        let app = app(&server);
        Self {
            clock,
            issuer,
            server,
            app,
        }
    }

    /// An access token of a user whose session began so long ago.
    fn token(&self, subject: &str, session: Option<&str>, ago: i64) -> String {
        let token = self.issuer.token().subject(subject);
        let token = token.claim("auth_time", self.now() - ago);
        match session {
            Some(session) => token.claim("sid", session).sign(),
            None => token.sign(),
        }
    }

    fn event(&self, event_type: &EventType) -> TokenBuilder {
        self.issuer.security_event(event_type)
    }

    fn now(&self) -> i64 {
        self.clock.now().as_secs()
    }

    async fn push(&self, set: impl Into<Body>) -> u16 {
        push(&self.app, set).await.status.as_u16()
    }

    async fn verdict(&self, token: &str) -> String {
        self.app.verdict(token).await
    }

    fn status(&self) -> SsfTransmitterStatus {
        let status = self.server.ssf_status();
        let own = status.transmitter(&self.issuer.issuer());
        own.expect("a transmitter").clone()
    }
}

fn issuer(clock: &ManualClock) -> MockIssuer {
    MockIssuer::new()
        .with_algorithms([Algorithm::ES256])
        .with_clock(clock.clone())
}

fn app(server: &ResourceServer) -> TestApp {
    TestApp::new(server).public("/events", server.ssf_push().expect("a transmitter"))
}

async fn push(app: &TestApp, set: impl Into<Body>) -> TestResponse {
    push_with(app, &[("content-type", SET)], set).await
}

async fn push_with(app: &TestApp, fields: &[(&str, &str)], set: impl Into<Body>) -> TestResponse {
    let request = fields
        .iter()
        .fold(Request::post("/events"), |request, (name, value)| {
            request.header(*name, *value)
        });
    app.exchange(request.body(set.into()).expect("a request"))
        .await
}

/// The `err` of a refusal, whose other parts are as RFC 8935 section 2.3 has them.
async fn refusal(site: &Site, set: impl Into<Body>) -> String {
    error_of(&push(&site.app, set).await)
}

fn error_of(answer: &TestResponse) -> String {
    assert_eq!(answer.status.as_u16(), 400, "{}", answer.body);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("content-language"), Some("en"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body: serde_json::Value = serde_json::from_str(&answer.body).expect("json");
    assert!(!body["description"].as_str().expect("a text").is_empty());
    body["err"].as_str().expect("a code").to_owned()
}
