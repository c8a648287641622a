//! The queue between requests and the sink of decision records.
//!
//! 1. Bounded: a record that has no place is dropped and counted. Strangers have half of the places, so
//!    that what they send displaces no record of a caller.
//! 2. One task takes the records in their order. It begins with the first record, since only then there
//!    is a runtime for sure, and ends with the server.
//! 3. The sink is foreign code: an error or a panic of it is counted, and the next record follows.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::{self, OwnedPermit, Receiver, Sender};
use tokio::sync::oneshot;

use crate::logging;
use crate::model::decision::event::Event;
use crate::model::decision::record::DecisionRecord;
use crate::runtime::clock::Clock;
use crate::runtime::util::catch_panic::{catch_panic, catch_panic_of};
use crate::runtime::util::current_runtime::{boxed_task, current_runtime};
use crate::runtime::util::excerpt::excerpt;
use crate::runtime::util::log_rate_limit::LogRateLimit;

/// Longest text of an error that goes into an event, in characters.
const MAX_ERROR_CHARS: usize = 160;

/// Why a record was not written. Its first 160 characters are logged as a warning, once a minute, escaped.
pub type SinkError = Box<dyn std::error::Error + Send + Sync>;

/// Takes decision records, supplied by the application with
/// [`DecisionRecords::sink`](crate::observe::DecisionRecords::sink).
///
/// ```
/// use portcullis::observe::{DecisionRecord, DecisionSink, SinkError};
///
/// struct Stdout; // a database or a message broker, say
///
/// impl DecisionSink for Stdout {
///     async fn record(&self, record: DecisionRecord) -> Result<(), SinkError> {
///         println!("{}", serde_json::to_string(&record)?);
///         Ok(())
///     }
/// }
/// ```
pub trait DecisionSink: Send + Sync + 'static {
    /// Writes one record. The next one comes when this has ended, so a timeout belongs in here.
    /// [`flush_decision_records`](crate::ResourceServer::flush_decision_records) does not: it would wait
    /// for itself.
    ///
    /// # Errors
    ///
    /// Whatever kept it from writing. The record is lost, and counted in
    /// [`DecisionQueueStatus::failed`]: repeat in here what should be repeated.
    fn record(&self, record: DecisionRecord) -> impl Future<Output = Result<(), SinkError>> + Send;
}

/// A [`DecisionSink`] whose type is erased.
pub(crate) trait DynDecisionSink: Send + Sync {
    fn write(
        &self,
        record: DecisionRecord,
    ) -> Pin<Box<dyn Future<Output = Result<(), SinkError>> + Send + '_>>;
}

impl<S: DecisionSink> DynDecisionSink for S {
    fn write(
        &self,
        record: DecisionRecord,
    ) -> Pin<Box<dyn Future<Output = Result<(), SinkError>> + Send + '_>> {
        Box::pin(self.record(record))
    }
}

enum Message {
    Record(Box<DecisionRecord>),
    /// Everything before it was written.
    Flush(oneshot::Sender<()>),
}

/// A place for one record.
pub(crate) struct QueuePlace(OwnedPermit<Message>);

/// The queue of a server.
pub(crate) struct DecisionQueue {
    sender: Sender<Message>,
    /// Until the task begins.
    task: Mutex<Option<SinkTask>>,
    has_begun: AtomicBool,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    written: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

struct SinkTask {
    receiver: Receiver<Message>,
    sink: Arc<dyn DynDecisionSink>,
    counts: Arc<Counts>,
    clock: Arc<dyn Clock>,
    failures_log: LogRateLimit,
}

impl DecisionQueue {
    pub(crate) fn new(
        sink: Arc<dyn DynDecisionSink>,
        capacity: usize,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(capacity);
        let counts: Arc<Counts> = Arc::default();
        let task = SinkTask {
            receiver,
            sink,
            counts: Arc::clone(&counts),
            clock: Arc::clone(clock),
            failures_log: LogRateLimit::default(),
        };
        Self {
            sender,
            task: Mutex::new(Some(task)),
            has_begun: AtomicBool::new(false),
            counts,
        }
    }

