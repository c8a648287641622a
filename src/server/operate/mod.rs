//! Operation of a running server: connect, status, revocations, back-channel logout.

pub(crate) mod revocations;
#[cfg(feature = "axum")]
pub(crate) mod logout;
#[cfg(feature = "jwks")]
pub(crate) mod revocation_loader;
#[cfg(feature = "redis")]
pub(crate) mod shared_status;
#[cfg(feature = "status-list")]
pub(crate) mod status_lists;
#[cfg(feature = "jwks")]
pub(crate) mod connect;
