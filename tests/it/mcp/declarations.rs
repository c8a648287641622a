//! What is declared, and what is not.

use http::{Method, Request};
use portcullis::mcp::McpLayer;
use portcullis::mcp::McpScopes;

use crate::mcp::support::{Log, McpApp, Read, Write, call, challenge, message, scopes};
use crate::support::Requests as _;

#[tokio::test]
async fn what_is_not_declared_is_refused() {
    let app = McpApp::new();
    let rights = "missions:read missions:write log:write";
    for (method, params, verdict) in [
        ("tools/call", r#"{"name":"unknown"}"#, "403 forbidden"),
        ("tools/call", r#"{"name":"List"}"#, "403 forbidden"),
        ("prompts/get", r#"{"name":"unknown"}"#, "403 forbidden"),
        ("prompts/get", r#"{"name":"brief"}"#, "200"),
        (
            "resources/read",
            r#"{"uri":"missions://other"}"#,
            "403 forbidden",
        ),
        ("resources/read", r#"{"uri":"missions://all"}"#, "200"),
        ("resources/read", r#"{"uri":"missions://secret/1"}"#, "200"),
        (
            "resources/read",
            r#"{"uri":"missions://secret/../x"}"#,
            "403 forbidden",
        ),
        (
            "resources/subscribe",
            r#"{"uri":"missions://other"}"#,
            "403 forbidden",
        ),
        (
            "resources/unsubscribe",
            r#"{"uri":"missions://all"}"#,
            "200",
        ),
        (
            "completion/complete",
            r#"{"ref":{"type":"ref/prompt","name":"x"}}"#,
            "403 forbidden",
        ),
        (
            "completion/complete",
            r#"{"ref":{"type":"ref/prompt","name":"brief"}}"#,
            "200",
        ),
        ("custom/unknown", "{}", "403 forbidden"),
        ("custom/flush", "{}", "200"),
    ] {
        let body = message(method, params);
        let old = app.post_old(Some("2025-11-25"), rights, &body).await;
        assert_eq!(old.verdict(), verdict, "{body}");
        assert_eq!(old.challenge(), "", "another token would not help: {body}");
    }
}

#[tokio::test]
async fn method_outside_the_protocol_is_not_found() {
    let app = McpApp::new();
    let body = message("custom/unknown", "{}");
    let not_found =
        r#"{"jsonrpc":"2.0","id":"m1","error":{"code":-32601,"message":"Method not found"}}"#;
    let new = app
        .post_new("missions:read", Some("custom/unknown"), None, &body)
        .await;
    assert_eq!(
        (new.verdict().as_str(), new.body.as_str()),
        ("404 forbidden", not_found)
    );
    // Where 404 would say that the session has ended.
    let old = app
        .post_old(Some("2025-11-25"), "missions:read", &body)
        .await;
    assert_eq!(
        (old.verdict().as_str(), old.body.as_str()),
        ("403 forbidden", not_found)
    );
    let declared = message("custom/flush", "{}");
    let twin = app
        .post_new("log:write", Some("custom/flush"), None, &declared)
        .await;
    assert_eq!(twin.verdict(), "200");
    let refused = app
        .post_new("missions:read", Some("custom/flush"), None, &declared)
        .await;
    assert_eq!(refused.challenge(), challenge("log:write"));
}

#[tokio::test]
async fn methods_of_the_protocol_that_name_nothing_need_a_good_token_and_what_is_declared() {
    let app = McpApp::new();
    for method in [
        "initialize",
        "ping",
        "tools/list",
        "resources/templates/list",
        "tasks/get",
    ] {
        let body = message(method, "{}");
        assert_eq!(
            app.post_old(None, "", &body).await.verdict(),
            "200",
            "{method}"
        );
    }
    let body = message("logging/setLevel", r#"{"level":"debug"}"#);
    assert_eq!(
        app.post_old(None, "", &body).await.verdict(),
        "403 insufficient_scope"
    );
    assert_eq!(
        app.post_old(None, "log:write", &body).await.verdict(),
        "200"
    );
}

#[tokio::test]
async fn declarations_of_a_method_and_of_what_it_names_add_up_in_one_challenge() {
    let scopes = scopes().method::<Log>("tools/call").tool::<Read>("edit");
    let app = McpApp::with(McpLayer::new(scopes));
    let refused = app
        .post_new("", Some("tools/call"), Some("edit"), &call("edit"))
        .await;
    assert_eq!(
        refused.challenge(),
        challenge("log:write missions:read missions:write")
    );
    let rights = "log:write missions:read missions:write";
    let admitted = app
        .post_new(rights, Some("tools/call"), Some("edit"), &call("edit"))
        .await;
    assert_eq!(admitted.verdict(), "200");
}

#[tokio::test]
async fn other_names_have_a_declaration_of_their_own() {
    let scopes = McpScopes::new()
        .tool::<Read>("list")
        .other_tools::<Write>()
        .other_prompts::<Write>();
    let app = McpApp::with(McpLayer::new(scopes));
    let other = call("any");
    assert_eq!(
        app.post_old(None, "missions:read", &other).await.verdict(),
        "403 insufficient_scope"
    );
    let rights = "missions:read missions:write";
    assert_eq!(app.post_old(None, rights, &other).await.verdict(), "200");
    assert_eq!(
        app.post_old(None, "missions:read", &call("list"))
            .await
            .verdict(),
        "200"
    );
    let prompt = message("prompts/get", r#"{"name":"any"}"#);
    assert_eq!(app.post_old(None, rights, &prompt).await.verdict(), "200");
    let resource = message("resources/read", r#"{"uri":"any:"}"#);
    assert_eq!(
        app.post_old(None, rights, &resource).await.verdict(),
        "403 forbidden"
    );
}

#[tokio::test]
async fn streams_and_ends_of_sessions_need_a_good_token() {
    let app = McpApp::new();
    let token = app.issuer.token().scope("").bearer();
    for method in [Method::GET, Method::DELETE] {
        let request = |token: Option<&str>| {
            let mut request = Request::builder().method(&method).uri("/mcp");
            if let Some(token) = token {
                request = request.header("authorization", token);
            }
            request.body(axum::body::Body::empty()).expect("a request")
        };
        let without = app.router.exchange(request(None)).await;
        assert_eq!(without.verdict(), "401 missing_token");
        let with = app.router.exchange(request(token.to_str().ok())).await;
        assert_eq!(with.body_or_verdict(), format!("{method} "));
    }
}
