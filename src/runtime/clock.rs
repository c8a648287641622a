//! Time, as the server sees it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::model::time::UnixTime;

/// A future that ends at a time of its clock.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where the library takes its time from: the expiry of tokens, the schedule, cooldown and
/// staleness of key sets, and the patience of requests that wait for a key.
///
/// What may be remembered for a time is over when either reading says so. A machine that was
/// suspended finds its wall clock hours ahead and its monotonic clock where it was; one whose wall
/// clock was set back finds the opposite.
///
/// [`SystemClock`] is the default. Tests move time with
/// `test_util::ManualClock`; socket timeouts alone stay on real time.
pub trait Clock: Send + Sync + 'static {
    /// Wall-clock time, for the times in tokens.
    fn now(&self) -> UnixTime;

    /// Time since a fixed moment of this clock; it never goes back.
    fn monotonic(&self) -> Duration;

    /// Ends when [`monotonic`](Self::monotonic) has reached `at`.
    fn sleep_until(&self, at: Duration) -> Sleep;
}

/// One look at both readings of a clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) wall: UnixTime,
    pub(crate) monotonic: Duration,
}

impl Now {
    pub(crate) fn of(clock: &dyn Clock) -> Self {
        Self {
            wall: clock.now(),
            monotonic: clock.monotonic(),
        }
    }

    /// How long ago this was, by the reading that has gone further: the monotonic one stands still
    /// while the machine is suspended, and the wall clock may have been set back.
    #[cfg(feature = "jwks")]
    pub(crate) fn elapsed(self, now: Self) -> Duration {
        let seconds = now.wall.as_secs().saturating_sub(self.wall.as_secs());
        let by_wall = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        by_wall.max(now.monotonic.saturating_sub(self.monotonic))
    }
}

/// An end by both readings of the clock: it has come when either of them says so, since the
/// monotonic one stands still while the machine is suspended, and the wall clock may be set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deadline {
    wall: UnixTime,
    monotonic: Duration,
}

impl Deadline {
    /// What has ended already.
    #[cfg(any(test, feature = "jwks"))]
    pub(crate) const PASSED: Self = Self {
        wall: UnixTime::from_secs(i64::MIN),
        monotonic: Duration::ZERO,
    };

    /// What never ends.
    pub(crate) const NEVER: Self = Self {
        wall: UnixTime::from_secs(i64::MAX),
        monotonic: Duration::MAX,
    };

    /// The end of a span that begins now.
    pub(crate) fn after(now: Now, span: Duration) -> Self {
        Self::at(now.wall, span, now.monotonic.saturating_add(span))
    }

    /// The end of a span that began at a wall time, and of whatever ends at a monotonic one.
    pub(crate) fn at(began: UnixTime, span: Duration, monotonic: Duration) -> Self {
        // The wall clock shows whole seconds; a started one counts.
        let started = u64::from(span.subsec_nanos() > 0);
        let seconds = span.as_secs().saturating_add(started);
        Self {
            wall: began.saturating_add(Duration::from_secs(seconds)),
            monotonic,
        }
    }

    pub(crate) fn has_passed(self, now: Now) -> bool {
        now.monotonic >= self.monotonic || now.wall >= self.wall
    }

    /// Whichever comes first, by each reading.
    pub(crate) fn min(self, other: Self) -> Self {
        Self {
            wall: self.wall.min(other.wall),
            monotonic: self.monotonic.min(other.monotonic),
        }
    }

    /// By the monotonic clock alone.
    pub(crate) const fn monotonic(self) -> Duration {
        self.monotonic
    }
}

/// The clock of the machine.
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
        // A machine whose clock stands before 1970 gets 1970: every token is not valid yet or
        // ends far ahead, and nothing overflows.
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        UnixTime::from_secs(i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }

    #[cfg(feature = "jwks")]
    fn sleep_until(&self, at: Duration) -> Sleep {
        // Elsewhere there is no timer, and whoever waits is woken by what it waits for alone.
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
