//! One status list by its address: the list that is held, and the bookkeeping of its fetches.
//!
//! Fetches of one list are numbered from 1, one after the other. After a failure a backoff from 1 s to
//! 60 s follows, during which no request causes another fetch.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::model::time::UnixTime;
use crate::runtime::status_list::held_list::HeldList;
use crate::runtime::util::backoff::Backoff;
use crate::runtime::util::swap::SwapCell;

/// First pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Share of a pause that is waited, in percent.
const JITTER: RangeInclusive<u32> = 90..=110;

/// The least `Retry-After`.
pub(super) const SHORTEST_RETRY: Duration = Duration::from_secs(1);

/// Between two fetches that indices beyond the list cause.
const COOLDOWN: Duration = Duration::from_secs(30);

/// A list that nothing has read for so long, and since its last fetch, is dropped in place of the next
/// one. What waits on a status reads it after each fetch, and so keeps it.
const IDLE: Duration = Duration::from_secs(10 * 60);

/// The time of a read is written down once in so many seconds, so that readers do not contend.
const READ_STEP: u64 = 5;

/// A status list by its address.
#[derive(Debug)]
pub(crate) struct ListSlot {
    pub(super) uri: Box<str>,
    pub(super) held: SwapCell<HeldList>,
    /// The second of the monotonic clock of about the last read.
    last_read: AtomicU64,
    state: Mutex<SlotState>,
    /// The last fetch that ended.
    pub(super) finished: watch::Sender<u64>,
}

#[derive(Debug)]
pub(super) struct SlotState {
    started: u64,
    started_at: Duration,
    pub(super) last_success: u64,
    queued: bool,
    pub(super) next_at: Option<Duration>,
    pub(super) backoff: Backoff,
    pub(super) last_error: Option<String>,
    /// When the newest list was issued that was ever held, evicted ones included.
    pub(super) newest: Option<UnixTime>,
}

/// Why a request wants the list fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FetchReason {
    /// No usable list is held.
    NoList,
    /// The token's index is beyond the list that is held, and the token is newer.
    IndexBeyond,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The fetch of this number.
    Fetch(u64),
    /// Nothing reads it any longer.
    Drop,
    /// Nothing before this time.
    At(Option<Duration>),
}

