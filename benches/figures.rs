//! The figures of the README, each beside its goal.
//!
//! `cargo bench --bench figures`, with the beginning of a scene's name to see that one alone:
//! `cargo bench --bench figures -- RS256`.
//!
//! 1. The rows of a scene take turns, a timed millisecond after three untimed ones, so that what
//!    disturbs the machine disturbs all of them.
//! 2. Figures are lower quartiles over the turns: what else the machine does only adds. Nothing is
//!    asserted: times belong to a machine.

#![allow(
    missing_docs,
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // A benchmark fails loudly.

mod stage;

use std::convert::Infallible;
use std::sync::{Arc, Barrier};

use cpu_time::ThreadTime;
use http::{HeaderValue, Request, Response, StatusCode};
use portcullis::test_util::MockIssuer;
use tower::{Layer as _, Service};

use stage::tokens::{Mint, Size, roomy, server, values};
use stage::turns::{by_turns, lower_quartile};
use stage::{Goal, Scale, Scene, built, call, handler, skewed, with};

const TURNS: usize = 200;
const THREAD_CALLS: usize = 100_000;

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
    let times: Vec<f64> = times.into_iter().map(lower_quartile).collect();
    for (index, row) in scene.rows.iter().enumerate() {
        let own = times[index];
        print!("| {}: {} | {own:.0} ", scene.name, row.name);
        let Some(floor) = row.floor.and_then(find) else {
            println!("| | | | | |");
            continue;
        };
        let (above, ratio) = (own - times[floor], own / times[floor]);
        let (goal, is_met) = match row.goal {
            Goal::None => (String::new(), None),
            Goal::Times(most) => (format!("{most:.2} times"), Some(ratio <= most)),
            Goal::Total(most) => (format!("{most:.0} ns"), Some(own <= most)),
            Goal::Above(most) => (format!("{most:.0} ns above"), Some(above <= most)),
        };
        let verdict = is_met.map_or("", |met| if met { "met" } else { "missed" });
        println!(
            "| {} | {above:.0} | {ratio:.3} | {goal} | {verdict} |",
            scene.rows[floor].name
        );
    }
    if let (Some(new), Some(seen)) = (find("new"), find("seen")) {
        let part = times[new] / times[seen];
        println!(
            "| {}: seen, as a part of new | | | | 1/{part:.0} | | |",
            scene.name
        );
    }
}

/// Time of a call by one thread and by two, each with requests of its own: of the handler, which
/// shares nothing, and of one server's layer with tokens seen before.
fn threads(scale: Scale, turns: usize) {
    let issuer = MockIssuer::new();
    let tokens = Mint::new(&issuer, Size::Kb1).sign(scale.seen);
    let server = built(roomy(server(&issuer), scale));
    let guarded = server.authenticate().layer(handler());
    for value in values(&tokens).iter() {
        call(&mut guarded.clone(), with(value), StatusCode::OK);
    }
    let seats: Vec<Arc<[HeaderValue]>> = (0..2).map(|_| values(&tokens)).collect();
    println!();
    compare_threads("the handler alone", turns, &seats, &handler());
    compare_threads("the layer, tokens seen before", turns, &seats, &guarded);
}

fn compare_threads<S>(name: &str, turns: usize, seats: &[Arc<[HeaderValue]>], service: &S)
where
    S: Service<Request<()>, Response = Response<String>, Error = Infallible> + Clone + Send + Sync,
{
    let run = |threads: usize| -> f64 {
        let barrier = Barrier::new(threads);
        let work = |seat: usize| {
            let (mut service, values) = (service.clone(), &seats[seat]);
            let mut order = skewed(values.len());
            // The threads are not at the same tokens.
            (0..seat * 1_000).for_each(|_| _ = order());
            barrier.wait();
            let start = ThreadTime::now();
            for _ in 0..THREAD_CALLS {
                call(&mut service, with(&values[order()]), StatusCode::OK);
            }
            start.elapsed().as_secs_f64() * 1e9 / THREAD_CALLS as f64
        };
        std::thread::scope(|scope| {
            let work = &work;
            let start = |seat| scope.spawn(move || work(seat));
            let workers: Vec<_> = (0..threads).map(start).collect();
            let times = workers.into_iter();
            let times = times.map(|it| it.join().expect("no call fails"));
            times.sum::<f64>() / threads as f64
        })
    };
    let (one, two): (Vec<f64>, Vec<f64>) = (0..turns).map(|_| (run(1), run(2))).unzip();
    let (one, two) = (lower_quartile(one), lower_quartile(two));
    println!(
        "{name}: {one:.0} ns a call by one thread, {two:.0} by each of two: throughput times {:.2}",
        2.0 * one / two
    );
}
