//! The key set of one issuer: what requests read, what a missing key causes, and waiting for it.
//!
//! 1. Requests read the current set without a lock; only a miss takes one, and never across an await.
//! 2. One task makes one fetch after the other. All waiting requests share them, and a client that
//!    disconnects cancels nothing. The task holds no handle and ends with the last one.
//! 3. A set replaces the one before as a whole: a key that the issuer removed is gone. An empty or
//!    broken set, or a failed fetch, replaces nothing.
//! 4. Age is judged on each request, by both readings of the clock; keys beyond the maximum staleness
//!    are not used.
//!
//! [`miss`] is a key that is not there; [`schedule`](super::schedule) decides when a fetch is due and what
//! a miss means;
//! [`fetch_key_set`](super::fetch_key_set) makes one; [`refresh_task`](super::refresh_task) is the task.

mod miss;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, watch};

pub(crate) use self::miss::{ForeseenMiss, Miss, WaitTicket};
use crate::model::error::rejection::Outage;
use crate::runtime::clock::{Clock, Now};
pub(crate) use crate::runtime::discovery::metadata::RefreshError;
use crate::runtime::http::client::Fetcher;
use crate::runtime::jwks::fetch_key_set::{FetchedKeySet, KnownKeySet};
pub(crate) use crate::runtime::jwks::fetch_key_set::{KeySetSource, Location, RemoteConfig};
use crate::runtime::jwks::key_set_liveness::KeySetLiveness;
use crate::runtime::jwks::refresh_event::RefreshEvent;
pub(crate) use crate::runtime::jwks::schedule::RefreshLimits;
use crate::runtime::jwks::schedule::Schedule;
use crate::runtime::jwks::snapshot::{CurrentSet, Snapshot};
pub(crate) use crate::runtime::jwks::snapshot::{KeySetGuard, NO_KEYS};
pub use crate::runtime::jwks::status::{KeySetState, KeySetStatus};
use crate::runtime::observation::ObserverCell;

/// The keys of one issuer.
pub(crate) struct RemoteKeys {
    pub(super) source: Arc<KeySetSource>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) current_set: CurrentSet,
    // INVARIANT: `current_set` is stored only under this lock, so that under it the two agree.
    state: Mutex<KeySetRecord>,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) requested: Arc<Notify>,
    slots: Arc<Semaphore>,
    on_removed: OnceLock<RemovalHook>,
    /// Stored copies that were not read, written or removed.
    pub(super) copy_failures: AtomicU64,
    pub(crate) observer: ObserverCell,
}

/// Is called after keys may have been removed, without a lock.
pub(crate) type RemovalHook = Box<dyn Fn() + Send + Sync>;

#[derive(Debug)]
pub(super) struct KeySetRecord {
    pub(super) schedule: Schedule,
    last_error: Option<RefreshError>,
    dropped: bool,
    running: bool,
    /// Whether they are no longer configured.
    retired: bool,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    finished: u64,
    running: bool,
    pub(super) retired: bool,
}

/// Why a first attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FirstAttemptError {
    /// A mistake in the configuration: this never becomes right by itself.
    #[error("the discovery document of issuer `{configured}` names another issuer: `{found}`")]
    IssuerMismatch { configured: String, found: String },
    /// Anything else; the schedule tries again.
    #[error(transparent)]
    Failed(RefreshError),
}

impl FirstAttemptError {
    pub(crate) fn of(error: RefreshError, configured: String) -> Self {
        match error {
            RefreshError::IssuerMismatch { found } => Self::IssuerMismatch { configured, found },
            other => Self::Failed(other),
        }
    }
}

impl RemoteKeys {
    /// The keys of an issuer. Nothing is fetched yet.
    pub(crate) fn new(config: RemoteConfig, clock: Arc<dyn Clock>) -> Result<Arc<Self>, String> {
        let fetcher = Fetcher::new(&config.http_options)?
            .with_limit(config.most_bytes)
            .with_bearer(config.bearer.clone());
        let limits = config.limits;
        let slots = limits.max_waiters.min(Semaphore::MAX_PERMITS);
        Ok(Arc::new(Self {
            clock,
            current_set: CurrentSet::none(),
            state: Mutex::new(KeySetRecord {
                schedule: Schedule::new(limits, config.lazy),
                last_error: None,
                dropped: false,
                running: false,
                retired: false,
            }),
            progress: watch::Sender::new(Progress::default()),
            requested: Arc::new(Notify::new()),
            slots: Arc::new(Semaphore::new(slots)),
            source: Arc::new(KeySetSource { config, fetcher }),
            on_removed: OnceLock::new(),
            copy_failures: AtomicU64::new(0),
            observer: ObserverCell::default(),
        }))
    }

    /// The current keys, if they may be used.
    pub(crate) fn current(&self) -> Result<KeySetGuard, Outage> {
        self.current_at(|| Now::of(&*self.clock))
    }

