//! What tokens seen before wait for, while other things happen.
//!
//! `cargo bench --bench tail`. One thread calls the layer over and over with known tokens, and
//! every call is timed:
//!
//! * `quiet`: nothing else happens;
//! * `key set hangs`: the issuer gives no answer for two seconds, a fetch waits for it, and so do
//!   strangers with unknown keys;
//! * `keys rotate`: the issuer brings a new key, and the server fetches it, again and again;
//! * `busy neighbour`: another thread verifies new tokens at another server;
//! * `cache evicts`: another thread brings new tokens to this server, whose cache is full;
//! * `another is replaced`: another thread replaces the configuration of another server over and over, one of
//!   its issuers each time;
//! * `this is replaced`: the same thread replaces that of this server. The issuer of the known tokens
//!   stays, and they with it.
//!
//! The fourth is what the fifth is read against, and the sixth the seventh: two threads share the machine and do
//! the same work in both. Cases take turns, and are added up. The last table has the race of requests and
//! replacements beside the same run without replacements here. Nothing is asserted: times belong to a machine.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // A benchmark fails loudly.

mod stage;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::{HeaderValue, StatusCode};
use portcullis::test_util::{Fault, MockIssuer, ServedIssuer};
use portcullis::{Algorithm, Issuer, ResourceServer, ResourceServerBuilder};
use tower::{Layer as _, Service as _};

use stage::tokens::{Mint, Size, server, values};
use stage::{built, call, handler, round, runtime, skewed, with};

const KNOWN: usize = 500;
const ENTRIES: usize = 2_000;
const NEW: usize = 10_000;
const STRANGERS: usize = 100;

/// In each round; the old keys stay, and a set has 100 keys at most.
const ROTATIONS: u32 = 20;

/// Issuers whose tokens no request has; one of them changes with each replacement.
const NEIGHBOURS: usize = 20;

const CASES: [&str; 7] = [
    "quiet",
    "key set hangs",
    "keys rotate",
    "busy neighbour",
    "cache evicts",
    WITHOUT,
    WITH,
];

/// The race of requests and replacements, and what it is read against.
const WITHOUT: &str = "another is replaced";
const WITH: &str = "this is replaced";

fn main() {
    let _inside = runtime().enter();
    let (rounds, span) = if stage::is_bench() {
        (3, Duration::from_secs(2))
    } else {
        (1, Duration::from_millis(1))
    };
    let house = House::start();
    let mut times: [Vec<u32>; CASES.len()] = Default::default();
    for _ in 0..rounds {
        for (case, times) in CASES.iter().zip(&mut times) {
            house.during(case, span, times);
        }
    }
    println!("| microseconds | p50 | p99 | p99.9 | p99.99 | worst | calls |");
    println!("|---|---|---|---|---|---|---|");
    for (case, times) in CASES.iter().zip(&mut times) {
        times.sort_unstable();
        let part = |of: usize| slowest(times, of);
        let (half, worst) = (part(2), part(usize::MAX));
        let (one, two, three) = (part(100), part(1_000), part(10_000));
        println!(
            "| {case} | {half:.2} | {one:.2} | {two:.2} | {three:.1} | {worst:.0} | {} |",
            times.len()
        );
    }
    let of = |wanted: &str| {
        let place = CASES.iter().position(|case| *case == wanted);
        &times[place.expect("a case")]
    };
    println!("\n| microseconds | {WITHOUT} | {WITH} | ratio |");
    println!("|---|---|---|---|");
    for (name, part) in [
        ("p50", 2),
        ("p99", 100),
        ("p99.9", 1_000),
        ("p99.99", 10_000),
    ] {
        let (without, with) = (slowest(of(WITHOUT), part), slowest(of(WITH), part));
        println!(
            "| {name} | {without:.2} | {with:.2} | {:.2} |",
            with / without
        );
    }
    println!(
        "| replacements | {} | {} | |",
        house.elsewhere.revision() - 1,
        house.server.revision() - 1
    );
}

/// The fastest of the slowest calls, of which there is one in so many, in microseconds. The times are sorted.
fn slowest(times: &[u32], of: usize) -> f64 {
    let place = (times.len() - times.len() / of).min(times.len() - 1);
    f64::from(times[place]) / 1000.0
}

/// A server whose cache is full, its issuer, and another server of the same rules.
struct House {
    issuer: ServedIssuer,
    server: ResourceServer,
    other: ResourceServer,
    /// It has the configuration of the first, and is never called.
    elsewhere: ResourceServer,
    neighbours: MockIssuer,
    known: Arc<[HeaderValue]>,
    new: Arc<[HeaderValue]>,
    strangers: Arc<[HeaderValue]>,
}

