//! The status lists of one issuer: a bounded number of them, by address.
//!
//! 1. A slot exists once for each address while a token, a lease or a fetch refers to it. The number of
//!    slots that hold a list is bounded; the one that was read longest ago is evicted.
//! 2. A list replaces the one that is held as a whole, and only if it was not issued earlier than any
//!    that was held, evicted ones included: a cache on the way must not bring back what was revoked
//!    since.
//! 3. Verification is given by the owner, since it needs the issuer's keys.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, watch};

use crate::logging;
use crate::model::decision::event::Event;
use crate::model::url;
use crate::runtime::cache::validity::CacheValidity;
use crate::runtime::clock::{Clock, Now};
use crate::runtime::http::client::{Fetcher, HttpRequest};
use crate::runtime::http::tls::HttpOptions;
use crate::runtime::status_list::held_list::{HeldList, ListLife};
use crate::runtime::status_list::slot::{Due, ListSlot};
use crate::runtime::status_list::status::StatusListStatus;
use crate::verify::status_list::list_token::ListToken;

/// How many requests of an issuer wait for lists at the same time.
const MAX_WAITERS: usize = 256;

/// The media type that is requested (s8.1).
const ACCEPT: &str = "application/statuslist+jwt";

/// How a fetched list is verified: by its address and the body. What is wrong is a text for the
/// operator. The validity is that of the key.
pub(crate) type VerifyList = Box<
    dyn Fn(
            Arc<str>,
            Vec<u8>,
        )
            -> Pin<Box<dyn Future<Output = Result<(ListToken, CacheValidity), String>> + Send>>
        + Send
        + Sync,
>;

/// Called after a list was replaced.
pub(crate) type ReplacedHook = Box<dyn Fn() + Send + Sync>;

/// The bounds of an issuer's lists.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListLimits {
    pub(crate) most_lists: usize,
    /// The bound on one decompressed list.
    pub(crate) most_bytes: usize,
    pub(crate) life: ListLife,
}

/// The status lists of an issuer.
pub(crate) struct StatusLists {
    pub(super) issuer: Arc<str>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) source: Arc<ListSource>,
    limits: ListLimits,
    /// The statuses that are accepted, by their bit.
    accepted: [u64; 4],
    slots: Mutex<SlotTable>,
    pub(super) requested: Arc<Notify>,
    /// Whether the lists are no longer configured. Its receivers notice when the lists are gone, too.
    pub(super) retired: watch::Sender<bool>,
    pub(super) waiters: Arc<Semaphore>,
    on_replaced: OnceLock<ReplacedHook>,
}

/// How lists are fetched and verified.
pub(super) struct ListSource {
    fetcher: Fetcher,
    verify: VerifyList,
}

/// Why a list could not be fetched.
pub(super) struct ListError {
    problem: String,
    retry_after: Option<Duration>,
}

#[derive(Default)]
struct SlotTable {
    /// Every slot that something refers to.
    by_uri: HashMap<Box<str>, Weak<ListSlot>>,
    /// Those that hold a list, or will; at most as many as the limits say.
    active: Vec<Arc<ListSlot>>,
    /// The number of slots at which those that nothing refers to are removed.
    prune_at: usize,
    /// Whether the refresh task runs.
    running: bool,
}

impl ListSource {
    /// Fetches a list once, and verifies it.
    pub(super) async fn fetch(&self, uri: &str) -> Result<(ListToken, CacheValidity), ListError> {
        let request = HttpRequest {
            url: uri,
            accept: ACCEPT,
            authorization: None,
            body: None,
        };
        let failed = |problem: String, retry_after| ListError {
            problem,
            retry_after,
        };
        let response = self.fetcher.send(request).await;
        let response = response.map_err(|error| failed(error.to_string(), None))?;
        let shown = url::shown(uri);
        if response.status != 200 {
            let redirects = match response.status {
                300..=399 => "; redirects are not followed",
                _ => "",
            };
            let problem = format!("`{shown}` answered {}{redirects}", response.status);
            return Err(failed(problem, response.retry_after));
        }
        let verified = (self.verify)(uri.into(), response.body).await;
        verified.map_err(|problem| failed(format!("the list at `{shown}`: {problem}"), None))
    }
}

