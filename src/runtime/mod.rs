//! Floor 3: facts from outside. Async, tasks, caches.

pub(crate) mod util;
pub(crate) mod clock;
#[cfg(feature = "jwks")]
pub(crate) mod observation;
pub(crate) mod directory;
#[cfg(feature = "jwks")]
pub(crate) mod decision_queue;
pub(crate) mod directory_fn;
pub(crate) mod cache;
pub(crate) mod replay;
pub(crate) mod http;
#[cfg(feature = "jwks")]
pub(crate) mod discovery;
#[cfg(feature = "jwks")]
pub(crate) mod jwks;
pub(crate) mod revocation;
#[cfg(feature = "redis")]
pub(crate) mod shared;
#[cfg(feature = "jwks")]
pub(crate) mod lookup;
#[cfg(feature = "status-list")]
pub(crate) mod status_list;
#[cfg(feature = "jwks")]
pub(crate) mod lease;
#[cfg(feature = "jwks")]
pub(crate) mod introspection;
#[cfg(all(feature = "axum", feature = "jwks"))]
pub(crate) mod userinfo;
#[cfg(feature = "ssf")]
pub(crate) mod ssf;
