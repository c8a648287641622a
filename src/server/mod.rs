//! Floor 4: the configured server. `authenticate` is the whole decision on a request, in order.

pub(crate) mod settings;
pub(crate) mod presets;
pub(crate) mod decide;
pub(crate) mod compile;
pub(crate) mod refusal_counters;
mod registry;
pub(crate) mod resource_server;
pub(crate) mod resources;
mod check_status;
pub(crate) mod authenticate;
#[cfg(feature = "jwks")]
pub(crate) mod leases;
#[cfg(feature = "axum")]
mod access;
#[cfg(all(feature = "axum", feature = "jwks"))]
mod userinfo;
pub(crate) mod builder;
pub(crate) mod operate;
pub(crate) mod replace;
