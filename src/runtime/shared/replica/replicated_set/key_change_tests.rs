//! Instances while the cluster key is changed, with a stream for each key.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use KeyRole::{Current, Previous};

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const LATER: UnixTime = UnixTime::from_secs(1_800_003_600);
const UNTIL: Duration = Duration::from_secs(7200);
/// When all has ended by the clocks that are not the wall clock.
const ENDED: ClockReading = ClockReading {
    wall: NOW,
    monotonic: UNTIL,
};
const ALONE: &[KeyRole] = KeyRole::of_instance(false);
const BOTH: &[KeyRole] = KeyRole::of_instance(true);

/// The places of the two streams in [`Streams`].
const OLD: usize = 0;
const NEW: usize = 1;

fn revocation(name: u8) -> Revocation {
    Revocation::token("https://a.example", &name.to_string())
}

fn entry(name: u8) -> RevocationEntry {
    RevocationEntry::new(revocation(name), LATER)
}

/// The streams of both keys.
#[derive(Default)]
struct Streams([Vec<(StreamId, SyncMessage)>; 2], u64);

struct Instance {
    replica: Replica,
    /// The stream of each key.
    streams: Vec<(KeyRole, usize)>,
    list: BTreeSet<String>,
}

impl Instance {
    fn with(streams: &[(KeyRole, usize)]) -> Self {
        let roles = if streams.len() == 2 { BOTH } else { ALONE };
        Self {
            replica: Replica::new(roles),
            streams: streams.to_vec(),
            list: BTreeSet::new(),
        }
    }

    fn old() -> Self {
        Self::with(&[(Current, OLD)])
    }

    fn both() -> Self {
        Self::with(&[(Current, NEW), (Previous, OLD)])
    }

    fn new() -> Self {
        Self::with(&[(Current, NEW)])
    }

    fn revoke(&mut self, id: u128, name: u8) {
        self.replica.revoke(id_of(id, 0), &entry(name), UNTIL);
        self.list.insert(name.to_string());
    }

    fn withdraw(&mut self, name: u8) {
        self.list.remove(&name.to_string());
        let update = self.replica.withdraw(&revocation(name), UNTIL);
        self.apply(update);
    }

    fn apply(&mut self, updates: impl IntoIterator<Item = ListUpdate>) {
        let name = |revocation: &Revocation| revocation.id().unwrap_or_default().to_owned();
        for update in updates {
            match update {
                ListUpdate::Add(entry) => self.list.insert(name(entry.revocation())),
                ListUpdate::Remove(revocation) => self.list.remove(&name(&revocation)),
            };
        }
    }

