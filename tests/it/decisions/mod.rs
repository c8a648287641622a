//! One decision for each request: observers, records, and layers that only observe.

mod metrics;
mod observe_only;
mod observers;
mod prometheus;
mod records;

use std::sync::{Arc, Mutex, PoisonError};

use portcullis::observe::{Observer, RequestDecision};

/// What an observer was told, one line for each decision.
#[derive(Clone, Default)]
struct Decisions(Arc<Mutex<Vec<String>>>);

impl Decisions {
    /// What was told since the last call.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Observer for Decisions {
    fn decided(&self, decision: &RequestDecision<'_>) {
        let line = [
            decision.outcome().as_str(),
            decision.stage().as_str(),
            decision.reason(),
        ];
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line.join(" ").trim_end().to_owned());
    }
}
