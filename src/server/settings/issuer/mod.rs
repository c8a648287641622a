//! The settings of an issuer, by their subject.

pub(in crate::server) mod lent_parts;
pub(crate) mod value;
pub(crate) mod danger;
pub(in crate::server) mod differences;
pub(crate) mod claims;
pub(crate) mod sessions;
pub(crate) mod keys;
pub(crate) mod documents;
#[cfg(feature = "status-list")]
pub(crate) mod status_list;
pub(crate) mod aliases;
#[cfg(feature = "jwks")]
pub(crate) mod introspection;
#[cfg(all(feature = "axum", feature = "jwks"))]
pub(crate) mod userinfo;
