//! A circuit breaker for an endpoint that looks tokens up.
//!
//! 1. No single caller opens it. Failures are counted by sender (a token, or its owner), each once,
//!    and since the last verdict: one success, and counting starts anew.
//! 2. After five senders without a verdict a health check is made: a look-up of a random text, at
//!    most once a second. If it succeeds, the failures were about the tokens.
//! 3. The breaker opens if the health check fails too and either the endpoint could not be reached, or
//!    64 senders have failed, or five have and there has been no verdict for 5 s. A flood of bad tokens
//!    beside good ones meets none of these.
//! 4. While open, requests are refused: for a second, or for the `Retry-After` of the health check.
//!    Then one request passes as a probe (half-open) while all others are refused. Probes are a
//!    caller's request and a health check in turn, so that bad tokens that always come first cannot
//!    keep the breaker open.

use std::collections::HashSet;
use std::time::Duration;

use crate::runtime::cache::token_cache::TokenDigest;
use crate::runtime::lookup::endpoint::{EndpointError, MAX_RETRY_AFTER};

/// Fewer failures may be chance.
const FEW_SENDERS: usize = 5;

/// In a flood of five bad tokens for each good one, so many failures in a row come once in 100,000
/// tokens.
const MANY_SENDERS: usize = 64;

/// An endpoint that is used and gives no verdict for so long is down.
const LONG: Duration = Duration::from_secs(5);

/// How long the breaker stays open, and the time between health checks.
pub(super) const OPEN_TIME: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct CircuitBreaker {
    streak: Option<Streak>,
    open: Option<Open>,
    /// Whether a health check is in flight.
    is_checking: bool,
    next_check: Duration,
}

/// Failures since the last verdict.
#[derive(Debug)]
struct Streak {
    since: Duration,
    senders: HashSet<TokenDigest>,
    check: Option<FailedCheck>,
}

/// A health check that failed.
#[derive(Clone, Copy, Debug)]
struct FailedCheck {
    at: Duration,
    unreachable: bool,
    retry_after: Duration,
}

#[derive(Debug)]
struct Open {
    until: Duration,
    is_probed: bool,
    probe: Probe,
}

/// What the next probe is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    Request,
    HealthCheck,
}

/// Whether a request may be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permit {
    Free,
    /// As the one probe, whose end must be reported.
    Probe(Probe),
    /// Not before this time has passed.
    Refused(Duration),
}

impl CircuitBreaker {
    pub(super) fn permit(&mut self, now: Duration) -> Permit {
        let Some(open) = &mut self.open else {
            return Permit::Free;
        };
        match open
            .until
            .checked_sub(now)
            .filter(|retry_after| !retry_after.is_zero())
        {
            Some(retry_after) => Permit::Refused(retry_after),
            None if open.is_probed => Permit::Refused(OPEN_TIME),
            None => {
                open.is_probed = true;
                Permit::Probe(open.probe)
            }
        }
    }

    pub(super) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// There was a verdict on any token, or a health check succeeded: the breaker closes.
    pub(super) fn succeeded(&mut self) {
        self.streak = None;
        self.open = None;
    }

    /// A request got no verdict. Whether a health check is to be made now.
    #[must_use]
    pub(super) fn failed(&mut self, sender: TokenDigest, now: Duration) -> bool {
        let streak = self.streak.get_or_insert_with(|| Streak {
            since: now,
            senders: HashSet::new(),
            check: None,
        });
        if streak.senders.len() < MANY_SENDERS {
            streak.senders.insert(sender);
        }
        if self.open.is_some() {
            return false;
        }
        self.open_if_down(now);
        let is_due = self.open.is_none()
            && !self.is_checking
            && now >= self.next_check
            && self
                .streak
                .as_ref()
                .is_some_and(|streak| streak.senders.len() >= FEW_SENDERS);
        self.is_checking |= is_due;
        is_due
    }

