//! What each call allocates, and what remembered tokens hold.
//!
//! `cargo bench --bench allocations`; `cargo test --bench allocations` runs the same unoptimised;
//! `-- memory` shows the memory of caches of several sizes alone.
//! Both print a table and fail where a goal is missed: counts do not depend on the machine.
//!
//! 1. The counting allocator is `allocation-counter`'s: it counts by thread, and only in between
//!    two lines that say so, and it stands in this binary alone, so that the times of
//!    `benches/layer.rs` are those of the machine's own allocator. To write one takes `unsafe`,
//!    which this package forbids.
//! 2. Counts are for one call, response and its drop included, averaged over many.
//! 3. Memory is live bytes as they were asked for, of the whole server and for each entry of its cache;
//!    an allocator adds its own to them. What an entry keeps of a request counts.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // A benchmark fails loudly.

mod stage;

use std::convert::Infallible;
use std::future::ready;
use std::hint::black_box;
use std::process::ExitCode;

use allocation_counter::measure;
use axum::extract::FromRequestParts as _;
use http::{HeaderValue, Request, Response, StatusCode};
use portcullis::{Algorithm, Claims, ResourceServer};
use tower::Layer as _;

use stage::shapes::Shape;
use stage::tokens::{Mint, Size};
use stage::{Row, Scale, Scene, built, call, handler, with};

const CALLS: u64 = 100;

/// Tokens whose memory is measured: as many as a cache has by default. Fewer in tests.
const TOKENS: usize = 10_000;
const FEW_TOKENS: usize = 2_000;

/// The most bytes that one of them may hold, where no handler asks for claims.
const MOST_BYTES: [(Size, i64); 2] = [(Size::Kb1, 1_300), (Size::Kb4, 3_300)];

const MEMORY_HEAD: &str = "\
| tokens | entries | `Claims<T>` asked | KB held | bytes an entry | of them by the cache's count | goal |
|---|---|---|---|---|---|---|";

fn main() -> ExitCode {
    let _inside = stage::runtime().enter();
    let mut missed = Vec::new();
    if std::env::args().any(|argument| argument == "memory") {
        curve();
        return ExitCode::SUCCESS;
    }
    println!("| call | allocations | above its floor | goal |");
    println!("|---|---|---|---|");
    for mut scene in stage::scenes(Scale::SMALL) {
        missed.extend(calls(&mut scene));
    }
    println!("\n{MEMORY_HEAD}");
    let tokens = if stage::is_bench() {
        TOKENS
    } else {
        FEW_TOKENS
    };
    for shape in [Shape::Cognito, Shape::Keycloak] {
        for (size, most) in MOST_BYTES {
            missed.extend(memory(shape, size, tokens, Asks::Nothing, Some(most)));
            missed.extend(memory(shape, size, tokens, Asks::Claims, None));
        }
    }
    println!();
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

/// What the handler asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asks {
    Nothing,
    /// `Claims<T>`, with a `T` that holds two strings.
    Claims,
}

#[derive(serde::Deserialize)]
struct Payload {
    iss: String,
    sub: String,
}

/// A cache of so many entries, filled to the brim. The goal that is missed, if it is.
fn memory(
    shape: Shape,
    size: Size,
    entries: usize,
    asks: Asks,
    most: Option<i64>,
) -> Option<String> {
    let issuer = shape.issuer().with_algorithms([Algorithm::ES256]);
    let mint = Mint::of(shape, &issuer, size);
    let tokens = mint.sign(entries);
    let mut kept = None;
    let held = measure(|| {
        let builder = mint.server().token_cache_entries(entries);
        let server = built(builder.token_cache_bytes(1 << 30));
        let mut service = server.authenticate().layer(handler());
        let asking = tower::service_fn(|request: Request<()>| {
            let (mut parts, ()) = request.into_parts();
            let claims = stage::now(Claims::<Payload>::from_request_parts(&mut parts, &()));
            let claims = claims.expect("they fit");
            black_box((&claims.iss, &claims.sub));
            ready(Ok::<_, Infallible>(Response::new(String::new())))
        });
        let mut asking = server.authenticate().layer(asking);
        for token in &tokens {
            // Made here, so that its bytes count where an entry keeps them.
            let value = HeaderValue::try_from(format!("Bearer {token}")).expect("visible ascii");
            match asks {
                Asks::Nothing => call(&mut service, with(&value), StatusCode::OK),
                Asks::Claims => call(&mut asking, with(&value), StatusCode::OK),
            }
        }
        kept = Some(server);
    });
    let status = kept.as_ref().and_then(ResourceServer::token_cache_status);
    let status = status.expect("it is on");
    let kept = i64::try_from(status.entries()).expect("a count");
    let (held, each) = (held.bytes_current, held.bytes_current / kept.max(1));
    let name = format!("{} {}", shape.name(), size.name());
    let asked = if asks == Asks::Claims { "yes" } else { "no" };
    let goal = most
        .map(|most| format!("at most {most}"))
        .unwrap_or_default();
    let line = format!(
        "| {name} | {kept} | {asked} | {} | {each} | {} | {goal} |",
        held / 1000,
        status.bytes() / status.entries().max(1),
    );
    println!("{line}");
    let is_full = status.entries() >= entries * 9 / 10;
    (!is_full || most.is_some_and(|most| each > most)).then_some(line)
}

/// Entries whose memory is drawn.
const CURVE: [usize; 5] = [1_000, 2_000, 5_000, 10_000, 20_000];

/// Memory by entries: `-- memory`.
fn curve() {
    println!("{MEMORY_HEAD}");
    for size in [Size::Kb1, Size::Kb4] {
        for entries in CURVE {
            for asks in [Asks::Nothing, Asks::Claims] {
                memory(Shape::Cognito, size, entries, asks, None);
            }
        }
    }
}
