//! The public status of introspection.

use std::sync::Arc;
use std::time::Duration;

use crate::runtime::cache::token_cache::CacheStats;

/// The status of introspection at an issuer, at the time of the call.
///
/// All times are spans of the server's [`Clock`](crate::time::Clock).
#[derive(Clone, Debug)]
pub struct IntrospectionStatus {
    pub(super) issuer: Arc<str>,
    pub(super) calls: u64,
    pub(super) failures: u64,
    pub(super) in_a_row: u32,
    pub(super) last_error: Option<Arc<str>>,
    pub(super) failing_for: Option<Duration>,
    pub(super) is_breaker_open: bool,
    pub(super) in_flight: usize,
    pub(super) cache: CacheStats,
}

impl IntrospectionStatus {
    /// The issuer, as configured.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Requests to the endpoint since the server was built. Health checks with a random text are
    /// included; they tell an endpoint that is down from tokens that it cannot judge.
    #[must_use]
    pub const fn calls(&self) -> u64 {
        self.calls
    }

    /// Requests that failed, since the server was built.
    #[must_use]
    pub const fn failures(&self) -> u64 {
        self.failures
    }

    /// Whether the last request failed. Cached tokens are accepted all the same, until their own
    /// end.
    #[must_use]
    pub const fn is_failing(&self) -> bool {
        self.in_a_row > 0
    }

    /// Whether the circuit breaker is open: the endpoint is down, and only a probe a second is sent.
    #[must_use]
    pub const fn is_breaker_open(&self) -> bool {
        self.is_breaker_open
    }

    /// How long ago the first of the failures in a row was; absent when the last request
    /// succeeded.
    #[must_use]
    pub const fn failing_for(&self) -> Option<Duration> {
        self.failing_for
    }

    /// Why the last request failed; absent when it succeeded. Names addresses without their query,
    /// never a token, a secret or a body.
    #[must_use]
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// Tokens that are looked up now or wait for their turn; 0 to 256.
    #[must_use]
    pub const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Active tokens in the cache; some of them may have ended.
    #[must_use]
    pub const fn remembered(&self) -> usize {
        self.cache.entries
    }

    /// Requests whose token was in the cache.
    #[must_use]
    pub const fn hits(&self) -> u64 {
        self.cache.hits
    }

    /// Requests whose token was not in the cache.
    #[must_use]
    pub const fn misses(&self) -> u64 {
        self.cache.misses
    }

    /// Tokens that were evicted from the cache because it was full.
    #[must_use]
    pub const fn evictions(&self) -> u64 {
        self.cache.evictions
    }
}
