//! Small tools without a subject of their own: concurrency primitives, backoff, excerpts of foreign
//! text, a rate limit for events, panics of the application.

#[cfg(feature = "jwks")]
pub(crate) mod backoff;
#[cfg(feature = "jwks")]
pub(crate) mod current_runtime;
pub(crate) mod excerpt;
pub(crate) mod select;
pub(crate) mod catch_panic;
pub(crate) mod sync;
pub(crate) mod swap;
pub(crate) mod striped;
pub(crate) mod concurrent_map;
pub(crate) mod log_rate_limit;
pub(crate) mod text_hash;
