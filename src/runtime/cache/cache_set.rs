//! A set of the token cache: the slots that a digest may take, and which of them an insertion takes.
//!
//! 1. A slot has an entry and a mark: the tag, which is a part of the digest, the end of the entry, and
//!    its hits, up to three (the CLOCK counter). A mark is one word, so it is read and changed as a whole.
//! 2. Four slots take one cache line, and a set two lines in a row. A digest prefers one of the two, so
//!    most look-ups read one line.
//! 3. Only the holder of the shard lock fills and clears slots; hits are recorded without a lock.

use std::sync::Arc;
use std::time::Duration;

use crate::runtime::util::swap::{Guard, SwapCell};
use crate::runtime::util::sync::{AtomicU64, Ordering};

/// Hits are counted up to this.
const MOST_HITS: u64 = 3;

/// The lowest bits of a mark count hits. The bits above them, up to the tag, are the end, never 0.
const HIT_BITS: u32 = 2;

/// The bits of a mark below its tag.
const STATE_BITS: u32 = 32;

/// The latest end that a mark can state, in quarters of a second: 8.5 years.
const LATEST: u64 = (1 << (STATE_BITS - HIT_BITS)) - 1;

/// Slots of a cache line.
const LINE_SLOTS: usize = if cfg!(portcullis_loom) { 1 } else { 4 };

/// The slots that a digest may take.
#[repr(align(128))]
pub(super) struct CacheSet<E>([[Slot<E>; LINE_SLOTS]; 2]);

/// The place of one entry.
#[repr(C)]
pub(super) struct Slot<E> {
    entry: SwapCell<E>,
    mark: AtomicU64,
}

/// What a slot says about its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark(u64);

/// The state of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SlotState {
    Empty,
    /// Its entry has ended.
    Expired,
    /// The hits of its entry, up to three.
    Live(u64),
}

/// The place of a digest in its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SetKey {
    pub(super) tag: u32,
    /// Whether the digest prefers the second line.
    pub(super) is_second: bool,
}

/// The slot that an insertion takes.
pub(super) struct Victim<'a, E> {
    pub(super) slot: &'a Slot<E>,
    /// Whether it has the live entry of another tag.
    pub(super) is_live: bool,
}

impl<E> CacheSet<E> {
    /// Slots of a set. More use more of a full cache, and make a look-up longer.
    pub(super) const COUNT: usize = 2 * LINE_SLOTS;

    pub(super) fn empty() -> Self {
        let slot = || Slot {
            entry: SwapCell::empty(),
            mark: AtomicU64::new(0),
        };
        let line = || std::array::from_fn(|_| slot());
        Self([line(), line()])
    }

    /// The slot with this number.
    pub(super) fn slot(&self, number: usize) -> Option<&Slot<E>> {
        self.0.as_flattened().get(number)
    }

    /// The slots, those of the preferred line first.
    fn slots(&self, key: SetKey) -> impl Iterator<Item = &Slot<E>> {
        let [first, second] = &self.0;
        let (first, second) = if key.is_second {
            (second, first)
        } else {
            (first, second)
        };
        first.iter().chain(second)
    }

    /// The slots with this tag, and their marks.
    #[inline]
    pub(super) fn tagged(&self, key: SetKey) -> impl Iterator<Item = (&Slot<E>, Mark)> {
        let marked = self.slots(key).map(|slot| (slot, slot.mark()));
        marked.filter(move |(_, mark)| mark.is_of(key.tag))
    }

    /// The slot for an entry with this tag: its own; one whose entry has ended; an empty one; or the
    /// one with the fewest hits, and of several the oldest.
    pub(super) fn victim(&self, key: SetKey, now: Duration) -> Option<Victim<'_, E>> {
        let ranked = self.slots(key).map(|slot| {
            let mark = slot.mark();
            let (is_live, rank) = match mark.state(now) {
                _ if mark.is_of(key.tag) => (false, 0),
                SlotState::Expired => (false, 1),
                SlotState::Empty => (false, 2),
                SlotState::Live(hits) => (true, 3 + hits),
            };
            ((rank, mark.end()), Victim { slot, is_live })
        });
        let least = ranked.min_by_key(|(rank, _)| *rank);
        least.map(|(_, victim)| victim)
    }

    /// Takes one hit from each entry.
    pub(super) fn decay(&self) {
        self.0.iter().flatten().for_each(Slot::decay);
    }
}

