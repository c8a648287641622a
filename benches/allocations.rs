//! What each call allocates, and what remembered tokens hold.
//!
//! `cargo bench --bench allocations`; `cargo test --bench allocations` runs the same unoptimised.
//! Both print a table and fail where a goal is missed: counts do not depend on the machine.
//!
//! 1. The counting allocator is `allocation-counter`'s: it counts by thread, and only in between
//!    two lines that say so, and it stands in this binary alone, so that the times of
//!    `benches/layer.rs` are those of the machine's own allocator. To write one takes `unsafe`,
//!    which this package forbids.
//! 2. Counts are for one call, response and its drop included, averaged over many.
//! 3. Memory is live bytes as they were asked for; an allocator adds its own to them.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // A benchmark fails loudly.

mod stage;

use std::process::ExitCode;

use allocation_counter::measure;
use http::StatusCode;
use portcullis::test_util::MockIssuer;
use portcullis::{Algorithm, ResourceServer};
use tower::Layer as _;

use stage::tokens::{Mint, Size, server, values};
use stage::{Row, Scale, Scene, built, call, handler, with};

const CALLS: u64 = 100;

/// Tokens whose memory is measured, and the most that they may hold.
const TOKENS: usize = 10_000;
const SMALL_BYTES: i64 = 20_000_000;
const LARGE_BYTES: i64 = 50_000_000;

fn main() -> ExitCode {
    let _inside = stage::runtime().enter();
    let mut missed = Vec::new();
    println!("| call | allocations | above its floor | goal |");
    println!("|---|---|---|---|");
    for mut scene in stage::scenes(Scale::SMALL) {
        missed.extend(calls(&mut scene));
    }
    println!();
    for (size, most) in [(Size::Kb1, SMALL_BYTES), (Size::Kb4, LARGE_BYTES)] {
        missed.extend(memory(size, most));
    }
    missed.extend(stage::refusals::random_keys(|run| {
        measure(run).bytes_current
    }));
    if missed.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("\nmissed:\n{}", missed.join("\n"));
    ExitCode::FAILURE
}

/// The goals that are missed.
fn calls(scene: &mut Scene) -> Vec<String> {
    let mut missed = Vec::new();
    let mut counts: Vec<(&str, f64)> = Vec::new();
    for row in &mut scene.rows {
        let count = count(row);
        counts.push((row.name, count));
        let floor = row
            .floor
            .filter(|floor| *floor != "signature")
            .unwrap_or("handler");
        let floor = counts.iter().find(|(name, _)| *name == floor);
        let above = floor.map_or(count, |(_, floor)| count - floor);
        let name = format!("{}: {}", scene.name, row.name);
        let goal = row
            .allocations
            .map(|most| format!("at most {most}"))
            .unwrap_or_default();
        println!("| {name} | {count:.1} | {above:.1} | {goal} |");
        #[allow(clippy::cast_precision_loss)] // a handful
        if row.allocations.is_some_and(|most| above > most as f64) {
            missed.push(format!("{name}: {above:.1} allocations, {goal}"));
        }
    }
    missed
}

#[allow(clippy::cast_precision_loss)] // a handful
fn count(row: &mut Row) -> f64 {
    // Once round, so that what is lazy is done.
    for _ in 0..Scale::SMALL.strangers {
        (row.run)();
    }
    let counted = measure(|| {
        for _ in 0..CALLS {
            (row.run)();
        }
    });
    counted.count_total as f64 / CALLS as f64
}

/// A cache as it is by default, filled to the brim. The goal that is missed, if it is.
fn memory(size: Size, most: i64) -> Option<String> {
    let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
    let values = values(&Mint::new(&issuer, size).sign(TOKENS * 5 / 4));
    let mut kept = None;
    let held = measure(|| {
        let server = built(server(&issuer));
        let mut service = server.authenticate().layer(handler());
        for value in values.iter() {
            call(&mut service, with(value), StatusCode::OK);
        }
        kept = Some(server);
    });
    let status = kept.as_ref().and_then(ResourceServer::token_cache_status);
    let status = status.expect("it is on");
    let held = held.bytes_current;
    let line = format!(
        "{} remembered tokens of {} hold {} KB, the whole server included; the cache says \
         {} KB; at most {} KB for {TOKENS}",
        status.entries(),
        size.name(),
        held / 1000,
        status.bytes() / 1000,
        most / 1000,
    );
    println!("{line}");
    (held > most || status.entries() < TOKENS * 9 / 10).then_some(line)
}
