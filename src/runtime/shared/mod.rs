//! Revocations and introspection responses that instances share through Redis or Valkey.

pub(crate) mod store;
pub(crate) mod replica;
pub(crate) mod sync;
pub(crate) mod introspection_cache;
