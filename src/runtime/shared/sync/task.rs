//! The task that synchronizes the list with the store.
//!
//! 1. A round compares the stream, reads its new entries, appends the pending messages, and repeats until
//!    neither is left. After connecting, the mode and the eviction policy of the store are checked. With
//!    a previous cluster key there are two streams, and a round does so for both: the list is complete when
//!    both were read to their ends.
//! 2. Between rounds it waits for the next entry of a stream, by a blocking read on a second
//!    connection; for a change of the list; or for a request to synchronize.
//! 3. A store that refuses writes, and a full list, are failures that the status shows; the task goes
//!    on reading. Any other failure closes both connections; the next attempt follows after a
//!    backoff on the server's clock, or at once on a request.

mod apply;
mod read;
mod write;

use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::runtime::revocation::timed_entry::{ClockReading, RETENTION_AFTER_END};
use crate::runtime::shared::replica::replicated_set::Replica;
use crate::runtime::shared::store::redis::{Connection, StoreError};
use crate::runtime::shared::store::stream::StreamId;
use crate::runtime::shared::sync::failure::{SyncFailure, check_eviction, check_mode};
use crate::runtime::shared::sync::state::{RevocationSync, SyncState, TokenLifetimes};
use crate::runtime::shared::sync::sync_stream::SyncStream;
use crate::runtime::util::current_runtime::{NoRuntime, current_runtime};
use crate::runtime::util::select::{Either, race};

/// How long a blocking read waits; real time.
const LISTEN_TIME: Duration = Duration::from_secs(5);

/// After so many changes the task yields.
const CHANGES_BETWEEN_YIELDS: usize = 256;

/// After `MOST_PASSES` passes a round stops: every pass has read the stream to its end.
const MOST_PASSES: usize = 32;

impl RevocationSync {
    /// Spawns the task on the current runtime, unless it runs already.
    pub(crate) fn start(&self) -> Result<(), NoRuntime> {
        let runtime = current_runtime()?;
        if !self.shared.begin() {
            return Ok(());
        }
        let task = SyncTask {
            longest_life: longest(&self.shared.token_lifetimes()),
            replica: Replica::new(self.shared.roles()),
            attempt: 0,
            has_read: false,
            last_reading: None,
            may_delete: true,
            trimmed_at: self.shared.clock.monotonic(),
            swept_at: self.shared.clock.monotonic(),
            shared: Arc::clone(&self.shared),
        };
        let streams = SyncStream::of(&self.shared);
        runtime.spawn(task.run(streams, self.shutdown.subscribe()));
        if self.shared.can_time_out() {
            let shared = Arc::clone(&self.shared);
            runtime.spawn(watch_timeout(shared, self.shutdown.subscribe()));
        }
        Ok(())
    }
}

fn longest(lifetimes: &TokenLifetimes) -> Duration {
    lifetimes.values().max().copied().unwrap_or_default()
}

/// Marks the list incomplete when the stream was not read to its end for too long.
async fn watch_timeout(shared: Arc<SyncState>, mut shutdown: watch::Receiver<()>) {
    let mut progress = shared.progress.subscribe();
    let watching = async {
        loop {
            let end = shared.times_out_at();
            let due = async {
                match end {
                    Some(at) => shared.clock.sleep_until(at).await,
                    None => pending().await,
                }
            };
            race(due, progress.changed()).await;
            shared.check_timeout();
        }
    };
    let _: Either<Infallible, ()> = race(watching, closed(&mut shutdown)).await;
}

/// Ends when the handle is gone.
async fn closed(shutdown: &mut watch::Receiver<()>) {
    while shutdown.changed().await.is_ok() {}
}

struct SyncTask {
    shared: Arc<SyncState>,
    replica: Replica,
    /// The longest life of any revocation.
    longest_life: Duration,
    /// The requests that this attempt answers.
    attempt: u64,
    /// Whether all streams were read to their ends once.
    has_read: bool,
    last_reading: Option<ClockReading>,
    may_delete: bool,
    trimmed_at: Duration,
    swept_at: Duration,
}

/// The blocking read.
type Listening = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

impl SyncTask {
    async fn run(mut self, mut streams: Vec<SyncStream>, mut shutdown: watch::Receiver<()>) {
        // Entries that the list holds already count as revoked here; pending changes are newer.
        for (number, entry) in self.shared.list.live().into_iter().enumerate() {
            self.shared.pending.push_present(entry);
            yield_now_and_then(number).await;
        }
        let _: Either<Infallible, ()> =
            race(self.attempts(&mut streams), closed(&mut shutdown)).await;
    }

