//! The read-mostly table beside `papaya`, three times: as a map from a hash to an `Arc` of the entry, and
//! from what an entry is about to when it ends, which is how the revocation list would use it,
//! since several entries may have one hash; the latter with both ways of growing.
//!
//! All are written to under a lock, as the list does, which bounds its entries and numbers its
//! changes. A request looks seven names of a token up under one guard, and usually finds none.

use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use papaya::{HashMap, ResizeMode};

use crate::measure::{by_turns, cpu_time, each, each_of_two, print, skewed, spread};
use crate::runtime::util::read_mostly_table::{WriterStats, Table};

/// Names of a token.
const NAMES: usize = 7;
/// Tokens of a round.
const CALLS: usize = 1 << 16;
/// Look-ups of a round, which lasts a few milliseconds.
const PART: usize = 1 << 13;
const ROUNDS: usize = 101;
/// The same for two threads, which have to find both cores free.
const SHORT: usize = 1 << 11;
const SHORT_ROUNDS: usize = 9;
/// Rounds in which a whole table is made.
const LONG_ROUNDS: usize = 3;
const NOW: u64 = 10;

/// As much of a revocation as a look-up reads.
#[derive(Clone)]
struct Entry {
    id: u64,
    end: u64,
}

impl Entry {
    const fn new(id: u64) -> Self {
        Self { id, end: 1000 }
    }

    const fn hash(&self) -> u64 {
        spread(self.id)
    }

    fn is(&self, id: u64) -> bool {
        self.id == id && black_box(NOW) < self.end
    }
}

trait Entries: Sync {
    fn new() -> Self;
    /// Makes room for so many.
    fn reserve(&self, entries: usize);
    /// Adds an entry that is not there yet, which is looked up first.
    fn add(&self, id: u64);
    /// Puts an entry in the place of one that is there.
    fn replace(&self, id: u64);
    fn has(&self, id: u64) -> bool;
    fn has_any(&self, ids: [u64; NAMES]) -> bool;
}

struct Own {
    table: Table<Entry>,
    writer: Mutex<WriterStats>,
}

impl Entries for Own {
    fn new() -> Self {
        Self {
            table: Table::new(),
            writer: Mutex::new(WriterStats::default()),
        }
    }

    fn reserve(&self, entries: usize) {
        let mut fill = self.writer.lock().expect("no panic");
        self.table.reserve(entries, &mut fill, Entry::hash);
    }

    fn add(&self, id: u64) {
        let mut fill = self.writer.lock().expect("no panic");
        let entry = Entry::new(id);
        let hash = entry.hash();
        if self.table.read().find(hash, |one| one.id == id).is_none() {
            let entry = Arc::new(entry);
            self.table.insert(hash, entry, &mut fill, Entry::hash);
        }
    }

    fn replace(&self, id: u64) {
        let _writer = self.writer.lock().expect("no panic");
        let entry = Arc::new(Entry::new(id));
        self.table.replace(entry.hash(), entry, |one| one.id == id);
    }

    fn has(&self, id: u64) -> bool {
        let reader = self.table.read();
        reader.find(spread(id), |one| one.is(id)).is_some()
    }

    fn has_any(&self, ids: [u64; NAMES]) -> bool {
        let reader = self.table.read();
        ids.into_iter()
            .any(|id| reader.find(spread(id), |one| one.is(id)).is_some())
    }
}

/// A hash is random already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, _: &[u8]) {
        unreachable!("a hash is a number");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

type Hashed = BuildHasherDefault<AsItIs>;

/// From a hash to an `Arc`.
struct Arcs {
    map: HashMap<u64, Arc<Entry>, Hashed>,
    writer: Mutex<()>,
}

impl Entries for Arcs {
    fn new() -> Self {
        Self {
            map: HashMap::default(),
            writer: Mutex::new(()),
        }
    }

    fn reserve(&self, entries: usize) {
        self.map.reserve(entries, &self.map.guard());
    }

    fn add(&self, id: u64) {
        let _writer = self.writer.lock().expect("no panic");
        let entry = Entry::new(id);
        let (hash, guard) = (entry.hash(), self.map.guard());
        if self.map.get(&hash, &guard).is_none() {
            self.map.insert(hash, Arc::new(entry), &guard);
        }
    }

    fn replace(&self, id: u64) {
        let _writer = self.writer.lock().expect("no panic");
        let entry = Entry::new(id);
        self.map
            .insert(entry.hash(), Arc::new(entry), &self.map.guard());
    }

    fn has(&self, id: u64) -> bool {
        let guard = self.map.guard();
        let found = self.map.get(&spread(id), &guard);
        found.is_some_and(|one| one.is(id))
    }

