//! What this instance knows of the revocations of all, and how far the stream told it.
//!
//! 1. Every notice has an id of its own: a random lineage, which belongs to one thing and one
//!    instance, and a serial number within it. A later notice of a lineage says at least as much as
//!    the earlier ones and replaces them, so a subject that is revoked again and again is one entry.
//! 2. A withdrawal names ids, and takes back their lineages up to these serial numbers and nothing
//!    else. So notices may come late, twice and in any order, and all instances end up alike. What
//!    was revoked again after a withdrawal stays revoked, whatever a store plays back.
//! 3. What was taken back stays so until it would have ended anyway.
//! 4. The stream is only how notices travel. When it has lost something, it is read from the start,
//!    and what it lacks is written to it again by an instance that knows it.
//! 5. Own notices wait in their order until the store has acknowledged them.
//! 6. INVARIANT: nothing is forgotten or trimmed by the wall clock alone. What has ended by it stays
//!    until a second clock says that tokens cannot live any longer: the store's, until the notice
//!    is read, and the monotonic one from then on.
//!
//! Without I/O and clock; it belongs to one task.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use crate::model::revocation::Revocation;
use crate::model::time::UnixTime;
use crate::runtime::revocation::entry::RevocationEntry;
use crate::runtime::revocation::timed_entry::{AFTERLIFE, ClockReading};
use crate::runtime::shared::redis::StreamId;

/// So many ids one withdrawal takes back at most; of more, several are made.
const MOST_TAKEN_BACK: usize = 64;

/// The end of what has none that we could read.
const LONG_AGO: UnixTime = UnixTime::from_secs(i64::MIN);

/// The id of a revocation: 96 random bits of lineage, and 32 of a serial number.
pub(in crate::runtime) type MessageId = u128;

const SERIAL_BITS: u32 = 32;

/// The notices of one instance about one thing.
type Lineage = u128;

const fn lineage_of(id: MessageId) -> Lineage {
    id >> SERIAL_BITS
}

#[allow(clippy::cast_possible_truncation)] // the lower half is wanted
const fn serial_of(id: MessageId) -> u32 {
    id as u32
}

const fn id_of(lineage: Lineage, serial: u32) -> MessageId {
    (lineage << SERIAL_BITS) | serial as MessageId
}

/// What instances tell each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::runtime) enum SyncMessage {
    Revoked(MessageId, RevocationEntry),
    Withdrawn(Vec<MessageId>, UnixTime),
}

impl SyncMessage {
    /// When it need not be known any more.
    pub(in crate::runtime) const fn end(&self) -> UnixTime {
        match self {
            Self::Revoked(_, entry) => entry.ends_at(),
            Self::Withdrawn(_, end) => *end,
        }
    }
}

/// What a notice of others means for the list in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::runtime) enum ListUpdate {
    TakeIn(RevocationEntry),
    TakeOut(Revocation),
}

/// The ledger of one instance.
pub(in crate::runtime) struct Replica {
    lineages: HashMap<Lineage, LineageRecord>,
    /// By what it is about, without the moment.
    about: HashMap<Revocation, SameRevocation>,
    outbox: VecDeque<OwnMessage>,
    /// The same, so that nothing waits twice.
    queued: HashSet<OwnMessage>,
    /// The places of the stream that were read, and until when each is needed.
    stream: VecDeque<StreamPlace>,
    /// Places of the stream whose notices a later one has replaced.
    replaced: Vec<StreamId>,
    cursor: StreamId,
    /// While the stream is read from the start: what it held.
    seen: Option<HashMap<Lineage, HighestSerials>>,
}

/// What is known of a lineage.
#[derive(Default)]
struct LineageRecord {
    live: Option<LiveEntry>,
    gone: Option<Box<Withdrawal>>,
    /// It is not forgotten before, by the monotonic clock.
    until: Duration,
}

struct LiveEntry {
    serial: u32,
    entry: RevocationEntry,
    /// Where the stream holds it; the start where that is not known.
    at: StreamId,
}

