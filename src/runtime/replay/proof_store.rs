//! The bounded store of used DPoP proofs of one process.
//!
//! 1. A proof is identified by the thumbprint of its key and its `jti`. The store keeps a keyed 64-bit
//!    fingerprint of both, with a key that is random for each store (`SipHash`). A recorded proof is
//!    never fresh again. A fresh proof is taken for a replay with a probability of 2^-64 for each
//!    entry, and a client cannot search for such collisions without the key.
//! 2. A fail-closed bound: no entry is evicted before its expiry. A proof for which there is no place is
//!    not recorded, and the caller refuses it ([`Replay::Full`]).
//! 3. Fairness by dynamic thresholds (Choudhury and Hahne, 1998, with a factor of 1): an owner may hold
//!    at most as many places as are free. One owner alone gets half of the places, and `n` greedy
//!    owners get `1/(n+1)` each, so another owner always finds a place. An owner is what the
//!    authorization server limits, such as a client and its subject, and never a key: a client makes
//!    as many keys as it likes.
//! 4. Shards with a mutex each, chosen by the fingerprint, so that threads seldom contend. Capacity and
//!    thresholds hold for each shard. An attacker cannot aim at one shard.
//! 5. Expiry is by the monotonic clock. It is the upper bound of the life of a proof, so the order of
//!    insertion is the order of expiry, and each call removes what has expired from the front.
//! 6. The store allocates nothing before its first use, and gives memory back when it empties.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use super::shard::{Replay, Shard};

/// Shards for each processor: with fewer, threads contend; with more, each has its own counts of the
/// same owners, which no longer fit into the caches of the processor.
const SHARDS_PER_PROCESSOR: usize = 8;

/// The largest number of shards, a power of two.
const MOST_SHARDS: usize = 64;

/// The least capacity of a shard, except where the store has only one. In a smaller one, an uneven
/// distribution would cost a large share of the places.
const LEAST_SHARD_CAPACITY: usize = 256;

/// The bits of a fingerprint that choose the shard: not those that choose the place in its table.
const SHARD_BITS: u32 = 16;

/// The fingerprint of a proof in one store, and a random number in every other one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProofFingerprint(NonZeroU64);

/// A bounded store of used proofs.
pub(crate) struct ProofStore {
    capacity: usize,
    proof_hasher: RandomState,
    owner_hasher: RandomState,
    shards: OnceLock<Box<[AlignedShard]>>,
}

/// Aligned to two cache lines, since processors prefetch lines in pairs.
#[repr(align(128))]
struct AlignedShard(Mutex<Shard>);

impl ProofStore {
    /// A store for up to `capacity` proofs. A store of capacity 0 refuses every proof.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            proof_hasher: RandomState::new(),
            owner_hasher: RandomState::new(),
            shards: OnceLock::new(),
        }
    }

    /// Records a proof, unless it was recorded before.
    ///
    /// * `owner`: whose share of the places the proof takes, in parts: issuer, subject and client of
    ///   the token.
    /// * `proof`: its [`fingerprint`](Self::fingerprint) in this store.
    /// * `life`: the upper bound of the time for which a proof that arrives now can be valid, the same
    ///   for all calls. A shorter one than before expires with those before it.
    /// * `now`: the monotonic time of the server's clock.
    pub(crate) fn use_once(
        &self,
        owner: &[&[u8]],
        proof: ProofFingerprint,
        life: Duration,
        now: Duration,
    ) -> Replay {
        let ProofFingerprint(fingerprint) = proof;
        let owner = self.owner(owner);
        match self.shard(fingerprint) {
            Some(mut shard) => shard.use_once(fingerprint, owner, life, now),
            // There is at least one shard.
            None => Replay::Full {
                retry_after: life.max(Duration::from_secs(1)),
            },
        }
    }

    /// What [`use_once`](Self::use_once) would say, without recording the proof.
    pub(crate) fn foresee(
        &self,
        owner: &[&[u8]],
        proof: ProofFingerprint,
        now: Duration,
    ) -> Replay {
        let ProofFingerprint(fingerprint) = proof;
        let owner = self.owner(owner);
        match self.shard(fingerprint) {
            Some(mut shard) => shard.foresee(fingerprint, owner, now),
            None => Replay::Full {
                retry_after: Duration::from_secs(1),
            },
        }
    }

    /// The fingerprint of a proof with this thumbprint of its key and this `jti`.
    pub(crate) fn fingerprint(&self, thumbprint: &[u8; 32], jti: &[u8]) -> ProofFingerprint {
        let mut hasher = self.proof_hasher.build_hasher();
        // The thumbprint has one length, so the concatenation is unambiguous.
        hasher.write(thumbprint);
        hasher.write(jti);
        ProofFingerprint(NonZeroU64::new(hasher.finish()).unwrap_or(NonZeroU64::MIN))
    }

    /// Entries, those included that have expired since the last use of their shard.
    pub(crate) fn len(&self) -> usize {
        let shards = self.shards.get().map(AsRef::as_ref).unwrap_or_default();
        shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// The number of proofs for which the store has places.
    pub(crate) const fn capacity(&self) -> usize {
        self.capacity
    }

    fn owner(&self, parts: &[&[u8]]) -> u32 {
        // Each part with its length.
        u32::try_from(self.owner_hasher.hash_one(parts) >> 32).unwrap_or_default()
    }

    fn shard(&self, fingerprint: NonZeroU64) -> Option<MutexGuard<'_, Shard>> {
        let shards = self.shards.get_or_init(|| shards(self.capacity));
        // A power of two.
        let mask = shards.len().saturating_sub(1);
        let bits = usize::try_from((fingerprint.get() >> SHARD_BITS) & 0xffff).unwrap_or_default();
        shards.get(bits & mask).map(lock)
    }
}

/// Shards that have this capacity together.
fn shards(capacity: usize) -> Box<[AlignedShard]> {
    let processors = available_parallelism().map_or(MOST_SHARDS, NonZeroUsize::get);
    let wanted = processors.saturating_mul(SHARDS_PER_PROCESSOR);
    let mut count = wanted.min(MOST_SHARDS).next_power_of_two();
    while count > 1 && capacity / count < LEAST_SHARD_CAPACITY {
        count /= 2;
    }
    let (each, rest) = (capacity / count, capacity % count);
    let shard = |at| AlignedShard(Mutex::new(Shard::new(each + usize::from(at < rest))));
    (0..count).map(shard).collect()
}

fn lock(shard: &AlignedShard) -> MutexGuard<'_, Shard> {
    // Poisoning is harmless: a panic could at most leave a fingerprint without an entry, and a proof
    // with a recorded fingerprint is refused.
    shard.0.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
impl ProofStore {
    /// Poisons the first lock.
    pub(super) fn panic_under_the_lock(&self) {
        let shards = self.shards.get().map(AsRef::as_ref).unwrap_or_default();
        let _guard = shards.first().map(lock);
        panic!("expected");
    }
}
