//! The replicated set of revocations: what this instance knows of the revocations of all, and how far
//! it has read the stream.
//!
//! 1. A withdrawal names ids and removes their lineages up to these serial numbers, and nothing else.
//!    So messages may arrive late, twice and in any order, and all instances converge. A revocation
//!    made after a withdrawal stays, whatever the store replays.
//! 2. A withdrawal is kept as a tombstone until what it removed would have ended anyway.
//! 3. The stream is only the transport. When it has lost something, it is read from the start, and
//!    what it lacks is written to it again by an instance that knows it.
//! 4. INVARIANT: nothing is forgotten or trimmed by the wall clock alone. What has ended by it stays
//!    until a second clock says that tokens cannot live any longer: the store's until the message is
//!    read, and the monotonic one from then on.
//!
//! Without I/O and clock; it belongs to one task.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::model::revocation::Revocation;
use crate::model::time::UnixTime;
use crate::runtime::revocation::entry::RevocationEntry;
use crate::runtime::revocation::timed_entry::{ClockReading, RETENTION_AFTER_END};
use crate::runtime::shared::replica::lineage::{Entered, LineageRecord, LiveEntry};
use crate::runtime::shared::replica::message::{
    Lineage, ListUpdate, MessageId, SyncMessage, id_of, lineage_of, serial_of,
};
use crate::runtime::shared::replica::outbox::{Outbox, OwnMessage};
use crate::runtime::shared::store::stream::StreamId;

/// The most ids that one withdrawal names.
const MOST_WITHDRAWN: usize = 64;

/// The end of a message that could not be read.
const LONG_AGO: UnixTime = UnixTime::from_secs(i64::MIN);

/// The replica of one instance.
pub(in crate::runtime::shared) struct Replica {
    lineages: HashMap<Lineage, LineageRecord>,
    /// By what is revoked, without the moment.
    about: HashMap<Revocation, SameRevocation>,
    outbox: Outbox,
    /// The ids of the stream that were read, and until when each message is needed.
    stream: VecDeque<StreamPlace>,
    /// The ids of messages that a later one has replaced.
    replaced: Vec<StreamId>,
    cursor: StreamId,
    /// While the stream is read from the start: what it holds.
    seen: Option<HashMap<Lineage, HighestSerials>>,
}

/// The highest serial numbers that the stream holds of a lineage.
#[derive(Clone, Copy, Default)]
struct HighestSerials {
    revoked: Option<u32>,
    withdrawn: Option<u32>,
}

/// A message of the stream that was read.
struct StreamPlace {
    at: StreamId,
    end: UnixTime,
    /// By the monotonic clock.
    until: Duration,
    what: MessageBody,
}

#[derive(Clone, Copy)]
enum MessageBody {
    /// A message that could not be decrypted: it has another key or another version.
    Unknown,
    One(Lineage),
    Several,
}

/// The lineages that revoke the same.
#[derive(Default)]
struct SameRevocation {
    /// The lineages that are live.
    lineages: Vec<Lineage>,
    /// The latest moment of them.
    before: Option<UnixTime>,
    /// The latest id of this instance.
    own: Option<MessageId>,
    /// The last withdrawal: up to which moment, and when the revocation would have ended.
    withdrawn: Option<Box<(Option<UnixTime>, UnixTime)>>,
}

/// Messages to write, and how many of the outbox they stand for.
pub(in crate::runtime::shared) struct WriteBatch {
    pub(in crate::runtime::shared) messages: Vec<SyncMessage>,
    pub(in crate::runtime::shared) taken: usize,
}

impl Replica {
    pub(in crate::runtime::shared) fn new() -> Self {
        Self {
            lineages: HashMap::new(),
            about: HashMap::new(),
            outbox: Outbox::default(),
            stream: VecDeque::new(),
            replaced: Vec::new(),
            cursor: StreamId::START,
            seen: Some(HashMap::new()),
        }
    }

    /// Whether a live entry revokes at least as much as this one.
    pub(in crate::runtime::shared) fn covers(&self, entry: &RevocationEntry) -> bool {
        let about = self.about.get(&entry.revocation().without_moment());
        // The latest one reaches furthest, as a rule.
        let mut known = about
            .into_iter()
            .flat_map(|about| about.lineages.iter().rev());
        known.any(|lineage| {
            self.live(*lineage).is_some_and(|known| {
                known.entry.ends_at() >= entry.ends_at()
                    && known.entry.revocation().before() >= entry.revocation().before()
            })
        })
    }

