//! The HTTP client: bounded fetches, `Cache-Control`, TLS roots, form encoding.

#[cfg(any(feature = "axum", feature = "jwks"))]
pub(crate) mod form;
#[cfg(feature = "jwks")]
pub(crate) mod cache_control;
#[cfg(feature = "jwks")]
pub(crate) mod probe;
#[cfg(feature = "jwks")]
pub(crate) mod transport;
#[cfg(feature = "jwks")]
pub(crate) mod shared_clients;
#[cfg(feature = "jwks")]
pub(crate) mod tls;
#[cfg(feature = "jwks")]
pub(crate) mod bearer_file;
#[cfg(feature = "jwks")]
mod client_source;
#[cfg(feature = "jwks")]
mod date;
#[cfg(feature = "jwks")]
pub(crate) mod client;
#[cfg(feature = "jwks")]
#[cfg(test)]
mod tests;
