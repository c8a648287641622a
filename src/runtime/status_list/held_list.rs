//! A list that was fetched and verified, and how long it is used.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::runtime::cache::validity::CacheValidity;
use crate::runtime::clock::{Deadline, Now};
use crate::runtime::util::backoff::jittered;
use crate::verify::status_list::list::StatusList;
use crate::verify::status_list::list_token::ListToken;

/// How long a list without `ttl` is fresh.
const DEFAULT_TTL: Duration = Duration::from_secs(10 * 60);

/// The least `ttl`: an issuer must not make every request fetch.
const LEAST_TTL: Duration = Duration::from_secs(10);

/// The share of its fresh time after which a list is fetched again, in percent. With jitter, so that
/// instances do not fetch together.
const REFRESH: RangeInclusive<u32> = 75..=85;

/// A list is not fetched more often than this, however soon it expires.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// How long lists are used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListLife {
    /// The upper bound on a `ttl`.
    pub(crate) max_ttl: Duration,
    /// How long a list is used after its fresh time, where no newer one could be fetched.
    pub(crate) last_known: Duration,
    /// How far the issuer's clock may be off.
    pub(crate) leeway: Duration,
}

/// A verified list in use.
#[derive(Debug)]
pub(crate) struct HeldList {
    pub(super) token: ListToken,
    /// When its request was sent.
    pub(super) fetched: Now,
    /// From then on it is only the last known one.
    fresh_until: Deadline,
    /// Until it must not be used any longer, or its key is no longer one of the issuer's.
    validity: CacheValidity,
}

impl HeldList {
    /// A list, and when it is to be fetched again by the monotonic clock.
    pub(super) fn new(
        token: ListToken,
        key: CacheValidity,
        fetched: Now,
        life: ListLife,
    ) -> (Self, Duration) {
        let ttl = token.ttl.unwrap_or(DEFAULT_TTL);
        let ttl = ttl.max(LEAST_TTL).min(life.max_ttl.max(LEAST_TTL));
        // s13.7: after `exp` it must not be relied upon, whatever else is configured.
        let expiry = token.expires_at.map_or(Deadline::NEVER, |end| {
            Deadline::at(end, life.leeway, Duration::MAX)
        });
        let until_expiry = token.expires_at.map_or(Duration::MAX, |end| {
            let left = end.as_secs().saturating_sub(fetched.wall.as_secs());
            Duration::from_secs(u64::try_from(left).unwrap_or_default())
        });
        let pause = jittered(ttl.min(until_expiry), &REFRESH).max(SHORTEST_PAUSE);
        let last = ttl.saturating_add(life.last_known);
        let held = Self {
            fresh_until: Deadline::after(fetched, ttl).min(expiry),
            validity: key.within(Deadline::after(fetched, last).min(expiry)),
            token,
            fetched,
        };
        (held, fetched.monotonic.saturating_add(pause))
    }

    pub(super) const fn list(&self) -> &StatusList {
        &self.token.list
    }

    /// Whether it may be used.
    pub(super) fn is_usable(&self, now: Now) -> bool {
        self.validity.is_valid(now)
    }

    /// Whether it is as fresh as its issuer demands.
    pub(super) fn is_fresh(&self, now: Now) -> bool {
        !self.fresh_until.has_passed(now) && self.is_usable(now)
    }
}
