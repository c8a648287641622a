//! Faults that no layer answers, but guards, extractors, MCP and the queue of records do: each is provoked
//! here, and named by the decision that observers are told.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use http::Request;
use portcullis::mcp::{McpLayer, McpScopes};
use portcullis::observe::{
    DecisionRecord, DecisionRecords, DecisionSink, Observer, QueueFull, RequestDecision, SinkError,
};
use portcullis::tenant::{Delegation, LookupError, UserDirectory, UserId};
use portcullis::test_util::{ManualClock, MockIssuer};
use portcullis::{Claims, ResourceServer, TenantClaims, WorkspaceAccess};

use crate::support::{API, Requests as _, TestApp, builder};

/// What this file provokes.
pub(super) const DECIDED: [&str; 10] = [
    "no_user",
    "several_users",
    "not_a_user",
    "directory_failed",
    "directory_timed_out",
    "custom_claims",
    "mcp_message",
    "mcp_headers",
    "mcp_body_too_large",
    "record_queue_full",
];

/// The reason of each decision, empty where the request was admitted.
#[derive(Clone, Default)]
struct Reasons(Arc<Mutex<Vec<&'static str>>>);

impl Reasons {
    fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }
}

impl Observer for Reasons {
    fn decided(&self, decision: &RequestDecision<'_>) {
        self.0.lock().expect("no panic").push(decision.reason());
    }
}

/// It has one user; asking about `broken` fails, about `hanging` takes for ever.
struct Users;

impl UserDirectory for Users {
    async fn has_user(&self, _: &WorkspaceAccess, user: &UserId) -> Result<bool, LookupError> {
        match user.as_str() {
            "broken" => Err("the database is down".into()),
            "hanging" => pending().await,
            known => Ok(known == "user-1"),
        }
    }
}

#[derive(serde::Deserialize)]
struct Address {
    #[allow(dead_code)]
    email: String,
}

fn message(tool: &str) -> String {
    let parameters = format!(r#"{{"name":"{tool}"}}"#);
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{parameters}}}"#)
}

#[tokio::test]
async fn each_symptom_of_guards_extractors_and_mcp_is_named_by_the_decision() {
    const ACT: &str = "/workspaces/acme-prod/act";
    let clock = ManualClock::new();
    let issuer = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf").with_clock(clock.clone());
    let reasons = Reasons::default();
    let rules = TenantClaims::aworld().delegation();
    let server = ResourceServer::builder(API)
        .issuer(issuer.trusted().tenant_claims(rules))
        .user_directory(Users)
        .clock(clock.clone())
        .observer(reasons.clone())
        .build()
        .expect("sound settings");
    let tools = McpScopes::new().open_tool("open").open_tool("other");
    let mcp = Router::new()
        .route("/mcp", post(async || {}))
        .layer(McpLayer::new(tools).max_body_bytes(1_000));
    let app = Router::new()
        .route(
            "/workspaces/{workspace_id}/act",
            get(async |_: Delegation| {}),
        )
        .route("/own", get(async |_: Claims<Address>| {}))
        .merge(mcp)
        .layer(server.authenticate().context("app"));
    let client = issuer.aworld_client();
    let with_address = client.clone().claim("email", "a@example.com").sign();
    let client = client.sign();
    let request = |method: &str, path: &str, token: &str, fields: &[(&str, &str)], body: String| {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Bearer {token}"));
        let add = |request: http::request::Builder, (name, value): &(&str, &str)| {
            request.header(*name, *value)
        };
        let request = fields.iter().fold(request, add);
        app.exchange(request.body(Body::from(body)).expect("a request"))
    };
    let new_revision = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "open"),
    ];
    let user = |id| ("x-user-id", id);
    for (method, path, token, fields, body, fault) in [
        ("GET", ACT, &client, &[user("user-1")][..], "", ""),
        ("GET", ACT, &client, &[], "", "no_user"),
        ("GET", ACT, &client, &[user("user 1")], "", "not_a_user"),
        (
            "GET",
            ACT,
            &client,
            &[user("user-1"), user("user-1")],
            "",
            "several_users",
        ),
        (
            "GET",
            ACT,
            &client,
            &[user("broken")],
            "",
            "directory_failed",
        ),
        ("GET", "/own", &with_address, &[], "", ""),
        ("GET", "/own", &client, &[], "", "custom_claims"),
        ("POST", "/mcp", &client, &[], &message("open"), ""),
        ("POST", "/mcp", &client, &[], "{", "mcp_message"),
        (
            "POST",
            "/mcp",
            &client,
            &[],
            &message(&"x".repeat(1_000)),
            "mcp_body_too_large",
        ),
        ("POST", "/mcp", &client, &new_revision, &message("open"), ""),
        (
            "POST",
            "/mcp",
            &client,
            &new_revision,
            &message("other"),
            "mcp_headers",
        ),
    ] {
        let answer = request(method, path, token, fields, body.to_owned()).await;
        let verdict = answer.verdict();
        let is_named = if fault.is_empty() {
            verdict == "200"
        } else {
            verdict.ends_with(&format!(" {fault}"))
        };
        assert!(is_named, "{fault}: {verdict}");
        assert_eq!(reasons.take(), [fault], "{verdict}");
    }
    let time = async {
        clock.await_sleepers(1).await;
        clock.advance(Duration::from_secs(2));
    };
    let hanging = [user("hanging")];
    let late = request("GET", ACT, &client, &hanging, String::new());
    let (late, ()) = tokio::join!(late, time);
    assert_eq!(late.verdict(), "503 unavailable directory_timed_out");
    assert_eq!(reasons.take(), ["directory_timed_out"]);
}

/// A sink that never ends.
struct Stuck;

impl DecisionSink for Stuck {
    async fn record(&self, _: DecisionRecord) -> Result<(), SinkError> {
        pending().await
    }
}

#[tokio::test]
async fn symptom_of_a_full_queue_of_records_is_named_by_the_decision() {
    let issuer = MockIssuer::new();
    let reasons = Reasons::default();
    let records = DecisionRecords::new()
        .sink(Stuck)
        .queue_capacity(1)
        .when_queue_is_full(QueueFull::Refuse);
    let server = builder(&issuer)
        .decision_records(records)
        .observer(reasons.clone());
    let app = TestApp::new(&server.build().expect("sound settings"));
    let token = issuer.token().sign();
    assert_eq!(app.verdict(&token).await, "200");
    assert_eq!(reasons.take(), [""]);
    // The second may have the place that the task has freed.
    let _ = app.verdict(&token).await;
    let _ = reasons.take();
    let full = app.verdict(&token).await;
    assert_eq!(full, "503 unavailable record_queue_full");
    assert_eq!(reasons.take(), ["record_queue_full"]);
}
