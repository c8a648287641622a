//! Lists without what the caller cannot use.

use axum::Router;
use axum::routing::post;
use http::{HeaderMap, HeaderValue};
use portcullis::ResourceServer;
use portcullis::mcp::McpLayer;

use crate::mcp::support::{McpApp, answering, message, scopes};

const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"list"},{"name":"edit"},{"name":"open"},{"name":"unknown"}]}}"#;
const SHORT: &str =
    r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"list"},{"name":"open"}]}}"#;

fn hiding(inner: Router) -> McpApp {
    let layer = McpLayer::new(scopes()).hide_unavailable();
    McpApp::around(layer, ResourceServer::authenticate, inner)
}

async fn list(app: &McpApp, scope: &str) -> String {
    app.post_old(None, scope, &message("tools/list", "{}"))
        .await
        .body
}

#[tokio::test]
async fn json_list_is_cut_for_callers_without_the_scope_where_that_is_wanted() {
    let inner = || {
        answering(
            "application/json",
            HeaderMap::new(),
            vec![&LIST[..20], &LIST[20..]],
        )
    };
    let whole = McpApp::around(
        McpLayer::new(scopes()),
        ResourceServer::authenticate,
        inner(),
    );
    assert_eq!(list(&whole, "missions:read").await, LIST);
    let app = hiding(inner());
    assert_eq!(list(&app, "missions:read").await, SHORT);
    let all = list(&app, "missions:read missions:write").await;
    assert_eq!(all, LIST.replace(r#",{"name":"unknown"}"#, ""));
    let body = message("tools/list", "{}");
    let new = app
        .post_new("missions:read", Some("tools/list"), None, &body)
        .await;
    assert_eq!(new.body, SHORT);
    // Answers to other methods pass unchanged, whatever they hold.
    assert_eq!(
        app.post_old(None, "", &message("ping", "{}")).await.body,
        LIST
    );
}

#[tokio::test]
async fn event_stream_is_cut_event_by_event() {
    let notification =
        r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"x"}}"#;
    let stream: &'static str = Box::leak(
        format!(
            ": ping\r\n\r\nid: 0\nretry: 3000\ndata: \n\nevent: message\ndata: {notification}\n\nid: 1\r\nevent: message\r\ndata: {LIST}\r\n\r\n"
        )
        .into_boxed_str(),
    );
    let expected = format!(
        ": ping\r\n\r\nid: 0\nretry: 3000\ndata: \n\nevent: message\ndata: {notification}\n\nid: 1\r\nevent: message\r\ndata: {SHORT}\n\r\n"
    );
    for size in [1, 7, 1000] {
        let chunks = stream.as_bytes().chunks(size);
        let chunks = chunks
            .filter_map(|chunk| std::str::from_utf8(chunk).ok())
            .collect();
        let app = hiding(answering(
            "text/event-stream; charset=utf-8",
            HeaderMap::new(),
            chunks,
        ));
        assert_eq!(list(&app, "missions:read").await, expected, "{size}");
        // A stream that is resumed may bring the answer to a list.
        let token = app.issuer.token().scope("missions:read").sign();
        let get = crate::support::Requests::get(&app.router, "/mcp", &token).await;
        assert_eq!(get.body, expected);
    }
}

#[tokio::test]
async fn list_that_cannot_be_read_is_not_shown() {
    let error = r#"{"jsonrpc":"2.0","error":{"code":-32603,"message":"the list of the service cannot be filtered"}}"#;
    let broken = hiding(answering(
        "application/json",
        HeaderMap::new(),
        vec![&LIST[..40]],
    ));
    assert_eq!(list(&broken, "missions:read").await, error);
    let gzip = HeaderMap::from_iter([(
        http::header::CONTENT_ENCODING,
        HeaderValue::from_static("gzip"),
    )]);
    let compressed = hiding(answering("application/json", gzip, vec![LIST]));
    assert_eq!(list(&compressed, "missions:read").await, error);
    let text = hiding(answering(
        "text/plain",
        HeaderMap::new(),
        vec!["not a list"],
    ));
    assert_eq!(list(&text, "missions:read").await, "not a list");
}

#[tokio::test]
async fn service_that_filters_itself_sees_what_the_caller_may_use() {
    async fn may(extensions: http::Extensions) -> String {
        let scopes = scopes();
        let access = scopes.access(&extensions).expect("a layer");
        let tools = ["list", "edit", "open", "unknown"];
        let tools: Vec<_> = tools
            .into_iter()
            .filter(|name| access.allows_tool(name))
            .collect();
        format!(
            "{} {} {} {}",
            tools.join("+"),
            access.allows_prompt("brief"),
            access.allows_resource("missions://all"),
            access.allows_resource("missions://secret/1"),
        )
    }
    let inner = || Router::new().route("/mcp", post(may));
    let app = McpApp::around(
        McpLayer::new(scopes()),
        ResourceServer::authenticate,
        inner(),
    );
    assert_eq!(list(&app, "").await, "open false false false");
    assert_eq!(
        list(&app, "missions:read").await,
        "list+open false true false"
    );
    assert_eq!(
        list(&app, "missions:read missions:write").await,
        "list+edit+open true true true"
    );
    assert!(scopes().access(&http::Extensions::new()).is_err());
}
