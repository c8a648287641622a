//! Floor 3: facts from outside. Async, tasks, caches.

pub(crate) mod clock;

pub(crate) mod race;

pub(crate) mod directory;

pub(crate) mod latest;

mod counter;

#[cfg(feature = "jwks")]
mod marks;

pub(crate) mod verified;

mod table;

pub(crate) mod revoked;

pub(crate) mod revocation;

pub(crate) mod snapshot;

#[cfg(feature = "jwks")]
mod freshness;

#[cfg(feature = "jwks")]
pub(crate) mod fetch;

#[cfg(feature = "jwks")]
pub(crate) mod schedule;

#[cfg(feature = "jwks")]
pub(crate) mod health;

#[cfg(feature = "jwks")]
pub(crate) mod origin;

#[cfg(feature = "jwks")]
mod landed;

#[cfg(feature = "jwks")]
pub(crate) mod jwks;

#[cfg(feature = "jwks")]
mod refresher;
