//! When an issuer's keys are fetched, and what a missing key means meanwhile.
//!
//! Pure bookkeeping: `now` is an argument, and fetches are numbered from 1, one after the other.
//!
//! 1. After a success the next fetch follows after `max-age`, bounded, or after the interval; after a
//!    failure after a backoff from 1 s to 60 s. Both have jitter, so that fleets do not pulse.
//! 2. Misses have a cooldown of their own, counted from the *attempt*: a failing issuer is not
//!    hammered, and misses caused by forged tokens never use up the refresh that a rotation needs.
//! 3. A key is unknown only when the set that was searched comes from a fetch that started after the
//!    key's id was first seen. Until then the server cannot tell: 503, not 401.
//! 4. No request waits for the same fetch twice.
//! 5. The cooldown is over when it is over by either clock: the monotonic one stands still
//!    while the machine is suspended.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::model::time::UnixTime;
use crate::runtime::clock::Now;
use crate::runtime::util::backoff::{Backoff, jittered};

/// First pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Longest pause after a failure: a recovered issuer is noticed within a minute.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Share of a pause or an interval that is waited, in percent.
const JITTER: RangeInclusive<u32> = 90..=110;

/// The least `Retry-After`.
pub(crate) const SHORTEST_RETRY: Duration = Duration::from_secs(1);

/// The most unknown key ids that are remembered: clients choose them, so that their number must be
/// bounded.
const MAX_SEEN: usize = 1024;

/// How a key set is kept fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RefreshLimits {
    /// Between two refreshes, where the issuer states no `max-age`.
    pub(crate) interval: Duration,
    /// The lower bound on an issuer's `max-age`.
    pub(crate) min: Duration,
    /// The upper bound on an issuer's `max-age`.
    pub(crate) max: Duration,
    /// Between two fetches that misses cause.
    pub(crate) cooldown: Duration,
    /// How long keys are used after the last success.
    pub(crate) max_stale: Duration,
    /// How long a request waits for a fetch.
    pub(crate) wait: Duration,
    /// How many requests wait at the same time.
    pub(crate) max_waiters: usize,
}

impl Default for RefreshLimits {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10 * 60),
            min: Duration::from_secs(60),
            max: Duration::from_secs(60 * 60),
            cooldown: Duration::from_secs(30),
            max_stale: Duration::from_secs(24 * 60 * 60),
            wait: Duration::from_secs(2),
            max_waiters: 256,
        }
    }
}

/// The schedule of one issuer. A clone tells what would happen.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    limits: RefreshLimits,
    lazy: bool,
    started: u64,
    finished: u64,
    last_success: u64,
    /// Flights up to this one do not count: the operator dropped the keys since.
    void: u64,
    /// A fetch was requested and has not started.
    queued: bool,
    missed_at: Option<Now>,
    /// The wall clock when it was last read.
    wall: UnixTime,
    next_at: Option<Duration>,
    backoff: Backoff,
    failing_since: Option<Duration>,
    /// Hash of an unknown key's id -> fetches that had started when it was first seen.
    seen: HashMap<u64, u64>,
    hasher: RandomState,
}

/// Which fetch a request waits for that misses a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MissTicket {
    /// Flights that had started when the key was first seen.
    pub(crate) seen: u64,
    /// The fetch whose end is awaited.
    pub(crate) until: u64,
}

/// What a missing key means.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MissAction {
    /// The issuer has no such key.
    Unknown,
    /// The end of a fetch will tell.
    Await(MissTicket),
    /// It cannot be known before this time has passed.
    Later(Duration),
}

impl Schedule {
    /// Nothing has been fetched. A lazy schedule waits for the first miss.
    pub(crate) fn new(limits: RefreshLimits, lazy: bool) -> Self {
        Self {
            limits,
            lazy,
            started: 0,
            finished: 0,
            last_success: 0,
            void: 0,
            queued: false,
            missed_at: None,
            wall: UnixTime::from_secs(0),
            next_at: None,
            backoff: Backoff::new(FIRST_PAUSE, LONGEST_PAUSE).with_jitter(JITTER),
            failing_since: None,
            seen: HashMap::new(),
            hasher: RandomState::new(),
        }
    }

    /// Sets the clock for the calls that follow.
    pub(crate) const fn look(&mut self, now: Now) -> Duration {
        self.wall = now.wall;
        now.monotonic
    }

