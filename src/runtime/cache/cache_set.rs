//! A set of the token cache: slot metadata, and which slot an insertion takes.
//!
//! 1. A slot has the tag of its entry, a part of the digest, so that most look-ups end here.
//! 2. It has the number of hits, up to three (the CLOCK counter), the end and the size of its entry.
//! 3. Only the holder of the shard lock fills and clears slots; hits are recorded without a lock.

use std::time::Duration;

use crate::runtime::util::sync::{AtomicU32, AtomicU64, Ordering};

/// Hits are counted up to this.
const MOST_HITS: u64 = 3;

/// The bits of a state that count hits. The bits above them are the end, in milliseconds, never 0.
const HIT_BITS: u32 = 2;

const EMPTY: u64 = 0;

/// The slots that a digest may take. Tags and states take one cache line each.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct CacheSet {
    tags: [AtomicU64; Self::COUNT],
    states: [AtomicU64; Self::COUNT],
    bytes: [AtomicU32; Self::COUNT],
}

/// The state of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SlotState {
    Empty,
    /// Its entry has ended.
    Expired,
    /// The hits of its entry, up to three.
    Live(u64),
}

impl CacheSet {
    /// Slots of a set. More use more of a full cache, and make a look-up longer.
    pub(super) const COUNT: usize = if cfg!(portcullis_loom) { 2 } else { 8 };

    /// The slots with this tag.
    pub(super) fn tagged(&self, tag: u64) -> impl Iterator<Item = usize> {
        let tags = self.tags.iter().enumerate();
        tags.filter(move |(_, held)| held.load(Ordering::Acquire) == tag)
            .map(|(slot, _)| slot)
            .filter(|slot| self.state(*slot) != EMPTY)
    }

