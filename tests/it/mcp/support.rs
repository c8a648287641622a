//! An MCP server that answers with what it was asked, and requests to it.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt as _;
use portcullis::ResourceServer;
use portcullis::mcp::{McpLayer, McpScopes};
use portcullis::test_util::MockIssuer;
use tower::service_fn;

use crate::support::{API, Requests as _, TestResponse};

portcullis::scopes! {
    pub(crate) Read = "missions:read";
    pub(crate) Write = "missions:read missions:write";
    pub(crate) Log = "log:write";
}

pub(crate) const REVISIONS_WITHOUT_HEADERS: [Option<&str>; 4] = [
    None,
    Some("2025-03-26"),
    Some("2025-06-18"),
    Some("2025-11-25"),
];

pub(crate) fn scopes() -> McpScopes {
    McpScopes::new()
        .tool::<Read>("list")
        .tool::<Write>("edit")
        .tool::<Read>("日本")
        .open_tool("open")
        .prompt::<Write>("brief")
        .resource::<Read>("missions://all")
        .resource_prefix::<Write>("missions://secret/")
        .method::<Log>("logging/setLevel")
        .method::<Log>("custom/flush")
}

pub(crate) struct McpApp {
    pub(crate) issuer: MockIssuer,
    pub(crate) router: Router,
}

impl McpApp {
    pub(crate) fn new() -> Self {
        Self::with(McpLayer::new(scopes()))
    }

    pub(crate) fn with(layer: McpLayer) -> Self {
        Self::around(layer, ResourceServer::authenticate, echo())
    }

    pub(crate) fn around<L>(
        layer: McpLayer,
        outer: impl FnOnce(&ResourceServer) -> L,
        inner: Router,
    ) -> Self
    where
        L: tower::Layer<axum::routing::Route> + Clone + Send + Sync + 'static,
        L::Service:
            tower::Service<Request<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
        <L::Service as tower::Service<Request<Body>>>::Response:
            axum::response::IntoResponse + 'static,
        <L::Service as tower::Service<Request<Body>>>::Future: Send + 'static,
    {
        let issuer = MockIssuer::new();
        let server = crate::support::server(&issuer);
        let router = inner.layer(layer).layer(outer(&server));
        Self { issuer, router }
    }

    /// A POST of this body with these header fields, by a caller with this scope.
    pub(crate) async fn post(
        &self,
        scope: &str,
        fields: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> TestResponse {
        let token = self.issuer.token().scope(scope).bearer();
        let mut request = Request::post("/mcp").header("authorization", token);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).expect("a request");
        self.router.exchange(request).await
    }

    /// The same in revision 2026-07-28, with these values of `Mcp-Method` and `Mcp-Name`.
    pub(crate) async fn post_new(
        &self,
        scope: &str,
        method: Option<&str>,
        name: Option<&str>,
        body: &str,
    ) -> TestResponse {
        let mut fields = vec![("mcp-protocol-version", "2026-07-28")];
        fields.extend(method.map(|method| ("mcp-method", method)));
        fields.extend(name.map(|name| ("mcp-name", name)));
        self.post(scope, &fields, body.to_owned()).await
    }

    /// The same in an earlier revision.
    pub(crate) async fn post_old(
        &self,
        revision: Option<&str>,
        scope: &str,
        body: &str,
    ) -> TestResponse {
        let fields: Vec<_> = revision
            .map(|revision| ("mcp-protocol-version", revision))
            .into_iter()
            .collect();
        self.post(scope, &fields, body.to_owned()).await
    }
}

/// Answers with the method and the bytes of the body.
pub(crate) fn echo() -> Router {
    let service = service_fn(|request: Request<Body>| async move {
        let method = request.method().clone();
        let body = request.into_body().collect().await.expect("a body");
        let mut answer = format!("{method} ").into_bytes();
        answer.extend_from_slice(&body.to_bytes());
        Ok::<_, Infallible>(Response::new(Body::from(answer)))
    });
    Router::new().route_service("/mcp", service)
}

/// Answers everything with this body of this media type.
pub(crate) fn answering(
    media_type: &'static str,
    fields: HeaderMap,
    body: Vec<&'static str>,
) -> Router {
    let service = service_fn(move |_: Request<Body>| {
        let chunks = body.clone().into_iter().map(Ok::<_, Infallible>);
        let mut response = Response::new(Body::from_stream(Chunks(chunks.collect())));
        response.headers_mut().extend(fields.clone());
        let media_type = http::HeaderValue::from_static(media_type);
        response.headers_mut().insert("content-type", media_type);
        std::future::ready(Ok::<_, Infallible>(response))
    });
    Router::new().route_service("/mcp", service)
}

struct Chunks(std::collections::VecDeque<Result<&'static str, Infallible>>);

impl futures_core::Stream for Chunks {
    type Item = Result<&'static str, Infallible>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.pop_front())
    }
}

pub(crate) fn call(tool: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"{tool}","arguments":{{"a":1}}}}}}"#
    )
}

pub(crate) fn message(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":"m1","method":"{method}","params":{params}}}"#)
}

/// What the test server answers to an admitted POST.
pub(crate) fn echoed(body: &str) -> String {
    format!("POST {body}")
}

/// The resource of the tokens, as the realm of challenges.
pub(crate) fn challenge(scope: &str) -> String {
    format!(r#"Bearer realm="{API}", error="insufficient_scope", scope="{scope}""#)
}
