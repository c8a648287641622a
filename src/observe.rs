//! What happens at the server, for metrics, audit and operators: [observers](Observer), [records of
//! decisions](DecisionRecords), and layers that only [observe](crate::layer::DangerousLayer::observe_only_until).
//!
//! See [the manual](crate::manual::decisions).

#[doc(inline)]
pub use crate::model::decision::observation::{KeySetRefresh, RemoteCall};
#[doc(inline)]
pub use crate::model::decision::record::{DecisionOutcome, DecisionRecord, DecisionStage};
#[cfg(feature = "jwks")]
#[doc(inline)]
pub use crate::runtime::decision_queue::{DecisionQueueStatus, DecisionSink, SinkError};
#[cfg(feature = "metrics")]
#[doc(inline)]
pub use crate::server::observe::metrics::Metrics;
#[doc(inline)]
pub use crate::server::observe::observe_only::ObserveOnlyStatus;
#[doc(inline)]
pub use crate::server::observe::observer::Observer;
#[doc(inline)]
pub use crate::server::observe::request_decision::RequestDecision;
#[cfg(feature = "jwks")]
#[doc(inline)]
pub use crate::server::observe::settings::QueueFull;
#[doc(inline)]
pub use crate::server::observe::settings::{DecisionRecords, SubjectIds};
