//! Asking an issuer about tokens: one question for each token, and only so many at a time.
//!
//! 1. Whoever asks about the same token shares one question. It is asked in a task of its own: a
//!    client that goes away cancels nothing.
//! 2. So many questions are under way at a time, so many tokens and requests wait, and a request
//!    waits for so long. Beyond each of these it is answered 503.
//! 3. A question that failed is no verdict. It concerns the token that was asked about: see
//!    [`setbacks`](super::setbacks) for how long that one is not asked about, and
//!    [`breaker`](super::breaker) for when an endpoint that fails is left alone by all.
//! 4. A question whose turn comes when nobody waits any longer is not asked.
//!
//! What an answer means is the examiner's business, and so is what is remembered of it.

use std::future::Future;
use std::sync::Arc;
#[cfg(feature = "redis")]
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::model::error::rejection::Outage;
#[cfg(feature = "redis")]
use crate::model::time::UnixTime;
use crate::runtime::cache::token_cache::{CacheStats, TokenDigest};
use crate::runtime::clock::{Clock, Now};
use crate::runtime::discovery::metadata::RefreshError;
use crate::runtime::lookup::endpoint;
pub(crate) use crate::runtime::lookup::endpoint::{EndpointError, RemoteEndpoint, RequestTime};
use crate::runtime::lookup::failed_tokens::{FailedTokens, TokenSender};
use crate::runtime::lookup::single_flight::{Follower, Join, Leader, SingleFlight};
use crate::runtime::lookup::status::{IntrospectionStatus, LookupHealth, LookupPermit};
#[cfg(feature = "redis")]
use crate::runtime::shared::introspection_cache::{IssuerCache, SharedResponse};
use crate::runtime::util::select::{Either, race};

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
pub(crate) trait ResponseHandler: Send + Sync + 'static {
    /// Who is asked.
    type Oracle: RemoteEndpoint;
    type Verdict: Clone + Send + Sync + 'static;

    /// The verdict on a token that is remembered by now.
    fn remembered(&self, digest: TokenDigest, now: Now) -> Option<Self::Verdict>;

    /// Makes a verdict, and remembers it.
    fn examine(
        &self,
        digest: TokenDigest,
        said: <Self::Oracle as RemoteEndpoint>::Said,
        asked: RequestTime,
    ) -> impl Future<Output = Result<Self::Verdict, EndpointError>> + Send;

    /// Until when other instances may believe the answer; `None` where they may not.
    #[cfg(feature = "redis")]
    fn good_until(&self, _: &Self::Verdict, _: RequestTime) -> Option<UnixTime> {
        None
    }
}

/// What is said to this examiner.
type ResponseOf<E> = <<E as ResponseHandler>::Oracle as RemoteEndpoint>::Said;

/// Asks one issuer.
pub(crate) struct RemoteLookup<E: ResponseHandler> {
    examiner: E,
    endpoint: E::Oracle,
    clock: Arc<dyn Clock>,
    limits: AskingLimits,
    flights: SingleFlight<TokenDigest, Result<E::Verdict, EndpointError>>,
    calls: Semaphore,
    places: Arc<Semaphore>,
    record: Arc<LookupHealth>,
    setbacks: FailedTokens,
    /// Where instances share answers.
    #[cfg(feature = "redis")]
    archive: OnceLock<IssuerCache>,
}

/// A place among those who wait for a verdict; free again when it is dropped.
#[must_use]
pub(crate) struct LookupTicket<V> {
    landing: Follower<Result<V, EndpointError>>,
    /// By the server's clock and by real time, whichever ends first: a clock that stands still
    /// must not hold a request.
    patience: (Duration, Instant),
    clock: Arc<dyn Clock>,
    _place: OwnedSemaphorePermit,
}

/// Why there is no verdict, as the request hears it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LookupUnavailable {
    pub(crate) outage: Outage,
    pub(crate) retry_after: Duration,
}

impl LookupUnavailable {
    /// For now; the request may come again shortly.
    pub(crate) const fn now(outage: Outage) -> Self {
        Self {
            outage,
            retry_after: SHORTLY,
        }
    }
}

