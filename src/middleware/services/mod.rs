//! Ready-made services: readiness, back-channel logout.

#[cfg(feature = "jwks")]
pub(crate) mod readiness;
#[cfg(feature = "axum")]
pub(crate) mod backchannel_logout;
