//! The names of the route parameters that address a tenant.

use std::sync::Arc;

/// The parameters of the application's routes that hold a workspace and an account.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "axum"), allow(dead_code))]
pub(crate) struct PathParameters {
    pub(crate) workspace: Arc<str>,
    pub(crate) account: Arc<str>,
}

impl Default for PathParameters {
    fn default() -> Self {
        Self {
            workspace: "workspace_id".into(),
            account: "account_id".into(),
        }
    }
}

/// Whether a route can have a parameter of this name: not empty, without the characters that
/// end one.
pub(crate) fn is_parameter_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['{', '}', '/', '*'])
}
