//! Settings of a server about observers and records.

use std::sync::Arc;

use crate::server::builder::server_builder::ResourceServerBuilder;
use crate::server::observe::observer::Observer;
use crate::server::observe::settings::DecisionRecords;

impl ResourceServerBuilder {
    /// Adds an observer, which is told of every decision; call it once for each, in the order in which
    /// they are told. Default: none.
    #[doc(alias("metrics", "hook", "audit", "callback"))]
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers.push(Arc::new(observer));
        self
    }

    /// Writes one [record](crate::observe::DecisionRecord) for each request that passes a layer of the
    /// server, to `tracing` and to a sink. Records name callers. Default: none, since ids of people then
    /// stand in the log.
    #[doc(alias("audit", "audit_log", "access_log"))]
    pub fn decision_records(mut self, records: DecisionRecords) -> Self {
        self.once.set_opaque("decision_records");
        self.decision_records = Some(records);
        self
    }
}
