//! The state of synchronization, shared by the handle and the task.
//!
//! 1. Requests look at the list in memory alone. The task reads the revocations of other instances
//!    from a stream in the store, and appends those of this instance.
//! 2. The list is incomplete, so that no token is found clean, until the stream was read to its end
//!    once. Reading is enough: a store that is full or read-only keeps no instance from starting.
//!    Afterwards what is known holds, whatever happens to the store.
//! 3. The application may set a time without the store after which the list is incomplete again.
//! 4. With a previous cluster key "the stream" is both streams: each is read, and each gets what is
//!    revoked here and what the other one brings.
//! 5. The task ends with the last handle.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::logging;
use crate::model::decision::event::Event;
use crate::runtime::clock::Clock;
use crate::runtime::revocation::list::RevocationList;
use crate::runtime::revocation::unloaded_issuers::RevocationSource;
use crate::runtime::shared::replica::key_role::KeyRole;
use crate::runtime::shared::replica::pending_changes::PendingChanges;
use crate::runtime::shared::store::address::Address;
use crate::runtime::shared::sync::failure::SyncFailure;
use crate::runtime::shared::sync::store_keys::KeyAccess;
use crate::runtime::util::backoff::Backoff;

/// Bounds of the backoff.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Share of a pause that is waited, in percent.
const JITTER: RangeInclusive<u32> = 100..=125;

/// The handle. Nothing is shared before [`start`](Self::start).
pub(crate) struct RevocationSync {
    pub(super) shared: Arc<SyncState>,
    /// Closed with the handle.
    pub(super) shutdown: watch::Sender<()>,
}

/// The longest life of a revocation, by issuer.
pub(crate) type TokenLifetimes = HashMap<Arc<str>, Duration>;

/// What the handle and the task share.
pub(super) struct SyncState {
    pub(super) address: Address,
    current: Arc<KeyAccess>,
    previous: Option<Arc<KeyAccess>>,
    pub(super) list: Arc<RevocationList>,
    /// The longest life of a revocation, by issuer. Messages about other issuers are replicated and
    /// not applied to the list.
    token_lifetimes: Mutex<Arc<TokenLifetimes>>,
    /// Whether issuers were added, so that the stream has to be read from its beginning.
    has_more_issuers: AtomicBool,
    pub(super) clock: Arc<dyn Clock>,
    refuse_after: Option<Duration>,
    state: Mutex<SharedState>,
    pub(super) pending: Arc<PendingChanges>,
    pub(super) requested: Notify,
    pub(super) progress: watch::Sender<Progress>,
}

/// Numbers of attempts: how many were requested, and how many have ended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    requested: u64,
    ended: u64,
}

struct SharedState {
    running: bool,
    /// Whether the list was marked incomplete.
    is_incomplete: bool,
    backlog: usize,
    /// Whether an attempt succeeded once.
    has_succeeded: bool,
    confirmed_at: Option<Duration>,
    failing_since: Option<Duration>,
    backoff: Backoff,
    last_error: Option<SyncFailure>,
    /// Streams that were replaced.
    renewals: u32,
}

/// The store, and whose revocations are shared.
pub(crate) struct StoreLocation {
    pub(crate) address: Address,
    /// The cluster key.
    pub(crate) current: KeyAccess,
    /// The key that other instances may still have.
    pub(crate) previous: Option<KeyAccess>,
    /// The longest life of a revocation, by issuer.
    pub(crate) token_lifetimes: TokenLifetimes,
    pub(crate) refuse_after: Option<Duration>,
}

impl RevocationSync {
    /// Marks the list incomplete until the stream was read to its end once.
    pub(crate) fn new(
        place: StoreLocation,
        list: Arc<RevocationList>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        list.mark_incomplete();
        let pending = Arc::new(PendingChanges::default());
        let listener = Arc::clone(&pending);
        list.listen(Box::new(move |change| listener.push(change)));
        let shared = SyncState {
            address: place.address,
            current: Arc::new(place.current),
            previous: place.previous.map(Arc::new),
            list,
            token_lifetimes: Mutex::new(Arc::new(place.token_lifetimes)),
            has_more_issuers: AtomicBool::new(false),
            clock,
            refuse_after: place.refuse_after,
            state: Mutex::new(SharedState {
                running: false,
                is_incomplete: true,
                backlog: 0,
                has_succeeded: false,
                confirmed_at: None,
                failing_since: None,
                backoff: Backoff::new(FIRST_PAUSE, LONGEST_PAUSE).with_jitter(JITTER),
                last_error: None,
                renewals: 0,
            }),
            pending,
            requested: Notify::new(),
            progress: watch::Sender::new(Progress::default()),
        };
        Self {
            shared: Arc::new(shared),
            shutdown: watch::Sender::new(()),
        }
    }

