//! Floor 5: layers, services and extractors.

pub(crate) mod response;
pub(crate) mod decision;
pub(crate) mod future;
pub(crate) mod authenticate;
#[cfg(feature = "jwks")]
pub(crate) mod lease;
pub(crate) mod require;
#[cfg(feature = "mcp")]
pub(crate) mod mcp;
pub(crate) mod services;
#[cfg(feature = "axum")]
pub(crate) mod extract;
#[cfg(any(feature = "aide", feature = "utoipa"))]
pub(crate) mod openapi;
