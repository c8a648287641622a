use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use KeyRole::Current;

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const LATER: UnixTime = UnixTime::from_secs(1_800_003_600);
const ALONE: &[KeyRole] = KeyRole::of_instance(false);
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

/// An instance: its replica, and the list that requests look at.
struct Instance {
    replica: Replica,
    list: BTreeSet<String>,
    epoch: u32,
}

/// The store: honest at times.
#[derive(Default)]
struct Stream {
    entries: Vec<(StreamId, SyncMessage)>,
    /// What was ever acknowledged, to be played back.
    past: Vec<SyncMessage>,
    last: u64,
    epoch: u32,
}

impl Stream {
    fn append(&mut self, message: SyncMessage) {
        self.last += 1;
        self.past.push(message.clone());
        self.entries.push((StreamId::at(self.last), message));
    }
}

impl Instance {
    fn new() -> Self {
        Self {
            replica: Replica::new(ALONE),
            list: BTreeSet::new(),
            epoch: u32::MAX,
        }
    }

    fn synchronize(&mut self, stream: &mut Stream) {
        let holds = |at: StreamId| stream.entries.iter().any(|(place, _)| *place == at);
        let anchored = self.replica.anchor(Current, NOW).is_none_or(holds);
        let is_known = self.epoch == stream.epoch
            && StreamId::at(stream.last) >= self.replica.cursor(Current)
            && anchored;
        if !is_known {
            self.replica.restart(Current);
            self.epoch = stream.epoch;
        }
        for _ in 0..2 {
            self.read(stream);
            self.replica.reached_end(Current, at(NOW, UNTIL));
            let batch = self.replica.waiting(Current, usize::MAX);
            self.replica.acknowledged(Current, batch.taken);
            for message in batch.messages {
                stream.append(message);
            }
        }
        assert_eq!(self.replica.backlog(), 0);
        let replaced = self.replica.take_replaced(Current, usize::MAX);
        let entries = &mut stream.entries;
        entries.retain(|(at, _)| !replaced.contains(at));
    }

    fn read(&mut self, stream: &Stream) {
        for (at, message) in &stream.entries {
            for update in self
                .replica
                .read(Current, *at, Some(message.clone()), UNTIL)
            {
                self.apply(update);
            }
        }
    }

