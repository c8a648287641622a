//! Settings of issuers and of the shared store, and the error that names a mistake in them.

pub(crate) mod error;
pub(crate) mod path_parameters;
pub(crate) mod oidc_tenants;
#[cfg(feature = "jwks")]
pub(crate) mod introspection_settings;
#[cfg(feature = "status-list")]
pub(crate) mod status_list_check;
pub(crate) mod issuer;
pub(crate) mod issuer_sessions;
pub(crate) mod issuer_keys;
#[cfg(feature = "status-list")]
pub(crate) mod issuer_status_list;
pub(crate) mod issuer_aliases;
pub(crate) mod bound_tokens;
pub(crate) mod resource;
#[cfg(feature = "jwks")]
pub(crate) mod issuer_introspection;
#[cfg(all(feature = "axum", feature = "jwks"))]
pub(crate) mod issuer_userinfo;
#[cfg(feature = "redis")]
pub(crate) mod shared_store;
