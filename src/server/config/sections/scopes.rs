//! Which scopes imply others.

use crate::model::scope::ScopeHierarchy;
use crate::server::config::error::NodeError;
use crate::server::config::setting::{ScopeText, Setting, Several};

/// One rule of a hierarchy of scopes.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with `scope` and `implies`")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::server::config) struct ScopeRuleTable {
    /// The wider scope token.
    scope: ScopeText,
    /// The scope tokens that it implies.
    implies: Several<ScopeText>,
}

impl Setting for ScopeRuleTable {
    type Value = ScopeHierarchy;

    fn value(self) -> Result<ScopeHierarchy, NodeError> {
        let wider = self.scope.value()?;
        let narrower = self.implies.value()?;
        Ok(ScopeHierarchy::new().implies(wider, narrower.join(" ")))
    }
}
