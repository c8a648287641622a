//! Layers that only observe: what they would have refused goes on, until a day.
//!
//! 1. The end is required, at most 90 days away, and needs no deploy: the clock brings it.
//! 2. It is loud: an event when the layer is made, one a minute while requests go on, a status.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, Weak};
use std::time::Duration;

use crate::logging;
use crate::model::decision::event::Event;
use crate::model::time::UnixTime;
use crate::runtime::util::log_rate_limit::LogRateLimit;

/// A longer observation is forgotten, and the API stays open.
const LONGEST: Duration = Duration::from_secs(90 * 24 * 3600);

/// What a layer needs that only observes.
pub(crate) struct ObserveOnly {
    resource: Arc<str>,
    until: UnixTime,
    /// False where the end is too far away: then the layer enforces from the beginning.
    is_accepted: bool,
    passed: AtomicU64,
    log: LogRateLimit,
}

/// The layers of a server that only observe, as long as they are there.
#[derive(Default)]
pub(in crate::server) struct ObservingLayers(Mutex<Vec<Weak<ObserveOnly>>>);

impl ObserveOnly {
    /// Whether a refusal goes on now.
    pub(crate) fn observes(&self, now: UnixTime) -> bool {
        self.is_accepted && now < self.until
    }

    pub(crate) const fn until(&self) -> UnixTime {
        self.until
    }

    /// A request goes on that would have been refused.
    pub(crate) fn pass(&self, now: impl FnOnce() -> Duration) {
        let passed = self.passed.fetch_add(1, Ordering::Relaxed) + 1;
        if logging::is_enabled() && self.log.try_acquire(now()) {
            logging::emit(Event::RefusalsObserved {
                resource: &self.resource,
                until: self.until,
                passed,
            });
        }
    }
}

impl ObservingLayers {
    /// Adds a layer for a resource.
    pub(in crate::server) fn add(
        &self,
        resource: &Arc<str>,
        until: UnixTime,
        now: UnixTime,
    ) -> Arc<ObserveOnly> {
        let is_accepted = until <= now.saturating_add(LONGEST);
        logging::emit(Event::ObserveOnly {
            resource,
            until,
            is_observing: is_accepted && now < until,
        });
        let layer = Arc::new(ObserveOnly {
            resource: Arc::clone(resource),
            until,
            is_accepted,
            passed: AtomicU64::new(0),
            log: LogRateLimit::default(),
        });
        let mut layers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        layers.retain(|layer| layer.strong_count() > 0);
        layers.push(Arc::downgrade(&layer));
        layer
    }

    pub(in crate::server) fn status(&self, now: UnixTime) -> Vec<ObserveOnlyStatus> {
        let layers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let layers = layers.iter().filter_map(Weak::upgrade);
        layers
            .map(|layer| ObserveOnlyStatus {
                is_observing: layer.observes(now),
                until: layer.until,
                passed: layer.passed.load(Ordering::Relaxed),
                resource: Arc::clone(&layer.resource),
            })
            .collect()
    }
}

/// The status of a layer that only observes, at the time of the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObserveOnlyStatus {
    resource: Arc<str>,
    until: UnixTime,
    passed: u64,
    is_observing: bool,
}

impl ObserveOnlyStatus {
    /// The identifier of the layer's resource.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// From when on the layer enforces.
    #[must_use]
    pub const fn until(&self) -> UnixTime {
        self.until
    }

    /// Requests that went on and would have been refused, since the layer was made. One that two parts
    /// would have refused counts for each.
    #[must_use]
    pub const fn passed(&self) -> u64 {
        self.passed
    }

    /// Whether it observes now. False after its end, and for a layer whose end was too far away when it
    /// was made: both enforce.
    #[must_use]
    pub const fn is_observing(&self) -> bool {
        self.is_observing
    }
}