    fn has_any(&self, ids: [u64; NAMES]) -> bool {
        let guard = self.map.guard();
        ids.into_iter().any(|id| {
            let found = self.map.get(&spread(id), &guard);
            found.is_some_and(|one| one.is(id))
        })
    }
}

/// What an entry is about.
struct Subject {
    hash: u64,
    id: u64,
}

impl Hash for Subject {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl PartialEq for Subject {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Subject {}

impl Subject {
    const fn new(id: u64) -> Self {
        Self {
            hash: spread(id),
            id,
        }
    }
}

/// From what an entry is about to its end.
struct Inline {
    map: HashMap<Subject, u64, Hashed>,
    writer: Mutex<()>,
}

impl Entries for Inline {
    fn new() -> Self {
        Self {
            map: HashMap::default(),
            writer: Mutex::new(()),
        }
    }

    fn reserve(&self, entries: usize) {
        self.map.reserve(entries, &self.map.guard());
    }

    fn add(&self, id: u64) {
        let _writer = self.writer.lock().expect("no panic");
        let (subject, guard) = (Subject::new(id), self.map.guard());
        if !self.map.contains_key(&subject, &guard) {
            self.map.insert(subject, Entry::new(id).end, &guard);
        }
    }

    fn replace(&self, id: u64) {
        let _writer = self.writer.lock().expect("no panic");
        let guard = self.map.guard();
        self.map
            .insert(Subject::new(id), Entry::new(id).end, &guard);
    }

    fn has(&self, id: u64) -> bool {
        let guard = self.map.guard();
        let found = self.map.get(&Subject::new(id), &guard);
        found.is_some_and(|end| black_box(NOW) < *end)
    }

    fn has_any(&self, ids: [u64; NAMES]) -> bool {
        let guard = self.map.guard();
        ids.into_iter().any(|id| {
            let found = self.map.get(&Subject::new(id), &guard);
            found.is_some_and(|end| black_box(NOW) < *end)
        })
    }
}

/// The same, where the writer that makes the map grow copies all of it at once, instead of each
/// writer a part: while a map is half copied, names that are in neither half are looked up in both.
struct Blocking(Inline);

impl Entries for Blocking {
    fn new() -> Self {
        let map = HashMap::builder()
            .hasher(Hashed::default())
            .resize_mode(ResizeMode::Blocking)
            .build();
        Self(Inline {
            map,
            writer: Mutex::new(()),
        })
    }

    fn reserve(&self, entries: usize) {
        self.0.reserve(entries);
    }

    fn add(&self, id: u64) {
        self.0.add(id);
    }

    fn replace(&self, id: u64) {
        self.0.replace(id);
    }

    fn has(&self, id: u64) -> bool {
        self.0.has(id)
    }

    fn has_any(&self, ids: [u64; NAMES]) -> bool {
        self.0.has_any(ids)
    }
}

fn filled<E: Entries>(entries: usize) -> E {
    let made = E::new();
    (0..entries as u64).for_each(|id| made.add(id));
    made
}

/// The same with room for twice as many, so that places are about as full in all.
fn roomy<E: Entries>(entries: usize) -> E {
    let made = E::new();
    made.reserve(entries * 2);
    (0..entries as u64).for_each(|id| made.add(id));
    made
}

fn look<E: Entries>(entries: &E, ids: &[u64]) {
    for id in ids {
        black_box(entries.has(*id));
    }
}

fn look_any<E: Entries>(entries: &E, tokens: &[[u64; NAMES]]) {
    for ids in tokens {
        black_box(entries.has_any(*ids));
    }
}

/// Names that no entry has.
fn clean() -> Vec<[u64; NAMES]> {
    let names = |token| std::array::from_fn(|name| (1 << 50) + token * 7 + name as u64);
    (0..CALLS as u64).map(names).collect()
}

/// One part after the other, without an end.
fn parts<'a, T>(all: &'a [T]) -> impl FnMut() -> &'a [T] {
    let mut parts = all.chunks_exact(PART).cycle();
    move || parts.next().unwrap_or_default()
}

/// CPU nanoseconds of each.
fn timed<T>(part: &[T], all: impl Fn(&[T])) -> [f64; 1] {
    [each(part.len(), || all(part))]
}

/// CPU nanoseconds of an addition on the way from none to so many, and microseconds of the longest.
fn grown<E: Entries>(entries: usize) -> [f64; 2] {
    let mut made = None;
    let time = each(entries, || made = Some(filled::<E>(entries)));
    drop(made);
    let made = E::new();
    let mut longest = 0;
    let mut before = cpu_time();
    for id in 0..entries as u64 {
        made.add(id);
        let now = cpu_time();
        longest = longest.max(now - before);
        before = now;
    }
    [time, longest as f64 / 1000.0]
}

