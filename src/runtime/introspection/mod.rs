//! Introspection endpoints (RFC 7662), their dialects, and our client authentication.

pub(crate) mod client_auth;
pub(crate) mod dialect;
pub(crate) mod endpoint;
