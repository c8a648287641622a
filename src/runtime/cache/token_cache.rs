//! The cache of verified tokens: set-associative, lock-free reads, scan-resistant CLOCK eviction.
//!
//! 1. A value is inserted only after every check has passed. A hit skips no check that depends on
//!    time, revocation or the application: these are made on what it returns, on every request.
//! 2. An entry is found by a digest of every byte of the token under a secret of this process; the
//!    token itself is not kept.
//! 3. An entry depends on a validity: when its key is removed, its key set is too old, or its life is
//!    over by the wall clock or the monotonic one, it is not found.
//! 4. A look-up takes no lock. An insertion takes the lock of one of 16 shards, and is skipped where
//!    that is contended.
//! 5. Entries and bytes are bounded. Eviction is scan resistant: entries never hit since insertion are
//!    evicted first, so a flood of tokens that are seen once does not evict those seen again.

use std::ops::Deref;
use std::sync::{Arc, TryLockError};
use std::time::Duration;

use crate::runtime::cache::cache_set::{CacheSet, SlotState};
use crate::runtime::cache::validity::CacheValidity;
#[cfg(feature = "jwks")]
use crate::runtime::cache::validity::Liveness;
use crate::runtime::clock::{Deadline, Now};
use crate::runtime::util::striped::StripedCounter;
use crate::runtime::util::swap::SwapCell;
use crate::runtime::util::sync::{AtomicU64, AtomicUsize, Mutex, MutexGuard, Ordering};
use crate::verify::crypto::token_hash::TokenHasher;

/// Slots for each entry. With as many slots as entries, one entry in eight would find its set full.
const SLOTS_PER_ENTRY: usize = 2;

/// Shards, each with an insertion lock of its own.
const SHARDS: usize = if cfg!(portcullis_loom) { 1 } else { 16 };

/// The bounds of a cache: entries, bytes, and the life of an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheLimits {
    pub(crate) entries: usize,
    pub(crate) bytes: usize,
    pub(crate) life: Duration,
}

/// The digest of a token under the secret of one cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct TokenDigest(u128);

impl TokenDigest {
    /// The bits that choose shard and set. A digest is linear in its text over GF(2): without the
    /// product, tokens that differ in few bits would share few sets.
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

/// A cached value, and its validity.
#[derive(Debug)]
pub(crate) struct Cached<T> {
    value: T,
    /// After insertion it ends with the life of an entry at the latest.
    validity: CacheValidity,
    digest: TokenDigest,
}

impl<T> Cached<T> {
    /// A value that is in no cache.
    pub(crate) const fn unkept(value: T, validity: CacheValidity) -> Self {
        Self {
            value,
            validity,
            digest: TokenDigest(0),
        }
    }

    fn is_valid(&self, now: Now) -> bool {
        self.validity.is_valid(now)
    }

    /// See [`CacheValidity::authority`].
    #[cfg(feature = "jwks")]
    pub(crate) const fn authority(&self) -> &Liveness {
        self.validity.authority()
    }

    /// See [`CacheValidity::issuer`].
    #[cfg(feature = "jwks")]
    pub(crate) const fn issuer(&self) -> &Liveness {
        self.validity.issuer()
    }

