//! A circuit breaker for an endpoint that is asked about tokens: when it is left alone.
//!
//! 1. No caller opens it. Failures are counted by asker (a token, or a user), each once, and since
//!    the last verdict: one success in between, and counting begins anew.
//! 2. After five askers without a verdict the endpoint is asked about a random text of our own,
//!    at most once a second. If it answers that question, the failures were about the tokens.
//! 3. It opens if our own question failed too and either nothing could be reached, or 64 askers
//!    have failed, or five have and there has been no verdict for 5 s. A flood of odd tokens beside
//!    good ones has none of these.
//! 4. Open, it refuses for a second, or for as long as the answer to our own question asks for.
//!    Then one question is let through as a probe while all others are refused. Probes are the
//!    next caller's question and our own one in turn, so that odd tokens that always come first
//!    cannot keep it open.

use std::collections::HashSet;
use std::time::Duration;

use crate::runtime::cache::token_cache::TokenDigest;
use crate::runtime::lookup::endpoint::{EndpointError, LONGEST_REST};

/// So many failures may be chance.
const FEW_ASKERS: usize = 5;

/// In a flood of five odd tokens for each good one, so many in a row come once in 100,000 tokens.
const MANY_ASKERS: usize = 64;

/// Without a verdict for so long an endpoint that is used is down.
const LONG: Duration = Duration::from_secs(5);

/// How long an endpoint that fails is left alone, and how far our own questions are apart.
pub(in crate::runtime) const REST: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(in crate::runtime) struct CircuitBreaker {
    streak: Option<Streak>,
    open: Option<Open>,
    /// Whether our own question is under way.
    is_checking: bool,
    next_check: Duration,
}

/// Failures since the last verdict.
#[derive(Debug)]
struct Streak {
    since: Duration,
    askers: HashSet<TokenDigest>,
    check: Option<OwnCheck>,
}

/// How our own question failed.
#[derive(Clone, Copy, Debug)]
struct OwnCheck {
    at: Duration,
    unreachable: bool,
    rest: Duration,
}

#[derive(Debug)]
struct Open {
    until: Duration,
    is_probed: bool,
    probe: Probe,
}

/// Whose question is the next probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runtime) enum Probe {
    Callers,
    Own,
}

/// Whether a question may be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runtime) enum Permit {
    Free,
    /// As the one probe, whose end must be told.
    Probe(Probe),
    /// Not for so long.
    Refused(Duration),
}

impl CircuitBreaker {
    pub(in crate::runtime) fn permit(&mut self, now: Duration) -> Permit {
        let Some(open) = &mut self.open else {
            return Permit::Free;
        };
        match open.until.checked_sub(now).filter(|rest| !rest.is_zero()) {
            Some(rest) => Permit::Refused(rest),
            None if open.is_probed => Permit::Refused(REST),
            None => {
                open.is_probed = true;
                Permit::Probe(open.probe)
            }
        }
    }

    /// There was a verdict, on whatever token, or our own question was answered.
    pub(in crate::runtime) fn succeeded(&mut self) {
        self.streak = None;
        self.open = None;
    }