    /// A health check failed.
    pub(super) fn check_failed(&mut self, error: &EndpointError, now: Duration) {
        self.check_ended(now);
        let check = FailedCheck {
            at: now,
            unreachable: error.is_unreachable(),
            retry_after: error
                .retry_after
                .unwrap_or(OPEN_TIME)
                .clamp(OPEN_TIME, MAX_RETRY_AFTER),
        };
        if let Some(streak) = &mut self.streak {
            streak.check = Some(check);
        }
        if let Some(open) = &mut self.open {
            open.until = open.until.max(now.saturating_add(check.retry_after));
        } else {
            self.open_if_down(now);
        }
    }

    /// A health check has ended, with success or not.
    pub(super) fn check_ended(&mut self, now: Duration) {
        self.is_checking = false;
        self.next_check = now.saturating_add(OPEN_TIME);
    }

    /// The probe got no verdict.
    pub(super) fn probe_failed(&mut self, now: Duration) {
        if let Some(open) = &mut self.open {
            open.is_probed = false;
            open.until = open.until.max(now.saturating_add(OPEN_TIME));
            open.probe = match open.probe {
                Probe::Request => Probe::HealthCheck,
                Probe::HealthCheck => Probe::Request,
            };
        }
    }

    /// The probe was not sent.
    pub(super) fn probe_dropped(&mut self) {
        if let Some(open) = &mut self.open {
            open.is_probed = false;
        }
    }