    fn current_at(&self, now: impl FnOnce() -> Now) -> Result<KeySetGuard, Outage> {
        let held = self.current_set.load();
        let Some(snapshot) = held.as_ref() else {
            return Err(Outage::KeysNotLoaded);
        };
        let end = snapshot.end();
        if end.has_passed(now()) {
            return Err(Outage::KeysTooStale);
        }
        Ok(KeySetGuard { held, end })
    }

    /// Whether a token that names this id may find a key in the newest set, however old that is. It may
    /// where no set is loaded.
    pub(crate) fn may_have(&self, id: &str) -> bool {
        let held = self.current_set.load();
        held.as_ref()
            .is_none_or(|snapshot| snapshot.keys.may_have(id))
    }

    /// Whether the current keys have one with this id.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.current().is_ok_and(|loaded| loaded.knows(id))
    }

    /// A refresh that starts after the call; calls share one that has not started yet.
    pub(crate) async fn refresh_now(&self) -> Result<(), RefreshError> {
        let fetch = self.state().schedule.queue();
        self.requested.notify_one();
        self.outcome(fetch).await
    }

    /// Ends with the first attempt; at once where the keys are fetched on demand.
    pub(crate) async fn first_attempt(&self) -> Result<(), FirstAttemptError> {
        if !self.counts() {
            return Ok(());
        }
        let configured = || self.source.config.issuer.as_ref().to_owned();
        let outcome = self.outcome(1).await;
        outcome.map_err(|error| FirstAttemptError::of(error, configured()))
    }

    /// Where the keys come from.
    pub(crate) fn source(&self) -> &Arc<KeySetSource> {
        &self.source
    }

    /// Whether the keys are fetched on demand, by their first token.
    pub(crate) fn is_lazy(&self) -> bool {
        self.source.config.lazy
    }

    /// Whether the keys count in readiness and health: all except keys that are fetched on demand and
    /// were not needed yet.
    pub(crate) fn counts(&self) -> bool {
        !self.state().schedule.is_on_demand()
    }

    /// Whether tokens can be verified, as far as these keys count.
    pub(crate) fn ready(&self) -> bool {
        self.current().is_ok() || !self.counts()
    }

    /// Sets what is called after keys may have been removed; the first call counts.
    pub(crate) fn on_removed(&self, hook: RemovalHook) {
        let _ = self.on_removed.set(hook);
    }

    /// Whether something hears of removed keys.
    pub(crate) fn is_watched(&self) -> bool {
        self.on_removed.get().is_some()
    }

    fn report_removed(&self) {
        if let Some(hook) = self.on_removed.get() {
            hook();
        }
    }

    /// Drops the keys: from now on no token of this issuer verifies, until a fetch that starts after
    /// this call brings keys. It is requested at once.
    pub(crate) fn drop_keys(&self) {
        let void = {
            let mut state = self.state();
            state.dropped |= self.current_set.load().is_some();
            self.current_set.replace(None);
            state.schedule.drop_keys()
        };
        self.report_removed();
        self.requested.notify_one();
        self.remove_copy(void);
    }

    /// The keys are no longer configured: their task ends, a running fetch included, and no request waits
    /// for them any longer.
    pub(crate) fn retire(&self) {
        {
            let mut state = self.state();
            state.retired = true;
            state.running = false;
        }
        self.progress.send_modify(|progress| {
            progress.running = false;
            progress.retired = true;
        });
    }

    /// What is fetched, and how.
    pub(crate) fn config(&self) -> &RemoteConfig {
        &self.source.config
    }

    /// The status of the keys.
    pub(crate) fn status(&self) -> KeySetStatus {
        let state = self.state();
        let reading = Now::of(&*self.clock);
        let now = reading.monotonic;
        let held = self.current_set.load();
        let snapshot = held.as_deref();
        let schedule = &state.schedule;
        let age = snapshot.map(|snapshot| snapshot.age(reading));
        let stale_since = snapshot.zip(age).and_then(|(snapshot, age)| {
            // The jitter is part of the schedule; a refresh is late only after it. A copy is stale from
            // the moment at which it is read.
            let age = age.saturating_sub(snapshot.earlier);
            let late = age.checked_sub(snapshot.refresh + snapshot.refresh / 10);
            let failing = schedule
                .failing_since()
                .map(|since| now.saturating_sub(since));
            late.filter(|late| !late.is_zero()).max(failing)
        });
        KeySetStatus {
            issuer: Arc::clone(&self.source.config.issuer),
            address: self.source.config.address(),
            state: match age {
                None if state.dropped => KeySetState::Dropped,
                None => KeySetState::NeverLoaded,
                Some(age) if snapshot.is_some_and(|set| age > set.max_age) => KeySetState::TooStale,
                Some(_) if snapshot.is_some_and(Snapshot::is_copy) => KeySetState::FromCopy,
                Some(_) if stale_since.is_some() => KeySetState::Stale,
                Some(_) => KeySetState::Fresh,
            },
            on_demand: schedule.is_on_demand(),
            keys: snapshot.map_or(0, |snapshot| snapshot.keys.len()),
            skipped: snapshot.map_or_else(Vec::new, |snapshot| snapshot.keys.skipped().to_vec()),
            age,
            stale_since,
            failures: schedule.failures(),
            copy_failures: self.copy_failures.load(Ordering::Relaxed),
            last_error: if state.running {
                state.last_error.as_ref().map(ToString::to_string)
            } else {
                Some(RefreshError::NotRunning.to_string())
            },
            next_attempt: schedule.next_attempt(now).filter(|_| state.running),
        }
    }

    /// Whether the refresh task is to be spawned; marks it as running.
    pub(super) fn begin(&self) -> bool {
        {
            let mut state = self.state();
            if state.running || state.retired {
                return false;
            }
            state.running = true;
            state.schedule.queue_first();
        }
        self.progress
            .send_modify(|progress| progress.running = true);
        true
    }

    /// The refresh task has ended, perhaps in the middle of a fetch: no request waits for that one
    /// any longer, and another task may be started.
    pub(super) fn task_ended(&self) {
        let finished = {
            let mut state = self.state();
            state.running = false;
            state.schedule.abandon();
            state.schedule.finished()
        };
        self.progress.send_modify(|progress| {
            progress.finished = finished;
            progress.running = false;
        });
    }

    pub(super) fn state(&self) -> MutexGuard<'_, KeySetRecord> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the fetch has ended, or no task runs.
    async fn ended(&self, fetch: u64) {
        let mut progress = self.progress.subscribe();
        let _ = progress
            .wait_for(|progress| progress.finished >= fetch || !progress.running)
            .await;
    }

    async fn outcome(&self, fetch: u64) -> Result<(), RefreshError> {
        self.ended(fetch).await;
        let state = self.state();
        if state.schedule.last_success() >= fetch {
            return Ok(());
        }
        if state.schedule.finished() < fetch || !state.running {
            return Err(RefreshError::NotRunning);
        }
        let overtaken = || RefreshError::Failed("the keys were dropped meanwhile".to_owned());
        Err(state.last_error.clone().unwrap_or_else(overtaken))
    }

    /// Starts a fetch, if one is due; otherwise the time at which to look again.
    pub(super) fn start_attempt(
        &self,
        now: Duration,
    ) -> Result<(u64, Option<KnownKeySet>), Option<Duration>> {
        let mut state = self.state();
        let Some(fetch) = state.schedule.begin(now) else {
            return Err(state.schedule.wake_at());
        };
        let held = self.current_set.load();
        let known = held.as_ref().map(|snapshot| KnownKeySet {
            keys: Arc::clone(&snapshot.keys),
            metadata: Arc::clone(&snapshot.metadata),
        });
        Ok((fetch, known))
    }

    /// Ends a fetch.
    pub(super) fn end_attempt(
        &self,
        fetch: u64,
        started: Now,
        outcome: Result<FetchedKeySet, RefreshError>,
    ) {
        let event = match outcome {
            Ok(fetched) => self.on_success(fetch, started, fetched),
            Err(error) => self.on_failure(fetch, error),
        };
        self.progress
            .send_modify(|progress| progress.finished = fetch);
        if matches!(event, Some(RefreshEvent::Keys { changed: true, .. })) {
            self.report_removed();
        }
        // Not under the lock: a log subscriber may call `status`.
        if let Some(event) = event {
            event.announce(&self.source.config.issuer, self.observer.get());
        }
    }

    fn on_success(&self, fetch: u64, started: Now, fetched: FetchedKeySet) -> Option<RefreshEvent> {
        let mut state = self.state();
        let now = self.clock.monotonic();
        let refresh = state.schedule.succeed(fetch, now, fetched.max_age)?;
        let keys = fetched.known.keys;
        let held = self.current_set.load();
        let before = held.as_deref();
        if let Some(before) = before {
            for id in before.keys.ids_missing_in(&keys) {
                state.schedule.retire(id, fetch);
            }
        }
        let liveness = match before {
            Some(before) => before.liveness.followed_by(&before.keys, &keys),
            None => KeySetLiveness::of(&keys),
        };
        let next = Arc::new(Snapshot {
            keys: Arc::clone(&keys),
            liveness,
            metadata: fetched.known.metadata,
            fetch,
            confirmed: started,
            earlier: Duration::ZERO,
            max_age: self.source.config.limits.max_stale,
            refresh,
        });
        self.current_set.replace(Some(&next));
        state.last_error = None;
        state.dropped = false;
        Some(RefreshEvent::Keys {
            keys,
            changed: fetched.changed,
        })
    }

    fn on_failure(&self, fetch: u64, error: RefreshError) -> Option<RefreshEvent> {
        let mut state = self.state();
        let now = self.clock.monotonic();
        state.schedule.fail(fetch, now).then(|| {
            state.last_error = Some(error.clone());
            RefreshEvent::Error(error)
        })
    }
}

#[cfg(test)]
mod test_server;
#[cfg(test)]
mod test_keys;
#[cfg(test)]
mod tests;
