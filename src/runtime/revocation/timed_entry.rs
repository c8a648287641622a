//! An entry of the list in memory, with its ends by both clocks.
//!
//! 1. An entry is in force until its end by the wall clock *and* for its span by the monotonic clock.
//!    So a wall clock that jumps ahead does not end it early, nor one that was behind when the
//!    revocation was made.
//! 2. It stays in memory for [`RETENTION_AFTER_END`] beyond both: a wall clock that is set back makes expired
//!    tokens valid again.

use std::time::Duration;

use crate::model::time::UnixTime;
use crate::runtime::revocation::entry::RevocationEntry;

/// How long an entry stays in memory beyond its end: a wall clock that is set back makes expired
/// tokens valid again, and their revocations must still be there.
pub(crate) const RETENTION_AFTER_END: Duration = Duration::from_secs(3600);

/// One reading of both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClockReading {
    pub(crate) wall: UnixTime,
    pub(crate) monotonic: Duration,
}

/// How long an entry counts by the monotonic clock, from its insertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MonotonicSpan {
    /// In force for this long, independently of the wall clock.
    force: Duration,
    /// In memory for this long, also when it is not in force.
    kept: Duration,
}

impl MonotonicSpan {
    /// In force for this long, and kept for the afterlife.
    pub(crate) const fn lasting(force: Duration) -> Self {
        let kept = force.saturating_add(RETENTION_AFTER_END);
        Self { force, kept }
    }

    /// The span of an entry that arrives with its end: the rest by the wall clock, bounded by `life`,
    /// the longest life of a token of its issuer.
    pub(crate) fn until(end: UnixTime, wall: UnixTime, life: Duration) -> Self {
        Self::lasting(left(end, wall).min(life))
    }

    /// Not in force, since it has ended by the wall clock alone. It is kept in case that clock is
    /// ahead.
    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    pub(crate) const fn dormant(life: Duration) -> Self {
        Self {
            force: Duration::ZERO,
            kept: life.saturating_add(RETENTION_AFTER_END),
        }
    }
}

/// Time from one moment to a later one; zero where it has passed.
pub(crate) fn left(end: UnixTime, wall: UnixTime) -> Duration {
    let secs = end.as_secs().saturating_sub(wall.as_secs());
    Duration::from_secs(u64::try_from(secs).unwrap_or_default())
}

/// An entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TimedEntry {
    entry: RevocationEntry,
    /// By the monotonic clock, in whole seconds, rounded up.
    in_force_until: u32,
    kept_until: u32,
    /// Whether its end had passed by the wall clock when it was added.
    was_dormant: bool,
}

impl TimedEntry {
    pub(super) fn new(entry: RevocationEntry, span: MonotonicSpan, now: ClockReading) -> Self {
        let after = |span: Duration| match span {
            Duration::ZERO => 0,
            span => whole_seconds(now.monotonic.saturating_add(span)),
        };
        Self {
            was_dormant: span.force.is_zero() && entry.ends_at() <= now.wall,
            in_force_until: after(span.force),
            kept_until: after(span.kept),
            entry,
        }
    }

    pub(super) const fn entry(&self) -> &RevocationEntry {
        &self.entry
    }

    /// The union of both, which are about the same.
    pub(super) fn joined(&self, other: &Self) -> Self {
        Self {
            entry: self.entry.joined(&other.entry),
            in_force_until: self.in_force_until.max(other.in_force_until),
            kept_until: self.kept_until.max(other.kept_until),
            was_dormant: self.was_dormant && other.was_dormant,
        }
    }

    /// Whether it is in force. The monotonic clock is read only when the entry is over by the wall clock.
    pub(super) fn is_in_force(&self, wall: UnixTime, monotonic: impl FnOnce() -> Duration) -> bool {
        wall < self.entry.ends_at() || monotonic() < self.in_force_until()
    }

    /// Whether it may be removed, by both clocks.
    pub(super) fn is_over(&self, now: ClockReading) -> bool {
        now.wall >= self.entry.ends_at().saturating_add(RETENTION_AFTER_END)
            && now.monotonic >= Duration::from_secs(self.kept_until.into())
    }

    /// When it may be evicted from a full list, by the wall clock alone.
    pub(super) fn replaceable_at(&self) -> UnixTime {
        let end = self.entry.ends_at();
        if self.was_dormant {
            end
        } else {
            end.saturating_add(RETENTION_AFTER_END)
        }
    }

    /// Whether it had ended by the wall clock when it was added.
    pub(super) const fn was_dormant(&self) -> bool {
        self.was_dormant
    }

    /// The end of its force, by the monotonic clock.
    pub(super) fn in_force_until(&self) -> Duration {
        Duration::from_secs(self.in_force_until.into())
    }
}

/// Seconds, rounded up: 136 years of them fit.
fn whole_seconds(time: Duration) -> u32 {
    let secs = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    u32::try_from(secs).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::revocation::Revocation;

    const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
    const HOUR: Duration = Duration::from_secs(3600);

    fn at(wall: i64, monotonic: u64) -> ClockReading {
        ClockReading {
            wall: UnixTime::from_secs(NOW.as_secs() + wall),
            monotonic: Duration::from_secs(monotonic),
        }
    }

    fn listed(end: i64, span: MonotonicSpan) -> TimedEntry {
        let end = UnixTime::from_secs(NOW.as_secs() + end);
        let revocation = Revocation::token("https://a.example", "1");
        TimedEntry::new(RevocationEntry::new(revocation, end), span, at(0, 0))
    }

    #[test]
    fn an_entry_is_in_force_until_both_clocks_say_otherwise() {
        let one = listed(3600, MonotonicSpan::lasting(HOUR));
        let in_force = |now: ClockReading| one.is_in_force(now.wall, || now.monotonic);
        assert!(in_force(at(3599, 3599)));
        assert!(in_force(at(1_000_000, 3599)), "the wall clock is ahead");
        assert!(in_force(at(3599, 1_000_000)), "the wall clock is behind");
        assert!(!in_force(at(3600, 3600)));
    }

    #[test]
    fn an_entry_is_kept_for_the_afterlife_by_both_clocks() {
        let one = listed(3600, MonotonicSpan::lasting(HOUR));
        assert!(!one.is_over(at(7200, 7199)));
        assert!(!one.is_over(at(7199, 7200)));
        assert!(one.is_over(at(7200, 7200)));
    }

    #[test]
    fn a_dormant_entry_is_not_in_force_and_comes_back_with_the_time() {
        let one = listed(-10, MonotonicSpan::dormant(HOUR));
        assert!(one.was_dormant());
        assert!(!one.is_in_force(at(0, 0).wall, || Duration::ZERO));
        assert!(one.is_in_force(at(-11, 5).wall, || Duration::from_secs(5)));
        assert!(!one.is_over(at(100_000, 7199)));
        assert!(one.is_over(at(100_000, 7200)));
    }

    #[test]
    fn a_span_is_never_longer_than_tokens_live() {
        let far = UnixTime::from_secs(i64::MAX);
        assert_eq!(
            MonotonicSpan::until(far, NOW, HOUR),
            MonotonicSpan::lasting(HOUR)
        );
        assert_eq!(
            MonotonicSpan::until(NOW, NOW, HOUR),
            MonotonicSpan::lasting(Duration::ZERO),
            "ended"
        );
    }
}