    /// The limits.
    pub(crate) const fn limits(&self) -> &RefreshLimits {
        &self.limits
    }

    /// Whether nothing was loaded, and nothing will be before the first miss.
    pub(crate) const fn is_on_demand(&self) -> bool {
        self.lazy && self.last_success == 0
    }

    /// The last fetch that ended.
    pub(crate) const fn finished(&self) -> u64 {
        self.finished
    }

    /// The last fetch that brought keys, or 0.
    pub(crate) const fn last_success(&self) -> u64 {
        self.last_success
    }

    /// Failures since the last success.
    pub(crate) const fn failures(&self) -> u32 {
        self.backoff.failures()
    }

    /// When the first of those failures ended.
    pub(crate) const fn failing_since(&self) -> Option<Duration> {
        self.failing_since
    }

    /// Time until the next scheduled fetch; zero while one runs or is requested.
    pub(crate) fn next_attempt(&self, now: Duration) -> Option<Duration> {
        if self.queued || self.is_fetching() {
            return Some(Duration::ZERO);
        }
        self.next_at.map(|at| at.saturating_sub(now))
    }

    /// When the next fetch is due; `None` where only a request causes one.
    pub(crate) const fn wake_at(&self) -> Option<Duration> {
        self.next_at
    }

    /// Requests a fetch that starts from now on, or shares one that is requested already. Its number.
    pub(crate) fn queue(&mut self) -> u64 {
        self.queued = true;
        self.started + 1
    }

    /// Requests the first fetch, unless it is on demand.
    pub(crate) fn queue_first(&mut self) {
        if !self.is_on_demand() {
            self.queued = true;
        }
    }

    /// Starts a fetch, if one is due.
    pub(crate) fn begin(&mut self, now: Duration) -> Option<u64> {
        let scheduled = self.next_at.is_some_and(|at| at <= now);
        if !self.queued && !scheduled {
            return None;
        }
        if scheduled {
            self.next_at = None;
        }
        self.queued = false;
        self.started += 1;
        Some(self.started)
    }

    /// A fetch brought keys. How long they are fresh; `None` where the keys were dropped since it
    /// started.
    pub(crate) fn succeed(
        &mut self,
        fetch: u64,
        now: Duration,
        max_age: Option<Duration>,
    ) -> Option<Duration> {
        self.finished = fetch;
        if fetch <= self.void {
            return None;
        }
        self.last_success = fetch;
        self.backoff.reset();
        self.failing_since = None;
        let refresh = match max_age {
            Some(requested) => requested.max(self.limits.min).min(self.limits.max),
            None => self.limits.interval,
        };
        self.next_at = Some(now.saturating_add(jittered(refresh, &JITTER)));
        Some(refresh)
    }

    /// A fetch failed. `false` where the keys were dropped since it started.
    pub(crate) fn fail(&mut self, fetch: u64, now: Duration) -> bool {
        self.finished = fetch;
        if fetch <= self.void {
            return false;
        }
        let pause = self.backoff.failed();
        self.failing_since.get_or_insert(now);
        if !self.is_on_demand() {
            let at = now.saturating_add(pause);
            // A failed fetch that a miss caused does not postpone a scheduled one.
            self.next_at = Some(self.next_at.map_or(at, |earlier| earlier.min(at)));
        }
        true
    }

    /// The task has ended, and with it a running fetch.
    pub(crate) fn abandon(&mut self) {
        self.finished = self.started;
    }

    /// The keys were dropped: a running fetch does not count, and a new one is requested. The last fetch
    /// that does not count.
    pub(crate) fn drop_keys(&mut self) -> u64 {
        self.void = self.started;
        self.seen.clear();
        self.queue_first();
        self.void
    }

    /// Whether keys were dropped, and no fetch has brought keys since.
    pub(crate) const fn is_void(&self) -> bool {
        self.void > 0 && self.last_success <= self.void
    }

    /// A token needs keys, and there are none, or they are too old.
    pub(crate) fn without_keys(&mut self, passed: Option<MissTicket>, now: Duration) -> MissAction {
        let joined = self.join(0);
        if passed.is_none() {
            let until = joined.or_else(|| self.trigger(now));
            if let Some(until) = until {
                let seen = self.started;
                return MissAction::Await(MissTicket { seen, until });
            }
        }
        let rest = match (joined, self.next_at) {
            (Some(_), _) => SHORTEST_RETRY,
            (None, None) => self.cooldown(now),
            (None, Some(at)) => self.cooldown(now).min(at.saturating_sub(now)),
        };
        MissAction::Later(rest.max(SHORTEST_RETRY))
    }

