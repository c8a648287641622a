//! Calls that take turns, so that what disturbs the machine disturbs all of them.
//!
//! Time is this thread's on a processor, so that what runs in between does not count.

use cpu_time::ThreadTime;

/// Nanoseconds.
const TURN: f64 = 1e6;

/// Turns that are not timed before one that is: they bring back what the others have driven out of
/// the processor's cache.
const WARM_UP: usize = 3;

/// Nanoseconds of each call, turn by turn.
pub(crate) fn by_turns(calls: &mut [&mut dyn FnMut()], turns: usize) -> Vec<Vec<f64>> {
    let batches: Vec<u32> = calls.iter_mut().map(|call| batch(call)).collect();
    let mut times = vec![Vec::with_capacity(turns); calls.len()];
    for _ in 0..turns {
        for ((call, batch), times) in calls.iter_mut().zip(&batches).zip(&mut times) {
            for _ in 0..WARM_UP {
                time(call, *batch);
            }
            times.push(time(call, *batch));
        }
    }
    times
}

/// The quickest turn of a quarter: a machine's other work only ever adds time.
pub(crate) fn lower_quartile(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 4).copied().unwrap_or_default()
}

/// How many calls fill a turn.
fn batch(call: &mut dyn FnMut()) -> u32 {
    let mut batch = 1;
    while time(call, batch) * f64::from(batch) < TURN {
        batch *= 2;
    }
    batch
}

/// Nanoseconds of one call.
fn time(call: &mut dyn FnMut(), batch: u32) -> f64 {
    let start = ThreadTime::now();
    for _ in 0..batch {
        call();
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(batch)
}