impl StatusLists {
    /// No list is fetched yet.
    pub(crate) fn new(
        issuer: Arc<str>,
        http_options: &HttpOptions,
        limits: ListLimits,
        accepted: &[u8],
        clock: Arc<dyn Clock>,
        verify: VerifyList,
    ) -> Result<Arc<Self>, String> {
        // base64url twice, of what zlib cannot make smaller, and the claims beside.
        let most_body = limits
            .most_bytes
            .saturating_mul(2)
            .saturating_add(64 * 1024);
        let fetcher = Fetcher::new(http_options)?.with_limit(most_body);
        let mut bits = [0_u64; 4];
        for status in accepted {
            if let Some(word) = bits.get_mut(usize::from(*status / 64)) {
                *word |= 1 << (status % 64);
            }
        }
        Ok(Arc::new(Self {
            issuer,
            clock,
            source: Arc::new(ListSource { fetcher, verify }),
            limits,
            accepted: bits,
            slots: Mutex::default(),
            requested: Arc::new(Notify::new()),
            retired: watch::Sender::new(false),
            waiters: Arc::new(Semaphore::new(MAX_WAITERS)),
            on_replaced: OnceLock::new(),
        }))
    }

    /// Calls this after each list that was replaced. Only the first hook counts.
    #[allow(dead_code)] // for leases
    pub(crate) fn set_hook(&self, hook: ReplacedHook) {
        let _ = self.on_replaced.set(hook);
    }

    /// Whether tokens of this status are accepted.
    pub(super) fn accepts(&self, status: u8) -> bool {
        let word = self.accepted.get(usize::from(status / 64));
        word.is_some_and(|word| word >> (status % 64) & 1 == 1)
    }

    /// The one slot of this address.
    pub(super) fn slot(&self, uri: &str) -> Arc<ListSlot> {
        let mut table = self.table();
        if let Some(slot) = table.by_uri.get(uri).and_then(Weak::upgrade) {
            return slot;
        }
        if table.by_uri.len() >= table.prune_at {
            table.by_uri.retain(|_, slot| slot.strong_count() > 0);
            let kept = table.by_uri.len().max(self.limits.most_lists);
            table.prune_at = kept.saturating_mul(2);
        }
        let slot = Arc::new(ListSlot::new(uri, self.clock.monotonic()));
        table.by_uri.insert(uri.into(), Arc::downgrade(&slot));
        slot
    }

    /// Gives the slot a place among those that hold a list. False where every other one is fetched now.
    pub(super) fn activate(&self, slot: &Arc<ListSlot>) -> bool {
        let mut table = self.table();
        if table.active.iter().any(|other| Arc::ptr_eq(other, slot)) {
            return true;
        }
        if table.active.len() >= self.limits.most_lists {
            let is_free = |slot: &ListSlot| {
                let finished = *slot.finished.borrow();
                !slot.state().is_under_way(finished)
            };
            let mut oldest: Option<(usize, Duration)> = None;
            for (place, other) in table.active.iter().enumerate() {
                let read = other.last_read();
                if oldest.is_none_or(|(_, least)| read < least) && is_free(other) {
                    oldest = Some((place, read));
                }
            }
            let Some((place, _)) = oldest else {
                return false;
            };
            table.active.swap_remove(place).drop_list();
        }
        table.active.push(Arc::clone(slot));
        true
    }

    /// The lists are no longer configured: nothing is fetched any more, whatever still holds them.
    pub(crate) fn retire(&self) {
        self.retired.send_replace(true);
    }

    /// Whether the refresh task is to be spawned; marks it as running.
    pub(super) fn begin(&self) -> bool {
        !*self.retired.borrow() && !std::mem::replace(&mut self.table().running, true)
    }