    /// Whether the same was withdrawn, up to no earlier moment, and would have ended no earlier. An
    /// entry of a snapshot is then older than the withdrawal.
    pub(in crate::runtime::shared) fn has_withdrawn(&self, entry: &RevocationEntry) -> bool {
        let about = self.about.get(&entry.revocation().without_moment());
        let withdrawn = about.and_then(|about| about.withdrawn.as_deref());
        withdrawn.is_some_and(|(before, end)| {
            *before >= entry.revocation().before() && *end >= entry.ends_at()
        })
    }

    /// The live entries of these issuers, each with its id in the stream; [`StreamId::START`] where that
    /// is not known.
    pub(in crate::runtime::shared) fn of_issuers(
        &self,
        issuers: &[Arc<str>],
    ) -> Vec<(RevocationEntry, StreamId)> {
        let live = self
            .lineages
            .values()
            .filter_map(|record| record.live.as_ref());
        let is_theirs = |live: &&LiveEntry| {
            let issuer = live.entry.revocation().issuer();
            issuers.iter().any(|one| &**one == issuer)
        };
        let theirs = live.filter(is_theirs);
        theirs.map(|live| (live.entry.clone(), live.at)).collect()
    }

    /// Whether any live entry revokes the same.
    pub(in crate::runtime::shared) fn revokes(&self, revocation: &Revocation) -> bool {
        let about = self.about.get(&revocation.without_moment());
        about.is_some_and(|about| !about.lineages.is_empty())
    }

    /// A revocation of this instance: it continues the own lineage, or starts one with the id
    /// `fresh`. `until` is when it may be forgotten, by the monotonic clock.
    pub(in crate::runtime::shared) fn revoke(
        &mut self,
        fresh: MessageId,
        entry: &RevocationEntry,
        until: Duration,
    ) {
        let key = entry.revocation().without_moment();
        let own = self.about.get(&key).and_then(|about| about.own);
        let next = own.and_then(|id| {
            let serial = serial_of(id).checked_add(1)?;
            Some(id_of(lineage_of(id), serial))
        });
        let id = next.unwrap_or_else(|| id_of(lineage_of(fresh), 0));
        self.enter(id, entry, StreamId::START, until);
        self.about.entry(key).or_default().own = Some(id);
        self.outbox.push(OwnMessage::Revoked(lineage_of(id)));
    }

    /// A withdrawal of this instance: removes the entries that revoke the same, up to no later
    /// moment. The update removes what other instances added meanwhile.
    pub(in crate::runtime::shared) fn withdraw(
        &mut self,
        revocation: &Revocation,
        until: Duration,
    ) -> Option<ListUpdate> {
        let about = self.about.get(&revocation.without_moment())?;
        let is_meant = |lineage: &&Lineage| {
            let live = self.live(**lineage);
            live.is_some_and(|live| live.entry.revocation().before() <= revocation.before())
        };
        let meant: Vec<Lineage> = about.lineages.iter().filter(is_meant).copied().collect();
        let mut update = None;
        // From the end, so that each removal is O(1).
        for lineage in meant.into_iter().rev() {
            if let Some(LiveEntry { serial, entry, .. }) = self.live(lineage) {
                let (id, end) = (id_of(lineage, *serial), entry.ends_at());
                update = self.remove(id, end, StreamId::START, until).or(update);
                self.outbox.push(OwnMessage::Withdrawn(lineage));
            }
        }
        update
    }

    /// Applies the next message of the stream. One that could not be decrypted (`None`) moves the
    /// cursor, and nothing else. `until` is when it may be forgotten, by the monotonic clock.
    pub(in crate::runtime::shared) fn read(
        &mut self,
        at: StreamId,
        message: Option<SyncMessage>,
        until: Duration,
    ) -> Vec<ListUpdate> {
        if at <= self.cursor {
            return Vec::new();
        }
        self.cursor = at;
        if let Some(message) = &message {
            self.note_seen(message);
        }
        let what = match &message {
            None => MessageBody::Unknown,
            Some(SyncMessage::Revoked(id, _)) => MessageBody::One(lineage_of(*id)),
            Some(SyncMessage::Withdrawn(ids, _)) => match ids[..] {
                [id] => MessageBody::One(lineage_of(id)),
                _ => MessageBody::Several,
            },
        };
        self.stream.push_back(StreamPlace {
            at,
            end: message.as_ref().map_or(LONG_AGO, SyncMessage::end),
            until,
            what,
        });
        match message {
            Some(SyncMessage::Revoked(id, entry)) => {
                let is_new = self.enter(id, &entry, at, until);
                let update = is_new.then_some(ListUpdate::Add(entry));
                update.into_iter().collect()
            }
            Some(SyncMessage::Withdrawn(ids, end)) => {
                // A message with several ids cannot be deleted while one of them is needed.
                let at = match what {
                    MessageBody::One(_) => at,
                    _ => StreamId::START,
                };
                let taken = ids.into_iter();
                let updates = taken.filter_map(|id| self.remove(id, end, at, until));
                updates.collect()
            }
            None => Vec::new(),
        }
    }

