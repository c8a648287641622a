//! Counters of refused requests, and the scopes that guards demand.
//!
//! 1. Read and written when a request is refused, and never when one is admitted.
//! 2. Bounded: a fixed number of scopes and of pairs of a kind and an issuer, whatever is sent.
//! 3. Nothing is logged here, so nothing is logged under a lock: summaries that are due are
//!    returned.

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) use counts::RefusalCounts;

/// More than the guards of one program name; scopes beyond are dropped.
const MOST_SCOPES: usize = 256;

/// The scopes that guards have refused requests for, and the refusals since they were last
/// summarized.
#[derive(Default)]
pub(crate) struct RefusalCounters {
    scopes: Mutex<Vec<Box<str>>>,
    pub(crate) counts: RefusalCounts,
}

impl RefusalCounters {
    /// Remembers the tokens of a scope that a guard demands. Never made of a request's bytes.
    pub(crate) fn remember_scope(&self, scope: &str) {
        let mut known = lock(&self.scopes);
        for token in scope.split(' ') {
            if known.len() < MOST_SCOPES && !known.iter().any(|one| **one == *token) {
                known.push(token.into());
            }
        }
    }

    /// Those of these tokens that a guard of this server is known to demand.
    pub(crate) fn known_scopes<'t>(&self, tokens: impl Iterator<Item = &'t str>) -> Vec<&'t str> {
        let known = lock(&self.scopes);
        tokens
            .filter(|token| known.iter().any(|one| **one == **token))
            .collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

mod counts {
    use std::fmt::Write as _;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use crate::model::error::rejection::Rejection;
    use crate::server::refusal_counters::lock;

    /// How long a summary of one kind and issuer is not repeated.
    const INTERVAL: Duration = Duration::from_secs(60);

    /// Pairs of a kind and an issuer. Issuers of a tenant family may be many; pairs beyond are
    /// counted with the kind's refusals that name no issuer.
    const MOST_ISSUERS: usize = 64;

    /// Refusals by kind and issuer.
    #[derive(Default)]
    pub(crate) struct RefusalCounts(Mutex<Vec<Count>>);

    struct Count {
        issuer: Option<Arc<str>>,
        /// When it was summarized last, by the server's monotonic clock.
        summarized_at: Option<Duration>,
        /// How often for each fault; the faults of one kind are few.
        faults: Vec<(&'static str, u64)>,
        last: Rejection,
    }

    /// What happened since the last summary.
    pub(crate) struct RefusalSummary {
        pub(crate) count: u64,
        /// How often for each fault, such as `expired=12 signature=1`; empty for kinds without.
        pub(crate) faults: String,
        /// The last of them.
        pub(crate) last: Rejection,
        pub(crate) issuer: Option<Arc<str>>,
    }

    impl RefusalCounts {
        /// Counts a refusal, and hands out all summaries that are due: at most one in
        /// [`INTERVAL`] for each kind and issuer, the first at once.
        pub(crate) fn count(&self, rejection: &Rejection, now: Duration) -> Vec<RefusalSummary> {
            let mut counts = lock(&self.0);
            let kind = rejection.kind().as_str();
            let with_issuer = counts.iter().filter(|one| one.issuer.is_some()).count();
            let same = |counts: &[Count], issuer: Option<&str>| {
                counts.iter().position(|one| {
                    one.last.kind().as_str() == kind && one.issuer.as_deref() == issuer
                })
            };
            let mut issuer = rejection.shared_issuer();
            let mut place = same(&counts, issuer.as_deref());
            if place.is_none() && with_issuer >= MOST_ISSUERS {
                issuer = None;
                place = same(&counts, None);
            }
            let fault = rejection.cause().unwrap_or_default();
            match place.and_then(|place| counts.get_mut(place)) {
                Some(count) => {
                    match count.faults.iter_mut().find(|(name, _)| *name == fault) {
                        Some((_, times)) => *times = times.saturating_add(1),
                        None => count.faults.push((fault, 1)),
                    }
                    count.last = rejection.clone();
                }
                None => counts.push(Count {
                    issuer,
                    summarized_at: None,
                    faults: vec![(fault, 1)],
                    last: rejection.clone(),
                }),
            }
            counts.iter_mut().filter_map(|one| one.due(now)).collect()
        }
    }

