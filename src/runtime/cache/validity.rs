//! What a cached value depends on, and when it stops being valid.

use std::sync::Arc;
use std::time::Duration;

use crate::model::time::UnixTime;
use crate::runtime::clock::{Deadline, Now};
use crate::runtime::util::sync::{AtomicBool, Ordering};

/// A flag that can be ended once, and then ends every cached value that depends on it: of a key, of
/// a set of static keys, or of an issuer. Clones are the same flag.
#[derive(Clone, Debug)]
pub(crate) struct Liveness(Arc<AtomicBool>);

impl Default for Liveness {
    /// A live one.
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl Liveness {
    pub(crate) fn is_live(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Ends it for good.
    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    pub(crate) fn end(&self) {
        self.0.store(false, Ordering::Release);
    }

    /// Whether both are the same flag.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// The validity of a cached value. Every cached value has one that can be ended.
///
/// What each hit reads comes first: the end and the two flags that end it early.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct CacheValidity {
    end: NarrowDeadline,
    liveness: Liveness,
    /// That of the issuer by whose rules the value was made. `None`: the same.
    issuer: Option<Liveness>,
    /// What outlives a change of the other keys of a set: the key that verified the token. `None`: the
    /// liveness.
    #[cfg(feature = "jwks")]
    authority: Option<Liveness>,
}

/// A deadline in two words. Its monotonic time is counted in nanoseconds, which are enough for 584 years.
#[derive(Clone, Copy, Debug)]
struct NarrowDeadline {
    wall: UnixTime,
    monotonic: u64,
}

impl NarrowDeadline {
    fn of(end: Deadline) -> Self {
        Self {
            wall: end.wall(),
            monotonic: nanos(end.monotonic()),
        }
    }

    fn has_passed(self, now: Now) -> bool {
        nanos(now.monotonic) >= self.monotonic || now.wall >= self.wall
    }

    /// The earlier of both, by each clock.
    fn min(self, other: Self) -> Self {
        Self {
            wall: self.wall.min(other.wall),
            monotonic: self.monotonic.min(other.monotonic),
        }
    }
}

fn nanos(time: Duration) -> u64 {
    let seconds = time.as_secs().saturating_mul(1_000_000_000);
    seconds.saturating_add(u64::from(time.subsec_nanos()))
}

impl CacheValidity {
    /// Valid until the liveness ends.
    pub(crate) fn while_live(liveness: Liveness) -> Self {
        Self::until(Deadline::NEVER, liveness)
    }

    /// Valid until this time, or until the liveness ends.
    pub(crate) fn until(end: Deadline, liveness: Liveness) -> Self {
        Self {
            end: NarrowDeadline::of(end),
            liveness,
            issuer: None,
            #[cfg(feature = "jwks")]
            authority: None,
        }
    }

    /// The same for a value that was made by the rules of this issuer: it ends with them.
    pub(crate) fn by_rules_of(self, issuer: Liveness) -> Self {
        Self {
            issuer: Some(issuer),
            ..self
        }
    }

    /// The liveness of the issuer by whose rules the value was made.
    #[cfg(feature = "jwks")]
    pub(crate) fn issuer(&self) -> &Liveness {
        self.issuer.as_ref().unwrap_or(&self.liveness)
    }

    /// The same for a token that a key with this liveness has verified.
    #[cfg(feature = "jwks")]
    pub(crate) fn by_key(self, key: Option<&Liveness>) -> Self {
        Self {
            authority: key.cloned().or(self.authority),
            ..self
        }
    }

    /// The liveness of the key that verified the token, or of the issuer whose answer vouches for it:
    /// when it ends, so does what was begun with the token.
    #[cfg(feature = "jwks")]
    pub(crate) fn authority(&self) -> &Liveness {
        self.authority.as_ref().unwrap_or(&self.liveness)
    }

    /// The same, and not longer than until this time.
    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    pub(crate) fn within(self, end: Deadline) -> Self {
        Self {
            end: self.end.min(NarrowDeadline::of(end)),
            ..self
        }
    }

    /// Ends it at this time at the latest.
    pub(super) fn shorten(&mut self, end: Deadline) {
        self.end = self.end.min(NarrowDeadline::of(end));
    }

    pub(in crate::runtime) fn is_valid(&self, now: Now) -> bool {
        !self.end.has_passed(now) && self.is_live()
    }

    pub(super) fn is_live(&self) -> bool {
        let issuer = self.issuer.as_ref();
        self.liveness.is_live() && issuer.is_none_or(Liveness::is_live)
    }

    /// When it ends by the monotonic clock.
    pub(super) const fn monotonic_end(&self) -> Duration {
        Duration::from_nanos(self.end.monotonic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now {
        wall: UnixTime::from_secs(1_800_000_000),
        monotonic: Duration::from_secs(10),
    };

    #[test]
    fn cache_validity_ends_with_its_liveness_whatever_it_belongs_to() {
        let (one, other) = (Liveness::default(), Liveness::default());
        let lasting = CacheValidity::while_live(one.clone());
        let bounded =
            CacheValidity::until(Deadline::after(NOW, Duration::from_secs(1)), one.clone());
        let another = CacheValidity::while_live(other);
        assert!(lasting.is_valid(NOW) && bounded.is_valid(NOW));
        one.end();
        assert!(!lasting.is_valid(NOW) && !bounded.is_valid(NOW));
        assert!(another.is_valid(NOW));
    }

    #[test]
    fn cache_validity_ends_with_the_rules_of_its_issuer() {
        let (issuer, key) = (Liveness::default(), Liveness::default());
        let validity = CacheValidity::while_live(key.clone());
        let (bound, other) = (validity.clone().by_rules_of(issuer.clone()), validity);
        assert!(bound.is_valid(NOW) && other.is_valid(NOW));
        issuer.end();
        assert!(!bound.is_valid(NOW) && other.is_valid(NOW));
        key.end();
        assert!(!other.is_valid(NOW));
    }

    #[test]
    fn cache_validity_is_never_longer_than_the_shortest_bound() {
        let in_seconds = |seconds| Deadline::after(NOW, Duration::from_secs(seconds));
        let at = |seconds: i64| Now {
            wall: NOW.wall,
            monotonic: NOW.monotonic + Duration::from_secs(seconds.unsigned_abs()),
        };
        for (first, second) in [(5, 9), (9, 5)] {
            let validity = CacheValidity::until(in_seconds(first), Liveness::default());
            let validity = validity.within(in_seconds(second));
            assert!(validity.is_valid(at(4)));
            assert!(!validity.is_valid(at(5)));
        }
    }
}
