//! A hash table that many read without a lock while one at a time writes.
//!
//! 1. A reader takes the table as it stands and looks at places; it waits for nobody.
//! 2. A place is taken once: its value may go or be replaced, its mark stays. So a look that
//!    passes over places never misses what lies behind them.
//! 3. When too many places are taken, a new table is made of what is still there.
//! 4. What is added is seen by every look that begins after `insert` has returned.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::runtime::util::swap::{Guard, SwapCell};

/// Places of the first table.
const FEWEST: usize = 64;

/// Values by a hash, which need not be unique.
pub(crate) struct ReadMostlyTable<T>(SwapCell<Slots<T>>);

struct Slots<T> {
    /// A part of the hash, so that most looks end here; 0 is a place that was never taken. Of a
    /// byte each, so that those of a million values fit into a processor's cache. As many as
    /// values, a power of two.
    marks: Box<[AtomicU8]>,
    values: Box<[SwapCell<T>]>,
}

/// The table as a reader found it.
pub(crate) struct Reader<T>(Guard<Slots<T>>);

/// What the one who writes remembers.
#[derive(Debug, Default)]
pub(crate) struct WriterStats {
    /// Places that were ever taken.
    taken: usize,
    /// Values that are there.
    live: usize,
}

impl WriterStats {
    pub(crate) const fn live(&self) -> usize {
        self.live
    }
}

impl<T> ReadMostlyTable<T> {
    pub(crate) const fn new() -> Self {
        Self(SwapCell::empty())
    }

    pub(crate) fn read(&self) -> Reader<T> {
        Reader(self.0.load())
    }

    /// Adds a value. One at a time: `fill` is behind the writer's lock.
    pub(crate) fn insert(
        &self,
        hash: u64,
        value: Arc<T>,
        fill: &mut WriterStats,
        hash_of: impl Fn(&T) -> u64,
    ) {
        self.reserve(1, fill, hash_of);
        if let Some(places) = &*self.0.load() {
            places.insert(hash, value);
            fill.taken += 1;
            fill.live += 1;
        }
    }

    /// Makes room for so many more at once.
    pub(crate) fn reserve(&self, more: usize, fill: &mut WriterStats, hash_of: impl Fn(&T) -> u64) {
        let held = self.0.load();
        let room = held.as_ref().map_or(0, |places| places.marks.len());
        // At most three in four are taken: beyond that looks grow long.
        if (fill.taken + more) * 4 <= room * 3 {
            return;
        }
        let next = Slots::new((fill.live + more) * 2);
        fill.taken = 0;
        for value in held.iter().flat_map(|places| places.values()) {
            next.insert(hash_of(&value), value);
            fill.taken += 1;
        }
        fill.live = fill.taken;
        self.0.store(Some(Arc::new(next)));
    }

    /// Puts another value into the place of one.
    pub(crate) fn replace(&self, hash: u64, value: Arc<T>, is_it: impl Fn(&T) -> bool) {
        self.put(hash, Some(value), is_it);
    }

    /// Takes a value out. Whether it was there.
    pub(crate) fn remove(
        &self,
        hash: u64,
        fill: &mut WriterStats,
        is_it: impl Fn(&T) -> bool,
    ) -> bool {
        let was_there = self.put(hash, None, is_it);
        fill.live -= usize::from(was_there);
        was_there
    }

    /// Takes out every value that is no longer wanted.
    pub(crate) fn retain(&self, fill: &mut WriterStats, is_wanted: impl Fn(&T) -> bool) {
        let held = self.0.load();
        for value in held.iter().flat_map(|places| places.values.iter()) {
            if value.load().as_ref().is_some_and(|one| !is_wanted(one)) {
                value.store(None);
                fill.live -= 1;
            }
        }
    }

    /// Every value.
    pub(crate) fn values(&self) -> Vec<Arc<T>> {
        let held = self.0.load();
        held.iter().flat_map(|places| places.values()).collect()
    }

    fn put(&self, hash: u64, value: Option<Arc<T>>, is_it: impl Fn(&T) -> bool) -> bool {
        let held = self.0.load();
        let Some(places) = held.as_ref() else {
            return false;
        };
        let found = places.find(hash, is_it);
        match found.and_then(|(index, _)| places.values.get(index)) {
            Some(place) => {
                place.store(value);
                true
            }
            None => false,
        }
    }
}

impl<T> Reader<T> {
    /// Whether the table was never written to.
    pub(crate) fn is_new(&self) -> bool {
        self.0.is_none()
    }

