//! The time source: wall time, monotonic time, and deadlines by both.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::thread::LocalKey;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::model::time::UnixTime;

/// A future that ends at a time of its [`Clock`].
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The time source of a server: for the expiry of tokens, the schedule, cooldown and staleness of key
/// sets, and the time that requests wait for a key.
///
/// A cached value ends when either reading says so. After a suspension the wall clock is ahead and the
/// monotonic clock is where it was; after the wall clock was set back it is the opposite.
///
/// [`SystemClock`] is the default. Tests move time with `test_util::ManualClock`; only socket timeouts
/// use real time.
pub trait Clock: Send + Sync + 'static {
    /// Wall-clock time, for the times in tokens.
    fn now(&self) -> UnixTime;

    /// Time since a fixed moment of this clock; it never decreases.
    fn monotonic(&self) -> Duration;

    /// Both readings at once, which every request takes. A clock that reads both for less than two calls cost
    /// does so here. Default: [`now`](Self::now) and [`monotonic`](Self::monotonic).
    fn both(&self) -> (UnixTime, Duration) {
        (self.now(), self.monotonic())
    }

    /// A future that ends when [`monotonic`](Self::monotonic) has reached `at`.
    fn sleep_until(&self, at: Duration) -> Sleep;
}

/// One reading of both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) wall: UnixTime,
    pub(crate) monotonic: Duration,
}

impl Now {
    pub(crate) fn of(clock: &dyn Clock) -> Self {
        let (wall, monotonic) = clock.both();
        Self { wall, monotonic }
    }

    /// Time since this reading, by the clock that has advanced further: the monotonic one stands still
    /// while the machine is suspended, and the wall clock may have been set back.
    #[cfg(feature = "jwks")]
    pub(crate) fn elapsed(self, now: Self) -> Duration {
        let seconds = now.wall.as_secs().saturating_sub(self.wall.as_secs());
        let by_wall = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        by_wall.max(now.monotonic.saturating_sub(self.monotonic))
    }
}

/// A deadline by both clocks: it has passed when either of them says so, since the monotonic one
/// stands still while the machine is suspended, and the wall clock may be set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deadline {
    wall: UnixTime,
    monotonic: Duration,
}

impl Deadline {
    /// A deadline that has passed.
    #[cfg(any(test, feature = "jwks"))]
    pub(crate) const PASSED: Self = Self {
        wall: UnixTime::from_secs(i64::MIN),
        monotonic: Duration::ZERO,
    };

    /// A deadline that never passes.
    pub(crate) const NEVER: Self = Self {
        wall: UnixTime::from_secs(i64::MAX),
        monotonic: Duration::MAX,
    };

    /// So long after now.
    pub(crate) fn after(now: Now, span: Duration) -> Self {
        Self::at(now.wall, span, now.monotonic.saturating_add(span))
    }

    /// So long after a wall time, and at a monotonic time.
    pub(crate) fn at(began: UnixTime, span: Duration, monotonic: Duration) -> Self {
        // The wall clock has whole seconds: round up.
        let started = u64::from(span.subsec_nanos() > 0);
        let seconds = span.as_secs().saturating_add(started);
        Self {
            wall: began.saturating_add(Duration::from_secs(seconds)),
            monotonic,
        }
    }

    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    pub(crate) fn has_passed(self, now: Now) -> bool {
        now.monotonic >= self.monotonic || now.wall >= self.wall
    }

    /// The earlier of both, by each clock.
    #[cfg_attr(not(feature = "status-list"), allow(dead_code))]
    pub(crate) fn min(self, other: Self) -> Self {
        Self {
            wall: self.wall.min(other.wall),
            monotonic: self.monotonic.min(other.monotonic),
        }
    }

    /// The wall-clock time.
    pub(crate) const fn wall(self) -> UnixTime {
        self.wall
    }

    /// The monotonic time.
    pub(crate) const fn monotonic(self) -> Duration {
        self.monotonic
    }
}