    impl Count {
        fn due(&mut self, now: Duration) -> Option<RefusalSummary> {
            let is_early = |at: Duration| now < at.saturating_add(INTERVAL);
            if self.faults.is_empty() || self.summarized_at.is_some_and(is_early) {
                return None;
            }
            self.summarized_at = Some(now);
            let mut summary = RefusalSummary {
                count: 0,
                faults: String::new(),
                last: self.last.clone(),
                issuer: self.issuer.clone(),
            };
            for (fault, times) in self.faults.drain(..) {
                summary.count = summary.count.saturating_add(times);
                if !fault.is_empty() {
                    let space = if summary.faults.is_empty() { "" } else { " " };
                    // Writing to a string cannot fail.
                    let _ = write!(summary.faults, "{space}{fault}={times}");
                }
            }
            Some(summary)
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::model::error::rejection::{RejectionKind, TokenFault};

        fn words(summaries: &[RefusalSummary]) -> Vec<String> {
            let words = |one: &RefusalSummary| {
                let kind = one.last.kind().as_str();
                format!("{kind} {} {}", one.count, one.faults)
            };
            summaries.iter().map(words).collect()
        }

        #[test]
        fn refusal_counts_are_summarized_at_once_and_then_once_a_minute_for_each_kind() {
            let counts = RefusalCounts::default();
            let second = Duration::from_secs;
            let expired = Rejection::from(TokenFault::Expired);
            let signature = Rejection::from(TokenFault::Signature);
            let missing = Rejection::from(RejectionKind::MissingToken);
            let count =
                |rejection: &Rejection, at: u64| words(&counts.count(rejection, second(at)));
            assert_eq!(count(&expired, 5), ["invalid_token 1 expired=1"]);
            for _ in 0..1_000 {
                assert!(count(&expired, 64).is_empty());
            }
            assert!(count(&signature, 64).is_empty());
            assert_eq!(count(&missing, 64), ["missing_token 1 "]);
            // Any refusal brings what is due.
            assert_eq!(
                count(&missing, 65),
                ["invalid_token 1001 expired=1000 signature=1"]
            );
            assert_eq!(count(&missing, 124), ["missing_token 2 "]);
            assert!(count(&expired, 124).is_empty());
        }

        #[test]
        fn refusal_counts_of_many_issuers_are_bounded_and_none_is_lost() {
            let counts = RefusalCounts::default();
            let mut counted = 0;
            for number in 0..10_000 {
                let issuer: Arc<str> = format!("https://id.example/{number}").into();
                let rejection = Rejection::from(TokenFault::Expired).by(&issuer);
                counted += counts.count(&rejection, Duration::ZERO).len();
            }
            assert_eq!(counted, MOST_ISSUERS + 1);
            assert_eq!(lock(&counts.0).len(), MOST_ISSUERS + 1);
            let last = Rejection::from(TokenFault::Expired);
            let rest = counts.count(&last, INTERVAL);
            let rest: u64 = rest.iter().map(|one| one.count).sum();
            assert_eq!(rest, 10_001 - (MOST_ISSUERS as u64 + 1));
        }

        #[test]
        fn known_scopes_are_bounded() {
            let refusals = super::super::RefusalCounters::default();
            for number in 0..10_000 {
                refusals.remember_scope(&format!("a{number} b"));
            }
            assert_eq!(lock(&refusals.scopes).len(), super::super::MOST_SCOPES);
            let found = refusals.known_scopes(["b", "c", "a0"].into_iter());
            assert_eq!(found, ["b", "a0"]);
        }
    }
}
