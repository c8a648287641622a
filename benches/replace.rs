//! What many issuers cost: memory of each while no token of its comes, the time to build a server of them, and
//! the time to replace the configuration where one of them changes.
//!
//! `cargo bench --bench replace`; `cargo test --bench replace` runs the same smaller and unoptimised. Both
//! fail where an issuer takes more than its bytes, which do not depend on the machine; the first one also
//! where the time is missed.
//!
//! 1. Each issuer has a key set of one key, fetched over loopback from one server, and a task that keeps it
//!    fresh. Bytes are live bytes as they were asked for, after all key sets were fetched.
//! 2. The time of a replacement is that of the call: checks, comparison of all issuers, the swap, and the end
//!    of what was decided by the rules that are gone.
//! 3. Ten thousand issuers are built without being connected: no key set is fetched.

#![allow(missing_docs, clippy::expect_used, clippy::panic)] // A benchmark fails loudly.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use allocation_counter::measure;
use portcullis::test_util::{MockIssuer, ServedIssuer};
use portcullis::{Algorithm, Issuer, ResourceServer, ResourceServerBuilder};

const API: &str = "https://api.example.com";

/// The most bytes of an idle issuer.
const MOST_BYTES: i64 = 16 * 1024;

/// The longest replacement, at the median.
const LONGEST: Duration = Duration::from_millis(5);

const ROUNDS: usize = 51;

/// The longest `build()` of ten thousand issuers, at the median.
const LONGEST_BUILD: Duration = Duration::from_millis(500);

const BUILDS: usize = 5;

fn main() -> ExitCode {
    // `cargo test` does not ask for measurements.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let issuers = if is_bench { 1_000 } else { 100 };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let keys = MockIssuer::new().with_algorithms([Algorithm::ES256]);
    let keys = runtime.block_on(keys.serve());
    let mut missed = Vec::new();

    let mut server = None;
    // What the process has once, such as the roots of the system, and the machinery of one issuer.
    let first = runtime.block_on(connected(&keys, 1));
    let live = measure(|| server = Some(runtime.block_on(connected(&keys, issuers)))).bytes_current;
    let server = server.expect("it is built");
    drop(first);
    let one = live / i64::try_from(issuers).expect("a small number");
    println!("| {issuers} issuers | |\n|---|---|");
    println!("| bytes of an idle issuer | {one} |");
    if one > MOST_BYTES {
        missed.push(format!(
            "{one} bytes for an idle issuer, above {MOST_BYTES}"
        ));
    }

    for (name, changed) in [("one of them", Some(issuers / 2)), ("none of them", None)] {
        let mut times: Vec<Duration> = (0..ROUNDS)
            .map(|round| {
                let replacement = configuration(&keys, issuers, changed.map(|at| (at, round)));
                let begin = Instant::now();
                server.replace(replacement).expect("sound");
                begin.elapsed()
            })
            .collect();
        times.sort_unstable();
        let median = times.get(ROUNDS / 2).copied().unwrap_or_default();
        println!(
            "| to replace {name} | {:.2} ms |",
            median.as_secs_f64() * 1e3
        );
        if is_bench && median > LONGEST {
            missed.push(format!("{median:?} to replace {name}, above {LONGEST:?}"));
        }
    }
    drop(server);
    build_many(&keys, is_bench, &mut missed);
    if missed.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("\nmissed:\n{}", missed.join("\n"));
    ExitCode::FAILURE
}

/// The time of `build()`, and the bytes of an issuer that is not connected.
fn build_many(keys: &ServedIssuer, is_bench: bool, missed: &mut Vec<String>) {
    let issuers = if is_bench { 10_000 } else { 500 };
    let mut times = Vec::new();
    let mut bytes = Vec::new();
    for _ in 0..BUILDS {
        let mut built = None;
        let measured = measure(|| {
            let builder = configuration(keys, issuers, None);
            let begin = Instant::now();
            built = Some(builder.build().expect("sound"));
            times.push(begin.elapsed());
        });
        drop(built);
        bytes.push(measured.bytes_current);
    }
    times.sort_unstable();
    let median = times.get(BUILDS / 2).copied().unwrap_or_default();
    let most = bytes.iter().max().copied().unwrap_or_default();
    let one = most / i64::try_from(issuers).expect("a small number");
    println!("\n| {issuers} issuers | |\n|---|---|");
    println!("| `build()` | {:.1} ms |", median.as_secs_f64() * 1e3);
    println!("| bytes of an issuer that is not connected | {one} |");
    if is_bench && median > LONGEST_BUILD {
        missed.push(format!(
            "{median:?} to build {issuers} issuers, above {LONGEST_BUILD:?}"
        ));
    }
    if one > MOST_BYTES {
        missed.push(format!("{one} bytes for an issuer, above {MOST_BYTES}"));
    }
}

async fn connected(keys: &ServedIssuer, issuers: usize) -> ResourceServer {
    let server = configuration(keys, issuers, None).build().expect("sound");
    let server = server.connect().await.expect("a runtime");
    while !server.ready() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    server
}

/// So many issuers; one of them with a client that depends on the round.
fn configuration(
    keys: &ServedIssuer,
    issuers: usize,
    changed: Option<(usize, usize)>,
) -> ResourceServerBuilder {
    let all = (0..issuers).map(|number| {
        let issuer = Issuer::oidc(format!("https://id.example.com/{number}"))
            .key_set_url(keys.key_set_url())
            .algorithms([Algorithm::ES256])
            .audience(API);
        match changed {
            Some((at, round)) if at == number => issuer.client_id(format!("client-{round}")),
            _ => issuer,
        }
    });
    // Without the cache of tokens, which is one for all issuers.
    let builder = ResourceServer::builder(API).without_token_cache();
    all.fold(builder, ResourceServerBuilder::issuer)
}
