//! Floor 3: facts from outside. Async, tasks, caches.

pub(crate) mod clock;

pub(crate) mod race;

pub(crate) mod directory;

pub(crate) mod latest;

pub(crate) mod spread;

#[cfg(feature = "jwks")]
pub(crate) mod marks;

mod place;

pub(crate) mod verified;

mod table;

pub(crate) mod revoked;

pub(crate) mod listed;

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
pub(crate) mod discovery;

#[cfg(feature = "jwks")]
pub(crate) mod origin;

#[cfg(feature = "jwks")]
mod landed;

#[cfg(feature = "jwks")]
pub(crate) mod jwks;

#[cfg(feature = "jwks")]
pub(crate) mod waiting;

#[cfg(feature = "jwks")]
mod refresher;

#[cfg(feature = "redis")]
mod store_tls;

#[cfg(feature = "redis")]
pub(crate) mod store;

#[cfg(feature = "redis")]
mod journal;

#[cfg(feature = "redis")]
mod page;

#[cfg(feature = "redis")]
mod ledger;

#[cfg(feature = "redis")]
mod letter;

#[cfg(feature = "redis")]
pub(crate) mod sharing;

#[cfg(feature = "redis")]
mod exchange;

#[cfg(feature = "redis")]
pub(crate) mod answers;

#[cfg(feature = "jwks")]
mod form;

#[cfg(feature = "jwks")]
pub(crate) mod client_authentication;

#[cfg(feature = "jwks")]
pub(crate) mod token_information;

pub(crate) mod quiet;

#[cfg(feature = "jwks")]
mod flights;

#[cfg(feature = "jwks")]
mod whereabouts;

#[cfg(feature = "jwks")]
mod oracle;

#[cfg(feature = "jwks")]
mod breaker;

#[cfg(feature = "jwks")]
mod setbacks;

#[cfg(feature = "jwks")]
pub(crate) mod endpoint;

#[cfg(all(feature = "axum", feature = "jwks"))]
pub(crate) mod user_info;

#[cfg(feature = "jwks")]
pub(crate) mod record;

#[cfg(feature = "jwks")]
pub(crate) mod introspection;
