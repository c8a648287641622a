//! Asking an issuer about tokens: one question for each token, and only so many at a time.
//!
//! 1. Whoever asks about the same token shares one question. It is asked in a task of its own: a
//!    client that goes away cancels nothing.
//! 2. So many questions are under way at a time, so many tokens and requests wait, and a request
//!    waits for so long. Beyond each of these it is answered 503.
//! 3. A question that failed is no verdict, and nothing is remembered of it. See
//!    [`record`](super::record) for how an endpoint that fails is left alone.
//! 4. A question whose turn comes when nobody waits any longer is not asked.
//!
//! What an answer means is the examiner's business, and so is what is remembered of it.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::clock::Clock;
use super::discovery::RefreshError;
pub(crate) use super::endpoint::{Endpoint, Said};
use super::flights::{Boarding, Departure, Flights, Landing};
use super::oracle;
pub(crate) use super::oracle::{AskedAt, Oracle, Trouble};
use super::race::{Either, race};
use super::record::{IntrospectionStatus, Record};
use super::verified::{Digest, Tally};
use crate::model::rejection::Outage;

/// Tokens that are asked about, or wait for their turn.
const MOST_FLIGHTS: usize = 256;

/// Requests that wait; many of them for the same token.
const MOST_WAITERS: usize = 2048;

/// When a request that found no place may come again.
const SHORTLY: Duration = Duration::from_secs(1);

/// How much is asked, and how long is waited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AskingLimits {
    /// Questions at a time.
    pub(crate) calls: usize,
    /// How long a request waits.
    pub(crate) patience: Duration,
}

/// Who makes a verdict of an answer, and remembers it.
pub(crate) trait Examiner: Send + Sync + 'static {
    /// Who is asked.
    type Oracle: Oracle;
    type Verdict: Clone + Send + Sync + 'static;

    /// The verdict on a token that is remembered by now.
    fn remembered(&self, digest: Digest, now: Duration) -> Option<Self::Verdict>;

    /// Makes a verdict, and remembers it.
    fn examine(
        &self,
        digest: Digest,
        said: <Self::Oracle as Oracle>::Said,
        asked: AskedAt,
    ) -> impl Future<Output = Result<Self::Verdict, Trouble>> + Send;
}

/// Asks one issuer.
pub(crate) struct Introspector<E: Examiner> {
    examiner: E,
    endpoint: E::Oracle,
    clock: Arc<dyn Clock>,
    limits: AskingLimits,
    flights: Flights<Digest, Result<E::Verdict, Trouble>>,
    calls: Semaphore,
    places: Arc<Semaphore>,
    record: Record,
}

/// A place among those who wait for a verdict; free again when it is dropped.
#[must_use]
pub(crate) struct Ticket<V> {
    landing: Landing<Result<V, Trouble>>,
    /// By the server's clock and by real time, whichever ends first: a clock that stands still
    /// must not hold a request.
    patience: (Duration, Instant),
    clock: Arc<dyn Clock>,
    _place: OwnedSemaphorePermit,
}

/// Why there is no verdict, as the request hears it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NotAsked {
    pub(crate) outage: Outage,
    pub(crate) retry_after: Duration,
}

impl NotAsked {
    /// For now; the request may come again shortly.
    pub(crate) const fn now(outage: Outage) -> Self {
        Self {
            outage,
            retry_after: SHORTLY,
        }
    }
}

impl<E: Examiner> Introspector<E> {
    pub(crate) fn new(
        examiner: E,
        endpoint: E::Oracle,
        limits: AskingLimits,
        clock: &Arc<dyn Clock>,
    ) -> Arc<Self> {
        Arc::new(Self {
            examiner,
            clock: Arc::clone(clock),
            limits,
            flights: Flights::new(MOST_FLIGHTS),
            calls: Semaphore::new(limits.calls),
            places: Arc::new(Semaphore::new(MOST_WAITERS)),
            record: Record::of(endpoint.whereabouts().issuer(), E::Oracle::WORDS),
            endpoint,
        })
    }

    pub(crate) const fn examiner(&self) -> &E {
        &self.examiner
    }

