//! An open-addressing table of 64-bit entries with linear probing: a look-up reads one cache line in
//! most cases, where a table with separate tags reads two.
//!
//! 1. A removal shifts the entries behind it back (backward-shift deletion, Knuth's Algorithm 6.4R), so
//!    there are no tombstones, and the table is as fast after a million removals as before.
//! 2. The load factor is at most 3/4.
//! 3. Keys are keyed hashes: a client cannot choose their places.

use std::num::NonZeroU64;

/// The least number of slots, a power of two.
const LEAST_SLOTS: usize = 8;

/// The bits of an entry that choose its place: the high half.
const PLACE_BITS: u32 = 32;

/// A table with one entry for each key. The bits `KEY` of an entry are its key, the others its value.
/// It allocates with its first entry.
#[derive(Default)]
pub(super) struct ProbeTable<const KEY: u64> {
    /// A power of two, or none.
    slots: Box<[Option<NonZeroU64>]>,
    length: usize,
}

impl<const KEY: u64> ProbeTable<KEY> {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// The entry with the key of `entry`.
    #[inline]
    pub(super) fn find(&self, entry: NonZeroU64) -> Option<NonZeroU64> {
        self.get(self.probe(entry))
    }

    /// Writes `entry` in place of the entry with the same key, if there is one.
    #[inline]
    pub(super) fn insert(&mut self, entry: NonZeroU64) {
        let mut at = self.probe(entry);
        if self.get(at).is_none() {
            if self.length >= self.slots.len() / 4 * 3 {
                self.resize(self.slots.len() * 2);
                at = self.probe(entry);
            }
            self.length = self.length.saturating_add(1);
        }
        self.set(at, Some(entry));
    }

    /// Removes the entry with the key of `entry`, if there is one.
    #[inline]
    pub(super) fn remove(&mut self, entry: NonZeroU64) {
        let mut hole = self.probe(entry);
        if self.get(hole).is_none() {
            return;
        }
        self.length = self.length.saturating_sub(1);
        let mut at = self.next(hole);
        while let Some(moved) = self.get(at) {
            // An entry whose probe begins behind the hole stays: its probe does not pass the hole.
            if self.distance(self.home(moved), at) >= self.distance(hole, at) {
                self.set(hole, Some(moved));
                hole = at;
            }
            at = self.next(at);
        }
        self.set(hole, None);
    }

    /// Gives memory back, and keeps what `length` entries need.
    pub(super) fn shrink_to(&mut self, length: usize) {
        let slots = length.max(self.length).saturating_mul(4) / 3 + 1;
        if slots.next_power_of_two() < self.slots.len() {
            self.resize(slots);
        }
    }

    fn resize(&mut self, slots: usize) {
        let slots = slots.max(LEAST_SLOTS).next_power_of_two();
        let old = std::mem::replace(&mut self.slots, vec![None; slots].into_boxed_slice());
        for entry in old.into_iter().flatten() {
            self.set(self.probe(entry), Some(entry));
        }
    }

    /// The slot of the entry with this key, or the empty slot for it. There is an empty one, by the
    /// load factor.
    #[inline]
    fn probe(&self, entry: NonZeroU64) -> usize {
        let mut at = self.home(entry);
        while let Some(found) = self.get(at) {
            if (found.get() ^ entry.get()) & KEY == 0 {
                break;
            }
            at = self.next(at);
        }
        at
    }

    /// The slot at which the probe of an entry begins.
    #[inline]
    fn home(&self, entry: NonZeroU64) -> usize {
        let place = u32::try_from((entry.get() & KEY) >> PLACE_BITS).unwrap_or_default();
        place as usize & self.mask()
    }

    #[inline]
    fn next(&self, at: usize) -> usize {
        at.wrapping_add(1) & self.mask()
    }

    /// Slots from one to another, in the direction of a probe.
    #[inline]
    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & self.mask()
    }

    #[inline]
    fn mask(&self) -> usize {
        self.slots.len().saturating_sub(1)
    }

    #[inline]
    fn get(&self, at: usize) -> Option<NonZeroU64> {
        self.slots.get(at).copied().flatten()
    }

    #[inline]
    fn set(&mut self, at: usize, entry: Option<NonZeroU64>) {
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = entry;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// The value is the low byte.
    type Table = ProbeTable<{ !0xff }>;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Insert(u64, u8),
        Remove(u64),
        Shrink,
    }

    /// Keys that share few homes, those at the end of the table among them.
    fn key() -> impl Strategy<Value = u64> {
        (1..6_u64, prop::sample::select(vec![0_u64, 1, 5, 6, 7, 63]))
            .prop_map(|(low, home)| home << 32 | low << 8)
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            8 => (key(), 0..=u8::MAX).prop_map(|(key, value)| Step::Insert(key, value)),
            6 => key().prop_map(Step::Remove),
            1 => Just(Step::Shrink),
        ]
    }

    fn entry(number: u64) -> NonZeroU64 {
        NonZeroU64::new(number).expect("not 0")
    }

    proptest! {
        #[test]
        fn a_table_with_collisions_holds_what_a_map_of_std_holds(
            steps in prop::collection::vec(step(), 1..200),
        ) {
            let (mut table, mut model) = (Table::default(), HashMap::new());
            for step in steps {
                match step {
                    Step::Insert(key, value) => {
                        table.insert(entry(key | u64::from(value)));
                        model.insert(key, u64::from(value));
                    }
                    Step::Remove(key) => {
                        table.remove(entry(key));
                        model.remove(&key);
                    }
                    Step::Shrink => table.shrink_to(0),
                }
                prop_assert_eq!(table.len(), model.len());
                prop_assert!(table.length <= table.slots.len() / 4 * 3);
                let full = table.slots.iter().flatten().count();
                prop_assert_eq!(full, model.len());
                for (low, home) in (1..6_u64).flat_map(|low| (0..64).map(move |home| (low, home))) {
                    let key = home << 32 | low << 8;
                    let held = model.get(&key).map(|value| entry(key | value));
                    prop_assert_eq!(table.find(entry(key)), held);
                }
            }
        }
    }

    #[test]
    fn an_empty_table_has_no_memory_and_a_table_that_shrinks_gives_it_back() {
        let mut table = ProbeTable::<{ u64::MAX }>::default();
        let of = |number: u64| entry(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        assert!(table.slots.is_empty() && table.find(of(1)).is_none());
        table.remove(of(1));
        for number in 1..=1000 {
            table.insert(of(number));
        }
        assert_eq!(table.slots.len(), 2048);
        for number in 101..=1000 {
            table.remove(of(number));
        }
        table.shrink_to(200);
        assert_eq!(table.slots.len(), 512);
        assert!((1..=100).all(|number| table.find(of(number)) == Some(of(number))));
        assert!((101..=1000).all(|number| table.find(of(number)).is_none()));
    }
}
