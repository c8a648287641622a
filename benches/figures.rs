//! The figures of the README, each beside its goal.
//!
//! `cargo bench --bench figures`, with the beginning of a scene's name to see that one alone:
//! `cargo bench --bench figures -- RS256`.
//!
//! 1. The rows of a scene take turns, a millisecond each, so that what disturbs the machine
//!    disturbs all of them; a row is compared with its floor turn by turn.
//! 2. Figures are medians over the turns. Nothing is asserted: times belong to a machine.

#![allow(
    missing_docs,
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // A benchmark fails loudly.

mod stage;

use std::sync::Barrier;
use std::time::Instant;

use http::StatusCode;
use portcullis::test_util::MockIssuer;
use tower::Layer as _;

use stage::tokens::{Mint, Size, roomy, server, values};
use stage::turns::{by_turns, median};
use stage::{Goal, Scale, Scene, built, call, handler, skewed, with};

const TURNS: usize = 400;

fn main() {
    let _inside = stage::runtime().enter();
    let wanted = std::env::args().skip(1).find(|it| !it.starts_with('-'));
    let is_wanted = |name: &str| wanted.as_ref().is_none_or(|it| name.starts_with(&**it));
    let (scale, turns) = if stage::is_bench() {
        (Scale::FULL, TURNS)
    } else {
        (Scale::SMALL, 1)
    };
    println!("| call | ns | its floor | above | times | goal | |");
    println!("|---|---|---|---|---|---|---|");
    for (name, make) in stage::makers(scale) {
        if is_wanted(&name) {
            compare(make(), turns);
        }
    }
    if is_wanted("threads") {
        threads(scale, turns.div_ceil(20));
    }
}

fn compare(mut scene: Scene, turns: usize) {
    let mut calls: Vec<&mut dyn FnMut()> = Vec::new();
    for row in &mut scene.rows {
        calls.push(&mut *row.run);
    }
    let times = by_turns(&mut calls, turns);
    let find = |name: &str| scene.rows.iter().position(|row| row.name == name);
    let paired = |one: usize, other: usize, of: fn(f64, f64) -> f64| {
        let pairs = times[one].iter().zip(&times[other]);
        median(pairs.map(|(one, other)| of(*one, *other)).collect())
    };
    for (index, row) in scene.rows.iter().enumerate() {
        let own = median(times[index].clone());
        print!("| {}: {} | {own:.0} ", scene.name, row.name);
        let Some(floor) = row.floor.and_then(find) else {
            println!("| | | | | |");
            continue;
        };
        let above = paired(index, floor, |one, other| one - other);
        let ratio = paired(index, floor, |one, other| one / other);
        let (goal, is_met) = match row.goal {
            Goal::None => (String::new(), None),
            Goal::Times(most) => (format!("{most:.2} times"), Some(ratio <= most)),
            Goal::Above(most) => (format!("{most:.0} ns above"), Some(above <= most)),
        };
        let verdict = is_met.map_or("", |met| if met { "met" } else { "missed" });
        println!(
            "| {} | {above:.0} | {ratio:.3} | {goal} | {verdict} |",
            scene.rows[floor].name
        );
    }
    if let (Some(cold), Some(seen)) = (find("cold"), find("seen")) {
        let part = paired(cold, seen, |cold, seen| cold / seen);
        println!(
            "| {}: seen, as a part of cold | | | | 1/{part:.0} | | |",
            scene.name
        );
    }
}

/// Calls a second with tokens seen before, by one thread and by two, turn by turn.
fn threads(scale: Scale, turns: usize) {
    const CALLS: usize = 20_000;
    let issuer = MockIssuer::new();
    let values = values(&Mint::new(&issuer, Size::Kb1).sign(scale.seen));
    let server = built(roomy(server(&issuer), scale));
    let service = server.authenticate().layer(handler());
    for value in values.iter() {
        call(&mut service.clone(), with(value), StatusCode::OK);
    }
    let run = |threads: usize| {
        let barrier = Barrier::new(threads + 1);
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|_| {
                    let (mut service, values) = (service.clone(), &values);
                    let (barrier, mut order) = (&barrier, skewed(scale.seen));
                    scope.spawn(move || {
                        barrier.wait();
                        for _ in 0..CALLS {
                            call(&mut service, with(&values[order()]), StatusCode::OK);
                        }
                    })
                })
                .collect();
            barrier.wait();
            let start = Instant::now();
            for worker in workers {
                worker.join().expect("no call fails");
            }
            (threads * CALLS) as f64 / start.elapsed().as_secs_f64()
        })
    };
    let (one, two): (Vec<f64>, Vec<f64>) = (0..turns).map(|_| (run(1), run(2))).unzip();
    let best = |rates: Vec<f64>| rates.into_iter().fold(0.0, f64::max);
    let (one, two) = (best(one), best(two));
    println!();
    println!(
        "seen, 1 KB: {one:.0} calls a second by one thread, {two:.0} by two: {:.2} times",
        two / one
    );
}
