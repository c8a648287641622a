//! What is known of one lineage: its latest revocation, and up to which serial number it was
//! withdrawn.

use std::time::Duration;

use crate::model::time::UnixTime;
use crate::runtime::revocation::entry::RevocationEntry;
use crate::runtime::revocation::timed_entry::RETENTION_AFTER_END;
use crate::runtime::shared::replica::key_role::{KeyRole, PerKey};
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
    /// Its id in each stream; [`StreamId::START`] where that is not known.
    pub(super) at: PerKey<StreamId>,
}

/// Where a message was read: in the stream of this key, under this id. `None` for one of this instance.
pub(super) type ReadAt = Option<(KeyRole, StreamId)>;

fn places(read: ReadAt) -> PerKey<StreamId> {
    let mut places = PerKey::default();
    if let Some((role, at)) = read {
        *places.get_mut(role) = at;
    }
    places
}

/// Everything up to a serial number is withdrawn.
#[derive(Clone, Copy)]
pub(super) struct Withdrawal {
    pub(super) serial: u32,
    pub(super) end: UnixTime,
    at: PerKey<StreamId>,
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
    /// Whether its tokens may live by the clocks that are not this machine's wall clock.
    pub(super) fn lives_on(&self, monotonic: Duration) -> bool {
        monotonic.saturating_add(RETENTION_AFTER_END) < self.until
    }

    /// Adds a revocation. Entries of the streams that are replaced by it go to `replaced`.
    pub(super) fn enter(
        &mut self,
        serial: u32,
        entry: &RevocationEntry,
        read: ReadAt,
        replaced: &mut PerKey<Vec<StreamId>>,
    ) -> Entered {
        let withdrawal = self.withdrawal.as_ref();
        if withdrawal.is_some_and(|withdrawal| withdrawal.serial >= serial) {
            return Entered::Ignored;
        }
        let Some(live) = &mut self.live else {
            self.live = Some(LiveEntry {
                serial,
                entry: entry.clone(),
                at: places(read),
            });
            return Entered::New;
        };
        // A lineage belongs to one thing.
        if !live.entry.is_about_the_same(entry) {
            return Entered::Ignored;
        }
        if live.serial > serial {
            if let Some((role, at)) = read {
                replaced.get_mut(role).push(at);
            }
            return Entered::Ignored;
        }
        if live.serial == serial {
            if let Some((role, at)) = read {
                let known = live.at.get_mut(role);
                if *known == StreamId::START {
                    *known = at;
                } else if *known != at {
                    replaced.get_mut(role).push(at);
                }
            }
            return Entered::Same;
        }
        replace_all(&live.at, replaced);
        // INVARIANT: a later message revokes at least as much.
        let entry = live.entry.joined(entry);
        let at = places(read);
        *live = LiveEntry { serial, entry, at };
        Entered::Extended
    }

    /// Withdraws everything up to a serial number. The entry that was live and no longer is.
    pub(super) fn withdraw(
        &mut self,
        serial: u32,
        end: UnixTime,
        read: ReadAt,
        replaced: &mut PerKey<Vec<StreamId>>,
    ) -> Option<RevocationEntry> {
        let removed = self.live.take_if(|live| live.serial <= serial);
        let end = removed
            .as_ref()
            .map_or(end, |live| live.entry.ends_at().max(end));
        let at = places(read);
        let Some(withdrawal) = &mut self.withdrawal else {
            self.withdrawal = Some(Box::new(Withdrawal { serial, end, at }));
            return removed.map(|live| live.entry);
        };
        // INVARIANT: the tombstone outlives whatever it withdraws.
        withdrawal.end = withdrawal.end.max(end);
        if serial > withdrawal.serial {
            replace_all(&withdrawal.at, replaced);
            (withdrawal.serial, withdrawal.at) = (serial, at);
        } else if let Some((role, at)) = read {
            let known = withdrawal.at.get_mut(role);
            if *known == StreamId::START && serial == withdrawal.serial {
                *known = at;
            } else if *known != at {
                replaced.get_mut(role).push(at);
            }
        }
        removed.map(|live| live.entry)
    }

    /// The serial number up to which it is withdrawn.
    pub(super) fn withdrawn(&self) -> Option<u32> {
        self.withdrawal.as_ref().map(|withdrawal| withdrawal.serial)
    }

    /// Whether the stream of this key holds the latest message of this lineage under this id.
    pub(super) fn is_at(&self, role: KeyRole, at: StreamId) -> bool {
        let live = self.live.as_ref().map(|live| &live.at);
        let withdrawal = self.withdrawal.as_ref().map(|withdrawal| &withdrawal.at);
        let mut places = live.into_iter().chain(withdrawal);
        places.any(|places| *places.get(role) == at)
    }

    /// Forgets the ids in the stream of this key, before another one is read.
    pub(super) fn forget_ids(&mut self, role: KeyRole) {
        if let Some(live) = &mut self.live {
            *live.at.get_mut(role) = StreamId::START;
        }
        if let Some(withdrawal) = &mut self.withdrawal {
            *withdrawal.at.get_mut(role) = StreamId::START;
        }
    }

    /// When it ends by the wall clock.
    pub(super) fn end(&self) -> Option<UnixTime> {
        let live = self.live.as_ref().map(|live| live.entry.ends_at());
        let withdrawal = self.withdrawal.as_ref().map(|withdrawal| withdrawal.end);
        live.max(withdrawal)
    }
}

/// A later message replaces the one with these ids, in all streams: those that lack the later one get it.
fn replace_all(places: &PerKey<StreamId>, replaced: &mut PerKey<Vec<StreamId>>) {
    for role in KeyRole::ALL {
        let at = *places.get(*role);
        if at != StreamId::START {
            replaced.get_mut(*role).push(at);
        }
    }
}
