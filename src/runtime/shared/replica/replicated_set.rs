//! The replicated set of revocations: what this instance knows of the revocations of all, and how far
//! it has read the stream.
//!
//! 1. A withdrawal names ids and removes their lineages up to these serial numbers, and nothing else.
//!    So messages may arrive late, twice and in any order, and all instances converge. A revocation
//!    made after a withdrawal stays, whatever the store replays.
//! 2. A withdrawal is kept as a tombstone until what it removed would have ended anyway.
//! 3. The stream is only the transport. When it has lost something, it is read from the start, and
//!    what it lacks is written to it again by an instance that knows it.
//! 4. While cluster keys are changed there are two streams, one for each key. Each holds every message: what
//!    one of them brings is written to the other, under the same id.
//! 5. INVARIANT: nothing is forgotten or trimmed by the wall clock alone. What has ended by it stays
//!    until a second clock says that tokens cannot live any longer: the store's until the message is
//!    read, and the monotonic one from then on.
//!
//! Without I/O and clock; it belongs to one task.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::model::revocation::Revocation;
use crate::model::time::UnixTime;
use crate::runtime::revocation::entry::RevocationEntry;
use crate::runtime::revocation::timed_entry::{ClockReading, RETENTION_AFTER_END};
use crate::runtime::shared::replica::key_role::{KeyRole, PerKey};
use crate::runtime::shared::replica::lineage::{Entered, LineageRecord, LiveEntry, ReadAt};
use crate::runtime::shared::replica::message::{
    Lineage, ListUpdate, MessageId, SyncMessage, id_of, lineage_of, serial_of,
};
use crate::runtime::shared::replica::outbox::OwnMessage;
use crate::runtime::shared::replica::stream_record::{
    LONG_AGO, MessageBody, StreamPlace, StreamRecord,
};
use crate::runtime::shared::store::stream::StreamId;

/// The most ids that one withdrawal names.
const MOST_WITHDRAWN: usize = 64;

/// The replica of one instance.
pub(in crate::runtime::shared) struct Replica {
    lineages: HashMap<Lineage, LineageRecord>,
    /// By what is revoked, without the moment.
    about: HashMap<Revocation, SameRevocation>,
    /// The keys whose streams are used.
    roles: &'static [KeyRole],
    streams: PerKey<StreamRecord>,
    /// The ids of messages that a later one has replaced.
    replaced: PerKey<Vec<StreamId>>,
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
    /// The replica of an instance with these keys.
    pub(in crate::runtime::shared) fn new(roles: &'static [KeyRole]) -> Self {
        Self {
            lineages: HashMap::new(),
            about: HashMap::new(),
            roles,
            streams: PerKey::default(),
            replaced: PerKey::default(),
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

    /// The live entries of these issuers, each with its id in each stream; [`StreamId::START`] where that
    /// is not known.
    pub(in crate::runtime::shared) fn of_issuers(
        &self,
        issuers: &[Arc<str>],
    ) -> Vec<(RevocationEntry, PerKey<StreamId>)> {
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
        self.enter(id, entry, None, until);
        self.about.entry(key).or_default().own = Some(id);
        self.send(OwnMessage::Revoked(lineage_of(id)));
    }

    /// A message of this instance, for all streams.
    fn send(&mut self, own: OwnMessage) {
        for role in self.roles {
            self.streams.get_mut(*role).outbox.push(own);
        }
    }

    /// A message that the stream of `source` has brought, for the others. One that is read from the start gets
    /// what it lacks when its end is reached.
    fn relay(&mut self, source: KeyRole, own: OwnMessage) {
        for role in self.roles.iter().filter(|role| **role != source) {
            let stream = self.streams.get_mut(*role);
            if stream.seen.is_none() {
                stream.outbox.push(own);
            }
        }
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
                update = self.remove(id, end, None, until).or(update);
                self.send(OwnMessage::Withdrawn(lineage));
            }
        }
        update
    }

