//! Tokens that were verified before.
//!
//! 1. Only what passed every check comes in, and a look-up skips no check that time, revocation or
//!    the application decide: those are made on what it finds, on every request.
//! 2. An entry is found by a digest of every byte of the token under a secret of this process; the
//!    token itself is not kept.
//! 3. An entry stands on a key. When the key's mark has ended, or its set is too old, or the entry
//!    has lived its life, it is not found.
//! 4. A look-up takes no lock and waits for nobody. Coming in takes one lock of many, or is left
//!    out where another one holds it.
//! 5. Entries and bytes are bounded. Who comes in and is not used goes out first, so that a flood
//!    of tokens that are seen once does not drive out those that are seen again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::counter::Counter;
use super::latest::Latest;
#[cfg(feature = "jwks")]
use super::marks::Mark;
use crate::verify::crypto::Digester;

/// Places that one digest may take. More hold more of a full cache, and cost a longer look.
const WAYS: usize = 8;

/// Twice as many places as entries: otherwise every eighth entry would find its places taken.
const ROOM: usize = 2;

/// Locks for coming in.
const SHARDS: usize = 16;

/// Beyond so many uses nothing is counted.
const MOST_USES: u8 = 3;

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) entries: usize,
    pub(crate) bytes: usize,
    pub(crate) life: Duration,
}

/// What a verified token stands on.
#[derive(Clone, Debug)]
pub(crate) struct Basis {
    #[cfg(feature = "jwks")]
    mark: Option<Mark>,
    /// By the monotonic clock.
    good_until: Duration,
}

impl Basis {
    /// Keys that stay for good.
    pub(crate) const fn lasting() -> Self {
        Self {
            #[cfg(feature = "jwks")]
            mark: None,
            good_until: Duration::MAX,
        }
    }

    /// Keys that are good until then, unless the mark ends.
    #[cfg(feature = "jwks")]
    pub(crate) const fn until(good_until: Duration, mark: Option<Mark>) -> Self {
        Self { mark, good_until }
    }

    #[cfg(feature = "jwks")]
    fn holds(&self, now: Duration) -> bool {
        now <= self.good_until && self.mark.as_ref().is_none_or(Mark::holds)
    }

    #[cfg(not(feature = "jwks"))]
    fn holds(&self, now: Duration) -> bool {
        now <= self.good_until
    }
}

/// A digest that only this cache understands.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Digest(u128);

/// The cache.
pub(crate) struct Verified<T> {
    digester: Digester,
    life: Duration,
    shards: Vec<Shard<T>>,
    hits: Counter,
    misses: Counter,
    evictions: AtomicU64,
}

/// A part of the cache with a bound of its own.
struct Shard<T> {
    slots: Vec<Slot<T>>,
    most_entries: usize,
    most_bytes: usize,
    entries: AtomicUsize,
    bytes: AtomicUsize,
    /// Held by who comes in; it is where the search for the next to go begins.
    hand: Mutex<usize>,
}

struct Slot<T> {
    /// A part of the digest, so that most looks end here. 0 is never the tag of an entry.
    tag: AtomicU64,
    uses: AtomicU8,
    entry: Latest<Entry<T>>,
}

struct Entry<T> {
    digest: u128,
    value: Arc<T>,
    basis: Basis,
    /// By the monotonic clock.
    end: Duration,
    bytes: usize,
}

impl<T> Entry<T> {
    fn holds(&self, now: Duration) -> bool {
        now < self.end && self.basis.holds(now)
    }
}

/// What a cache holds, and how it fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) entries: usize,
    pub(crate) bytes: usize,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    pub(crate) evictions: u64,
}

impl<T> Verified<T> {
    /// A cache within these limits. `None` when the system gives no randomness.
    pub(crate) fn new(limits: Limits) -> Option<Self> {
        let most_entries = limits.entries.div_ceil(SHARDS);
        let sets = (most_entries * ROOM).div_ceil(WAYS).max(1);
        let slot = || Slot {
            tag: AtomicU64::new(0),
            uses: AtomicU8::new(0),
            entry: Latest::empty(),
        };
        let shard = || Shard {
            slots: (0..sets * WAYS).map(|_| slot()).collect(),
            most_entries,
            most_bytes: limits.bytes / SHARDS,
            entries: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            hand: Mutex::new(0),
        };
        Some(Self {
            digester: Digester::new()?,
            life: limits.life,
            shards: (0..SHARDS).map(|_| shard()).collect(),
            hits: Counter::default(),
            misses: Counter::default(),
            evictions: AtomicU64::new(0),
        })
    }

    /// The digest of a token.
    pub(crate) fn digest(&self, token: &[u8]) -> Option<Digest> {
        self.digester.digest(token).map(Digest)
    }

    /// What was made of this token, if that still stands.
    pub(crate) fn find(&self, digest: Digest, now: Duration) -> Option<Arc<T>> {
        let found = self.shard(digest).and_then(|shard| shard.find(digest, now));
        if found.is_some() {
            self.hits.count();
        } else {
            self.misses.count();
        }
        found
    }

