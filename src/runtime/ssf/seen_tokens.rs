//! The ids of Security Event Tokens that took effect, so that a token that is sent again has none.
//!
//! 1. Ids are kept as 128 bits of a keyed hash: a transmitter cannot choose two that collide.
//! 2. Eviction is first in, first out: when the memory is full, the oldest id is forgotten. A token that
//!    comes again after that has its effect again, up to its own time, which changes nothing for
//!    tokens that were issued later.
//! 3. Each transmitter has a memory of its own, so an id is remembered with its issuer.

use std::collections::{HashSet, VecDeque};
use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The ids of one transmitter.
pub(crate) struct SeenTokens {
    most: usize,
    hashers: [std::hash::RandomState; 2],
    ids: Mutex<Ids>,
}

#[derive(Default)]
struct Ids {
    known: HashSet<u128>,
    oldest_first: VecDeque<u128>,
}

impl SeenTokens {
    /// How many ids are remembered.
    pub(crate) const fn most(&self) -> usize {
        self.most
    }

    /// A memory for so many ids. It takes room as they come, at most 50 bytes each.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            hashers: Default::default(),
            ids: Mutex::default(),
        }
    }

    pub(crate) fn contains(&self, id: &str) -> bool {
        self.ids().known.contains(&self.digest(id))
    }

    /// Remembers an id. Whether it is new.
    pub(crate) fn insert(&self, id: &str) -> bool {
        let digest = self.digest(id);
        let mut ids = self.ids();
        if !ids.known.insert(digest) {
            return false;
        }
        if ids.oldest_first.len() >= self.most {
            if let Some(oldest) = ids.oldest_first.pop_front() {
                ids.known.remove(&oldest);
            }
        }
        ids.oldest_first.push_back(digest);
        true
    }

    pub(crate) fn len(&self) -> usize {
        self.ids().oldest_first.len()
    }

    fn digest(&self, id: &str) -> u128 {
        let [high, low] = self.hashers.each_ref().map(|hasher| hasher.hash_one(id));
        (u128::from(high) << 64) | u128::from(low)
    }

    fn ids(&self) -> MutexGuard<'_, Ids> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oldest_id_is_forgotten_when_the_memory_is_full() {
        let seen = SeenTokens::new(2);
        assert!(seen.insert("a") && seen.insert("b"));
        assert!(!seen.insert("a"), "known");
        assert!(seen.insert("c"));
        assert_eq!(seen.len(), 2);
        assert!(!seen.contains("a"));
        assert!(seen.contains("b") && seen.contains("c"));
        assert!(seen.insert("a"), "forgotten");
    }
}
