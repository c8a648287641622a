//! The manual clock: time that moves only when a test moves it.
//!
//! 1. Wall time and monotonic time are two readings; `advance` moves both, `set_wall` the first.
//! 2. Monotonic time never goes back. Nothing here reads the machine's clock.
//! 3. Sleepers whose time has come are woken in the order of their times, equals in the order
//!    in which they began to sleep.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::time::{Clock, Sleep, UnixTime};

/// A [`Clock`] that stands still until it is moved. Clones show the same time.
///
/// Give a clone to [`ResourceServerBuilder::clock`](crate::ResourceServerBuilder::clock) and one to
/// [`MockIssuer::with_clock`](super::MockIssuer::with_clock), so that tokens and their judge
/// agree on the time.
///
/// ```
/// use portcullis::time::Clock as _;
/// use portcullis::test_util::ManualClock;
/// use std::time::Duration;
///
/// let clock = ManualClock::new();
/// clock.advance(Duration::from_secs(90));
/// assert_eq!(clock.monotonic(), Duration::from_secs(90));
/// assert_eq!(clock.now(), ManualClock::START.saturating_add(Duration::from_secs(90)));
/// ```
#[derive(Clone)]
pub struct ManualClock(Arc<Mutex<State>>);

struct State {
    /// The wall time that was last set, and how far it has moved since; apart, so that
    /// fractions of a second add up.
    wall_set: UnixTime,
    wall_moved: Duration,
    monotonic: Duration,
    /// By time, then by arrival.
    sleepers: BTreeMap<Place, Waker>,
    arrivals: u64,
    observers: Vec<Waker>,
}

type Place = (Duration, u64);

impl ManualClock {
    /// The wall time of a new clock: 2026-01-01T00:00:00Z.
    pub const START: UnixTime = UnixTime::from_secs(1_767_225_600);

    /// A clock at [`START`](Self::START), monotonic time 0.
    #[must_use]
    pub fn new() -> Self {
        Self::at(Self::START)
    }

    /// A clock at this wall time, monotonic time 0.
    #[must_use]
    pub fn at(wall: UnixTime) -> Self {
        Self(Arc::new(Mutex::new(State {
            wall_set: wall,
            wall_moved: Duration::ZERO,
            monotonic: Duration::ZERO,
            sleepers: BTreeMap::new(),
            arrivals: 0,
            observers: Vec::new(),
        })))
    }

    /// Moves wall and monotonic time forward together, and wakes the sleepers that are due. Fractions of
    /// a second add up; the wall shows whole seconds.
    ///
    /// The woken run when their executor runs them, after the whole step: let a test that goes
    /// on at once `await` what they should do.
    pub fn advance(&self, step: Duration) {
        let mut due = Vec::new();
        {
            let mut state = self.state();
            state.wall_moved = state.wall_moved.saturating_add(step);
            state.monotonic = state.monotonic.saturating_add(step);
            let now = state.monotonic;
            while let Some(first) = state.sleepers.first_entry() {
                if first.key().0 > now {
                    break;
                }
                due.push(first.remove());
            }
        }
        for waker in due {
            waker.wake(); // Outside the lock: a waker may run anything.
        }
    }

    /// Moves to the time of the next sleeper and wakes it. Returns the step; absent, and the
    /// clock unmoved, when there is no sleeper.
    #[allow(clippy::must_use_candidate)] // It moves the clock.
    pub fn advance_to_next_sleeper(&self) -> Option<Duration> {
        let step = self.next_sleeper()?;
        self.advance(step);
        Some(step)
    }

    /// Sets the wall time alone, also backwards, as time synchronization does. It wakes no sleeper.
    pub fn set_wall(&self, wall: UnixTime) {
        let mut state = self.state();
        state.wall_set = wall;
        state.wall_moved = Duration::ZERO;
    }

    /// How many sleep on this clock now.
    #[must_use]
    pub fn sleepers(&self) -> usize {
        self.state().sleepers.len()
    }

    /// How long until the next sleeper wakes; absent when there is none.
    #[must_use]
    pub fn next_sleeper(&self) -> Option<Duration> {
        let state = self.state();
        let ((at, _), _) = state.sleepers.first_key_value()?;
        Some(at.saturating_sub(state.monotonic))
    }

