use super::*;
use crate::model::time::UnixTime;
use crate::runtime::cache::validity::Liveness;

const LIFE_SECONDS: u32 = 300;
const LIFE: Duration = Duration::from_secs(LIFE_SECONDS as u64);
const NOW: Now = now(10);

const fn now(seconds: u32) -> Now {
    Now {
        wall: UnixTime::from_secs(1_800_000_000 + seconds as i64),
        monotonic: Duration::from_secs(seconds as u64),
    }
}

fn cache(entries: usize, bytes: usize) -> TokenCache<usize> {
    let limits = CacheLimits {
        entries,
        bytes,
        life: LIFE,
    };
    TokenCache::new(limits).expect("randomness")
}

fn keep(cache: &TokenCache<usize>, name: usize, bytes: usize) {
    let digest = cache.digest(&name.to_le_bytes()).expect("a digest");
    let mut known = Arc::new(Cached::unkept(
        name,
        CacheValidity::while_live(Liveness::default()),
    ));
    cache.keep(digest, &mut known, bytes, NOW);
}

fn find(cache: &TokenCache<usize>, name: usize, now: Now) -> Option<usize> {
    let digest = cache.digest(&name.to_le_bytes()).expect("a digest");
    cache.find(digest, now).map(|known| **known)
}

#[test]
fn a_digest_covers_every_byte_and_belongs_to_its_cache() {
    let (one, other) = (cache(1, 1 << 20), cache(1, 1 << 20));
    let of = |cache: &TokenCache<usize>, token: &[u8]| cache.digest(token).expect("a digest").0;
    let token: Vec<u8> = (b'A'..=b'Z').cycle().take(3000).collect();
    let whole = of(&one, &token);
    assert_eq!(of(&one, &token), whole);
    assert_ne!(of(&other, &token), whole, "under a secret of its own");
    for byte in [0, 1, 15, 16, 17, 1000, 2984, 2999] {
        let mut changed = token.clone();
        changed[byte] ^= 1;
        assert_ne!(of(&one, &changed), whole, "byte {byte}");
    }
    assert_ne!(of(&one, &token[..2999]), whole);
    assert_ne!(of(&one, &[&token[..], b"\0"].concat()), whole);
    assert_ne!(of(&one, b""), of(&one, b"\0"));
}

#[test]
fn a_full_cache_holds_what_it_may_and_finds_it() {
    const MOST: usize = 2000;
    let cache = cache(MOST, 1 << 30);
    for name in 0..MOST {
        keep(&cache, name, 1000);
    }
    let found = (0..MOST)
        .filter(|name| find(&cache, *name, NOW).is_some())
        .count();
    // Shards are filled by chance; what is over in one is not missing in all.
    assert!(found > MOST * 9 / 10, "{found} of {MOST}");
    for name in MOST..3 * MOST {
        keep(&cache, name, 1000);
    }
    let stats = cache.stats();
    assert!(stats.entries <= MOST.div_ceil(SHARDS) * SHARDS, "{stats:?}");
    assert_eq!(stats.bytes, stats.entries * 1000);
    assert!(stats.evictions > 0);
}

/// Digests of texts that differ in few bits differ in combinations of as few patterns.
#[test]
fn digests_that_differ_in_few_bits_take_many_places() {
    const MOST: usize = 2000;
    for shift in (64..=112).step_by(4) {
        let cache = cache(MOST, 1 << 30);
        let digest = |name: usize| TokenDigest((name as u128) << shift | name as u128);
        for name in 0..MOST {
            let mut known = Arc::new(Cached::unkept(
                name,
                CacheValidity::while_live(Liveness::default()),
            ));
            cache.keep(digest(name), &mut known, 1000, NOW);
        }
        let found = (0..MOST)
            .filter(|name| cache.find(digest(*name), NOW).is_some())
            .count();
        assert!(found > MOST * 9 / 10, "{found} of {MOST} at bit {shift}");
    }
}

#[test]
fn bytes_are_bounded_too_and_what_is_too_large_stays_out() {
    let cache = cache(1000, 16 * 10_000);
    for name in 0..1000 {
        keep(&cache, name, 3_000);
        assert!(cache.stats().bytes <= 16 * 10_000);
    }
    assert!(cache.stats().entries >= 16);
    let before = cache.stats().entries;
    keep(&cache, 5000, 10_001);
    assert_eq!(find(&cache, 5000, NOW), None);
    assert_eq!(cache.stats().entries, before, "and evicts nothing");
}

#[test]
fn ended_entries_are_replaced_first_and_do_not_count_as_evicted() {
    let cache = cache(16, 1 << 20);
    for name in 0..200 {
        keep(&cache, name, 10);
    }
    let evicted = cache.stats().evictions;
    let late = now(10 + LIFE_SECONDS);
    for name in 0..200 {
        assert_eq!(find(&cache, name, late), None);
    }
    for name in 200..400 {
        let digest = cache.digest(&usize::to_le_bytes(name)).expect("a digest");
        let mut known = Arc::new(Cached::unkept(
            name,
            CacheValidity::while_live(Liveness::default()),
        ));
        cache.keep(digest, &mut known, 10, late);
    }
    let stats = cache.stats();
    assert!(stats.entries <= 16);
    assert!(stats.evictions - evicted <= 200 - 16 + 16, "{stats:?}");
}

#[test]
fn concurrent_insertions_keep_the_bounds_and_find_their_own() {
    let cache = cache(64, 1 << 20);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let cache = &cache;
            scope.spawn(move || {
                for round in 0..2000 {
                    let name = thread * 10_000 + round % 40;
                    keep(cache, name, 100);
                    let found = find(cache, name, NOW);
                    assert!(found.is_none() || found == Some(name));
                    assert!(cache.stats().entries <= 64);
                }
            });
        }
    });
    let stats = cache.stats();
    assert_eq!(stats.bytes, stats.entries * 100);
}