    /// Whether the list must have it: it is new, or the stream is read from the start.
    fn enter(
        &mut self,
        id: MessageId,
        entry: &RevocationEntry,
        at: StreamId,
        until: Duration,
    ) -> bool {
        let (lineage, serial) = (lineage_of(id), serial_of(id));
        let record = self.lineages.entry(lineage).or_default();
        record.until = record.until.max(until);
        let entered = record.enter(serial, entry, at, &mut self.replaced);
        match entered {
            Entered::Ignored => return false,
            Entered::Same => return self.seen.is_some(),
            Entered::Extended | Entered::New => {}
        }
        let revocation = entry.revocation();
        let about = self.about.entry(revocation.without_moment()).or_default();
        about.before = about.before.max(revocation.before());
        if entered == Entered::New {
            about.lineages.push(lineage);
        }
        true
    }

    /// The list update is there only when nothing else revokes the same.
    fn remove(
        &mut self,
        id: MessageId,
        end: UnixTime,
        at: StreamId,
        until: Duration,
    ) -> Option<ListUpdate> {
        let (lineage, serial) = (lineage_of(id), serial_of(id));
        let record = self.lineages.entry(lineage).or_default();
        record.until = record.until.max(until);
        let entry = record.withdraw(serial, end, at, &mut self.replaced)?;
        let key = entry.revocation().without_moment();
        let about = self.about.get_mut(&key)?;
        let last = about
            .withdrawn
            .get_or_insert_with(|| Box::new((None, LONG_AGO)));
        **last = (
            last.0.max(entry.revocation().before()),
            last.1.max(entry.ends_at()),
        );
        if let Some(place) = about.lineages.iter().rposition(|other| *other == lineage) {
            about.lineages.swap_remove(place);
        }
        if !about.lineages.is_empty() {
            return None;
        }
        // The list holds the union of what all of them said.
        Some(ListUpdate::Remove(key.until_later(about.before.take())))
    }

    fn live(&self, lineage: Lineage) -> Option<&LiveEntry> {
        self.lineages.get(&lineage)?.live.as_ref()
    }

    fn note_seen(&mut self, message: &SyncMessage) {
        let Some(seen) = &mut self.seen else {
            return;
        };
        match message {
            SyncMessage::Revoked(id, _) => {
                let seen = seen.entry(lineage_of(*id)).or_default();
                seen.revoked = seen.revoked.max(Some(serial_of(*id)));
            }
            SyncMessage::Withdrawn(ids, _) => {
                for id in ids {
                    let seen = seen.entry(lineage_of(*id)).or_default();
                    seen.withdrawn = seen.withdrawn.max(Some(serial_of(*id)));
                }
            }
        }
    }

    /// The last id that was read.
    pub(in crate::runtime::shared) const fn cursor(&self) -> StreamId {
        self.cursor
    }

    /// The last message that was read and that no instance has a reason to delete. A stream without
    /// it has lost messages.
    pub(in crate::runtime::shared) fn anchor(&self, now: UnixTime) -> Option<StreamId> {
        let mut latest = self.stream.iter().rev();
        let is_needed = |place: &&StreamPlace| place.end > now && self.is_current(place);
        latest.find(is_needed).map(|place| place.at)
    }

    /// Whether no later message has replaced it.
    fn is_current(&self, place: &StreamPlace) -> bool {
        match place.what {
            MessageBody::Unknown => false,
            MessageBody::Several => true,
            MessageBody::One(lineage) => {
                let record = self.lineages.get(&lineage);
                record.is_some_and(|record| record.is_at(place.at))
            }
        }
    }

    /// The stream is another one, or has lost messages: it is read from the start.
    pub(in crate::runtime::shared) fn restart(&mut self) {
        self.cursor = StreamId::START;
        self.stream.clear();
        self.replaced.clear();
        self.lineages
            .values_mut()
            .for_each(LineageRecord::forget_ids);
        self.seen = Some(HashMap::new());
    }

