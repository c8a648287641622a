//! What a seen token costs where very many are cached, and what two threads at one server do.
//!
//! `cargo bench --bench scale`, and `-- tokens` or `-- threads` for one of the tables:
//!
//! * tokens: seen tokens in skewed order, 10,000 and 1,000,000 of them, above the handler alone with the same
//!   requests. The tokens are small, so that the most bytes that a cache may have hold them;
//! * threads: calls of two threads at one server, over those of one thread in the same time. At the handler
//!   alone, the row that the others are read against, two threads share nothing of this library.
//!
//! Rows take turns, and figures are lower quartiles. Nothing is asserted about times: they belong to a machine.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // A benchmark fails loudly.

mod stage;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread::ScopedJoinHandle;
use std::time::Instant;

use http::{HeaderValue, Request, StatusCode};
use portcullis::test_util::MockIssuer;
use portcullis::{Algorithm, ResourceServer};
use tower::Layer as _;

use stage::tokens::{server, values};
use stage::turns::{by_turns, lower_quartile};
use stage::{built, call, handler, skewed, with};

/// How much of everything.
struct Amounts {
    few: usize,
    many: usize,
    turns: usize,
    /// Tokens of the table of threads, and calls of a turn of it.
    tokens: usize,
    calls: usize,
}

const FULL: Amounts = Amounts {
    few: 10_000,
    many: 1_000_000,
    turns: 100,
    tokens: 10_000,
    calls: 50_000,
};

const SMALL: Amounts = Amounts {
    few: 8,
    many: 64,
    turns: 1,
    tokens: 64,
    calls: 64,
};

fn main() {
    let amounts = if stage::is_bench() { FULL } else { SMALL };
    let wanted = std::env::args().skip(1).find(|name| !name.starts_with('-'));
    let is_wanted = |name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
    if is_wanted("threads") {
        threads(&amounts);
    }
    if is_wanted("tokens") {
        tokens(&amounts);
    }
}

fn issuer() -> MockIssuer {
    MockIssuer::new().with_algorithms([Algorithm::ES256])
}

fn signed(issuer: &MockIssuer, count: usize) -> Arc<[HeaderValue]> {
    let sign = |name: usize| issuer.token().subject(&format!("user-{name:07}")).sign();
    values(&(0..count).map(sign).collect::<Vec<_>>())
}

/// A server that holds as many of these tokens as fit.
fn holding(issuer: &MockIssuer, values: &[HeaderValue]) -> ResourceServer {
    let server = built(
        server(issuer)
            .token_cache_entries((2 * values.len()).max(2_048))
            .token_cache_bytes(1 << 30),
    );
    let mut service = server.authenticate().layer(handler());
    for value in values {
        call(&mut service, with(value), StatusCode::OK);
    }
    server
}

fn tokens(amounts: &Amounts) {
    let issuer = issuer();
    let all = signed(&issuer, amounts.many);
    let few: Arc<[HeaderValue]> = all[..amounts.few].into();
    println!("| seen tokens, ns a call | handler | above it | ratio | found, % |");
    println!("|---|---|---|---|---|");
    let sets = [few, all];
    let servers = sets.each_ref().map(|values| holding(&issuer, values));
    let mut rows: Vec<Box<dyn FnMut()>> = Vec::new();
    for (values, server) in sets.iter().zip(&servers) {
        let (mut bare, mut seen) = (handler(), server.authenticate().layer(handler()));
        let (own, mut order) = (Arc::clone(values), skewed(values.len()));
        rows.push(Box::new(move || {
            call(&mut bare, with(&own[order()]), StatusCode::OK);
        }));
        let (own, mut order) = (Arc::clone(values), skewed(values.len()));
        rows.push(Box::new(move || {
            call(&mut seen, with(&own[order()]), StatusCode::OK);
        }));
    }
    let before = servers.each_ref().map(counts);
    let mut calls: Vec<&mut dyn FnMut()> = rows
        .iter_mut()
        .map(|row| &mut **row as &mut dyn FnMut())
        .collect();
    let times = by_turns(&mut calls, amounts.turns);
    let times: Vec<f64> = times.into_iter().map(lower_quartile).collect();
    let above = [times[1] - times[0], times[3] - times[2]];
    for place in 0..2 {
        let (hits, misses) = counts(&servers[place]);
        let (hits, misses) = (hits - before[place].0, misses - before[place].1);
        println!(
            "| {} | {:.0} | {:.0} | {:.2} | {:.1} |",
            sets[place].len(),
            times[2 * place],
            above[place],
            above[place] / above[0],
            percent(hits, hits + misses),
        );
    }
}

