//! OpenAPI documents from the guards of this library: for [utoipa](https://docs.rs/utoipa) with the
//! feature `utoipa`, for [aide](https://docs.rs/aide) with the feature `aide`.
//!
//! Each operation's security requirement with its scopes, and its answers 400, 401, 403 and 503 come
//! from the guard's type; the security schemes come from the server. See
//! [the manual](crate::manual::openapi).

#[cfg(feature = "utoipa")]
#[doc(inline)]
pub use crate::middleware::openapi::guard_routes::{GuardRoutes, Routes};
#[cfg(feature = "aide")]
#[doc(inline)]
pub use crate::middleware::openapi::operation_transforms::{optional, public, require};
#[cfg(feature = "jwks")]
#[doc(inline)]
pub use crate::middleware::openapi::security_schemes::DiscoveryError;
#[doc(inline)]
pub use crate::middleware::openapi::security_schemes::SecuritySchemes;
