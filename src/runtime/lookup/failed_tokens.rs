//! Tokens that an endpoint gave no verdict on: they are not looked up again for a while.
//!
//! 1. A status that is about the token, such as 400, 413 or 429, or a `Retry-After`, concerns this
//!    token alone, for a second or as long as the endpoint's `Retry-After`, up to a minute.
//! 2. Another failure may have been chance: the same token may be looked up once more at once, and
//!    then not for a second.
//! 3. The number of tokens is bounded. When the list is full, a failed token is not recorded and is looked up again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::error::rejection::Outage;
use crate::runtime::cache::token_cache::TokenDigest;
use crate::runtime::lookup::circuit_breaker::OPEN_TIME;
use crate::runtime::lookup::endpoint::{EndpointError, MAX_RETRY_AFTER};

/// The most tokens that are remembered. One takes about 64 bytes.
const MOST: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct FailedTokens(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    by_sender: HashMap<TokenDigest, FailedToken>,
    next_sweep: Duration,
}

#[derive(Clone, Copy, Debug)]
struct FailedToken {
    outage: Option<Outage>,
    /// Not looked up before.
    until: Duration,
    /// Removed then.
    end: Duration,
}

impl FailedTokens {
    /// Why, and for how long, this token is not looked up.
    pub(super) fn find(
        &self,
        sender: TokenDigest,
        now: Duration,
    ) -> Option<(Option<Outage>, Duration)> {
        let state = self.state();
        let failed = state.by_sender.get(&sender)?;
        let retry_after = failed.until.checked_sub(now)?;
        (!retry_after.is_zero()).then_some((failed.outage, retry_after))
    }

    pub(super) fn record(&self, sender: TokenDigest, error: &EndpointError, now: Duration) {
        let retry_after = error
            .retry_after
            .unwrap_or(OPEN_TIME)
            .clamp(OPEN_TIME, MAX_RETRY_AFTER);
        let end = now.saturating_add(retry_after);
        let mut state = self.state();
        if state.by_sender.len() >= MOST && now >= state.next_sweep {
            state.by_sender.retain(|_, failed| failed.end > now);
            state.next_sweep = now.saturating_add(OPEN_TIME);
        }
        let before = state.by_sender.get(&sender);
        let is_repeated = before.is_some_and(|before| before.end > now);
        let is_full = before.is_none() && state.by_sender.len() >= MOST;
        if is_full {
            return;
        }
        let waits = is_repeated || error.is_about_the_token() || error.retry_after.is_some();
        let failed = FailedToken {
            outage: error.outage,
            until: if waits { end } else { now },
            end,
        };
        state.by_sender.insert(sender, failed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The token that is looked up, and its owner where that is known.
#[derive(Clone, Copy)]
pub(super) struct TokenSender {
    pub(super) digest: TokenDigest,
    pub(super) owner: Option<TokenDigest>,
}

impl TokenSender {
    /// The owner, or the token where the owner is not known.
    pub(super) fn owner(self) -> TokenDigest {
        self.owner.unwrap_or(self.digest)
    }

    /// What a failure concerns: a rate limit the owner, any other failure the token.
    pub(super) fn concerned(self, error: &EndpointError) -> TokenDigest {
        match error.outage {
            Some(Outage::IntrospectionBusy | Outage::UserInfoBusy) => self.owner(),
            _ => self.digest,
        }
    }

    pub(super) fn any<T>(self, find: impl Fn(TokenDigest) -> Option<T>) -> Option<T> {
        find(self.digest).or_else(|| self.owner.and_then(find))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn failed_token_is_not_looked_up_after_a_refusal_or_a_repeated_failure() {
        let failed_tokens = FailedTokens::default();
        let refused = EndpointError::about_the_token("400");
        let failed = EndpointError::failed("500");
        let (one, other) = (TokenDigest::of_number(1), TokenDigest::of_number(2));
        failed_tokens.record(one, &refused, at(0));
        failed_tokens.record(other, &failed, at(0));
        let retry_after = Some((None, at(1)));
        assert_eq!(failed_tokens.find(one, at(0)), retry_after);
        assert_eq!(failed_tokens.find(one, at(1)), None);
        assert_eq!(failed_tokens.find(other, at(0)), None, "once more");
        failed_tokens.record(other, &failed, at(0));
        assert_eq!(failed_tokens.find(other, at(0)), retry_after);
        assert_eq!(failed_tokens.find(other, at(1)), None);
        failed_tokens.record(other, &failed, at(1));
        assert_eq!(failed_tokens.find(other, at(1)), None, "it is over by then");
    }

    #[test]
    fn failed_tokens_are_bounded_and_make_room_when_they_end() {
        let failed_tokens = FailedTokens::default();
        let refused = EndpointError::about_the_token("400");
        let fill = |from: u128, now| {
            for number in from..from + 2 * MOST as u128 {
                failed_tokens.record(TokenDigest::of_number(number), &refused, now);
            }
            failed_tokens.state().by_sender.len()
        };
        assert_eq!(fill(0, at(0)), MOST);
        assert_eq!(fill(1 << 20, at(1)), MOST);
        assert_eq!(failed_tokens.find(TokenDigest::of_number(0), at(1)), None);
        assert!(
            failed_tokens
                .find(TokenDigest::of_number(1 << 20), at(1))
                .is_some()
        );
    }
}
