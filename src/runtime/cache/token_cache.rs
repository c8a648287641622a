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
//! 5. Entries and bytes are bounded. While there is room, a token is kept at its first sight. Where its
//!    entry would take the place of a live one, it is kept at its second sight (see `sightings`), so a
//!    flood of tokens that are seen once evicts nothing, takes no lock and writes no entry.
//! 6. Eviction is CLOCK: the hand evicts the first entry without hits and takes one hit from each that it
//!    passes, so tokens that are used no longer make room for others.

use std::ops::Deref;
use std::sync::{Arc, TryLockError};
use std::time::Duration;

use crate::runtime::cache::cache_set::{CacheSet, SetKey, Slot, SlotState, Victim, scaled};
use crate::runtime::cache::sightings::Sightings;
use crate::runtime::cache::validity::CacheValidity;
#[cfg(feature = "jwks")]
use crate::runtime::cache::validity::Liveness;
use crate::runtime::clock::{Deadline, Now};
use crate::runtime::util::striped::StripedCounter;
use crate::runtime::util::sync::{AtomicU64, AtomicUsize, Mutex, Ordering};
use crate::verify::crypto::token_hash::TokenHasher;

/// Slots for each entry. With as many slots as entries, one entry in eight would find its set full.
const SLOTS_PER_ENTRY: usize = 2;

/// Shards, each with an insertion lock of its own.
const SHARDS: usize = if cfg!(portcullis_loom) { 1 } else { 16 };

/// Remembered sightings for each entry. A token that comes again after more new ones than there are
/// entries would be found in no cache of that size.
const SIGHTINGS_PER_ENTRY: usize = 2;

/// The most entries with hits that the CLOCK hand passes for one eviction.
const MOST_PASSED: usize = 32;

/// The bounds of a cache: entries, bytes, and the life of an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheLimits {
    pub(crate) entries: usize,
    pub(crate) bytes: usize,
    pub(crate) life: Duration,
}

/// The digest of a token under the secret of one cache. Aligned like a word, so that a cached value has no
/// gaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C, packed(8))]
pub(crate) struct TokenDigest(u128);

impl TokenDigest {
    /// The bits that choose the set. A digest is linear in its text over GF(2): without the product,
    /// tokens that differ in few bits would share few sets.
    const fn spread(self) -> u64 {
        /// 2^64 divided by the golden ratio, made odd (Knuth, TAOCP 3, section 6.4).
        const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
        // The lower half has the tag and the fingerprint.
        let product = (self.0 >> 64) * FACTOR as u128;
        #[allow(clippy::cast_possible_truncation)] // both halves are wanted
        let spread = (product as u64) ^ (product >> 64) as u64;
        spread
    }

    /// The set of the digest, of so many.
    const fn set(self, count: usize) -> usize {
        scaled(self.spread(), count)
    }

    /// Its place in the set.
    #[allow(clippy::cast_possible_truncation)] // some of the bits are wanted
    const fn key(self) -> SetKey {
        SetKey {
            tag: self.0 as u32,
            is_second: self.spread() & 1 == 1,
        }
    }

    /// What is remembered of a sighting.
    #[allow(clippy::cast_possible_truncation)] // some of the bits are wanted
    const fn fingerprint(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

#[cfg(all(test, feature = "jwks"))]
impl TokenDigest {
    pub(in crate::runtime) const fn of_number(number: u128) -> Self {
        Self(number)
    }
}

/// A cached value, and its validity. What each hit reads comes first, behind the counts of the `Arc`.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Cached<T> {
    digest: TokenDigest,
    /// After insertion it ends with the life of an entry at the latest.
    validity: CacheValidity,
    /// What it counts in the cache.
    bytes: u32,
    value: T,
}

impl<T> Cached<T> {
    /// A value that is in no cache.
    pub(crate) const fn unkept(value: T, validity: CacheValidity) -> Self {
        Self {
            digest: TokenDigest(0),
            validity,
            bytes: 0,
            value,
        }
    }

    fn is_valid(&self, now: Now) -> bool {
        self.validity.is_valid(now)
    }

    /// See [`CacheValidity::authority`].
    #[cfg(feature = "jwks")]
    pub(crate) fn authority(&self) -> &Liveness {
        self.validity.authority()
    }

