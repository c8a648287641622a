//! The health of an endpoint: its statistics, its circuit breaker, and when failures are logged.
//!
//! A failure is logged when failures begin, change their kind, and end, and each of these at most once
//! a minute, since forged tokens cause failures too. What was suppressed is logged when the
//! minute is over, if it still holds.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::logging;
use crate::model::decision::event::Event;
use crate::model::error::rejection::Outage;
use crate::runtime::cache::token_cache::{CacheStats, TokenDigest};
use crate::runtime::lookup::circuit_breaker::{CircuitBreaker, Permit, Probe};
use crate::runtime::lookup::endpoint::{EndpointError, LogMessages};
use crate::runtime::lookup::status::IntrospectionStatus;
use crate::runtime::util::log_rate_limit::LogRateLimit;

/// What is known of an endpoint.
pub(super) struct LookupHealth {
    issuer: Arc<str>,
    messages: LogMessages,
    /// The outage of a failure that has none of its own.
    failed: Outage,
    state: Mutex<State>,
    failures_log: LogRateLimit,
    recoveries_log: LogRateLimit,
}

#[derive(Default)]
struct State {
    calls: u64,
    failures: u64,
    in_a_row: u32,
    last_error: Option<EndpointError>,
    failing_since: Option<Duration>,
    breaker: CircuitBreaker,
    /// The failure that was logged last.
    announced: Option<Outage>,
}

/// A permit for one request. A probe that is dropped unsent passes to the next request.
pub(super) struct LookupPermit {
    health: Arc<LookupHealth>,
    probe: Option<Probe>,
}

impl LookupPermit {
    /// Whether a health check is to be made before the caller's request.
    pub(super) fn is_health_check(&self) -> bool {
        self.probe == Some(Probe::HealthCheck)
    }
}

impl Drop for LookupPermit {
    fn drop(&mut self) {
        if self.probe.is_some() {
            self.health.state().breaker.probe_dropped();
        }
    }
}

impl LookupHealth {
    pub(super) fn of(issuer: &Arc<str>, messages: LogMessages, failed: Outage) -> Arc<Self> {
        Arc::new(Self {
            issuer: Arc::clone(issuer),
            messages,
            failed,
            state: Mutex::default(),
            failures_log: LogRateLimit::default(),
            recoveries_log: LogRateLimit::default(),
        })
    }

    /// A permit; or why, and for how long, no request may be sent.
    pub(super) fn permit(
        self: &Arc<Self>,
        now: Duration,
    ) -> Result<LookupPermit, (Outage, Duration)> {
        let mut state = self.state();
        let probe = match state.breaker.permit(now) {
            Permit::Free => None,
            Permit::Probe(probe) => Some(probe),
            Permit::Refused(retry_after) => {
                let error = state.last_error.as_ref();
                let outage = error.map_or(self.failed, |error| self.outage(error));
                return Err((outage, retry_after));
            }
        };
        drop(state);
        Ok(LookupPermit {
            health: Arc::clone(self),
            probe,
        })
    }

    pub(super) fn count_call(&self) {
        self.state().calls += 1;
    }

    /// There was a verdict.
    pub(super) fn answered(&self, mut permit: LookupPermit, now: Duration) {
        permit.probe = None;
        let should_log = {
            let mut state = self.state();
            state.in_a_row = 0;
            state.failing_since = None;
            state.last_error = None;
            state.breaker.succeeded();
            let should_log = state.announced.is_some() && self.recoveries_log.try_acquire(now);
            if should_log {
                state.announced = None;
            }
            should_log
        };
        // Not under the lock: a log subscriber may call `status`.
        if should_log {
            self.announce_recovery();
        }
    }

    /// There was none. Whether a health check is to be made now.
    #[must_use]
    pub(super) fn failed(
        &self,
        mut permit: LookupPermit,
        sender: TokenDigest,
        error: &EndpointError,
        now: Duration,
    ) -> bool {
        let was_probe = permit.probe.take().is_some();
        let (should_log, checks) = {
            let mut state = self.state();
            let checks = state.breaker.failed(sender, now);
            if was_probe {
                state.breaker.probe_failed(now);
            }
            (self.record_failure(&mut state, error, now), checks)
        };
        if should_log {
            self.announce_failure(error);
        }
        checks
    }

    /// A health check has ended.
    pub(super) fn checked(&self, outcome: &Result<(), EndpointError>, now: Duration) {
        let should_log = {
            let mut state = self.state();
            match outcome {
                Ok(()) => {
                    state.breaker.check_ended(now);
                    state.breaker.succeeded();
                    false
                }
                Err(error) => {
                    state.breaker.check_failed(error, now);
                    self.record_failure(&mut state, error, now)
                }
            }
        };
        if let (true, Err(error)) = (should_log, outcome) {
            self.announce_failure(error);
        }
    }

    /// The probe was a health check, and failed.
    pub(super) fn probe_failed(&self, mut permit: LookupPermit, now: Duration) {
        permit.probe = None;
        self.state().breaker.probe_failed(now);
    }

    /// Records a failure. Whether it is to be logged.
    fn record_failure(&self, state: &mut State, error: &EndpointError, now: Duration) -> bool {
        state.failures += 1;
        state.in_a_row = state.in_a_row.saturating_add(1);
        state.failing_since.get_or_insert(now);
        state.last_error = Some(error.clone());
        let outage = Some(self.outage(error));
        let should_log = state.announced != outage && self.failures_log.try_acquire(now);
        if should_log {
            state.announced = outage;
        }
        should_log
    }

    /// The outage of a failure that has none of its own.
    pub(super) const fn default_outage(&self) -> Outage {
        self.failed
    }

    /// The outage that a request is refused with because of this error.
    pub(super) fn outage(&self, error: &EndpointError) -> Outage {
        error.outage.unwrap_or(self.failed)
    }

    pub(super) fn status(
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
                .last_error
                .as_ref()
                .map(|error| Arc::clone(&error.reason)),
            failing_for: state.failing_since.map(|since| now.saturating_sub(since)),
            is_breaker_open: state.breaker.is_open(),
            in_flight,
            cache,
        }
    }

    fn announce_failure(&self, error: &EndpointError) {
        logging::emit(Event::LookupFailed {
            issuer: &self.issuer,
            error: &error.reason,
            kind: self.outage(error).as_str(),
            message: self.messages.failing,
        });
    }

    fn announce_recovery(&self) {
        logging::emit(Event::LookupRecovered {
            issuer: &self.issuer,
            message: self.messages.recovered,
        });
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