    /// One pass of the task: reads all streams, then writes all.
    fn synchronize(&mut self, streams: &mut Streams) {
        for (role, which) in self.streams.clone() {
            for (at, message) in &streams.0[which] {
                let updates = self.replica.read(role, *at, Some(message.clone()), UNTIL);
                self.apply(updates);
            }
        }
        for (role, which) in self.streams.clone() {
            self.replica.reached_end(role, ENDED);
            let batch = self.replica.waiting(role, usize::MAX);
            self.replica.acknowledged(role, batch.taken);
            for message in batch.messages {
                streams.1 += 1;
                streams.0[which].push((StreamId::at(streams.1), message));
            }
            let replaced = self.replica.take_replaced(role, usize::MAX);
            streams.0[which].retain(|(at, _)| !replaced.contains(at));
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Revoke(usize, u8),
    Withdraw(usize, u8),
    Synchronize(usize),
    /// An instance ends, and starts with the keys of the next step of the change.
    Restart(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3_usize, 0..4_u8).prop_map(|(who, what)| Step::Revoke(who, what)),
        3 => (0..3_usize, 0..4_u8).prop_map(|(who, what)| Step::Withdraw(who, what)),
        6 => (0..3_usize).prop_map(Step::Synchronize),
        2 => (0..3_usize).prop_map(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// From the old key to the new one in two steps, each instance at its time: what an instance has
    /// revoked it refuses, and when all have synchronized they have the same set, whatever their keys.
    #[test]
    fn cluster_key_change_keeps_all_instances_alike(
        steps in proptest::collection::vec(step(), 0..60),
        more in proptest::collection::vec(step(), 0..60),
    ) {
        let mut streams = Streams::default();
        let mut instances = [(); 3].map(|()| Instance::old());
        let mut id = 0;
        for (next, steps) in [(Instance::both as fn() -> Instance, steps), (Instance::new, more)] {
            let mut is_restarted = [false; 3];
            for step in steps {
                match step {
                    Step::Revoke(who, what) => {
                        id += 1;
                        instances[who].revoke(id, what);
                        prop_assert!(instances[who].list.contains(&what.to_string()));
                    }
                    Step::Withdraw(who, what) => instances[who].withdraw(what),
                    Step::Synchronize(who) => instances[who].synchronize(&mut streams),
                    Step::Restart(who) if is_restarted[who] => {}
                    Step::Restart(who) => {
                        is_restarted[who] = true;
                        // What was not written ends with an instance; the twin without a change of
                        // keys loses it too.
                        instances[who].synchronize(&mut streams);
                        let before = instances[who].list.clone();
                        instances[who] = next();
                        instances[who].synchronize(&mut streams);
                        // In the second step all had both keys for a while, as the procedure says.
                        prop_assert_eq!(&before, &instances[who].list);
                    }
                }
            }
            for (who, is_restarted) in is_restarted.into_iter().enumerate() {
                instances[who].synchronize(&mut streams);
                if !is_restarted {
                    instances[who] = next();
                    instances[who].synchronize(&mut streams);
                }
            }
            for _ in 0..3 {
                for instance in &mut instances {
                    instance.synchronize(&mut streams);
                }
            }
            let mut fresh = next();
            fresh.synchronize(&mut streams);
            for instance in &instances {
                prop_assert_eq!(&instance.list, &fresh.list);
            }
        }
    }
}

#[test]
fn cluster_key_change_copies_each_message_once_and_under_its_id() {
    let mut streams = Streams::default();
    let mut old = Instance::old();
    old.revoke(1, 1);
    old.synchronize(&mut streams);
    let mut two = [Instance::both(), Instance::both()];
    for _ in 0..3 {
        for instance in &mut two {
            instance.synchronize(&mut streams);
        }
    }
    let messages = |which: usize| -> Vec<SyncMessage> {
        let entries = streams.0[which].iter();
        entries.map(|(_, message)| message.clone()).collect()
    };
    assert_eq!(messages(OLD).len(), 1);
    assert_eq!(messages(OLD), messages(NEW));
}

#[test]
fn cluster_key_change_leaves_what_the_other_stream_still_revokes() {
    // Two instances have revoked the same, each under its key; the withdrawal of one names its own alone.
    let mut both = Instance::both();
    for (role, at, lineage) in [(Previous, 1, 1), (Current, 2, 2)] {
        let message = SyncMessage::Revoked(id_of(lineage, 0), entry(1));
        let updates = both
            .replica
            .read(role, StreamId::at(at), Some(message), UNTIL);
        both.apply(updates);
    }
    let withdrawn = |lineage| Some(SyncMessage::Withdrawn(vec![id_of(lineage, 0)], LATER));
    let updates = both
        .replica
        .read(Previous, StreamId::at(3), withdrawn(1), UNTIL);
    assert!(updates.is_empty(), "the other one still counts");
    let updates = both
        .replica
        .read(Previous, StreamId::at(4), withdrawn(2), UNTIL);
    assert_eq!(updates, [ListUpdate::Remove(revocation(1))], "the twin");
}

#[test]
fn replaced_message_is_not_deleted_while_its_successor_is_not_written() {
    let subject = |before| {
        let before = UnixTime::from_secs(before);
        let revocation = Revocation::subject("https://a.example", "s", before);
        RevocationEntry::new(revocation, LATER)
    };
    let mut replica = Replica::new(ALONE);
    replica.revoke(id_of(1, 0), &subject(1), UNTIL);
    let batch = replica.waiting(Current, 10);
    replica.acknowledged(Current, batch.taken);
    for message in batch.messages {
        replica.read(Current, StreamId::at(1), Some(message), UNTIL);
    }
    replica.reached_end(Current, ENDED);
    replica.revoke(id_of(9, 0), &subject(2), UNTIL);
    let none: [StreamId; 0] = [];
    assert_eq!(
        replica.take_replaced(Current, 10),
        none,
        "the store is full"
    );
    let batch = replica.waiting(Current, 10);
    replica.acknowledged(Current, batch.taken);
    assert_eq!(replica.take_replaced(Current, 10), [StreamId::at(1)]);
}