    /// See [`CacheValidity::issuer`].
    #[cfg(feature = "jwks")]
    pub(crate) fn issuer(&self) -> &Liveness {
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
    /// Those of the first shard, then those of the second, and so on.
    sets: Vec<CacheSet<Cached<T>>>,
    sets_of_shard: usize,
    shards: Vec<Shard>,
    /// `None`: a token is kept at its first sight, whatever it evicts.
    sightings: Option<Sightings>,
    hits: StripedCounter,
    misses: StripedCounter,
    evictions: AtomicU64,
}

/// The bounds of a part of the sets. Aligned to two cache lines, since processors prefetch lines in
/// pairs.
#[repr(align(128))]
struct Shard {
    most_entries: usize,
    most_bytes: usize,
    entries: AtomicUsize,
    bytes: AtomicUsize,
    /// The insertion lock, and the CLOCK hand: the slot where the next search for a victim begins.
    clock_hand: Mutex<usize>,
}

/// Whether a token was seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sight {
    First,
    Second,
    /// The cache keeps every token at its first sight.
    Uncounted,
}

/// Where an insertion takes place.
struct Place<'a, T> {
    shard: &'a Shard,
    sets: &'a [CacheSet<Cached<T>>],
    set: &'a CacheSet<Cached<T>>,
    key: SetKey,
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
    /// A cache within these limits that keeps a token at its first sight. `None` when the system gives
    /// no randomness.
    pub(crate) fn new(limits: CacheLimits) -> Option<Self> {
        let most_entries = limits.entries.div_ceil(SHARDS);
        let sets_of_shard = (most_entries * SLOTS_PER_ENTRY)
            .div_ceil(CacheSet::<T>::COUNT)
            .max(1);
        let shard = || Shard {
            most_entries,
            most_bytes: limits.bytes / SHARDS,
            entries: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            clock_hand: Mutex::new(0),
        };
        let sets = 0..sets_of_shard * SHARDS;
        Some(Self {
            hasher: TokenHasher::new()?,
            life: limits.life,
            sets: sets.map(|_| CacheSet::empty()).collect(),
            sets_of_shard,
            shards: (0..SHARDS).map(|_| shard()).collect(),
            sightings: None,
            hits: StripedCounter::default(),
            misses: StripedCounter::default(),
            evictions: AtomicU64::new(0),
        })
    }

    /// The same, which evicts no live entry for a token that was not seen before.
    pub(crate) fn with_second_sight(limits: CacheLimits) -> Option<Self> {
        let places = limits.entries * SIGHTINGS_PER_ENTRY;
        Some(Self {
            sightings: Some(Sightings::with_places(places)),
            ..Self::new(limits)?
        })
    }

    /// The digest of a token.
    pub(crate) fn digest(&self, token: &[u8]) -> Option<TokenDigest> {
        self.hasher.digest(token).map(TokenDigest)
    }

    /// The value of this token, while it is valid.
    pub(crate) fn find(&self, digest: TokenDigest, now: Now) -> Option<Arc<Cached<T>>> {
        let found = self.look_up(digest, now);
        if found.is_some() {
            self.hits.increment();
        } else {
            self.misses.increment();
        }
        found
    }

    fn look_up(&self, digest: TokenDigest, now: Now) -> Option<Arc<Cached<T>>> {
        let set = self.sets.get(digest.set(self.sets.len()))?;
        for (slot, mark) in set.tagged(digest.key()) {
            // An insertion may have replaced the entry since the mark was read.
            let found = slot.load_full();
            if let Some(value) = found.filter(|value| value.digest == digest) {
                if !value.is_valid(now) {
                    return None;
                }
                slot.record_hit(mark);
                return Some(value);
            }
        }
        None
    }

    /// The same, which counts neither as a hit nor as a miss.
    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    pub(crate) fn peek(&self, digest: TokenDigest, now: Now) -> Option<Arc<Cached<T>>> {
        let set = self.sets.get(digest.set(self.sets.len()))?;
        let mut tagged = set.tagged(digest.key());
        let found = tagged.find_map(|(slot, _)| {
            let found = slot.load_full();
            found.filter(|value| value.digest == digest)
        })?;
        found.is_valid(now).then_some(found)
    }

