//! Tokens that were verified before.
//!
//! 1. Only what passed every check comes in, and a look-up skips no check that time, revocation or
//!    the application decide: those are made on what it finds, on every request.
//! 2. An entry is found by a digest of every byte of the token under a secret of this process; the
//!    token itself is not kept.
//! 3. An entry stands on a key. When the key's mark has ended, or its set is too old, or the entry
//!    has lived its life, it is not found. Both ages end by the wall clock or by the monotonic one,
//!    whichever says so first.
//! 4. A look-up takes no lock and waits for nobody. Coming in takes one lock of many, or is left
//!    out where another one holds it.
//! 5. Entries and bytes are bounded. Who comes in and is not used goes out first, so that a flood
//!    of tokens that are seen once does not drive out those that are seen again.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::Duration;

use crate::runtime::cache::cache_set::{CacheSet, SlotState};
#[cfg(feature = "jwks")]
use crate::runtime::cache::key_liveness::KeyLiveness;
use crate::runtime::clock::{Deadline, Now};
use crate::runtime::util::striped::StripedCounter;
use crate::runtime::util::swap::SwapCell;
use crate::verify::crypto::primitives::TokenHasher;

/// Twice as many places as entries: otherwise every eighth entry would find its places taken.
const ROOM: usize = 2;

/// Locks for coming in.
const SHARDS: usize = 16;

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheLimits {
    pub(crate) entries: usize,
    pub(crate) bytes: usize,
    pub(crate) life: Duration,
}

/// What a verified token stands on.
#[derive(Clone, Debug)]
pub(crate) struct CacheValidity {
    #[cfg(feature = "jwks")]
    mark: Option<KeyLiveness>,
    end: Deadline,
}

impl CacheValidity {
    /// Keys that stay for good.
    pub(crate) const fn lasting() -> Self {
        Self {
            #[cfg(feature = "jwks")]
            mark: None,
            end: Deadline::NEVER,
        }
    }

    /// Keys that are good before that end, unless the mark ends.
    #[cfg(feature = "jwks")]
    pub(crate) const fn until(end: Deadline, mark: Option<KeyLiveness>) -> Self {
        Self { mark, end }
    }

    /// The same, and not past this moment.
    #[cfg(feature = "jwks")]
    pub(crate) fn within(self, end: Deadline) -> Self {
        Self {
            end: self.end.min(end),
            ..self
        }
    }

    #[cfg(feature = "jwks")]
    fn holds(&self, now: Now) -> bool {
        !self.end.has_passed(now) && self.mark.as_ref().is_none_or(KeyLiveness::holds)
    }

    #[cfg(not(feature = "jwks"))]
    fn holds(&self, now: Now) -> bool {
        !self.end.has_passed(now)
    }
}

/// A digest that only this cache understands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct TokenDigest(u128);

impl TokenDigest {
    /// Bits that choose a place. A digest is linear in its text over GF(2), so tokens that differ
    /// in few bits would share few places without the product.
    const fn spread(self) -> u64 {
        /// 2^64 divided by the golden ratio, made odd (Knuth, TAOCP 3, section 6.4).
        const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
        // The lower half is the tag.
        let product = (self.0 >> 64) * FACTOR as u128;
        #[allow(clippy::cast_possible_truncation)] // both halves are wanted
        let spread = (product as u64) ^ (product >> 64) as u64;
        spread
    }
}

#[cfg(all(test, feature = "jwks"))]
impl TokenDigest {
    pub(in crate::runtime) const fn of_number(number: u128) -> Self {
        Self(number)
    }
}

/// What was made of a token, and what that stands on.
#[derive(Debug)]
pub(crate) struct Cached<T> {
    value: T,
    /// Once it is kept, its end is that of its life too.
    basis: CacheValidity,
    digest: TokenDigest,
    bytes: u32,
}

impl<T> Cached<T> {
    /// Something that no cache holds.
    pub(crate) const fn unkept(value: T, basis: CacheValidity) -> Self {
        Self {
            value,
            basis,
            digest: TokenDigest(0),
            bytes: 0,
        }
    }

    fn holds(&self, now: Now) -> bool {
        self.basis.holds(now)
    }

    /// Whether the keys are gone that it stood on.
    #[cfg(feature = "jwks")]
    pub(crate) fn has_lost_its_keys(&self) -> bool {
        !self.basis.mark.as_ref().is_none_or(KeyLiveness::holds)
    }
}

