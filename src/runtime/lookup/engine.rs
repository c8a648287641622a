//! Look-ups of tokens at an endpoint: single flight, bounded concurrency, bounded waiting.
//!
//! 1. Requests with the same token share one look-up, which runs in a task of its own: a client that
//!    disconnects cancels nothing.
//! 2. The number of requests to the endpoint, of tokens that wait and of requests that wait is bounded,
//!    and so is the time that a request waits. Beyond each bound the request is answered 503.
//! 3. A failure is not a verdict. It concerns the token: see
//!    [`failed_tokens`](super::failed_tokens) for how long that one is not looked up again, and
//!    [`circuit_breaker`](super::circuit_breaker) for an endpoint that fails for all.
//! 4. A look-up that no request waits for any longer is not made.
//!
//! The handler interprets responses and caches verdicts.

use std::future::Future;
use std::sync::Arc;
#[cfg(feature = "redis")]
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::model::decision::observation::RemoteCall;
use crate::model::error::rejection::Outage;
#[cfg(feature = "redis")]
use crate::model::time::UnixTime;
use crate::runtime::cache::token_cache::{CacheStats, TokenDigest};
use crate::runtime::clock::{Clock, Now};
use crate::runtime::discovery::metadata::RefreshError;
use crate::runtime::lookup::endpoint;
pub(crate) use crate::runtime::lookup::endpoint::{EndpointError, RemoteEndpoint, RequestTime};
use crate::runtime::lookup::failed_tokens::{FailedTokens, TokenSender};
use crate::runtime::lookup::health::{LookupHealth, LookupPermit};
use crate::runtime::lookup::single_flight::{Follower, Join, Leader, SingleFlight};
use crate::runtime::lookup::status::IntrospectionStatus;
use crate::runtime::observation::{ObserverCell, RuntimeObserver};
#[cfg(feature = "redis")]
use crate::runtime::shared::introspection_cache::{IssuerCache, SharedResponse};
use crate::runtime::util::current_runtime::current_runtime;
use crate::runtime::util::select::{Either, race};

/// Tokens that are looked up, or wait for their turn.
const MOST_IN_FLIGHT: usize = 256;

/// Requests that wait, several of them for the same token.
const MOST_WAITERS: usize = 2048;

/// The `Retry-After` of a request that may not wait.
const SHORTLY: Duration = Duration::from_secs(1);

/// The bounds of look-ups.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LookupLimits {
    /// Requests to the endpoint at a time.
    pub(crate) calls: usize,
    /// How long a request waits.
    pub(crate) wait_limit: Duration,
}

/// Interprets responses, and caches the verdicts.
pub(crate) trait ResponseHandler: Send + Sync + 'static {
    /// The endpoint that responds.
    type Endpoint: RemoteEndpoint;
    type Verdict: Clone + Send + Sync + 'static;

    /// The verdict that a call before has cached. It is no hit and no miss: the request has looked already.
    fn cached(&self, digest: TokenDigest, now: Now) -> Option<Self::Verdict>;

    /// Interprets a response, and caches the verdict.
    fn handle(
        &self,
        digest: TokenDigest,
        response: <Self::Endpoint as RemoteEndpoint>::Response,
        request_time: RequestTime,
    ) -> impl Future<Output = Result<Self::Verdict, EndpointError>> + Send;

    /// Until when other instances may use the response; `None` where they may not.
    #[cfg(feature = "redis")]
    fn good_until(&self, _: &Self::Verdict, _: RequestTime) -> Option<UnixTime> {
        None
    }
}

/// The response of a handler's endpoint.
type ResponseOf<E> = <<E as ResponseHandler>::Endpoint as RemoteEndpoint>::Response;

/// Look-ups at one endpoint.
pub(crate) struct RemoteLookup<E: ResponseHandler> {
    handler: E,
    endpoint: E::Endpoint,
    clock: Arc<dyn Clock>,
    limits: LookupLimits,
    single_flight: SingleFlight<TokenDigest, Result<E::Verdict, EndpointError>>,
    calls: Semaphore,
    waiters: Arc<Semaphore>,
    health: Arc<LookupHealth>,
    failed_tokens: FailedTokens,
    observer: ObserverCell,
    /// The cache that instances share.
    #[cfg(feature = "redis")]
    shared_cache: OnceLock<IssuerCache>,
}

