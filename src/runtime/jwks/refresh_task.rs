//! The task that keeps an issuer's keys fresh.
//!
//! 1. It fetches when a refresh is due or a request needs one, one fetch after the other.
//! 2. It holds no handle of the keys: it ends with the last handle, or when the keys are no longer
//!    configured, a running fetch included.
//! 3. Where no keys are loaded and a fetch fails, or takes three seconds, the stored copy is read. A set
//!    that was fetched always replaces it.
//! 4. When its runtime is shut down, waiting requests are released, and another task may be started.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::runtime::clock::{Clock, Now};
use crate::runtime::discovery::metadata::Discovered;
use crate::runtime::jwks::fetch_key_set::{KeySetSource, KnownKeySet};
use crate::runtime::jwks::key_store::{Progress, RemoteKeys};
use crate::runtime::jwks::stored_copy::StoredCopy;
use crate::runtime::util::current_runtime::{NoRuntime, boxed_task, current_runtime};
use crate::runtime::util::select::{Either, race};

/// Spawns the task on the current runtime, unless it runs already.
pub(crate) fn start(keys: &Arc<RemoteKeys>) -> Result<(), NoRuntime> {
    let runtime = current_runtime()?;
    if keys.begin() {
        let task = RefreshTask {
            keys: Arc::downgrade(keys),
            source: Arc::clone(&keys.source),
            clock: Arc::clone(&keys.clock),
            requested: Arc::clone(&keys.requested),
            gone: keys.progress.subscribe(),
            discovered: None,
        };
        runtime.spawn(boxed_task(task.run()));
    }
    Ok(())
}

struct RefreshTask {
    keys: Weak<RemoteKeys>,
    source: Arc<KeySetSource>,
    clock: Arc<dyn Clock>,
    requested: Arc<Notify>,
    gone: watch::Receiver<Progress>,
    discovered: Option<Discovered>,
}

impl RefreshTask {
    async fn run(mut self) {
        while let Some(keys) = self.keys.upgrade() {
            let now = Now::of(&*self.clock);
            let step = keys.start_attempt(now.monotonic);
            drop(keys);
            let stay = match step {
                // Boxed: a task that waits, as it mostly does, has no room for an attempt.
                Ok((fetch, known)) => Box::pin(self.run_attempt(fetch, known, now)).await,
                Err(at) => self.sleep(at).await,
            };
            if stay.is_none() {
                return;
            }
        }
    }

    /// `None` when the last handle is gone.
    async fn run_attempt(
        &mut self,
        fetch: u64,
        known: Option<KnownKeySet>,
        now: Now,
    ) -> Option<()> {
        let needs_copy = known.is_none() && self.source.config.copy.is_some();
        let loading = self.source.load(known, &mut self.discovered, now);
        let copies = StoredCopy {
            keys: &self.keys,
            source: &self.source,
            clock: &*self.clock,
        };
        let loading = async {
            if needs_copy {
                copies.bridge(loading, now).await
            } else {
                loading.await
            }
        };
        let outcome = match race(loading, gone(&mut self.gone)).await {
            Either::First(outcome) => outcome,
            Either::Second(()) => return None,
        };
        if outcome.is_err() {
            // The address may have moved.
            self.discovered = None;
        }
        let fetched = outcome.as_ref().ok().map(|fetched| &fetched.known.metadata);
        let fetched = fetched.map(Arc::clone);
        self.keys.upgrade()?.end_attempt(fetch, now, outcome);
        if let Some(metadata) = fetched {
            copies.write(fetch, now, &metadata).await;
        }
        Some(())
    }

    async fn sleep(&mut self, at: Option<Duration>) -> Option<()> {
        let due = async {
            match at {
                Some(at) => self.clock.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        match race(race(due, self.requested.notified()), gone(&mut self.gone)).await {
            Either::First(_) => Some(()),
            Either::Second(()) => None,
        }
    }
}

impl Drop for RefreshTask {
    /// Also where the runtime is shut down.
    fn drop(&mut self) {
        if let Some(keys) = self.keys.upgrade() {
            keys.task_ended();
        }
    }
}

/// Ends when the last handle, and with it the sender, is gone, or the keys are no longer configured.
async fn gone(progress: &mut watch::Receiver<Progress>) {
    // An error means that the sender is gone.
    let _ = progress.wait_for(|progress| progress.retired).await;
}
