//! Identities, tenants, principals and delegation.

mod delegation;
mod identities;
mod limits_of_reach;
mod memberships;
mod path_parameters;
mod principals;
mod tenant_rules;
mod tenants;
