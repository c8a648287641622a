//! The revocations of this instance and those of the others, kept alike through the store.
//!
//! 1. Requests look at the list in memory alone. A task of its own reads what others have revoked
//!    from a stream in the store and writes there what was revoked here.
//! 2. Until the stream was read to its end once, the list is not complete, and no token is found
//!    clean. Afterwards what is known holds, whatever becomes of the store. To be read is enough: a
//!    store that is full or takes no writes keeps no instance from starting.
//! 3. A random epoch lies beside the stream. Where it is another than before, or the stream ends
//!    before our cursor, or lacks what nobody had reason to drop, the stream is read from the start
//!    and what it lacks is written to it again.
//! 4. A store that drops what was not asked for when its memory is full is not used.
//! 5. A stream that takes no more entries, because somebody has given out its last id, is given up:
//!    another epoch names another stream, and what is known is written there.
//! 6. The application may say after how long without the store nobody is found clean.
//! 7. With the last handle the task ends.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::logging;
use crate::model::event::Event;
use crate::runtime::clock::Clock;
use crate::runtime::revocation::list::RevocationList;
use crate::runtime::shared::pending_changes::PendingChanges;
use crate::runtime::shared::redis::{Address, StoreError};
use crate::verify::crypto::primitives::random_u32;
use crate::verify::crypto::sealed::SealedBox;

/// After a failure the store is left alone for this long, and after each further one for twice as
/// long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What a store must do when its memory is full.
const NO_EVICTION: &str = "noeviction";

/// The handle. Nothing is shared before `start`.
pub(crate) struct RevocationSync {
    pub(in crate::runtime) hub: Arc<SyncState>,
    /// Closed with the handle.
    pub(in crate::runtime) alive: watch::Sender<()>,
}

/// What the handle and the task have in common.
pub(in crate::runtime) struct SyncState {
    pub(in crate::runtime) address: Address,
    pub(in crate::runtime) seals: SealedBox,
    pub(in crate::runtime) keys: StoreKeys,
    pub(in crate::runtime) list: Arc<RevocationList>,
    /// The issuers that this server has, and how long their revocations last at most. Those of
    /// other issuers are passed on and not looked at.
    pub(in crate::runtime) realms: HashMap<Arc<str>, Duration>,
    pub(in crate::runtime) clock: Arc<dyn Clock>,
    refuse_after: Option<Duration>,
    state: Mutex<SharedState>,
    pub(in crate::runtime) journal: Arc<PendingChanges>,
    pub(in crate::runtime) asked: Notify,
    pub(in crate::runtime) progress: watch::Sender<Progress>,
}

/// The names of what lies in the store.
pub(crate) struct StoreKeys {
    pub(in crate::runtime) epoch: String,
    base: String,
}

/// What the epoch of a stream begins with that took the place of a broken one. Its name is part
/// of that stream's.
const RENEWED: &str = "renewed-";

impl StoreKeys {
    /// Names that belong to one namespace and one cluster key.
    pub(crate) fn new(namespace: &str, fingerprint: &str) -> Self {
        let base = format!("{namespace}:{fingerprint}");
        Self {
            epoch: format!("{base}:epoch"),
            base,
        }
    }

    /// The stream of an epoch.
    pub(in crate::runtime) fn stream(&self, epoch: &[u8]) -> String {
        let renewed = std::str::from_utf8(epoch).ok().filter(|epoch| {
            let random = epoch.strip_prefix(RENEWED).unwrap_or_default();
            random.len() == 32 && random.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        match renewed {
            Some(epoch) => format!("{}:{epoch}:revocations", self.base),
            None => format!("{}:revocations", self.base),
        }
    }

    /// An epoch whose stream is a new one.
    pub(in crate::runtime) fn renewed(random: u128) -> String {
        format!("{RENEWED}{random:032x}")
    }
}

/// Attempts, so that whoever waits for one knows when it has ended.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::runtime) struct Progress {
    wanted: u64,
    ended: u64,
}

struct SharedState {
    running: bool,
    /// Whether the list was told that something may be missing.
    held: bool,
    backlog: usize,
    /// Whether everything went well once.
    has_succeeded: bool,
    confirmed_at: Option<Duration>,
    failing_since: Option<Duration>,
    failures: u32,
    last_error: Option<SyncFailure>,
    /// Streams that were given up.
    renewals: u32,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SyncFailure {
    Store(StoreError),
    Eviction(Option<String>),
    /// It is no single primary.
    Unsupported(Unsupported),
    /// There are more revocations than this server has room for.
    Full,
    /// The stream takes no more entries, and was renewed a moment ago.
    Broken,
    /// The stream does not end.
    Endless,
    /// The cryptographic library gave nothing.
    Crypto,
    /// The task was ended.
    Ended,
}

/// What cannot be used in place of a single primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsupported {
    Sentinel,
    Cluster,
}

impl SyncFailure {
    /// Whether the connection is as good as it was: the store has answered, and refused.
    pub(in crate::runtime) const fn is_refusal(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_refusal())
    }
}

