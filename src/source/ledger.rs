//! What this instance knows of the revocations of all, and how far the stream told it.
//!
//! 1. Every revocation has an id of its own that nobody can guess, and a withdrawal names the ids
//!    that it takes back, and nothing else. So notices may come late, twice and in any order, and
//!    all instances end up alike. What was revoked again after a withdrawal stays revoked, whatever
//!    a store plays back.
//! 2. What was taken back stays so until it would have ended anyway.
//! 3. The stream is only how notices travel. When it has lost something, it is read from the start,
//!    and what it lacks is written to it again by whoever knows it.
//! 4. Own notices wait in their order until the store has acknowledged them.
//!
//! Without I/O and clock; it belongs to one task.

use std::collections::{HashMap, HashSet, VecDeque};

use super::revoked::RevocationEntry;
use super::store::StreamId;
use crate::model::revocation::Revocation;
use crate::model::time::UnixTime;

/// So many ids one withdrawal takes back at most; of more, several are made.
const MOST_TAKEN_BACK: usize = 64;

/// The end of what need not be kept.
const LONG_AGO: UnixTime = UnixTime::from_secs(i64::MIN);

/// The id of a revocation. Two that are about the same have two.
pub(super) type NoticeId = u128;

/// What instances tell each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    Revoked(NoticeId, RevocationEntry),
    Withdrawn(Vec<NoticeId>, UnixTime),
}

impl Notice {
    /// When it need not be known any more.
    pub(super) const fn end(&self) -> UnixTime {
        match self {
            Self::Revoked(_, entry) => entry.ends_at(),
            Self::Withdrawn(_, end) => *end,
        }
    }
}

/// What a stream holds: of each id, whether it was revoked and whether that was taken back.
#[derive(Default)]
struct Seen {
    revoked: HashSet<NoticeId>,
    withdrawn: HashSet<NoticeId>,
}

impl Seen {
    fn note(&mut self, notice: &Notice) {
        match notice {
            Notice::Revoked(id, _) => drop(self.revoked.insert(*id)),
            Notice::Withdrawn(ids, _) => self.withdrawn.extend(ids),
        }
    }
}

/// What a notice of others means for the list in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    TakeIn(RevocationEntry),
    TakeOut(Revocation),
}

/// The ledger of one instance.
pub(super) struct Ledger {
    live: HashMap<NoticeId, RevocationEntry>,
    /// By what it is about, without the moment.
    about: HashMap<Revocation, About>,
    taken_back: HashMap<NoticeId, UnixTime>,
    outbox: VecDeque<Notice>,
    /// The places of the stream that were read, and until when each is needed.
    stream: VecDeque<(StreamId, UnixTime)>,
    cursor: StreamId,
    /// While the stream is read from the start: what it held.
    seen: Option<Seen>,
}