impl<T> Deref for Cached<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// The cache.
pub(crate) struct TokenCache<T> {
    digester: TokenHasher,
    life: Duration,
    shards: Vec<Shard<T>>,
    hits: StripedCounter,
    misses: StripedCounter,
    evictions: AtomicU64,
}

/// A part of the cache with a bound of its own.
struct Shard<T> {
    sets: Vec<CacheLine<T>>,
    most_entries: usize,
    most_bytes: usize,
    entries: AtomicUsize,
    bytes: AtomicUsize,
    /// Held by who comes in; it is where the search for the next to go begins.
    hand: Mutex<usize>,
}

/// The places that a digest may take.
struct CacheLine<T> {
    ways: CacheSet,
    entries: [SwapCell<Cached<T>>; CacheSet::COUNT],
}

/// What a cache holds, and how it fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CacheStats {
    pub(crate) entries: usize,
    pub(crate) bytes: usize,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    pub(crate) evictions: u64,
}

impl<T> TokenCache<T> {
    /// A cache within these limits. `None` when the system gives no randomness.
    pub(crate) fn new(limits: CacheLimits) -> Option<Self> {
        let most_entries = limits.entries.div_ceil(SHARDS);
        let sets = (most_entries * ROOM).div_ceil(CacheSet::COUNT).max(1);
        let set = || CacheLine {
            ways: CacheSet::default(),
            entries: [const { SwapCell::empty() }; CacheSet::COUNT],
        };
        let shard = || Shard {
            sets: (0..sets).map(|_| set()).collect(),
            most_entries,
            most_bytes: limits.bytes / SHARDS,
            entries: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            hand: Mutex::new(0),
        };
        Some(Self {
            digester: TokenHasher::new()?,
            life: limits.life,
            shards: (0..SHARDS).map(|_| shard()).collect(),
            hits: StripedCounter::default(),
            misses: StripedCounter::default(),
            evictions: AtomicU64::new(0),
        })
    }

    /// The digest of a token.
    pub(crate) fn digest(&self, token: &[u8]) -> Option<TokenDigest> {
        self.digester.digest(token).map(TokenDigest)
    }

    /// What was made of this token, if that still stands.
    pub(crate) fn find(&self, digest: TokenDigest, now: Now) -> Option<Arc<Cached<T>>> {
        let found = self.shard(digest).and_then(|shard| shard.find(digest, now));
        if found.is_some() {
            self.hits.count();
        } else {
            self.misses.count();
        }
        found
    }

    /// Keeps what was made of a token, as far as there is room. What somebody else holds already
    /// is not kept.
    pub(crate) fn keep(
        &self,
        digest: TokenDigest,
        known: &mut Arc<Cached<T>>,
        bytes: usize,
        now: Now,
    ) {
        let (Some(own), Some(shard)) = (Arc::get_mut(known), self.shard(digest)) else {
            return;
        };
        own.digest = digest;
        own.basis.end = own.basis.end.min(Deadline::after(now, self.life));
        own.bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let evicted = shard.keep(known, now);
        if evicted > 0 {
            self.evictions.fetch_add(evicted, Ordering::Relaxed);
        }
    }

    pub(crate) fn tally(&self) -> CacheStats {
        let sum = |of: fn(&Shard<T>) -> usize| self.shards.iter().map(of).sum();
        CacheStats {
            entries: sum(|shard| shard.entries.load(Ordering::Relaxed)),
            bytes: sum(|shard| shard.bytes.load(Ordering::Relaxed)),
            hits: self.hits.sum(),
            misses: self.misses.sum(),
            evictions: self.evictions.load(Ordering::Relaxed),
        }
    }

    fn shard(&self, digest: TokenDigest) -> Option<&Shard<T>> {
        #[allow(clippy::cast_possible_truncation)] // a few bits are wanted
        let index = (digest.spread() >> 56) as usize % SHARDS;
        self.shards.get(index)
    }
}

impl<T> Shard<T> {
    /// The places of a digest, and its tag.
    fn set(&self, digest: TokenDigest) -> Option<(&CacheLine<T>, u64)> {
        #[allow(clippy::cast_possible_truncation)] // the shard is chosen by higher bits
        let index = (digest.spread() & (u64::MAX >> 8)) as usize % self.sets.len();
        #[allow(clippy::cast_possible_truncation)]
        let tag = digest.0 as u64;
        Some((self.sets.get(index)?, tag))
    }

