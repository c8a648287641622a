//! When an issuer is asked for its keys, and what a missing key means meanwhile.
//!
//! Pure bookkeeping: `now` is an argument, and flights (attempts to fetch) are numbered from 1,
//! one after the other.
//!
//! 1. After a success the next flight comes after `max-age` between its bounds, or the interval;
//!    after a failure after 1 s, doubling to 60 s. Both with 10 % of jitter: fleets must not pulse.
//! 2. Misses have a cooldown of their own, counted from the *attempt*: a failing issuer is not
//!    hammered, and strangers' misses never use up the refresh that a rotation needs.
//! 3. A key is unknown only when the set that was searched comes from a flight that started
//!    after the key's id was first seen. Anything else is not known yet, which is our fault and
//!    not the caller's.
//! 4. Nobody waits for the same flight twice.
//! 5. The cooldown is over when either reading of the clock says so: the monotonic one stands still
//!    while the machine is suspended, and whoever wakes must not wait for it.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::model::time::UnixTime;
use crate::runtime::clock::Now;
use crate::runtime::util::backoff::{Backoff, jittered};

/// First pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Longest pause after a failure: an issuer that is back is noticed within a minute.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Share of a pause or an interval that is waited, in percent.
const JITTER: RangeInclusive<u32> = 90..=110;

/// Nobody is told to come back sooner.
pub(crate) const SHORTEST_RETRY: Duration = Duration::from_secs(1);

/// Key ids that are remembered as unknown. Strangers choose them, so the number is bounded.
const MAX_SEEN: usize = 1024;

/// How a key set is kept fresh.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RefreshLimits {
    /// Between two refreshes, where the issuer does not say.
    pub(crate) interval: Duration,
    /// The least that an issuer's `max-age` can ask for.
    pub(crate) min: Duration,
    /// The most that an issuer's `max-age` can ask for.
    pub(crate) max: Duration,
    /// Between two fetches that a miss caused.
    pub(crate) cooldown: Duration,
    /// How long keys are used after the last success.
    pub(crate) max_stale: Duration,
    /// How long a request waits for a flight.
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

/// The flights of one issuer.
#[derive(Debug)]
pub(crate) struct Schedule {
    limits: RefreshLimits,
    lazy: bool,
    started: u64,
    finished: u64,
    last_success: u64,
    /// Flights up to this one do not count: the operator dropped the keys since.
    void: u64,
    /// A flight was asked for and has not started.
    queued: bool,
    missed_at: Option<Now>,
    /// The wall clock at the latest look.
    wall: UnixTime,
    next_at: Option<Duration>,
    backoff: Backoff,
    failing_since: Option<Duration>,
    /// Hash of an unknown key's id -> flights that had started when it was first seen.
    seen: HashMap<u64, u64>,
    hasher: RandomState,
}

/// What a request that misses a key holds while it waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MissTicket {
    /// Flights that had started when the key was first seen.
    pub(crate) seen: u64,
    /// The flight whose end is awaited.
    pub(crate) until: u64,
}

