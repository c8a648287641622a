//! What instances tell each other: revocations and withdrawals, with ids.
//!
//! An id is a random lineage, which belongs to one revoked thing and one instance, and a serial number
//! within it. A later message of a lineage revokes at least as much as the earlier ones and replaces
//! them, so a subject that is revoked again and again stays one entry.

use crate::model::revocation::Revocation;
use crate::model::time::UnixTime;
use crate::runtime::revocation::entry::RevocationEntry;

/// The id of a message: 96 random bits of lineage, and 32 bits of serial number.
pub(in crate::runtime::shared) type MessageId = u128;

const SERIAL_BITS: u32 = 32;

/// The messages of one instance about one revoked thing.
pub(in crate::runtime::shared) type Lineage = u128;

pub(in crate::runtime::shared) const fn lineage_of(id: MessageId) -> Lineage {
    id >> SERIAL_BITS
}

#[allow(clippy::cast_possible_truncation)] // the lower half is wanted
pub(in crate::runtime::shared) const fn serial_of(id: MessageId) -> u32 {
    id as u32
}

pub(in crate::runtime::shared) const fn id_of(lineage: Lineage, serial: u32) -> MessageId {
    (lineage << SERIAL_BITS) | serial as MessageId
}

/// A message of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::runtime::shared) enum SyncMessage {
    Revoked(MessageId, RevocationEntry),
    /// The revocations with these ids are withdrawn, and the earlier ones of their lineages.
    Withdrawn(Vec<MessageId>, UnixTime),
}

impl SyncMessage {
    /// The wall time after which the message has no effect.
    pub(in crate::runtime::shared) const fn end(&self) -> UnixTime {
        match self {
            Self::Revoked(_, entry) => entry.ends_at(),
            Self::Withdrawn(_, end) => *end,
        }
    }
}

/// The effect of another instance's message on the list in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::runtime::shared) enum ListUpdate {
    Add(RevocationEntry),
    Remove(Revocation),
}
