//! The token cache beside `quick_cache`.
//!
//! Both hold the same: an `Arc` of a value of 64 bytes with what it stands on, under the same
//! digests, and both check on each look-up that the entry has not ended and that its key is still
//! good, and count hits, misses and evictions, as the library needs it. The digest of a token is
//! made before and not counted.

use std::hash::{BuildHasherDefault, Hasher};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use quick_cache::sync::Cache;
use quick_cache::{Lifecycle, Weighter};

use crate::measure::{by_turns, cpu_time, each, each_beside, each_of_two, print, skewed};
use crate::model::time::UnixTime;
use crate::runtime::cache::token_cache::{CacheLimits, Cached, TokenCache, TokenDigest};
use crate::runtime::cache::validity::{CacheValidity, Liveness};
use crate::runtime::clock::{Deadline, Now};
use crate::runtime::util::striped::StripedCounter;

const NOW: Now = Now {
    wall: UnixTime::from_secs(1_800_000_000),
    monotonic: Duration::from_secs(10),
};
const LIFE: Duration = Duration::from_secs(300);
/// Nominal size of an entry, of which twice as much is allowed: the bound on entries is reached.
const BYTES: usize = 1000;
/// Calls of a round, that last a few milliseconds, so that most rounds are not interrupted.
const CALLS: usize = 1 << 15;
const ROUNDS: usize = 101;
/// The same for two threads, which have to find both cores free.
const SHORT: usize = 1 << 12;
const SHORT_ROUNDS: usize = 9;
/// Requests that are served while hits are counted.
const REQUESTS: usize = 1 << 18;

type Value = [u64; 8];

/// A cache as the library needs it.
trait Tokens: Sync {
    fn new(entries: usize, liveness: &Liveness) -> Self;
    /// The first word of the value.
    fn find(&self, digest: TokenDigest) -> Option<u64>;
    fn keep(&self, digest: TokenDigest, value: Value);
    fn entries(&self) -> usize;
}

struct Own {
    cache: TokenCache<Value>,
    validity: CacheValidity,
}

impl Tokens for Own {
    fn new(entries: usize, liveness: &Liveness) -> Self {
        let limits = CacheLimits {
            entries,
            bytes: entries * BYTES * 2,
            life: LIFE,
        };
        Self {
            cache: TokenCache::new(limits).expect("randomness"),
            validity: CacheValidity::while_live(liveness.clone()),
        }
    }

    fn find(&self, digest: TokenDigest) -> Option<u64> {
        let known = self.cache.find(digest, black_box(NOW))?;
        Some(known[0])
    }

    fn keep(&self, digest: TokenDigest, value: Value) {
        let mut known = Arc::new(Cached::unkept(value, self.validity.clone()));
        self.cache.keep(digest, &mut known, |_| BYTES, black_box(NOW));
    }

    fn entries(&self) -> usize {
        self.cache.stats().entries
    }
}

/// `quick_cache`, and around it what it has not: the end of an entry, the life of its key, the
/// two bounds, and the counts.
struct Quick {
    cache: Cache<TokenDigest, Arc<Kept>, Weight, BuildHasherDefault<Low>, Evictions>,
    liveness: Liveness,
    hits: StripedCounter,
    misses: StripedCounter,
}

struct Kept {
    value: Value,
    liveness: Liveness,
    end: Deadline,
    bytes: u32,
}

impl Kept {
    fn holds(&self, now: Now) -> bool {
        !self.end.has_passed(now) && self.liveness.is_live()
    }
}

/// The bound on bytes; and as an entry weighs at least a share of it, the bound on entries.
#[derive(Clone)]
struct Weight {
    least: u64,
}

impl Weighter<TokenDigest, Arc<Kept>> for Weight {
    fn weight(&self, _: &TokenDigest, kept: &Arc<Kept>) -> u64 {
        u64::from(kept.bytes).max(self.least)
    }
}

/// The low half of a digest: it is random already.
#[derive(Default)]
struct Low(u64);

impl Hasher for Low {
    fn write(&mut self, _: &[u8]) {
        unreachable!("a digest is a number");
    }

