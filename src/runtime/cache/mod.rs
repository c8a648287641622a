//! The cache of verified tokens, and what its entries depend on.

pub(crate) mod validity;
mod cache_set;
mod sightings;
pub(crate) mod token_cache;
