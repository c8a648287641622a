//! The table of an issuer, with the tables in it.

#[cfg(feature = "jwks")]
mod introspection;
#[cfg(feature = "status-list")]
mod status_list;
mod kinds;
pub(in crate::server::config) mod table;
