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

/// What the caller of a request may use, for services that filter their lists themselves; made by
/// [`McpScopes::access`](crate::mcp::McpScopes::access).
/// [`McpLayer::hide_unavailable`](crate::mcp::McpLayer::hide_unavailable) is a filter that is ready.
///
/// Each answer is that which the layer would give to a call with the same token now.
#[derive(Clone, Copy)]
pub struct McpAccess<'r> {
    scopes: &'r McpScopes,
    context: &'r AuthContext,
}

impl McpScopes {
    /// What the caller of a request may use, by the extensions of the request. In `rmcp` they are those of
    /// the `http::request::Parts` in the context of a request.
    ///
    /// ```
    /// use http::Extensions;
    /// use portcullis::mcp::McpScopes;
    ///
    /// fn tools(scopes: &McpScopes, extensions: &Extensions) -> Vec<&'static str> {
    ///     let all = ["list_missions", "rename_mission"];
    ///     match scopes.access(extensions) {
    ///         Ok(access) => all.into_iter().filter(|name| access.allows_tool(name)).collect(),
    ///         Err(_) => Vec::new(), // no layer covers the service
    ///     }
    /// }
    /// assert!(tools(&McpScopes::new(), &Extensions::new()).is_empty());
    /// ```
    ///
    /// # Errors
    ///
    /// [`RejectionKind::NotAuthenticated`](crate::RejectionKind::NotAuthenticated): no
    /// [`AuthenticateLayer`](crate::AuthenticateLayer) covers the service.
    pub fn access<'r>(&'r self, extensions: &'r Extensions) -> Result<McpAccess<'r>, Refusal> {
        let context = AuthContext::of(extensions)?;
        Ok(McpAccess {
            scopes: self,
            context,
        })
    }
}

impl McpAccess<'_> {
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

    fn allows(&self, kind: TargetKind, name: &str) -> bool {
        let method = match kind {
            TargetKind::Tool => "tools/call",
            TargetKind::Prompt => "prompts/get",
            TargetKind::Resource => "resources/read",
        };
        let scopes = self.scopes;
        let method = scopes.of_method(method, MethodClass::of(method));
        let (Ok(method), Ok(target)) = (method, scopes.of_target(kind, name)) else {
            return false;
        };
        let places = method.iter().chain(target);
        let mut demands = places.filter_map(|place| scopes.requirement(*place));
        self.context.verified.is_some() && demands.all(|demand| meets(self.context, demand))
    }
}

impl fmt::Debug for McpAccess<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpAccess").finish_non_exhaustive()
    }
}

/// The access of a caller that outlives the request, for the answer.
pub(super) struct ListAccess {
    policy: Arc<McpPolicy>,
    context: AuthContext,
}

impl ListAccess {
    /// `None` where lists are whole.
    pub(super) fn of(policy: &Arc<McpPolicy>, extensions: &Extensions) -> Option<Box<Self>> {
        if !policy.hides_unavailable {
            return None;
        }
        Some(Box::new(Self {
            policy: Arc::clone(policy),
            context: extensions.get::<AuthContext>()?.clone(),
        }))
    }

    pub(super) fn allows(&self, kind: TargetKind, name: &str) -> bool {
        let access = McpAccess {
            scopes: &self.policy.scopes,
            context: &self.context,
        };
        access.allows(kind, name)
    }
}