    async fn attempts(&mut self, streams: &mut [SyncStream]) -> Infallible {
        loop {
            self.attempt = self.shared.requested_attempts();
            self.apply_added(streams);
            let failure = match self.serve(streams).await {
                Err(failure) => failure,
                Ok(never) => return never,
            };
            // However long the store is away, the pending changes are no more than the list.
            let drained = if self.has_read {
                self.drain_pending().await
            } else {
                Ok(())
            };
            let failure = drained.err().unwrap_or(failure);
            let pause = self
                .shared
                .fail(self.attempt, &failure, self.replica.backlog());
            let until = self.shared.clock.monotonic().saturating_add(pause);
            let requested = self.shared.requested.notified();
            race(self.shared.clock.sleep_until(until), requested).await;
        }
    }

    async fn serve(&mut self, streams: &mut [SyncStream]) -> Result<Infallible, SyncFailure> {
        let shared = Arc::clone(&self.shared);
        let mut store = Connection::open(&shared.address).await?;
        check_mode(store.mode().await?.as_deref())?;
        check_eviction(store.eviction_policy().await?)?;
        let listener = Connection::open(&shared.address).await?;
        let mut unread: Option<Listening> = None;
        loop {
            self.attempt = shared.requested_attempts();
            let refused = self.round(&mut store, streams).await?;
            let full = || shared.list.is_overfull().then_some(SyncFailure::Full);
            match refused.or_else(full) {
                None => shared.confirm(self.attempt),
                Some(failure) => {
                    shared.fail(self.attempt, &failure, self.replica.backlog());
                }
            }
            let mut listening = unread
                .take()
                .unwrap_or_else(|| self.listen(&listener, streams));
            let here = race(
                shared.pending.changed.notified(),
                shared.requested.notified(),
            );
            match race(&mut listening, here).await {
                // A stream that is deleted is an error too; the next round finds out.
                Either::First(Err(error)) if !error.is_refusal() => return Err(error.into()),
                Either::First(_) => {}
                Either::Second(_) => unread = Some(listening),
            }
        }
    }

    /// Waits for the next entry of a stream, which the next round reads.
    fn listen(&self, listener: &Connection, streams: &[SyncStream]) -> Listening {
        let mut listener = listener.clone();
        let cursor = |stream: &SyncStream| {
            let after = self.replica.cursor(stream.role);
            (stream.epoch.key().to_owned(), after)
        };
        let cursors: Vec<(String, StreamId)> = streams.iter().map(cursor).collect();
        Box::pin(async move { listener.wait_for_entry(&cursors, LISTEN_TIME).await })
    }

    /// One round. The write that the store refused, if any; the streams were read all the same.
    async fn round(
        &mut self,
        store: &mut Connection,
        streams: &mut [SyncStream],
    ) -> Result<Option<SyncFailure>, SyncFailure> {
        let mut refused = None;
        for _ in 0..MOST_PASSES {
            let since = self.shared.clock.monotonic();
            self.apply_added(streams);
            self.compare(store, streams).await?;
            for stream in &mut *streams {
                self.read(store, stream).await?;
            }
            self.has_read = true;
            self.apply_added(streams);
            let now = self.now();
            for stream in &*streams {
                self.replica.reached_end(stream.role, now);
            }
            // INVARIANT: before the list counts as complete. What is to be copied to another stream shows in
            // the status from then on.
            self.shared.set_backlog(self.replica.backlog());
            self.shared.read_to_end(since);
            self.drain_pending().await?;
            let mut wrote = false;
            for stream in &*streams {
                match self.write(store, stream).await {
                    Ok(wrote_here) => wrote |= wrote_here,
                    Err(failure) if failure.is_refusal() => {
                        // The stream may have given out its largest id meanwhile; then the next pass
                        // writes to another one.
                        if store.last_id(stream.epoch.key()).await?.is_last() {
                            wrote = true;
                        } else {
                            refused = Some(failure);
                        }
                    }
                    Err(failure) => return Err(failure),
                }
            }
            if !wrote || refused.is_some() {
                break;
            }
        }
        // Also where no write is possible: trimming frees memory.
        match self.trim(store, streams).await {
            Err(failure) if failure.is_refusal() => refused = refused.or(Some(failure)),
            outcome => outcome?,
        }
        Ok(refused)
    }

    /// When a message may be dropped, from the lifetime of its tokens.
    fn needed_until(&self, left: Duration) -> Duration {
        let now = self.shared.clock.monotonic();
        now.saturating_add(left).saturating_add(RETENTION_AFTER_END)
    }

    fn now(&self) -> ClockReading {
        ClockReading {
            wall: self.shared.clock.now(),
            monotonic: self.shared.clock.monotonic(),
        }
    }
}

impl Drop for SyncTask {
    /// Also where the runtime is shut down.
    fn drop(&mut self) {
        self.shared.end();
    }
}

/// Yields to other tasks, every `CHANGES_BETWEEN_YIELDS` changes.
async fn yield_now_and_then(number: usize) {
    if number % CHANGES_BETWEEN_YIELDS == CHANGES_BETWEEN_YIELDS - 1 {
        tokio::task::yield_now().await;
    }
}
