//! What the layer costs: every call of `stage/`, timed by criterion.
//!
//! `cargo bench --bench layer`, with a filter such as `-- 'RS256 1 KB'`. The rows of one group
//! belong side by side: what the layer costs is a row less its floor. On a machine that does other
//! things too, `benches/figures.rs` tells the difference better: it runs a row and its floor by
//! turns.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // A benchmark fails loudly.

mod stage;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

use stage::Scale;

fn layer(criterion: &mut Criterion) {
    let _inside = stage::runtime().enter();
    let scale = if stage::is_bench() {
        Scale::FULL
    } else {
        Scale::SMALL
    };
    for scene in stage::scenes(scale) {
        let mut group = criterion.benchmark_group(scene.name);
        for mut row in scene.rows {
            group.bench_function(row.name, |bencher| bencher.iter(&mut row.run));
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = layer
}
criterion_main!(benches);