    fn apply(&mut self, update: ListUpdate) {
        match update {
            ListUpdate::Add(entry) => self.list.insert(name(entry.revocation())),
            ListUpdate::Remove(revocation) => self.list.remove(&name(&revocation)),
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

    /// Whatever the store does: an instance that revoked something refuses it until it is withdrawn,
    /// and after each instance has synchronized, all have the same set.
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
                    instances[who].replica.revoke(id(next_id), &entry(what), UNTIL);
                    instances[who].list.insert(what.to_string());
                    revoked_by.insert((who, what.to_string()));
                }
                Step::Withdraw(who, what) => {
                    instances[who].list.remove(&what.to_string());
                    if let Some(update) = instances[who].replica.withdraw(&revocation(what), UNTIL) {
                        instances[who].apply(update);
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
                    let message = stream.past[which % stream.past.len()].clone();
                    stream.append(message);
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
    let mut replica = Replica::new(ALONE);
    let revoke = |replica: &mut Replica, number, before| {
        let entry = RevocationEntry::new(subject(before), LATER);
        replica.revoke(id(number), &entry, UNTIL);
    };
    revoke(&mut replica, 1, 100);
    revoke(&mut replica, 2, 200);
    let mut withdraw = |before| replica.withdraw(&subject(before), UNTIL);
    assert_eq!(withdraw(150), None, "up to a later moment it holds");
    assert_eq!(withdraw(200), Some(ListUpdate::Remove(subject(200))));
    assert_eq!(withdraw(200), None);
}

#[test]
fn later_moments_of_a_subject_replace_the_earlier_ones_here_and_there() {
    const MANY: usize = 31_000;
    let entry = |before: usize| {
        let before = UnixTime::from_secs(i64::try_from(before).expect("small"));
        RevocationEntry::new(Revocation::subject("https://a.example", "s", before), LATER)
    };
    let (mut here, mut there) = (Replica::new(ALONE), Replica::new(ALONE));
    for moment in 0..MANY {
        here.revoke(id(moment as u128 + 1), &entry(moment), UNTIL);
    }
    assert_eq!(here.sizes(), [1, 1, 1, 0], "however many there were");
    let mut last = 0;
    for moment in MANY..MANY + 100 {
        here.revoke(id(7), &entry(moment), UNTIL);
        let batch = here.waiting(Current, 10);
        assert_eq!((batch.taken, batch.messages.len()), (1, 1));
        here.acknowledged(Current, batch.taken);
        last += 1;
        for message in batch.messages {
            here.read(Current, StreamId::at(last), Some(message.clone()), UNTIL);
            let updates = there.read(Current, StreamId::at(last), Some(message), UNTIL);
            assert_eq!(updates, [ListUpdate::Add(entry(moment))]);
        }
    }
    for replica in [&mut here, &mut there] {
        assert_eq!(replica.sizes()[..2], [1, 1]);
        let replaced: HashSet<StreamId> =
            replica.take_replaced(Current, 1000).into_iter().collect();
        assert_eq!(
            replaced,
            (1..100).map(StreamId::at).collect(),
            "all but the last"
        );
        assert_eq!(replica.anchor(Current, NOW), Some(StreamId::at(100)));
    }
    // A withdrawal takes back all of them, also what is played back later.
    let all = Revocation::subject("https://a.example", "s", LATER);
    assert!(there.withdraw(&all, UNTIL).is_some());
    let first = SyncMessage::Revoked(id(1), entry(0));
    assert!(
        there
            .read(Current, StreamId::at(101), Some(first), UNTIL)
            .is_empty()
    );
    assert!(!there.revokes(&all));
}

#[test]
fn revoking_and_withdrawing_again_and_again_leaves_one_of_each() {
    let mut replica = Replica::new(ALONE);
    for number in 1..1000 {
        replica.revoke(id(number), &entry(1), UNTIL);
        assert!(replica.withdraw(&revocation(1), UNTIL).is_some());
    }
    assert_eq!(replica.sizes(), [1, 1, 2, 0]);
    let batch = replica.waiting(Current, 10);
    assert_eq!(batch.messages.len(), 1, "nothing is live");
    replica.revoke(id(5), &entry(1), UNTIL);
    assert!(replica.covers(&entry(1)), "revoked again");
}

#[test]
fn a_snapshot_is_older_than_a_withdrawal_or_not() {
    let mut replica = Replica::new(ALONE);
    replica.read(
        Current,
        StreamId::at(1),
        Some(SyncMessage::Revoked(id(1), entry(1))),
        UNTIL,
    );
    assert!(!replica.has_withdrawn(&entry(1)));
    replica.read(
        Current,
        StreamId::at(2),
        Some(SyncMessage::Withdrawn(vec![id(1)], LATER)),
        UNTIL,
    );
    assert!(replica.has_withdrawn(&entry(1)));
    let again = LATER.saturating_add(Duration::from_secs(1));
    let again = RevocationEntry::new(revocation(1), again);
    assert!(!replica.has_withdrawn(&again), "revoked again since");
    assert!(!replica.has_withdrawn(&entry(2)));
}

#[test]
fn only_what_has_ended_by_both_clocks_is_forgotten_and_trimmed() {
    let mut replica = Replica::new(ALONE);
    let early = RevocationEntry::new(revocation(1), NOW);
    replica.read(
        Current,
        StreamId::at(1),
        Some(SyncMessage::Revoked(id(1), early)),
        UNTIL,
    );
    replica.read(Current, StreamId::at(2), None, UNTIL);
    replica.read(
        Current,
        StreamId::at(3),
        Some(SyncMessage::Revoked(id(2), entry(2))),
        UNTIL,
    );
    replica.read(Current, StreamId::at(4), None, UNTIL);
    let soon = NOW.saturating_add(RETENTION_AFTER_END);
    let late = LATER.saturating_add(RETENTION_AFTER_END);
    let before = Duration::from_secs(7199);
    for moment in [
        at(UnixTime::from_secs(soon.as_secs() - 1), UNTIL),
        at(late, before),
        at(UnixTime::from_secs(i64::MAX), before),
        at(NOW, Duration::MAX),
    ] {
        assert_eq!(replica.first_needed(Current, moment), None, "{moment:?}");
        replica.forget(moment);
        assert_eq!(replica.sizes()[..2], [2, 2], "{moment:?}");
    }
    let first = replica.first_needed(Current, at(soon, UNTIL));
    assert_eq!(first, Some(StreamId::at(2).next()));
    assert_eq!(replica.anchor(Current, NOW), Some(StreamId::at(3)));
    replica.forget(at(soon, UNTIL));
    assert_eq!(replica.sizes()[..2], [1, 1]);
    let first = replica.first_needed(Current, at(late, UNTIL));
    assert_eq!(first, Some(StreamId::at(4).next()));
    assert_eq!(replica.anchor(Current, LATER), None);
    replica.forget(at(late, UNTIL));
    assert_eq!(replica.sizes(), [0, 0, 0, 0]);
}

#[test]
fn what_could_not_be_opened_is_trimmed_by_the_second_clock_alone() {
    let mut replica = Replica::new(ALONE);
    replica.read(Current, StreamId::at(1), None, UNTIL);
    let before = Duration::from_secs(7199);
    let ahead = UnixTime::from_secs(i64::MAX);
    assert_eq!(replica.first_needed(Current, at(ahead, before)), None);
    let first = replica.first_needed(Current, at(NOW, UNTIL));
    assert_eq!(first, Some(StreamId::at(1).next()));
}