/// A permit to wait for a verdict; dropping it frees the place.
#[must_use]
pub(crate) struct LookupTicket<V> {
    follower: Follower<Result<V, EndpointError>>,
    /// By the server's clock and by real time, whichever ends first: a clock that stands still
    /// must not hold a request.
    deadlines: (Duration, Instant),
    clock: Arc<dyn Clock>,
    health: Arc<LookupHealth>,
    timed_out: Outage,
    _place: OwnedSemaphorePermit,
}

/// Why a request gets no verdict, and when it may come again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LookupUnavailable {
    pub(crate) outage: Outage,
    pub(crate) retry_after: Duration,
}

impl LookupUnavailable {
    /// The request may come again in a second.
    pub(crate) const fn now(outage: Outage) -> Self {
        Self {
            outage,
            retry_after: SHORTLY,
        }
    }
}

impl<E: ResponseHandler> RemoteLookup<E> {
    pub(crate) fn new(
        handler: E,
        endpoint: E::Endpoint,
        limits: LookupLimits,
        clock: &Arc<dyn Clock>,
    ) -> Arc<Self> {
        Arc::new(Self {
            handler,
            clock: Arc::clone(clock),
            limits,
            single_flight: SingleFlight::new(MOST_IN_FLIGHT),
            calls: Semaphore::new(limits.calls),
            waiters: Arc::new(Semaphore::new(MOST_WAITERS)),
            health: LookupHealth::of(
                endpoint.resolver().issuer(),
                E::Endpoint::MESSAGES,
                E::Endpoint::FAILED,
            ),
            failed_tokens: FailedTokens::default(),
            observer: ObserverCell::default(),
            endpoint,
            #[cfg(feature = "redis")]
            shared_cache: OnceLock::new(),
        })
    }

    /// Shares responses through this cache from now on. The first call counts.
    #[cfg(feature = "redis")]
    pub(crate) fn share(&self, shared_cache: IssuerCache) {
        let _ = self.shared_cache.set(shared_cache);
    }

    /// Tells an observer of requests from now on. The first call counts.
    pub(crate) fn observe(&self, observer: Arc<dyn RuntimeObserver>) {
        self.observer.set(observer);
    }

    pub(crate) const fn handler(&self) -> &E {
        &self.handler
    }

    /// Looks a token up, or joins a look-up of it. `owner` is the token's owner, where that is known
    /// beforehand: while the endpoint limits an owner's requests (429), none is sent for another of
    /// its tokens.
    pub(crate) fn look_up(
        self: &Arc<Self>,
        digest: TokenDigest,
        owner: Option<TokenDigest>,
        token: &str,
    ) -> Result<LookupTicket<E::Verdict>, LookupUnavailable> {
        let now = self.clock.monotonic();
        let runtime = current_runtime().map_err(|_| LookupUnavailable::now(E::Endpoint::FAILED))?;
        let place = Arc::clone(&self.waiters)
            .try_acquire_owned()
            .map_err(|_| LookupUnavailable::now(Outage::TooManyWaiting))?;
        let refused = |(outage, retry_after): (Outage, Duration)| LookupUnavailable {
            outage,
            retry_after: retry_after.max(SHORTLY),
        };
        let sender = TokenSender { digest, owner };
        if let Some(failed_token) = sender.any(|one| self.failed_tokens.find(one, now)) {
            let (outage, retry_after) = failed_token;
            return Err(refused((
                outage.unwrap_or(E::Endpoint::FAILED),
                retry_after,
            )));
        }
        let permit = self.health.permit(now).map_err(refused)?;
        let follower = match self.single_flight.join(digest) {
            Join::Joined(follower) => follower,
            Join::First(follower, leader) => {
                let call = Arc::clone(self).run(leader, sender, token.to_owned(), permit);
                runtime.spawn(call);
                follower
            }
            Join::Full => return Err(LookupUnavailable::now(Outage::TooManyWaiting)),
        };
        let in_reality = Instant::now();
        let wait_limit = self.limits.wait_limit;
        Ok(LookupTicket {
            follower,
            deadlines: (
                now.saturating_add(wait_limit),
                in_reality.checked_add(wait_limit).unwrap_or(in_reality),
            ),
            clock: Arc::clone(&self.clock),
            health: Arc::clone(&self.health),
            timed_out: E::Endpoint::TIMED_OUT,
            _place: place,
        })
    }

