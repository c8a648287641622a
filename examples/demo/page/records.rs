//! The records of decisions, for the page: the newest ones, in memory.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use portcullis::observe::{DecisionRecord, DecisionRecords, DecisionSink, SinkError};

/// How many are kept.
const MOST: usize = 100;

/// Clones are one list.
#[derive(Clone, Default)]
pub(crate) struct Records(Arc<Mutex<VecDeque<DecisionRecord>>>);

impl Records {
    /// The settings of a server that writes its records here.
    pub(crate) fn settings(&self) -> DecisionRecords {
        DecisionRecords::new().sink(self.clone())
    }

    /// Forgets what was recorded.
    pub(super) fn clear(&self) {
        self.list().clear();
    }

    /// The last one.
    pub(super) fn last(&self) -> Option<DecisionRecord> {
        self.list().back().cloned()
    }

    fn list(&self) -> std::sync::MutexGuard<'_, VecDeque<DecisionRecord>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DecisionSink for Records {
    async fn record(&self, record: DecisionRecord) -> Result<(), SinkError> {
        let mut list = self.list();
        if list.len() == MOST {
            list.pop_front();
        }
        list.push_back(record);
        Ok(())
    }
}