    /// The task has ended, perhaps in the middle of fetches: nothing waits for them any longer.
    pub(super) fn task_ended(&self) {
        let active = {
            let mut table = self.table();
            table.running = false;
            table.active.clone()
        };
        for slot in active {
            slot.abandon();
        }
    }

    /// Starts the fetches that are due, at most `room` of them, and drops what nothing reads. The time
    /// to look again.
    pub(super) fn start_due(
        &self,
        now: Duration,
        mut room: usize,
    ) -> (Vec<(Arc<ListSlot>, u64)>, Option<Duration>) {
        let mut started = Vec::new();
        let mut wake: Option<Duration> = None;
        let mut table = self.table();
        table.active.retain(|slot| match slot.start(now, room > 0) {
            Due::Fetch(fetch) => {
                room = room.saturating_sub(1);
                started.push((Arc::clone(slot), fetch));
                true
            }
            Due::Drop => {
                slot.drop_list();
                false
            }
            Due::At(at) => {
                wake = match (wake, at) {
                    (Some(one), Some(other)) => Some(one.min(other)),
                    (one, other) => one.or(other),
                };
                true
            }
        });
        (started, wake)
    }

    /// Ends a fetch.
    pub(super) fn end_fetch(
        &self,
        slot: &ListSlot,
        fetch: u64,
        started: Now,
        outcome: Result<(ListToken, CacheValidity), ListError>,
    ) {
        let outcome = outcome.and_then(|(token, key)| {
            let newest = slot.state().newest;
            if newest.is_some_and(|newest| token.issued_at < newest) {
                return Err(ListError {
                    problem: format!(
                        "the list at `{}` was issued before one that was held",
                        url::shown(&slot.uri)
                    ),
                    retry_after: None,
                });
            }
            Ok(HeldList::new(token, key, started, self.limits.life))
        });
        let error = match outcome {
            Ok((held, next_at)) => {
                let issued_at = held.token.issued_at;
                slot.held.store(Some(Arc::new(held)));
                let mut state = slot.state();
                state.newest = Some(issued_at);
                state.succeeded(fetch, next_at);
                None
            }
            Err(error) => {
                let now = self.clock.monotonic();
                let problem = error.problem.clone();
                slot.state().failed(problem, error.retry_after, now);
                Some(error.problem)
            }
        };
        slot.end(fetch);
        // Not under a lock: a log subscriber may call `status`.
        match error {
            None => {
                if let Some(hook) = self.on_replaced.get() {
                    hook();
                }
            }
            Some(error) => logging::emit(Event::StatusListNotRefreshed {
                issuer: &self.issuer,
                error: &error,
            }),
        }
    }

    /// The status of the lists that are held or fetched, in the order of their addresses.
    pub(crate) fn status(&self) -> Vec<StatusListStatus> {
        let active = self.table().active.clone();
        let now = Now::of(&*self.clock);
        let mut lists: Vec<StatusListStatus> = active
            .iter()
            .map(|slot| {
                let held = slot.held.load_full();
                let held = held.as_deref();
                let finished = *slot.finished.borrow();
                let state = slot.state();
                StatusListStatus {
                    issuer: Arc::clone(&self.issuer),
                    uri: url::shown(&slot.uri),
                    is_usable: held.is_some_and(|held| held.is_usable(now)),
                    is_fresh: held.is_some_and(|held| held.is_fresh(now)),
                    bits: held.map(|held| held.list().bits()),
                    bytes: held.map_or(0, |held| held.list().bytes()),
                    age: held.map(|held| held.fetched.elapsed(now)),
                    failures: state.backoff.failures(),
                    last_error: state.last_error.clone(),
                    next_attempt: if state.is_under_way(finished) {
                        Some(Duration::ZERO)
                    } else {
                        state.next_at.map(|at| at.saturating_sub(now.monotonic))
                    },
                }
            })
            .collect();
        lists.sort_by(|one, other| one.uri.cmp(&other.uri));
        lists
    }

    fn table(&self) -> MutexGuard<'_, SlotTable> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for StatusLists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusLists")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}