    /// Resolves the endpoint's address, where it is discovered.
    pub(crate) async fn resolve(&self) -> Result<(), RefreshError> {
        let now = Now::of(&*self.clock);
        self.endpoint.resolver().resolve(now).await.map(drop)
    }

    pub(crate) const fn endpoint(&self) -> &E::Endpoint {
        &self.endpoint
    }

    pub(crate) fn status(&self, cache: CacheStats) -> IntrospectionStatus {
        self.health
            .status(self.clock.monotonic(), self.single_flight.len(), cache)
    }

    async fn run(
        self: Arc<Self>,
        leader: Leader<TokenDigest, Result<E::Verdict, EndpointError>>,
        sender: TokenSender,
        token: String,
        permit: LookupPermit,
    ) {
        // The previous call may have filled the cache after this request missed it.
        let now = Now::of(&*self.clock);
        if let Some(verdict) = self.handler.cached(sender.digest, now) {
            return leader.complete(Ok(verdict));
        }
        let Ok(_call) = self.calls.acquire().await else {
            return;
        };
        let Some(leader) = leader.if_awaited() else {
            return;
        };
        if permit.is_health_check() {
            if let Err(error) = self.check().await {
                self.health.probe_failed(permit, self.clock.monotonic());
                return leader.complete(Err(error));
            }
        }
        if self.answer(leader, sender, &token, permit).await {
            // No request waits for this.
            let _ = self.check().await;
        }
    }

    /// Whether the endpoint gives a verdict on a random text. It counts nowhere.
    pub(crate) async fn probe(&self) -> Result<(), EndpointError> {
        endpoint::health_check(&self.endpoint, self.request_time()).await
    }

    /// Makes a health check, which no caller influences.
    async fn check(&self) -> Result<(), EndpointError> {
        self.health.count_call();
        let started = Instant::now();
        let outcome = endpoint::health_check(&self.endpoint, self.request_time()).await;
        self.report(started, outcome.as_ref().err());
        self.health.checked(&outcome, self.clock.monotonic());
        outcome
    }

    /// Completes a call. Whether a health check is to be made now.
    #[cfg(not(feature = "redis"))]
    async fn answer(
        &self,
        leader: Leader<TokenDigest, Result<E::Verdict, EndpointError>>,
        sender: TokenSender,
        token: &str,
        permit: LookupPermit,
    ) -> bool {
        let response = self.call(token).await;
        let (outcome, checks) = self.handled(sender, response, permit).await;
        leader.complete(outcome);
        checks
    }

    /// The same with the shared cache: a response that another instance has received is used in place
    /// of a request, and own responses are stored there.
    #[cfg(feature = "redis")]
    async fn answer(
        &self,
        leader: Leader<TokenDigest, Result<E::Verdict, EndpointError>>,
        sender: TokenSender,
        token: &str,
        permit: LookupPermit,
    ) -> bool {
        let shared_cache = self.shared_cache.get();
        if let Some(shared_cache) = shared_cache {
            if let Some(verdict) = self
                .shared_verdict(shared_cache, sender.digest, token)
                .await
            {
                leader.complete(Ok(verdict));
                return false;
            }
        }
        let response = self.call(token).await;
        let text = match (&response, shared_cache) {
            (Ok((response, request_time)), Some(shared_cache)) => {
                E::Endpoint::shared_text(response)
                    .map(|text| (shared_cache, text.to_vec(), *request_time))
            }
            _ => None,
        };
        let (outcome, checks) = self.handled(sender, response, permit).await;
        let shared = text.and_then(|(shared_cache, text, request_time)| {
            let end = self
                .handler
                .good_until(outcome.as_ref().ok()?, request_time)?;
            let requested_at = request_time.wall;
            Some((shared_cache, SharedResponse { text, requested_at }, end))
        });
        // No request waits for the store.
        leader.complete(outcome);
        if let Some((shared_cache, shared, end)) = shared {
            shared_cache.keep(token, &shared, end).await;
        }
        checks
    }

