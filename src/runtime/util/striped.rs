//! What many threads do at once without meeting: each writes to a stripe of memory of its own, as
//! far as there are enough.

use std::cell::Cell;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const STRIPES: usize = 16;

/// A counter.
#[derive(Debug, Default)]
pub(crate) struct StripedCounter([Stripe<AtomicU64>; STRIPES]);

/// On a cache line of its own, and on the one that is fetched beside it.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe<T>(T);

impl StripedCounter {
    pub(crate) fn count(&self) {
        if let Some(Stripe(count)) = self.0.get(own_stripe()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn sum(&self) -> u64 {
        let counts = self.0.iter();
        counts
            .map(|Stripe(count)| count.load(Ordering::Relaxed))
            .fold(0, u64::wrapping_add)
    }
}

/// A value that every request holds for a while. Its holders are counted on stripes.
pub(crate) struct StripedArc<T>([StripedArcHandle<T>; STRIPES]);

/// A hold on a value.
pub(crate) struct StripedArcHandle<T>(Arc<Stripe<Arc<T>>>);

impl<T> StripedArc<T> {
    pub(crate) fn new(value: T) -> Self {
        let value = Arc::new(value);
        Self(std::array::from_fn(|_| {
            StripedArcHandle(Arc::new(Stripe(Arc::clone(&value))))
        }))
    }

    /// Holds the value, counted on this thread's stripe.
    pub(crate) fn share(&self) -> StripedArcHandle<T> {
        let [first, ..] = &self.0;
        self.0.get(own_stripe()).unwrap_or(first).clone()
    }
}

impl<T> Deref for StripedArc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        let [first, ..] = &self.0;
        first
    }
}

impl<T> Clone for StripedArcHandle<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for StripedArcHandle<T> {
    type Target = T;

    fn deref(&self) -> &T {
        let Stripe(value) = &*self.0;
        value
    }
}

impl<T> fmt::Debug for StripedArcHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Share(..)")
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
    use std::thread::ScopedJoinHandle;

    use super::*;

    #[test]
    fn what_threads_count_adds_up() {
        let counter = StripedCounter::default();
        std::thread::scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| (0..100).for_each(|_| counter.count()));
            }
        });
        assert_eq!(counter.sum(), 4000);
    }

    #[test]
    fn a_value_is_one_however_many_threads_hold_it_and_ends_with_the_last() {
        let spread = StripedArc::new(AtomicU64::new(0));
        let value = Arc::downgrade(&spread.share().0.0);
        let held = std::thread::scope(|scope| {
            let hold = || {
                scope.spawn(|| {
                    let share = spread.share();
                    share.fetch_add(1, Ordering::Relaxed);
                    share
                })
            };
            let threads: Vec<_> = (0..40).map(|_| hold()).collect();
            let shares = threads.into_iter().map(ScopedJoinHandle::join);
            shares
                .map(|share| share.expect("no panic"))
                .collect::<Vec<_>>()
        });
        assert_eq!(spread.load(Ordering::Relaxed), 40);
        drop(spread);
        assert!(value.upgrade().is_some());
        drop(held);
        assert!(value.upgrade().is_none());
    }
}
