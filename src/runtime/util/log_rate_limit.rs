//! A rate limit for log events that strangers can cause.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// At most one event in this time.
pub(crate) const ONCE_IN: Duration = Duration::from_secs(60);

/// Allows one event a minute.
#[derive(Debug, Default)]
pub(crate) struct LogRateLimit {
    /// The second of the monotonic clock from which the next event is allowed.
    next: AtomicU64,
}

impl LogRateLimit {
    /// Whether the event may be written now.
    pub(crate) fn try_acquire(&self, now: Duration) -> bool {
        let (now, after) = (now.as_secs(), now.saturating_add(ONCE_IN).as_secs());
        self.next
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| {
                (now >= next).then_some(after)
            })
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_event_is_allowed_once_a_minute() {
        let quiet = LogRateLimit::default();
        let at = |secs| quiet.try_acquire(Duration::from_secs(secs));
        assert!(at(0));
        assert!(!at(0) && !at(59));
        assert!(at(60));
        assert!(!at(119));
        assert!(at(500));
    }
}