    fn find(&self, digest: TokenDigest, now: Now) -> Option<Arc<Cached<T>>> {
        let (set, tag) = self.set(digest)?;
        for place in set.ways.tagged(tag) {
            // One that somebody has just put in place of ours is not ours.
            let found = set.load(place);
            if let Some(known) = found.filter(|known| known.digest == digest) {
                if !known.holds(now) {
                    return None;
                }
                set.ways.use_once(place);
                return Some(known);
            }
        }
        None
    }

    /// How many had to go for it.
    fn keep(&self, known: &Arc<Cached<T>>, now: Now) -> u64 {
        let mut hand = match self.hand.try_lock() {
            Ok(hand) => hand,
            // What an entry holds may be the application's, and panic as it is dropped: by then
            // everything is in its place.
            Err(TryLockError::Poisoned(held)) => held.into_inner(),
            // Whoever finds the door held comes in another time.
            Err(TryLockError::WouldBlock) => return 0,
        };
        if known.bytes as usize > self.most_bytes || self.most_entries == 0 {
            return 0;
        }
        let Some((set, tag)) = self.set(known.digest) else {
            return 0;
        };
        let is_full = !self.fits(known.bytes, None);
        let place = set.ways.choose(tag, now.monotonic, is_full);
        let mut evicted = 0;
        // INVARIANT: room is made before it is taken; entries and bytes never exceed their bounds.
        while !self.fits(known.bytes, set.ways.bytes(place)) {
            match self.evict(&mut hand, now) {
                Some(was_good) => evicted += u64::from(was_good),
                None => return evicted,
            }
        }
        match set.ways.bytes(place) {
            Some(bytes) => self.bytes.fetch_sub(bytes as usize, Ordering::Relaxed),
            None => self.entries.fetch_add(1, Ordering::Relaxed),
        };
        self.bytes
            .fetch_add(known.bytes as usize, Ordering::Relaxed);
        let before = set.swap(place, Some(Arc::clone(known)));
        let end = known.basis.end.monotonic();
        set.ways.fill(place, tag, end, known.bytes);
        let is_other = |old: Arc<Cached<T>>| old.digest != known.digest && old.holds(now);
        evicted + u64::from(before.is_some_and(is_other))
    }

    /// Whether there is room for so many bytes more, in the place of an entry or in an empty one.
    fn fits(&self, more: u32, in_place_of: Option<u32>) -> bool {
        let entries = self.entries.load(Ordering::Relaxed) + usize::from(in_place_of.is_none());
        let bytes = self.bytes.load(Ordering::Relaxed) + more as usize;
        let less = in_place_of.unwrap_or_default() as usize;
        entries <= self.most_entries && bytes.saturating_sub(less) <= self.most_bytes
    }

    /// Empties one place. Whether what stood there was still good; `None` when all are empty.
    fn evict(&self, hand: &mut MutexGuard<'_, usize>, now: Now) -> Option<bool> {
        let count = self.sets.len() * CacheSet::COUNT;
        let mut least: Option<(usize, u64)> = None;
        for step in 0..count {
            let index = (**hand + step) % count;
            let set = self.sets.get(index / CacheSet::COUNT)?;
            match set.ways.occupancy(index % CacheSet::COUNT, now.monotonic) {
                SlotState::Empty => {}
                SlotState::Over | SlotState::Used(0) => {
                    **hand = index + 1;
                    return Some(self.clear(set, index % CacheSet::COUNT, now));
                }
                SlotState::Used(uses) => {
                    if least.is_none_or(|(_, fewest)| uses < fewest) {
                        least = Some((index, uses));
                    }
                }
            }
        }
        // All have been used: they grow old together, and the least used one goes.
        for set in &self.sets {
            set.ways.age();
        }
        let (index, _) = least?;
        let set = self.sets.get(index / CacheSet::COUNT)?;
        Some(self.clear(set, index % CacheSet::COUNT, now))
    }

    /// Empties a place. Whether what stood there was still good.
    fn clear(&self, set: &CacheLine<T>, place: usize, now: Now) -> bool {
        set.ways.clear(place);
        let Some(known) = set.swap(place, None) else {
            return false;
        };
        self.entries.fetch_sub(1, Ordering::Relaxed);
        self.bytes
            .fetch_sub(known.bytes as usize, Ordering::Relaxed);
        known.holds(now)
    }
}

impl<T> CacheLine<T> {
    fn load(&self, place: usize) -> Option<Arc<Cached<T>>> {
        self.entries.get(place)?.load_full()
    }

    fn swap(&self, place: usize, known: Option<Arc<Cached<T>>>) -> Option<Arc<Cached<T>>> {
        self.entries.get(place)?.swap(known)
    }
}

#[cfg(test)]
mod tests;
