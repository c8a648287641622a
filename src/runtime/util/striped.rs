//! Striped counters and handles: per-thread slots avoid cache-line contention.

use std::cell::Cell;
use std::fmt;
use std::ops::Deref;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};

use crate::runtime::util::sync::{AtomicU64, Ordering};

const STRIPES: usize = if cfg!(portcullis_loom) { 2 } else { 16 };

/// A counter that many threads increment.
#[derive(Debug, Default)]
pub(crate) struct StripedCounter([Stripe<AtomicU64>; STRIPES]);

/// Aligned to two cache lines, since processors prefetch lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe<T>(T);

impl StripedCounter {
    pub(crate) fn increment(&self) {
        if let Some(Stripe(count)) = self.0.get(own_stripe()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn total(&self) -> u64 {
        let counts = self.0.iter();
        counts
            .map(|Stripe(count)| count.load(Ordering::Relaxed))
            .fold(0, u64::wrapping_add)
    }
}

/// One value for each stripe. What a thread makes of its own is counted on no other thread's lines.
#[derive(Default)]
pub(crate) struct Striped<T>([Stripe<T>; STRIPES]);

impl<T> Striped<T> {
    /// The value of this thread's stripe.
    pub(crate) fn own(&self) -> &T {
        let [Stripe(first), ..] = &self.0;
        let own = self.0.get(own_stripe());
        own.map_or(first, |Stripe(value)| value)
    }
}

/// Copies of a name that many requests hold at once, with a reference count for each stripe. Each copy is
/// made at its first use.
#[derive(Default)]
pub(crate) struct StripedName(OnceLock<Box<Striped<OnceLock<Arc<str>>>>>);

impl StripedName {
    /// The copy of this thread's stripe, made of `name`, which is the same in each call.
    pub(crate) fn own(&self, name: &str) -> &Arc<str> {
        let copies = self.0.get_or_init(Box::default);
        copies.own().get_or_init(|| Arc::from(name))
    }
}

/// A value that every request holds for a while, with a reference count for each stripe.
pub(crate) struct StripedArc<T>([StripedArcHandle<T>; STRIPES]);

/// A handle of the value.
pub(crate) struct StripedArcHandle<T>(Arc<Stripe<Arc<T>>>);

impl<T> StripedArc<T> {
    pub(crate) fn new(value: T) -> Self {
        let value = Arc::new(value);
        Self(std::array::from_fn(|_| {
            StripedArcHandle(Arc::new(Stripe(Arc::clone(&value))))
        }))
    }

    /// A handle, counted on this thread's stripe.
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
        f.write_str("StripedArcHandle(..)")
    }
}

fn own_stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES);
    }
    // A thread that is ending uses the first stripe.
    OWN.try_with(Cell::get).unwrap_or_default()
}

#[cfg(not(portcullis_loom))]
#[cfg(test)]
mod tests {
    use std::thread::ScopedJoinHandle;

    use super::*;

    #[test]
    fn what_threads_count_adds_up() {
        let counter = StripedCounter::default();
        std::thread::scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| (0..100).for_each(|_| counter.increment()));
            }
        });
        assert_eq!(counter.total(), 4000);
    }

    #[test]
    fn a_thread_finds_its_own_value_again() {
        let striped: Striped<AtomicU64> = Striped::default();
        let add = || striped.own().fetch_add(1, Ordering::Relaxed);
        assert_eq!((add(), add()), (0, 1));
        let values = striped.0.iter();
        let counts = values.map(|Stripe(value)| value.load(Ordering::Relaxed));
        let counts: Vec<u64> = counts.filter(|count| *count > 0).collect();
        assert_eq!(counts, [2]);
    }

    #[test]
    fn threads_count_the_holders_of_a_name_apart() {
        let name = StripedName::default();
        let held = || Arc::clone(name.own("https://id.example.com"));
        let (first, again) = (held(), held());
        assert!(Arc::ptr_eq(&first, &again));
        // New threads take the stripes by turns.
        let others = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..STRIPES).map(|_| scope.spawn(held)).collect();
            let held = threads.into_iter().map(ScopedJoinHandle::join);
            held.map(|held| held.expect("no panic")).collect::<Vec<_>>()
        });
        assert!(others.iter().all(|other| **other == *first));
        assert!(others.iter().any(|other| !Arc::ptr_eq(other, &first)));
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

#[cfg(portcullis_loom)]
#[cfg(test)]
mod loom_tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn loom_striped_counter_loses_no_increment() {
        loom::model(|| {
            let counter = Arc::new(StripedCounter::default());
            let other = {
                let counter = Arc::clone(&counter);
                loom::thread::spawn(move || counter.increment())
            };
            counter.increment();
            other.join().expect("no panic");
            assert_eq!(counter.total(), 2);
        });
    }
}
