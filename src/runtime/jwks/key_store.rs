//! The key set of one issuer: what requests read, and what they wait for.
//!
//! 1. Requests read the newest set without a lock; only a miss takes one, and never over a wait.
//! 2. One task makes one fetch after the other; everybody who waits shares them, and a client
//!    that goes away cancels nothing. The task holds no handle and ends with the last one.
//! 3. A set replaces the one before as a whole: a key that the issuer removed is gone. An empty
//!    or broken set, or no answer, replaces nothing.
//! 4. Age is judged by the clock when a request comes, by both of its readings; keys past the
//!    maximum staleness count as none.
//!
//! When a fetch is due and what a miss means is decided in [`schedule`](super::schedule); how
//! one is made, in [`origin`](super::origin); the task is [`refresher`](super::refresher)'s.

use std::ops::Deref;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

use crate::model::error::rejection::Outage;
use crate::runtime::cache::key_liveness::KeySetLiveness;
use crate::runtime::cache::token_cache::CacheValidity;
use crate::runtime::clock::{Clock, Deadline, Now};
pub(crate) use crate::runtime::discovery::metadata::RefreshError;
use crate::runtime::http::client::Fetcher;
use crate::runtime::jwks::fetch_key_set::{
    FetchMetadata, FetchedKeySet, KeySetSource, KnownKeySet,
};
pub(crate) use crate::runtime::jwks::fetch_key_set::{Location, RemoteConfig};
use crate::runtime::jwks::refresh_event::RefreshEvent;
pub(crate) use crate::runtime::jwks::schedule::RefreshLimits;
use crate::runtime::jwks::schedule::{MissAction, MissTicket, SHORTEST_RETRY, Schedule};
pub use crate::runtime::jwks::status::{KeySetState, KeySetStatus};
use crate::runtime::util::select::race;
use crate::runtime::util::swap::{Guard, SwapCell};
use crate::verify::jose::jwk_set::KeySet;

/// Stands in where there is no set; no request ever sees it.
pub(crate) static NO_KEYS: LazyLock<KeySet> = LazyLock::new(KeySet::default);

/// The keys of one issuer.
pub(crate) struct RemoteKeys {
    pub(in crate::runtime) source: Arc<KeySetSource>,
    pub(in crate::runtime) clock: Arc<dyn Clock>,
    latest: SwapCell<Snapshot>,
    // INVARIANT: `latest` is stored to under this lock alone, so that under it the two agree.
    state: Mutex<KeySetRecord>,
    pub(in crate::runtime) progress: watch::Sender<Progress>,
    pub(in crate::runtime) asked: Arc<Notify>,
    slots: Arc<Semaphore>,
}

#[derive(Debug)]
pub(in crate::runtime) struct KeySetRecord {
    pub(in crate::runtime) schedule: Schedule,
    last_error: Option<RefreshError>,
    dropped: bool,
    pub(in crate::runtime) running: bool,
}

#[derive(Clone, Copy, Debug, Default)]
pub(in crate::runtime) struct Progress {
    pub(in crate::runtime) finished: u64,
    pub(in crate::runtime) running: bool,
}

/// A set as some flight found or confirmed it.
struct Snapshot {
    keys: Arc<KeySet>,
    marks: KeySetLiveness,
    origin: Arc<FetchMetadata>,
    flight: u64,
    /// When that flight started.
    confirmed: Now,
    /// How long it is fresh.
    refresh: Duration,
}

/// The keys at one moment.
pub(crate) struct KeySetGuard {
    held: Guard<Snapshot>,
    end: Deadline,
}

/// The flight that a set comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generation(u64);

/// What to do about a key that is not there.
#[derive(Debug)]
pub(crate) enum Miss {
    /// The issuer has no such key: 401.
    Unknown,
    /// Wait, then look again.
    Wait(WaitTicket),
    /// We cannot tell: 503.
    Unavailable {
        outage: Outage,
        retry_after: Duration,
    },
}

/// A place among those who wait; free again when it is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct WaitTicket {
    drawn: MissTicket,
    /// By the server's clock and by real time, whichever ends first: a clock that stands still
    /// must not hold a request.
    patience: (Duration, Instant),
    _slot: OwnedSemaphorePermit,
}

