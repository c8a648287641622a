//! Claims checks: access tokens, introspection and userinfo responses, logout tokens.

pub(crate) mod token_type;
#[cfg_attr(not(feature = "jwks"), allow(dead_code))]
pub(crate) mod introspection_response;
pub(crate) mod custom;
pub(crate) mod spiffe_id;
pub(crate) mod actor;
pub(crate) mod access_token;
pub(crate) mod verified_token;
pub(crate) mod inspection;
pub(crate) mod revocation_rule;
#[cfg(feature = "axum")]
pub(crate) mod logout_token;
#[cfg(all(feature = "axum", feature = "jwks"))]
pub(crate) mod userinfo_response;
