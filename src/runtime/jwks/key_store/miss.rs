//! A key that is not in the set: what it means, and waiting for the fetch that may bring it.
//!
//! 1. The schedule decides: the key is unknown, a fetch is awaited, or no verdict is possible yet.
//! 2. Waiting is bounded in requests and in time. A request that has waited keeps its place and its
//!    deadlines.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;

use super::RemoteKeys;
use crate::model::error::rejection::Outage;
use crate::runtime::clock::Now;
use crate::runtime::jwks::schedule::{MissAction, MissTicket, SHORTEST_RETRY, Schedule};
use crate::runtime::jwks::snapshot::Generation;
use crate::runtime::util::select::race;

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

/// What a [`Miss`] would be.
#[derive(Debug)]
pub(crate) enum ForeseenMiss {
    Unknown,
    Wait,
    Unavailable {
        outage: Outage,
        retry_after: Duration,
    },
}

/// A permit to wait; dropping it frees the place.
#[derive(Debug)]
#[must_use]
pub(crate) struct WaitTicket {
    miss_ticket: MissTicket,
    /// By the server's clock and by real time, whichever ends first: a clock that stands still
    /// must not hold a request.
    deadlines: (Duration, Instant),
    _slot: OwnedSemaphorePermit,
}

impl RemoteKeys {
    /// What to do about a key that is not there. `searched` is the set that was searched, `None`
    /// where none was loaded; `id` is the token's `kid`; `passed` is the ticket of a request that
    /// has waited before.
    pub(crate) fn miss(
        &self,
        searched: Option<Generation>,
        id: Option<&str>,
        passed: Option<WaitTicket>,
    ) -> Miss {
        let mut state = self.state();
        let now = state.schedule.look(Now::of(&*self.clock));
        let miss_ticket = passed.as_ref().map(|ticket| ticket.miss_ticket);
        let (outage, step) = self.miss_action(&mut state.schedule, searched, id, miss_ticket, now);
        drop(state);
        match step {
            MissAction::Unknown => Miss::Unknown,
            MissAction::Later(retry_after) => Miss::Unavailable {
                outage,
                retry_after,
            },
            MissAction::Await(miss_ticket) => {
                self.requested.notify_one();
                self.admit(miss_ticket, passed, now, outage)
            }
        }
    }

    /// What the schedule says of a key that is not there.
    fn miss_action(
        &self,
        schedule: &mut Schedule,
        searched: Option<Generation>,
        id: Option<&str>,
        miss_ticket: Option<MissTicket>,
        now: Duration,
    ) -> (Outage, MissAction) {
        match (self.current(), searched) {
            (Err(outage), _) => (outage, schedule.without_keys(miss_ticket, now)),
            (Ok(loaded), Some(searched)) if loaded.searched() == searched => (
                Outage::KeyUnconfirmed,
                match id {
                    Some(id) => schedule.unknown_id(id, searched.0, miss_ticket, now),
                    None => schedule.no_id(searched.0, miss_ticket, now),
                },
            ),
            // The set was replaced between the search and the miss: search again, at once.
            (Ok(_), _) => {
                let until = schedule.finished();
                let seen = miss_ticket.map_or(until, |miss_ticket| miss_ticket.seen);
                let action = MissAction::Await(MissTicket { seen, until });
                (Outage::KeyUnconfirmed, action)
            }
        }
    }

    /// Whether [`miss`](Self::miss) would say that the key is unknown, and do nothing else: the current
    /// set cannot have it, and a fetch that started after the id was first seen brought that set.
    pub(crate) fn is_known_to_lack(&self, id: &str) -> bool {
        let mut state = self.state();
        let reading = Now::of(&*self.clock);
        let now = state.schedule.look(reading);
        let Ok(loaded) = self.current_at(|| reading) else {
            return false;
        };
        !loaded.may_have(id)
            && state
                .schedule
                .is_known_to_lack(id, loaded.searched().0, now)
    }

    /// What [`miss`](Self::miss) would do about a key that is not there: nothing is fetched, counted or
    /// remembered.
    pub(crate) fn foresee_miss(
        &self,
        searched: Option<Generation>,
        id: Option<&str>,
    ) -> ForeseenMiss {
        let mut schedule = self.state().schedule.clone();
        let now = schedule.look(Now::of(&*self.clock));
        match self.miss_action(&mut schedule, searched, id, None, now) {
            (_, MissAction::Unknown) => ForeseenMiss::Unknown,
            (_, MissAction::Await(_)) => ForeseenMiss::Wait,
            (outage, MissAction::Later(retry_after)) => ForeseenMiss::Unavailable {
                outage,
                retry_after,
            },
        }
    }

    /// Waits until the ticket's fetch has ended, or the ticket's time is over.
    pub(crate) async fn wait(&self, ticket: &WaitTicket) {
        // Where no refresh task can run there is nothing to wait for, and no timer either.
        if tokio::runtime::Handle::try_current().is_err() || !self.progress.borrow().running {
            return;
        }
        let until = ticket.miss_ticket.until;
        let (by_clock, in_reality) = ticket.deadlines;
        let timeout = race(
            self.clock.sleep_until(by_clock),
            tokio::time::sleep_until(in_reality.into()),
        );
        race(self.ended(until), timeout).await;
    }

    /// A ticket to wait with. A request that has waited keeps its place and its time.
    fn admit(
        &self,
        miss_ticket: MissTicket,
        passed: Option<WaitTicket>,
        now: Duration,
        outage: Outage,
    ) -> Miss {
        if let Some(ticket) = passed {
            let (by_clock, in_reality) = ticket.deadlines;
            if now >= by_clock || Instant::now() >= in_reality {
                return Miss::Unavailable {
                    outage,
                    retry_after: SHORTEST_RETRY,
                };
            }
            return Miss::Wait(WaitTicket {
                miss_ticket,
                ..ticket
            });
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
            miss_ticket,
            deadlines: (
                now.saturating_add(wait),
                in_reality.checked_add(wait).unwrap_or(in_reality),
            ),
            _slot: slot,
        })
    }
}

#[cfg(test)]
mod tests;