    /// Writes the pending revocations and reads those of other instances, now.
    pub(crate) async fn synchronize(&self) -> Result<(), SyncFailure> {
        let shared = &self.shared;
        let mut progress = shared.progress.subscribe();
        let mut mine = 0;
        shared.progress.send_modify(|progress| {
            progress.requested += 1;
            mine = progress.requested;
        });
        shared.requested.notify_one();
        while progress.borrow_and_update().ended < mine {
            if !shared.state().running || progress.changed().await.is_err() {
                return Err(SyncFailure::Ended);
            }
        }
        match &shared.state().last_error {
            Some(failure) => Err(failure.clone()),
            None => Ok(()),
        }
    }

    /// The issuers were replaced. Where there are others than before, or with longer lives, what the
    /// stream says of them was not applied to the list: tokens of the others are not found clean until
    /// it was, and the stream is read anew.
    pub(crate) fn set_lifetimes(&self, lifetimes: impl Iterator<Item = (Arc<str>, Duration)>) {
        let lifetimes: TokenLifetimes = lifetimes.collect();
        let shared = &self.shared;
        let mut current = shared.lifetimes();
        let mut all = lifetimes.iter();
        let has_more = all.any(|(issuer, life)| current.get(issuer).is_none_or(|old| old < life));
        let added = lifetimes.keys().filter(|one| !current.contains_key(*one));
        let added: Vec<_> = added.map(Arc::clone).collect();
        *current = Arc::new(lifetimes);
        drop(current);
        // INVARIANT: after the lifetimes, which say whose messages are applied.
        if !added.is_empty() {
            let unloaded = shared.list.unloaded();
            unloaded.add(RevocationSource::Store, added);
        }
        if has_more {
            shared.has_more_issuers.store(true, Ordering::Release);
            shared.requested.notify_one();
        }
    }

    pub(crate) fn status(&self) -> SyncStatus {
        let shared = &self.shared;
        let now = shared.clock.monotonic();
        let is_full = shared.list.len() > shared.list.most();
        let is_silent = shared.list.is_silent(shared.clock.now());
        let state = shared.state();
        let ago = |at: Option<Duration>| at.map(|at| now.saturating_sub(at));
        SyncStatus {
            refuses: state.is_incomplete || is_full || is_silent,
            renewals: state.renewals,
            unwritten: state.backlog + shared.pending.len(),
            confirmed: ago(state.confirmed_at),
            failing_since: ago(state.failing_since),
            failures: state.backoff.failures(),
            last_error: state.last_error.clone(),
        }
    }
}

/// The status of synchronization at one moment.
#[derive(Clone, Debug)]
pub(crate) struct SyncStatus {
    pub(crate) refuses: bool,
    pub(crate) renewals: u32,
    pub(crate) unwritten: usize,
    pub(crate) confirmed: Option<Duration>,
    pub(crate) failing_since: Option<Duration>,
    pub(crate) failures: u32,
    pub(crate) last_error: Option<SyncFailure>,
}