impl From<StoreError> for SyncFailure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for SyncFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => write!(f, "the shared store {error}"),
            Self::Eviction(Some(policy)) => write!(
                f,
                "the shared store drops revocations when its memory is full: set `maxmemory-policy` from `{policy}` to `noeviction`"
            ),
            Self::Eviction(None) => f.write_str(
                "the shared store does not say what it drops when its memory is full; allow `INFO` or `CONFIG GET`",
            ),
            Self::Unsupported(Unsupported::Sentinel) => f.write_str(
                "the address of the shared store is that of a Redis Sentinel, which holds no data: give the address of the primary, or one that always leads to it",
            ),
            Self::Unsupported(Unsupported::Cluster) => f.write_str(
                "the shared store is a node of a Redis Cluster, which is not supported: use a single primary without cluster mode",
            ),
            Self::Broken => f.write_str(
                "the stream in the shared store takes no more entries, and a new one was begun less than a minute ago; who else may write there?",
            ),
            Self::Full => f.write_str(
                "there are more revocations in the shared store than this server has room for",
            ),
            Self::Endless => f.write_str("the stream in the shared store does not end"),
            Self::Crypto => f.write_str("the system gives no randomness"),
            Self::Ended => f.write_str("the task that keeps revocations alike is not running"),
        }
    }
}

/// Where revocations are shared, and among whom.
pub(crate) struct StoreLocation {
    pub(crate) address: Address,
    pub(crate) seals: SealedBox,
    pub(crate) keys: StoreKeys,
    /// The issuers that this server has, and how long their revocations last at most.
    pub(crate) realms: HashMap<Arc<str>, Duration>,
    pub(crate) refuse_after: Option<Duration>,
}

impl RevocationSync {
    /// From now on until the first load nobody is found clean.
    pub(crate) fn new(
        place: StoreLocation,
        list: Arc<RevocationList>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        list.hold();
        let journal = Arc::new(PendingChanges::default());
        let listener = Arc::clone(&journal);
        list.listen(Box::new(move |change| listener.push(change)));
        let hub = SyncState {
            address: place.address,
            seals: place.seals,
            keys: place.keys,
            list,
            realms: place.realms,
            clock,
            refuse_after: place.refuse_after,
            state: Mutex::new(SharedState {
                running: false,
                held: true,
                backlog: 0,
                has_succeeded: false,
                confirmed_at: None,
                failing_since: None,
                failures: 0,
                last_error: None,
                renewals: 0,
            }),
            journal,
            asked: Notify::new(),
            progress: watch::Sender::new(Progress::default()),
        };
        Self {
            hub: Arc::new(hub),
            alive: watch::Sender::new(()),
        }
    }

    /// Publishes what was revoked here and reads what others have revoked, now.
    pub(crate) async fn synchronize(&self) -> Result<(), SyncFailure> {
        let hub = &self.hub;
        let mut progress = hub.progress.subscribe();
        let mut mine = 0;
        hub.progress.send_modify(|progress| {
            progress.wanted += 1;
            mine = progress.wanted;
        });
        hub.asked.notify_one();
        while progress.borrow_and_update().ended < mine {
            if !hub.state().running || progress.changed().await.is_err() {
                return Err(SyncFailure::Ended);
            }
        }
        match &hub.state().last_error {
            Some(failure) => Err(failure.clone()),
            None => Ok(()),
        }
    }

    pub(crate) fn fares(&self) -> SyncStatus {
        let hub = &self.hub;
        let now = hub.clock.monotonic();
        let is_full = hub.list.len() > hub.list.most();
        let is_silent = hub.list.is_silent(hub.clock.now());
        let state = hub.state();
        let ago = |at: Option<Duration>| at.map(|at| now.saturating_sub(at));
        SyncStatus {
            refuses: state.held || is_full || is_silent,
            renewals: state.renewals,
            unwritten: state.backlog + hub.journal.len(),
            confirmed: ago(state.confirmed_at),
            failing_since: ago(state.failing_since),
            failures: state.failures,
            last_error: state.last_error.clone(),
        }
    }
}

