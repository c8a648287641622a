//! Revision 2026-07-28: decided by header fields, which must agree with the body.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use portcullis::mcp::McpLayer;

use crate::mcp::support::{McpApp, call, challenge, echoed, message, scopes};

const MISMATCH: &str = "400 invalid_request mcp_headers";

#[tokio::test]
async fn scope_of_the_named_tool_is_demanded() {
    let app = McpApp::new();
    let edit = call("edit");
    let new = async |scope, tool: &str| {
        let method = Some("tools/call");
        app.post_new(scope, method, Some(tool), &call(tool)).await
    };
    let refused = new("missions:read", "edit").await;
    assert_eq!(refused.verdict(), "403 insufficient_scope");
    assert_eq!(
        refused.challenge(),
        challenge("missions:read missions:write")
    );
    assert_eq!(refused.header("cache-control"), Some("no-store"));
    let admitted = new("missions:read missions:write", "edit").await;
    assert_eq!(admitted.body_or_verdict(), echoed(&edit));
    assert_eq!(
        new("other", "list").await.verdict(),
        "403 insufficient_scope"
    );
    assert_eq!(new("missions:read", "list").await.verdict(), "200");
    assert_eq!(new("other", "open").await.verdict(), "200");
}

/// A body that says whether it was asked for.
struct Watched(Arc<AtomicBool>);

impl futures_core::Stream for Watched {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.store(true, Ordering::Relaxed);
        Poll::Ready(None)
    }
}

#[tokio::test]
async fn refusal_by_header_fields_does_not_touch_the_body() {
    let fields = |tool| {
        [
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", tool),
        ]
    };
    let app = McpApp::new();
    for (scope, tool, verdict, reads) in [
        ("missions:read", "edit", "403 insufficient_scope", false),
        (
            "missions:read",
            "list",
            "400 invalid_request mcp_message",
            true,
        ),
    ] {
        let was_read = Arc::new(AtomicBool::new(false));
        let body = Body::from_stream(Watched(Arc::clone(&was_read)));
        let answer = app.post(scope, &fields(tool), body).await;
        assert_eq!(answer.verdict(), verdict, "{tool}");
        assert_eq!(was_read.load(Ordering::Relaxed), reads, "{tool}");
    }
}

#[tokio::test]
async fn header_fields_that_differ_from_the_body_are_refused() {
    let app = McpApp::new();
    let edit = call("edit");
    let list = call("list");
    let ping = message("ping", "{}");
    let rights = "missions:read missions:write";
    for (method, name, body) in [
        (Some("ping"), None, &edit),
        (Some("tools/call"), Some("list"), &edit),
        (Some("Tools/call"), Some("list"), &list),
        (Some("tools/call"), Some("unknown"), &list),
        (Some("tools/call"), Some("list"), &ping),
        (Some("tools/call"), Some("open"), &list),
        (Some("tools/call"), Some("=?base64?bGlzdA=?="), &list),
        (Some("tools/call"), None, &list),
        (None, Some("list"), &list),
        (None, None, &list),
        (None, None, &ping),
    ] {
        let answer = app.post_new(rights, method, name, body).await;
        assert_eq!(answer.verdict(), MISMATCH, "{method:?} {name:?} {body}");
        assert!(answer.body.contains("-32020"), "{}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.challenge(), "", "it is not about the token");
    }
    let twin = app
        .post_new(rights, Some("tools/call"), Some("list"), &list)
        .await;
    assert_eq!(twin.verdict(), "200");
    let twin = app.post_new(rights, Some("ping"), None, &ping).await;
    assert_eq!(twin.verdict(), "200");
}

/// The suite of `@modelcontextprotocol/conformance` sends such a name to see the mismatch.
#[tokio::test]
async fn undeclared_name_is_refused_as_such_only_where_the_body_has_it_too() {
    let same = call("unknown");
    let other = call("list");
    for layer in [
        McpLayer::new(scopes()),
        McpLayer::new(scopes()).service_compares_headers(),
    ] {
        let app = McpApp::with(layer);
        let post = async |method, name, body: &str| {
            let rights = "missions:read missions:write";
            app.post_new(rights, Some(method), name, body)
                .await
                .verdict()
        };
        let unknown = Some("unknown");
        assert_eq!(post("tools/call", unknown, &same).await, "403 forbidden");
        assert_eq!(post("tools/call", unknown, &other).await, MISMATCH);
        let flush = message("custom/unknown", "{}");
        assert_eq!(post("custom/unknown", None, &flush).await, "404 forbidden");
        assert_eq!(post("custom/unknown", None, &other).await, MISMATCH);
        assert_eq!(post("tools/call", Some("list"), &other).await, "200");
    }
}

#[tokio::test]
async fn error_of_a_mismatch_is_a_json_rpc_response_with_the_id() {
    let app = McpApp::new();
    let answer = app
        .post_new(
            "missions:read",
            Some("tools/call"),
            Some("list"),
            &call("edit"),
        )
        .await;
    assert_eq!(
        answer.body,
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32020,"message":"Header mismatch: Mcp-Name does not match the body"}}"#
    );
}