/// What was taken back: everything up to a serial number.
#[derive(Clone, Copy)]
struct Withdrawal {
    serial: u32,
    end: UnixTime,
    at: StreamId,
}

/// The highest serial numbers that a stream holds.
#[derive(Clone, Copy, Default)]
struct HighestSerials {
    revoked: Option<u32>,
    withdrawn: Option<u32>,
}

/// A place of the stream.
struct StreamPlace {
    at: StreamId,
    end: UnixTime,
    /// By the monotonic clock.
    until: Duration,
    what: MessageBody,
}

#[derive(Clone, Copy)]
enum MessageBody {
    /// What could not be opened: not from us, or from another version of us.
    Unknown,
    One(Lineage),
    Several,
}

/// An own notice that waits. What it says is looked up when it is written.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum OwnMessage {
    Revoked(Lineage),
    Withdrawn(Lineage),
}

/// Everything that revokes the same.
#[derive(Default)]
struct SameRevocation {
    /// The lineages that are live.
    lineages: Vec<Lineage>,
    /// The latest moment of all of them.
    before: Option<UnixTime>,
    /// The last id of this instance.
    own: Option<MessageId>,
    /// What was withdrawn last: up to which moment, and when it would have ended.
    withdrawn: Option<Box<(Option<UnixTime>, UnixTime)>>,
}

/// Notices to write, and how many of those that wait they stand for.
pub(in crate::runtime) struct WriteBatch {
    pub(in crate::runtime) notices: Vec<SyncMessage>,
    pub(in crate::runtime) taken: usize,
}

impl Replica {
    pub(in crate::runtime) fn new() -> Self {
        Self {
            lineages: HashMap::new(),
            about: HashMap::new(),
            outbox: VecDeque::new(),
            queued: HashSet::new(),
            stream: VecDeque::new(),
            replaced: Vec::new(),
            cursor: StreamId::START,
            seen: Some(HashMap::new()),
        }
    }