    /// Whether the keys that it depends on have been removed, or the rules of its issuer replaced.
    #[cfg(feature = "jwks")]
    pub(crate) fn has_lost_its_keys(&self) -> bool {
        !self.validity.is_live()
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
    hasher: TokenHasher,
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
    /// The insertion lock, and the CLOCK hand: where the next search for a victim begins.
    clock_hand: Mutex<usize>,
}

/// A set: the slots that a digest may take, and their entries.
struct CacheLine<T> {
    slots: CacheSet,
    entries: [SwapCell<Cached<T>>; CacheSet::COUNT],
}

/// Entries, bytes and counters of a cache.
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
        let sets = (most_entries * SLOTS_PER_ENTRY)
            .div_ceil(CacheSet::COUNT)
            .max(1);
        let set = || CacheLine {
            slots: CacheSet::default(),
            entries: std::array::from_fn(|_| SwapCell::empty()),
        };
        let shard = || Shard {
            sets: (0..sets).map(|_| set()).collect(),
            most_entries,
            most_bytes: limits.bytes / SHARDS,
            entries: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            clock_hand: Mutex::new(0),
        };
        Some(Self {
            hasher: TokenHasher::new()?,
            life: limits.life,
            shards: (0..SHARDS).map(|_| shard()).collect(),
            hits: StripedCounter::default(),
            misses: StripedCounter::default(),
            evictions: AtomicU64::new(0),
        })
    }

    /// The digest of a token.
    pub(crate) fn digest(&self, token: &[u8]) -> Option<TokenDigest> {
        self.hasher.digest(token).map(TokenDigest)
    }

    /// The value of this token, while it is valid.
    pub(crate) fn find(&self, digest: TokenDigest, now: Now) -> Option<Arc<Cached<T>>> {
        let found = self.shard(digest).and_then(|shard| shard.find(digest, now));
        if found.is_some() {
            self.hits.increment();
        } else {
            self.misses.increment();
        }
        found
    }

    /// Inserts the value of a token, unless its set is full. A value that has another holder already
    /// is not inserted.
    pub(crate) fn keep(
        &self,
        digest: TokenDigest,
        value: &mut Arc<Cached<T>>,
        bytes: usize,
        now: Now,
    ) {
        let (Some(own), Some(shard)) = (Arc::get_mut(value), self.shard(digest)) else {
            return;
        };
        own.digest = digest;
        own.validity = own.validity.clone().within(Deadline::after(now, self.life));
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let evicted = shard.keep(value, bytes, now);
        if evicted > 0 {
            self.evictions.fetch_add(evicted, Ordering::Relaxed);
        }
    }

