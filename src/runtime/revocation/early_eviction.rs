//! Counts entries that were evicted early: one of the two clocks had not reached their end.

use std::time::Duration;

use crate::model::time::UnixTime;
use crate::runtime::revocation::timed_entry::TimedEntry;
use crate::runtime::util::sync::{AtomicI64, AtomicU64, Ordering};

/// Until when such entries would have counted.
#[derive(Debug)]
pub(super) struct EarlyEviction {
    /// The latest end, in seconds of the wall clock: before that the list is not complete.
    before: AtomicI64,
    /// The same by the monotonic clock, in milliseconds.
    until: AtomicU64,
}

impl EarlyEviction {
    pub(super) fn none() -> Self {
        Self {
            before: AtomicI64::new(i64::MIN),
            until: AtomicU64::new(0),
        }
    }

    /// INVARIANT: called before the entry is removed, so that a look-up that misses it sees this.
    pub(super) fn record(&self, entry: &TimedEntry) {
        let end = entry.entry().ends_at().as_secs();
        self.before.fetch_max(end, Ordering::AcqRel);
        let until = entry.in_force_until().as_millis();
        let until = u64::try_from(until).unwrap_or(u64::MAX);
        self.until.fetch_max(until, Ordering::AcqRel);
    }

    /// Whether there were none, so that a clean result may be cached.
    pub(super) fn is_none(&self) -> bool {
        self.before.load(Ordering::Acquire) == i64::MIN
    }

    /// Whether such an entry would be in force now.
    pub(super) fn would_count(&self, wall: UnixTime, monotonic: impl FnOnce() -> Duration) -> bool {
        let until = self.until.load(Ordering::Acquire);
        wall.as_secs() < self.before.load(Ordering::Acquire)
            || (until > 0 && monotonic() < Duration::from_millis(until))
    }
}