    /// Whether something that is known says as much.
    pub(in crate::runtime) fn covers(&self, entry: &RevocationEntry) -> bool {
        let about = self.about.get(&entry.revocation().without_moment());
        // The latest reaches furthest, as a rule.
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

    /// Whether the same was withdrawn, up to no earlier moment, and would have ended no earlier. Of
    /// a snapshot that means that it is older than the withdrawal.
    pub(in crate::runtime) fn has_withdrawn(&self, entry: &RevocationEntry) -> bool {
        let about = self.about.get(&entry.revocation().without_moment());
        let withdrawn = about.and_then(|about| about.withdrawn.as_deref());
        withdrawn.is_some_and(|(before, end)| {
            *before >= entry.revocation().before() && *end >= entry.ends_at()
        })
    }

    /// Whether anything revokes the same.
    pub(in crate::runtime) fn revokes(&self, revocation: &Revocation) -> bool {
        let about = self.about.get(&revocation.without_moment());
        about.is_some_and(|about| !about.lineages.is_empty())
    }

    /// Something was revoked here: it continues the own lineage, or begins one under `fresh`.
    /// Needed until then by the monotonic clock.
    pub(in crate::runtime) fn revoke(
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
        self.queue(OwnMessage::Revoked(lineage_of(id)));
    }

    /// Something was withdrawn here: what revoked it, up to no later moment, is taken back, also
    /// what came from others while it was withdrawn, which the effect is about.
    pub(in crate::runtime) fn withdraw(
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
        let mut effect = None;
        // From the end, where each is found at once.
        for lineage in meant.into_iter().rev() {
            if let Some(LiveEntry { serial, entry, .. }) = self.live(lineage) {
                let (id, end) = (id_of(lineage, *serial), entry.ends_at());
                effect = self.take_back(id, end, StreamId::START, until).or(effect);
                self.queue(OwnMessage::Withdrawn(lineage));
            }
        }
        effect
    }

    /// Reads the next place of the stream. What is not sealed by us is no notice: it moves the
    /// cursor, and nothing else. Needed until then by the monotonic clock.
    pub(in crate::runtime) fn read(
        &mut self,
        at: StreamId,
        notice: Option<SyncMessage>,
        until: Duration,
    ) -> Vec<ListUpdate> {
        if at <= self.cursor {
            return Vec::new();
        }
        self.cursor = at;
        if let Some(notice) = &notice {
            self.note_seen(notice);
        }
        let what = match &notice {
            None => MessageBody::Unknown,
            Some(SyncMessage::Revoked(id, _)) => MessageBody::One(lineage_of(*id)),
            Some(SyncMessage::Withdrawn(ids, _)) => match ids[..] {
                [id] => MessageBody::One(lineage_of(id)),
                _ => MessageBody::Several,
            },
        };
        self.stream.push_back(StreamPlace {
            at,
            end: notice.as_ref().map_or(LONG_AGO, SyncMessage::end),
            until,
            what,
        });
        match notice {
            Some(SyncMessage::Revoked(id, entry)) => {
                let is_news = self.enter(id, &entry, at, until);
                let effect = is_news.then_some(ListUpdate::TakeIn(entry));
                effect.into_iter().collect()
            }
            Some(SyncMessage::Withdrawn(ids, end)) => {
                // The place of several cannot go before all of them may.
                let at = match what {
                    MessageBody::One(_) => at,
                    _ => StreamId::START,
                };
                let taken = ids.into_iter();
                let effects = taken.filter_map(|id| self.take_back(id, end, at, until));
                effects.collect()
            }
            None => Vec::new(),
        }
    }

    /// Whether the list must have it: it is news, or the stream is read from the start.
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
        if record
            .gone
            .as_ref()
            .is_some_and(|gone| gone.serial >= serial)
        {
            return false;
        }
        let revocation = entry.revocation();
        let mut is_new = false;
        match &mut record.live {
            // A lineage belongs to one thing.
            Some(live) if !live.entry.revocation().is_about_the_same(revocation) => return false,
            Some(live) if live.serial > serial => {
                self.replaced.push(at);
                return false;
            }
            Some(live) if live.serial == serial => {
                if live.at == StreamId::START {
                    live.at = at;
                } else if live.at != at {
                    self.replaced.push(at);
                }
                return self.seen.is_some();
            }
            Some(live) => {
                if live.at != StreamId::START {
                    self.replaced.push(live.at);
                }
                // INVARIANT: a later notice says at least as much.
                let entry = live.entry.joined(entry);
                *live = LiveEntry { serial, entry, at };
            }
            None => {
                let entry = entry.clone();
                record.live = Some(LiveEntry { serial, entry, at });
                is_new = true;
            }
        }
        let about = self.about.entry(revocation.without_moment()).or_default();
        about.before = about.before.max(revocation.before());
        if is_new {
            about.lineages.push(lineage);
        }
        true
    }

    /// The effect is there only when nothing else revokes the same.
    fn take_back(
        &mut self,
        id: MessageId,
        end: UnixTime,
        at: StreamId,
        until: Duration,
    ) -> Option<ListUpdate> {
        let (lineage, serial) = (lineage_of(id), serial_of(id));
        let record = self.lineages.entry(lineage).or_default();
        record.until = record.until.max(until);
        let taken = record.live.take_if(|live| live.serial <= serial);
        let end = taken
            .as_ref()
            .map_or(end, |live| live.entry.ends_at().max(end));
        let said = Withdrawal { serial, end, at };
        match &mut record.gone {
            None => record.gone = Some(Box::new(said)),
            Some(gone) => {
                let is_later = serial > gone.serial;
                let former = if is_later { gone.at } else { at };
                // INVARIANT: this is kept for as long as what it takes back can be anywhere.
                gone.end = gone.end.max(end);
                if is_later {
                    (gone.serial, gone.at) = (serial, at);
                } else if gone.at == StreamId::START && serial == gone.serial {
                    gone.at = at;
                }
                if former != StreamId::START && former != gone.at {
                    self.replaced.push(former);
                }
            }
        }
        let entry = taken?.entry;
        let key = entry.revocation().without_moment();
        let about = self.about.get_mut(&key)?;
        let (before, until_end) = (entry.revocation().before(), entry.ends_at());
        let last = about
            .withdrawn
            .get_or_insert_with(|| Box::new((None, LONG_AGO)));
        **last = (last.0.max(before), last.1.max(until_end));
        if let Some(place) = about.lineages.iter().rposition(|other| *other == lineage) {
            about.lineages.swap_remove(place);
        }
        if !about.lineages.is_empty() {
            return None;
        }
        // The list holds what all of them said together.
        Some(ListUpdate::TakeOut(key.until_later(about.before.take())))
    }

