//! What middleware asks of a server about observers, and what operators ask of it.

use std::sync::Arc;

use crate::model::time::UnixTime;
#[cfg(feature = "jwks")]
use crate::runtime::decision_queue::DecisionQueueStatus;
use crate::server::observe::listeners::DecisionListeners;
use crate::server::observe::observe_only::{ObserveOnly, ObserveOnlyStatus};
use crate::server::resource_server::ResourceServer;

impl ResourceServer {
    /// Whether both are handles of one server.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Those that are told of decisions.
    pub(crate) fn listeners(&self) -> &DecisionListeners {
        &self.0.listeners
    }

    /// A layer for this resource is made that only observes.
    pub(crate) fn observe_only(&self, resource: usize, until: UnixTime) -> Arc<ObserveOnly> {
        let resource = &self.resource_at(resource).identifier;
        self.0.observing.add(resource, until, self.wall_clock())
    }

    /// The layers that only [observe](crate::layer::DangerousLayer::observe_only_until), over or not, in
    /// the order in which they were made, while they are there. Empty where no layer was ever to observe.
    #[must_use]
    pub fn observe_only_status(&self) -> Vec<ObserveOnlyStatus> {
        self.0.observing.status(self.wall_clock())
    }
}

#[cfg(feature = "jwks")]
impl ResourceServer {
    /// The status of the queue of [decision records](crate::observe::DecisionRecords::sink); `None`
    /// without a sink.
    #[must_use]
    pub fn decision_records_status(&self) -> Option<DecisionQueueStatus> {
        Some(self.listeners().records()?.queue()?.status())
    }

    /// Waits until the sink has got every decision record that is in the queue now: call it last, after
    /// the server has stopped to take requests. It waits as long as the sink takes, so put a timeout around
    /// it. At once without a sink, and where no record was ever written.
    pub async fn flush_decision_records(&self) {
        let records = self.listeners().records();
        if let Some(queue) = records.and_then(|records| records.queue()) {
            queue.flush().await;
        }
    }
}
