//! A token's entry in a status list: one read on every request, and the wait where no list is held.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;

use crate::model::error::rejection::Outage;
use crate::model::time::UnixTime;
use crate::runtime::clock::Now;
use crate::runtime::status_list::lists::StatusLists;
use crate::runtime::status_list::refresh_task;
use crate::runtime::status_list::slot::{FetchReason, ListSlot, SHORTEST_RETRY};
use crate::runtime::util::select::race;

/// How long a request waits for a list.
const WAIT: Duration = Duration::from_secs(2);

/// A token's entry in a status list. Clones are the same entry.
#[derive(Clone)]
pub(crate) struct StatusReference(Arc<Entry>);

struct Entry {
    lists: Arc<StatusLists>,
    slot: Arc<ListSlot>,
    index: u64,
    /// Of the token.
    issued_at: Option<UnixTime>,
}

/// What the list says about a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatusReading {
    /// Its status is accepted.
    Accepted,
    /// It has this status, which is not accepted.
    NotAccepted(u8),
    /// The list has no such index. A list that was issued after the token is final about that.
    IndexBeyond { is_final: bool },
    /// No list is held that may be used.
    Unknown,
}

/// The list cannot be had now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListUnavailable {
    pub(crate) outage: Outage,
    pub(crate) retry_after: Duration,
}

impl ListUnavailable {
    const fn after(retry_after: Duration) -> Self {
        Self {
            outage: Outage::StatusListUnavailable,
            retry_after,
        }
    }
}

/// A fetch that a request waits for, and its place among those that wait.
#[must_use]
pub(crate) struct ListTicket {
    fetch: u64,
    _place: OwnedSemaphorePermit,
}

impl StatusReference {
    pub(crate) fn new(
        lists: &Arc<StatusLists>,
        uri: &str,
        index: u64,
        issued_at: Option<UnixTime>,
    ) -> Self {
        Self(Arc::new(Entry {
            lists: Arc::clone(lists),
            slot: lists.slot(uri),
            index,
            issued_at,
        }))
    }

    /// Its memory in bytes, without the list, which tokens share.
    pub(crate) const fn bytes() -> usize {
        2 * size_of::<usize>() + size_of::<Entry>()
    }

    /// What the list says now. Without a lock.
    pub(crate) fn read(&self, now: Now) -> StatusReading {
        let reading = self.peek(now);
        if reading != StatusReading::Unknown {
            self.0.slot.note_read(now.monotonic);
        }
        reading
    }

    /// The same, which does not count as a use of the list.
    pub(crate) fn peek(&self, now: Now) -> StatusReading {
        let entry = &*self.0;
        let held = entry.slot.held.load();
        let Some(held) = held.as_deref().filter(|held| held.is_usable(now)) else {
            return StatusReading::Unknown;
        };
        match held.list().get(entry.index) {
            Some(status) if entry.lists.accepts(status) => StatusReading::Accepted,
            Some(status) => StatusReading::NotAccepted(status),
            None => StatusReading::IndexBeyond {
                is_final: entry
                    .issued_at
                    .is_some_and(|issued| issued <= held.token.issued_at),
            },
        }
    }

    /// Whether the token's status is accepted now; `None` where no list is held that may be used.
    pub(crate) fn current(&self) -> Option<bool> {
        match self.read(Now::of(&*self.0.lists.clock)) {
            StatusReading::Accepted => Some(true),
            StatusReading::NotAccepted(_) | StatusReading::IndexBeyond { .. } => Some(false),
            StatusReading::Unknown => None,
        }
    }

    /// Whether no list is held that may be used now; then its fetch is requested.
    pub(crate) fn lacks_list(&self) -> bool {
        let now = Now::of(&*self.0.lists.clock);
        let reading = self.read(now);
        let lacks_list = reading == StatusReading::Unknown;
        if lacks_list {
            // A fetch that is refused is requested again at the next look.
            let _ = self.look_up(reading, now);
        }
        lacks_list
    }

    /// Requests a fetch of the list, or joins the one that is under way.
    pub(crate) fn look_up(
        &self,
        reading: StatusReading,
        now: Now,
    ) -> Result<ListTicket, ListUnavailable> {
        let Entry { lists, slot, .. } = &*self.0;
        let reason = match reading {
            StatusReading::IndexBeyond { .. } => FetchReason::IndexBeyond,
            _ => FetchReason::NoList,
        };
        let place = Arc::clone(&lists.waiters).try_acquire_owned();
        let place = place.map_err(|_| ListUnavailable {
            outage: Outage::TooManyWaiting,
            retry_after: SHORTEST_RETRY,
        })?;
        slot.note_read(now.monotonic);
        let fetch = slot.request(reason, now.monotonic);
        let fetch = fetch.map_err(ListUnavailable::after)?;
        // After the request: a slot with one is not evicted.
        if !lists.activate(slot) || refresh_task::start(lists).is_err() {
            slot.cancel_request();
            return Err(ListUnavailable::after(SHORTEST_RETRY));
        }
        lists.requested.notify_one();
        Ok(ListTicket {
            fetch,
            _place: place,
        })
    }

    /// Waits until the fetch has ended, or for 2 s, and reads the list again. An index beyond a list
    /// that was fetched meanwhile is final.
    pub(crate) async fn wait(&self, ticket: ListTicket) -> Result<StatusReading, ListUnavailable> {
        let Entry { lists, slot, .. } = &*self.0;
        let clock = &lists.clock;
        // By the server's clock and by real time, whichever ends first: a clock that stands still must
        // not hold a request.
        let by_clock = clock.sleep_until(clock.monotonic().saturating_add(WAIT));
        let real = Instant::now();
        let in_reality = tokio::time::sleep_until(real.checked_add(WAIT).unwrap_or(real).into());
        let mut finished = slot.finished.subscribe();
        let ended = async {
            let _ = finished.wait_for(|last| *last >= ticket.fetch).await;
        };
        race(ended, race(by_clock, in_reality)).await;
        let now = Now::of(&**clock);
        match self.read(now) {
            StatusReading::IndexBeyond { .. } if slot.has_succeeded(ticket.fetch) => {
                Ok(StatusReading::IndexBeyond { is_final: true })
            }
            reading @ (StatusReading::Accepted
            | StatusReading::NotAccepted(_)
            | StatusReading::IndexBeyond { is_final: true }) => Ok(reading),
            StatusReading::Unknown | StatusReading::IndexBeyond { is_final: false } => {
                Err(ListUnavailable::after(slot.retry_after(now.monotonic)))
            }
        }
    }
}

/// Without the address and the index, which tell one token from another.
impl fmt::Debug for StatusReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusReference").finish_non_exhaustive()
    }
}