    /// The first value under this hash that is the one.
    pub(crate) fn find(&self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<Arc<T>> {
        let (_, value) = self.0.as_ref()?.find(hash, is_it)?;
        Some(value)
    }
}

impl<T> Slots<T> {
    fn new(least: usize) -> Self {
        let count = least.max(FEWEST).next_power_of_two();
        Self {
            marks: (0..count).map(|_| AtomicU8::new(0)).collect(),
            values: (0..count).map(|_| SwapCell::empty()).collect(),
        }
    }

    fn find(&self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<(usize, Arc<T>)> {
        let (first, mark) = self.first(hash);
        for index in self.from(first) {
            match self.marks.get(index)?.load(Ordering::Acquire) {
                0 => return None,
                other if other != mark => {}
                _ => {
                    let held = self.values.get(index)?.load();
                    if let Some(value) = held.as_ref().filter(|value| is_it(value)) {
                        return Some((index, Arc::clone(value)));
                    }
                }
            }
        }
        None
    }

    /// INVARIANT: there is a free place, since `reserve` came first.
    fn insert(&self, hash: u64, value: Arc<T>) {
        let (first, mark) = self.first(hash);
        for index in self.from(first) {
            let (Some(place), Some(stored)) = (self.marks.get(index), self.values.get(index))
            else {
                return;
            };
            if place.load(Ordering::Relaxed) == 0 {
                // The mark comes last: who sees it finds the value.
                stored.store(Some(value));
                place.store(mark, Ordering::Release);
                return;
            }
        }
    }

    fn values(&self) -> impl Iterator<Item = Arc<T>> {
        self.values.iter().filter_map(|value| {
            let held = value.load();
            held.as_ref().map(Arc::clone)
        })
    }

    /// Where looks for a hash begin, and its mark; of different bits.
    #[allow(clippy::cast_possible_truncation)] // a part of either half is wanted
    fn first(&self, hash: u64) -> (usize, u8) {
        let first = (hash >> 32) as usize & (self.marks.len() - 1);
        (first, (hash as u8).max(1))
    }

    /// Every place, in the order in which a look goes.
    fn from(&self, first: usize) -> impl Iterator<Item = usize> {
        let count = self.marks.len();
        (first..count).chain(0..first)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Mutex;

    use proptest::prelude::*;

    use super::*;

    /// Few different hashes, so that they meet.
    #[allow(clippy::trivially_copy_pass_by_ref)] // as tables ask
    const fn hash_of(value: &u64) -> u64 {
        ((*value % 7) << 32) | (*value % 3)
    }

    fn finds(table: &ReadMostlyTable<u64>, value: u64) -> bool {
        let found = table.read().find(hash_of(&value), |one| *one == value);
        found.is_some()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_holds_what_a_set_holds(
            steps in proptest::collection::vec((0..4_u8, 0..400_u64), 0..600),
        ) {
            let (table, mut fill) = (ReadMostlyTable::new(), WriterStats::default());
            let mut set = HashSet::new();
            for (step, value) in steps {
                let is_it = |one: &u64| *one == value;
                match step {
                    0 | 1 if !set.contains(&value) => {
                        table.insert(hash_of(&value), Arc::new(value), &mut fill, hash_of);
                        set.insert(value);
                    }
                    2 => {
                        let removed = table.remove(hash_of(&value), &mut fill, is_it);
                        prop_assert_eq!(removed, set.remove(&value));
                    }
                    3 if value < 8 => {
                        table.retain(&mut fill, |one| one % 5 != value % 5);
                        set.retain(|one| one % 5 != value % 5);
                    }
                    _ => table.replace(hash_of(&value), Arc::new(value), is_it),
                }
                prop_assert_eq!(finds(&table, value), set.contains(&value));
                prop_assert_eq!(fill.live(), set.len());
            }
            for value in 0..400 {
                prop_assert_eq!(finds(&table, value), set.contains(&value));
            }
            prop_assert_eq!(table.values().len(), set.len());
        }
    }

    #[test]
    fn what_is_in_is_found_while_others_come_and_the_table_grows() {
        let table: ReadMostlyTable<u64> = ReadMostlyTable::new();
        let writer = Mutex::new(WriterStats::default());
        let last = std::sync::atomic::AtomicU64::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for value in 1..=20_000_u64 {
                    let mut fill = writer.lock().expect("one writer");
                    let spread = |one: &u64| one.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                    table.insert(spread(&value), Arc::new(value), &mut fill, spread);
                    last.store(value, Ordering::Release);
                }
            });
            for _ in 0..2 {
                scope.spawn(|| {
                    loop {
                        let newest = last.load(Ordering::Acquire);
                        for value in [newest, newest / 2, 1] {
                            let hash = value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                            let found = table.read().find(hash, |one| *one == value);
                            assert!(value == 0 || newest == 0 || found.is_some(), "{value}");
                        }
                        if newest == 20_000 {
                            return;
                        }
                    }
                });
            }
        });
    }
}
