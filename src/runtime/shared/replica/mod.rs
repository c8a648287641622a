//! The replicated set of revocations, without I/O: messages, what is known of each, what is to be
//! written.

pub(super) mod key_role;
pub(super) mod message;
pub(super) mod codec;
pub(super) mod pending_changes;
mod lineage;
mod outbox;
mod stream_record;
pub(super) mod replicated_set;
