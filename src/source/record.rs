//! How asking an issuer about tokens fares, for health checks and operators.
//!
//! 1. After five failures in a row the endpoint is left alone for a second at a time, and as long
//!    as it asks for (`Retry-After`), up to a minute.
//! 2. Operators are told when trouble starts, changes its kind, and ends; not of every failure.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::oracle::{Trouble, Words};
use super::verified::Tally;
use crate::model::rejection::Outage;

/// So many failures may be chance, or one token's.
const MANY_FAILURES: u32 = 5;

/// How long an endpoint that fails is left alone.
const REST: Duration = Duration::from_secs(1);

/// What has happened so far.
pub(super) struct Record {
    issuer: Arc<str>,
    #[cfg_attr(not(feature = "tracing"), allow(dead_code))]
    words: Words,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: u64,
    failures: u64,
    in_a_row: u32,
    trouble: Option<Trouble>,
    failing_since: Option<Duration>,
    rest_until: Duration,
}

impl Record {
    pub(super) fn of(issuer: &Arc<str>, words: Words) -> Self {
        Self {
            issuer: Arc::clone(issuer),
            words,
            state: Mutex::default(),
        }
    }

    /// Why, and for how long, nobody is asked just now.
    pub(super) fn resting(&self, now: Duration) -> Option<(Outage, Duration)> {
        let state = self.state();
        let rest = state
            .rest_until
            .checked_sub(now)
            .filter(|rest| !rest.is_zero())?;
        let trouble = state.trouble.as_ref()?;
        Some((trouble.outage, rest))
    }

    pub(super) fn called(&self) {
        self.state().calls += 1;
    }

    pub(super) fn answered(&self) {
        let was = {
            let mut state = self.state();
            state.in_a_row = 0;
            state.failing_since = None;
            state.rest_until = Duration::ZERO;
            state.trouble.take()
        };
        // Not under the lock: whoever writes events down may ask for the status.
        if was.is_some() {
            self.announce_recovery();
        }
    }

    pub(super) fn failed(&self, trouble: &Trouble, now: Duration) {
        let is_news = {
            let mut state = self.state();
            state.failures += 1;
            state.in_a_row = state.in_a_row.saturating_add(1);
            state.failing_since.get_or_insert(now);
            let rest = match trouble.rest {
                Some(rest) => rest,
                None if state.in_a_row >= MANY_FAILURES => REST,
                None => Duration::ZERO,
            };
            state.rest_until = state.rest_until.max(now.saturating_add(rest));
            let before = state.trouble.replace(trouble.clone());
            before.is_none_or(|before| before.outage != trouble.outage)
        };
        if is_news {
            self.announce(trouble);
        }
    }

    pub(super) fn status(
        &self,
        now: Duration,
        in_flight: usize,
        cache: Tally,
    ) -> IntrospectionStatus {
        let state = self.state();
        IntrospectionStatus {
            issuer: Arc::clone(&self.issuer),
            calls: state.calls,
            failures: state.failures,
            in_a_row: state.in_a_row,
            last_error: state
                .trouble
                .as_ref()
                .map(|trouble| Arc::clone(&trouble.reason)),
            failing_for: state.failing_since.map(|since| now.saturating_sub(since)),
            in_flight,
            cache,
        }
    }

    #[cfg(feature = "tracing")]
    fn announce(&self, trouble: &Trouble) {
        let (issuer, error, kind) = (&*self.issuer, &*trouble.reason, trouble.outage.as_str());
        tracing::warn!(issuer, error, kind, "{}", self.words.trouble);
    }

    #[cfg(feature = "tracing")]
    fn announce_recovery(&self) {
        tracing::info!(issuer = &*self.issuer, "{}", self.words.recovery);
    }

    #[cfg(not(feature = "tracing"))]
    #[allow(clippy::unused_self)]
    fn announce(&self, _: &Trouble) {}

    #[cfg(not(feature = "tracing"))]
    #[allow(clippy::unused_self)]
    fn announce_recovery(&self) {}

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How asking the issuer of opaque tokens fares, at the moment when it was asked for.
///
/// All times are spans of the server's [`Clock`](crate::Clock).
#[derive(Clone, Debug)]
pub struct IntrospectionStatus {
    issuer: Arc<str>,
    calls: u64,
    failures: u64,
    in_a_row: u32,
    last_error: Option<Arc<str>>,
    failing_for: Option<Duration>,
    in_flight: usize,
    cache: Tally,
}

impl IntrospectionStatus {
    /// The issuer, as configured.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Questions that were sent since the server was built.
    #[must_use]
    pub const fn calls(&self) -> u64 {
        self.calls
    }

    /// Questions without an answer that counts, since the server was built.
    #[must_use]
    pub const fn failures(&self) -> u64 {
        self.failures
    }

    /// Whether the last question had no answer that counts. Tokens that are remembered are good
    /// all the same, until their own end.
    #[must_use]
    pub const fn is_failing(&self) -> bool {
        self.in_a_row > 0
    }

    /// How long ago the first of the failures in a row was; absent when the last question was
    /// answered.
    #[must_use]
    pub const fn failing_for(&self) -> Option<Duration> {
        self.failing_for
    }

    /// Why the last question failed; absent when it was answered. Names addresses without their
    /// query, never a token, a secret or a body.
    #[must_use]
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// Tokens that are asked about just now, or that wait for their turn.
    #[must_use]
    pub const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Active tokens that are remembered; some of them may be over.
    #[must_use]
    pub const fn remembered(&self) -> usize {
        self.cache.entries
    }

    /// Requests whose token was remembered.
    #[must_use]
    pub const fn hits(&self) -> u64 {
        self.cache.hits
    }

    /// Requests whose token was not.
    #[must_use]
    pub const fn misses(&self) -> u64 {
        self.cache.misses
    }

    /// Remembered tokens that had to make room for others.
    #[must_use]
    pub const fn evictions(&self) -> u64 {
        self.cache.evictions
    }
}