/// Hits and misses.
fn counts(server: &ResourceServer) -> (u64, u64) {
    let status = server.token_cache_status().expect("it is on");
    (status.hits(), status.misses())
}

#[allow(clippy::cast_precision_loss)] // A share of a hundred is wanted.
fn percent(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole as f64
}

/// One call, made over and over by each thread.
type Call = Box<dyn FnMut() + Send>;

/// Makes a call for one of the threads.
type MakeCall<'a> = Box<dyn Fn() -> Call + 'a>;

fn threads(amounts: &Amounts) {
    let issuer = issuer();
    let values = signed(&issuer, amounts.tokens);
    let server = holding(&issuer, &values);
    let refused = |name, token: String| {
        let server = &server;
        let make = move || -> Call {
            let mut service = server.authenticate().layer(handler());
            let value = self::values(std::slice::from_ref(&token));
            Box::new(move || call(&mut service, with(&value[0]), StatusCode::UNAUTHORIZED))
        };
        (name, Box::new(make) as MakeCall<'_>)
    };
    // Each thread has copies of its own, since those of one value share a count, and begins at another place of
    // the same order.
    let own = || -> Arc<[HeaderValue]> {
        let copies = values
            .iter()
            .map(|value| HeaderValue::from_bytes(value.as_bytes()));
        copies.map(|copy| copy.expect("it was one")).collect()
    };
    let made = AtomicUsize::new(0);
    let order = || {
        let mut order = skewed(values.len());
        let begin = made.fetch_add(1, Ordering::Relaxed) % 7 * 10_007;
        (0..begin).for_each(|_| _ = order());
        order
    };
    let at_handler = || -> Call {
        let (mut service, values, mut order) = (handler(), own(), order());
        Box::new(move || call(&mut service, with(&values[order()]), StatusCode::OK))
    };
    let seen = || -> Call {
        let mut service = server.authenticate().layer(handler());
        let (values, mut order) = (own(), order());
        Box::new(move || call(&mut service, with(&values[order()]), StatusCode::OK))
    };
    let missing = || -> Call {
        let mut service = server.authenticate().layer(handler());
        Box::new(move || call(&mut service, Request::new(()), StatusCode::UNAUTHORIZED))
    };
    let good = || issuer.token();
    let rows: Vec<(&str, MakeCall<'_>)> = vec![
        ("the handler alone", Box::new(at_handler)),
        ("seen token", Box::new(seen)),
        ("no token", Box::new(missing)),
        refused("garbage of 1,000 bytes", "x".repeat(1_000)),
        refused("unknown kid", good().key_id("stranger").sign()),
        refused(
            "wrong issuer",
            good().issuer("https://elsewhere.example").sign(),
        ),
        refused("expired", good().expired().sign()),
    ];
    println!("| calls of two threads | ns a call of one | over one thread |");
    println!("|---|---|---|");
    let mut times = vec![[Vec::new(), Vec::new()]; rows.len()];
    for _ in 0..amounts.turns {
        for ((_, make), [alone, both]) in rows.iter().zip(&mut times) {
            alone.push(span(vec![make()], amounts.calls));
            both.push(span(vec![make(), make()], amounts.calls));
        }
    }
    for ((name, _), [alone, both]) in rows.iter().zip(times) {
        let (alone, both) = (lower_quartile(alone), lower_quartile(both));
        println!("| {name} | {alone:.0} | {:.2} |", 2.0 * alone / both);
    }
    println!();
}

/// Nanoseconds until each of the threads has made its calls, for each call of one thread.
#[allow(clippy::cast_precision_loss)] // There are few calls.
fn span(threads: Vec<Call>, calls: usize) -> f64 {
    let barrier = Barrier::new(threads.len());
    let longest = std::thread::scope(|scope| {
        let threads = threads.into_iter().map(|mut call| {
            let barrier = &barrier;
            scope.spawn(move || {
                (0..calls.div_ceil(8)).for_each(|_| call());
                barrier.wait();
                let start = Instant::now();
                (0..calls).for_each(|_| call());
                start.elapsed()
            })
        });
        let threads: Vec<_> = threads.collect();
        let spans = threads.into_iter().map(ScopedJoinHandle::join);
        spans.map(|span| span.expect("no panic")).max()
    });
    longest.unwrap_or_default().as_secs_f64() * 1e9 / calls as f64
}