impl SyncState {
    fn lifetimes(&self) -> MutexGuard<'_, Arc<TokenLifetimes>> {
        let lifetimes = self.token_lifetimes.lock();
        lifetimes.unwrap_or_else(PoisonError::into_inner)
    }

    /// The cluster keys that this instance has.
    pub(super) const fn roles(&self) -> &'static [KeyRole] {
        KeyRole::of_instance(self.previous.is_some())
    }

    /// The same with what belongs to each.
    pub(super) fn accesses(&self) -> impl Iterator<Item = (KeyRole, &Arc<KeyAccess>)> {
        let previous = self
            .previous
            .iter()
            .map(|access| (KeyRole::Previous, access));
        std::iter::once((KeyRole::Current, &self.current)).chain(previous)
    }

    /// Whether issuers were added since the last call.
    pub(super) fn take_more_issuers(&self) -> bool {
        self.has_more_issuers.swap(false, Ordering::AcqRel)
    }

    /// The longest life of a revocation, by issuer.
    pub(super) fn token_lifetimes(&self) -> Arc<TokenLifetimes> {
        Arc::clone(&self.lifetimes())
    }

    /// Whether the task is to be spawned; marks it as running.
    pub(super) fn begin(&self) -> bool {
        !std::mem::replace(&mut self.state().running, true)
    }

    /// The number of attempts that were requested.
    pub(super) fn requested_attempts(&self) -> u64 {
        self.progress.borrow().requested
    }

    /// The stream was read to the end that it had at this time: the list is complete, whether or not
    /// the pending messages can be written.
    pub(super) fn read_to_end(&self, since: Duration) {
        let mut state = self.state();
        state.confirmed_at = Some(since);
        if let Some(wait_limit) = self.refuse_after {
            let ago = self.clock.monotonic().saturating_sub(since);
            let left = wait_limit.saturating_sub(ago);
            self.list
                .complete_until(self.clock.now().saturating_add(left));
        }
        if std::mem::replace(&mut state.is_incomplete, false) {
            self.list.mark_complete();
        }
    }

    /// So many messages wait to be written, or are being written.
    pub(super) fn set_backlog(&self, backlog: usize) {
        self.state().backlog = backlog;
    }

    /// An attempt succeeded: the stream was read to its end, and the pending messages were written.
    pub(super) fn confirm(&self, attempt: u64) {
        let should_log = {
            let mut state = self.state();
            let was_confirmed = std::mem::replace(&mut state.has_succeeded, true);
            state.backlog = 0;
            state.failing_since = None;
            state.backoff.reset();
            state.last_error.take().is_some() || !was_confirmed
        };
        // Not under the lock: a log subscriber may call `status`.
        if should_log {
            logging::emit(Event::SharingRestored);
        }
        self.progress
            .send_modify(|progress| progress.ended = progress.ended.max(attempt));
    }

    /// An attempt failed: it answers the requests that were made before it began. The pause before
    /// the next one, if the connection is at fault.
    pub(super) fn fail(&self, attempt: u64, failure: &SyncFailure, backlog: usize) -> Duration {
        let now = self.clock.monotonic();
        let (pause, should_log) = {
            let mut state = self.state();
            let should_log = state.last_error.as_ref() != Some(failure);
            let pause = state.backoff.failed();
            state.backlog = backlog;
            state.failing_since.get_or_insert(now);
            state.last_error = Some(failure.clone());
            (pause, should_log)
        };
        if should_log {
            logging::emit(Event::SharingFailed { error: failure });
        }
        self.progress
            .send_modify(|progress| progress.ended = progress.ended.max(attempt));
        pause
    }

    /// A broken stream was replaced.
    pub(super) fn renewed(&self) {
        self.state().renewals += 1;
        logging::emit(Event::StreamRenewed);
    }

    /// Whether there is a time without the store after which the list is incomplete.
    pub(super) const fn can_time_out(&self) -> bool {
        self.refuse_after.is_some()
    }

    /// When that time is over. `None`: not before the next time that the stream is read to its end.
    pub(super) fn times_out_at(&self) -> Option<Duration> {
        let state = self.state();
        if state.is_incomplete {
            return None;
        }
        Some(state.confirmed_at?.saturating_add(self.refuse_after?))
    }

    /// Marks the list incomplete, if that time is over.
    pub(super) fn check_timeout(&self) {
        let now = self.clock.monotonic();
        let mut state = self.state();
        let since = state.confirmed_at.zip(self.refuse_after);
        let is_over = since.is_some_and(|(at, wait_limit)| now >= at.saturating_add(wait_limit));
        if is_over && !std::mem::replace(&mut state.is_incomplete, true) {
            self.list.mark_incomplete();
        }
    }

    /// The task has ended; another may be started.
    pub(super) fn end(&self) {
        self.state().running = false;
        self.progress.send_modify(|_| ());
    }

    fn state(&self) -> MutexGuard<'_, SharedState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
