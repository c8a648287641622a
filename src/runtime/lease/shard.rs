//! A part of the table: its leases, by the time of their end and by the names that revocations can name.
//!
//! A name is indexed by half of its hash, to save memory; the terms of a lease decide.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use crate::model::revocation::{Revocation, RevocationKind};
use crate::model::time::UnixTime;
use crate::runtime::lease::terms::LeaseTerms;

/// A part of the table.
pub(super) struct Shard<R> {
    /// Empty slots have a dangling handle.
    slots: Vec<Weak<R>>,
    free: Vec<u32>,
    names: BTreeSet<(u32, u32)>,
    ends: BTreeSet<(UnixTime, u32)>,
}

impl<R> Default for Shard<R> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            names: BTreeSet::new(),
            ends: BTreeSet::new(),
        }
    }
}

impl<R> Shard<R> {
    /// Adds a lease that is made for its slot.
    pub(super) fn insert(
        &mut self,
        terms: LeaseTerms,
        make: impl FnOnce(u32, LeaseTerms) -> Arc<R>,
    ) -> Arc<R> {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Weak::new());
            // The memory of a machine ends before the slots.
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        self.index(slot, &terms);
        let record = make(slot, terms);
        if let Some(place) = self.slots.get_mut(slot as usize) {
            *place = Arc::downgrade(&record);
        }
        record
    }

    /// Frees the slot of a lease that is gone.
    pub(super) fn remove(&mut self, slot: u32, terms: &LeaseTerms) {
        self.remove_index(slot, terms);
        if let Some(place) = self.slots.get_mut(slot as usize) {
            *place = Weak::new();
            self.free.push(slot);
        }
    }

    pub(super) fn index(&mut self, slot: u32, terms: &LeaseTerms) {
        self.ends.insert((terms.until, slot));
        for name in named(terms) {
            self.names.insert((half(name), slot));
        }
    }

    pub(super) fn remove_index(&mut self, slot: u32, terms: &LeaseTerms) {
        self.ends.remove(&(terms.until, slot));
        for name in named(terms) {
            self.names.remove(&(half(name), slot));
        }
    }

    /// The leases that may be concerned by a revocation whose name has this hash: all for one of a whole
    /// issuer.
    pub(super) fn candidates(&self, hash: u64, revocation: &Revocation) -> Vec<Arc<R>> {
        if revocation.kind() == RevocationKind::Issuer {
            return self.all();
        }
        let half = half(hash);
        let found = self.names.range((half, 0)..=(half, u32::MAX));
        found.filter_map(|(_, slot)| self.at(*slot)).collect()
    }

    /// The leases that end at this time or earlier.
    pub(super) fn due(&self, now: UnixTime) -> Vec<Arc<R>> {
        let due = self.ends.range(..=(now, u32::MAX));
        due.filter_map(|(_, slot)| self.at(*slot)).collect()
    }

    pub(super) fn all(&self) -> Vec<Arc<R>> {
        self.slots.iter().filter_map(Weak::upgrade).collect()
    }

    /// The earliest end.
    pub(super) fn first_end(&self) -> Option<UnixTime> {
        self.ends.first().map(|(end, _)| *end)
    }

    fn at(&self, slot: u32) -> Option<Arc<R>> {
        self.slots.get(slot as usize)?.upgrade()
    }
}

/// The names by which a lease is found. Every lease has the issuer's: a revocation of it looks at all.
fn named(terms: &LeaseTerms) -> impl Iterator<Item = u64> + '_ {
    let [names @ .., _issuer] = &terms.names;
    names.iter().copied().filter(|name| *name != 0)
}

#[allow(clippy::cast_possible_truncation)] // half of it is wanted
const fn half(hash: u64) -> u32 {
    (hash >> 32) as u32
}