    fn live(&self, lineage: Lineage) -> Option<&LiveEntry> {
        self.lineages.get(&lineage)?.live.as_ref()
    }

    fn queue(&mut self, own: OwnMessage) {
        if self.queued.insert(own) {
            self.outbox.push_back(own);
        }
    }

    fn note_seen(&mut self, notice: &SyncMessage) {
        let Some(seen) = &mut self.seen else {
            return;
        };
        match notice {
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

    /// Where the stream was read to.
    pub(in crate::runtime) const fn cursor(&self) -> StreamId {
        self.cursor
    }

    /// The last place that was read and that no instance has reason to drop. A stream that does not
    /// hold it has lost more than it should.
    pub(in crate::runtime) fn anchor(&self, now: UnixTime) -> Option<StreamId> {
        let mut latest = self.stream.iter().rev();
        let is_needed = |place: &&StreamPlace| place.end > now && self.is_current(place);
        latest.find(is_needed).map(|place| place.at)
    }

    /// Whether no later notice has replaced that of this place.
    fn is_current(&self, place: &StreamPlace) -> bool {
        match place.what {
            MessageBody::Unknown => false,
            MessageBody::Several => true,
            MessageBody::One(lineage) => self.lineages.get(&lineage).is_some_and(|record| {
                let live = record.live.as_ref().map(|live| live.at);
                let gone = record.gone.as_ref().map(|gone| gone.at);
                live == Some(place.at) || gone == Some(place.at)
            }),
        }
    }

    /// The stream is not the one that was read, or has lost something: it is read from the start.
    pub(in crate::runtime) fn restart(&mut self) {
        self.cursor = StreamId::START;
        self.stream.clear();
        self.replaced.clear();
        for record in self.lineages.values_mut() {
            if let Some(live) = &mut record.live {
                live.at = StreamId::START;
            }
            if let Some(gone) = &mut record.gone {
                gone.at = StreamId::START;
            }
        }
        self.seen = Some(HashMap::new());
    }

    /// The stream was read to its end. After a restart, what it lacks is to be written.
    pub(in crate::runtime) fn reached_end(&mut self, now: UnixTime) {
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
            if let Some(gone) = &record.gone {
                if gone.end > now && seen.withdrawn < Some(gone.serial) {
                    lacking.push(OwnMessage::Withdrawn(*lineage));
                }
            }
        }
        for own in lacking {
            self.queue(own);
        }
    }

    /// What is to be written next, of so many that wait.
    pub(in crate::runtime) fn waiting(&self, most: usize) -> WriteBatch {
        let mut batch = WriteBatch {
            notices: Vec::new(),
            taken: 0,
        };
        for own in self.outbox.iter().take(most) {
            batch.taken += 1;
            match own {
                OwnMessage::Revoked(lineage) => {
                    if let Some(LiveEntry { serial, entry, .. }) = self.live(*lineage) {
                        let id = id_of(*lineage, *serial);
                        batch.notices.push(SyncMessage::Revoked(id, entry.clone()));
                    }
                }
                OwnMessage::Withdrawn(lineage) => {
                    let record = self.lineages.get(lineage);
                    if let Some(gone) = record.and_then(|record| record.gone.as_deref()) {
                        let id = id_of(*lineage, gone.serial);
                        match batch.notices.last_mut() {
                            Some(SyncMessage::Withdrawn(ids, end))
                                if ids.len() < MOST_TAKEN_BACK =>
                            {
                                ids.push(id);
                                *end = gone.end.max(*end);
                            }
                            _ => batch
                                .notices
                                .push(SyncMessage::Withdrawn(vec![id], gone.end)),
                        }
                    }
                }
            }
        }
        batch
    }

    /// How many notices are to be written.
    pub(in crate::runtime) fn backlog(&self) -> usize {
        self.outbox.len()
    }

    /// The store has acknowledged so many of those that were waiting.
    pub(in crate::runtime) fn written(&mut self, count: usize) {
        for own in self.outbox.drain(..count.min(self.outbox.len())) {
            self.queued.remove(&own);
        }
    }

    /// Forgets what has ended by both clocks.
    pub(in crate::runtime) fn forget(&mut self, now: ClockReading) {
        let then = now.wall.saturating_sub(AFTERLIFE);
        let mut ended = HashSet::new();
        self.lineages.retain(|lineage, record| {
            let live = record.live.as_ref().map(|live| live.entry.ends_at());
            let gone = record.gone.as_ref().map(|gone| gone.end);
            let is_over = now.monotonic >= record.until && live.max(gone) <= Some(then);
            if is_over {
                ended.insert(*lineage);
            }
            !is_over
        });
        if ended.is_empty() {
            return;
        }
        let is_known = |own: &OwnMessage| match own {
            OwnMessage::Revoked(lineage) | OwnMessage::Withdrawn(lineage) => {
                !ended.contains(lineage)
            }
        };
        self.outbox.retain(is_known);
        self.queued.retain(is_known);
        self.about.retain(|_, about| {
            about.lineages.retain(|lineage| !ended.contains(lineage));
            about.own = about.own.filter(|id| !ended.contains(&lineage_of(*id)));
            about.withdrawn = about.withdrawn.take().filter(|last| last.1 > then);
            !about.lineages.is_empty() || about.own.is_some() || about.withdrawn.is_some()
        });
    }

    /// The place before which everything has ended by both clocks. `None` where nothing has.
    pub(in crate::runtime) fn first_needed(&mut self, now: ClockReading) -> Option<StreamId> {
        let then = now.wall.saturating_sub(AFTERLIFE);
        let is_over = |place: &&StreamPlace| place.end <= then && now.monotonic >= place.until;
        let mut last_ended = None;
        while let Some(place) = self.stream.front().filter(is_over) {
            last_ended = Some(place.at);
            self.stream.pop_front();
        }
        last_ended.map(StreamId::next)
    }

    /// Places whose notices others have replaced since, at most so many.
    pub(in crate::runtime) fn take_replaced(&mut self, most: usize) -> Vec<StreamId> {
        let rest = self.replaced.len().saturating_sub(most);
        self.replaced.split_off(rest)
    }

    /// What it holds: lineages, things, notices that wait and places of the stream.
    #[cfg(test)]
    fn sizes(&self) -> [usize; 4] {
        let (lineages, about) = (self.lineages.len(), self.about.len());
        [lineages, about, self.outbox.len(), self.stream.len()]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
    const LATER: UnixTime = UnixTime::from_secs(1_800_003_600);
    /// By the monotonic clock, the end of everything.
    const UNTIL: Duration = Duration::from_secs(7200);

    fn id(number: u128) -> MessageId {
        id_of(number, 0)
    }

    fn at(wall: UnixTime, monotonic: Duration) -> ClockReading {
        ClockReading { wall, monotonic }
    }

    fn entry(name: u8) -> RevocationEntry {
        RevocationEntry::new(revocation(name), LATER)
    }

    fn revocation(name: u8) -> Revocation {
        Revocation::token("https://a.example", &name.to_string())
    }

    /// An instance: its ledger, and the list that requests look at.
    struct Instance {
        ledger: Replica,
        list: BTreeSet<String>,
        epoch: u32,
    }

    /// The store: honest at times.
    #[derive(Default)]
    struct Stream {
        entries: Vec<(StreamId, SyncMessage)>,
        /// What was ever written, to be played back.
        past: Vec<SyncMessage>,
        last: u64,
        epoch: u32,
    }

    impl Stream {
        fn append(&mut self, notice: SyncMessage) {
            self.last += 1;
            self.past.push(notice.clone());
            self.entries.push((StreamId::at(self.last), notice));
        }
    }

    impl Instance {
        fn new() -> Self {
            Self {
                ledger: Replica::new(),
                list: BTreeSet::new(),
                epoch: u32::MAX,
            }
        }

        fn synchronize(&mut self, stream: &mut Stream) {
            let holds = |at: StreamId| stream.entries.iter().any(|(place, _)| *place == at);
            let anchored = self.ledger.anchor(NOW).is_none_or(holds);
            let is_known = self.epoch == stream.epoch
                && StreamId::at(stream.last) >= self.ledger.cursor()
                && anchored;
            if !is_known {
                self.ledger.restart();
                self.epoch = stream.epoch;
            }
            for _ in 0..2 {
                self.read(stream);
                self.ledger.reached_end(NOW);
                let batch = self.ledger.waiting(usize::MAX);
                self.ledger.written(batch.taken);
                for notice in batch.notices {
                    stream.append(notice);
                }
            }
            assert_eq!(self.ledger.backlog(), 0);
            let replaced = self.ledger.take_replaced(usize::MAX);
            let entries = &mut stream.entries;
            entries.retain(|(at, _)| !replaced.contains(at));
        }

        fn read(&mut self, stream: &Stream) {
            for (at, notice) in &stream.entries {
                for effect in self.ledger.read(*at, Some(notice.clone()), UNTIL) {
                    self.apply(effect);
                }
            }
        }

        fn apply(&mut self, effect: ListUpdate) {
            match effect {
                ListUpdate::TakeIn(entry) => self.list.insert(name(entry.revocation())),
                ListUpdate::TakeOut(revocation) => self.list.remove(&name(&revocation)),
            };
        }
    }

    fn name(revocation: &Revocation) -> String {
        revocation.id().unwrap_or_default().to_owned()
    }

    #[derive(Clone, Debug)]
    enum Step {
        Revoke(usize, u8),
        Withdraw(usize, u8),
        Synchronise(usize),
        Wipe,
        LoseTheEnd(usize),
        PlayBack(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..3_usize, 0..4_u8).prop_map(|(who, what)| Step::Revoke(who, what)),
            3 => (0..3_usize, 0..4_u8).prop_map(|(who, what)| Step::Withdraw(who, what)),
            6 => (0..3_usize).prop_map(Step::Synchronise),
            1 => Just(Step::Wipe),
            1 => (0..4_usize).prop_map(Step::LoseTheEnd),
            2 => any::<usize>().prop_map(Step::PlayBack),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever the store does: who revoked something refuses it until somebody withdraws it,
        /// and when all have spoken with the store they are alike.
        #[test]
        fn nothing_that_was_revoked_comes_back(steps in proptest::collection::vec(step(), 0..60)) {
            let mut stream = Stream::default();
            let mut instances = [(); 3].map(|()| Instance::new());
            let mut revoked_by: HashSet<(usize, String)> = HashSet::new();
            let mut next_id = 0;
            for step in steps {
                match step {
                    Step::Revoke(who, what) => {
                        next_id += 1;
                        instances[who].ledger.revoke(id(next_id), &entry(what), UNTIL);
                        instances[who].list.insert(what.to_string());
                        revoked_by.insert((who, what.to_string()));
                    }
                    Step::Withdraw(who, what) => {
                        instances[who].list.remove(&what.to_string());
                        if let Some(effect) = instances[who].ledger.withdraw(&revocation(what), UNTIL) {
                            instances[who].apply(effect);
                        }
                        revoked_by.retain(|(_, other)| *other != what.to_string());
                    }
                    Step::Synchronise(who) => instances[who].synchronize(&mut stream),
                    Step::Wipe => {
                        stream.entries.clear();
                        stream.last = 0;
                        stream.epoch += 1;
                    }
                    Step::LoseTheEnd(count) => {
                        let left = stream.entries.len().saturating_sub(count);
                        stream.entries.truncate(left);
                    }
                    Step::PlayBack(which) if !stream.past.is_empty() => {
                        let notice = stream.past[which % stream.past.len()].clone();
                        stream.append(notice);
                    }
                    Step::PlayBack(_) => {}
                }
                for (who, what) in &revoked_by {
                    prop_assert!(instances[*who].list.contains(what));
                }
            }
            for _ in 0..3 {
                for instance in &mut instances {
                    instance.synchronize(&mut stream);
                }
            }
            let mut fresh = Instance::new();
            fresh.synchronize(&mut stream);
            for instance in &instances {
                prop_assert_eq!(&instance.list, &fresh.list);
            }
            for (_, what) in &revoked_by {
                prop_assert!(fresh.list.contains(what), "{} is told", what);
            }
        }
    }

    #[test]
    fn a_withdrawal_takes_back_what_is_revoked_up_to_no_later_moment() {
        let subject = |before| {
            let before = UnixTime::from_secs(before);
            Revocation::subject("https://a.example", "s", before)
        };
        let mut ledger = Replica::new();
        let revoke = |ledger: &mut Replica, number, before| {
            let entry = RevocationEntry::new(subject(before), LATER);
            ledger.revoke(id(number), &entry, UNTIL);
        };
        revoke(&mut ledger, 1, 100);
        revoke(&mut ledger, 2, 200);
        let mut withdraw = |before| ledger.withdraw(&subject(before), UNTIL);
        assert_eq!(withdraw(150), None, "up to a later moment it holds");
        assert_eq!(withdraw(200), Some(ListUpdate::TakeOut(subject(200))));
        assert_eq!(withdraw(200), None);
    }

    #[test]
    fn later_moments_of_a_subject_replace_the_earlier_ones_here_and_there() {
        const MANY: usize = 31_000;
        let entry = |before: usize| {
            let before = UnixTime::from_secs(i64::try_from(before).expect("small"));
            RevocationEntry::new(Revocation::subject("https://a.example", "s", before), LATER)
        };
        let (mut here, mut there) = (Replica::new(), Replica::new());
        for moment in 0..MANY {
            here.revoke(id(moment as u128 + 1), &entry(moment), UNTIL);
        }
        assert_eq!(here.sizes(), [1, 1, 1, 0], "however many there were");
        let mut last = 0;
        for moment in MANY..MANY + 100 {
            here.revoke(id(7), &entry(moment), UNTIL);
            let batch = here.waiting(10);
            assert_eq!((batch.taken, batch.notices.len()), (1, 1));
            here.written(batch.taken);
            last += 1;
            for notice in batch.notices {
                here.read(StreamId::at(last), Some(notice.clone()), UNTIL);
                let effects = there.read(StreamId::at(last), Some(notice), UNTIL);
                assert_eq!(effects, [ListUpdate::TakeIn(entry(moment))]);
            }
        }
        for ledger in [&mut here, &mut there] {
            assert_eq!(ledger.sizes()[..2], [1, 1]);
            let replaced: HashSet<StreamId> = ledger.take_replaced(1000).into_iter().collect();
            assert_eq!(
                replaced,
                (1..100).map(StreamId::at).collect(),
                "all but the last"
            );
            assert_eq!(ledger.anchor(NOW), Some(StreamId::at(100)));
        }
        // A withdrawal takes back all of them, also what is played back later.
        let all = Revocation::subject("https://a.example", "s", LATER);
        assert!(there.withdraw(&all, UNTIL).is_some());
        let first = SyncMessage::Revoked(id(1), entry(0));
        assert!(there.read(StreamId::at(101), Some(first), UNTIL).is_empty());
        assert!(!there.revokes(&all));
    }

    #[test]
    fn revoking_and_withdrawing_again_and_again_leaves_one_of_each() {
        let mut ledger = Replica::new();
        for number in 1..1000 {
            ledger.revoke(id(number), &entry(1), UNTIL);
            assert!(ledger.withdraw(&revocation(1), UNTIL).is_some());
        }
        assert_eq!(ledger.sizes(), [1, 1, 2, 0]);
        let batch = ledger.waiting(10);
        assert_eq!(batch.notices.len(), 1, "nothing is live");
        ledger.revoke(id(5), &entry(1), UNTIL);
        assert!(ledger.covers(&entry(1)), "revoked again");
    }

    #[test]
    fn a_snapshot_is_older_than_a_withdrawal_or_not() {
        let mut ledger = Replica::new();
        ledger.read(
            StreamId::at(1),
            Some(SyncMessage::Revoked(id(1), entry(1))),
            UNTIL,
        );
        assert!(!ledger.has_withdrawn(&entry(1)));
        ledger.read(
            StreamId::at(2),
            Some(SyncMessage::Withdrawn(vec![id(1)], LATER)),
            UNTIL,
        );
        assert!(ledger.has_withdrawn(&entry(1)));
        let again = LATER.saturating_add(Duration::from_secs(1));
        let again = RevocationEntry::new(revocation(1), again);
        assert!(!ledger.has_withdrawn(&again), "revoked again since");
        assert!(!ledger.has_withdrawn(&entry(2)));
    }

    #[test]
    fn only_what_has_ended_by_both_clocks_is_forgotten_and_trimmed() {
        let mut ledger = Replica::new();
        let early = RevocationEntry::new(revocation(1), NOW);
        ledger.read(
            StreamId::at(1),
            Some(SyncMessage::Revoked(id(1), early)),
            UNTIL,
        );
        ledger.read(StreamId::at(2), None, UNTIL);
        ledger.read(
            StreamId::at(3),
            Some(SyncMessage::Revoked(id(2), entry(2))),
            UNTIL,
        );
        ledger.read(StreamId::at(4), None, UNTIL);
        let soon = NOW.saturating_add(AFTERLIFE);
        let late = LATER.saturating_add(AFTERLIFE);
        let before = Duration::from_secs(7199);
        for moment in [
            at(UnixTime::from_secs(soon.as_secs() - 1), UNTIL),
            at(late, before),
            at(UnixTime::from_secs(i64::MAX), before),
            at(NOW, Duration::MAX),
        ] {
            assert_eq!(ledger.first_needed(moment), None, "{moment:?}");
            ledger.forget(moment);
            assert_eq!(ledger.sizes()[..2], [2, 2], "{moment:?}");
        }
        let first = ledger.first_needed(at(soon, UNTIL));
        assert_eq!(first, Some(StreamId::at(2).next()));
        assert_eq!(ledger.anchor(NOW), Some(StreamId::at(3)));
        ledger.forget(at(soon, UNTIL));
        assert_eq!(ledger.sizes()[..2], [1, 1]);
        let first = ledger.first_needed(at(late, UNTIL));
        assert_eq!(first, Some(StreamId::at(4).next()));
        assert_eq!(ledger.anchor(LATER), None);
        ledger.forget(at(late, UNTIL));
        assert_eq!(ledger.sizes(), [0, 0, 0, 0]);
    }

    #[test]
    fn what_could_not_be_opened_is_trimmed_by_the_second_clock_alone() {
        let mut ledger = Replica::new();
        ledger.read(StreamId::at(1), None, UNTIL);
        let before = Duration::from_secs(7199);
        let ahead = UnixTime::from_secs(i64::MAX);
        assert_eq!(ledger.first_needed(at(ahead, before)), None);
        let first = ledger.first_needed(at(NOW, UNTIL));
        assert_eq!(first, Some(StreamId::at(1).next()));
    }
}
