//! Ready-made services: metadata of resources, readiness, back-channel logout, pushed security events.

pub(crate) mod protected_resource;
#[cfg(feature = "jwks")]
pub(crate) mod readiness;
#[cfg(feature = "axum")]
pub(crate) mod backchannel_logout;
#[cfg(feature = "ssf")]
pub(crate) mod ssf_push;