    fn open_if_down(&mut self, now: Duration) {
        let Some(streak) = &self.streak else {
            return;
        };
        // An older health check is no evidence.
        let recent = |check: &FailedCheck| now.saturating_sub(check.at) <= OPEN_TIME;
        let Some(check) = streak.check.filter(recent) else {
            return;
        };
        let senders = streak.senders.len();
        let is_long = now.saturating_sub(streak.since) >= LONG;
        let is_down =
            senders >= MANY_SENDERS || (senders >= FEW_SENDERS && (check.unreachable || is_long));
        if is_down {
            self.open = Some(Open {
                until: now.saturating_add(check.retry_after),
                is_probed: false,
                probe: Probe::Request,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn sender(number: u128) -> TokenDigest {
        TokenDigest::of_number(number)
    }

    fn status() -> EndpointError {
        EndpointError::failed("500")
    }

    fn unreachable() -> EndpointError {
        EndpointError::unreachable("refused")
    }

    /// Whether a health check is due after so many senders have failed.
    fn fail(breaker: &mut CircuitBreaker, senders: std::ops::Range<u128>, now: Duration) -> bool {
        let due = senders.map(|number| breaker.failed(sender(number), now));
        due.fold(false, |any, due| any | due)
    }

    #[test]
    fn breaker_counts_a_sender_once() {
        let mut breaker = CircuitBreaker::default();
        for _ in 0..1000 {
            assert!(!fail(&mut breaker, 0..4, at(0)));
        }
        assert!(fail(&mut breaker, 4..5, at(0)), "the fifth one");
        assert!(!fail(&mut breaker, 5..20, at(0)), "one is in flight");
        assert_eq!(breaker.permit(at(0)), Permit::Free);
    }

    #[test]
    fn breaker_stays_closed_while_health_checks_succeed() {
        let mut breaker = CircuitBreaker::default();
        for second in 0..100 {
            let senders = u128::from(second) * 1000;
            let due = fail(&mut breaker, senders..senders + 1000, at(second));
            assert!(due, "once a second");
            breaker.check_ended(at(second));
            breaker.succeeded();
            assert!(!fail(&mut breaker, senders..senders + 63, at(second)));
            assert_eq!(breaker.permit(at(second)), Permit::Free);
        }
    }

    #[test]
    fn breaker_opens_for_an_endpoint_that_is_not_reached_and_closes_by_one_probe() {
        let mut breaker = CircuitBreaker::default();
        assert!(fail(&mut breaker, 0..5, at(0)));
        breaker.check_failed(&unreachable(), at(0));
        assert_eq!(breaker.permit(at(0)), Permit::Refused(at(1)));
        assert_eq!(breaker.permit(at(1)), Permit::Probe(Probe::Request));
        assert_eq!(
            breaker.permit(at(1)),
            Permit::Refused(OPEN_TIME),
            "one alone"
        );
        breaker.probe_dropped();
        assert_eq!(breaker.permit(at(1)), Permit::Probe(Probe::Request));
        breaker.probe_failed(at(1));
        assert_eq!(breaker.permit(at(1)), Permit::Refused(at(1)));
        assert_eq!(
            breaker.permit(at(2)),
            Permit::Probe(Probe::HealthCheck),
            "in turn"
        );
        breaker.check_failed(&unreachable(), at(2));
        breaker.probe_failed(at(2));
        assert_eq!(breaker.permit(at(3)), Permit::Probe(Probe::Request));
        breaker.succeeded();
        assert_eq!(breaker.permit(at(3)), Permit::Free);
        assert!(!fail(&mut breaker, 0..4, at(3)), "it counts anew");
    }

    #[test]
    fn breaker_opens_by_statuses_for_many_senders_or_after_a_long_time() {
        let mut many = CircuitBreaker::default();
        assert!(fail(&mut many, 0..5, at(0)));
        many.check_failed(&status(), at(0));
        assert!(!fail(&mut many, 5..63, at(0)));
        assert_eq!(many.permit(at(0)), Permit::Free);
        assert!(!fail(&mut many, 63..64, at(0)));
        assert_eq!(many.permit(at(0)), Permit::Refused(at(1)));

        let mut long = CircuitBreaker::default();
        for second in 0..5 {
            if fail(&mut long, 0..5, at(second)) {
                long.check_failed(&status(), at(second));
            }
            assert_eq!(long.permit(at(second)), Permit::Free);
        }
        assert!(!fail(&mut long, 0..1, at(5)), "the last check is recent");
        assert_eq!(long.permit(at(5)), Permit::Refused(at(1)));
    }

    #[test]
    fn breaker_stays_open_for_the_retry_after_of_the_health_check() {
        for (retry_after, expected) in [(None, 1), (Some(0), 1), (Some(7), 7), (Some(3600), 60)] {
            let mut breaker = CircuitBreaker::default();
            assert!(fail(&mut breaker, 0..5, at(0)));
            let mut error = unreachable();
            error.retry_after = retry_after.map(at);
            breaker.check_failed(&error, at(0));
            assert_eq!(breaker.permit(at(0)), Permit::Refused(at(expected)));
        }
    }

    /// Bad tokens and good ones at random, every one of them new, for 400 s. The endpoint answers
    /// good tokens only; health checks fail too.
    #[test]
    fn breaker_stays_closed_in_floods_of_bad_tokens_beside_good_ones() {
        for (bad, good) in [(5_u32, 5_u32), (20, 5), (50, 20), (100, 20)] {
            let (mut breaker, mut refused, mut total) = (CircuitBreaker::default(), 0, 0);
            let mut random = 0x9e37_79b9_7f4a_7c15_u64;
            for step in 0..(bad + good) * 400 {
                let now = Duration::from_secs_f64(f64::from(step) / f64::from(bad + good));
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let is_good = random % u64::from(bad + good) < u64::from(good);
                total += u32::from(is_good);
                match breaker.permit(now) {
                    Permit::Refused(_) => refused += u32::from(is_good),
                    Permit::Free | Permit::Probe(_) if is_good => breaker.succeeded(),
                    Permit::Probe(_) => breaker.probe_failed(now),
                    Permit::Free => {
                        if breaker.failed(sender(u128::from(step)), now) {
                            breaker.check_failed(&status(), now);
                        }
                    }
                }
            }
            assert!(refused * 100 <= total, "{bad}/{good}: {refused} of {total}");
        }
    }
}