    /// The verdict on a response from the shared cache, if the token is active.
    #[cfg(feature = "redis")]
    async fn shared_verdict(
        &self,
        shared_cache: &IssuerCache,
        digest: TokenDigest,
        token: &str,
    ) -> Option<E::Verdict> {
        let shared = shared_cache.find(token).await?;
        let (wall, monotonic) = (self.clock.now(), self.clock.monotonic());
        let earlier = wall.as_secs().saturating_sub(shared.requested_at.as_secs());
        let request_time = RequestTime {
            wall: shared.requested_at,
            monotonic,
            earlier: Duration::from_secs(u64::try_from(earlier).unwrap_or_default()),
        };
        let response = E::Endpoint::from_shared_text(shared.text)?;
        let verdict = self
            .handler
            .handle(digest, response, request_time)
            .await
            .ok()?;
        self.handler
            .good_until(&verdict, request_time)
            .map(|_| verdict)
    }

    async fn call(&self, token: &str) -> Result<(ResponseOf<E>, RequestTime), EndpointError> {
        let request_time = self.request_time();
        self.health.count_call();
        let started = Instant::now();
        let response = endpoint::look_up(&self.endpoint, token, request_time).await;
        self.report(started, response.as_ref().err());
        response.map(|response| (response, request_time))
    }

    /// Tells the observer of a request that has ended.
    fn report(&self, started: Instant, error: Option<&EndpointError>) {
        if let Some(observer) = self.observer.get() {
            observer.called(&RemoteCall {
                issuer: self.endpoint.resolver().issuer(),
                endpoint: match E::Endpoint::FAILED {
                    Outage::UserInfoFailed => "userinfo",
                    _ => "introspection",
                },
                duration: started.elapsed(),
                failure: error.map(|error| self.health.outage(error)),
            });
        }
    }

    fn request_time(&self) -> RequestTime {
        RequestTime {
            wall: self.clock.now(),
            monotonic: self.clock.monotonic(),
            earlier: Duration::ZERO,
        }
    }

    /// The verdict, and whether a health check is to be made now.
    async fn handled(
        &self,
        sender: TokenSender,
        response: Result<(ResponseOf<E>, RequestTime), EndpointError>,
        permit: LookupPermit,
    ) -> (Result<E::Verdict, EndpointError>, bool) {
        let outcome = match response {
            Ok((response, request_time)) => {
                self.handler
                    .handle(sender.digest, response, request_time)
                    .await
            }
            Err(error) => Err(error),
        };
        let now = self.clock.monotonic();
        let checks = match &outcome {
            Ok(_) => {
                self.health.answered(permit, now);
                false
            }
            Err(error) => {
                self.failed_tokens
                    .record(sender.concerned(error), error, now);
                self.health.failed(permit, sender.owner(), error, now)
            }
        };
        (outcome, checks)
    }
}

impl<V: Clone> LookupTicket<V> {
    /// Waits for the verdict, within the ticket's deadlines.
    pub(crate) async fn wait(mut self) -> Result<V, LookupUnavailable> {
        let (by_clock, in_reality) = self.deadlines;
        let timeout = race(
            self.clock.sleep_until(by_clock),
            tokio::time::sleep_until(in_reality.into()),
        );
        let failed = |outage, retry_after: Option<Duration>| LookupUnavailable {
            outage,
            retry_after: retry_after.unwrap_or(SHORTLY).max(SHORTLY),
        };
        match race(self.follower.result(), timeout).await {
            Either::First(Some(Ok(verdict))) => Ok(verdict),
            Either::First(Some(Err(error))) => {
                Err(failed(self.health.outage(&error), error.retry_after))
            }
            // The runtime of the look-up was shut down.
            Either::First(None) => Err(failed(self.health.default_outage(), None)),
            Either::Second(_) => Err(failed(self.timed_out, None)),
        }
    }
}
