//! The task that fetches an issuer's status lists.
//!
//! 1. It runs from the first token that names a list, and ends with the last handle of the lists or when
//!    they are no longer configured, its fetches included.
//! 2. It fetches a bounded number of lists at the same time.
//! 3. When its runtime is shut down, waiting requests are released, and another task may be started.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::runtime::clock::{Clock, Now};
use crate::runtime::status_list::lists::{ListSource, StatusLists};
use crate::runtime::status_list::slot::ListSlot;
use crate::runtime::util::current_runtime::{NoRuntime, boxed_task, current_runtime};
use crate::runtime::util::select::{Either, race};

/// How many lists are fetched at the same time.
const MOST_FETCHES: usize = 8;

/// Spawns the task on the current runtime, unless it runs already.
pub(super) fn start(lists: &Arc<StatusLists>) -> Result<(), NoRuntime> {
    let runtime = current_runtime()?;
    if lists.begin() {
        let task = RefreshTask {
            lists: Arc::downgrade(lists),
            source: Arc::clone(&lists.source),
            clock: Arc::clone(&lists.clock),
            requested: Arc::clone(&lists.requested),
            gone: lists.retired.subscribe(),
        };
        runtime.spawn(boxed_task(task.run()));
    }
    Ok(())
}

struct RefreshTask {
    lists: Weak<StatusLists>,
    source: Arc<ListSource>,
    clock: Arc<dyn Clock>,
    requested: Arc<Notify>,
    gone: watch::Receiver<bool>,
}

impl RefreshTask {
    async fn run(mut self) {
        let mut fetches = JoinSet::new();
        while let Some(lists) = self.lists.upgrade() {
            let now = Now::of(&*self.clock);
            let room = MOST_FETCHES.saturating_sub(fetches.len());
            let (due, wake) = lists.start_due(now.monotonic, room);
            drop(lists);
            for (slot, fetch) in due {
                fetches.spawn(run_fetch(
                    self.lists.clone(),
                    Arc::clone(&self.source),
                    slot,
                    fetch,
                    now,
                ));
            }
            if self.wait(wake, &mut fetches).await.is_none() {
                return;
            }
        }
    }

    /// Waits until something is due, requested or has ended. `None` when the last handle is gone.
    async fn wait(&mut self, wake: Option<Duration>, fetches: &mut JoinSet<()>) -> Option<()> {
        let due = async {
            match wake {
                Some(at) => self.clock.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let ended = async {
            if fetches.join_next().await.is_none() {
                std::future::pending::<()>().await;
            }
        };
        let work = race(race(due, self.requested.notified()), ended);
        match race(work, gone(&mut self.gone)).await {
            Either::First(_) => Some(()),
            Either::Second(()) => None,
        }
    }
}

impl Drop for RefreshTask {
    /// Also where the runtime is shut down.
    fn drop(&mut self) {
        if let Some(lists) = self.lists.upgrade() {
            lists.task_ended();
        }
    }
}

/// Ends a fetch that was cut off.
struct FetchGuard {
    slot: Arc<ListSlot>,
    fetch: u64,
}

impl Drop for FetchGuard {
    fn drop(&mut self) {
        self.slot.end(self.fetch);
    }
}

async fn run_fetch(
    lists: Weak<StatusLists>,
    source: Arc<ListSource>,
    slot: Arc<ListSlot>,
    fetch: u64,
    started: Now,
) {
    let guard = FetchGuard { slot, fetch };
    let outcome = source.fetch(&guard.slot.uri).await;
    if let Some(lists) = lists.upgrade() {
        lists.end_fetch(&guard.slot, fetch, started, outcome);
    }
}

/// Ends when the last handle, and with it the sender, is gone, or the lists are no longer configured.
async fn gone(retired: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone.
    let _ = retired.wait_for(|retired| *retired).await;
}