/// There is no tokio runtime to run the refresh task on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no tokio runtime here")]
pub(crate) struct NoRuntime;

/// How a first attempt can end badly.
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
        let fetcher = Fetcher::new(&config.reach)?.reading(config.most_bytes);
        let limits = config.limits;
        let slots = limits.max_waiters.min(Semaphore::MAX_PERMITS);
        Ok(Arc::new(Self {
            clock,
            latest: SwapCell::empty(),
            state: Mutex::new(KeySetRecord {
                schedule: Schedule::new(limits, config.lazy),
                last_error: None,
                dropped: false,
                running: false,
            }),
            progress: watch::Sender::new(Progress::default()),
            asked: Arc::new(Notify::new()),
            slots: Arc::new(Semaphore::new(slots)),
            source: Arc::new(KeySetSource { config, fetcher }),
        }))
    }

    /// The newest keys, if they may be used.
    pub(crate) fn current(&self) -> Result<KeySetGuard, Outage> {
        let held = self.latest.load();
        let Some(snapshot) = held.as_ref() else {
            return Err(Outage::KeysNotLoaded);
        };
        // As old as they may be, they are good.
        let age = self.source.config.limits.max_stale + Duration::from_nanos(1);
        let end = Deadline::after(snapshot.confirmed, age);
        if end.has_passed(Now::of(&*self.clock)) {
            return Err(Outage::KeysTooStale);
        }
        Ok(KeySetGuard { held, end })
    }

    /// Whether the newest keys that may be used have one with this id.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.current().is_ok_and(|loaded| loaded.knows(id))
    }

    /// What to do about a key that is not there. `searched` is the set that was looked in,
    /// `None` when there was none; `id` the token's `kid`; `passed` the ticket of a request
    /// that has waited before.
    pub(crate) fn miss(
        &self,
        searched: Option<Generation>,
        id: Option<&str>,
        passed: Option<WaitTicket>,
    ) -> Miss {
        let mut state = self.state();
        let now = state.schedule.look(Now::of(&*self.clock));
        let drawn = passed.as_ref().map(|ticket| ticket.drawn);
        let current = self.current();
        let schedule = &mut state.schedule;
        let (outage, step) = match (current, searched) {
            (Err(outage), _) => (outage, schedule.without_keys(drawn, now)),
            (Ok(loaded), Some(searched)) if loaded.searched() == searched => (
                Outage::KeyUnconfirmed,
                match id {
                    Some(id) => schedule.unknown_id(id, searched.0, drawn, now),
                    None => schedule.no_id(searched.0, drawn, now),
                },
            ),
            // The set was swapped between the look and the miss: look again, at once.
            (Ok(_), _) => {
                let until = schedule.finished();
                let seen = drawn.map_or(until, |drawn| drawn.seen);
                (
                    Outage::KeyUnconfirmed,
                    MissAction::Await(MissTicket { seen, until }),
                )
            }
        };
        drop(state);
        match step {
            MissAction::Unknown => Miss::Unknown,
            MissAction::Later(retry_after) => Miss::Unavailable {
                outage,
                retry_after,
            },
            MissAction::Await(drawn) => {
                self.asked.notify_one();
                self.admit(drawn, passed, now, outage)
            }
        }
    }

    /// Waits for the ticket's flight to end, well or not, within the ticket's patience.
    pub(crate) async fn wait(&self, ticket: &WaitTicket) {
        // Where no refresh task can run there is nothing to wait for, and no timer either.
        if tokio::runtime::Handle::try_current().is_err() || !self.progress.borrow().running {
            return;
        }
        let until = ticket.drawn.until;
        let (by_clock, in_reality) = ticket.patience;
        let impatient = race(
            self.clock.sleep_until(by_clock),
            tokio::time::sleep_until(in_reality.into()),
        );
        race(self.ended(until), impatient).await;
    }

    /// A refresh that starts after the call, shared with others that were asked for and have
    /// not started.
    pub(crate) async fn refresh_now(&self) -> Result<(), RefreshError> {
        let flight = self.state().schedule.queue();
        self.asked.notify_one();
        self.outcome(flight).await
    }

    /// Ends with the first attempt. At once for keys that wait for their first token.
    pub(crate) async fn first_attempt(&self) -> Result<(), FirstAttemptError> {
        if !self.counts() {
            return Ok(());
        }
        let configured = || self.source.config.issuer.as_ref().to_owned();
        let outcome = self.outcome(1).await;
        outcome.map_err(|error| FirstAttemptError::of(error, configured()))
    }

    /// Whether the keys are fetched for their first token only.
    pub(crate) fn is_lazy(&self) -> bool {
        self.source.config.lazy
    }

    /// Whether the keys count in readiness and health: all but those that still wait for their
    /// first token.
    pub(crate) fn counts(&self) -> bool {
        !self.state().schedule.is_on_demand()
    }

    /// Whether tokens can be judged, as far as these keys count.
    pub(crate) fn ready(&self) -> bool {
        self.current().is_ok() || !self.counts()
    }

    /// Drops the keys: from now on no token of this issuer verifies, until a fetch that starts
    /// after this call, which is asked for at once, brings keys again.
    pub(crate) fn drop_keys(&self) {
        {
            let mut state = self.state();
            let held = self.latest.load();
            state.dropped |= held.is_some();
            self.latest.store(None);
            if let Some(before) = held.as_deref() {
                before.marks.end_but(None);
            }
            state.schedule.drop_keys();
        }
        self.asked.notify_one();
    }

    /// How the keys are doing.
    pub(crate) fn status(&self) -> KeySetStatus {
        let state = self.state();
        let reading = Now::of(&*self.clock);
        let now = reading.monotonic;
        let held = self.latest.load();
        let snapshot = held.as_deref();
        let schedule = &state.schedule;
        let age = snapshot.map(|snapshot| snapshot.confirmed.elapsed(reading));
        let stale_since = snapshot.zip(age).and_then(|(snapshot, age)| {
            // The jitter is part of the plan; late is what comes after it.
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
                Some(age) if age > schedule.limits().max_stale => KeySetState::TooStale,
                Some(_) if stale_since.is_some() => KeySetState::Stale,
                Some(_) => KeySetState::Fresh,
            },
            on_demand: schedule.is_on_demand(),
            keys: snapshot.map_or(0, |snapshot| snapshot.keys.len()),
            skipped: snapshot.map_or_else(Vec::new, |snapshot| snapshot.keys.skipped().to_vec()),
            age,
            stale_since,
            failures: schedule.failures(),
            last_error: if state.running {
                state.last_error.as_ref().map(ToString::to_string)
            } else {
                Some(RefreshError::NotRunning.to_string())
            },
            next_attempt: schedule.next_attempt(now).filter(|_| state.running),
        }
    }

    pub(in crate::runtime) fn state(&self) -> MutexGuard<'_, KeySetRecord> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds a place to wait in. Who has waited keeps place and patience.
    fn admit(
        &self,
        drawn: MissTicket,
        passed: Option<WaitTicket>,
        now: Duration,
        outage: Outage,
    ) -> Miss {
        if let Some(ticket) = passed {
            let (by_clock, in_reality) = ticket.patience;
            if now >= by_clock || Instant::now() >= in_reality {
                return Miss::Unavailable {
                    outage,
                    retry_after: SHORTEST_RETRY,
                };
            }
            return Miss::Wait(WaitTicket { drawn, ..ticket });
        }
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            return Miss::Unavailable {
                outage: Outage::TooManyWaiting,
                retry_after: SHORTEST_RETRY,
            };
        };
        let wait = self.source.config.limits.wait;
        let in_reality = Instant::now();
        Miss::Wait(WaitTicket {
            drawn,
            patience: (
                now.saturating_add(wait),
                in_reality.checked_add(wait).unwrap_or(in_reality),
            ),
            _slot: slot,
        })
    }

    /// Ends when the flight has ended, or when there is no task to end it.
    async fn ended(&self, flight: u64) {
        let mut progress = self.progress.subscribe();
        let _ = progress
            .wait_for(|progress| progress.finished >= flight || !progress.running)
            .await;
    }

    async fn outcome(&self, flight: u64) -> Result<(), RefreshError> {
        self.ended(flight).await;
        let state = self.state();
        if state.schedule.last_success() >= flight {
            return Ok(());
        }
        if state.schedule.finished() < flight || !state.running {
            return Err(RefreshError::NotRunning);
        }
        let overtaken = || RefreshError::Failed("the keys were dropped meanwhile".to_owned());
        Err(state.last_error.clone().unwrap_or_else(overtaken))
    }

    /// Starts a flight, if one is due; otherwise says when to look again.
    pub(in crate::runtime) fn depart(
        &self,
        now: Duration,
    ) -> Result<(u64, Option<KnownKeySet>), Option<Duration>> {
        let mut state = self.state();
        let Some(flight) = state.schedule.begin(now) else {
            return Err(state.schedule.wake_at());
        };
        let held = self.latest.load();
        let known = held.as_ref().map(|snapshot| KnownKeySet {
            keys: Arc::clone(&snapshot.keys),
            origin: Arc::clone(&snapshot.origin),
        });
        Ok((flight, known))
    }

    /// Ends a flight.
    pub(in crate::runtime) fn land(
        &self,
        flight: u64,
        started: Now,
        outcome: Result<FetchedKeySet, RefreshError>,
    ) {
        let landed = match outcome {
            Ok(arrived) => self.take_in(flight, started, arrived),
            Err(error) => self.put_up_with(flight, error),
        };
        self.progress
            .send_modify(|progress| progress.finished = flight);
        // Not under the lock: whoever writes events down may ask for the status.
        if let Some(landed) = landed {
            landed.announce(&self.source.config.issuer);
        }
    }

    fn take_in(&self, flight: u64, started: Now, arrived: FetchedKeySet) -> Option<RefreshEvent> {
        let mut state = self.state();
        let now = self.clock.monotonic();
        let refresh = state.schedule.succeed(flight, now, arrived.max_age)?;
        let keys = arrived.known.keys;
        let held = self.latest.load();
        let before = held.as_deref();
        if let Some(before) = before {
            for id in before.keys.ids_missing_in(&keys) {
                state.schedule.retire(id, flight);
            }
        }
        let marks = match before {
            Some(before) => before.marks.followed_by(&before.keys, &keys),
            None => KeySetLiveness::of(&keys),
        };
        let next = Arc::new(Snapshot {
            keys: Arc::clone(&keys),
            marks,
            origin: arrived.known.origin,
            flight,
            confirmed: started,
            refresh,
        });
        self.latest.store(Some(Arc::clone(&next)));
        // INVARIANT: only now. A request that still reads the set before must not leave behind a
        // token under a mark that nobody will end.
        if let Some(before) = before {
            before.marks.end_but(Some(&next.marks));
        }
        state.last_error = None;
        state.dropped = false;
        Some(RefreshEvent::Keys {
            keys,
            changed: arrived.changed,
        })
    }

    fn put_up_with(&self, flight: u64, error: RefreshError) -> Option<RefreshEvent> {
        let mut state = self.state();
        let now = self.clock.monotonic();
        state.schedule.fail(flight, now).then(|| {
            state.last_error = Some(error.clone());
            RefreshEvent::Error(error)
        })
    }
}

impl KeySetGuard {
    /// What to say to [`RemoteKeys::miss`] about where the key was looked for.
    pub(crate) fn searched(&self) -> Generation {
        Generation(self.held.as_ref().map_or(0, |snapshot| snapshot.flight))
    }

    /// What a token stands on that these keys have verified; `id` is the one that it named them
    /// by, if it did.
    pub(crate) fn basis(&self, id: Option<&str>) -> CacheValidity {
        let mark = self.held.as_ref().map(|snapshot| snapshot.marks.under(id));
        CacheValidity::until(self.end, mark.cloned())
    }
}

impl Deref for KeySetGuard {
    type Target = KeySet;

    fn deref(&self) -> &KeySet {
        // INVARIANT: made in `current` alone, from a snapshot that is there.
        self.held
            .as_ref()
            .map_or(&NO_KEYS, |snapshot| &snapshot.keys)
    }
}

#[cfg(test)]
mod tests;
