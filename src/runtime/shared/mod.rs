//! Revocations and introspection answers that instances share through Redis or Valkey. The only home of `redis`.

pub(crate) mod tls;
pub(crate) mod redis;
pub(crate) mod pending_changes;
pub(crate) mod stream_page;
pub(crate) mod replica;
pub(crate) mod codec;
pub(crate) mod sync;
pub(crate) mod sync_task;
pub(crate) mod introspection_cache;
