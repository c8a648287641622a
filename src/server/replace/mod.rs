//! Changing the issuers of a running server.

pub(crate) mod error;
pub(crate) mod report;
#[cfg(feature = "jwks")]
mod connected;
#[cfg(feature = "jwks")]
mod watch;
mod replacing;
