//! The cache of verified tokens, and the liveness of the keys that its entries stand on.

#[cfg(feature = "jwks")]
pub(crate) mod key_liveness;
pub(crate) mod cache_set;
pub(crate) mod token_cache;
