//! Ready-made services: metadata of resources, readiness, back-channel logout.

pub(crate) mod protected_resource;
#[cfg(feature = "jwks")]
pub(crate) mod readiness;
#[cfg(feature = "axum")]
pub(crate) mod backchannel_logout;