impl ListSlot {
    pub(super) fn new(uri: &str, now: Duration) -> Self {
        Self {
            uri: uri.into(),
            held: SwapCell::empty(),
            last_read: AtomicU64::new(now.as_secs()),
            state: Mutex::new(SlotState {
                started: 0,
                started_at: Duration::ZERO,
                last_success: 0,
                queued: false,
                next_at: None,
                backoff: Backoff::new(FIRST_PAUSE, LONGEST_PAUSE).with_jitter(JITTER),
                last_error: None,
                newest: None,
            }),
            finished: watch::Sender::new(0),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, SlotState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a request reads the list.
    pub(super) fn note_read(&self, now: Duration) {
        let now = now.as_secs();
        if now >= self.last_read.load(Ordering::Relaxed) + READ_STEP {
            self.last_read.store(now, Ordering::Relaxed);
        }
    }

    pub(super) fn last_read(&self) -> Duration {
        Duration::from_secs(self.last_read.load(Ordering::Relaxed))
    }

    fn is_idle(&self, fetched: Duration, now: Duration) -> bool {
        let read = self.last_read();
        let step = Duration::from_secs(READ_STEP);
        now.saturating_sub(read) >= IDLE && read.saturating_add(step) < fetched
    }

    /// The number of a fetch whose end tells more, or the time after which to try again.
    pub(super) fn request(&self, reason: FetchReason, now: Duration) -> Result<u64, Duration> {
        let mut state = self.state();
        if state.is_fetching(*self.finished.borrow()) {
            return Ok(state.started);
        }
        if state.queued {
            return Ok(state.started + 1);
        }
        let earliest = match (reason, state.next_at) {
            (_, Some(at)) if state.backoff.failures() > 0 => at,
            (FetchReason::IndexBeyond, _) if state.started > 0 => state.started_at + COOLDOWN,
            _ => Duration::ZERO,
        };
        if earliest > now {
            return Err(earliest.saturating_sub(now).max(SHORTEST_RETRY));
        }
        state.queued = true;
        Ok(state.started + 1)
    }

    /// Takes a request back that nothing will start.
    pub(super) fn cancel_request(&self) {
        self.state().queued = false;
    }

    /// Starts a fetch, if one is due and there is room for it.
    pub(super) fn start(&self, now: Duration, has_room: bool) -> Due {
        let mut state = self.state();
        if state.is_fetching(*self.finished.borrow()) {
            return Due::At(None);
        }
        let is_scheduled = state.next_at.is_some_and(|at| at <= now);
        if !state.queued {
            if !is_scheduled {
                return Due::At(state.next_at);
            }
            if self.is_idle(state.started_at, now) {
                return Due::Drop;
            }
        }
        if !has_room {
            // The end of another fetch wakes the task.
            return Due::At(None);
        }
        state.queued = false;
        state.next_at = None;
        state.started += 1;
        state.started_at = now;
        Due::Fetch(state.started)
    }

    /// The fetch has ended: requests that wait for it go on.
    pub(super) fn end(&self, fetch: u64) {
        self.finished.send_if_modified(|finished| {
            let is_new = *finished < fetch;
            *finished = fetch.max(*finished);
            is_new
        });
    }

    /// The task has ended: nothing is under way or requested any longer.
    pub(super) fn abandon(&self) {
        let started = {
            let mut state = self.state();
            state.queued = false;
            state.started
        };
        self.end(started + 1);
        self.state().started = started + 1;
    }

    /// The list is no longer held.
    pub(super) fn drop_list(&self) {
        self.held.store(None);
        self.state().next_at = None;
    }

    /// Whether this fetch or a later one brought a list.
    pub(super) fn has_succeeded(&self, fetch: u64) -> bool {
        self.state().last_success >= fetch
    }

    /// When a request may try again.
    pub(super) fn retry_after(&self, now: Duration) -> Duration {
        let next = self.state().next_at;
        let rest = next.map_or(Duration::ZERO, |at| at.saturating_sub(now));
        rest.clamp(SHORTEST_RETRY, LONGEST_PAUSE)
    }
}

impl SlotState {
    const fn is_fetching(&self, finished: u64) -> bool {
        self.started > finished
    }

    pub(super) fn is_under_way(&self, finished: u64) -> bool {
        self.queued || self.is_fetching(finished)
    }

    pub(super) fn succeeded(&mut self, fetch: u64, next_at: Duration) {
        self.last_success = fetch;
        self.last_error = None;
        self.backoff.reset();
        self.next_at = Some(next_at);
    }

    /// `demanded` is the pause that the issuer's server demands.
    pub(super) fn failed(&mut self, error: String, demanded: Option<Duration>, now: Duration) {
        let pause = self.backoff.failed();
        let demanded = demanded.unwrap_or_default().min(LONGEST_PAUSE);
        self.next_at = Some(now.saturating_add(pause.max(demanded)));
        self.last_error = Some(error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn requests_share_a_fetch_and_a_failure_has_a_backoff() {
        let slot = ListSlot::new("https://example.com/1", Duration::ZERO);
        let now = SECOND * 100;
        let request = |now| slot.request(FetchReason::NoList, now);
        assert_eq!((request(now), request(now)), (Ok(1), Ok(1)));
        assert_eq!(slot.start(now, false), Due::At(None));
        assert_eq!(slot.start(now, true), Due::Fetch(1));
        assert_eq!(slot.start(now, true), Due::At(None));
        assert_eq!(request(now), Ok(1));
        slot.state().failed("down".into(), None, now);
        slot.end(1);
        assert!(request(now).is_err_and(|rest| rest <= SECOND * 2));
        assert!(matches!(slot.start(now, true), Due::At(Some(_))));
        assert_eq!(request(now + SECOND * 2), Ok(2));
        // A server that demands more is heard, within bounds.
        slot.note_read(now + SECOND * 2);
        assert_eq!(slot.start(now + SECOND * 2, true), Due::Fetch(2));
        slot.state().failed("busy".into(), Some(SECOND * 900), now);
        slot.end(2);
        assert_eq!(slot.retry_after(now), SECOND * 60);
    }

    #[test]
    fn list_that_nothing_reads_is_dropped_in_place_of_its_refresh() {
        let slot = ListSlot::new("https://example.com/1", Duration::ZERO);
        assert_eq!(slot.request(FetchReason::NoList, Duration::ZERO), Ok(1));
        assert_eq!(slot.start(Duration::ZERO, true), Due::Fetch(1));
        slot.state().succeeded(1, SECOND * 700);
        slot.end(1);
        let at = Some(SECOND * 700);
        assert_eq!(slot.start(SECOND * 699, true), Due::At(at));
        // It was read when it was fetched.
        assert_eq!(slot.start(SECOND * 700, true), Due::Fetch(2));
        slot.state().succeeded(2, SECOND * 1400);
        slot.end(2);
        assert_eq!(slot.start(SECOND * 1400, true), Due::Drop);
        slot.note_read(SECOND * 801);
        assert_eq!(slot.start(SECOND * 1400, true), Due::Fetch(3));
        slot.note_read(SECOND * 1401);
        slot.state().succeeded(3, SECOND * 9000);
        slot.end(3);
        assert_eq!(slot.start(SECOND * 9000, true), Due::Fetch(4));
    }

    #[test]
    fn indices_beyond_the_list_cause_one_fetch_in_the_cooldown() {
        let slot = ListSlot::new("https://example.com/1", Duration::ZERO);
        let beyond = |now| slot.request(FetchReason::IndexBeyond, now);
        assert_eq!(slot.request(FetchReason::NoList, SECOND), Ok(1));
        assert_eq!(slot.start(SECOND, true), Due::Fetch(1));
        slot.state().succeeded(1, SECOND * 500);
        slot.end(1);
        assert_eq!(beyond(SECOND * 2), Err(SECOND * 29));
        assert_eq!(beyond(SECOND * 31), Ok(2));
    }
}
