//! Tests of the store: replays, expiry, capacity, shares of owners, threads.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::time::Duration;

use proptest::prelude::*;

use super::proof_store::ProofStore;
use super::shard::Replay;

const LIFE: Duration = Duration::from_secs(360);
/// A later moment of a clock that does not start at 0.
const NOW: Duration = Duration::from_millis(86_400_250);
const SECOND: Duration = Duration::from_secs(1);
const KEY: [u8; 32] = [1; 32];
const OWNER: &[&[u8]] = &[b"https://as.example.com", b"user-1", b"client-1"];

fn use_at(store: &ProofStore, owner: &str, jti: &str, now: Duration) -> Replay {
    store.use_once(
        &[owner.as_bytes()],
        store.fingerprint(&KEY, jti.as_bytes()),
        LIFE,
        now,
    )
}

/// Uses this many new proofs of one owner. The number that were fresh.
fn flood(store: &ProofStore, owner: &str, proofs: usize, now: Duration) -> usize {
    let is_fresh =
        |number: &usize| use_at(store, owner, &format!("{owner} {number}"), now) == Replay::Fresh;
    (0..proofs).filter(is_fresh).count()
}

#[test]
fn a_proof_is_fresh_once_and_another_key_or_jti_makes_another_proof() {
    let store = ProofStore::new(100_000);
    let use_once = |owner, (key, jti): (&[u8; 32], &[u8])| {
        store.use_once(owner, store.fingerprint(key, jti), LIFE, NOW)
    };
    assert_eq!(use_once(OWNER, (&KEY, b"a")), Replay::Fresh);
    assert_eq!(use_once(OWNER, (&KEY, b"a")), Replay::Replayed);
    assert_eq!(
        use_once(&[b"another"], (&KEY, b"a")),
        Replay::Replayed,
        "the same proof with another token"
    );
    assert_eq!(use_once(OWNER, (&KEY, b"b")), Replay::Fresh);
    assert_eq!(use_once(OWNER, (&[2; 32], b"a")), Replay::Fresh);
    assert_eq!(use_once(OWNER, (&KEY, b"")), Replay::Fresh);
    assert_eq!((store.len(), store.capacity()), (4, 100_000));
}

#[test]
fn a_proof_is_held_for_its_life_and_its_place_is_free_afterwards() {
    let store = ProofStore::new(2);
    assert_eq!(use_at(&store, "owner", "a", NOW), Replay::Fresh);
    let last = NOW + LIFE + SECOND;
    for held in [NOW, NOW + LIFE, last] {
        assert_eq!(use_at(&store, "owner", "a", held), Replay::Replayed);
    }
    assert!(matches!(
        use_at(&store, "owner", "b", last),
        Replay::Full { .. }
    ));
    let over = last + SECOND;
    assert_eq!(use_at(&store, "owner", "b", over), Replay::Fresh);
    assert_eq!(store.len(), 1);
    assert_eq!(use_at(&store, "another", "a", over), Replay::Fresh);
}

#[test]
fn entries_expire_one_by_one_and_a_late_reading_of_the_clock_shortens_no_life() {
    let store = ProofStore::new(100);
    let at = |secs: u64| NOW + SECOND * u32::try_from(secs).expect("few");
    for secs in 0..10 {
        assert_eq!(
            use_at(&store, "owner", &secs.to_string(), at(secs)),
            Replay::Fresh
        );
    }
    // A thread that read the clock before the others is the last to enter.
    assert_eq!(use_at(&store, "owner", "late", at(0)), Replay::Fresh);
    let now = at(5) + LIFE + SECOND;
    let expected = [
        true, true, true, true, true, false, false, false, false, false,
    ];
    for (secs, is_over) in expected.into_iter().enumerate() {
        let replay = use_at(&store, "owner", &secs.to_string(), now);
        assert_eq!(replay == Replay::Fresh, is_over, "{secs}");
    }
    assert_eq!(use_at(&store, "owner", "late", now), Replay::Replayed);
}

