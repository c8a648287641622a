//! The HTTP client: bounded fetches, `Cache-Control`, form encoding. The only home of `reqwest`.

pub(crate) mod cache_control;
pub(crate) mod client;
pub(crate) mod form;
