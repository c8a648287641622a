//! The layer that authenticates requests, its service, and its entry in the request's extensions.

#[cfg(feature = "axum")]
mod axum_extensions;
pub(crate) mod client_certificate;
pub(crate) mod layer_policy;
pub(crate) mod context;
pub(crate) mod refuser;
#[cfg(all(feature = "axum", feature = "jwks"))]
mod lent_body;
mod authenticator;
pub(crate) mod service;
pub(crate) mod layer;
pub(crate) mod explain;
pub(crate) mod danger;