    /// Applies the next message of a stream. One that could not be decrypted (`None`) moves the
    /// cursor, and nothing else. `until` is when it may be forgotten, by the monotonic clock.
    pub(in crate::runtime::shared) fn read(
        &mut self,
        role: KeyRole,
        at: StreamId,
        message: Option<SyncMessage>,
        until: Duration,
    ) -> Vec<ListUpdate> {
        let stream = self.streams.get_mut(role);
        if at <= stream.cursor {
            return Vec::new();
        }
        stream.pass(at, message.as_ref(), until);
        let is_from_start = stream.seen.is_some();
        match message {
            Some(SyncMessage::Revoked(id, entry)) => {
                let entered = self.enter(id, &entry, Some((role, at)), until);
                if matches!(entered, Entered::New | Entered::Extended) {
                    self.relay(role, OwnMessage::Revoked(lineage_of(id)));
                }
                // The list must have it: it is new, or the stream is read from the start.
                let is_wanted = match entered {
                    Entered::Ignored => false,
                    Entered::Same => is_from_start,
                    Entered::Extended | Entered::New => true,
                };
                let update = is_wanted.then_some(ListUpdate::Add(entry));
                update.into_iter().collect()
            }
            Some(SyncMessage::Withdrawn(ids, end)) => {
                // A message with several ids cannot be deleted while one of them is needed.
                let read = (ids.len() == 1).then_some((role, at));
                let taken = ids.into_iter();
                let updates = taken.filter_map(|id| {
                    let lineage = lineage_of(id);
                    let before = self
                        .lineages
                        .get(&lineage)
                        .and_then(LineageRecord::withdrawn);
                    let update = self.remove(id, end, read, until);
                    if before < Some(serial_of(id)) {
                        self.relay(role, OwnMessage::Withdrawn(lineage));
                    }
                    update
                });
                updates.collect()
            }
            None => Vec::new(),
        }
    }

    fn enter(
        &mut self,
        id: MessageId,
        entry: &RevocationEntry,
        read: ReadAt,
        until: Duration,
    ) -> Entered {
        let (lineage, serial) = (lineage_of(id), serial_of(id));
        let record = self.lineages.entry(lineage).or_default();
        record.until = record.until.max(until);
        let entered = record.enter(serial, entry, read, &mut self.replaced);
        if matches!(entered, Entered::Extended | Entered::New) {
            let revocation = entry.revocation();
            let about = self.about.entry(revocation.without_moment()).or_default();
            about.before = about.before.max(revocation.before());
            if entered == Entered::New {
                about.lineages.push(lineage);
            }
        }
        entered
    }

