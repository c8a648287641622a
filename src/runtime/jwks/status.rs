//! The public status of an issuer's keys.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::verify::jose::jwk_set::SkippedKey;

/// The state of an issuer's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeySetState {
    /// No fetch has brought keys yet. Tokens are answered 503.
    NeverLoaded,
    /// The keys are as fresh as they should be.
    Fresh,
    /// The last attempt failed, or the next one is late; the keys are used all the same.
    Stale,
    /// The last success is longer ago than the maximum staleness. Tokens are answered 503.
    TooStale,
    /// No fetch of this process has brought keys yet; those of a
    /// [stored copy](crate::config::KeySetCopies) are used. Their age counts from the fetch of the
    /// instance that wrote it.
    FromCopy,
    /// An operator dropped the keys and no fetch has brought new ones. Tokens are answered 503.
    Dropped,
}

impl KeySetState {
    /// A stable name, fit for a metric's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NeverLoaded => "never_loaded",
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::TooStale => "too_stale",
            Self::FromCopy => "from_copy",
            Self::Dropped => "dropped",
        }
    }

    /// Whether tokens of this issuer can be judged: [`Fresh`](Self::Fresh), [`Stale`](Self::Stale) and
    /// [`FromCopy`](Self::FromCopy).
    #[must_use]
    pub const fn is_usable(self) -> bool {
        matches!(self, Self::Fresh | Self::Stale | Self::FromCopy)
    }
}

impl fmt::Display for KeySetState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The status of the keys of one issuer, at the time of the call.
///
/// All times are spans of the server's [`Clock`](crate::time::Clock); ages are those by the reading that
/// has gone further.
#[derive(Clone, Debug)]
pub struct KeySetStatus {
    pub(super) issuer: Arc<str>,
    pub(super) address: Option<String>,
    pub(super) state: KeySetState,
    pub(super) on_demand: bool,
    pub(super) keys: usize,
    pub(super) skipped: Vec<SkippedKey>,
    pub(super) age: Option<Duration>,
    pub(super) stale_since: Option<Duration>,
    pub(super) failures: u32,
    pub(super) copy_failures: u64,
    pub(super) last_error: Option<String>,
    pub(super) next_attempt: Option<Duration>,
}

impl KeySetStatus {
    /// The issuer, as configured; where tenants share the keys, their template.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The address of the key set, as configured and without its query, which may hold secrets;
    /// absent where it is discovered. An issuer with several
    /// [`key_set_url`](crate::Issuer::key_set_url)s has a status for each, in their order.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// The state of its keys.
    #[must_use]
    pub const fn state(&self) -> KeySetState {
        self.state
    }

    /// Whether the keys wait for their first token before they are fetched at all. Such a set
    /// has not failed, and does not count in readiness.
    #[must_use]
    pub const fn is_on_demand(&self) -> bool {
        self.on_demand
    }

    /// How many keys can be used; 0 to [`most_keys`](crate::Issuer::most_keys).
    #[must_use]
    pub const fn keys(&self) -> usize {
        self.keys
    }

    /// The entries of the published set that cannot be used, and why.
    #[must_use]
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// Time since the start of the last fetch that succeeded, of the instance that wrote it for a stored
    /// copy; absent while there are no keys.
    #[must_use]
    pub const fn age(&self) -> Option<Duration> {
        self.age
    }

    /// How long ago the keys turned stale; absent while they are fresh or there are none.
    #[must_use]
    pub const fn stale_since(&self) -> Option<Duration> {
        self.stale_since
    }

    /// Whether the last attempt failed. The keys may be good all the same; see
    /// [`state`](Self::state).
    #[must_use]
    pub const fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// Attempts that have failed since the last success.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// How often a [stored copy](crate::config::KeySetCopies) was not read, not written or not removed, since
    /// the server was built; 0 where there are no copies. Each is an event at `warn` with its cause.
    #[must_use]
    pub const fn copy_failures(&self) -> u64 {
        self.copy_failures
    }

    /// Why the last attempt failed; absent when it succeeded. Names addresses without their
    /// query, never a key or a body.
    #[must_use]
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// Time until the next attempt, from now; zero while one is under way, absent when nothing
    /// but a token will cause one.
    #[must_use]
    pub const fn next_attempt(&self) -> Option<Duration> {
        self.next_attempt
    }
}