impl<E: ResponseHandler> RemoteLookup<E> {
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
            flights: SingleFlight::new(MOST_FLIGHTS),
            calls: Semaphore::new(limits.calls),
            places: Arc::new(Semaphore::new(MOST_WAITERS)),
            record: LookupHealth::of(endpoint.whereabouts().issuer(), E::Oracle::WORDS),
            setbacks: FailedTokens::default(),
            endpoint,
            #[cfg(feature = "redis")]
            archive: OnceLock::new(),
        })
    }

    /// From now on answers are shared there. The first one counts.
    #[cfg(feature = "redis")]
    pub(crate) fn share(&self, archive: IssuerCache) {
        let _ = self.archive.set(archive);
    }

    pub(crate) const fn examiner(&self) -> &E {
        &self.examiner
    }

    /// Asks about a token, or joins those who do. `party` is whose token it is, where that is
    /// known beforehand: an endpoint that is busy with one party's tokens is not asked about
    /// another one of them.
    pub(crate) fn ask(
        self: &Arc<Self>,
        digest: TokenDigest,
        party: Option<TokenDigest>,
        token: &str,
    ) -> Result<LookupTicket<E::Verdict>, LookupUnavailable> {
        let now = self.clock.monotonic();
        let runtime = tokio::runtime::Handle::try_current()
            .map_err(|_| LookupUnavailable::now(Outage::IntrospectionFailed))?;
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| LookupUnavailable::now(Outage::TooManyWaiting))?;
        let not_asked = |(outage, rest): (Outage, Duration)| LookupUnavailable {
            outage,
            retry_after: rest.max(SHORTLY),
        };
        let sender = TokenSender { digest, party };
        if let Some(setback) = sender.any(|one| self.setbacks.find(one, now)) {
            return Err(not_asked(setback));
        }
        let leave = self.record.leave(now).map_err(not_asked)?;
        let landing = match self.flights.board(digest) {
            Join::Joined(landing) => landing,
            Join::First(landing, departure) => {
                let flight = Arc::clone(self).fly(departure, sender, token.to_owned(), leave);
                runtime.spawn(flight);
                landing
            }
            Join::Full => return Err(LookupUnavailable::now(Outage::TooManyWaiting)),
        };
        let in_reality = Instant::now();
        let patience = self.limits.patience;
        Ok(LookupTicket {
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
        let now = Now::of(&*self.clock);
        self.endpoint.whereabouts().find(now).await.map(drop)
    }

    pub(crate) const fn endpoint(&self) -> &E::Oracle {
        &self.endpoint
    }

    pub(crate) fn status(&self, cache: CacheStats) -> IntrospectionStatus {
        self.record
            .status(self.clock.monotonic(), self.flights.len(), cache)
    }

    async fn fly(
        self: Arc<Self>,
        departure: Leader<TokenDigest, Result<E::Verdict, EndpointError>>,
        sender: TokenSender,
        token: String,
        leave: LookupPermit,
    ) {
        // Whoever looked just before the flight before this one landed is served by that one.
        let now = Now::of(&*self.clock);
        if let Some(verdict) = self.examiner.remembered(sender.digest, now) {
            return departure.land(Ok(verdict));
        }
        let Ok(_call) = self.calls.acquire().await else {
            return;
        };
        let Some(departure) = departure.if_awaited() else {
            return;
        };
        if leave.is_for_our_own() {
            if let Err(trouble) = self.check().await {
                self.record.probe_failed(leave, self.clock.monotonic());
                return departure.land(Err(trouble));
            }
        }
        if self.answer(departure, sender, &token, leave).await {
            // Whoever waits does not wait for this.
            let _ = self.check().await;
        }
    }

    /// Asks our own question, which no caller has a hand in.
    async fn check(&self) -> Result<(), EndpointError> {
        self.record.called();
        let outcome = endpoint::ask_about_nothing(&self.endpoint, self.asked_now()).await;
        self.record.checked(&outcome, self.clock.monotonic());
        outcome
    }

    /// Answers a flight. Whether our own question is to be asked now.
    #[cfg(not(feature = "redis"))]
    async fn answer(
        &self,
        departure: Leader<TokenDigest, Result<E::Verdict, EndpointError>>,
        sender: TokenSender,
        token: &str,
        leave: LookupPermit,
    ) -> bool {
        let said = self.call(token).await;
        let (outcome, checks) = self.examined(sender, said, leave).await;
        departure.land(outcome);
        checks
    }

    /// What another instance was told spares the question; what we are told, the others are.
    #[cfg(feature = "redis")]
    async fn answer(
        &self,
        departure: Leader<TokenDigest, Result<E::Verdict, EndpointError>>,
        sender: TokenSender,
        token: &str,
        leave: LookupPermit,
    ) -> bool {
        let archive = self.archive.get();
        if let Some(archive) = archive {
            if let Some(verdict) = self.found(archive, sender.digest, token).await {
                departure.land(Ok(verdict));
                return false;
            }
        }
        let said = self.call(token).await;
        let text = match (&said, archive) {
            (Ok((said, asked)), Some(archive)) => {
                E::Oracle::shared(said).map(|text| (archive, text.to_vec(), *asked))
            }
            _ => None,
        };
        let (outcome, checks) = self.examined(sender, said, leave).await;
        let told = text.and_then(|(archive, text, asked)| {
            let end = self.examiner.good_until(outcome.as_ref().ok()?, asked)?;
            let asked_at = asked.wall;
            Some((archive, SharedResponse { text, asked_at }, end))
        });
        // Whoever waits does not wait for the others.
        departure.land(outcome);
        if let Some((archive, heard, end)) = told {
            archive.keep(token, &heard, end).await;
        }
        checks
    }

    /// The verdict on what another instance was told, if that is one on a good token.
    #[cfg(feature = "redis")]
    async fn found(
        &self,
        archive: &IssuerCache,
        digest: TokenDigest,
        token: &str,
    ) -> Option<E::Verdict> {
        let heard = archive.find(token).await?;
        let (wall, monotonic) = (self.clock.now(), self.clock.monotonic());
        let earlier = wall.as_secs().saturating_sub(heard.asked_at.as_secs());
        let asked = RequestTime {
            wall: heard.asked_at,
            monotonic,
            earlier: Duration::from_secs(u64::try_from(earlier).unwrap_or_default()),
        };
        let said = E::Oracle::said(heard.text)?;
        let verdict = self.examiner.examine(digest, said, asked).await.ok()?;
        self.examiner.good_until(&verdict, asked).map(|_| verdict)
    }

    async fn call(&self, token: &str) -> Result<(ResponseOf<E>, RequestTime), EndpointError> {
        let asked = self.asked_now();
        self.record.called();
        let said = endpoint::ask(&self.endpoint, token, asked).await;
        said.map(|said| (said, asked))
    }

    fn asked_now(&self) -> RequestTime {
        RequestTime {
            wall: self.clock.now(),
            monotonic: self.clock.monotonic(),
            earlier: Duration::ZERO,
        }
    }

    /// The verdict, and whether our own question is to be asked now.
    async fn examined(
        &self,
        sender: TokenSender,
        said: Result<(ResponseOf<E>, RequestTime), EndpointError>,
        leave: LookupPermit,
    ) -> (Result<E::Verdict, EndpointError>, bool) {
        let outcome = match said {
            Ok((said, asked)) => self.examiner.examine(sender.digest, said, asked).await,
            Err(trouble) => Err(trouble),
        };
        let now = self.clock.monotonic();
        let checks = match &outcome {
            Ok(_) => {
                self.record.answered(leave, now);
                false
            }
            Err(trouble) => {
                self.setbacks.note(sender.concerned(trouble), trouble, now);
                self.record.failed(leave, sender.party(), trouble, now)
            }
        };
        (outcome, checks)
    }
}

impl<V: Clone> LookupTicket<V> {
    /// Waits for the verdict, within the ticket's patience.
    pub(crate) async fn wait(mut self) -> Result<V, LookupUnavailable> {
        let (by_clock, in_reality) = self.patience;
        let impatient = race(
            self.clock.sleep_until(by_clock),
            tokio::time::sleep_until(in_reality.into()),
        );
        let failed = |outage, rest: Option<Duration>| LookupUnavailable {
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