    /// Prepares a value, which takes so many bytes, for [`keep`](Self::keep): before something else holds
    /// it too. Whether it is prepared for this digest, now or before.
    pub(crate) fn label(
        &self,
        digest: TokenDigest,
        value: &mut Arc<Cached<T>>,
        bytes: usize,
        now: Now,
    ) -> bool {
        let Some(own) = Arc::get_mut(value) else {
            return value.digest == digest;
        };
        own.digest = digest;
        own.bytes = counted(bytes);
        own.validity.shorten(Deadline::after(now, self.life));
        true
    }

    /// Inserts the value of a token, which takes so many bytes; unless it would evict a live entry, and
    /// the cache keeps such a token at its second sight, and this is its first. A value that has another
    /// holder already is not inserted, unless it was [labelled](Self::label) before.
    pub(crate) fn keep(
        &self,
        digest: TokenDigest,
        value: &mut Arc<Cached<T>>,
        bytes: impl FnOnce(&T) -> usize,
        now: Now,
    ) {
        let Some(place) = self.place(digest) else {
            return;
        };
        // Without its bytes at first: to count them takes a walk through the token's lists.
        let mut sight = None;
        if place.would_evict(0, now) {
            sight = Some(self.sight(digest));
        }
        if sight == Some(Sight::First) {
            return;
        }
        let size = bytes(value);
        let bytes = counted(size);
        if !place.shard.takes(bytes) {
            return;
        }
        // Recorded once: a second record would find the first.
        if sight.is_none() && place.would_evict(bytes, now) {
            sight = Some(self.sight(digest));
        }
        if sight == Some(Sight::First) {
            return;
        }
        if !self.label(digest, value, size, now) {
            return;
        }
        let hits = u64::from(sight == Some(Sight::Second));
        let evicted = place.keep(value, hits, now);
        if evicted > 0 {
            self.evictions.fetch_add(evicted, Ordering::Relaxed);
        }
    }

    pub(crate) fn stats(&self) -> CacheStats {
        let sum = |of: fn(&Shard) -> usize| self.shards.iter().map(of).sum();
        CacheStats {
            entries: sum(|shard| shard.entries.load(Ordering::Relaxed)),
            bytes: sum(|shard| shard.bytes.load(Ordering::Relaxed)),
            hits: self.hits.total(),
            misses: self.misses.total(),
            evictions: self.evictions.load(Ordering::Relaxed),
        }
    }

    /// Records a sighting of a token for which a live entry would go.
    fn sight(&self, digest: TokenDigest) -> Sight {
        let Some(sightings) = &self.sightings else {
            return Sight::Uncounted;
        };
        // The set is chosen by the upper bits.
        let bucket = digest.spread().rotate_left(32);
        if sightings.record(bucket, digest.fingerprint()) {
            Sight::Second
        } else {
            Sight::First
        }
    }

    fn place(&self, digest: TokenDigest) -> Option<Place<'_, T>> {
        let set = digest.set(self.sets.len());
        let shard = set / self.sets_of_shard;
        let first = shard * self.sets_of_shard;
        Some(Place {
            shard: self.shards.get(shard)?,
            sets: self.sets.get(first..first + self.sets_of_shard)?,
            set: self.sets.get(set)?,
            key: digest.key(),
        })
    }
}

impl Shard {
    /// Whether an entry of this size can be in it at all.
    const fn takes(&self, bytes: u32) -> bool {
        bytes as usize <= self.most_bytes && self.most_entries > 0
    }

    /// Whether so many bytes fit, in place of an entry or in an empty slot.
    fn fits(&self, more: u32, in_place_of: Option<u32>) -> bool {
        let entries = self.entries.load(Ordering::Relaxed) + usize::from(in_place_of.is_none());
        let bytes = self.bytes.load(Ordering::Relaxed) + more as usize;
        let less = in_place_of.unwrap_or_default() as usize;
        entries <= self.most_entries && bytes.saturating_sub(less) <= self.most_bytes
    }
}

