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

const fn limits(entries: usize, bytes: usize) -> CacheLimits {
    CacheLimits {
        entries,
        bytes,
        life: LIFE,
    }
}

fn cache(entries: usize, bytes: usize) -> TokenCache<usize> {
    TokenCache::new(limits(entries, bytes)).expect("randomness")
}

fn second_sight_cache(entries: usize, bytes: usize) -> TokenCache<usize> {
    TokenCache::with_second_sight(limits(entries, bytes)).expect("randomness")
}

fn keep(cache: &TokenCache<usize>, name: usize, bytes: usize) {
    keep_at(cache, name, bytes, NOW);
}

fn keep_at(cache: &TokenCache<usize>, name: usize, bytes: usize, now: Now) {
    let digest = cache.digest(&name.to_le_bytes()).expect("a digest");
    let mut known = Arc::new(Cached::unkept(
        name,
        CacheValidity::while_live(Liveness::default()),
    ));
    cache.keep(digest, &mut known, |_| bytes, now);
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
            cache.keep(digest(name), &mut known, |_| 1000, NOW);
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
        keep_at(&cache, name, 10, late);
    }
    let stats = cache.stats();
    assert!(stats.entries <= 16);
    assert!(stats.evictions - evicted <= 200 - 16 + 16, "{stats:?}");
}

/// A cache with the entries `0..most`, and those of them that it found room for.
fn full(most: usize, size: usize, bytes: usize) -> (TokenCache<usize>, Vec<usize>) {
    let cache = second_sight_cache(most, bytes);
    // The shards fill by chance: what is over goes where there is room.
    for name in 0..8 * most {
        keep(&cache, name, size);
    }
    let found = (0..8 * most).filter(|name| find(&cache, *name, NOW).is_some());
    let found = found.collect();
    (cache, found)
}

#[test]
fn full_cache_evicts_nothing_for_tokens_that_are_seen_once() {
    for (most, size, bytes) in [(320, 10, 1 << 20), (10_000, 1_000, 320 * 1_000)] {
        let (cache, found) = full(most, size, bytes);
        let before = cache.stats();
        assert_eq!(before.evictions, 0);
        assert_eq!(before.entries, found.len());
        assert!(before.entries > 300, "{before:?}");
        for stranger in 1_000_000..1_005_000 {
            keep(&cache, stranger, size);
        }
        let held = found
            .iter()
            .filter(|name| find(&cache, **name, NOW).is_some());
        assert_eq!(held.count(), found.len());
        // A collision of fingerprints may keep one.
        assert!(cache.stats().evictions <= 1, "{:?}", cache.stats());
    }
}

#[test]
fn full_cache_keeps_a_token_at_its_second_sight() {
    let (cache, _) = full(320, 10, 1 << 20);
    for name in 1_000_000..1_000_100 {
        keep(&cache, name, 10);
        assert_eq!(find(&cache, name, NOW), None);
        keep(&cache, name, 10);
        assert_eq!(find(&cache, name, NOW), Some(name));
    }
    let stats = cache.stats();
    assert_eq!(stats.evictions, 100);
    assert!(stats.entries <= 320, "{stats:?}");
}

#[test]
fn full_cache_counts_no_bytes_of_a_token_that_it_does_not_keep() {
    let (cache, _) = full(320, 10, 1 << 20);
    let digest = cache.digest(b"new").expect("a digest");
    let validity = CacheValidity::while_live(Liveness::default());
    let mut known = Arc::new(Cached::unkept(1, validity));
    cache.keep(digest, &mut known, |_| panic!("counted"), NOW);
    assert!(cache.find(digest, NOW).is_none());
}

#[test]
fn token_that_is_held_already_is_replaced_at_once_in_a_full_cache() {
    let (cache, found) = full(320, 10, 1 << 20);
    let entries = cache.stats().entries;
    let late = now(10 + LIFE_SECONDS - 1);
    for name in &found {
        keep_at(&cache, *name, 10, late);
    }
    let later = now(10 + LIFE_SECONDS + 1);
    let held = found
        .iter()
        .filter(|name| find(&cache, **name, later).is_some());
    assert_eq!(held.count(), found.len());
    assert_eq!(
        (cache.stats().entries, cache.stats().evictions),
        (entries, 0)
    );
}

#[test]
fn entries_that_have_ended_make_room_at_first_sight() {
    let (cache, _) = full(320, 10, 1 << 20);
    let late = now(11 + LIFE_SECONDS);
    let mut kept = 0;
    for name in 1_000_000..1_000_320 {
        keep_at(&cache, name, 10, late);
        kept += usize::from(find(&cache, name, late).is_some());
    }
    // A token whose set has none waits for its second sight.
    assert!(kept > 200, "{kept}");
    assert_eq!(cache.stats().evictions, 0);
}

#[test]
fn tokens_that_are_used_no_longer_make_room_for_others() {
    let (cache, old) = full(320, 10, 1 << 20);
    for _ in 0..5 {
        for name in &old {
            find(&cache, *name, NOW);
        }
    }
    let news = 1_000_000..1_000_160;
    for _ in 0..12 {
        for name in news.clone() {
            if find(&cache, name, NOW).is_none() {
                keep(&cache, name, 10);
            }
        }
    }
    let found = news.filter(|name| find(&cache, *name, NOW).is_some());
    let found = found.count();
    assert!(found > 150, "{found} of 160");
}

#[test]
fn tokens_in_use_stay_while_others_come_twice() {
    let (cache, old) = full(1_600, 10, 1 << 20);
    let used = &old[..100];
    for _ in 0..2 {
        for name in used {
            find(&cache, *name, NOW);
        }
    }
    for round in 0..100 {
        for stranger in 0..40 {
            let name = 1_000_000 + 40 * round + stranger;
            keep(&cache, name, 10);
            keep(&cache, name, 10);
        }
        for name in used {
            assert_eq!(find(&cache, *name, NOW), Some(*name), "round {round}");
        }
    }
    assert!(cache.stats().evictions > 3_000, "{:?}", cache.stats());
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
