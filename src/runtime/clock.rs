//! The time source: wall time, monotonic time, and deadlines by both.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
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
        Self {
            wall: clock.now(),
            monotonic: clock.monotonic(),
        }
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
        // Before 1970 the time is 1970, so that nothing overflows.
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