/// Everything that revokes the same.
#[derive(Default)]
struct About {
    ids: Vec<NoticeId>,
    /// The latest moment of all that there ever were.
    before: Option<UnixTime>,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self {
            live: HashMap::new(),
            about: HashMap::new(),
            taken_back: HashMap::new(),
            outbox: VecDeque::new(),
            stream: VecDeque::new(),
            cursor: StreamId::START,
            seen: Some(Seen::default()),
        }
    }

    /// Whether something that is known says as much.
    pub(super) fn covers(&self, entry: &RevocationEntry) -> bool {
        let about = self.about.get(&key_of(entry.revocation()));
        let mut known = about.into_iter().flat_map(|about| &about.ids);
        known.any(|id| {
            self.live.get(id).is_some_and(|known| {
                known.ends_at() >= entry.ends_at()
                    && known.revocation().before() >= entry.revocation().before()
            })
        })
    }

    /// Something was revoked here, under a fresh id.
    pub(super) fn revoke(&mut self, id: NoticeId, entry: RevocationEntry) {
        self.enter(id, &entry);
        self.outbox.push_back(Notice::Revoked(id, entry));
    }

    /// Something was withdrawn here: what revoked it, up to no later moment, is taken back, also
    /// what came from others while it was withdrawn, which the effect is about.
    pub(super) fn withdraw(&mut self, revocation: &Revocation) -> Option<Effect> {
        let about = self.about.get(&key_of(revocation))?;
        let is_meant = |id: &NoticeId| {
            let entry = self.live.get(id);
            entry.is_some_and(|entry| entry.revocation().before() <= revocation.before())
        };
        let ids: Vec<NoticeId> = about.ids.iter().copied().filter(is_meant).collect();
        let mut last = LONG_AGO;
        let mut effect = None;
        for id in &ids {
            let end = self.live.get(id).map_or(LONG_AGO, RevocationEntry::ends_at);
            last = last.max(end);
            effect = self.take_back(*id, end).or(effect);
        }
        for ids in ids.chunks(MOST_TAKEN_BACK) {
            self.outbox.push_back(Notice::Withdrawn(ids.to_vec(), last));
        }
        effect
    }

    /// Reads the next place of the stream. What is not sealed by us is no notice: it moves the
    /// cursor, and nothing else.
    pub(super) fn read(&mut self, at: StreamId, notice: Option<Notice>) -> Vec<Effect> {
        if at <= self.cursor {
            return Vec::new();
        }
        self.cursor = at;
        let end = notice.as_ref().map_or(LONG_AGO, Notice::end);
        self.stream.push_back((at, end));
        if let (Some(seen), Some(notice)) = (&mut self.seen, &notice) {
            seen.note(notice);
        }
        match notice {
            Some(Notice::Revoked(id, entry)) => {
                let is_news = self.enter(id, &entry);
                is_news
                    .then_some(Effect::TakeIn(entry))
                    .into_iter()
                    .collect()
            }
            Some(Notice::Withdrawn(ids, end)) => ids
                .into_iter()
                .filter_map(|id| self.take_back(id, end))
                .collect(),
            None => Vec::new(),
        }
    }

    fn enter(&mut self, id: NoticeId, entry: &RevocationEntry) -> bool {
        if self.taken_back.contains_key(&id) || self.live.contains_key(&id) {
            return false;
        }
        let revocation = entry.revocation();
        let about = self.about.entry(key_of(revocation)).or_default();
        about.ids.push(id);
        about.before = about.before.max(revocation.before());
        self.live.insert(id, entry.clone());
        true
    }

    /// The effect is there only when nothing else revokes the same.
    fn take_back(&mut self, id: NoticeId, end: UnixTime) -> Option<Effect> {
        let entry = self.live.remove(&id);
        let end = entry.as_ref().map_or(end, |entry| entry.ends_at().max(end));
        // INVARIANT: this is kept for as long as what it takes back can be anywhere.
        let kept = self.taken_back.entry(id).or_insert(end);
        *kept = (*kept).max(end);
        let key = key_of(entry?.revocation());
        let about = self.about.get_mut(&key)?;
        about.ids.retain(|other| *other != id);
        if !about.ids.is_empty() {
            return None;
        }
        let before = about.before;
        self.about.remove(&key);
        // The list holds what all of them said together.
        Some(Effect::TakeOut(key.until_later(before)))
    }

    /// Where the stream was read to.
    pub(super) const fn cursor(&self) -> StreamId {
        self.cursor
    }

    /// The last place that was read and that nobody has reason to drop. A stream that does not hold
    /// it has lost more than it should.
    pub(super) fn anchor(&self, now: UnixTime) -> Option<StreamId> {
        let mut latest = self.stream.iter().rev();
        latest.find(|(_, end)| *end > now).map(|(at, _)| *at)
    }

    /// The stream is not the one that was read, or has lost something: it is read from the start.
    pub(super) fn restart(&mut self) {
        self.cursor = StreamId::START;
        self.stream.clear();
        self.seen = Some(Seen::default());
    }

    /// The stream was read to its end. After a restart, what it lacks is to be written.
    pub(super) fn reached_end(&mut self, now: UnixTime) {
        let Some(mut known) = self.seen.take() else {
            return;
        };
        self.outbox.iter().for_each(|notice| known.note(notice));
        for (id, entry) in &self.live {
            if entry.ends_at() > now && !known.revoked.contains(id) {
                self.outbox.push_back(Notice::Revoked(*id, entry.clone()));
            }
        }
        let is_lacking =
            |(id, end): &(&NoticeId, &UnixTime)| **end > now && !known.withdrawn.contains(*id);
        let gone = self.taken_back.iter().filter(is_lacking);
        let gone: Vec<(NoticeId, UnixTime)> = gone.map(|(id, end)| (*id, *end)).collect();
        for some in gone.chunks(MOST_TAKEN_BACK) {
            let last = some
                .iter()
                .map(|(_, end)| *end)
                .fold(LONG_AGO, UnixTime::max);
            let ids = some.iter().map(|(id, _)| *id).collect();
            self.outbox.push_back(Notice::Withdrawn(ids, last));
        }
    }

    /// What is to be written next.
    pub(super) fn waiting(&self, most: usize) -> impl Iterator<Item = &Notice> {
        self.outbox.iter().take(most)
    }

    /// How many notices are to be written.
    pub(super) fn backlog(&self) -> usize {
        self.outbox.len()
    }

    /// The store has acknowledged so many of those that were waiting.
    pub(super) fn written(&mut self, count: usize) {
        self.outbox.drain(..count.min(self.outbox.len()));
    }

    /// Forgets what has ended by then.
    pub(super) fn forget(&mut self, then: UnixTime) {
        self.taken_back.retain(|_, end| *end > then);
        self.outbox.retain(|notice| notice.end() > then);
        let about = &mut self.about;
        self.live.retain(|id, entry| {
            if entry.ends_at() > then {
                return true;
            }
            let key = key_of(entry.revocation());
            if let Some(others) = about.get_mut(&key) {
                others.ids.retain(|other| other != id);
                if others.ids.is_empty() {
                    about.remove(&key);
                }
            }
            false
        });
    }

    /// The place before which everything has ended by then. `None` where nothing has.
    pub(super) fn first_needed(&mut self, then: UnixTime) -> Option<StreamId> {
        let mut last_ended = None;
        while let Some((at, _)) = self.stream.front().filter(|(_, end)| *end <= then) {
            last_ended = Some(*at);
            self.stream.pop_front();
        }
        last_ended.map(StreamId::next)
    }
}