/// What a missing key means.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MissAction {
    /// The issuer has no such key.
    Unknown,
    /// A flight will tell.
    Await(MissTicket),
    /// Nobody can tell before this time has passed.
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

    /// Looks at the clock; what is asked next is asked now.
    pub(crate) const fn look(&mut self, now: Now) -> Duration {
        self.wall = now.wall;
        now.monotonic
    }

    /// The limits.
    pub(crate) const fn limits(&self) -> &RefreshLimits {
        &self.limits
    }

    /// Whether nothing was ever loaded and nothing will be before the first miss.
    pub(crate) const fn is_on_demand(&self) -> bool {
        self.lazy && self.last_success == 0
    }

    /// The last flight that ended.
    pub(crate) const fn finished(&self) -> u64 {
        self.finished
    }

    /// The last flight that brought keys, or 0.
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

    /// Time until the next flight that is certain to come.
    pub(crate) fn next_attempt(&self, now: Duration) -> Option<Duration> {
        if self.queued || self.is_flying() {
            return Some(Duration::ZERO);
        }
        self.next_at.map(|at| at.saturating_sub(now))
    }

    /// When to look again; `None` for "when asked".
    pub(crate) const fn wake_at(&self) -> Option<Duration> {
        self.next_at
    }

    /// Asks for a flight that starts from now on; shares one that was asked for already.
    pub(crate) fn queue(&mut self) -> u64 {
        self.queued = true;
        self.started + 1
    }

    /// Asks for the first flight, unless a miss has to.
    pub(crate) fn queue_first(&mut self) {
        if !self.is_on_demand() {
            self.queued = true;
        }
    }

    /// Starts a flight, if one is due.
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

    /// Ends a flight that brought keys; how long they are fresh. `None` when it does not count.
    pub(crate) fn succeed(
        &mut self,
        flight: u64,
        now: Duration,
        max_age: Option<Duration>,
    ) -> Option<Duration> {
        self.finished = flight;
        if flight <= self.void {
            return None;
        }
        self.last_success = flight;
        self.backoff.reset();
        self.failing_since = None;
        let refresh = match max_age {
            Some(asked) => asked.max(self.limits.min).min(self.limits.max),
            None => self.limits.interval,
        };
        self.next_at = Some(now.saturating_add(jittered(refresh, &JITTER)));
        Some(refresh)
    }

    /// Ends a flight that brought nothing. `false` when it does not count.
    pub(crate) fn fail(&mut self, flight: u64, now: Duration) -> bool {
        self.finished = flight;
        if flight <= self.void {
            return false;
        }
        let pause = self.backoff.failed();
        self.failing_since.get_or_insert(now);
        if !self.is_on_demand() {
            let at = now.saturating_add(pause);
            // A miss that fails must not postpone what was due earlier.
            self.next_at = Some(self.next_at.map_or(at, |earlier| earlier.min(at)));
        }
        true
    }

    /// The flights' task is gone, and with it the flight that was under way.
    pub(crate) fn abandon(&mut self) {
        self.finished = self.started;
    }

    /// The keys were dropped: what is under way does not count, and a new flight is asked for.
    pub(crate) fn drop_keys(&mut self) {
        self.void = self.started;
        self.seen.clear();
        self.queue_first();
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

    /// A token names a key that the set of the flight `searched` lacks.
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
            None => self.remember(hash, passed.map_or(self.started, |drawn| drawn.seen)),
        };
        if searched > seen {
            if passed.is_some() || !self.cooldown(now).is_zero() {
                return MissAction::Unknown;
            }
            // The key may have been published since. Asking anew makes the old answer void.
            seen = self.remember(hash, self.started);
        }
        let joined = self.join(seen);
        if let (Some(until), Some(drawn)) = (joined, passed) {
            if until <= drawn.until {
                return MissAction::Later(SHORTEST_RETRY); // waited for it already, in vain
            }
        }
        match joined.or_else(|| self.trigger(now)) {
            Some(until) => MissAction::Await(MissTicket { seen, until }),
            None => MissAction::Later(self.cooldown(now).max(SHORTEST_RETRY)),
        }
    }

    /// A token names no key, and no key verifies it. After a rotation this is the only sign.
    pub(crate) fn no_id(
        &mut self,
        searched: u64,
        passed: Option<MissTicket>,
        now: Duration,
    ) -> MissAction {
        if let Some(drawn) = passed {
            // The flight that was waited for brought no keys: nobody knows.
            return if searched > drawn.seen {
                MissAction::Unknown
            } else {
                MissAction::Later(self.cooldown(now).max(SHORTEST_RETRY))
            };
        }
        // Those that come while the first one's flight is under way share it.
        match self.trigger(now).or_else(|| self.join(0)) {
            Some(until) => MissAction::Await(MissTicket {
                seen: until.saturating_sub(1),
                until,
            }),
            // The issuer does not answer, so a rotation would not show.
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

    const fn is_flying(&self) -> bool {
        self.started > self.finished
    }

    /// The next flight to end that counts and that starts, or started, as number `after` + 1 or
    /// later.
    fn join(&self, after: u64) -> Option<u64> {
        if self.is_flying() && self.started > after && self.started > self.void {
            return Some(self.started);
        }
        self.queued.then_some(self.started + 1)
    }

    /// Asks for a flight because of a miss, if the cooldown is over.
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

    /// A key that was known is not in the set that this flight brought: it was first seen
    /// before, so its absence is certain at once.
    pub(crate) fn retire(&mut self, id: &str, flight: u64) {
        let hash = self.hasher.hash_one(id);
        self.remember(hash, flight.saturating_sub(1));
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
