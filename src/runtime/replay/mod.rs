//! The store of used DPoP proofs, which detects replays (RFC 9449 section 11.1).

mod probe_table;
mod shard;
pub(crate) mod proof_store;
#[cfg(test)]
mod tests;

pub(crate) use shard::Replay;