/// What a revocation is about, whatever its moment.
fn key_of(revocation: &Revocation) -> Revocation {
    let id = revocation.id().unwrap_or_default();
    Revocation::new(revocation.issuer(), revocation.kind(), id, None)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
    const LATER: UnixTime = UnixTime::from_secs(1_800_003_600);

    fn entry(name: u8) -> RevocationEntry {
        RevocationEntry::new(revocation(name), LATER)
    }

    fn revocation(name: u8) -> Revocation {
        Revocation::token("https://a.example", &name.to_string())
    }

    /// An instance: its ledger, and the list that requests look at.
    struct Instance {
        ledger: Ledger,
        list: BTreeSet<String>,
        epoch: u32,
    }

    /// The store: honest at times.
    #[derive(Default)]
    struct Stream {
        entries: Vec<(StreamId, Notice)>,
        /// What was ever written, to be played back.
        past: Vec<Notice>,
        last: u64,
        epoch: u32,
    }

    impl Stream {
        fn append(&mut self, notice: Notice) {
            self.last += 1;
            self.past.push(notice.clone());
            self.entries.push((StreamId::at(self.last), notice));
        }
    }

    impl Instance {
        fn new() -> Self {
            Self {
                ledger: Ledger::new(),
                list: BTreeSet::new(),
                epoch: u32::MAX,
            }
        }

        fn synchronise(&mut self, stream: &mut Stream) {
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
                let notices: Vec<Notice> = self.ledger.waiting(usize::MAX).cloned().collect();
                self.ledger.written(notices.len());
                for notice in notices {
                    stream.append(notice);
                }
            }
            assert_eq!(self.ledger.backlog(), 0);
        }

        fn read(&mut self, stream: &Stream) {
            for (at, notice) in &stream.entries {
                for effect in self.ledger.read(*at, Some(notice.clone())) {
                    self.apply(effect);
                }
            }
        }

        fn apply(&mut self, effect: Effect) {
            match effect {
                Effect::TakeIn(entry) => self.list.insert(name(entry.revocation())),
                Effect::TakeOut(revocation) => self.list.remove(&name(&revocation)),
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
                        instances[who].ledger.revoke(next_id, entry(what));
                        instances[who].list.insert(what.to_string());
                        revoked_by.insert((who, what.to_string()));
                    }
                    Step::Withdraw(who, what) => {
                        instances[who].list.remove(&what.to_string());
                        if let Some(effect) = instances[who].ledger.withdraw(&revocation(what)) {
                            instances[who].apply(effect);
                        }
                        revoked_by.retain(|(_, other)| *other != what.to_string());
                    }
                    Step::Synchronise(who) => instances[who].synchronise(&mut stream),
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
                    instance.synchronise(&mut stream);
                }
            }
            let mut fresh = Instance::new();
            fresh.synchronise(&mut stream);
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
        let mut ledger = Ledger::new();
        ledger.revoke(1, RevocationEntry::new(subject(100), LATER));
        ledger.revoke(2, RevocationEntry::new(subject(200), LATER));
        assert_eq!(ledger.withdraw(&subject(150)), None, "one of the two holds");
        assert_eq!(
            ledger.withdraw(&subject(200)),
            Some(Effect::TakeOut(subject(200)))
        );
        assert_eq!(ledger.withdraw(&subject(200)), None);
    }

    #[test]
    fn only_what_has_ended_is_forgotten_and_trimmed() {
        let mut ledger = Ledger::new();
        let early = RevocationEntry::new(revocation(1), NOW);
        ledger.read(StreamId::at(1), Some(Notice::Revoked(1, early)));
        ledger.read(StreamId::at(2), None);
        ledger.read(StreamId::at(3), Some(Notice::Revoked(2, entry(2))));
        ledger.read(StreamId::at(4), None);
        let before = UnixTime::from_secs(NOW.as_secs() - 1);
        assert_eq!(ledger.first_needed(before), None);
        assert_eq!(ledger.first_needed(NOW), Some(StreamId::at(2).next()));
        assert_eq!(ledger.anchor(NOW), Some(StreamId::at(3)));
        ledger.forget(NOW);
        assert_eq!(ledger.live.len(), 1);
        assert_eq!(ledger.about.len(), 1);
        assert_eq!(ledger.first_needed(LATER), Some(StreamId::at(4).next()));
        assert_eq!(ledger.anchor(LATER), None);
        ledger.forget(LATER);
        assert!(ledger.live.is_empty() && ledger.about.is_empty());
    }
}