/// Look-ups of tokens that are clean, while another thread adds entries, from none to so many: CPU
/// nanoseconds, and microseconds of the longest and of one in a thousand, CPU and passed.
fn read_beside_writer<E: Entries>(entries: usize, tokens: &[[u64; NAMES]]) -> [f64; 4] {
    let made = E::new();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (0..entries as u64).for_each(|id| made.add(id));
            is_over.store(true, Ordering::Relaxed);
        });
        let mut cpu = Vec::new();
        let mut passed = Vec::new();
        let (mut total, mut looks) = (0, 0);
        for group in tokens.chunks_exact(64).cycle() {
            if is_over.load(Ordering::Relaxed) && looks > 0 {
                break;
            }
            // 64 without a clock between them, and one by one.
            let start = cpu_time();
            look_any(&made, group);
            total += cpu_time() - start;
            looks += group.len();
            for ids in &group[..8] {
                let (start, clock) = (cpu_time(), Instant::now());
                black_box(made.has_any(*ids));
                passed.push(clock.elapsed().as_nanos() as f64 / 1000.0);
                cpu.push((cpu_time() - start) as f64 / 1000.0);
            }
        }
        cpu.sort_by(f64::total_cmp);
        passed.sort_by(f64::total_cmp);
        let thousandth = passed[passed.len() * 999 / 1000];
        let ends = [cpu[cpu.len() - 1], thousandth, passed[passed.len() - 1]];
        [total as f64 / looks as f64, ends[0], ends[1], ends[2]]
    })
}

/// Bytes that were asked for, for each entry: at the end, and at most on the way.
fn memory<E: Entries>(entries: usize, make: impl FnOnce(usize) -> E) -> [f64; 2] {
    let mut made = None;
    let held = allocation_counter::measure(|| made = Some(make(entries)));
    drop(made);
    [
        held.bytes_current as f64 / entries as f64,
        held.bytes_max as f64 / entries as f64,
    ]
}