/// The clock of the machine. Sleeping needs a tokio runtime with time enabled.
///
/// [`both`](Clock::both) reads the wall clock once a millisecond on each thread, and counts on by the monotonic
/// one in between: a wall clock that was set, or that is ahead after a suspension, is noticed within a
/// millisecond.
#[derive(Clone)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            origin: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SystemClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemClock").finish_non_exhaustive()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> UnixTime {
        unix_time(since_epoch())
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }

    fn both(&self) -> (UnixTime, Duration) {
        let monotonic = self.monotonic();
        let wall = wall_at(self.origin, monotonic, &LAST_READING, since_epoch);
        (unix_time(wall), monotonic)
    }

    #[cfg(feature = "jwks")]
    fn sleep_until(&self, at: Duration) -> Sleep {
        // Without a runtime there is no timer: a waiting future is only woken by its event.
        if tokio::runtime::Handle::try_current().is_err() {
            return Box::pin(std::future::pending());
        }
        let rest = at.saturating_sub(self.monotonic());
        Box::pin(tokio::time::sleep(rest))
    }

    /// Without the feature `jwks` nothing in this library sleeps.
    #[cfg(not(feature = "jwks"))]
    fn sleep_until(&self, _: Duration) -> Sleep {
        Box::pin(std::future::pending())
    }
}

/// How long a reading of the wall clock is counted on from.
const LONGEST_COUNT: Duration = Duration::from_millis(1);

/// A reading of the wall clock, and the monotonic time at which it was read by a clock of this origin.
#[derive(Clone, Copy)]
struct WallReading {
    origin: Instant,
    monotonic: Duration,
    wall: Duration,
}

thread_local! {
    static LAST_READING: Cell<Option<WallReading>> = const { Cell::new(None) };
}

/// The time since 1970 at this monotonic time, counted on from the last reading while that is recent.
#[inline]
fn wall_at(
    origin: Instant,
    monotonic: Duration,
    last: &'static LocalKey<Cell<Option<WallReading>>>,
    read: impl FnOnce() -> Duration,
) -> Duration {
    // A thread that is ending remembers nothing.
    if let Ok(Some(last)) = last.try_with(Cell::get) {
        match monotonic.checked_sub(last.monotonic) {
            Some(since) if since < LONGEST_COUNT && last.origin == origin => {
                return last.wall.saturating_add(since);
            }
            _ => {}
        }
    }
    let wall = read();
    let reading = WallReading {
        origin,
        monotonic,
        wall,
    };
    let _ = last.try_with(|last| last.set(Some(reading)));
    wall
}

/// The time since 1970 by the wall clock. Before 1970 it is 1970, so that nothing overflows.
fn since_epoch() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

fn unix_time(since_epoch: Duration) -> UnixTime {
    UnixTime::from_secs(i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    thread_local! {
        static LAST: Cell<Option<WallReading>> = const { Cell::new(None) };
    }

    #[test]
    fn wall_clock_that_was_set_is_noticed_within_a_millisecond() {
        let origin = Instant::now();
        let wall = |after: Duration, now: Duration| wall_at(origin, after, &LAST, || now);
        let (old, set_back) = (Duration::from_secs(1_800_000_000), Duration::from_secs(5));
        let just_before = LONGEST_COUNT.saturating_sub(Duration::from_nanos(1));
        assert_eq!(wall(Duration::ZERO, old), old);
        assert_eq!(wall(just_before, set_back), old + just_before);
        assert_eq!(wall(LONGEST_COUNT, set_back), set_back);
        // Counted on from the new reading alone.
        assert_eq!(
            wall(LONGEST_COUNT + just_before, old),
            set_back + just_before
        );
        // A moment before the last reading takes another one.
        assert_eq!(wall(Duration::ZERO, old), old);
        // So does another clock, whose monotonic times have another origin.
        let other = origin + Duration::from_nanos(1);
        assert_eq!(wall_at(other, just_before, &LAST, || set_back), set_back);
    }

    #[test]
    fn both_readings_are_those_of_the_two_clocks() {
        let clock = SystemClock::new();
        // The reading that is counted on from is at most a millisecond old, which may be over a second's end.
        let most = Duration::from_secs(1);
        for _ in 0..100 {
            let (wall, monotonic) = (clock.now(), clock.monotonic());
            let both = clock.both();
            let (later_wall, later_monotonic) = (clock.now(), clock.monotonic());
            assert!((monotonic..=later_monotonic).contains(&both.1));
            assert!(
                both.0.saturating_add(most) >= wall && both.0 <= later_wall.saturating_add(most)
            );
        }
    }
}
