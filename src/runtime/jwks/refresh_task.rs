//! The task that keeps an issuer's keys fresh.
//!
//! 1. It flies when the schedule or somebody asks, one flight after the other.
//! 2. It holds no handle of the keys: with the last handle it ends, a flight under way included.
//! 3. When its runtime is shut down nobody waits for it any longer, and another may be started.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::runtime::clock::{Clock, Now};
use crate::runtime::discovery::metadata::Discovered;
use crate::runtime::jwks::fetch_key_set::{KeySetSource, KnownKeySet};
use crate::runtime::jwks::key_store::{NoRuntime, Progress, RemoteKeys};
use crate::runtime::util::select::{Either, race};

impl RemoteKeys {
    /// Spawns the refresh task on the current runtime, unless it runs already.
    pub(crate) fn start(self: &Arc<Self>) -> Result<(), NoRuntime> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| NoRuntime)?;
        {
            let mut state = self.state();
            if state.running {
                return Ok(());
            }
            state.running = true;
            state.schedule.queue_first();
        }
        self.progress
            .send_modify(|progress| progress.running = true);
        let task = RefreshTask {
            keys: Arc::downgrade(self),
            source: Arc::clone(&self.source),
            clock: Arc::clone(&self.clock),
            asked: Arc::clone(&self.asked),
            gone: self.progress.subscribe(),
            discovered: None,
        };
        runtime.spawn(task.run());
        Ok(())
    }
}

/// The refresh task. It holds no handle, so that the last handle's end is its own.
struct RefreshTask {
    keys: Weak<RemoteKeys>,
    source: Arc<KeySetSource>,
    clock: Arc<dyn Clock>,
    asked: Arc<Notify>,
    gone: watch::Receiver<Progress>,
    discovered: Option<Discovered>,
}

impl RefreshTask {
    async fn run(mut self) {
        while let Some(keys) = self.keys.upgrade() {
            let now = Now::of(&*self.clock);
            let step = keys.depart(now.monotonic);
            drop(keys);
            let stay = match step {
                Ok((flight, known)) => self.fly(flight, known, now).await,
                Err(at) => self.sleep(at).await,
            };
            if stay.is_none() {
                return;
            }
        }
    }

    /// `None` when the last handle is gone.
    async fn fly(&mut self, flight: u64, known: Option<KnownKeySet>, now: Now) -> Option<()> {
        let fetch = self.source.load(known, &mut self.discovered, now);
        let outcome = match race(fetch, gone(&mut self.gone)).await {
            Either::First(outcome) => outcome,
            Either::Second(()) => return None,
        };
        if outcome.is_err() {
            // The address may have moved.
            self.discovered = None;
        }
        self.keys.upgrade()?.land(flight, now, outcome);
        Some(())
    }

    async fn sleep(&mut self, at: Option<Duration>) -> Option<()> {
        let due = async {
            match at {
                Some(at) => self.clock.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        match race(race(due, self.asked.notified()), gone(&mut self.gone)).await {
            Either::First(_) => Some(()),
            Either::Second(()) => None,
        }
    }
}

impl Drop for RefreshTask {
    /// The runtime was shut down under us: nobody must wait for a flight that never lands, and
    /// another runtime may start a new task.
    fn drop(&mut self) {
        let Some(keys) = self.keys.upgrade() else {
            return;
        };
        let finished = {
            let mut state = keys.state();
            state.running = false;
            state.schedule.abandon();
            state.schedule.finished()
        };
        keys.progress.send_modify(|progress| {
            *progress = Progress {
                finished,
                running: false,
            };
        });
    }
}

/// Ends when the last handle, and with it the sender, is gone.
async fn gone(progress: &mut watch::Receiver<Progress>) {
    while progress.changed().await.is_ok() {}
}
