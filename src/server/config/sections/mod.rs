//! The tables of a configuration, each with the members of one type of settings.

pub(in crate::server::config) mod resource;
pub(in crate::server::config) mod dpop;
pub(in crate::server::config) mod tenants;
pub(in crate::server::config) mod scopes;
pub(in crate::server::config) mod issuer;
#[cfg(feature = "redis")]
pub(in crate::server::config) mod shared_store;
#[cfg(feature = "ssf")]
pub(in crate::server::config) mod transmitter;
pub(in crate::server::config) mod decision_records;
#[cfg(feature = "jwks")]
pub(in crate::server::config) mod key_set_copies;
pub(in crate::server::config) mod server;