#[test]
fn full_states_when_the_oldest_entry_expires_and_a_replay_is_recognized_all_the_same() {
    let store = ProofStore::new(4);
    assert_eq!(flood(&store, "owner", 10, NOW), 2);
    assert_eq!(
        use_at(&store, "owner", "new", NOW),
        Replay::Full {
            retry_after: LIFE + SECOND * 2
        }
    );
    assert_eq!(use_at(&store, "owner", "owner 0", NOW), Replay::Replayed);
    let Replay::Full { retry_after } = use_at(&store, "owner", "new", NOW + LIFE + SECOND) else {
        panic!("there is no place yet");
    };
    assert_eq!(retry_after, SECOND, "at least");
    let later = NOW + LIFE + SECOND + retry_after;
    assert_eq!(use_at(&store, "owner", "new", later), Replay::Fresh);
}

#[test]
fn a_store_without_places_refuses_every_proof() {
    let store = ProofStore::new(0);
    assert!(matches!(
        use_at(&store, "owner", "a", NOW),
        Replay::Full { retry_after } if retry_after >= SECOND
    ));
    assert_eq!(
        use_at(&ProofStore::new(1), "owner", "a", NOW),
        Replay::Fresh
    );
}

#[test]
fn an_owner_that_floods_the_store_leaves_places_for_the_others() {
    const CAPACITY: usize = 64 * 1024;
    let store = ProofStore::new(CAPACITY);
    let greedy = flood(&store, "greedy", 3 * CAPACITY, NOW);
    assert_eq!(greedy, CAPACITY / 2, "half of each shard");
    for number in 0..1000 {
        let owner = format!("owner {number}");
        assert_eq!(flood(&store, &owner, 10, NOW), 10, "{owner}");
    }
    let second = flood(&store, "also greedy", CAPACITY, NOW);
    let free = CAPACITY - store.len();
    assert!(
        second <= free + 64 && free <= second + 64,
        "{second} and {free}"
    );
    assert_eq!(flood(&store, "the last", 10, NOW), 10);
    assert!(store.len() <= CAPACITY);
}

#[test]
fn an_odd_capacity_is_the_sum_of_its_shards() {
    for capacity in [1, 511, 512, 16_383, 16_384, 100_003] {
        let store = ProofStore::new(capacity);
        let owners = |number: usize| use_at(&store, &number.to_string(), &number.to_string(), NOW);
        let fresh = (0..4 * capacity).filter(|number| owners(*number) == Replay::Fresh);
        // With an owner for each proof, every place is taken.
        assert_eq!(fresh.count(), capacity);
        assert_eq!(store.len(), capacity);
    }
}

#[test]
fn of_threads_that_use_one_proof_at_once_one_succeeds() {
    const THREADS: usize = 8;
    let store = ProofStore::new(100_000);
    let barrier = Barrier::new(THREADS);
    let fresh: usize = std::thread::scope(|scope| {
        let all = || {
            barrier.wait();
            let is_fresh =
                |number: &u32| use_at(&store, "owner", &number.to_string(), NOW) == Replay::Fresh;
            (0..1000).filter(is_fresh).count()
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(all)).collect();
        let counts = threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"));
        counts.sum()
    });
    assert_eq!((fresh, store.len()), (1000, 1000));
}

#[test]
fn a_clock_at_the_end_of_its_range_overflows_nothing() {
    let wraps = Duration::from_secs((1 << 32) - 100);
    for now in [Duration::ZERO, wraps, Duration::from_secs(u64::MAX - 1000)] {
        let store = ProofStore::new(100);
        for jti in ["a", "b"] {
            assert_eq!(use_at(&store, "owner", jti, now), Replay::Fresh);
            assert_eq!(use_at(&store, "owner", jti, now + LIFE), Replay::Replayed);
        }
        assert_eq!(use_at(&store, "owner", "a", now + LIFE * 2), Replay::Fresh);
    }
    let store = ProofStore::new(100);
    let forever = |now| store.use_once(OWNER, store.fingerprint(&KEY, b"a"), Duration::MAX, now);
    assert_eq!(forever(Duration::ZERO), Replay::Fresh);
    assert_eq!(forever(LIFE), Replay::Replayed);
}

