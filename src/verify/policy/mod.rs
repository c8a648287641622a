//! Policies: the configured rules about an issuer's tokens and the tenants in them.

pub(crate) mod client_tenant;
pub(crate) mod delegation_rule;
pub(crate) mod group_pattern;
pub(crate) mod tenant_rules;
pub(crate) mod tenant_claims;
pub(crate) mod tenant_claim_forms;
pub(crate) mod memberships;
pub(crate) mod validate;
pub(crate) mod scope_closure;
pub(crate) mod issuer_policy;