    /// Records a hit.
    pub(super) fn record_hit(&self, slot: usize) {
        let Some(state) = self.states.get(slot) else {
            return;
        };
        let seen = state.load(Ordering::Relaxed);
        if seen != EMPTY && hits(seen) < MOST_HITS {
            // Where another entry or another hit came meanwhile, this hit is lost.
            let _ = state.compare_exchange(seen, seen + 1, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// The slot for an entry with this tag: its own; one whose entry has ended; an empty one; or the
    /// one with the fewest hits, and of several the oldest. Over capacity, a never-hit entry of this
    /// set is replaced before an empty slot is filled and an entry evicted elsewhere.
    pub(super) fn victim(&self, tag: u64, now: Duration, is_full: bool) -> usize {
        let rank = |slot: usize| {
            let state = self.state(slot);
            let is_same = self.tag(slot) == tag && state != EMPTY;
            let rank = match slot_state(state, now) {
                _ if is_same => 0,
                SlotState::Expired => 1,
                SlotState::Empty if !is_full => 2,
                SlotState::Live(0) => 3,
                SlotState::Empty => 4,
                SlotState::Live(hits) => 4 + hits,
            };
            (rank, state >> HIT_BITS)
        };
        (0..Self::COUNT)
            .min_by_key(|slot| rank(*slot))
            .unwrap_or_default()
    }

    pub(super) fn slot_state(&self, slot: usize, now: Duration) -> SlotState {
        slot_state(self.state(slot), now)
    }

    /// Fills a slot, without hits. INVARIANT: after its entry was stored.
    pub(super) fn fill(&self, slot: usize, tag: u64, end: Duration, bytes: u32) {
        let millis = u64::try_from(end.as_millis()).unwrap_or(u64::MAX);
        let end = millis.saturating_add(1).min(u64::MAX >> HIT_BITS);
        if let (Some(held), Some(state), Some(size)) = (
            self.tags.get(slot),
            self.states.get(slot),
            self.bytes.get(slot),
        ) {
            size.store(bytes, Ordering::Relaxed);
            held.store(tag, Ordering::Release);
            state.store(end << HIT_BITS, Ordering::Release);
        }
    }

    /// The bytes of the entry in a slot; `None` where it is empty.
    pub(super) fn bytes(&self, slot: usize) -> Option<u32> {
        let bytes = self.bytes.get(slot)?.load(Ordering::Relaxed);
        (self.state(slot) != EMPTY).then_some(bytes)
    }

    /// Empties a slot. INVARIANT: before its entry is removed.
    pub(super) fn clear(&self, slot: usize) {
        if let Some(state) = self.states.get(slot) {
            state.store(EMPTY, Ordering::Release);
        }
    }

    /// Takes one hit from each entry.
    pub(super) fn decay(&self) {
        for state in &self.states {
            let seen = state.load(Ordering::Relaxed);
            if seen != EMPTY && hits(seen) > 0 {
                let _ =
                    state.compare_exchange(seen, seen - 1, Ordering::Relaxed, Ordering::Relaxed);
            }
        }
    }

    fn tag(&self, slot: usize) -> u64 {
        let tag = self.tags.get(slot);
        tag.map_or(0, |tag| tag.load(Ordering::Relaxed))
    }

    fn state(&self, slot: usize) -> u64 {
        let state = self.states.get(slot);
        state.map_or(EMPTY, |state| state.load(Ordering::Acquire))
    }
}

const fn hits(state: u64) -> u64 {
    state & ((1 << HIT_BITS) - 1)
}

fn slot_state(state: u64, now: Duration) -> SlotState {
    let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    match state {
        EMPTY => SlotState::Empty,
        // Counted from 1, so that this is "not before the end".
        _ if state >> HIT_BITS <= now.saturating_add(1) => SlotState::Expired,
        _ => SlotState::Live(hits(state)),
    }
}

#[cfg(not(portcullis_loom))]
#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1);
    const LATER: Duration = Duration::from_secs(2);

    fn filled(hits: [u64; CacheSet::COUNT]) -> CacheSet {
        let set = CacheSet::default();
        for (slot, hits) in hits.into_iter().enumerate() {
            set.fill(slot, slot as u64, LATER, 1);
            (0..hits).for_each(|_| set.record_hit(slot));
        }
        set
    }

    #[test]
    fn hits_are_counted_to_three_and_decay_one_by_one() {
        let set = filled([0, 1, 2, 3, 4, 100, 0, 0]);
        let counts = |set: &CacheSet| -> Vec<SlotState> {
            (0..CacheSet::COUNT)
                .map(|slot| set.slot_state(slot, NOW))
                .collect()
        };
        assert_eq!(counts(&set), [0, 1, 2, 3, 3, 3, 0, 0].map(SlotState::Live));
        set.decay();
        assert_eq!(counts(&set), [0, 0, 1, 2, 2, 2, 0, 0].map(SlotState::Live));
        set.clear(3);
        set.record_hit(3);
        assert_eq!(set.slot_state(3, NOW), SlotState::Empty);
        assert_eq!(set.tagged(3).count(), 0);
        assert_eq!(set.tagged(2).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn an_entry_ends_at_its_end_and_not_before() {
        let set = filled([0; CacheSet::COUNT]);
        let just_before = Duration::from_millis(1999);
        assert_eq!(set.slot_state(0, just_before), SlotState::Live(0));
        assert_eq!(set.slot_state(0, LATER), SlotState::Expired);
        set.fill(0, 0, Duration::MAX, 1);
        assert_eq!(
            set.slot_state(0, Duration::from_secs(1 << 40)),
            SlotState::Live(0)
        );
    }

    #[test]
    fn the_slot_that_costs_least_is_replaced() {
        let set = filled([3, 2, 1, 3, 2, 1, 2, 3]);
        assert_eq!(set.victim(7, NOW, true), 7, "its own");
        assert_eq!(set.victim(99, NOW, true), 2, "the fewest hits");
        set.fill(4, 4, LATER, 1);
        assert_eq!(set.victim(99, NOW, false), 4, "never hit");
        set.fill(5, 5, Duration::from_millis(1995), 1);
        assert_eq!(set.victim(99, NOW, false), 5, "of two the older");
        set.clear(0);
        assert_eq!(set.victim(99, NOW, false), 0, "empty");
        assert_eq!(
            set.victim(99, NOW, true),
            5,
            "full, so that an entry is evicted"
        );
        set.fill(6, 6, NOW, 1);
        assert_eq!(set.victim(99, NOW, false), 6, "ended");
        assert_eq!(set.victim(0, NOW, false), 6, "a cleared entry has no slot");
    }
}