impl<T> Place<'_, T> {
    fn victim(&self, now: Now) -> Option<Victim<'_, Cached<T>>> {
        self.set.victim(self.key, now.monotonic)
    }

    /// Whether an entry of this size would take the place of a live one.
    fn would_evict(&self, bytes: u32, now: Now) -> bool {
        let victim = self.victim(now);
        victim.is_none_or(|victim| victim.is_live || !self.shard.fits(bytes, bytes_of(victim.slot)))
    }

    /// Inserts a value, with so many hits. How many entries were evicted for it.
    fn keep(&self, value: &Arc<Cached<T>>, hits: u64, now: Now) -> u64 {
        let mut clock_hand = match self.shard.clock_hand.try_lock() {
            Ok(clock_hand) => clock_hand,
            // The drop of an application's value may have panicked, which happens after all
            // bookkeeping is done.
            Err(TryLockError::Poisoned(held)) => held.into_inner(),
            // If the shard lock is contended, skip the insert.
            Err(TryLockError::WouldBlock) => return 0,
        };
        let Some(Victim { slot, is_live }) = self.victim(now) else {
            return 0;
        };
        let mut evicted = 0;
        // INVARIANT: evict before inserting, so that entries and bytes never exceed their bounds.
        let in_place_of = loop {
            let in_place_of = bytes_of(slot);
            if self.shard.fits(value.bytes, in_place_of) {
                break in_place_of;
            }
            match self.evict(&mut clock_hand, now) {
                Some(was_good) => evicted += u64::from(was_good),
                None => return evicted,
            }
        };
        match in_place_of {
            Some(before) => self
                .shard
                .bytes
                .fetch_sub(before as usize, Ordering::Relaxed),
            None => self.shard.entries.fetch_add(1, Ordering::Relaxed),
        };
        let bytes = value.bytes as usize;
        self.shard.bytes.fetch_add(bytes, Ordering::Relaxed);
        if is_live {
            // A set of entries that are used no longer makes room for others.
            self.set.decay();
        }
        let end = value.validity.monotonic_end();
        let before = slot.fill(Arc::clone(value), self.key.tag, end, hits);
        let is_other = |old: Arc<Cached<T>>| old.digest != value.digest && old.is_valid(now);
        evicted + u64::from(before.is_some_and(is_other))
    }

    /// Evicts an entry by CLOCK. Whether it was still valid; `None` where there is no entry.
    fn evict(&self, clock_hand: &mut usize, now: Now) -> Option<bool> {
        let count = self.sets.len() * CacheSet::<T>::COUNT;
        let start = *clock_hand % count;
        let mut fewest: Option<(u64, &Slot<Cached<T>>)> = None;
        let mut passed = 0;
        for number in (start..count).chain(0..start) {
            *clock_hand = number + 1;
            let slot = self.slot(number)?;
            match slot.state(now.monotonic) {
                SlotState::Empty => {}
                SlotState::Expired | SlotState::Live(0) => return Some(self.clear(slot, now)),
                SlotState::Live(hits) => {
                    slot.decay();
                    if fewest.is_none_or(|(fewest, _)| hits < fewest) {
                        fewest = Some((hits, slot));
                    }
                    passed += 1;
                    if passed == MOST_PASSED {
                        break;
                    }
                }
            }
        }
        fewest.map(|(_, slot)| self.clear(slot, now))
    }

    /// The slot of the shard with this number.
    fn slot(&self, number: usize) -> Option<&Slot<Cached<T>>> {
        let set = self.sets.get(number / CacheSet::<T>::COUNT)?;
        set.slot(number % CacheSet::<T>::COUNT)
    }

    /// Clears a slot. Whether its entry was still valid.
    fn clear(&self, slot: &Slot<Cached<T>>, now: Now) -> bool {
        let Some(value) = slot.clear() else {
            return false;
        };
        self.shard.entries.fetch_sub(1, Ordering::Relaxed);
        let bytes = value.bytes as usize;
        self.shard.bytes.fetch_sub(bytes, Ordering::Relaxed);
        value.is_valid(now)
    }
}

/// Bytes as an entry counts them.
fn counted(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// The bytes of the entry in a slot; `None` where it is empty.
fn bytes_of<T>(slot: &Slot<Cached<T>>) -> Option<u32> {
    slot.load().as_ref().map(|held| held.bytes)
}

#[cfg(not(portcullis_loom))]
#[cfg(test)]
mod tests;

#[cfg(portcullis_loom)]
#[cfg(test)]
mod loom_tests;