    /// The list update is there only when nothing else revokes the same.
    fn remove(
        &mut self,
        id: MessageId,
        end: UnixTime,
        read: ReadAt,
        until: Duration,
    ) -> Option<ListUpdate> {
        let (lineage, serial) = (lineage_of(id), serial_of(id));
        let record = self.lineages.entry(lineage).or_default();
        record.until = record.until.max(until);
        let entry = record.withdraw(serial, end, read, &mut self.replaced)?;
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

    /// The last id that was read.
    pub(in crate::runtime::shared) const fn cursor(&self, role: KeyRole) -> StreamId {
        self.streams.get(role).cursor
    }

    /// The last message that was read and that no instance has a reason to delete. A stream without
    /// it has lost messages.
    pub(in crate::runtime::shared) fn anchor(
        &self,
        role: KeyRole,
        now: UnixTime,
    ) -> Option<StreamId> {
        let mut latest = self.streams.get(role).places.iter().rev();
        let is_needed = |place: &&StreamPlace| place.end > now && self.is_current(role, place);
        latest.find(is_needed).map(|place| place.at)
    }

    /// Whether no later message has replaced it.
    fn is_current(&self, role: KeyRole, place: &StreamPlace) -> bool {
        match place.what {
            MessageBody::Unknown => false,
            MessageBody::Several => true,
            MessageBody::One(lineage) => {
                let record = self.lineages.get(&lineage);
                record.is_some_and(|record| record.is_at(role, place.at))
            }
        }
    }

    /// The stream is another one, or has lost messages: it is read from the start.
    pub(in crate::runtime::shared) fn restart(&mut self, role: KeyRole) {
        self.streams.get_mut(role).restart();
        self.replaced.get_mut(role).clear();
        self.lineages
            .values_mut()
            .for_each(|record| record.forget_ids(role));
    }

    /// The stream was read to its end, and so were the others. After a restart, what it lacks goes to its
    /// outbox.
    pub(in crate::runtime::shared) fn reached_end(&mut self, role: KeyRole, now: ClockReading) {
        let stream = self.streams.get_mut(role);
        let Some(seen) = stream.seen.take() else {
            return;
        };
        let mut lacking = Vec::new();
        for (lineage, record) in &self.lineages {
            let seen = seen.get(lineage).copied().unwrap_or_default();
            // INVARIANT: what has ended by a wall clock that may be ahead is lacking too, until a second clock
            // says so.
            let lives_on = record.lives_on(now.monotonic);
            if let Some(live) = &record.live {
                // INVARIANT: an earlier one, which may be deleted, gets its successor whatever the clock says.
                let is_needed =
                    lives_on || live.entry.ends_at() > now.wall || seen.revoked.is_some();
                if is_needed && seen.revoked < Some(live.serial) {
                    lacking.push(OwnMessage::Revoked(*lineage));
                }
            }
            if let Some(withdrawal) = &record.withdrawal {
                let is_needed = lives_on || withdrawal.end > now.wall || seen.withdrawn.is_some();
                if is_needed && seen.withdrawn < Some(withdrawal.serial) {
                    lacking.push(OwnMessage::Withdrawn(*lineage));
                }
            }
        }
        for own in lacking {
            stream.outbox.push(own);
        }
    }

    /// The next messages to write to a stream, of at most so many in its outbox. A message that the
    /// stream holds already, since another instance has written it, is left out.
    pub(in crate::runtime::shared) fn waiting(&self, role: KeyRole, most: usize) -> WriteBatch {
        let mut batch = WriteBatch {
            messages: Vec::new(),
            taken: 0,
        };
        for own in self.streams.get(role).outbox.first(most) {
            batch.taken += 1;
            match own {
                OwnMessage::Revoked(lineage) => {
                    let live = self.live(lineage);
                    let is_there = |live: &&LiveEntry| *live.at.get(role) != StreamId::START;
                    if let Some(LiveEntry { serial, entry, .. }) =
                        live.filter(|live| !is_there(live))
                    {
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

    /// Messages in the outbox of a stream.
    pub(in crate::runtime::shared) fn backlog_of(&self, role: KeyRole) -> usize {
        self.streams.get(role).outbox.len()
    }

    /// Messages in all outboxes.
    pub(in crate::runtime::shared) fn backlog(&self) -> usize {
        self.roles.iter().map(|role| self.backlog_of(*role)).sum()
    }

    /// The store has acknowledged so many messages of a stream's outbox.
    pub(in crate::runtime::shared) fn acknowledged(&mut self, role: KeyRole, count: usize) {
        self.streams.get_mut(role).outbox.acknowledged(count);
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
        for role in self.roles {
            let outbox = &mut self.streams.get_mut(*role).outbox;
            outbox.retain(|lineage| !ended.contains(&lineage));
        }
        self.about.retain(|_, about| {
            about.lineages.retain(|lineage| !ended.contains(lineage));
            about.own = about.own.filter(|id| !ended.contains(&lineage_of(*id)));
            about.withdrawn = about.withdrawn.take().filter(|last| last.1 > then);
            !about.lineages.is_empty() || about.own.is_some() || about.withdrawn.is_some()
        });
    }

    /// The id before which everything in a stream has ended by both clocks. `None` where nothing has.
    pub(in crate::runtime::shared) fn first_needed(
        &mut self,
        role: KeyRole,
        now: ClockReading,
    ) -> Option<StreamId> {
        let then = now.wall.saturating_sub(RETENTION_AFTER_END);
        let is_over = |place: &&StreamPlace| place.end <= then && now.monotonic >= place.until;
        let mut last_ended = None;
        let places = &mut self.streams.get_mut(role).places;
        while let Some(place) = places.front().filter(is_over) {
            last_ended = Some(place.at);
            places.pop_front();
        }
        last_ended.map(StreamId::next)
    }

    /// Ids of messages of a stream that later ones have replaced, at most so many. None while a message
    /// waits to be written: it may be the later one.
    pub(in crate::runtime::shared) fn take_replaced(
        &mut self,
        role: KeyRole,
        most: usize,
    ) -> Vec<StreamId> {
        if self.backlog_of(role) > 0 {
            return Vec::new();
        }
        let replaced = self.replaced.get_mut(role);
        let rest = replaced.len().saturating_sub(most);
        replaced.split_off(rest)
    }

    /// Sizes: lineages, revoked things, outbox, messages of the current key's stream.
    #[cfg(test)]
    fn sizes(&self) -> [usize; 4] {
        let (lineages, about) = (self.lineages.len(), self.about.len());
        let stream = self.streams.get(KeyRole::Current);
        [lineages, about, stream.outbox.len(), stream.places.len()]
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod key_change_tests;
