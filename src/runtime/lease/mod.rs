//! Leases: what was begun with a token and lasts longer than its request.

pub(crate) mod terms;
mod shard;
mod wakers;
pub(crate) mod counters;
pub(crate) mod table;
