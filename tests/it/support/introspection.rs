//! An issuer with an introspection endpoint, and a router behind it.

use std::time::Duration;

use axum::routing::get;
use portcullis::config::ClientAuthentication;
use portcullis::test_util::{ManualClock, MockIssuer};
use portcullis::{
    AccessToken, Identity, Issuer, ResourceServer, ResourceServerBuilder, Scoped, WorkspaceAccess,
    scopes,
};
use serde_json::{Value, json};

use super::endpoint::Endpoint;
use super::{API, TestApp};

scopes! {
    ReadOrders = "orders:read";
}

pub(crate) const AS: &str = "https://as.example";
pub(crate) const TOKEN: &str = "0a1b2c3d4e5f";

pub(crate) fn good() -> Value {
    json!({
        "active": true, "iss": AS, "aud": API, "sub": "user-1", "client_id": "web",
        "scope": "orders:read", "token_type": "Bearer", "exp": 4_102_444_800_i64,
    })
}

/// The good answer, with this member changed or, where it is `null`, gone.
pub(crate) fn with(member: &str, value: Value) -> Value {
    let mut answer = good();
    let members = answer.as_object_mut().expect("an object");
    if value.is_null() {
        members.remove(member);
    } else {
        members.insert(member.to_owned(), value);
    }
    answer
}

pub(crate) fn ours() -> ClientAuthentication {
    ClientAuthentication::basic("orders-api", "s3cr3t")
}

pub(crate) fn issuer(endpoint: &Endpoint) -> Issuer {
    issuer_by(endpoint, ours())
}

/// The same, for a client that says in this way who it is.
pub(crate) fn issuer_by(endpoint: &Endpoint, client: ClientAuthentication) -> Issuer {
    Issuer::introspected(endpoint.url())
        .identified_as(AS)
        .client_authentication(client)
        // Longer than any machine is busy with something else.
        .introspection_timeout(Duration::from_secs(30))
}

pub(crate) fn builder(issuer: Issuer, clock: &ManualClock) -> ResourceServerBuilder {
    ResourceServer::builder(API)
        .issuer(issuer)
        .clock(clock.clone())
}

pub(crate) fn server(issuer: Issuer, clock: &ManualClock) -> ResourceServer {
    builder(issuer, clock).build().expect("sound")
}

pub(crate) fn app(server: &ResourceServer) -> TestApp {
    let whoami = |token: AccessToken, identity: Identity| async move {
        let kind = match identity {
            Identity::User(_) => "user",
            Identity::Principal(_) => "principal",
            Identity::Client(_) => "client",
            Identity::Subject(_) => "subject",
        };
        let subject = token.subject().map(ToString::to_string);
        format!(
            "{kind} {} of {}",
            subject.unwrap_or_default(),
            token.issuer()
        )
    };
    TestApp::behind(server.authenticate())
        .route("/", get(whoami))
        .route(
            "/orders",
            get(|_: Scoped<ReadOrders, AccessToken>| async {}),
        )
        .route(
            "/workspaces/{workspace_id}",
            get(|_: WorkspaceAccess| async {}),
        )
}

/// The signed form of an answer.
pub(crate) fn signed(mock: &MockIssuer, audience: &str, said: &Value) -> String {
    let claims = json!({
        "iss": mock.issuer(), "aud": audience, "iat": ManualClock::START.as_secs(),
        "token_introspection": said,
    });
    let token = mock.token().typ("token-introspection+jwt");
    token.payload_json(claims.to_string()).sign()
}

pub(crate) const SIGNED: &str = "application/token-introspection+jwt";