    /// A question had no verdict. Whether our own one is to be asked now.
    #[must_use]
    pub(in crate::runtime) fn failed(&mut self, asker: TokenDigest, now: Duration) -> bool {
        let streak = self.streak.get_or_insert_with(|| Streak {
            since: now,
            askers: HashSet::new(),
            check: None,
        });
        if streak.askers.len() < MANY_ASKERS {
            streak.askers.insert(asker);
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
                .is_some_and(|streak| streak.askers.len() >= FEW_ASKERS);
        self.is_checking |= is_due;
        is_due
    }

    /// Our own question failed.
    pub(in crate::runtime) fn check_failed(&mut self, trouble: &EndpointError, now: Duration) {
        self.check_ended(now);
        let check = OwnCheck {
            at: now,
            unreachable: trouble.is_unreachable(),
            rest: trouble.rest.unwrap_or(REST).clamp(REST, LONGEST_REST),
        };
        if let Some(streak) = &mut self.streak {
            streak.check = Some(check);
        }
        if let Some(open) = &mut self.open {
            open.until = open.until.max(now.saturating_add(check.rest));
        } else {
            self.open_if_down(now);
        }
    }

    /// Our own question has ended, well or not.
    pub(in crate::runtime) fn check_ended(&mut self, now: Duration) {
        self.is_checking = false;
        self.next_check = now.saturating_add(REST);
    }

    /// The probe had no verdict.
    pub(in crate::runtime) fn probe_failed(&mut self, now: Duration) {
        if let Some(open) = &mut self.open {
            open.is_probed = false;
            open.until = open.until.max(now.saturating_add(REST));
            open.probe = match open.probe {
                Probe::Callers => Probe::Own,
                Probe::Own => Probe::Callers,
            };
        }
    }

    /// The probe was not sent.
    pub(in crate::runtime) fn probe_dropped(&mut self) {
        if let Some(open) = &mut self.open {
            open.is_probed = false;
        }
    }

    fn open_if_down(&mut self, now: Duration) {
        let Some(streak) = &self.streak else {
            return;
        };
        // An older one says nothing about now.
        let recent = |check: &OwnCheck| now.saturating_sub(check.at) <= REST;
        let Some(check) = streak.check.filter(recent) else {
            return;
        };
        let askers = streak.askers.len();
        let is_long = now.saturating_sub(streak.since) >= LONG;
        let is_down =
            askers >= MANY_ASKERS || (askers >= FEW_ASKERS && (check.unreachable || is_long));
        if is_down {
            self.open = Some(Open {
                until: now.saturating_add(check.rest),
                is_probed: false,
                probe: Probe::Callers,
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

    fn asker(number: u128) -> TokenDigest {
        TokenDigest::of_number(number)
    }

    fn status() -> EndpointError {
        EndpointError::failed("500")
    }

    fn unreachable() -> EndpointError {
        EndpointError::unreachable("refused")
    }

    /// Whether our own question is due after so many askers have failed.
    fn fail(breaker: &mut CircuitBreaker, askers: std::ops::Range<u128>, now: Duration) -> bool {
        let due = askers.map(|number| breaker.failed(asker(number), now));
        due.fold(false, |any, due| any | due)
    }

    #[test]
    fn breaker_counts_an_asker_once() {
        let mut breaker = CircuitBreaker::default();
        for _ in 0..1000 {
            assert!(!fail(&mut breaker, 0..4, at(0)));
        }
        assert!(fail(&mut breaker, 4..5, at(0)), "the fifth one");
        assert!(!fail(&mut breaker, 5..20, at(0)), "ours is under way");
        assert_eq!(breaker.permit(at(0)), Permit::Free);
    }

    #[test]
    fn breaker_stays_closed_where_our_own_question_is_answered() {
        let mut breaker = CircuitBreaker::default();
        for second in 0..100 {
            let askers = u128::from(second) * 1000;
            let due = fail(&mut breaker, askers..askers + 1000, at(second));
            assert!(due, "once a second");
            breaker.check_ended(at(second));
            breaker.succeeded();
            assert!(!fail(&mut breaker, askers..askers + 63, at(second)));
            assert_eq!(breaker.permit(at(second)), Permit::Free);
        }
    }

    #[test]
    fn breaker_opens_for_an_endpoint_that_is_not_reached_and_closes_by_one_probe() {
        let mut breaker = CircuitBreaker::default();
        assert!(fail(&mut breaker, 0..5, at(0)));
        breaker.check_failed(&unreachable(), at(0));
        assert_eq!(breaker.permit(at(0)), Permit::Refused(at(1)));
        assert_eq!(breaker.permit(at(1)), Permit::Probe(Probe::Callers));
        assert_eq!(breaker.permit(at(1)), Permit::Refused(REST), "one alone");
        breaker.probe_dropped();
        assert_eq!(breaker.permit(at(1)), Permit::Probe(Probe::Callers));
        breaker.probe_failed(at(1));
        assert_eq!(breaker.permit(at(1)), Permit::Refused(at(1)));
        assert_eq!(breaker.permit(at(2)), Permit::Probe(Probe::Own), "in turn");
        breaker.check_failed(&unreachable(), at(2));
        breaker.probe_failed(at(2));
        assert_eq!(breaker.permit(at(3)), Permit::Probe(Probe::Callers));
        breaker.succeeded();
        assert_eq!(breaker.permit(at(3)), Permit::Free);
        assert!(!fail(&mut breaker, 0..4, at(3)), "it counts anew");
    }

    #[test]
    fn breaker_opens_by_statuses_for_many_askers_or_after_a_long_time() {
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
    fn breaker_rests_as_long_as_the_answer_to_our_own_question_says() {
        for (rest, expected) in [(None, 1), (Some(0), 1), (Some(7), 7), (Some(3600), 60)] {
            let mut breaker = CircuitBreaker::default();
            assert!(fail(&mut breaker, 0..5, at(0)));
            let mut trouble = unreachable();
            trouble.rest = rest.map(at);
            breaker.check_failed(&trouble, at(0));
            assert_eq!(breaker.permit(at(0)), Permit::Refused(at(expected)));
        }
    }

    /// Odd tokens and good ones at random, every one of them new, for 400 s. The endpoint answers
    /// nothing but good tokens, our own question included.
    #[test]
    fn breaker_stays_closed_in_floods_of_odd_tokens_beside_good_ones() {
        for (bad, good) in [(5_u32, 5_u32), (20, 5), (50, 20), (100, 20)] {
            let (mut breaker, mut refused, mut asked) = (CircuitBreaker::default(), 0, 0);
            let mut random = 0x9e37_79b9_7f4a_7c15_u64;
            for step in 0..(bad + good) * 400 {
                let now = Duration::from_secs_f64(f64::from(step) / f64::from(bad + good));
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let is_good = random % u64::from(bad + good) < u64::from(good);
                asked += u32::from(is_good);
                match breaker.permit(now) {
                    Permit::Refused(_) => refused += u32::from(is_good),
                    Permit::Free | Permit::Probe(_) if is_good => breaker.succeeded(),
                    Permit::Probe(_) => breaker.probe_failed(now),
                    Permit::Free => {
                        if breaker.failed(asker(u128::from(step)), now) {
                            breaker.check_failed(&status(), now);
                        }
                    }
                }
            }
            assert!(refused * 100 <= asked, "{bad}/{good}: {refused} of {asked}");
        }
    }
}