impl<E> Slot<E> {
    #[inline]
    pub(super) fn mark(&self) -> Mark {
        Mark(self.mark.load(Ordering::Acquire))
    }

    pub(super) fn state(&self, now: Duration) -> SlotState {
        self.mark().state(now)
    }

    /// The entry, to be kept.
    #[inline]
    pub(super) fn load_full(&self) -> Option<Arc<E>> {
        self.entry.load_full()
    }

    /// The entry, for a short look.
    pub(super) fn load(&self) -> Guard<E> {
        self.entry.load()
    }

    /// Records a hit of the entry that had this mark.
    #[inline]
    pub(super) fn record_hit(&self, seen: Mark) {
        if seen.hits() < MOST_HITS {
            // Where another entry or another hit came meanwhile, this hit is lost.
            self.change(seen, seen.0 + 1);
        }
    }

    /// Takes one hit from the entry.
    pub(super) fn decay(&self) {
        let seen = self.mark();
        if seen.hits() > 0 {
            self.change(seen, seen.0 - 1);
        }
    }

    fn change(&self, seen: Mark, next: u64) {
        let _ = self
            .mark
            .compare_exchange(seen.0, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Fills the slot, with so many hits, and returns the entry before.
    pub(super) fn fill(&self, entry: Arc<E>, tag: u32, end: Duration, hits: u64) -> Option<Arc<E>> {
        // INVARIANT: the entry is stored before its mark.
        let before = self.entry.swap(Some(entry));
        let mark = Mark::new(tag, end, hits);
        self.mark.store(mark.0, Ordering::Release);
        before
    }

    /// Empties the slot, and returns its entry.
    pub(super) fn clear(&self) -> Option<Arc<E>> {
        // INVARIANT: the mark is cleared before the entry is removed.
        self.mark.store(0, Ordering::Release);
        self.entry.swap(None)
    }
}

impl Mark {
    fn new(tag: u32, end: Duration, hits: u64) -> Self {
        // Rounded up: no entry ends before its time.
        let end = quarters(end).saturating_add(1).min(LATEST);
        Self(u64::from(tag) << STATE_BITS | end << HIT_BITS | hits.min(MOST_HITS))
    }

    /// Whether the slot has an entry with this tag.
    #[inline]
    pub(super) fn is_of(self, tag: u32) -> bool {
        self.0 >> STATE_BITS == u64::from(tag) && self.end() > 0
    }

    const fn hits(self) -> u64 {
        self.0 & ((1 << HIT_BITS) - 1)
    }

    /// In quarters of a second, counted from 1; 0 in an empty slot.
    const fn end(self) -> u64 {
        (self.0 >> HIT_BITS) & LATEST
    }

    fn state(self, now: Duration) -> SlotState {
        match self.end() {
            0 => SlotState::Empty,
            LATEST => SlotState::Live(self.hits()),
            end if end <= quarters(now) => SlotState::Expired,
            _ => SlotState::Live(self.hits()),
        }
    }
}

/// A number below `count`, in proportion to the bits.
#[allow(clippy::cast_possible_truncation)] // it is below `count`
pub(super) const fn scaled(bits: u64, count: usize) -> usize {
    ((bits as u128 * count as u128) >> 64) as usize
}

fn quarters(time: Duration) -> u64 {
    let begun = u64::from(time.subsec_millis() / 250);
    time.as_secs().saturating_mul(4).saturating_add(begun)
}

#[cfg(not(portcullis_loom))]
#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1);
    const LATER: Duration = Duration::from_secs(2);

    type Set = CacheSet<u32>;

    const fn key(tag: u32) -> SetKey {
        SetKey {
            tag,
            is_second: false,
        }
    }

    fn fill(set: &Set, slot: usize, tag: u32, end: Duration) {
        let slot = set.slot(slot).expect("a slot");
        slot.fill(Arc::new(tag), tag, end, 0);
    }

    fn hit(set: &Set, slot: usize) {
        let slot = set.slot(slot).expect("a slot");
        slot.record_hit(slot.mark());
    }

    fn state(set: &Set, slot: usize, now: Duration) -> SlotState {
        set.slot(slot).expect("a slot").state(now)
    }

    /// The entry that makes room, `None` for an empty slot; and whether it is another live one.
    fn victim(set: &Set, tag: u32) -> (Option<u32>, bool) {
        let victim = set.victim(key(tag), NOW).expect("a slot");
        let entry = victim.slot.load_full();
        (entry.map(|entry| *entry), victim.is_live)
    }

    /// Entries with the tags 1 to 8.
    fn filled(hits: [u64; Set::COUNT]) -> Set {
        let set = Set::empty();
        for (slot, (hits, tag)) in hits.into_iter().zip(1..).enumerate() {
            fill(&set, slot, tag, LATER);
            (0..hits).for_each(|_| hit(&set, slot));
        }
        set
    }

    fn found(set: &Set, key: SetKey) -> Vec<u32> {
        let found = set.tagged(key).map(|(slot, _)| slot.load_full());
        found.map(|entry| *entry.expect("an entry")).collect()
    }

    #[test]
    fn cache_set_takes_two_cache_lines() {
        assert_eq!(size_of::<Set>(), 128);
    }

    #[test]
    fn hits_are_counted_to_three_and_decay_one_by_one() {
        let set = filled([0, 1, 2, 3, 4, 100, 0, 0]);
        let counts = |set: &Set| -> Vec<SlotState> {
            (0..Set::COUNT).map(|slot| state(set, slot, NOW)).collect()
        };
        assert_eq!(counts(&set), [0, 1, 2, 3, 3, 3, 0, 0].map(SlotState::Live));
        set.decay();
        assert_eq!(counts(&set), [0, 0, 1, 2, 2, 2, 0, 0].map(SlotState::Live));
    }

    #[test]
    fn a_hit_of_an_entry_that_has_gone_counts_for_no_other() {
        let set = filled([0; Set::COUNT]);
        let slot = set.slot(3).expect("a slot");
        let seen = slot.mark();
        assert_eq!(slot.clear().as_deref(), Some(&4));
        slot.record_hit(seen);
        assert_eq!(state(&set, 3, NOW), SlotState::Empty);
        assert!(found(&set, key(4)).is_empty());
        fill(&set, 3, 9, LATER);
        slot.record_hit(seen);
        assert_eq!(state(&set, 3, NOW), SlotState::Live(0));
        assert_eq!(found(&set, key(9)), [9]);
    }

    #[test]
    fn an_entry_is_found_whichever_line_its_digest_prefers() {
        let set = filled([0; Set::COUNT]);
        for tag in 1..=8 {
            for is_second in [false, true] {
                assert_eq!(found(&set, SetKey { tag, is_second }), [tag]);
            }
        }
        // A tag is no entry.
        assert!(found(&Set::empty(), key(0)).is_empty());
    }

    #[test]
    fn an_empty_slot_of_the_preferred_line_is_filled_first() {
        let set = Set::empty();
        let first = set.slot(0).expect("a slot");
        let fifth = set.slot(LINE_SLOTS).expect("a slot");
        for (is_second, slot) in [(false, first), (true, fifth)] {
            let victim = set.victim(SetKey { tag: 1, is_second }, NOW);
            assert!(victim.is_some_and(|victim| std::ptr::eq(victim.slot, slot)));
        }
    }

    #[test]
    fn an_entry_ends_at_its_end_and_not_before() {
        let set = filled([0; Set::COUNT]);
        let just_before = Duration::from_millis(1999);
        assert_eq!(state(&set, 0, just_before), SlotState::Live(0));
        assert_eq!(state(&set, 0, LATER), SlotState::Live(0), "rounded up");
        let quarter = Duration::from_millis(250);
        assert_eq!(state(&set, 0, LATER + quarter), SlotState::Expired);
        fill(&set, 0, 1, Duration::MAX);
        let far = Duration::from_secs(1 << 40);
        assert_eq!(state(&set, 0, far), SlotState::Live(0));
    }

    #[test]
    fn the_slot_that_costs_least_is_replaced() {
        let set = filled([3, 2, 1, 3, 2, 1, 2, 3]);
        assert_eq!(victim(&set, 8), (Some(8), false), "its own");
        assert_eq!(victim(&set, 99), (Some(3), true), "the fewest hits");
        fill(&set, 4, 5, LATER);
        assert_eq!(victim(&set, 99), (Some(5), true), "never hit");
        fill(&set, 5, 6, Duration::from_millis(1500));
        assert_eq!(victim(&set, 99), (Some(6), true), "of two the older");
        set.slot(0).expect("a slot").clear();
        assert_eq!(victim(&set, 99), (None, false), "empty");
        fill(&set, 6, 7, Duration::from_millis(700));
        assert_eq!(victim(&set, 99), (Some(7), false), "ended");
        assert_eq!(
            victim(&set, 1),
            (Some(7), false),
            "a cleared entry has no slot"
        );
    }
}
