//! Settings of a server about observers and records.

use std::sync::Arc;

#[cfg(feature = "jwks")]
use crate::runtime::decision_queue::DecisionSink;
use crate::server::builder::server_builder::ResourceServerBuilder;
use crate::server::observe::observer::Observer;
use crate::server::observe::record_writer::RecordWriter;
use crate::server::observe::settings::DecisionRecords;
use crate::server::settings::error::{ConfigError, Mistakes};

impl ResourceServerBuilder {
    /// Adds an observer, which is told of every decision; call it once for each, in the order in which
    /// they are told. Default: none.
    #[doc(alias("metrics", "hook", "audit", "callback"))]
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers.push(Arc::new(observer));
        self
    }

    /// Writes one [record](crate::observe::DecisionRecord) for each request that passes a layer of the
    /// server, to `tracing` and to a sink. Records name callers. A
    /// [replacement](crate::ResourceServer::replace) repeats them as they are, or leaves out those that have
    /// a sink of their own. Default: none, since ids of people then
    /// stand in the log.
    #[doc(alias("audit", "audit_log", "access_log"))]
    pub fn decision_records(mut self, records: DecisionRecords) -> Self {
        self.once.set_opaque("decision_records");
        self.decision_records = Some(records);
        self
    }

    /// The [sink](DecisionRecords::sink) of decision records that a configuration file turns on: a file has
    /// no code. [`decision_records`](Self::decision_records) without a sink must be set too, in the file or
    /// here, and a [replacement](crate::ResourceServer::replace) leaves the sink out. Default: none.
    #[cfg(feature = "jwks")]
    #[doc(alias("audit_log", "siem", "kafka"))]
    pub fn decision_sink(mut self, sink: impl DecisionSink) -> Self {
        self.once.set_opaque("decision_sink");
        self.decision_sink = Some(Arc::new(sink));
        self
    }

    /// Checks what concerns records.
    pub(super) fn check_records(&self) -> Result<(), ConfigError> {
        let mut mistakes = Mistakes::default();
        if let Some(records) = &self.decision_records {
            mistakes.collect(records.check());
        }
        #[cfg(feature = "jwks")]
        if self.decision_sink.is_some() {
            match &self.decision_records {
                None => mistakes.add(ConfigError::missing(
                    "decision_sink",
                    "there are no decision records that it could take; set `decision_records(..)`",
                )),
                Some(records) if records.has_sink() => mistakes.add(ConfigError::new(
                    "decision_sink",
                    "the decision records have a sink of their own; keep one of the two",
                )),
                Some(_) => {}
            }
        }
        mistakes.into_result()
    }

    /// The writer of the records, if there are any.
    pub(super) fn record_writer(&self) -> Option<RecordWriter> {
        let records = self.decision_records.as_ref()?;
        #[cfg(feature = "jwks")]
        if let Some(sink) = &self.decision_sink {
            let mut records = records.clone();
            records.sink = Some(Arc::clone(sink));
            return Some(RecordWriter::new(&records, &self.clock));
        }
        Some(RecordWriter::new(records, &self.clock))
    }
}
