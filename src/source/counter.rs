//! A counter that many threads write to without meeting.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const STRIPES: usize = 16;

/// Each thread counts on a stripe of its own, as far as there are enough.
#[derive(Debug, Default)]
pub(crate) struct Counter([Stripe; STRIPES]);

/// On a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe(AtomicU64);

impl Counter {
    pub(crate) fn count(&self) {
        if let Some(stripe) = self.0.get(own_stripe()) {
            stripe.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn sum(&self) -> u64 {
        let stripes = self.0.iter().map(|stripe| stripe.0.load(Ordering::Relaxed));
        stripes.fold(0, u64::wrapping_add)
    }
}

fn own_stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES);
    }
    // A thread that is ending counts on the first.
    OWN.try_with(Cell::get).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_threads_count_adds_up() {
        let counter = Counter::default();
        std::thread::scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| (0..100).for_each(|_| counter.count()));
            }
        });
        assert_eq!(counter.sum(), 4000);
    }
}