/// The same decisions by a list that is searched, for one shard.
struct Model {
    capacity: usize,
    /// Owner, jti and expiry in seconds.
    entries: Vec<(u8, u8, u64)>,
}

impl Model {
    fn use_once(&mut self, owner: u8, jti: u8, now: Duration) -> Replay {
        self.entries.retain(|(.., expiry)| *expiry > now.as_secs());
        if self.entries.iter().any(|(_, held, _)| *held == jti) {
            return Replay::Replayed;
        }
        let held = self.entries.iter().filter(|(by, ..)| *by == owner).count();
        if held + self.entries.len() >= self.capacity {
            let left = self
                .entries
                .iter()
                .map(|(.., expiry)| expiry - now.as_secs());
            return Replay::Full {
                retry_after: SECOND * u32::try_from(left.min().expect("an entry")).expect("few"),
            };
        }
        let end = now + LIFE + SECOND;
        let expiry = end.as_secs() + u64::from(end.subsec_nanos() > 0);
        self.entries.push((owner, jti, expiry));
        Replay::Fresh
    }
}

proptest! {
    #[test]
    fn the_store_decides_like_a_list_that_is_searched(
        capacity in 1..20_usize,
        uses in prop::collection::vec((0..4_u8, 0..30_u8, 0..60_000_u64), 1..200),
    ) {
        let store = ProofStore::new(capacity);
        let mut model = Model { capacity, entries: Vec::new() };
        let mut now = NOW;
        for (owner, jti, millis) in uses {
            now += Duration::from_millis(millis);
            let replay = store.use_once(&[&[owner]], store.fingerprint(&KEY, &[jti]), LIFE, now);
            prop_assert_eq!(replay, model.use_once(owner, jti, now));
            prop_assert_eq!(store.len(), model.entries.len());
        }
    }

    #[test]
    fn in_many_shards_no_proof_is_fresh_twice_and_memory_that_is_given_back_loses_none(
        uses in prop::collection::vec((0..500_u16, 0..700_u64), 1..2000),
    ) {
        let store = ProofStore::new(100_000);
        let mut now = NOW;
        let mut last_use: HashMap<u16, Duration> = HashMap::new();
        for (jti, millis) in uses {
            now += Duration::from_millis(millis);
            let replay = store.use_once(OWNER, store.fingerprint(&KEY, &jti.to_be_bytes()), LIFE, now);
            match last_use.get(&jti) {
                Some(used) if now.saturating_sub(*used) <= LIFE + SECOND => {
                    prop_assert_eq!(replay, Replay::Replayed);
                }
                Some(used) if now.saturating_sub(*used) < LIFE + SECOND * 3 => {}
                _ => prop_assert_eq!(replay, Replay::Fresh),
            }
            if replay == Replay::Fresh {
                last_use.insert(jti, now);
            }
        }
    }
}

#[test]
fn a_store_that_empties_gives_its_memory_back_and_holds_what_is_left() {
    let store = ProofStore::new(500);
    let later = NOW + SECOND * 100;
    for number in 0..240 {
        assert_eq!(
            use_at(&store, "early", &number.to_string(), NOW),
            Replay::Fresh
        );
    }
    for number in 0..70 {
        let jti = format!("late {number}");
        assert_eq!(use_at(&store, "late", &jti, later), Replay::Fresh);
    }
    let now = later + LIFE;
    for number in 0..70 {
        let jti = format!("late {number}");
        assert_eq!(use_at(&store, "late", &jti, now), Replay::Replayed);
    }
    assert_eq!(store.len(), 70);
    assert_eq!(use_at(&store, "early", "0", now), Replay::Fresh);
}

#[test]
fn a_thread_that_panicked_leaves_the_store_usable() {
    let store = ProofStore::new(1);
    assert_eq!(use_at(&store, "owner", "a", NOW), Replay::Fresh);
    let poisoned = catch_unwind(AssertUnwindSafe(|| store.panic_under_the_lock()));
    assert!(poisoned.is_err());
    assert_eq!(use_at(&store, "owner", "a", NOW), Replay::Replayed);
}