#[tokio::test]
async fn protocol_version_of_the_body_must_be_that_of_the_field() {
    let app = McpApp::new();
    let with_version = |version: &str| {
        message(
            "ping",
            &format!(r#"{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"{version}"}}}}"#),
        )
    };
    let answer = app
        .post_new("", Some("ping"), None, &with_version("2025-11-25"))
        .await;
    assert_eq!(answer.verdict(), MISMATCH);
    let answer = app
        .post_new("", Some("ping"), None, &with_version("2026-07-28"))
        .await;
    assert_eq!(answer.verdict(), "200");
}

#[tokio::test]
async fn encoded_names_are_decoded_before_they_are_compared() {
    let app = McpApp::new();
    let body = call("日本");
    for (name, verdict) in [
        ("=?base64?5pel5pys?=", "200"),
        ("=?base64?bGlzdA==?=", MISMATCH), // `list`, which has the same scope
        ("=?BASE64?5pel5pys?=", "403 forbidden"), // plain text, and no such tool
    ] {
        let answer = app
            .post_new("missions:read", Some("tools/call"), Some(name), &body)
            .await;
        assert_eq!(answer.verdict(), verdict, "{name}");
    }
    let encoded = app
        .post_new(
            "missions:read",
            Some("tools/call"),
            Some("=?base64?bGlzdA==?="),
            &call("list"),
        )
        .await;
    assert_eq!(encoded.verdict(), "200");
}

#[tokio::test]
async fn repeated_fields_are_refused() {
    let app = McpApp::new();
    let body = call("list");
    let fields = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "list"),
    ];
    assert_eq!(
        app.post("missions:read", &fields, body.clone())
            .await
            .verdict(),
        "200"
    );
    for repeated in fields {
        let mut fields = fields.to_vec();
        fields.push(repeated);
        let answer = app.post("missions:read", &fields, body.clone()).await;
        assert_eq!(answer.verdict(), MISMATCH, "{repeated:?}");
    }
}

#[tokio::test]
async fn handshake_and_notifications_without_the_fields_are_judged_by_their_body() {
    let app = McpApp::new();
    let initialize = message("initialize", r#"{"protocolVersion":"2026-07-28"}"#);
    let notification = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let hidden_call = r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"edit"}}"#;
    let response = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    for (body, verdict) in [
        (&*initialize, "200"),
        (notification, "200"),
        (hidden_call, "403 insufficient_scope"),
        (response, "400 invalid_request mcp_message"),
    ] {
        let answer = app.post_new("missions:read", None, None, body).await;
        assert_eq!(answer.verdict(), verdict, "{body}");
    }
}

#[tokio::test]
async fn service_that_compares_gets_the_body_unread_and_what_only_the_body_says_is_read() {
    let app = McpApp::with(McpLayer::new(scopes()).service_compares_headers());
    let rights = "missions:read";
    // The service compares, so what differs is its business.
    let differs = app
        .post_new(rights, Some("tools/call"), Some("list"), &call("edit"))
        .await;
    assert_eq!(differs.body_or_verdict(), echoed(&call("edit")));
    let refused = app
        .post_new(rights, Some("tools/call"), Some("edit"), &call("edit"))
        .await;
    assert_eq!(refused.verdict(), "403 insufficient_scope");

    let listen = |uri: &str| {
        let params = format!(
            r#"{{"notifications":{{"resourceSubscriptions":["missions://all","{uri}"]}}}}"#
        );
        message("subscriptions/listen", &params)
    };
    for (uri, verdict) in [
        ("missions://all", "200"),
        ("missions://secret/1", "403 insufficient_scope"),
        ("other://x", "403 forbidden"),
    ] {
        let answer = app
            .post_new(rights, Some("subscriptions/listen"), None, &listen(uri))
            .await;
        assert_eq!(answer.verdict(), verdict, "{uri}");
    }
    // Without the field, or of a revision that is not published yet, the body is read.
    let without = app.post_new(rights, None, None, &call("edit")).await;
    assert_eq!(without.verdict(), MISMATCH);
    let later = [
        ("mcp-protocol-version", "2027-01-01"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "list"),
    ];
    let later = app.post(rights, &later, call("edit")).await;
    assert_eq!(later.verdict(), MISMATCH);
}
