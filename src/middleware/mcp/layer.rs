//! The layer in front of an MCP server, and its settings.

use std::sync::Arc;

use tower_layer::Layer;

use crate::middleware::mcp::access::McpPolicy;
use crate::middleware::mcp::scopes::McpScopes;
use crate::middleware::mcp::service::McpService;

/// Checks what each request to an MCP server (Streamable HTTP) demands, before the server sees it.
///
/// It stands inside an [`AuthenticateLayer`](crate::AuthenticateLayer) and in front of the server's
/// service, such as the `StreamableHttpService` of `rmcp`. Revisions 2025-03-26 to 2026-07-28 of the protocol
/// are understood.
///
/// | request | answer |
/// |---|---|
/// | POST with all that its operation demands | that of the service |
/// | POST without a scope | 403 with one challenge that names all scopes of the operation |
/// | POST that names an undeclared tool, prompt or resource | 403 without a challenge |
/// | POST of a method that is neither of the protocol nor declared | 404 (before 2026-07-28: 403), JSON-RPC error -32601 |
/// | POST whose header fields are missing, malformed or differ from the body | 400, JSON-RPC error -32020 |
/// | POST of a body that is no strict JSON-RPC message | 400, JSON-RPC error -32700, -32600 or -32602 |
/// | POST of a body beyond the limit | 413 |
/// | GET, HEAD, DELETE, OPTIONS | that of the service, with a good token; a body is not read |
/// | another method | as for POST |
///
/// The body that the service gets has the bytes that the client has sent. One with a `Content-Encoding`
/// is answered 400, JSON-RPC error -32600: a layer that decompresses requests stands outside.
///
/// ```
/// use axum::Router;
/// use axum::routing::post;
/// use portcullis::ResourceServer;
/// use portcullis::mcp::{McpLayer, McpScopes};
///
/// portcullis::scopes! { ReadMissions = "missions:read"; }
///
/// # let issuer = portcullis::test_util::MockIssuer::new();
/// let server = ResourceServer::builder("https://api.example.com/mcp").issuer(issuer.trusted()).build()?;
/// let scopes = McpScopes::new().tool::<ReadMissions>("list_missions");
/// let mcp_server = post(|| async { "the service of the MCP server" });
/// let app: Router = Router::new()
///     .route_service("/mcp", mcp_server)
///     .layer(McpLayer::new(scopes))
///     .layer(server.authenticate());
/// # let _ = app;
/// # Ok::<(), portcullis::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
#[doc(alias("rmcp", "model context protocol", "tool scopes"))]
pub struct McpLayer {
    policy: Arc<McpPolicy>,
}

impl McpLayer {
    /// The layer that demands what `scopes` declares.
    pub fn new(scopes: McpScopes) -> Self {
        Self {
            policy: Arc::new(McpPolicy {
                scopes,
                max_body_bytes: 4 * 1024 * 1024,
                service_compares_headers: false,
                hides_unavailable: false,
            }),
        }
    }

    /// The longest body of a POST, in bytes; longer ones are answered 413. A body that is read stays in
    /// memory until the service has it. Default: 4 MiB.
    #[doc(alias("body_limit", "DefaultBodyLimit"))]
    pub fn max_body_bytes(self, bytes: usize) -> Self {
        self.with(|policy| policy.max_body_bytes = bytes)
    }

    /// States that the service itself refuses a request of revision 2026-07-28 whose `Mcp-Method` or
    /// `Mcp-Name` differs from its body, as the specification demands. Such requests are then decided by
    /// their header fields alone and their body is not read here. A service that does not compare them, and
    /// has this setting, is open: a client sends `ping` in the header field and `tools/call` in the body.
    /// Bodies that say more than the fields are read all the same: `subscriptions/listen`,
    /// `resources/subscribe` and `completion/complete`; and so are those of requests whose fields name what is
    /// not declared, to tell a mismatch from it.
    ///
    /// `rmcp` 3.11 compares them. Default: they are compared here.
    pub fn service_compares_headers(self) -> Self {
        self.with(|policy| policy.service_compares_headers = true)
    }

    /// Leaves tools, prompts, resources and resource templates that the caller cannot use out of the answers to
    /// `tools/list`, `prompts/list`, `resources/list` and `resources/templates/list`, in JSON and in
    /// event streams. A client then does not find out what it could request a further scope for. A list of
    /// more than 16 MiB, or one that is compressed, becomes a JSON-RPC error: a layer that
    /// compresses answers stands outside. Default: lists are whole.
    #[doc(alias("filter_tools", "tools/list"))]
    pub fn hide_unavailable(self) -> Self {
        self.with(|policy| policy.hides_unavailable = true)
    }

    fn with(mut self, change: impl FnOnce(&mut McpPolicy)) -> Self {
        let old = &*self.policy;
        let mut policy = McpPolicy {
            scopes: old.scopes.clone(),
            ..*old
        };
        change(&mut policy);
        self.policy = Arc::new(policy);
        self
    }
}

impl<S> Layer<S> for McpLayer {
    type Service = McpService<S>;

    fn layer(&self, inner: S) -> McpService<S> {
        McpService::new(inner, Arc::clone(&self.policy))
    }
}
