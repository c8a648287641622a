//! What observers are told beside decisions: requests of this server to its issuers.

use std::fmt;
use std::time::Duration;

use crate::model::error::rejection::Outage;

/// A request to an endpoint that was asked about a token, and its end.
#[derive(Clone, Copy, Debug)]
pub struct RemoteCall<'c> {
    pub(crate) issuer: &'c str,
    pub(crate) endpoint: &'static str,
    pub(crate) duration: Duration,
    pub(crate) failure: Option<Outage>,
}

impl<'c> RemoteCall<'c> {
    /// The configured issuer. Fit for a metric's label.
    #[must_use]
    pub const fn issuer(&self) -> &'c str {
        self.issuer
    }

    /// `introspection` or `userinfo`.
    #[must_use]
    pub const fn endpoint(&self) -> &'static str {
        self.endpoint
    }

    /// How long it took, in real time.
    #[must_use]
    pub const fn duration(&self) -> Duration {
        self.duration
    }

    /// Why there was no answer that counts; absent where there was one, whatever it says of the token.
    #[must_use]
    pub const fn failure(&self) -> Option<Outage> {
        self.failure
    }
}

/// A fetch of a key set, and its end.
#[derive(Clone, Copy)]
pub struct KeySetRefresh<'r> {
    pub(crate) issuer: &'r str,
    pub(crate) keys: usize,
    pub(crate) skipped: usize,
    pub(crate) is_changed: bool,
    pub(crate) error: Option<&'r (dyn fmt::Display + Sync)>,
}

impl<'r> KeySetRefresh<'r> {
    /// The configured issuer. Fit for a metric's label.
    #[must_use]
    pub const fn issuer(&self) -> &'r str {
        self.issuer
    }

    /// Keys that can be used; 0 where the fetch failed.
    #[must_use]
    pub const fn keys(&self) -> usize {
        self.keys
    }

    /// Entries of the set that cannot be used; 0 where the fetch failed.
    #[must_use]
    pub const fn skipped(&self) -> usize {
        self.skipped
    }

    /// Whether the set is another than before.
    #[must_use]
    pub const fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// Whether the fetch failed.
    #[must_use]
    pub const fn is_failed(&self) -> bool {
        self.error.is_some()
    }

    /// Why it failed; absent where it succeeded. Names addresses without their query, never a key or a
    /// body.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        self.error.map(ToString::to_string)
    }
}

impl fmt::Debug for KeySetRefresh<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySetRefresh")
            .field("issuer", &self.issuer)
            .field("is_changed", &self.is_changed)
            .field("is_failed", &self.is_failed())
            .finish_non_exhaustive()
    }
}