    /// Asks about a token, or joins those who do.
    pub(crate) fn ask(
        self: &Arc<Self>,
        digest: Digest,
        token: &str,
    ) -> Result<Ticket<E::Verdict>, NotAsked> {
        let now = self.clock.monotonic();
        let runtime = tokio::runtime::Handle::try_current()
            .map_err(|_| NotAsked::now(Outage::IntrospectionFailed))?;
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| NotAsked::now(Outage::TooManyWaiting))?;
        if let Some((outage, rest)) = self.record.resting(now) {
            return Err(NotAsked {
                outage,
                retry_after: rest.max(SHORTLY),
            });
        }
        let landing = match self.flights.board(digest) {
            Boarding::Joined(landing) => landing,
            Boarding::First(landing, departure) => {
                let flight = Arc::clone(self).fly(departure, digest, token.to_owned());
                runtime.spawn(flight);
                landing
            }
            Boarding::Full => return Err(NotAsked::now(Outage::TooManyWaiting)),
        };
        let in_reality = Instant::now();
        let patience = self.limits.patience;
        Ok(Ticket {
            landing,
            patience: (
                now.saturating_add(patience),
                in_reality.checked_add(patience).unwrap_or(in_reality),
            ),
            clock: Arc::clone(&self.clock),
            _place: place,
        })
    }

    /// Looks the endpoint up, where that has to be done.
    pub(crate) async fn locate(&self) -> Result<(), RefreshError> {
        let now = self.clock.monotonic();
        self.endpoint.whereabouts().find(now).await.map(drop)
    }

    pub(crate) const fn endpoint(&self) -> &E::Oracle {
        &self.endpoint
    }

    pub(crate) fn status(&self, cache: Tally) -> IntrospectionStatus {
        self.record
            .status(self.clock.monotonic(), self.flights.len(), cache)
    }

    async fn fly(
        self: Arc<Self>,
        departure: Departure<Digest, Result<E::Verdict, Trouble>>,
        digest: Digest,
        token: String,
    ) {
        // Whoever looked just before the flight before this one landed is served by that one.
        let now = self.clock.monotonic();
        if let Some(verdict) = self.examiner.remembered(digest, now) {
            return departure.land(Ok(verdict));
        }
        let Ok(_call) = self.calls.acquire().await else {
            return;
        };
        if departure.is_awaited() {
            let outcome = self.call(digest, &token).await;
            departure.land(outcome);
        }
    }

    async fn call(&self, digest: Digest, token: &str) -> Result<E::Verdict, Trouble> {
        let asked = AskedAt {
            wall: self.clock.now(),
            monotonic: self.clock.monotonic(),
        };
        self.record.called();
        let said = oracle::ask(&self.endpoint, token, asked).await;
        let outcome = match said {
            Ok(said) => self.examiner.examine(digest, said, asked).await,
            Err(trouble) => Err(trouble),
        };
        match &outcome {
            Ok(_) => self.record.answered(),
            Err(trouble) => self.record.failed(trouble, self.clock.monotonic()),
        }
        outcome
    }
}

impl<V: Clone> Ticket<V> {
    /// Waits for the verdict, within the ticket's patience.
    pub(crate) async fn wait(mut self) -> Result<V, NotAsked> {
        let (by_clock, in_reality) = self.patience;
        let impatient = race(
            self.clock.sleep_until(by_clock),
            tokio::time::sleep_until(in_reality.into()),
        );
        let failed = |outage, rest: Option<Duration>| NotAsked {
            outage,
            retry_after: rest.unwrap_or(SHORTLY).max(SHORTLY),
        };
        match race(self.landing.landed(), impatient).await {
            Either::First(Some(Ok(verdict))) => Ok(verdict),
            Either::First(Some(Err(trouble))) => Err(failed(trouble.outage, trouble.rest)),
            // The runtime that asked was shut down.
            Either::First(None) => Err(failed(Outage::IntrospectionFailed, None)),
            Either::Second(_) => Err(failed(Outage::IntrospectionTimedOut, None)),
        }
    }
}
