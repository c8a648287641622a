//! The entries of the list by the hash of what they name: lock-free reads, one writer at a time.
//!
//! Several entries have one hash where a subject and a session have the same id, for example.

use crate::runtime::revocation::timed_entry::TimedEntry;
use crate::runtime::util::concurrent_map::ConcurrentMap;
use crate::runtime::util::sync::{AtomicBool, Ordering};

pub(super) struct EntryMap {
    map: ConcurrentMap<Bucket>,
    /// Whether an entry was ever inserted.
    is_used: AtomicBool,
}

/// The entries with one hash.
enum Bucket {
    One(TimedEntry),
    Several(Box<[TimedEntry]>),
}

impl Bucket {
    fn entries(&self) -> &[TimedEntry] {
        match self {
            Self::One(entry) => std::slice::from_ref(entry),
            Self::Several(entries) => entries,
        }
    }

    /// `None` where there are no entries.
    fn of(mut entries: Vec<TimedEntry>) -> Option<Self> {
        match entries.len() {
            0 => None,
            1 => entries.pop().map(Self::One),
            _ => Some(Self::Several(entries.into())),
        }
    }
}

impl EntryMap {
    pub(super) fn new() -> Self {
        Self {
            map: ConcurrentMap::new(),
            is_used: AtomicBool::new(false),
        }
    }

    /// Whether no entry was ever inserted.
    pub(super) fn is_unused(&self) -> bool {
        !self.is_used.load(Ordering::Acquire)
    }

    /// Whether one of the entries with these hashes is wanted.
    pub(super) fn any(
        &self,
        hashes: impl IntoIterator<Item = u64>,
        is_wanted: impl Fn(&TimedEntry) -> bool,
    ) -> bool {
        let look = |bucket: &Bucket| bucket.entries().iter().any(&is_wanted).then_some(());
        self.map.find(hashes, look).is_some()
    }

    /// The first entry with this hash that is wanted.
    pub(super) fn find(
        &self,
        hash: u64,
        is_wanted: impl Fn(&TimedEntry) -> bool,
    ) -> Option<TimedEntry> {
        let wanted = |bucket: &Bucket| {
            let mut entries = bucket.entries().iter();
            entries.find(|entry| is_wanted(entry)).cloned()
        };
        self.map.find([hash], wanted)
    }

    /// Reserves capacity for this many further entries.
    pub(super) fn reserve(&self, more: usize) {
        self.map.reserve(more);
    }

    /// Inserts an entry, in place of the one about the same.
    pub(super) fn insert(&self, hash: u64, entry: TimedEntry) {
        let is_other = |other: &&TimedEntry| !other.entry().is_about_the_same(entry.entry());
        let others = |bucket: &Bucket| {
            let entries = bucket.entries().iter();
            Some(entries.filter(is_other).cloned().collect::<Vec<_>>())
        };
        let mut entries = self.map.find([hash], others).unwrap_or_default();
        entries.push(entry);
        if let Some(bucket) = Bucket::of(entries) {
            self.is_used.store(true, Ordering::Release);
            self.map.insert(hash, bucket);
        }
    }

    /// Removes the entry with this hash that is meant; there is one at most.
    pub(super) fn remove(&self, hash: u64, is_meant: impl Fn(&TimedEntry) -> bool) {
        let others = |bucket: &Bucket| {
            let entries = bucket.entries().iter();
            Some(entries.filter(|entry| !is_meant(entry)).cloned().collect())
        };
        if let Some(rest) = self.map.find([hash], others) {
            self.set(hash, rest);
        }
    }

    /// Removes the entries that are not wanted. How many.
    pub(super) fn retain(&self, is_wanted: impl Fn(&TimedEntry) -> bool) -> usize {
        let (mut changed, mut removed) = (Vec::new(), 0);
        self.map.for_each(|hash, bucket| {
            let entries = bucket.entries();
            let rest: Vec<_> = entries
                .iter()
                .filter(|one| is_wanted(one))
                .cloned()
                .collect();
            if rest.len() < entries.len() {
                removed += entries.len() - rest.len();
                changed.push((hash, rest));
            }
        });
        for (hash, rest) in changed {
            self.set(hash, rest);
        }
        removed
    }

