//! Leases: what was begun with a token and lasts longer than its request.

pub(crate) mod terms;
mod shard;
pub(crate) mod table;
