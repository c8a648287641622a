//! What a caller may use, for answers that list it.

use std::fmt;
use std::sync::Arc;

use http::Extensions;

use crate::middleware::authenticate::context::AuthContext;
use crate::middleware::mcp::check::meets;
use crate::middleware::mcp::scopes::McpScopes;
use crate::middleware::response::refusal::Refusal;
use crate::verify::mcp::method::{MethodClass, TargetKind};

/// The settings of a layer.
#[derive(Debug)]
pub(super) struct McpPolicy {
    pub(super) scopes: McpScopes,
    pub(super) max_body_bytes: usize,
    pub(super) service_compares_headers: bool,
    pub(super) hides_unavailable: bool,
}

/// In the extensions of an admitted request.
#[derive(Clone)]
pub(super) struct PolicyHandle(pub(super) Arc<McpPolicy>);

/// What the caller of a request may use, for services that filter their lists themselves; see
/// [`McpLayer::hide_unavailable`](crate::mcp::McpLayer::hide_unavailable) for a filter that is ready.
///
/// Each answer is that which the layer would give to a call with the same token now.
///
/// ```
/// use http::Extensions;
/// use portcullis::mcp::McpAccess;
///
/// fn tools(extensions: &Extensions) -> Vec<&'static str> {
///     let all = ["list_missions", "edit_mission"];
///     match McpAccess::of(extensions) {
///         Ok(access) => all.into_iter().filter(|name| access.allows_tool(name)).collect(),
///         Err(_) => Vec::new(), // no layer covers the service
///     }
/// }
/// assert!(tools(&Extensions::new()).is_empty());
/// ```
#[derive(Clone)]
pub struct McpAccess {
    policy: Arc<McpPolicy>,
    context: AuthContext,
}

impl McpAccess {
    /// The access of a request that came through an [`McpLayer`](crate::mcp::McpLayer), from the
    /// extensions of the request. In `rmcp` they are those of the `http::request::Parts` in the context
    /// of a request.
    ///
    /// # Errors
    ///
    /// [`RejectionKind::NotAuthenticated`](crate::RejectionKind::NotAuthenticated): no such layer covers
    /// the service.
    pub fn of(extensions: &Extensions) -> Result<Self, Refusal> {
        let context = AuthContext::of(extensions)?;
        match extensions.get::<PolicyHandle>() {
            Some(PolicyHandle(policy)) => Ok(Self::new(policy, context)),
            None => Err(Refusal::without_layer()),
        }
    }

    pub(super) fn new(policy: &Arc<McpPolicy>, context: &AuthContext) -> Self {
        Self {
            policy: Arc::clone(policy),
            context: context.clone(),
        }
    }

    /// Whether the caller may call the tool with this name.
    #[must_use]
    pub fn allows_tool(&self, name: &str) -> bool {
        self.allows(TargetKind::Tool, name)
    }

    /// Whether the caller may get the prompt with this name.
    #[must_use]
    pub fn allows_prompt(&self, name: &str) -> bool {
        self.allows(TargetKind::Prompt, name)
    }

    /// Whether the caller may read the resource with this URI, or URI template.
    #[must_use]
    pub fn allows_resource(&self, uri: &str) -> bool {
        self.allows(TargetKind::Resource, uri)
    }

    pub(super) fn allows(&self, kind: TargetKind, name: &str) -> bool {
        let method = match kind {
            TargetKind::Tool => "tools/call",
            TargetKind::Prompt => "prompts/get",
            TargetKind::Resource => "resources/read",
        };
        let scopes = &self.policy.scopes;
        let method = scopes.of_method(method, MethodClass::of(method));
        let (Ok(method), Ok(target)) = (method, scopes.of_target(kind, name)) else {
            return false;
        };
        let places = method.iter().chain(target);
        let mut demands = places.filter_map(|place| scopes.requirement(*place));
        self.context.required().is_ok() && demands.all(|demand| meets(&self.context, demand))
    }
}

impl fmt::Debug for McpAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpAccess").finish_non_exhaustive()
    }
}
