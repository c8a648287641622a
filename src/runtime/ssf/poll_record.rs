//! How the polling of a transmitter goes.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::model::time::UnixTime;
use crate::runtime::ssf::poll_endpoint::PollEndpoint;

/// The endpoint, its task and the record of it.
pub(crate) struct Polling {
    pub(crate) endpoint: Arc<PollEndpoint>,
    /// Whether the task was started.
    pub(crate) running: AtomicBool,
    /// Closed with the last handle of the server, which ends the task.
    pub(crate) alive: watch::Sender<()>,
    record: Mutex<PollRecord>,
}

/// What the last polls were.
#[derive(Clone, Default)]
pub(crate) struct PollRecord {
    pub(crate) polls: u64,
    /// In a row.
    pub(crate) failures: u32,
    pub(crate) last_success: Option<UnixTime>,
    pub(crate) last_error: Option<String>,
    /// By the monotonic clock.
    pub(crate) next: Option<Duration>,
}

impl Polling {
    pub(crate) fn new(endpoint: PollEndpoint) -> Self {
        Self {
            endpoint: Arc::new(endpoint),
            running: AtomicBool::new(false),
            alive: watch::Sender::new(()),
            record: Mutex::default(),
        }
    }

    pub(crate) fn record(&self) -> MutexGuard<'_, PollRecord> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
