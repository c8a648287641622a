//! Tokens that an endpoint has given no verdict on: they are not asked about again for a while.
//!
//! 1. A status that is about the question, such as 400, 413 or 429, or a `Retry-After`, concerns
//!    the token that was asked about, for a second or as long as the endpoint says, up to a minute.
//!    Whoever else asks is not concerned.
//! 2. A failure of another kind may have been chance: the same token may be asked about once more
//!    at once, and then not for a second.
//! 3. How many are remembered is bounded. What finds no room is asked about again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::error::rejection::Outage;
use crate::runtime::cache::token_cache::TokenDigest;
use crate::runtime::lookup::circuit_breaker::REST;
use crate::runtime::lookup::endpoint::{EndpointError, LONGEST_REST};

/// Most tokens that are remembered. One takes about 64 bytes.
const MOST: usize = 4096;

#[derive(Debug, Default)]
pub(in crate::runtime) struct FailedTokens(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    by_asker: HashMap<TokenDigest, FailedToken>,
    next_sweep: Duration,
}

#[derive(Clone, Copy, Debug)]
struct FailedToken {
    outage: Outage,
    /// Not asked about before.
    until: Duration,
    /// Forgotten then.
    end: Duration,
}

impl FailedTokens {
    /// Why, and for how long, this token is not asked about.
    pub(in crate::runtime) fn find(
        &self,
        asker: TokenDigest,
        now: Duration,
    ) -> Option<(Outage, Duration)> {
        let held = self.held();
        let setback = held.by_asker.get(&asker)?;
        let rest = setback.until.checked_sub(now)?;
        (!rest.is_zero()).then_some((setback.outage, rest))
    }

    pub(in crate::runtime) fn note(
        &self,
        asker: TokenDigest,
        trouble: &EndpointError,
        now: Duration,
    ) {
        let rest = trouble.rest.unwrap_or(REST).clamp(REST, LONGEST_REST);
        let end = now.saturating_add(rest);
        let mut held = self.held();
        if held.by_asker.len() >= MOST && now >= held.next_sweep {
            held.by_asker.retain(|_, setback| setback.end > now);
            held.next_sweep = now.saturating_add(REST);
        }
        let before = held.by_asker.get(&asker);
        let is_repeated = before.is_some_and(|before| before.end > now);
        let is_full = before.is_none() && held.by_asker.len() >= MOST;
        if is_full {
            return;
        }
        let rests = is_repeated || trouble.is_about_the_question() || trouble.rest.is_some();
        let setback = FailedToken {
            outage: trouble.outage,
            until: if rests { end } else { now },
            end,
        };
        held.by_asker.insert(asker, setback);
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The token that is asked about, and whose it is where that is known.
#[derive(Clone, Copy)]
pub(in crate::runtime) struct TokenSender {
    pub(in crate::runtime) digest: TokenDigest,
    pub(in crate::runtime) party: Option<TokenDigest>,
}

impl TokenSender {
    /// The token's party, or the token where that is not known.
    pub(in crate::runtime) fn party(self) -> TokenDigest {
        self.party.unwrap_or(self.digest)
    }

    /// Whom a failure concerns. A limit on questions is one on a party's; what else is wrong is
    /// wrong with the token.
    pub(in crate::runtime) fn concerned(self, trouble: &EndpointError) -> TokenDigest {
        match trouble.outage {
            Outage::IntrospectionBusy | Outage::UserInfoBusy => self.party(),
            _ => self.digest,
        }
    }

    pub(in crate::runtime) fn any<T>(self, find: impl Fn(TokenDigest) -> Option<T>) -> Option<T> {
        find(self.digest).or_else(|| self.party.and_then(find))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn setback_of_a_refused_question_rests_at_once_and_another_one_when_it_is_repeated() {
        let setbacks = FailedTokens::default();
        let refused = EndpointError::about_the_question(Outage::IntrospectionFailed, "400");
        let failed = EndpointError::failed("500");
        let (one, other) = (TokenDigest::of_number(1), TokenDigest::of_number(2));
        setbacks.note(one, &refused, at(0));
        setbacks.note(other, &failed, at(0));
        let rest = Some((Outage::IntrospectionFailed, at(1)));
        assert_eq!(setbacks.find(one, at(0)), rest);
        assert_eq!(setbacks.find(one, at(1)), None);
        assert_eq!(setbacks.find(other, at(0)), None, "once more");
        setbacks.note(other, &failed, at(0));
        assert_eq!(setbacks.find(other, at(0)), rest);
        assert_eq!(setbacks.find(other, at(1)), None);
        setbacks.note(other, &failed, at(1));
        assert_eq!(setbacks.find(other, at(1)), None, "it is over by then");
    }

    #[test]
    fn setbacks_are_bounded_and_make_room_when_they_are_over() {
        let setbacks = FailedTokens::default();
        let refused = EndpointError::about_the_question(Outage::IntrospectionFailed, "400");
        let fill = |from: u128, now| {
            for number in from..from + 2 * MOST as u128 {
                setbacks.note(TokenDigest::of_number(number), &refused, now);
            }
            setbacks.held().by_asker.len()
        };
        assert_eq!(fill(0, at(0)), MOST);
        assert_eq!(fill(1 << 20, at(1)), MOST);
        assert_eq!(setbacks.find(TokenDigest::of_number(0), at(1)), None);
        assert!(
            setbacks
                .find(TokenDigest::of_number(1 << 20), at(1))
                .is_some()
        );
    }
}
