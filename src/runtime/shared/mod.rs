//! Revocations, introspection responses and used DPoP proofs that instances share through Redis or Valkey.

pub(crate) mod store;
pub(crate) mod replica;
pub(crate) mod sync;
pub(crate) mod introspection_cache;

pub(crate) mod replay;