    fn write_u128(&mut self, digest: u128) {
        self.0 = digest as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Counts, and lets what was evicted be dropped after the lock.
#[derive(Clone, Default)]
struct Evictions(Arc<AtomicU64>);

impl Lifecycle<TokenDigest, Arc<Kept>> for Evictions {
    type RequestState = Option<Arc<Kept>>;

    fn on_evict(&self, state: &mut Self::RequestState, _: TokenDigest, kept: Arc<Kept>) {
        if kept.holds(NOW) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        *state = Some(kept);
    }
}

impl Tokens for Quick {
    fn new(entries: usize, liveness: &Liveness) -> Self {
        let bytes = (entries * BYTES * 2) as u64;
        let least = bytes / entries as u64;
        Self {
            cache: Cache::with(
                entries,
                bytes,
                Weight { least },
                BuildHasherDefault::default(),
                Evictions::default(),
            ),
            liveness: liveness.clone(),
            hits: StripedCounter::default(),
            misses: StripedCounter::default(),
        }
    }

    fn find(&self, digest: TokenDigest) -> Option<u64> {
        let kept = self.cache.get(&digest);
        let kept = kept.filter(|kept| kept.holds(black_box(NOW)));
        if kept.is_some() {
            self.hits.increment();
        } else {
            self.misses.increment();
        }
        Some(kept?.value[0])
    }

    fn keep(&self, digest: TokenDigest, value: Value) {
        let kept = Kept {
            value,
            liveness: self.liveness.clone(),
            end: Deadline::NEVER.min(Deadline::after(black_box(NOW), LIFE)),
            bytes: BYTES as u32,
        };
        self.cache.insert(digest, Arc::new(kept));
    }

    fn entries(&self) -> usize {
        self.cache.len()
    }
}

/// Digests of tokens by their number.
struct Digests(TokenCache<()>);

impl Digests {
    fn new() -> Self {
        let limits = CacheLimits {
            entries: 1,
            bytes: 1,
            life: LIFE,
        };
        Self(TokenCache::new(limits).expect("randomness"))
    }

    fn of(&self, number: usize) -> TokenDigest {
        self.0.digest(&number.to_le_bytes()).expect("a digest")
    }

    fn all(&self, numbers: impl Iterator<Item = usize>) -> Vec<TokenDigest> {
        numbers.map(|number| self.of(number)).collect()
    }
}

/// A cache of `capacity`, after the first `count` tokens came in.
fn filled<C: Tokens>(capacity: usize, count: usize, digests: &Digests, liveness: &Liveness) -> C {
    let cache = C::new(capacity, liveness);
    for number in 0..count {
        cache.keep(digests.of(number), [1; 8]);
    }
    cache
}

/// How many of these are found.
fn found<C: Tokens>(cache: &C, digests: &[TokenDigest]) -> usize {
    digests
        .iter()
        .filter(|digest| black_box(cache.find(**digest)).is_some())
        .count()
}

fn keep_all<C: Tokens>(cache: &C, digests: &[TokenDigest]) {
    for digest in digests {
        cache.keep(*digest, [1; 8]);
    }
}

/// Nanoseconds of a request, and how many in a hundred of the tokens that come back are found:
/// tokens out of ten times the capacity come in skewed order, and stay where they were missed.
/// `strangers` tokens that are seen once come before each.
fn served<C: Tokens>(entries: usize, strangers: usize, digests: &Digests, liveness: &Liveness) -> [f64; 2] {
    let warm = entries * 2 / (1 + strangers);
    let count = warm + REQUESTS;
    let regular = digests.all(skewed(entries * 10, count, 5));
    let cache = C::new(entries, liveness);
    for number in 0..entries {
        cache.keep(digests.of(number + (1 << 41)), [1; 8]);
    }
    let mut stranger = usize::MAX / 2;
    let mut serve = |regular: &[TokenDigest]| {
        let mut hits = 0;
        for digest in regular {
            for _ in 0..strangers {
                stranger += 1;
                let digest = digests.of(stranger);
                if cache.find(digest).is_none() {
                    cache.keep(digest, [1; 8]);
                }
            }
            if cache.find(*digest).is_some() {
                hits += 1;
            } else {
                cache.keep(*digest, [1; 8]);
            }
        }
        hits
    };
    serve(&regular[..warm]);
    let mut hits = 0;
    let time = each(REQUESTS, || hits = serve(&regular[warm..]));
    [time, hits as f64 * 100.0 / REQUESTS as f64]
}

/// A reader's CPU nanoseconds while another thread brings new tokens to a full cache.
fn read_beside_writer<C: Tokens>(
    cache: &C,
    reads: &[TokenDigest],
    mut next: impl FnMut() -> Option<TokenDigest> + Send,
) -> [f64; 1] {
    // What the writer has driven out in the round before comes back.
    for digest in reads {
        if cache.find(*digest).is_none() {
            cache.keep(*digest, [1; 8]);
        }
    }
    let read = || _ = found(cache, reads);
    let write = || {
        if let Some(digest) = next() {
            cache.keep(digest, [1; 8]);
        }
    };
    [each_beside(reads.len(), read, write)]
}

/// CPU microseconds of the longest insertion on the way from an empty cache to a full one.
fn longest<C: Tokens>(entries: usize, digests: &Digests, liveness: &Liveness) -> [f64; 1] {
    let cache = C::new(entries, liveness);
    let longest = (0..entries).map(|number| {
        let digest = digests.of(number);
        let start = cpu_time();
        cache.keep(digest, [1; 8]);
        cpu_time() - start
    });
    [longest.max().unwrap_or_default() as f64 / 1000.0]
}

/// Bytes that the structure asks for, for each entry, without an entry's own `Arc` in its smaller
/// form, when it is full and twice as many have come as fit.
fn memory<C: Tokens>(entries: usize, digests: &Digests, liveness: &Liveness) -> [f64; 2] {
    let mut cache = None;
    let held = allocation_counter::measure(|| {
        cache = Some(filled::<C>(entries, entries * 2, digests, liveness));
    });
    let count = cache.as_ref().map_or(0, Tokens::entries) as f64;
    let own = 16 + size_of::<Kept>();
    let share = held.bytes_current as f64 / count;
    [share - own as f64, count * 100.0 / entries as f64]
}

pub(crate) fn compare(entries: usize) {
    let digests = &Digests::new();
    let liveness = &Liveness::default();
    // Where every token is in: as tokens that fit.
    let own: Own = filled(entries * 2, entries, digests, liveness);
    let quick: Quick = filled(entries * 2, entries, digests, liveness);
    let hits = digests.all(skewed(entries, CALLS * 8, 3));
    let misses = digests.all(entries..entries + CALLS * 8);
    for (name, count) in [
        ("own", found(&own, &hits)),
        ("quick_cache", found(&quick, &hits)),
    ] {
        eprintln!("{name}: {count} of {} found of what is in", hits.len());
    }
    let one = |all: &dyn Fn()| [each(CALLS, all)];
    for (name, digests) in [("hit", &hits), ("miss", &misses)] {
        let (mut of_own, mut of_quick) = (parts(digests, CALLS), parts(digests, CALLS));
        let all = by_turns(
            ROUNDS,
            &mut [
                &mut || {
                    let digests = of_own();
                    one(&|| _ = found(&own, digests))
                },
                &mut || {
                    let digests = of_quick();
                    one(&|| _ = found(&quick, digests))
                },
            ],
        );
        print([name], &all);
    }
    let (one_part, other_part) = (&hits[..SHORT], &hits[SHORT..2 * SHORT]);
    let halves = [one_part, other_part];
    let all = by_turns(
        SHORT_ROUNDS,
        &mut [
            &mut || [each_of_two(SHORT, |thread| _ = found(&own, halves[thread]))],
            &mut || {
                [each_of_two(SHORT, |thread| {
                    _ = found(&quick, halves[thread])
                })]
            },
        ],
    );
    print(["hit, two threads"], &all);
    drop((own, quick));

    // Where the next drives out another one.
    let own: Own = filled(entries, entries * 2, digests, liveness);
    let quick: Quick = filled(entries, entries * 2, digests, liveness);
    let first = entries * 2;
    let news = digests.all(first..first + entries.max(CALLS * 16) * 2);
    let (mut of_own, mut of_quick) = (parts(&news, CALLS), parts(&news, CALLS));
    let all = by_turns(
        ROUNDS,
        &mut [
            &mut || {
                let digests = of_own();
                one(&|| keep_all(&own, digests))
            },
            &mut || {
                let digests = of_quick();
                one(&|| keep_all(&quick, digests))
            },
        ],
    );
    print(["insertion, one evicted"], &all);
    let (of_own, of_quick) = (shared_parts(&news, SHORT), shared_parts(&news, SHORT));
    let all = by_turns(
        SHORT_ROUNDS,
        &mut [
            &mut || [each_of_two(SHORT, |_| keep_all(&own, of_own()))],
            &mut || [each_of_two(SHORT, |_| keep_all(&quick, of_quick()))],
        ],
    );
    print(["insertion, two threads"], &all);
    // A third of the capacity comes back again and again.
    let reads = digests.all(skewed(entries / 3, SHORT, 6).map(|number| number + (1 << 40)));
    let (mut of_own, mut of_quick) = (news.iter().cycle(), news.iter().cycle());
    let all = by_turns(
        SHORT_ROUNDS,
        &mut [
            &mut || read_beside_writer(&own, &reads, || of_own.next().copied()),
            &mut || read_beside_writer(&quick, &reads, || of_quick.next().copied()),
        ],
    );
    print(["look-up beside a writer"], &all);
    drop((own, quick));

    for (strangers, names) in [
        (0, ["request, ten times the capacity", "found %"]),
        (
            1,
            ["request, behind a stranger", "found behind a stranger %"],
        ),
        (
            10,
            [
                "request, behind ten strangers",
                "found behind ten strangers %",
            ],
        ),
    ] {
        let all = by_turns(
            1,
            &mut [
                &mut || served::<Own>(entries, strangers, digests, liveness),
                &mut || served::<Quick>(entries, strangers, digests, liveness),
            ],
        );
        print(names, &all);
    }
    let all = by_turns(
        3,
        &mut [&mut || longest::<Own>(entries, digests, liveness), &mut || {
            longest::<Quick>(entries, digests, liveness)
        }],
    );
    print(["longest insertion, from none, us"], &all);
    let all = by_turns(
        1,
        &mut [&mut || memory::<Own>(entries, digests, liveness), &mut || {
            memory::<Quick>(entries, digests, liveness)
        }],
    );
    print(
        ["bytes an entry beside it", "entries held % of the bound"],
        &all,
    );
}

/// One part of so many after the other, without an end.
fn parts<'a>(all: &'a [TokenDigest], count: usize) -> impl FnMut() -> &'a [TokenDigest] {
    let mut parts = all.chunks_exact(count).cycle();
    move || parts.next().unwrap_or_default()
}

