//! A key set as requests read it.

use std::ops::Deref;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::runtime::cache::validity::{CacheValidity, Liveness};
use crate::runtime::clock::{Deadline, Now};
use crate::runtime::jwks::fetch_key_set::FetchMetadata;
use crate::runtime::jwks::key_set_liveness::KeySetLiveness;
use crate::runtime::util::swap::{Guard, SwapCell};
use crate::verify::jose::jwk_set::KeySet;

/// The empty set, where none is loaded.
pub(crate) static NO_KEYS: LazyLock<KeySet> = LazyLock::new(KeySet::default);

/// A key set with what is known of it.
pub(super) struct Snapshot {
    pub(super) keys: Arc<KeySet>,
    pub(super) liveness: KeySetLiveness,
    pub(super) metadata: Arc<FetchMetadata>,
    /// The number of the fetch that brought or confirmed it; 0 for a stored copy, which no fetch of this
    /// process has confirmed.
    pub(super) fetch: u64,
    /// When that fetch started, or the copy was read.
    pub(super) confirmed: Now,
    /// The age that it had then.
    pub(super) earlier: Duration,
    /// The age up to which it is used.
    pub(super) max_age: Duration,
    /// How long it is fresh.
    pub(super) refresh: Duration,
}

impl Snapshot {
    /// Time since the fetch that brought or confirmed it.
    pub(super) fn age(&self, now: Now) -> Duration {
        self.earlier.saturating_add(self.confirmed.elapsed(now))
    }

    /// Until when it is used.
    pub(super) fn end(&self) -> Deadline {
        // At exactly the maximum age it is still used.
        let rest = self.max_age.saturating_sub(self.earlier);
        Deadline::after(self.confirmed, rest + Duration::from_nanos(1))
    }

    /// Whether it is a stored copy.
    pub(super) const fn is_copy(&self) -> bool {
        self.fetch == 0
    }
}

/// The set that requests read.
pub(super) struct CurrentSet(SwapCell<Snapshot>);

impl CurrentSet {
    pub(super) fn none() -> Self {
        Self(SwapCell::empty())
    }

    pub(super) fn load(&self) -> Guard<Snapshot> {
        self.0.load()
    }

    /// Replaces the set, and ends the liveness of the keys that the next one has not kept.
    pub(super) fn replace(&self, next: Option<&Arc<Snapshot>>) {
        let before = self.0.swap(next.map(Arc::clone));
        // INVARIANT: liveness ends after the swap, so that a request whose cached token has just ended
        // verifies it by the next set, and never by a removed key.
        if let Some(before) = before {
            let next = next.map(|next| &next.liveness);
            before.liveness.end_except(next);
        }
    }
}

/// The keys at one moment; the holder keeps the set alive.
pub(crate) struct KeySetGuard {
    pub(super) held: Guard<Snapshot>,
    pub(super) end: Deadline,
}

/// Which set it is: the number of the fetch that brought or confirmed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generation(pub(super) u64);

impl KeySetGuard {
    /// Which set was searched.
    pub(crate) fn searched(&self) -> Generation {
        Generation(self.held.as_ref().map_or(0, |snapshot| snapshot.fetch))
    }

    /// What a token depends on that the key at this index has verified: the liveness of the keys with
    /// the id that it named, or of the whole set, and the maximum staleness; beside them the liveness
    /// of the key itself.
    pub(crate) fn validity(&self, id: Option<&str>, index: usize) -> CacheValidity {
        match self.held.as_ref() {
            Some(snapshot) => {
                let liveness = &snapshot.liveness;
                CacheValidity::until(self.end, liveness.under(id).clone())
                    .by_key(liveness.of_key(index))
            }
            // INVARIANT: a guard is made of a snapshot that is there.
            None => CacheValidity::until(Deadline::PASSED, Liveness::default()),
        }
    }
}

impl Deref for KeySetGuard {
    type Target = KeySet;

    fn deref(&self) -> &KeySet {
        // INVARIANT: a guard is made of a snapshot that is there.
        self.held
            .as_ref()
            .map_or(&NO_KEYS, |snapshot| &snapshot.keys)
    }
}

#[cfg(portcullis_loom)]
#[cfg(test)]
mod loom_tests;
