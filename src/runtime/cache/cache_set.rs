//! The places of a set in a cache: what is known of an entry without a look at it.
//!
//! 1. A place has the tag of its entry, a part of its digest, so that most looks end here.
//! 2. It knows how often the entry was found, up to three times, when it ends, and how much memory
//!    it takes.
//! 3. Only who holds the shard's lock fills and empties places; finding counts without a lock.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// Beyond so many uses nothing is counted.
const MOST_USES: u64 = 3;

/// Bits of a state that count uses. Above them stands the end, in milliseconds and never 0.
const USE_BITS: u32 = 2;

const EMPTY: u64 = 0;

/// The places that one digest may take. Tags and states lie on one line of memory each.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(in crate::runtime) struct CacheSet {
    tags: [AtomicU64; Self::COUNT],
    states: [AtomicU64; Self::COUNT],
    bytes: [AtomicU32; Self::COUNT],
}

/// What stands in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::runtime) enum SlotState {
    Empty,
    /// Its time is over.
    Over,
    Used(u64),
}

impl CacheSet {
    /// More hold more of a full cache, and cost a longer look.
    pub(in crate::runtime) const COUNT: usize = 8;

    /// The places where an entry with this tag may stand.
    pub(in crate::runtime) fn tagged(&self, tag: u64) -> impl Iterator<Item = usize> {
        let tags = self.tags.iter().enumerate();
        tags.filter(move |(_, held)| held.load(Ordering::Acquire) == tag)
            .map(|(place, _)| place)
            .filter(|place| self.state(*place) != EMPTY)
    }