    /// Ends when at least `count` sleep on this clock: background work has gone to rest.
    /// Without a time limit of its own.
    pub async fn await_sleepers(&self, count: usize) {
        std::future::poll_fn(|context| {
            let mut state = self.state();
            if state.sleepers.len() >= count {
                return Poll::Ready(());
            }
            state.observers.push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that could panic runs under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManualClock")
            .field("now", &self.now())
            .field("monotonic", &self.monotonic())
            .field("sleepers", &self.sleepers())
            .finish()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixTime {
        let state = self.state();
        state.wall_set.saturating_add(state.wall_moved)
    }

    fn monotonic(&self) -> Duration {
        self.state().monotonic
    }

    fn sleep_until(&self, at: Duration) -> Sleep {
        Box::pin(ManualSleep {
            clock: self.clone(),
            at,
            place: None,
        })
    }
}

/// A sleeper; it has a place in the clock's list from its first poll until it ends.
struct ManualSleep {
    clock: ManualClock,
    at: Duration,
    place: Option<Place>,
}

impl Future for ManualSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let clock = self.clock.clone();
        let mut state = clock.state();
        if state.monotonic >= self.at {
            if let Some(place) = self.place.take() {
                state.sleepers.remove(&place);
            }
            return Poll::Ready(());
        }
        let place = self.place.unwrap_or_else(|| {
            state.arrivals += 1;
            (self.at, state.arrivals)
        });
        self.place = Some(place);
        state.sleepers.insert(place, context.waker().clone());
        let observers = std::mem::take(&mut state.observers);
        drop(state);
        observers.into_iter().for_each(Waker::wake);
        Poll::Pending
    }
}

impl Drop for ManualSleep {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.clock.state().sleepers.remove(&place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    /// Notes the place in the order of waking.
    struct Note {
        order: Arc<AtomicUsize>,
        woken_as: AtomicUsize,
    }

    impl Wake for Note {
        fn wake(self: Arc<Self>) {
            let place = self.order.fetch_add(1, Ordering::SeqCst) + 1;
            self.woken_as.store(place, Ordering::SeqCst);
        }
    }

    fn secs(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn sleepers_wake_in_the_order_of_their_times() {
        let clock = ManualClock::new();
        let order = Arc::new(AtomicUsize::new(0));
        let mut sleepers: Vec<_> = [30, 10, 20, 10, 40]
            .into_iter()
            .map(|at| {
                let note = Arc::new(Note {
                    order: order.clone(),
                    woken_as: AtomicUsize::new(0),
                });
                (clock.sleep_until(secs(at)), note)
            })
            .collect();
        let poll = |sleep: &mut Sleep, note: &Arc<Note>| {
            let waker = Waker::from(note.clone());
            sleep.as_mut().poll(&mut Context::from_waker(&waker))
        };
        for (sleep, note) in &mut sleepers {
            assert!(poll(sleep, note).is_pending());
            assert!(
                poll(sleep, note).is_pending(),
                "a second poll takes no second place"
            );
        }
        assert_eq!(
            (clock.sleepers(), clock.next_sleeper()),
            (5, Some(secs(10)))
        );
        clock.advance(Duration::from_millis(9_999));
        assert_eq!(order.load(Ordering::SeqCst), 0, "nobody wakes early");
        clock.advance(Duration::from_secs(21));
        let woken: Vec<_> = sleepers
            .iter()
            .map(|(_, note)| note.woken_as.load(Ordering::SeqCst))
            .collect();
        assert_eq!(woken, [4, 1, 3, 2, 0]);
        for (place, (sleep, note)) in sleepers.iter_mut().enumerate() {
            assert_eq!(poll(sleep, note).is_ready(), place != 4);
        }
        drop(sleepers);
        assert_eq!(clock.sleepers(), 0, "who is dropped sleeps no more");
    }

    #[test]
    fn the_wall_moves_alone_and_back() {
        let clock = ManualClock::new();
        clock.advance(Duration::from_millis(1_500));
        clock.advance(Duration::from_millis(500));
        assert_eq!(clock.now().as_secs(), 1_767_225_602, "fractions add up");
        clock.set_wall(UnixTime::from_secs(100));
        assert_eq!((clock.now().as_secs(), clock.monotonic()), (100, secs(2)));
        clock.advance(secs(5));
        assert_eq!((clock.now().as_secs(), clock.monotonic()), (105, secs(7)));
    }

    #[tokio::test]
    async fn a_test_can_wait_until_others_sleep() {
        let clock = ManualClock::new();
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move {
                clock.sleep_until(secs(5)).await;
                clock.sleep_until(secs(5)).await; // already there
                clock.sleep_until(secs(9)).await;
                clock.monotonic()
            }
        });
        clock.await_sleepers(1).await;
        assert_eq!(clock.advance_to_next_sleeper(), Some(secs(5)));
        clock.await_sleepers(1).await;
        assert_eq!(clock.advance_to_next_sleeper(), Some(secs(4)));
        assert_eq!(sleeper.await.unwrap(), secs(9));
        assert_eq!(clock.advance_to_next_sleeper(), None);
    }
}