    /// Keeps what was made of a token.
    pub(crate) fn keep(
        &self,
        digest: Digest,
        value: &Arc<T>,
        basis: Basis,
        bytes: usize,
        now: Duration,
    ) {
        let Some(shard) = self.shard(digest) else {
            return;
        };
        let entry = Entry {
            digest: digest.0,
            value: Arc::clone(value),
            basis,
            end: now.saturating_add(self.life),
            bytes,
        };
        let evicted = shard.keep(entry, now);
        if evicted > 0 {
            self.evictions.fetch_add(evicted, Ordering::Relaxed);
        }
    }

    pub(crate) fn tally(&self) -> Tally {
        let sum = |of: fn(&Shard<T>) -> usize| self.shards.iter().map(of).sum();
        Tally {
            entries: sum(|shard| shard.entries.load(Ordering::Relaxed)),
            bytes: sum(|shard| shard.bytes.load(Ordering::Relaxed)),
            hits: self.hits.sum(),
            misses: self.misses.sum(),
            evictions: self.evictions.load(Ordering::Relaxed),
        }
    }

    fn shard(&self, digest: Digest) -> Option<&Shard<T>> {
        #[allow(clippy::cast_possible_truncation)] // a few bits are wanted
        let index = (digest.0 >> 120) as usize % SHARDS;
        self.shards.get(index)
    }
}

impl<T> Shard<T> {
    /// The places of a digest, and its tag.
    fn places(&self, digest: u128) -> (&[Slot<T>], u64) {
        let sets = (self.slots.len() / WAYS).max(1);
        #[allow(clippy::cast_possible_truncation)] // other bits than the tag's
        let first = (digest >> 64) as usize % sets * WAYS;
        #[allow(clippy::cast_possible_truncation)]
        let tag = (digest as u64).max(1);
        (self.slots.get(first..first + WAYS).unwrap_or_default(), tag)
    }

    fn find(&self, digest: Digest, now: Duration) -> Option<Arc<T>> {
        let (places, tag) = self.places(digest.0);
        for slot in places {
            if slot.tag.load(Ordering::Acquire) != tag {
                continue;
            }
            let held = slot.entry.load();
            let Some(entry) = held.as_ref().filter(|entry| entry.digest == digest.0) else {
                continue;
            };
            if !entry.holds(now) {
                return None;
            }
            let uses = slot.uses.load(Ordering::Relaxed);
            if uses < MOST_USES {
                slot.uses.store(uses + 1, Ordering::Relaxed);
            }
            return Some(Arc::clone(&entry.value));
        }
        None
    }

    /// How many had to go for it.
    fn keep(&self, entry: Entry<T>, now: Duration) -> u64 {
        // Whoever finds the door held comes in another time.
        let Ok(mut hand) = self.hand.try_lock() else {
            return 0;
        };
        if entry.bytes > self.most_bytes || self.most_entries == 0 {
            return 0;
        }
        let (places, tag) = self.places(entry.digest);
        let Some(slot) = choose(places, entry.digest, now) else {
            return 0;
        };
        let mut evicted = 0;
        if slot.entry.load().as_ref().is_some() {
            evicted += u64::from(self.clear(slot, now));
        }
        while self.entries.load(Ordering::Relaxed) >= self.most_entries
            || self.bytes.load(Ordering::Relaxed) + entry.bytes > self.most_bytes
        {
            match self.evict(&mut hand, now) {
                Some(was_good) => evicted += u64::from(was_good),
                None => return evicted,
            }
        }
        self.entries.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(entry.bytes, Ordering::Relaxed);
        slot.uses.store(0, Ordering::Relaxed);
        slot.entry.store(Some(Arc::new(entry)));
        slot.tag.store(tag, Ordering::Release);
        evicted
    }

    /// Empties one place. Whether what stood there was still good; `None` when all are empty.
    fn evict(&self, hand: &mut MutexGuard<'_, usize>, now: Duration) -> Option<bool> {
        let count = self.slots.len();
        let start = **hand;
        let mut least: Option<(&Slot<T>, u8)> = None;
        for step in 0..count {
            let index = (start + step) % count;
            let slot = self.slots.get(index)?;
            let held = slot.entry.load();
            let Some(entry) = held.as_ref() else { continue };
            let uses = slot.uses.load(Ordering::Relaxed);
            if uses == 0 || !entry.holds(now) {
                **hand = index + 1;
                return Some(self.clear(slot, now));
            }
            if least.is_none_or(|(_, fewest)| uses < fewest) {
                least = Some((slot, uses));
            }
        }
        // All have been used: they grow old together, and the least used one goes.
        for slot in &self.slots {
            let uses = slot.uses.load(Ordering::Relaxed);
            slot.uses.store(uses.saturating_sub(1), Ordering::Relaxed);
        }
        least.map(|(slot, _)| self.clear(slot, now))
    }

    /// Empties a place. Whether what stood there was still good.
    fn clear(&self, slot: &Slot<T>, now: Duration) -> bool {
        let held = slot.entry.load();
        let Some(entry) = held.as_ref() else {
            return false;
        };
        slot.tag.store(0, Ordering::Release);
        slot.entry.store(None);
        self.entries.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(entry.bytes, Ordering::Relaxed);
        entry.holds(now)
    }
}