/// The same for several threads.
fn shared_parts<'a>(all: &'a [TokenDigest], count: usize) -> impl Fn() -> &'a [TokenDigest] + Sync {
    let next = AtomicUsize::new(0);
    move || {
        let part = next.fetch_add(1, Ordering::Relaxed) % (all.len() / count);
        &all[part * count..(part + 1) * count]
    }
}

/// Calls for callgrind, at 10,000 entries. Whether there is such a call.
pub(crate) fn count(owner: &str, call: &str, calls: usize) -> bool {
    match owner {
        "own" => count_of::<Own>(call, calls),
        "quick_cache" => count_of::<Quick>(call, calls),
        _ => false,
    }
}

fn count_of<C: Tokens>(call: &str, calls: usize) -> bool {
    const ENTRIES: usize = 10_000;
    const MOST: usize = 20_000;
    let digests = &Digests::new();
    let liveness = &Liveness::default();
    let numbers: Vec<usize> = match call {
        "hit" => skewed(ENTRIES, MOST, 3).collect(),
        "miss" | "insert" => (ENTRIES * 3..ENTRIES * 3 + MOST).collect(),
        _ => return false,
    };
    let sequence = digests.all(numbers.into_iter());
    if call == "insert" {
        let cache: C = filled(ENTRIES, ENTRIES * 2, digests, liveness);
        keep_all(&cache, &sequence[..calls]);
    } else {
        let cache: C = filled(ENTRIES * 2, ENTRIES, digests, liveness);
        black_box(found(&cache, &sequence[..calls]));
    }
    true
}
