//! Settings of issuers and of the shared store, and the error that names a mistake in them.

pub(crate) mod error;
pub(crate) mod path_parameters;
pub(crate) mod oidc_tenants;
#[cfg(feature = "jwks")]
pub(crate) mod introspection_settings;
#[cfg(feature = "status-list")]
pub(crate) mod status_list_check;
#[cfg(feature = "jwks")]
pub(crate) mod key_set_copies;
pub(crate) mod key_access;
pub(crate) mod issuer;
pub(crate) mod bound_tokens;
pub(crate) mod resource;
#[cfg(feature = "redis")]
pub(crate) mod shared_store;
#[cfg(feature = "ssf")]
pub(crate) mod ssf;