/// How sharing fares at a moment.
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
    /// Whether the task is to be spawned.
    pub(in crate::runtime) fn begin(&self) -> bool {
        !std::mem::replace(&mut self.state().running, true)
    }

    /// The attempts that are wanted by now.
    pub(in crate::runtime) fn wanted(&self) -> u64 {
        self.progress.borrow().wanted
    }

    /// The stream was read to its end, which it had at this time. With what could be read the list
    /// is complete, whatever becomes of what is to be written.
    pub(in crate::runtime) fn heard(&self, since: Duration) {
        let mut state = self.state();
        state.confirmed_at = Some(since);
        if let Some(patience) = self.refuse_after {
            let ago = self.clock.monotonic().saturating_sub(since);
            let left = patience.saturating_sub(ago);
            self.list
                .complete_until(self.clock.now().saturating_add(left));
        }
        if std::mem::replace(&mut state.held, false) {
            self.list.release();
        }
    }

    /// The stream was read to its end, and what was to be written has been.
    pub(in crate::runtime) fn confirm(&self, wanted: u64) {
        let is_news = {
            let mut state = self.state();
            let was_confirmed = std::mem::replace(&mut state.has_succeeded, true);
            state.backlog = 0;
            state.failing_since = None;
            state.failures = 0;
            state.last_error.take().is_some() || !was_confirmed
        };
        // Behind the lock: a subscriber may ask for the status.
        if is_news {
            logging::emit(Event::SharingRestored);
        }
        self.progress
            .send_modify(|progress| progress.ended = progress.ended.max(wanted));
    }

    /// An attempt failed, which is the answer to what was wanted when it began. How long the store
    /// is left alone, if the connection is at fault.
    pub(in crate::runtime) fn fail(
        &self,
        wanted: u64,
        failure: &SyncFailure,
        backlog: usize,
    ) -> Duration {
        let now = self.clock.monotonic();
        let (pause, is_news) = {
            let mut state = self.state();
            let is_news = state.last_error.as_ref() != Some(failure);
            let pause = FIRST_PAUSE.saturating_mul(1 << state.failures.min(8));
            state.backlog = backlog;
            state.failing_since.get_or_insert(now);
            state.failures = state.failures.saturating_add(1);
            state.last_error = Some(failure.clone());
            (pause.min(LONGEST_PAUSE), is_news)
        };
        if is_news {
            logging::emit(Event::SharingFailed { error: failure });
        }
        self.progress
            .send_modify(|progress| progress.ended = progress.ended.max(wanted));
        jittered(pause)
    }

    /// A stream was given up and another begun.
    pub(in crate::runtime) fn renewed(&self) {
        self.state().renewals += 1;
        logging::emit(Event::StreamRenewed);
    }

    /// Whether there is a time after which nobody is found clean.
    pub(in crate::runtime) const fn has_patience(&self) -> bool {
        self.refuse_after.is_some()
    }

    /// When that time is over. `None`: not before the next confirmation.
    pub(in crate::runtime) fn patience_ends(&self) -> Option<Duration> {
        let state = self.state();
        if state.held {
            return None;
        }
        Some(state.confirmed_at?.saturating_add(self.refuse_after?))
    }

    /// Nobody is found clean, if that time is over.
    pub(in crate::runtime) fn lose_patience(&self) {
        let now = self.clock.monotonic();
        let mut state = self.state();
        let since = state.confirmed_at.zip(self.refuse_after);
        let is_over = since.is_some_and(|(at, patience)| now >= at.saturating_add(patience));
        if is_over && !std::mem::replace(&mut state.held, true) {
            self.list.hold();
        }
    }

    /// The task has ended; another may be started.
    pub(in crate::runtime) fn end(&self) {
        self.state().running = false;
        self.progress.send_modify(|_| ());
    }

    fn state(&self) -> MutexGuard<'_, SharedState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a store with this policy may be used.
pub(in crate::runtime) fn check_eviction(policy: Option<String>) -> Result<(), SyncFailure> {
    match policy {
        Some(policy) if policy == NO_EVICTION => Ok(()),
        // What a store says is quoted, so it is shortened and escaped.
        Some(policy) => {
            let policy: String = policy.chars().take(40).collect();
            Err(SyncFailure::Eviction(Some(
                policy.escape_debug().to_string(),
            )))
        }
        None => Err(SyncFailure::Eviction(None)),
    }
}

/// Up to a quarter longer, so that a fleet does not come back at one moment.
fn jittered(pause: Duration) -> Duration {
    pause + pause.mul_f64(f64::from(random_u32()) / f64::from(u32::MAX) / 4.0)
}
