//! How asking an issuer about tokens fares, for health checks and operators.
//!
//! 1. An endpoint that fails is left alone for a while, by the rules of [`breaker`](super::breaker).
//! 2. Operators are told when trouble starts, changes its kind, and ends; not of every failure, and
//!    since a stranger's odd tokens are trouble too, of each at most once a minute. What was kept
//!    back is told when the minute is over, if it still holds.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::model::error::rejection::Outage;
use crate::runtime::cache::token_cache::{CacheStats, TokenDigest};
use crate::runtime::lookup::circuit_breaker::{CircuitBreaker, Permit, Probe};
use crate::runtime::lookup::endpoint::{EndpointError, LogMessages};
use crate::runtime::util::log_rate_limit::LogRateLimit;

/// What has happened so far.
pub(in crate::runtime) struct LookupHealth {
    issuer: Arc<str>,
    #[cfg_attr(not(feature = "tracing"), allow(dead_code))]
    words: LogMessages,
    state: Mutex<State>,
    troubles: LogRateLimit,
    recoveries: LogRateLimit,
}

#[derive(Default)]
struct State {
    calls: u64,
    failures: u64,
    in_a_row: u32,
    trouble: Option<EndpointError>,
    failing_since: Option<Duration>,
    breaker: CircuitBreaker,
    /// The trouble that operators know of.
    told: Option<Outage>,
}

/// Leave to ask a question. If it is a probe that is not sent, the next one may be.
pub(in crate::runtime) struct LookupPermit {
    record: Arc<LookupHealth>,
    probe: Option<Probe>,
}

impl LookupPermit {
    /// Whether our own question is to be asked before the caller's.
    pub(in crate::runtime) fn is_for_our_own(&self) -> bool {
        self.probe == Some(Probe::Own)
    }
}

impl Drop for LookupPermit {
    fn drop(&mut self) {
        if self.probe.is_some() {
            self.record.state().breaker.probe_dropped();
        }
    }
}

impl LookupHealth {
    pub(in crate::runtime) fn of(issuer: &Arc<str>, words: LogMessages) -> Arc<Self> {
        Arc::new(Self {
            issuer: Arc::clone(issuer),
            words,
            state: Mutex::default(),
            troubles: LogRateLimit::default(),
            recoveries: LogRateLimit::default(),
        })
    }

    /// Leave to ask; or why, and for how long, nobody is asked just now.
    pub(in crate::runtime) fn leave(
        self: &Arc<Self>,
        now: Duration,
    ) -> Result<LookupPermit, (Outage, Duration)> {
        let mut state = self.state();
        let probe = match state.breaker.permit(now) {
            Permit::Free => None,
            Permit::Probe(probe) => Some(probe),
            Permit::Refused(rest) => {
                let trouble = state.trouble.as_ref();
                let outage = trouble.map(|trouble| trouble.outage);
                return Err((outage.unwrap_or(Outage::IntrospectionFailed), rest));
            }
        };
        drop(state);
        Ok(LookupPermit {
            record: Arc::clone(self),
            probe,
        })
    }

    pub(in crate::runtime) fn called(&self) {
        self.state().calls += 1;
    }

    /// There was a verdict.
    #[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
    pub(in crate::runtime) fn answered(&self, mut leave: LookupPermit, now: Duration) {
        leave.probe = None;
        let is_news = {
            let mut state = self.state();
            state.in_a_row = 0;
            state.failing_since = None;
            state.trouble = None;
            state.breaker.succeeded();
            let is_news = state.told.is_some() && self.recoveries.grants(now);
            if is_news {
                state.told = None;
            }
            is_news
        };
        // Not under the lock: whoever writes events down may ask for the status.
        if is_news {
            self.announce_recovery();
        }
    }

    /// There was none. Whether our own question is to be asked now.
    #[must_use]
    pub(in crate::runtime) fn failed(
        &self,
        mut leave: LookupPermit,
        asker: TokenDigest,
        trouble: &EndpointError,
        now: Duration,
    ) -> bool {
        let was_probe = leave.probe.take().is_some();
        let (is_news, checks) = {
            let mut state = self.state();
            let checks = state.breaker.failed(asker, now);
            if was_probe {
                state.breaker.probe_failed(now);
            }
            (self.note(&mut state, trouble, now), checks)
        };
        if is_news {
            self.announce(trouble);
        }
        checks
    }

    /// How our own question ended.
    pub(in crate::runtime) fn checked(&self, outcome: &Result<(), EndpointError>, now: Duration) {
        let is_news = {
            let mut state = self.state();
            match outcome {
                Ok(()) => {
                    state.breaker.check_ended(now);
                    state.breaker.succeeded();
                    false
                }
                Err(trouble) => {
                    state.breaker.check_failed(trouble, now);
                    self.note(&mut state, trouble, now)
                }
            }
        };
        if let (true, Err(trouble)) = (is_news, outcome) {
            self.announce(trouble);
        }
    }

    /// The probe that was our own question failed.
    pub(in crate::runtime) fn probe_failed(&self, mut leave: LookupPermit, now: Duration) {
        leave.probe = None;
        self.state().breaker.probe_failed(now);
    }

    /// Takes a failure down. Whether operators are to hear of it.
    fn note(&self, state: &mut State, trouble: &EndpointError, now: Duration) -> bool {
        state.failures += 1;
        state.in_a_row = state.in_a_row.saturating_add(1);
        state.failing_since.get_or_insert(now);
        state.trouble = Some(trouble.clone());
        let is_news = state.told != Some(trouble.outage) && self.troubles.grants(now);
        if is_news {
            state.told = Some(trouble.outage);
        }
        is_news
    }

    pub(in crate::runtime) fn status(
        &self,
        now: Duration,
        in_flight: usize,
        cache: CacheStats,
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
    fn announce(&self, trouble: &EndpointError) {
        let (issuer, error, kind) = (&*self.issuer, &*trouble.reason, trouble.outage.as_str());
        tracing::warn!(issuer, error, kind, "{}", self.words.trouble);
    }

    #[cfg(feature = "tracing")]
    fn announce_recovery(&self) {
        tracing::info!(issuer = &*self.issuer, "{}", self.words.recovery);
    }

    #[cfg(not(feature = "tracing"))]
    #[allow(clippy::unused_self)]
    fn announce(&self, _: &EndpointError) {}

    #[cfg(not(feature = "tracing"))]
    #[allow(clippy::unused_self)]
    fn announce_recovery(&self) {}

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How asking the issuer of opaque tokens fares, at the moment when it was asked for.
///
/// All times are spans of the server's [`Clock`](crate::time::Clock).
#[derive(Clone, Debug)]
pub struct IntrospectionStatus {
    issuer: Arc<str>,
    calls: u64,
    failures: u64,
    in_a_row: u32,
    last_error: Option<Arc<str>>,
    failing_for: Option<Duration>,
    in_flight: usize,
    cache: CacheStats,
}

impl IntrospectionStatus {
    /// The issuer, as configured.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Questions that were sent since the server was built, our own ones about a random text
    /// included, by which an endpoint that is down is told from tokens that it cannot judge.
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
