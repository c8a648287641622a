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
