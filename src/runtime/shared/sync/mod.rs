//! Synchronization of revocations with the store: state, status, and the task.

mod stream_page;
pub(crate) mod store_keys;
pub(crate) mod failure;
pub(crate) mod state;
mod stream_epoch;
mod sync_stream;
mod task;