    /// A place for a record; `None` where the queue is full, or its task has ended.
    pub(crate) fn reserve(&self) -> Option<QueuePlace> {
        let sender = self.sender.clone();
        sender.try_reserve_owned().ok().map(QueuePlace)
    }

    /// Adds a record, in the place that it has. `is_known`: it is about a caller with a good token.
    pub(crate) fn push(&self, record: DecisionRecord, place: Option<QueuePlace>, is_known: bool) {
        let message = Message::Record(Box::new(record));
        let is_sent = match place {
            Some(QueuePlace(permit)) => {
                permit.send(message);
                true
            }
            None if is_known || self.is_half_free() => self.sender.try_send(message).is_ok(),
            None => false,
        };
        if is_sent {
            self.begin();
        } else {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn is_half_free(&self) -> bool {
        self.sender.capacity() > self.sender.max_capacity() / 2
    }

    /// Starts the task, once there is a runtime.
    fn begin(&self) {
        if self.has_begun.load(Ordering::Relaxed) {
            return;
        }
        let Ok(runtime) = current_runtime() else {
            return;
        };
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task.take() {
            runtime.spawn(boxed_task(task.run()));
        }
        self.has_begun.store(true, Ordering::Relaxed);
    }

    /// Waits until everything in the queue was written.
    pub(crate) async fn flush(&self) {
        self.begin();
        let (done, is_done) = oneshot::channel();
        if self.sender.send(Message::Flush(done)).await.is_ok() {
            // An error says that the task has ended, and so there is nothing to wait for.
            let _ = is_done.await;
        }
    }

    pub(crate) fn status(&self) -> DecisionQueueStatus {
        let capacity = self.sender.max_capacity();
        DecisionQueueStatus {
            queued: capacity - self.sender.capacity(),
            capacity,
            written: self.counts.written.load(Ordering::Relaxed),
            failed: self.counts.failed.load(Ordering::Relaxed),
            dropped: self.counts.dropped.load(Ordering::Relaxed),
        }
    }
}

impl SinkTask {
    async fn run(mut self) {
        while let Some(message) = self.receiver.recv().await {
            match message {
                Message::Record(record) => self.write(*record).await,
                Message::Flush(done) => drop(done.send(())),
            }
        }
    }

    async fn write(&self, record: DecisionRecord) {
        let outcome = match catch_panic(|| self.sink.write(record)) {
            Some(writing) => catch_panic_of(writing).await,
            None => None,
        };
        let error = match &outcome {
            Some(Ok(())) => {
                self.counts.written.fetch_add(1, Ordering::Relaxed);
                return;
            }
            Some(Err(error)) => catch_panic(|| error.to_string()),
            None => None,
        };
        self.counts.failed.fetch_add(1, Ordering::Relaxed);
        if logging::is_enabled() && self.failures_log.try_acquire(self.clock.monotonic()) {
            let error = error.as_deref().unwrap_or("it panicked");
            logging::emit(Event::DecisionSinkFailed {
                error: &excerpt(error, MAX_ERROR_CHARS),
            });
        }
    }
}

/// The status of the queue of decision records, at the time of the call; counters since the server was
/// built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecisionQueueStatus {
    queued: usize,
    capacity: usize,
    written: u64,
    failed: u64,
    dropped: u64,
}

impl DecisionQueueStatus {
    /// Records that wait for the sink, and places that admitted requests have reserved.
    #[must_use]
    pub const fn queued(&self) -> usize {
        self.queued
    }

    /// Records for which the queue has places; see
    /// [`queue_capacity`](crate::observe::DecisionRecords::queue_capacity).
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Records that the sink has written.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// Records that are lost since the sink returned an error or panicked.
    #[must_use]
    pub const fn failed(&self) -> u64 {
        self.failed
    }

    /// Records that are lost since the queue was full, or half full of strangers' requests, or its task
    /// had ended with its runtime.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl fmt::Debug for QueuePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QueuePlace(..)")
    }
}