    pub(crate) fn stats(&self) -> CacheStats {
        let sum = |of: fn(&Shard<T>) -> usize| self.shards.iter().map(of).sum();
        CacheStats {
            entries: sum(|shard| shard.entries.load(Ordering::Relaxed)),
            bytes: sum(|shard| shard.bytes.load(Ordering::Relaxed)),
            hits: self.hits.total(),
            misses: self.misses.total(),
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
    /// The set of a digest, and its tag.
    fn set(&self, digest: TokenDigest) -> Option<(&CacheLine<T>, u64)> {
        #[allow(clippy::cast_possible_truncation)] // the shard is chosen by higher bits
        let index = (digest.spread() & (u64::MAX >> 8)) as usize % self.sets.len();
        #[allow(clippy::cast_possible_truncation)]
        let tag = digest.0 as u64;
        Some((self.sets.get(index)?, tag))
    }

    fn find(&self, digest: TokenDigest, now: Now) -> Option<Arc<Cached<T>>> {
        let (set, tag) = self.set(digest)?;
        for slot in set.slots.tagged(tag) {
            // An insertion may have replaced the entry since the tag was read.
            let found = set.load(slot);
            if let Some(value) = found.filter(|value| value.digest == digest) {
                if !value.is_valid(now) {
                    return None;
                }
                set.slots.record_hit(slot);
                return Some(value);
            }
        }
        None
    }

    /// How many entries were evicted for it.
    fn keep(&self, value: &Arc<Cached<T>>, bytes: u32, now: Now) -> u64 {
        let mut clock_hand = match self.clock_hand.try_lock() {
            Ok(clock_hand) => clock_hand,
            // The drop of an application's value may have panicked, which happens after all
            // bookkeeping is done.
            Err(TryLockError::Poisoned(held)) => held.into_inner(),
            // If the shard lock is contended, skip the insert.
            Err(TryLockError::WouldBlock) => return 0,
        };
        if bytes as usize > self.most_bytes || self.most_entries == 0 {
            return 0;
        }
        let Some((set, tag)) = self.set(value.digest) else {
            return 0;
        };
        let is_full = !self.fits(bytes, None);
        let slot = set.slots.victim(tag, now.monotonic, is_full);
        let mut evicted = 0;
        // INVARIANT: evict before inserting, so that entries and bytes never exceed their bounds.
        while !self.fits(bytes, set.slots.bytes(slot)) {
            match self.evict(&mut clock_hand, now) {
                Some(was_good) => evicted += u64::from(was_good),
                None => return evicted,
            }
        }
        match set.slots.bytes(slot) {
            Some(before) => self.bytes.fetch_sub(before as usize, Ordering::Relaxed),
            None => self.entries.fetch_add(1, Ordering::Relaxed),
        };
        self.bytes.fetch_add(bytes as usize, Ordering::Relaxed);
        let before = set.swap(slot, Some(Arc::clone(value)));
        let end = value.validity.end().monotonic();
        set.slots.fill(slot, tag, end, bytes);
        let is_other = |old: Arc<Cached<T>>| old.digest != value.digest && old.is_valid(now);
        evicted + u64::from(before.is_some_and(is_other))
    }

    /// Whether so many bytes fit, in place of an entry or in an empty slot.
    fn fits(&self, more: u32, in_place_of: Option<u32>) -> bool {
        let entries = self.entries.load(Ordering::Relaxed) + usize::from(in_place_of.is_none());
        let bytes = self.bytes.load(Ordering::Relaxed) + more as usize;
        let less = in_place_of.unwrap_or_default() as usize;
        entries <= self.most_entries && bytes.saturating_sub(less) <= self.most_bytes
    }

    /// Evicts an entry by CLOCK. Whether it was still valid; `None` where there is no entry.
    fn evict(&self, clock_hand: &mut MutexGuard<'_, usize>, now: Now) -> Option<bool> {
        let count = self.sets.len() * CacheSet::COUNT;
        let mut least: Option<(usize, u64)> = None;
        for step in 0..count {
            let index = (**clock_hand + step) % count;
            let set = self.sets.get(index / CacheSet::COUNT)?;
            match set.slots.slot_state(index % CacheSet::COUNT, now.monotonic) {
                SlotState::Empty => {}
                SlotState::Expired | SlotState::Live(0) => {
                    **clock_hand = index + 1;
                    return Some(self.clear(set, index % CacheSet::COUNT, now));
                }
                SlotState::Live(hits) => {
                    if least.is_none_or(|(_, fewest)| hits < fewest) {
                        least = Some((index, hits));
                    }
                }
            }
        }
        // All have hits: all decay, and the one with the fewest hits is evicted.
        for set in &self.sets {
            set.slots.decay();
        }
        let (index, _) = least?;
        let set = self.sets.get(index / CacheSet::COUNT)?;
        Some(self.clear(set, index % CacheSet::COUNT, now))
    }

    /// Clears a slot. Whether its entry was still valid.
    fn clear(&self, set: &CacheLine<T>, slot: usize, now: Now) -> bool {
        let bytes = set.slots.bytes(slot).unwrap_or_default();
        set.slots.clear(slot);
        let Some(value) = set.swap(slot, None) else {
            return false;
        };
        self.entries.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes as usize, Ordering::Relaxed);
        value.is_valid(now)
    }
}

impl<T> CacheLine<T> {
    fn load(&self, slot: usize) -> Option<Arc<Cached<T>>> {
        self.entries.get(slot)?.load_full()
    }

    fn swap(&self, slot: usize, value: Option<Arc<Cached<T>>>) -> Option<Arc<Cached<T>>> {
        self.entries.get(slot)?.swap(value)
    }
}

#[cfg(not(portcullis_loom))]
#[cfg(test)]
mod tests;

#[cfg(portcullis_loom)]
#[cfg(test)]
mod loom_tests;
