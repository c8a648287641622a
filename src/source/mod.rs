//! Floor 3: facts from outside. Async, tasks, caches.

pub(crate) mod clock;

#[cfg(feature = "jwks")]
pub(crate) mod latest;

#[cfg(feature = "jwks")]
pub(crate) mod fetch;

#[cfg(feature = "jwks")]
pub(crate) mod jwks;