pub(crate) fn compare(entries: usize) {
    let own: Own = filled(entries);
    let arcs: Arcs = filled(entries);
    let inline: Inline = filled(entries);
    let blocking: Blocking = filled(entries);
    let hits: Vec<u64> = skewed(entries, CALLS, 3).map(|id| id as u64).collect();
    let misses: Vec<u64> = (0..CALLS as u64).map(|id| id + (1 << 50)).collect();
    for (name, ids) in [("hit", &hits), ("miss", &misses)] {
        let mut parts = [parts(ids), parts(ids), parts(ids), parts(ids)];
        let [of_own, of_arcs, of_inline, of_blocking] = &mut parts;
        let all = by_turns(
            ROUNDS,
            &mut [
                &mut || timed(of_own(), |ids| look(&own, ids)),
                &mut || timed(of_arcs(), |ids| look(&arcs, ids)),
                &mut || timed(of_inline(), |ids| look(&inline, ids)),
                &mut || timed(of_blocking(), |ids| look(&blocking, ids)),
            ],
        );
        print([name], &all);
    }
    let tokens = clean();
    let mut parts_of_tokens = [
        parts(&tokens),
        parts(&tokens),
        parts(&tokens),
        parts(&tokens),
    ];
    let [of_own, of_arcs, of_inline, of_blocking] = &mut parts_of_tokens;
    let all = by_turns(
        ROUNDS,
        &mut [
            &mut || timed(of_own(), |tokens| look_any(&own, tokens)),
            &mut || timed(of_arcs(), |tokens| look_any(&arcs, tokens)),
            &mut || timed(of_inline(), |tokens| look_any(&inline, tokens)),
            &mut || timed(of_blocking(), |tokens| look_any(&blocking, tokens)),
        ],
    );
    print(["seven misses"], &all);
    let halves = [&tokens[..SHORT], &tokens[SHORT..2 * SHORT]];
    let all = by_turns(
        SHORT_ROUNDS,
        &mut [
            &mut || [each_of_two(SHORT, |thread| look_any(&own, halves[thread]))],
            &mut || [each_of_two(SHORT, |thread| look_any(&arcs, halves[thread]))],
            &mut || {
                [each_of_two(SHORT, |thread| {
                    look_any(&inline, halves[thread])
                })]
            },
            &mut || {
                [each_of_two(SHORT, |thread| {
                    look_any(&blocking, halves[thread])
                })]
            },
        ],
    );
    print(["seven misses, two threads"], &all);
    let mut of_hits = [parts(&hits), parts(&hits), parts(&hits), parts(&hits)];
    let [of_own, of_arcs, of_inline, of_blocking] = &mut of_hits;
    let each_replaced =
        |ids: &[u64], all: &dyn Fn(u64)| timed(ids, |ids| ids.iter().for_each(|id| all(*id)));
    let all = by_turns(
        ROUNDS,
        &mut [
            &mut || each_replaced(of_own(), &|id| own.replace(id)),
            &mut || each_replaced(of_arcs(), &|id| arcs.replace(id)),
            &mut || each_replaced(of_inline(), &|id| inline.replace(id)),
            &mut || each_replaced(of_blocking(), &|id| blocking.replace(id)),
        ],
    );
    print(["replacement"], &all);
    drop((own, arcs, inline, blocking));

    let own: Own = roomy(entries);
    let arcs: Arcs = roomy(entries);
    let inline: Inline = roomy(entries);
    let blocking: Blocking = roomy(entries);
    let mut parts_of_tokens = [
        parts(&tokens),
        parts(&tokens),
        parts(&tokens),
        parts(&tokens),
    ];
    let [of_own, of_arcs, of_inline, of_blocking] = &mut parts_of_tokens;
    let all = by_turns(
        ROUNDS,
        &mut [
            &mut || timed(of_own(), |tokens| look_any(&own, tokens)),
            &mut || timed(of_arcs(), |tokens| look_any(&arcs, tokens)),
            &mut || timed(of_inline(), |tokens| look_any(&inline, tokens)),
            &mut || timed(of_blocking(), |tokens| look_any(&blocking, tokens)),
        ],
    );
    print(["seven misses, room reserved for twice as many"], &all);
    drop((own, arcs, inline, blocking));
    let all = by_turns(
        1,
        &mut [
            &mut || memory(entries, roomy::<Own>),
            &mut || memory(entries, roomy::<Arcs>),
            &mut || memory(entries, roomy::<Inline>),
            &mut || memory(entries, roomy::<Blocking>),
        ],
    );
    print(
        [
            "bytes an entry, room reserved",
            "at most on the way, room reserved",
        ],
        &all,
    );

    let all = by_turns(
        LONG_ROUNDS,
        &mut [
            &mut || grown::<Own>(entries),
            &mut || grown::<Arcs>(entries),
            &mut || grown::<Inline>(entries),
            &mut || grown::<Blocking>(entries),
        ],
    );
    print(["addition, from none", "longest addition, us"], &all);
    let all = by_turns(
        LONG_ROUNDS,
        &mut [
            &mut || read_beside_writer::<Own>(entries, &tokens),
            &mut || read_beside_writer::<Arcs>(entries, &tokens),
            &mut || read_beside_writer::<Inline>(entries, &tokens),
            &mut || read_beside_writer::<Blocking>(entries, &tokens),
        ],
    );
    let names = [
        "seven misses beside a writer",
        "longest beside a writer, us",
        "one in a thousand beside a writer, passed, us",
        "longest beside a writer, passed, us",
    ];
    print(names, &all);
    let all = by_turns(
        1,
        &mut [
            &mut || memory(entries, filled::<Own>),
            &mut || memory(entries, filled::<Arcs>),
            &mut || memory(entries, filled::<Inline>),
            &mut || memory(entries, filled::<Blocking>),
        ],
    );
    print(
        ["bytes an entry", "bytes an entry, at most on the way"],
        &all,
    );
}

/// Calls for callgrind, at 10,000 entries. Whether there is such a call.
pub(crate) fn count(owner: &str, call: &str, calls: usize) -> bool {
    match owner {
        "own-table" => count_of::<Own>(call, calls),
        "papaya-arc" => count_of::<Arcs>(call, calls),
        "papaya" => count_of::<Inline>(call, calls),
        "papaya-blocking" => count_of::<Blocking>(call, calls),
        _ => false,
    }
}

fn count_of<E: Entries>(call: &str, calls: usize) -> bool {
    const ENTRIES: usize = 10_000;
    let entries: E = filled(ENTRIES);
    match call {
        "hit" => {
            let ids: Vec<u64> = skewed(ENTRIES, CALLS, 3).map(|id| id as u64).collect();
            look(&entries, &ids[..calls]);
        }
        "miss" => {
            let ids: Vec<u64> = (0..CALLS as u64).map(|id| id + (1 << 50)).collect();
            look(&entries, &ids[..calls]);
        }
        "seven" => look_any(&entries, &clean()[..calls]),
        _ => return false,
    }
    true
}
