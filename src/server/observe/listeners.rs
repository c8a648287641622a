//! Those that are told of a server's decisions.

use std::sync::Arc;

#[cfg(feature = "jwks")]
use crate::model::decision::observation::{KeySetRefresh, RemoteCall};
use crate::model::error::rejection::Outage;
#[cfg(feature = "jwks")]
use crate::runtime::observation::RuntimeObserver;
use crate::runtime::util::catch_panic::catch_panic;
use crate::server::observe::observer::Observer;
use crate::server::observe::record_writer::{RecordPlace, RecordWriter};
use crate::server::observe::request_decision::RequestDecision;

/// The observers of a server, and the writer of its records.
#[derive(Default)]
pub(crate) struct DecisionListeners {
    observers: Vec<Arc<dyn Observer>>,
    records: Option<RecordWriter>,
}

impl DecisionListeners {
    pub(in crate::server) fn new(
        observers: Vec<Arc<dyn Observer>>,
        records: Option<RecordWriter>,
    ) -> Self {
        Self { observers, records }
    }

    /// Whether anything is told.
    pub(crate) fn is_on(&self) -> bool {
        !self.observers.is_empty() || self.records.is_some()
    }

    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    pub(in crate::server) const fn records(&self) -> Option<&RecordWriter> {
        self.records.as_ref()
    }

    /// Whether records are written that may show the fingerprint of a token.
    pub(crate) const fn wants_fingerprints(&self) -> bool {
        self.records.is_some()
    }

    /// The fingerprint of a token, where records are written that would show it.
    pub(crate) fn fingerprint(&self, token: &[u8]) -> Option<Box<str>> {
        self.records.as_ref()?.fingerprint(token)
    }

    /// A place in the queue of records, for a request that is admitted.
    ///
    /// # Errors
    ///
    /// The queue is full, and no request may go on without its record.
    pub(crate) fn reserve(&self) -> Result<RecordPlace, Outage> {
        match &self.records {
            Some(records) => records.reserve(),
            None => Ok(RecordPlace::default()),
        }
    }

    /// Tells all of them of a decision.
    pub(crate) fn decided(&self, decision: &RequestDecision<'_>, place: RecordPlace) {
        for observer in &self.observers {
            catch_panic(|| observer.decided(decision));
        }
        if let Some(records) = &self.records {
            records.write(decision, place);
        }
    }
}

#[cfg(feature = "jwks")]
impl RuntimeObserver for DecisionListeners {
    fn called(&self, call: &RemoteCall<'_>) {
        for observer in &self.observers {
            catch_panic(|| observer.called(call));
        }
    }

    fn refreshed(&self, refresh: &KeySetRefresh<'_>) {
        for observer in &self.observers {
            catch_panic(|| observer.refreshed(refresh));
        }
    }
}
