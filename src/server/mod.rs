//! Floor 4: the resource server: settings, what they compile to, and the decision on a request.

pub(crate) mod settings;
pub(crate) mod presets;
pub(crate) mod decide;
pub(crate) mod compile;
pub(crate) mod refusal_counters;
pub(crate) mod resource_server;
pub(crate) mod authenticate;
#[cfg(feature = "axum")]
mod access;
#[cfg(all(feature = "axum", feature = "jwks"))]
mod userinfo;
pub(crate) mod builder;
pub(crate) mod operate;
