//! A map of entries that end, of bounded size.
//!
//! 1. An entry that has ended is not found, and it is dropped when the map has doubled since it was last
//!    cleaned.
//! 2. A full map drops its oldest tenth.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

use crate::time::UnixTime;

/// Entries by key, each with its end.
pub(super) struct ExpiringMap<K, V> {
    entries: HashMap<K, Entry<V>>,
    limit: usize,
    next_cleaning: usize,
    arrivals: u64,
}

struct Entry<V> {
    value: V,
    expires_at: UnixTime,
    arrival: u64,
}

/// The end of an entry that has none.
pub(super) const NEVER: UnixTime = UnixTime::from_secs(i64::MAX);

const FIRST_CLEANING: usize = 1024;

impl<K: Hash + Eq, V> ExpiringMap<K, V> {
    /// A map of at most so many entries, 10 or more.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            entries: HashMap::new(),
            limit,
            next_cleaning: FIRST_CLEANING.min(limit),
            arrivals: 0,
        }
    }

    /// Adds an entry, in place of one with this key.
    pub(super) fn insert(&mut self, key: K, value: V, expires_at: UnixTime, now: UnixTime) {
        if self.entries.len() >= self.next_cleaning {
            self.clean(now);
        }
        self.arrivals += 1;
        let arrival = self.arrivals;
        let entry = Entry {
            value,
            expires_at,
            arrival,
        };
        self.entries.insert(key, entry);
    }

    pub(super) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q, now: UnixTime) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let entry = self.entries.get(key)?;
        (now < entry.expires_at).then_some(&entry.value)
    }

    pub(super) fn get_mut<Q: Hash + Eq + ?Sized>(
        &mut self,
        key: &Q,
        now: UnixTime,
    ) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let entry = self.entries.get_mut(key)?;
        (now < entry.expires_at).then_some(&mut entry.value)
    }

    /// Sets the end of an entry.
    pub(super) fn extend<Q: Hash + Eq + ?Sized>(&mut self, key: &Q, expires_at: UnixTime)
    where
        K: Borrow<Q>,
    {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.expires_at = expires_at;
        }
    }

    pub(super) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.entries.remove(key).map(|entry| entry.value)
    }

    /// The entries that have not ended, in no order.
    pub(super) fn iter(&self, now: UnixTime) -> impl Iterator<Item = (&K, &V)> {
        let good = self.entries.iter();
        good.filter(move |(_, entry)| now < entry.expires_at)
            .map(|(key, entry)| (key, &entry.value))
    }

    /// Keeps the entries that fit.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        self.entries.retain(|key, entry| keep(key, &entry.value));
    }

    /// The same, to change them.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.values_mut().map(|entry| &mut entry.value)
    }

    fn clean(&mut self, now: UnixTime) {
        self.entries.retain(|_, entry| now < entry.expires_at);
        if self.entries.len() >= self.limit {
            let mut arrivals: Vec<u64> = self.entries.values().map(|entry| entry.arrival).collect();
            let tenth = arrivals.len() / 10;
            let (_, last, _) = arrivals.select_nth_unstable(tenth);
            let last = *last;
            self.entries.retain(|_, entry| entry.arrival > last);
        }
        self.next_cleaning =
            (self.entries.len() * 2).clamp(FIRST_CLEANING.min(self.limit), self.limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1000);
    const LATER: UnixTime = UnixTime::from_secs(2000);

    #[test]
    fn an_entry_is_found_until_its_end() {
        let mut map = ExpiringMap::new(100);
        map.insert("a", 1, LATER, NOW);
        map.insert("b", 2, NEVER, NOW);
        assert_eq!((map.get("a", NOW), map.get("a", LATER)), (Some(&1), None));
        assert_eq!(map.get("b", LATER), Some(&2));
        assert_eq!(map.iter(LATER).count(), 1);
        assert_eq!(map.remove("a"), Some(1));
    }

    #[test]
    fn a_full_map_drops_what_has_ended_then_its_oldest_entries() {
        let mut map = ExpiringMap::new(100);
        for key in 0..50 {
            map.insert(key, (), LATER, NOW);
        }
        for key in 50..1000 {
            map.insert(key, (), NEVER, LATER);
            assert!(map.entries.len() <= 100);
            assert!(map.get(&key, LATER).is_some());
        }
        assert!(map.get(&950, LATER).is_some());
        assert!(map.get(&800, LATER).is_none());
        let mut large = ExpiringMap::new(100_000);
        for key in 0..5000 {
            large.insert(key, (), LATER, if key < 3000 { NOW } else { LATER });
        }
        assert!(large.entries.len() < 3000, "{}", large.entries.len());
    }
}