    /// A token names a key that the set of the fetch `searched` lacks.
    pub(crate) fn unknown_id(
        &mut self,
        id: &str,
        searched: u64,
        passed: Option<MissTicket>,
        now: Duration,
    ) -> MissAction {
        let hash = self.hasher.hash_one(id);
        let mut seen = match self.seen.get(&hash) {
            Some(seen) => *seen,
            None => self.remember(
                hash,
                passed.map_or(self.started, |miss_ticket| miss_ticket.seen),
            ),
        };
        if searched > seen {
            if passed.is_some() || !self.cooldown(now).is_zero() {
                return MissAction::Unknown;
            }
            // The key may have been published since: the next fetch decides.
            seen = self.remember(hash, self.started);
        }
        let joined = self.join(seen);
        if let (Some(until), Some(miss_ticket)) = (joined, passed) {
            if until <= miss_ticket.until {
                return MissAction::Later(SHORTEST_RETRY); // it has waited for this one already
            }
        }
        match joined.or_else(|| self.trigger(now)) {
            Some(until) => MissAction::Await(MissTicket { seen, until }),
            None => MissAction::Later(self.cooldown(now).max(SHORTEST_RETRY)),
        }
    }

    /// Whether [`unknown_id`](Self::unknown_id) would say that the key is unknown, and change nothing.
    pub(crate) fn is_known_to_lack(&self, id: &str, searched: u64, now: Duration) -> bool {
        let seen = self.seen.get(&self.hasher.hash_one(id));
        seen.is_some_and(|seen| searched > *seen) && !self.cooldown(now).is_zero()
    }

    /// A token names no key, and no key verifies it: after a rotation the only sign of it.
    pub(crate) fn no_id(
        &mut self,
        searched: u64,
        passed: Option<MissTicket>,
        now: Duration,
    ) -> MissAction {
        if let Some(miss_ticket) = passed {
            // The fetch that was waited for brought no keys, so it cannot be known.
            return if searched > miss_ticket.seen {
                MissAction::Unknown
            } else {
                MissAction::Later(self.cooldown(now).max(SHORTEST_RETRY))
            };
        }
        // Requests that come while the first one's fetch runs share it.
        match self.trigger(now).or_else(|| self.join(0)) {
            Some(until) => MissAction::Await(MissTicket {
                seen: until.saturating_sub(1),
                until,
            }),
            // The issuer does not answer, so a rotation would go unnoticed.
            None if self.failures() > 0 => {
                MissAction::Later(self.cooldown(now).max(SHORTEST_RETRY))
            }
            None => MissAction::Unknown,
        }
    }

    const fn at(&self, monotonic: Duration) -> Now {
        Now {
            wall: self.wall,
            monotonic,
        }
    }

    const fn is_fetching(&self) -> bool {
        self.started > self.finished
    }

    /// The next fetch to end that counts and whose number is greater than `after`.
    fn join(&self, after: u64) -> Option<u64> {
        if self.is_fetching() && self.started > after && self.started > self.void {
            return Some(self.started);
        }
        self.queued.then_some(self.started + 1)
    }

    /// Requests a fetch because of a miss, if the cooldown is over.
    fn trigger(&mut self, now: Duration) -> Option<u64> {
        if !self.cooldown(now).is_zero() {
            return None;
        }
        self.missed_at = Some(self.at(now));
        Some(self.queue())
    }

    /// The rest of the cooldown.
    fn cooldown(&self, now: Duration) -> Duration {
        self.missed_at.map_or(Duration::ZERO, |at| {
            let passed = at.elapsed(self.at(now));
            self.limits.cooldown.saturating_sub(passed)
        })
    }

    /// A known key is not in the set that this fetch brought: it is unknown from now on, without
    /// another fetch.
    pub(crate) fn retire(&mut self, id: &str, fetch: u64) {
        let hash = self.hasher.hash_one(id);
        self.remember(hash, fetch.saturating_sub(1));
    }

    fn remember(&mut self, hash: u64, seen: u64) -> u64 {
        if self.seen.len() >= MAX_SEEN && !self.seen.contains_key(&hash) {
            self.seen.clear();
        }
        self.seen.insert(hash, seen);
        seen
    }
}

#[cfg(test)]
mod tests;
