//! What is known of one lineage: its latest revocation, and up to which serial number it was
//! withdrawn.

use std::time::Duration;

use crate::model::time::UnixTime;
use crate::runtime::revocation::entry::RevocationEntry;
use crate::runtime::shared::store::stream::StreamId;

/// The record of a lineage.
#[derive(Default)]
pub(super) struct LineageRecord {
    pub(super) live: Option<LiveEntry>,
    pub(super) withdrawal: Option<Box<Withdrawal>>,
    /// The record is kept at least until then, by the monotonic clock.
    pub(super) until: Duration,
}

pub(super) struct LiveEntry {
    pub(super) serial: u32,
    pub(super) entry: RevocationEntry,
    /// Its id in the stream; [`StreamId::START`] where that is not known.
    pub(super) at: StreamId,
}

/// Everything up to a serial number is withdrawn.
#[derive(Clone, Copy)]
pub(super) struct Withdrawal {
    pub(super) serial: u32,
    pub(super) end: UnixTime,
    at: StreamId,
}

/// The effect of a revocation on its lineage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entered {
    /// None: it was withdrawn or replaced, or is about something else.
    Ignored,
    /// It is the one that is known.
    Same,
    /// It replaces an earlier one.
    Extended,
    /// It is the first one.
    New,
}

impl LineageRecord {
    /// Adds a revocation. Entries of the stream that are replaced by it go to `replaced`.
    pub(super) fn enter(
        &mut self,
        serial: u32,
        entry: &RevocationEntry,
        at: StreamId,
        replaced: &mut Vec<StreamId>,
    ) -> Entered {
        let withdrawal = self.withdrawal.as_ref();
        if withdrawal.is_some_and(|withdrawal| withdrawal.serial >= serial) {
            return Entered::Ignored;
        }
        let Some(live) = &mut self.live else {
            let entry = entry.clone();
            self.live = Some(LiveEntry { serial, entry, at });
            return Entered::New;
        };
        // A lineage belongs to one thing.
        if !live.entry.is_about_the_same(entry) {
            return Entered::Ignored;
        }
        if live.serial > serial {
            replaced.push(at);
            return Entered::Ignored;
        }
        if live.serial == serial {
            if live.at == StreamId::START {
                live.at = at;
            } else if live.at != at {
                replaced.push(at);
            }
            return Entered::Same;
        }
        if live.at != StreamId::START {
            replaced.push(live.at);
        }
        // INVARIANT: a later message revokes at least as much.
        let entry = live.entry.joined(entry);
        *live = LiveEntry { serial, entry, at };
        Entered::Extended
    }

    /// Withdraws everything up to a serial number. The entry that was live and no longer is.
    pub(super) fn withdraw(
        &mut self,
        serial: u32,
        end: UnixTime,
        at: StreamId,
        replaced: &mut Vec<StreamId>,
    ) -> Option<RevocationEntry> {
        let removed = self.live.take_if(|live| live.serial <= serial);
        let end = removed
            .as_ref()
            .map_or(end, |live| live.entry.ends_at().max(end));
        match &mut self.withdrawal {
            None => self.withdrawal = Some(Box::new(Withdrawal { serial, end, at })),
            Some(withdrawal) => {
                let is_later = serial > withdrawal.serial;
                let former = if is_later { withdrawal.at } else { at };
                // INVARIANT: the tombstone outlives whatever it withdraws.
                withdrawal.end = withdrawal.end.max(end);
                if is_later {
                    (withdrawal.serial, withdrawal.at) = (serial, at);
                } else if withdrawal.at == StreamId::START && serial == withdrawal.serial {
                    withdrawal.at = at;
                }
                if former != StreamId::START && former != withdrawal.at {
                    replaced.push(former);
                }
            }
        }
        removed.map(|live| live.entry)
    }

    /// Whether the stream holds the latest message of this lineage under this id.
    pub(super) fn is_at(&self, at: StreamId) -> bool {
        let live = self.live.as_ref().map(|live| live.at);
        let withdrawal = self.withdrawal.as_ref().map(|withdrawal| withdrawal.at);
        live == Some(at) || withdrawal == Some(at)
    }

    /// Forgets the ids in the stream, before another one is read.
    pub(super) fn forget_ids(&mut self) {
        if let Some(live) = &mut self.live {
            live.at = StreamId::START;
        }
        if let Some(withdrawal) = &mut self.withdrawal {
            withdrawal.at = StreamId::START;
        }
    }

    /// When it ends by the wall clock.
    pub(super) fn end(&self) -> Option<UnixTime> {
        let live = self.live.as_ref().map(|live| live.entry.ends_at());
        let withdrawal = self.withdrawal.as_ref().map(|withdrawal| withdrawal.end);
        live.max(withdrawal)
    }
}
