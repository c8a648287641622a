//! What the store of used DPoP proofs costs.
//!
//! `cargo bench --bench replay`, with proofs of 10,000 clients in a store for 2,000,000 of them:
//!
//! * `memory`: bytes for each entry at 1,000,000 proofs, from the first to the last, where the system
//!   says so;
//! * `fill`: a look-up and an entry while the store grows to 1,000,000 proofs;
//! * `steady`: the same at 1,000,000 proofs, while as many expire as enter;
//! * `replay`: the look-up of a proof that was used before.
//!
//! Each with one and with two threads: the median time of a thread for one proof, the hashes of the
//! proof and of its owner included.

#![allow(missing_docs)]

use std::time::{Duration, Instant};

use replay::Replay;
use replay::proof_store::ProofStore;

#[path = "../src/runtime/replay/mod.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
mod replay;

const PROOFS: u64 = 1_000_000;
const OWNERS: u64 = 10_000;
const LIFE: Duration = Duration::from_secs(360);
/// Proofs of which the time is taken at once. The median of these times counts: other processes
/// interrupt some of them.
const BATCH: usize = 64;
const THREADS: [u64; 2] = [1, 2];

fn main() {
    // A single small round that shows that it runs: unoptimized, the figures would say nothing.
    let is_test = !std::env::args().any(|argument| argument == "--bench");
    let proofs = if is_test { PROOFS / 1000 } else { PROOFS };
    println!("{proofs} proofs of {OWNERS} clients, ns for one proof");
    println!("threads   fill  steady  replay");
    for threads in THREADS {
        let store = ProofStore::new(usize::try_from(2 * PROOFS).unwrap_or_default());
        let before = resident_bytes();
        let fill = measure(&store, threads, 0..proofs, proofs, Replay::Fresh);
        if threads == 1 {
            let bytes = resident_bytes().saturating_sub(before);
            println!("{} bytes each", bytes / store.len().max(1));
        }
        assert_eq!(store.len() as u64, proofs, "all are held");
        // Of each that enters, another expires.
        let steady = measure(&store, threads, proofs..2 * proofs, proofs, Replay::Fresh);
        let replays = 2 * proofs - proofs / 2..2 * proofs;
        let replay = measure(&store, threads, replays, proofs, Replay::Replayed);
        println!("{threads:7}  {fill:5}  {steady:6}  {replay:6}");
    }
}

/// Uses the proofs with these numbers, each thread its share. In one life, `per_life` proofs enter.
fn measure(
    store: &ProofStore,
    threads: u64,
    numbers: std::ops::Range<u64>,
    per_life: u64,
    expected: Replay,
) -> u128 {
    let share = |thread: u64| {
        let numbers: Vec<u64> = numbers
            .clone()
            .filter(|number| number % threads == thread)
            .collect();
        move || {
            let mut times = Vec::new();
            for batch in numbers.chunks(BATCH) {
                let uses: Vec<Use> = batch
                    .iter()
                    .map(|number| Use::new(*number, per_life))
                    .collect();
                let start = Instant::now();
                for proof in &uses {
                    assert_eq!(proof.run(store), expected);
                }
                times.push(start.elapsed() / u32::try_from(batch.len()).unwrap_or(1));
            }
            times
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(share(thread)))
            .collect();
        let times = threads.into_iter().filter_map(|thread| thread.join().ok());
        let mut times: Vec<Duration> = times.flatten().collect();
        times.sort_unstable();
        times
            .get(times.len() / 2)
            .map_or(u128::MAX, Duration::as_nanos)
    })
}

/// A proof with its owner and time: texts of the usual length.
struct Use {
    thumbprint: [u8; 32],
    jti: String,
    client: String,
    now: Duration,
}

impl Use {
    fn new(number: u64, per_life: u64) -> Self {
        let client = number % OWNERS;
        let mut thumbprint = [7; 32];
        let (id, _) = thumbprint.split_at_mut(8);
        id.copy_from_slice(&client.to_be_bytes());
        // An entry expires up to 2 s after its life.
        let life = LIFE + Duration::from_secs(1);
        let part = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            thumbprint,
            jti: format!("7e2c7a1e-8a1f-4c8d-9a53-{number:012x}"),
            client: format!("5d0f3c55-1c1e-4f7c-8d3b-{client:012x}"),
            now: life * part(number) / part(per_life),
        }
    }

    fn run(&self, store: &ProofStore) -> Replay {
        let client = self.client.as_bytes();
        let owner: [&[u8]; 3] = [b"https://as.example.com", client, client];
        let proof = store.fingerprint(&self.thumbprint, self.jti.as_bytes());
        store.use_once(&owner, proof, LIFE, self.now)
    }
}

/// What this process holds in memory, where the system says so.
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kilobytes.unwrap_or_default() * 1024
}
