//! Clocks, random numbers, medians and threads.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

/// The CPU time of this thread, in nanoseconds. A read costs about 300 ns.
pub(crate) fn cpu_time() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec).expect("positive") * 1_000_000_000
        + u64::try_from(time.tv_nsec).expect("positive")
}

/// CPU nanoseconds of each of so many calls, which `all` makes.
pub(crate) fn each(calls: usize, all: impl FnOnce()) -> f64 {
    let start = cpu_time();
    all();
    (cpu_time() - start) as f64 / calls as f64
}

/// Rounds of two threads that are made for one that counts, the shortest: in others one of them had
/// to wait for its core.
const ATTEMPTS: usize = 12;

/// Nanoseconds that pass until each of two threads has made so many calls, for each call. `all` is
/// told the thread, 0 or 1.
pub(crate) fn each_of_two(calls: usize, all: impl Fn(usize) + Sync) -> f64 {
    let attempt = || {
        let arrived = AtomicUsize::new(0);
        let run = |thread| {
            meet(&arrived);
            let start = Instant::now();
            all(thread);
            (start, Instant::now())
        };
        std::thread::scope(|scope| {
            let other = scope.spawn(|| run(1));
            let one = run(0);
            let other = other.join().expect("no panic");
            one.1.max(other.1) - one.0.min(other.0)
        })
    };
    let passed = (0..ATTEMPTS).map(|_| attempt()).min().unwrap_or_default();
    passed.as_nanos() as f64 / calls as f64
}

/// CPU nanoseconds of each of so many calls that `read` makes, while another thread does `write`
/// over and over. Of several rounds, that one in which the writer ran for most of the time: a writer
/// may have to wait for its core, and for a lock.
pub(crate) fn each_beside(
    calls: usize,
    mut read: impl FnMut(),
    mut write: impl FnMut() + Send,
) -> f64 {
    let mut attempt = || {
        let (arrived, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                meet(&arrived);
                let (start, cpu) = (Instant::now(), cpu_time());
                while !is_over.load(Ordering::Relaxed) {
                    write();
                }
                (cpu_time() - cpu) as f64 / start.elapsed().as_nanos() as f64
            });
            meet(&arrived);
            let time = each(calls, &mut read);
            is_over.store(true, Ordering::Relaxed);
            (writer.join().expect("no panic"), time)
        })
    };
    let rounds = (0..ATTEMPTS).map(|_| attempt());
    let best = rounds.max_by(|one, other| one.0.total_cmp(&other.0));
    best.map_or(f64::NAN, |(_, time)| time)
}

/// Waits for the other one of two, on its core.
fn meet(arrived: &AtomicUsize) {
    arrived.fetch_add(1, Ordering::AcqRel);
    while arrived.load(Ordering::Acquire) < 2 {
        std::hint::spin_loop();
    }
}

/// The middle one; of an even number the upper.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Figures of each of the compared, by turns, in so many rounds; the median of each figure.
pub(crate) fn by_turns<const FIGURES: usize>(
    rounds: usize,
    compared: &mut [&mut dyn FnMut() -> [f64; FIGURES]],
) -> Vec<[f64; FIGURES]> {
    let count = compared.len();
    let mut figures = vec![Vec::new(); count];
    for round in 0..rounds {
        for turn in 0..count {
            // Another one begins each round.
            let index = (round + turn) % count;
            figures[index].push(compared[index]());
        }
    }
    let medians = |rounds: Vec<[f64; FIGURES]>| {
        std::array::from_fn(|figure| median(rounds.iter().map(|round| round[figure]).collect()))
    };
    figures.into_iter().map(medians).collect()
}

/// A line of the output: the row's name, and a figure of each of the compared.
pub(crate) fn print<const FIGURES: usize>(names: [&str; FIGURES], medians: &[[f64; FIGURES]]) {
    for (figure, name) in names.iter().enumerate() {
        print!("{name}");
        for of in medians {
            print!("\t{:.2}", of[figure]);
        }
        println!();
    }
}

/// A bijection that spreads its argument over all bits (splitmix64).
pub(crate) const fn spread(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// So many choices of one of `of`, skewed as by Zipf with exponent 1: the k-th is chosen as often
/// as `1 / k` says.
pub(crate) fn skewed(of: usize, count: usize, seed: u64) -> impl Iterator<Item = usize> {
    let base = (of + 1) as f64;
    (0..count as u64).map(move |index| {
        let random = spread(spread(seed) ^ index) >> 11;
        let unit = random as f64 / (1_u64 << 53) as f64;
        (base.powf(unit) as usize - 1).min(of - 1)
    })
}
