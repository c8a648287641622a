//! What is wrong with each issuer: discovery, keys, clocks, TLS, endpoints.

pub(crate) mod diagnosis;
mod key_source;
pub(crate) mod run;
