//! A shard of the store: fingerprints of proofs in the order of their expiry, and a count for each
//! owner.
//!
//! Expiry has whole seconds, rounded up, modulo 2^32: 16 bytes hold a fingerprint, an owner and an
//! expiry. Two such times are compared by their difference, so the start of the clock does not matter.

use std::collections::VecDeque;
use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use super::probe_table::ProbeTable;

/// Whether a proof was used before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replay {
    /// The proof is used for the first time, and is recorded now.
    Fresh,
    /// The proof was used before.
    Replayed,
    /// The proof was not recorded, because its owner holds its share of the places. A place becomes
    /// free after `retry_after`, at least 1 s.
    Full { retry_after: Duration },
}

/// The wall clock of proofs has whole seconds, so a proof is valid for up to one second longer than
/// the difference of two of its readings.
const WALL_CLOCK_STEP: Duration = Duration::from_secs(1);

/// The longest life. Differences of times stay far below 2^31 s.
const LONGEST_LIFE: Duration = Duration::from_secs(1 << 30);

/// Below this length memory is not given back entry by entry.
const LEAST_SHRUNK: usize = 64;

/// The proofs whose fingerprints belong to this shard.
pub(super) struct Shard {
    capacity: usize,
    fingerprints: ProbeTable<{ u64::MAX }>,
    /// In the order of insertion, which is that of expiry.
    entries: VecDeque<Entry>,
    /// How many entries each owner holds.
    owners: Owners,
}

struct Entry {
    fingerprint: NonZeroU64,
    owner: u32,
    expiry: Seconds,
}

impl Shard {
    /// An empty shard. It allocates with its first entry.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            fingerprints: ProbeTable::default(),
            entries: VecDeque::new(),
            owners: Owners::default(),
        }
    }

    /// Whether a proof is fresh and its owner has a place, without recording it.
    pub(super) fn foresee(&mut self, fingerprint: NonZeroU64, owner: u32, now: Duration) -> Replay {
        let passed = Seconds::passed(now);
        self.drop_expired(passed);
        if self.fingerprints.find(fingerprint).is_some() {
            return Replay::Replayed;
        }
        let free = self.capacity.saturating_sub(self.entries.len());
        if self.owners.count(owner) as usize >= free {
            return Replay::Full {
                retry_after: self.retry_after(passed),
            };
        }
        Replay::Fresh
    }

    /// Records a proof, if it is fresh and its owner has a place.
    pub(super) fn use_once(
        &mut self,
        fingerprint: NonZeroU64,
        owner: u32,
        life: Duration,
        now: Duration,
    ) -> Replay {
        match self.foresee(fingerprint, owner, now) {
            Replay::Fresh => {}
            refused => return refused,
        }
        let held = self.owners.count(owner);
        self.owners.set_count(owner, held.saturating_add(1));
        let expiry = Seconds::expiry(now, life);
        // Readings of different threads arrive out of order by a little. The order of expiry holds.
        let expiry = match self.entries.back() {
            Some(last) if last.expiry.is_after(expiry) => last.expiry,
            _ => expiry,
        };
        self.make_room();
        self.fingerprints.insert(fingerprint);
        self.entries.push_back(Entry {
            fingerprint,
            owner,
            expiry,
        });
        Replay::Fresh
    }

    /// Entries, those included that have expired since the last use of the shard.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    fn drop_expired(&mut self, now: Seconds) {
        if self
            .entries
            .back()
            .is_some_and(|last| last.expiry.is_over(now))
        {
            // All have expired: one step, however many they are, and their memory is given back.
            *self = Self::new(self.capacity);
            return;
        }
        while let Some(first) = self.entries.front() {
            if !first.expiry.is_over(now) {
                return;
            }
            let owner = first.owner;
            self.fingerprints.remove(first.fingerprint);
            self.entries.pop_front();
            let held = self.owners.count(owner);
            self.owners.set_count(owner, held.saturating_sub(1));
            self.shrink();
        }
    }

    /// Reserves memory for one more entry: twice as much as before, and never more than the capacity
    /// needs.
    fn make_room(&mut self) {
        let length = self.entries.len();
        if length == self.entries.capacity() {
            let free = self.capacity.saturating_sub(length);
            self.entries.reserve_exact(length.max(4).min(free));
        }
    }

    /// Gives memory back when less than a quarter of it is used, and keeps twice what is used.
    fn shrink(&mut self) {
        let length = self.entries.len();
        if length >= LEAST_SHRUNK && length < self.entries.capacity() / 4 {
            self.entries.shrink_to(2 * length);
            self.fingerprints.shrink_to(2 * length);
            self.owners.0.shrink_to(2 * self.owners.0.len());
        }
    }

    /// The time until the oldest entry expires. Each expiry adds a free place, and may take one from
    /// the owner.
    fn retry_after(&self, now: Seconds) -> Duration {
        let oldest = self.entries.front();
        let left = oldest.map(|first| first.expiry.since(now));
        Duration::from_secs(u64::from(left.unwrap_or_default().max(1)))
    }
}

/// Counts of owners: the owner is the high half of an entry, and its count, at least 1, the low half.
#[derive(Default)]
struct Owners(ProbeTable<{ !(u32::MAX as u64) }>);

impl Owners {
    fn count(&self, owner: u32) -> u32 {
        let held = self.0.find(Self::entry(owner, NonZeroU32::MIN));
        let count = held.map_or(0, |held| held.get() & u64::from(u32::MAX));
        u32::try_from(count).unwrap_or_default()
    }

    fn set_count(&mut self, owner: u32, count: u32) {
        match NonZeroU32::new(count) {
            Some(count) => self.0.insert(Self::entry(owner, count)),
            None => self.0.remove(Self::entry(owner, NonZeroU32::MIN)),
        }
    }

    fn entry(owner: u32, count: NonZeroU32) -> NonZeroU64 {
        NonZeroU64::from(count) | u64::from(owner) << 32
    }
}

/// Whole seconds of the monotonic clock, modulo 2^32.
#[derive(Clone, Copy)]
struct Seconds(u32);

impl Seconds {
    /// The seconds that have passed, rounded down.
    fn passed(now: Duration) -> Self {
        Self::from_secs(now.as_secs())
    }

    /// The time at which a proof of this life is refused by its own `iat`, rounded up.
    fn expiry(now: Duration, life: Duration) -> Self {
        let life = life.min(LONGEST_LIFE).saturating_add(WALL_CLOCK_STEP);
        let end = now.saturating_add(life);
        Self::from_secs(
            end.as_secs()
                .saturating_add(u64::from(end.subsec_nanos() > 0)),
        )
    }

    fn from_secs(secs: u64) -> Self {
        Self(u32::try_from(secs & u64::from(u32::MAX)).unwrap_or_default())
    }

    /// Whether this time has come.
    fn is_over(self, now: Self) -> bool {
        now.since(self) <= u32::MAX / 2
    }

    fn is_after(self, other: Self) -> bool {
        !self.is_over(other)
    }

    /// Seconds from `earlier` to this time.
    fn since(self, earlier: Self) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }
}
