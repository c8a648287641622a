//! How many instructions each call takes, counted by callgrind.
//!
//! `benches/instructions` builds this, runs it under valgrind and prints the counts beside the
//! recorded ones. By itself it runs every row a few times, or the one that is named, and prints
//! their names.
//!
//! 1. What is counted happens inside `counted_call` and nowhere else.
//! 2. When `counted_row` is left, a row is complete; its name is printed, one a line, in order.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // A benchmark fails loudly.

mod stage;

use std::hint::black_box;

use stage::{Row, Scale};

/// Calls of a row that are counted; a multiple of the tokens of no scene.
const CALLS: usize = 50;

fn main() {
    let _inside = stage::runtime().enter();
    let wanted = std::env::args().skip(1).find(|it| !it.starts_with('-'));
    for scene in stage::scenes(Scale::SMALL) {
        for mut row in scene.rows {
            let name = format!("{}: {}", scene.name, row.name);
            if wanted.as_ref().is_some_and(|wanted| *wanted != name) {
                continue;
            }
            // Once round, so that what is lazy is done.
            for _ in 0..Scale::SMALL.strangers {
                (row.run)();
            }
            counted_row(&mut row);
            println!("{CALLS} {name}");
        }
    }
}

#[inline(never)]
fn counted_row(row: &mut Row) {
    for _ in 0..black_box(CALLS) {
        counted_call(&mut *row.run);
    }
    black_box(row);
}

#[inline(never)]
fn counted_call(run: &mut dyn FnMut()) {
    run();
    black_box(());
}
