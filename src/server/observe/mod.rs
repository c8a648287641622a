//! What the application hears of decisions: observers, records, and layers that only observe.

pub(crate) mod check_time;
pub(crate) mod request_decision;
pub(crate) mod observer;
#[cfg(feature = "metrics")]
pub(crate) mod metrics;
pub(crate) mod settings;
pub(crate) mod record_writer;
pub(crate) mod listeners;
pub(crate) mod observe_only;
