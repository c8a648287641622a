//! Identities, tenants, principals and delegation.

mod delegation;
mod identities;
mod limits_of_reach;
mod principals;
mod tenant_rules;
mod tenants;