    /// Counts a use.
    pub(in crate::runtime) fn use_once(&self, place: usize) {
        let Some(state) = self.states.get(place) else {
            return;
        };
        let seen = state.load(Ordering::Relaxed);
        if seen != EMPTY && uses(seen) < MOST_USES {
            // Where another entry has come meanwhile, or another use, this one is not counted.
            let _ = state.compare_exchange(seen, seen + 1, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// The place for an entry with this tag. Where it stands already; one whose entry is over; an
    /// empty one; or the least used, of several the oldest. Where the cache is full, an entry that
    /// was never found goes rather than that somebody else must for an empty place.
    pub(in crate::runtime) fn choose(&self, tag: u64, now: Duration, is_full: bool) -> usize {
        let rank = |place: usize| {
            let state = self.state(place);
            let is_same = self.tag(place) == tag && state != EMPTY;
            let rank = match occupancy(state, now) {
                _ if is_same => 0,
                SlotState::Over => 1,
                SlotState::Empty if !is_full => 2,
                SlotState::Used(0) => 3,
                SlotState::Empty => 4,
                SlotState::Used(uses) => 4 + uses,
            };
            (rank, state >> USE_BITS)
        };
        (0..Self::COUNT)
            .min_by_key(|place| rank(*place))
            .unwrap_or_default()
    }

    pub(in crate::runtime) fn occupancy(&self, place: usize, now: Duration) -> SlotState {
        occupancy(self.state(place), now)
    }

    /// After its entry has come: what stands in the place, never found yet.
    pub(in crate::runtime) fn fill(&self, place: usize, tag: u64, end: Duration, bytes: u32) {
        let millis = u64::try_from(end.as_millis()).unwrap_or(u64::MAX);
        let end = millis.saturating_add(1).min(u64::MAX >> USE_BITS);
        if let (Some(held), Some(state), Some(size)) = (
            self.tags.get(place),
            self.states.get(place),
            self.bytes.get(place),
        ) {
            size.store(bytes, Ordering::Relaxed);
            held.store(tag, Ordering::Release);
            state.store(end << USE_BITS, Ordering::Release);
        }
    }

    /// What the entry in a place takes, where one stands.
    pub(in crate::runtime) fn bytes(&self, place: usize) -> Option<u32> {
        let bytes = self.bytes.get(place)?.load(Ordering::Relaxed);
        (self.state(place) != EMPTY).then_some(bytes)
    }

    /// Before its entry goes.
    pub(in crate::runtime) fn clear(&self, place: usize) {
        if let Some(state) = self.states.get(place) {
            state.store(EMPTY, Ordering::Release);
        }
    }

    /// Forgets one use of each entry.
    pub(in crate::runtime) fn age(&self) {
        for state in &self.states {
            let seen = state.load(Ordering::Relaxed);
            if seen != EMPTY && uses(seen) > 0 {
                let _ =
                    state.compare_exchange(seen, seen - 1, Ordering::Relaxed, Ordering::Relaxed);
            }
        }
    }

    fn tag(&self, place: usize) -> u64 {
        let tag = self.tags.get(place);
        tag.map_or(0, |tag| tag.load(Ordering::Relaxed))
    }

    fn state(&self, place: usize) -> u64 {
        let state = self.states.get(place);
        state.map_or(EMPTY, |state| state.load(Ordering::Acquire))
    }
}

const fn uses(state: u64) -> u64 {
    state & ((1 << USE_BITS) - 1)
}

fn occupancy(state: u64, now: Duration) -> SlotState {
    let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    match state {
        EMPTY => SlotState::Empty,
        // Counted from 1, so that this is "not before the end".
        _ if state >> USE_BITS <= now.saturating_add(1) => SlotState::Over,
        _ => SlotState::Used(uses(state)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1);
    const LATER: Duration = Duration::from_secs(2);

    fn filled(uses: [u64; CacheSet::COUNT]) -> CacheSet {
        let ways = CacheSet::default();
        for (place, uses) in uses.into_iter().enumerate() {
            ways.fill(place, place as u64, LATER, 1);
            (0..uses).for_each(|_| ways.use_once(place));
        }
        ways
    }

    #[test]
    fn uses_are_counted_to_three_and_forgotten_one_by_one() {
        let ways = filled([0, 1, 2, 3, 4, 100, 0, 0]);
        let counted = |ways: &CacheSet| -> Vec<SlotState> {
            (0..CacheSet::COUNT)
                .map(|place| ways.occupancy(place, NOW))
                .collect()
        };
        assert_eq!(
            counted(&ways),
            [0, 1, 2, 3, 3, 3, 0, 0].map(SlotState::Used)
        );
        ways.age();
        assert_eq!(
            counted(&ways),
            [0, 0, 1, 2, 2, 2, 0, 0].map(SlotState::Used)
        );
        ways.clear(3);
        ways.use_once(3);
        assert_eq!(ways.occupancy(3, NOW), SlotState::Empty);
        assert_eq!(ways.tagged(3).count(), 0);
        assert_eq!(ways.tagged(2).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn an_entry_ends_at_its_end_and_not_before() {
        let ways = filled([0; CacheSet::COUNT]);
        let just_before = Duration::from_millis(1999);
        assert_eq!(ways.occupancy(0, just_before), SlotState::Used(0));
        assert_eq!(ways.occupancy(0, LATER), SlotState::Over);
        ways.fill(0, 0, Duration::MAX, 1);
        assert_eq!(
            ways.occupancy(0, Duration::from_secs(1 << 40)),
            SlotState::Used(0)
        );
    }

    #[test]
    fn the_place_that_costs_least_is_chosen() {
        let ways = filled([3, 2, 1, 3, 2, 1, 2, 3]);
        assert_eq!(ways.choose(7, NOW, true), 7, "its own");
        assert_eq!(ways.choose(99, NOW, true), 2, "the least used");
        ways.fill(4, 4, LATER, 1);
        assert_eq!(ways.choose(99, NOW, false), 4, "never found");
        ways.fill(5, 5, Duration::from_millis(1995), 1);
        assert_eq!(ways.choose(99, NOW, false), 5, "of two the older");
        ways.clear(0);
        assert_eq!(ways.choose(99, NOW, false), 0, "empty");
        assert_eq!(
            ways.choose(99, NOW, true),
            5,
            "full, so that somebody has to go"
        );
        ways.fill(6, 6, NOW, 1);
        assert_eq!(ways.choose(99, NOW, false), 6, "over");
        assert_eq!(ways.choose(0, NOW, false), 6, "what is gone has no place");
    }
}