impl House {
    fn start() -> Self {
        let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
        let issuer = runtime().block_on(issuer.serve());
        let neighbours = MockIssuer::new().with_algorithms([Algorithm::ES256]);
        let fetched = || {
            let builder = configuration(&issuer, &neighbours, 0);
            let connected = runtime().block_on(built(builder).connect());
            connected.expect("up")
        };
        let mint = Mint::new(&issuer, Size::Kb1);
        let mut tokens = mint.sign(KNOWN + NEW);
        let new = values(&tokens.split_off(KNOWN));
        let stranger = |name: usize| mint.token(0).key_id(&format!("stranger-{name}")).sign();
        let strangers: Vec<String> = (0..STRANGERS).map(stranger).collect();
        let house = Self {
            server: fetched(),
            other: built(server(&issuer).token_cache_entries(ENTRIES)),
            elsewhere: fetched(),
            neighbours,
            known: values(&tokens),
            new,
            strangers: values(&strangers),
            issuer,
        };
        let mut service = house.server.authenticate().layer(handler());
        for value in house.new.iter().chain(&*house.known).chain(&*house.known) {
            call(&mut service, with(value), StatusCode::OK);
        }
        house
    }

    /// Times calls with known tokens while this happens.
    fn during(&self, case: &str, span: Duration, times: &mut Vec<u32>) {
        match case {
            "key set hangs" => {
                self.issuer.break_key_set_with(Fault::Hang);
                let fetches = self.issuer.fetches();
                let server = self.server.clone();
                let refreshed = tokio::spawn(async move { server.refresh_now().await });
                runtime().block_on(self.issuer.await_fetches(fetches + 1));
                let waiting = self.strangers.iter().map(|value| {
                    let mut service = self.server.authenticate().layer(handler());
                    tokio::spawn(service.call(with(value)))
                });
                let waiting: Vec<_> = waiting.collect();
                self.call_known(span, times);
                self.issuer.recover();
                runtime().block_on(async {
                    refreshed.await.expect("no panic").expect("up again");
                    for stranger in waiting {
                        let answer = stranger.await.expect("no panic").expect("never fails");
                        assert_ne!(answer.status(), StatusCode::OK);
                    }
                });
            }
            "keys rotate" => {
                let issuer = MockIssuer::clone(&self.issuer);
                let server = self.server.clone();
                let pause = span / ROTATIONS;
                let rotating = tokio::spawn(async move {
                    for _ in 0..ROTATIONS {
                        issuer.rotate();
                        server.refresh_now().await.expect("up");
                        tokio::time::sleep(pause).await;
                    }
                });
                self.call_known(span, times);
                rotating.abort();
            }
            "busy neighbour" => self.beside(&self.other, span, times),
            "cache evicts" => self.beside(&self.server, span, times),
            WITHOUT => self.beside_replacements(&self.elsewhere, span, times),
            WITH => self.beside_replacements(&self.server, span, times),
            _ => self.call_known(span, times),
        }
    }

    /// Another thread brings new tokens to a server.
    fn beside(&self, server: &ResourceServer, span: Duration, times: &mut Vec<u32>) {
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut service = server.authenticate().layer(handler());
                let mut order = round(NEW);
                while !is_over.load(Ordering::Relaxed) {
                    call(&mut service, with(&self.new[order()]), StatusCode::OK);
                }
            });
            self.call_known(span, times);
            is_over.store(true, Ordering::Relaxed);
        });
    }

    /// Another thread replaces the configuration of a server.
    fn beside_replacements(&self, server: &ResourceServer, span: Duration, times: &mut Vec<u32>) {
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 1.. {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    let replacement = configuration(&self.issuer, &self.neighbours, number);
                    server.replace(replacement).expect("sound settings");
                }
            });
            self.call_known(span, times);
            is_over.store(true, Ordering::Relaxed);
        });
    }

    fn call_known(&self, span: Duration, times: &mut Vec<u32>) {
        let mut service = self.server.authenticate().layer(handler());
        let mut order = skewed(KNOWN);
        let start = Instant::now();
        let mut before = start;
        while before - start < span {
            call(&mut service, with(&self.known[order()]), StatusCode::OK);
            let after = Instant::now();
            let took = (after - before).as_nanos();
            times.push(u32::try_from(took).unwrap_or(u32::MAX));
            before = after;
        }
    }
}

/// The issuer of the known tokens, and others. One of them depends on the number.
fn configuration(
    issuer: &ServedIssuer,
    neighbours: &MockIssuer,
    number: usize,
) -> ResourceServerBuilder {
    let others = (0..NEIGHBOURS).map(|at| {
        let other = Issuer::oidc(format!("https://id.example.com/{at}"))
            .key_set(neighbours.key_set())
            .audience(MockIssuer::AUDIENCE);
        if at == number % NEIGHBOURS {
            return other.client_id(format!("client-{number}"));
        }
        other
    });
    let builder = ResourceServer::builder(MockIssuer::AUDIENCE)
        .issuer(issuer.trusted())
        .token_cache_entries(ENTRIES);
    others.fold(builder, ResourceServerBuilder::issuer)
}
