//! The cache of verified tokens.

mod memory;
mod token_cache;