    /// The stream was read to its end. After a restart, what it lacks goes to the outbox.
    pub(in crate::runtime::shared) fn reached_end(&mut self, now: UnixTime) {
        let Some(seen) = self.seen.take() else {
            return;
        };
        let mut lacking = Vec::new();
        for (lineage, record) in &self.lineages {
            let seen = seen.get(lineage).copied().unwrap_or_default();
            if let Some(live) = &record.live {
                if live.entry.ends_at() > now && seen.revoked < Some(live.serial) {
                    lacking.push(OwnMessage::Revoked(*lineage));
                }
            }
            if let Some(withdrawal) = &record.withdrawal {
                if withdrawal.end > now && seen.withdrawn < Some(withdrawal.serial) {
                    lacking.push(OwnMessage::Withdrawn(*lineage));
                }
            }
        }
        for own in lacking {
            self.outbox.push(own);
        }
    }

    /// The next messages to write, of at most so many in the outbox.
    pub(in crate::runtime::shared) fn waiting(&self, most: usize) -> WriteBatch {
        let mut batch = WriteBatch {
            messages: Vec::new(),
            taken: 0,
        };
        for own in self.outbox.first(most) {
            batch.taken += 1;
            match own {
                OwnMessage::Revoked(lineage) => {
                    if let Some(LiveEntry { serial, entry, .. }) = self.live(lineage) {
                        let id = id_of(lineage, *serial);
                        batch.messages.push(SyncMessage::Revoked(id, entry.clone()));
                    }
                }
                OwnMessage::Withdrawn(lineage) => {
                    let record = self.lineages.get(&lineage);
                    if let Some(withdrawal) = record.and_then(|record| record.withdrawal.as_deref())
                    {
                        let id = id_of(lineage, withdrawal.serial);
                        match batch.messages.last_mut() {
                            Some(SyncMessage::Withdrawn(ids, end))
                                if ids.len() < MOST_WITHDRAWN =>
                            {
                                ids.push(id);
                                *end = withdrawal.end.max(*end);
                            }
                            _ => batch
                                .messages
                                .push(SyncMessage::Withdrawn(vec![id], withdrawal.end)),
                        }
                    }
                }
            }
        }
        batch
    }

    /// Messages in the outbox.
    pub(in crate::runtime::shared) fn backlog(&self) -> usize {
        self.outbox.len()
    }

    /// The store has acknowledged so many messages of the outbox.
    pub(in crate::runtime::shared) fn acknowledged(&mut self, count: usize) {
        self.outbox.acknowledged(count);
    }

    /// Forgets what has ended by both clocks.
    pub(in crate::runtime::shared) fn forget(&mut self, now: ClockReading) {
        let then = now.wall.saturating_sub(RETENTION_AFTER_END);
        let mut ended = HashSet::new();
        self.lineages.retain(|lineage, record| {
            let is_over = now.monotonic >= record.until && record.end() <= Some(then);
            if is_over {
                ended.insert(*lineage);
            }
            !is_over
        });
        if ended.is_empty() {
            return;
        }
        self.outbox.retain(|lineage| !ended.contains(&lineage));
        self.about.retain(|_, about| {
            about.lineages.retain(|lineage| !ended.contains(lineage));
            about.own = about.own.filter(|id| !ended.contains(&lineage_of(*id)));
            about.withdrawn = about.withdrawn.take().filter(|last| last.1 > then);
            !about.lineages.is_empty() || about.own.is_some() || about.withdrawn.is_some()
        });
    }

    /// The id before which everything has ended by both clocks. `None` where nothing has.
    pub(in crate::runtime::shared) fn first_needed(
        &mut self,
        now: ClockReading,
    ) -> Option<StreamId> {
        let then = now.wall.saturating_sub(RETENTION_AFTER_END);
        let is_over = |place: &&StreamPlace| place.end <= then && now.monotonic >= place.until;
        let mut last_ended = None;
        while let Some(place) = self.stream.front().filter(is_over) {
            last_ended = Some(place.at);
            self.stream.pop_front();
        }
        last_ended.map(StreamId::next)
    }

    /// Ids of messages that later ones have replaced, at most so many.
    pub(in crate::runtime::shared) fn take_replaced(&mut self, most: usize) -> Vec<StreamId> {
        let rest = self.replaced.len().saturating_sub(most);
        self.replaced.split_off(rest)
    }

    /// Sizes: lineages, revoked things, outbox, messages of the stream.
    #[cfg(test)]
    fn sizes(&self) -> [usize; 4] {
        let (lineages, about) = (self.lineages.len(), self.about.len());
        [lineages, about, self.outbox.len(), self.stream.len()]
    }
}

#[cfg(test)]
mod tests;
