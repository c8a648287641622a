//! Recent sightings of tokens that a full cache did not keep.
//!
//! 1. A sighting is a fingerprint, a part of the digest. Each bucket has the last fifteen of the digests
//!    that lead to it, so a sighting is forgotten after as many new ones as the table has places.
//! 2. It is read and written without a lock, by look-ups that found nothing. Where two threads write one
//!    place at once, a sighting is lost.
//! 3. It admits nothing: two digests with one fingerprint, or a lost sighting, at most change whether a
//!    token that has passed every check is kept.

use crate::runtime::cache::cache_set::scaled;
use crate::runtime::util::sync::{AtomicU32, Ordering};

/// Sightings of a bucket. With the place of the next one they take one cache line.
const PLACES: u32 = if cfg!(portcullis_loom) { 2 } else { 15 };

/// The table.
pub(super) struct Sightings(Vec<Bucket>);

#[derive(Debug, Default)]
#[repr(align(64))]
struct Bucket {
    /// 0: none.
    fingerprints: [AtomicU32; PLACES as usize],
    next: AtomicU32,
}

impl Sightings {
    /// A table with places for at least so many.
    pub(super) fn with_places(places: usize) -> Self {
        let buckets = places.div_ceil(PLACES as usize).max(1);
        Self((0..buckets).map(|_| Bucket::default()).collect())
    }

    /// Records a sighting. `spread` chooses the bucket. Returns whether an earlier one is remembered.
    pub(super) fn record(&self, spread: u64, fingerprint: u32) -> bool {
        let Some(bucket) = self.0.get(scaled(spread, self.0.len())) else {
            return false;
        };
        let fingerprint = fingerprint.max(1);
        let mut held = bucket.fingerprints.iter();
        if held.any(|held| held.load(Ordering::Relaxed) == fingerprint) {
            return true;
        }
        let next = bucket.next.load(Ordering::Relaxed);
        if let Some(place) = bucket.fingerprints.get(next as usize) {
            place.store(fingerprint, Ordering::Relaxed);
        }
        bucket.next.store((next + 1) % PLACES, Ordering::Relaxed);
        false
    }
}

#[cfg(not(portcullis_loom))]
#[cfg(test)]
mod tests {
    use super::*;

    /// A bucket with one place for each of `PLACES`.
    fn one_bucket() -> Sightings {
        Sightings::with_places(1)
    }

    #[test]
    fn sighting_is_remembered_until_as_many_new_ones_came_as_fit() {
        let table = one_bucket();
        assert!(!table.record(0, 100));
        for other in 1..PLACES {
            assert!(!table.record(0, other));
            assert!(table.record(0, 100), "after {other} others");
        }
        assert!(!table.record(0, PLACES));
        assert!(!table.record(0, 100), "forgotten");
        assert!(table.record(0, 100));
    }

    #[test]
    fn sightings_of_other_buckets_are_not_forgotten() {
        let table = Sightings::with_places(2 * PLACES as usize);
        assert!(!table.record(0, 1));
        for other in 2..1_000 {
            table.record(u64::MAX, other);
        }
        assert!(table.record(0, 1));
    }

    #[test]
    fn fingerprint_of_zeros_is_one_like_any_other() {
        let table = one_bucket();
        assert!(!table.record(0, 0));
        assert!(table.record(0, 0));
    }

    #[test]
    fn buckets_take_one_cache_line() {
        assert_eq!(size_of::<Bucket>(), 64);
    }
}
