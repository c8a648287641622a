//! Models of a set of the cache: look-ups while entries are inserted, evicted and cleared.

use std::time::Duration;

use loom::thread;

use super::*;
use crate::model::time::UnixTime;
use crate::runtime::cache::validity::Liveness;

const NOW: Now = Now {
    wall: UnixTime::from_secs(1_800_000_000),
    monotonic: Duration::from_secs(10),
};

/// Both have one tag, the lower half.
const ONE: TokenDigest = TokenDigest(7);
const OTHER: TokenDigest = TokenDigest(1 << 64 | 7);

const fn limits(entries: usize) -> CacheLimits {
    CacheLimits {
        entries,
        bytes: 100,
        life: Duration::from_secs(60),
    }
}

fn cache(entries: usize) -> Arc<TokenCache<u128>> {
    Arc::new(TokenCache::new(limits(entries)).expect("randomness"))
}

fn keep(cache: &TokenCache<u128>, digest: TokenDigest) {
    let validity = CacheValidity::while_live(Liveness::default());
    let mut value = Arc::new(Cached::unkept(digest.0, validity));
    cache.keep(digest, &mut value, |_| 1, NOW);
}

fn find(cache: &TokenCache<u128>, digest: TokenDigest) -> Option<u128> {
    cache.find(digest, NOW).map(|value| **value)
}

/// A look-up finds the value of its token or none, also while the slot changes its entry, and the
/// bounds and the bookkeeping hold.
#[test]
fn loom_cache_finds_no_other_tokens_value() {
    loom::model(|| {
        let cache = cache(1);
        keep(&cache, ONE);
        let writer = {
            let cache = Arc::clone(&cache);
            thread::spawn(move || keep(&cache, OTHER))
        };
        let found = find(&cache, ONE);
        assert!(found.is_none_or(|value| value == ONE.0));
        let found = find(&cache, OTHER);
        assert!(found.is_none_or(|value| value == OTHER.0));
        writer.join().expect("no panic");
        let stats = cache.stats();
        assert_eq!((stats.entries, stats.bytes), (1, 1));
        assert_eq!(find(&cache, OTHER), Some(OTHER.0));
    });
}

/// Of two insertions at once one may be skipped; neither exceeds the bounds.
#[test]
fn loom_concurrent_insertions_keep_the_bounds() {
    loom::model(|| {
        let cache = cache(1);
        let writer = {
            let cache = Arc::clone(&cache);
            thread::spawn(move || keep(&cache, ONE))
        };
        keep(&cache, OTHER);
        assert!(cache.stats().entries <= 1);
        writer.join().expect("no panic");
        let stats = cache.stats();
        assert_eq!((stats.entries, stats.bytes), (1, 1));
        let found = [ONE, OTHER].map(|digest| find(&cache, digest).is_some());
        assert_eq!(found.into_iter().filter(|found| *found).count(), 1);
    });
}

/// A full cache evicts for a token that two requests bring at once, or for none of them; what it finds is
/// the token's own, and a later sight keeps it.
#[test]
fn loom_concurrent_sightings_keep_the_token_or_not_and_admit_no_other() {
    loom::model(|| {
        let cache = TokenCache::with_second_sight(limits(1)).expect("randomness");
        let cache = Arc::new(cache);
        keep(&cache, ONE);
        let other = {
            let cache = Arc::clone(&cache);
            thread::spawn(move || keep(&cache, OTHER))
        };
        keep(&cache, OTHER);
        let found = find(&cache, OTHER);
        assert!(found.is_none_or(|value| value == OTHER.0));
        other.join().expect("no panic");
        keep(&cache, OTHER);
        assert_eq!(find(&cache, OTHER), Some(OTHER.0));
        let stats = cache.stats();
        assert_eq!((stats.entries, stats.bytes), (1, 1));
    });
}
