//! From settings to a running server: policies, issuer ids, key sources, endpoints.

pub(crate) mod dpop;
pub(crate) mod resource;
pub(crate) mod issuer_ids;
pub(crate) mod policy;
pub(crate) mod key_source;
#[cfg(feature = "status-list")]
pub(crate) mod status_list;
pub(crate) mod issuer;
#[cfg(any(feature = "aide", feature = "utoipa"))]
pub(crate) mod authorization_server;
#[cfg(feature = "jwks")]
pub(crate) mod introspection;
#[cfg(all(feature = "axum", feature = "jwks"))]
pub(crate) mod userinfo;
#[cfg(feature = "redis")]
pub(crate) mod shared_store;
#[cfg(feature = "ssf")]
pub(crate) mod ssf;