/// The place for a digest among its own: where it stands already, an empty one, one whose entry
/// is over, or the least used.
fn choose<T>(places: &[Slot<T>], digest: u128, now: Duration) -> Option<&Slot<T>> {
    places.iter().min_by_key(|slot| {
        let held = slot.entry.load();
        match held.as_ref() {
            Some(entry) if entry.digest == digest => 0,
            None => 1,
            Some(entry) if !entry.holds(now) => 2,
            Some(_) => 3 + u32::from(slot.uses.load(Ordering::Relaxed)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(300);
    const NOW: Duration = Duration::from_secs(10);

    fn cache(entries: usize, bytes: usize) -> Verified<usize> {
        let limits = Limits {
            entries,
            bytes,
            life: LIFE,
        };
        Verified::new(limits).expect("randomness")
    }

    fn keep(cache: &Verified<usize>, name: usize, bytes: usize) {
        let digest = cache.digest(&name.to_le_bytes()).expect("a digest");
        cache.keep(digest, &Arc::new(name), Basis::lasting(), bytes, NOW);
    }

    fn find(cache: &Verified<usize>, name: usize, now: Duration) -> Option<usize> {
        let digest = cache.digest(&name.to_le_bytes()).expect("a digest");
        cache.find(digest, now).map(|value| *value)
    }

    #[test]
    fn a_digest_covers_every_byte_and_belongs_to_its_cache() {
        let (one, other) = (cache(1, 1 << 20), cache(1, 1 << 20));
        let of = |cache: &Verified<usize>, token: &[u8]| cache.digest(token).expect("a digest").0;
        let token: Vec<u8> = (b'A'..=b'Z').cycle().take(3000).collect();
        let whole = of(&one, &token);
        assert_eq!(of(&one, &token), whole);
        assert_ne!(of(&other, &token), whole, "under a secret of its own");
        for place in [0, 1, 15, 16, 17, 1000, 2984, 2999] {
            let mut changed = token.clone();
            changed[place] ^= 1;
            assert_ne!(of(&one, &changed), whole, "byte {place}");
        }
        assert_ne!(of(&one, &token[..2999]), whole);
        assert_ne!(of(&one, &[&token[..], b"\0"].concat()), whole);
        assert_ne!(of(&one, b""), of(&one, b"\0"));
    }

    #[test]
    fn a_full_cache_holds_what_it_may_and_finds_it() {
        const MOST: usize = 2000;
        let cache = cache(MOST, 1 << 30);
        for name in 0..MOST {
            keep(&cache, name, 1000);
        }
        let found = (0..MOST)
            .filter(|name| find(&cache, *name, NOW).is_some())
            .count();
        // Shards are filled by chance; what is over in one is not missing in all.
        assert!(found > MOST * 9 / 10, "{found} of {MOST}");
        for name in MOST..3 * MOST {
            keep(&cache, name, 1000);
        }
        let tally = cache.tally();
        assert!(tally.entries <= MOST.div_ceil(SHARDS) * SHARDS, "{tally:?}");
        assert_eq!(tally.bytes, tally.entries * 1000);
        assert!(tally.evictions > 0);
    }

    #[test]
    fn bytes_are_bounded_too_and_what_is_too_large_stays_out() {
        let cache = cache(1000, 16 * 10_000);
        for name in 0..1000 {
            keep(&cache, name, 3_000);
            assert!(cache.tally().bytes <= 16 * 10_000);
        }
        assert!(cache.tally().entries >= 16);
        let before = cache.tally().entries;
        keep(&cache, 5000, 10_001);
        assert_eq!(find(&cache, 5000, NOW), None);
        assert_eq!(cache.tally().entries, before, "and drives nobody out");
    }

    #[test]
    fn who_is_over_makes_room_first_and_is_not_counted_as_driven_out() {
        let cache = cache(16, 1 << 20);
        for name in 0..200 {
            keep(&cache, name, 10);
        }
        let evicted = cache.tally().evictions;
        let late = NOW + LIFE;
        for name in 0..200 {
            assert_eq!(find(&cache, name, late), None);
        }
        for name in 200..400 {
            let digest = cache.digest(&usize::to_le_bytes(name)).expect("a digest");
            cache.keep(digest, &Arc::new(name), Basis::lasting(), 10, late);
        }
        let tally = cache.tally();
        assert!(tally.entries <= 16);
        assert!(tally.evictions - evicted <= 200 - 16 + 16, "{tally:?}");
    }

    #[test]
    fn threads_that_come_in_at_once_keep_the_bounds_and_find_their_own() {
        let cache = cache(64, 1 << 20);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let cache = &cache;
                scope.spawn(move || {
                    for round in 0..2000 {
                        let name = thread * 10_000 + round % 40;
                        keep(cache, name, 100);
                        let found = find(cache, name, NOW);
                        assert!(found.is_none() || found == Some(name));
                        assert!(cache.tally().entries <= 64);
                    }
                });
            }
        });
        let tally = cache.tally();
        assert_eq!(tally.bytes, tally.entries * 100);
    }
}