    pub(super) fn for_each(&self, mut visit: impl FnMut(&TimedEntry)) {
        self.map
            .for_each(|_, bucket| bucket.entries().iter().for_each(&mut visit));
    }

    fn set(&self, hash: u64, entries: Vec<TimedEntry>) {
        match Bucket::of(entries) {
            Some(bucket) => self.map.insert(hash, bucket),
            None => self.map.remove(hash),
        }
    }
}

#[cfg(not(portcullis_loom))]
#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::model::revocation::Revocation;
    use crate::model::time::UnixTime;
    use crate::runtime::revocation::entry::RevocationEntry;
    use crate::runtime::revocation::timed_entry::{ClockReading, MonotonicSpan};

    fn entry(name: u64, end: i64) -> TimedEntry {
        let revocation = Revocation::token("https://a.example", &name.to_string());
        let entry = RevocationEntry::new(revocation, UnixTime::from_secs(end));
        let now = ClockReading {
            wall: UnixTime::from_secs(0),
            monotonic: Duration::ZERO,
        };
        TimedEntry::new(entry, MonotonicSpan::lasting(Duration::ZERO), now)
    }

    fn is(name: u64) -> impl Fn(&TimedEntry) -> bool {
        move |one| one.entry().is_about_the_same(entry(name, 0).entry())
    }

    /// Few different hashes, so that entries share them.
    const fn hash(name: u64) -> u64 {
        name % 7
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn entry_map_holds_what_a_map_holds(
            steps in proptest::collection::vec((0..4_u8, 0..60_u64, 0..9_i64), 0..300),
        ) {
            let (map, mut model) = (EntryMap::new(), BTreeMap::new());
            for (step, name, end) in steps {
                match step {
                    0 | 1 => {
                        map.insert(hash(name), entry(name, end));
                        model.insert(name, end);
                    }
                    2 => {
                        map.remove(hash(name), is(name));
                        model.remove(&name);
                    }
                    _ => {
                        let before = model.len();
                        model.retain(|_, other| *other >= end / 2);
                        let end = UnixTime::from_secs(end / 2);
                        let removed = map.retain(|one| one.entry().ends_at() >= end);
                        prop_assert_eq!(removed, before - model.len());
                    }
                }
                let found = map.find(hash(name), is(name));
                let found = found.map(|one| one.entry().ends_at().as_secs());
                prop_assert_eq!(found, model.get(&name).copied());
                prop_assert_eq!(map.any([hash(name)], is(name)), model.contains_key(&name));
            }
            let mut count = 0;
            map.for_each(|_| count += 1);
            prop_assert_eq!(count, model.len());
        }
    }

    #[test]
    fn entry_map_is_unused_until_the_first_insertion() {
        let map = EntryMap::new();
        assert!(map.is_unused() && !map.any([1], |_| true));
        map.insert(1, entry(1, 1));
        map.remove(1, is(1));
        assert!(!map.is_unused() && !map.any([1], |_| true));
    }

    #[test]
    fn entry_map_shows_every_entry_while_others_come_and_the_table_grows() {
        let map = EntryMap::new();
        let last = std::sync::atomic::AtomicU64::new(0);
        let spread = |name: u64| name.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for name in 1..=10_000 {
                    map.insert(spread(name), entry(name, 1));
                    last.store(name, Ordering::Release);
                }
            });
            for _ in 0..2 {
                scope.spawn(|| {
                    loop {
                        let newest = last.load(Ordering::Acquire);
                        for name in [newest, newest / 2, 1] {
                            let is_there = map.any([spread(name)], |_| true);
                            assert!(name == 0 || newest == 0 || is_there, "{name}");
                        }
                        if newest == 10_000 {
                            return;
                        }
                    }
                });
            }
        });
    }
}
