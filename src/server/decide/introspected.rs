//! Introspection: which tokens go to their issuer, and how responses are cached.
//!
//! 1. The form of a token and the configuration decide where it goes, before any request: a JWT to
//!    the issuer that it names, if its tokens are verified here; five parts nowhere; any other
//!    b64token to the one introspected issuer. A token that failed in one place is never tried in
//!    the other.
//! 2. A JWT goes to the introspected issuer only where the configuration says so, and only if it
//!    names exactly that issuer. Where no other issuer is configured, nothing is verified here, and
//!    that setting sends tokens of every form there.
//! 3. A response is cached for its token, by a digest of every byte: for the configured life and
//!    never past the token's end, briefly where no end is stated or the token is refused. A failed
//!    request is not cached.
//! 4. A signed response is cached only as long as the key that verified it is valid.
//! 5. Time and the application's checks are decided on every request, cached or not.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::logging;
use crate::model::decision::event::Event;
use crate::model::error::rejection::{Outage, Rejection, RequestFault, TokenFault};
use crate::model::error::token_error::TokenError;
#[cfg(feature = "redis")]
use crate::model::time::UnixTime;
use crate::runtime::cache::token_cache::{CacheLimits, Cached, TokenCache, TokenDigest};
use crate::runtime::cache::validity::CacheValidity;
use crate::runtime::clock::{Deadline, Now};
use crate::runtime::introspection::endpoint::{Endpoint, IntrospectionResponse};
use crate::runtime::lookup::engine::{
    EndpointError, LookupUnavailable, RemoteLookup, RequestTime, ResponseHandler,
};
use crate::runtime::lookup::status::IntrospectionStatus;
use crate::runtime::revocation::list::RevocationCheck;
#[cfg(feature = "redis")]
use crate::runtime::shared::introspection_cache::{IssuerCache, SharedIntrospectionCache};
use crate::runtime::util::log_rate_limit::LogRateLimit;
use crate::server::decide::decision::{Decision, PendingDecision};
use crate::server::decide::issuer_authority::IssuerAuthority;
use crate::server::decide::signed_response::{answer_time, opened};
use crate::server::decide::verified_request::{SharedRequest, VerifiedRequest};
use crate::verify::claims::introspection_response::{
    ActiveToken, ExpectedSigner, ReceivedAt, ResponseFormat, signed_answer,
};
use crate::verify::identity::reading::ReadToken;
use crate::verify::jose::jws::Compact;
use crate::verify::jose::signature::Signed;
use crate::verify::request::credential::is_b64token;

/// How long a refusal, or a response without an end, is cached.
const BRIEFLY: Duration = Duration::from_secs(10);

/// The limits of each cache: of active tokens, and of refused ones.
const LIMITS: CacheLimits = CacheLimits {
    entries: 10_000,
    bytes: 64 << 20,
    life: Duration::from_secs(300),
};

/// About how many bytes a cached refusal takes.
const REFUSAL_BYTES: usize = 512;

/// A token that is sent in a query must fit into an address.
pub(in crate::server) const MOST_BYTES_IN_QUERY: usize = 1024;

/// The one introspected issuer. Clones are the same one.
#[derive(Clone)]
pub(in crate::server) struct IntrospectedIssuer {
    pub(in crate::server) introspector: Arc<RemoteLookup<IntrospectionHandler>>,
    /// Whether JWTs that name it are introspected too.
    pub(in crate::server) takes_jwts: bool,
    /// Whether nothing else is introspected.
    pub(in crate::server) only_jwts: bool,
    /// Whether no other issuer is configured, so that no token is verified here.
    pub(in crate::server) is_alone: bool,
    /// Longer ones are refused.
    pub(in crate::server) most_bytes: usize,
    /// The form of requests and our client, as a part of the shared cache's key.
    #[cfg(feature = "redis")]
    pub(in crate::server) cache_scope: Vec<String>,
}

/// Turns responses into verdicts, and caches them.
pub(in crate::server) struct IntrospectionHandler {
    pub(in crate::server) authority: Arc<IssuerAuthority>,
    pub(in crate::server) response_format: ResponseFormat,
    /// The audience of signed responses; `None` where responses are not signed.
    pub(in crate::server) signed_for: Option<Arc<[Box<str>]>>,
    /// How far a signed response's `iat` may be from the request.
    pub(in crate::server) signed_age: Duration,
    pub(in crate::server) memory: RememberedResponses,
    /// Limits events about tokens of a type that the endpoint cannot introspect.
    pub(in crate::server) unsupported: LogRateLimit,
}

/// The caches of responses.
pub(in crate::server) struct RememberedResponses {
    active: TokenCache<VerifiedRequest>,
    refused: TokenCache<TokenError>,
    /// Of active tokens. `None`: nothing is cached.
    life: Option<Duration>,
}

impl RememberedResponses {
    /// `None` when the system gives no randomness.
    pub(in crate::server) fn new(life: Option<Duration>) -> Option<Self> {
        Some(Self {
            active: TokenCache::new(LIMITS)?,
            refused: TokenCache::new(LIMITS)?,
            life,
        })
    }

    fn active(&self, digest: TokenDigest, now: Now) -> Option<SharedRequest> {
        self.active.find(digest, now)
    }

    /// What the caches hold of a token, without a count of hits and misses.
    fn peek(&self, digest: TokenDigest, now: Now) -> Option<Result<SharedRequest, TokenError>> {
        let refused = || self.refused.peek(digest, now);
        let active = self.active.peek(digest, now).map(Ok);
        active.or_else(|| refused().map(|error| Err(TokenError::clone(&error))))
    }

    /// Refusals have a cache of their own, so that a flood of bad tokens evicts no good one.
    fn refused(&self, digest: TokenDigest, now: Now) -> Option<TokenError> {
        self.refused
            .find(digest, now)
            .map(|error| TokenError::clone(&error))
    }

    /// The verdict, cached for at most `life` since the request to the issuer, and while `validity`
    /// lasts.
    fn keep(
        &self,
        digest: TokenDigest,
        (interpreted, life): (Interpreted, Duration),
        validity: CacheValidity,
        request_time: RequestTime,
    ) -> IntrospectionVerdict {
        let whole = life.min(self.life.unwrap_or_default());
        let life = whole.saturating_sub(request_time.earlier);
        // By the wall clock the life began when another instance made the request, where one did.
        let end = Deadline::at(
            request_time.wall,
            whole,
            request_time.monotonic.saturating_add(life),
        );
        let validity = validity.within(end);
        let request_time = request_time.now();
        match interpreted {
            Ok(verified) => {
                let mut known = Arc::new(Cached::unkept(verified, validity));
                if !life.is_zero() {
                    let bytes = VerifiedRequest::bytes;
                    self.active.keep(digest, &mut known, bytes, request_time);
                }
                IntrospectionVerdict::Active(known)
            }
            Err(error) => {
                let mut known = Arc::new(Cached::unkept(error.clone(), validity));
                if !life.is_zero() {
                    self.refused
                        .keep(digest, &mut known, |_| REFUSAL_BYTES, request_time);
                }
                IntrospectionVerdict::Refused(error)
            }
        }
    }
}

/// The meaning of a response.
type Interpreted = Result<VerifiedRequest, TokenError>;

impl IntrospectedIssuer {
    /// Whether the token goes to the issuer.
    pub(in crate::server) fn takes(&self, token: &[u8]) -> bool {
        if self.takes_every_form() {
            return true;
        }
        match memchr::memchr_iter(b'.', token).count() + 1 {
            3 => {
                let rules = &self.introspector.handler().authority.rules;
                self.takes_jwts
                    && token.len() <= self.most_bytes
                    && Compact::claimed_issuer(token).is_some_and(|named| rules.is_named(&named))
            }
            // RFC 7516 s9: five parts are a JWE, an encrypted refresh token for one.
            5 => false,
            _ => !self.only_jwts,
        }
    }

    /// Whether tokens of every form go to the issuer, whatever issuer they name.
    pub(in crate::server) const fn takes_every_form(&self) -> bool {
        self.is_alone && self.takes_jwts && !self.only_jwts
    }

    /// Whether tokens without a dot go to the issuer.
    pub(in crate::server) const fn takes_undivided(&self) -> bool {
        !self.only_jwts
    }

    /// The issuer's names.
    pub(in crate::server) fn names(&self) -> &[Arc<str>] {
        &self.introspector.handler().authority.rules.names
    }

    /// The cached verdict on a JWT, if it is still valid.
    pub(in crate::server) fn known_jwt(&self, token: &[u8], now: Now) -> Option<SharedRequest> {
        if !self.takes_jwts || token.len() > self.most_bytes {
            return None;
        }
        let memory = &self.introspector.handler().memory;
        memory.active(memory.active.digest(token)?, now)
    }

    /// Shares responses with other instances, unless none is cached.
    #[cfg(feature = "redis")]
    pub(in crate::server) fn share(&self, answers: &Arc<SharedIntrospectionCache>, resource: &str) {
        let Some(life) = self.introspector.handler().memory.life else {
            return;
        };
        let mut policy = vec![resource.as_bytes()];
        policy.extend(self.cache_scope.iter().map(String::as_bytes));
        let issuer = self.endpoint().issuer();
        let archive = IssuerCache::new(answers, issuer, &policy, life);
        self.introspector.share(archive);
    }

    pub(in crate::server) fn endpoint(&self) -> &Endpoint {
        self.introspector.endpoint()
    }

    /// Whether its endpoint gives a verdict on a random text, with our credentials.
    pub(in crate::server) async fn probe(&self) -> Result<(), EndpointError> {
        self.introspector.probe().await
    }

    pub(in crate::server) fn status(&self) -> IntrospectionStatus {
        let memory = &self.introspector.handler().memory;
        self.introspector.status(memory.active.stats())
    }

    /// The verdict of the cache, or of the issuer after a look-up.
    pub(in crate::server) fn authenticate(
        &self,
        token: &[u8],
        now: Now,
    ) -> Result<Decision<SharedRequest>, Rejection> {
        self.look_up(token, now)
            .map_err(|rejection| rejection.by(self.realm()))
    }

    fn look_up(&self, token: &[u8], now: Now) -> Result<Decision<SharedRequest>, Rejection> {
        if token.len() > self.most_bytes {
            return Err(TokenFault::TooLarge.into());
        }
        let memory = &self.introspector.handler().memory;
        let Some(digest) = memory.active.digest(token) else {
            return Err(LookupUnavailable::now(Outage::IntrospectionFailed).into());
        };
        if let Some(verified) = memory.active(digest, now) {
            return Ok(Decision::Done(verified));
        }
        // RFC 6750 s2.1: such bytes are no token, and they are not sent to the issuer.
        let text = std::str::from_utf8(token)
            .ok()
            .filter(|text| is_b64token(text.as_bytes()))
            .ok_or(RequestFault::NotAToken)?;
        if let Some(error) = memory.refused(digest, now) {
            return Err(error.into());
        }
        let ticket = self.introspector.look_up(digest, None, text)?;
        let issuer = Arc::clone(self.realm());
        let lookup = async move {
            let verdict = ticket.wait().await.map_err(Rejection::from);
            let verified = verdict.and_then(IntrospectionVerdict::verified);
            let verified = verified.map_err(|rejection| rejection.by(&issuer))?;
            Ok(Decision::Done(verified))
        };
        let liveness = self.introspector.handler().authority.liveness.clone();
        let pending = PendingDecision::new(lookup).by_rules_of(liveness);
        Ok(Decision::Pending(pending))
    }

    /// What [`authenticate`](Self::authenticate) would say without a look-up; `None` where it would ask
    /// the issuer.
    pub(in crate::server) fn foresee(
        &self,
        token: &[u8],
        now: Now,
    ) -> Option<Result<SharedRequest, Rejection>> {
        let refused = |rejection: Rejection| Some(Err(rejection.by(self.realm())));
        if token.len() > self.most_bytes {
            return refused(TokenFault::TooLarge.into());
        }
        let memory = &self.introspector.handler().memory;
        let digest = memory.active.digest(token)?;
        if let Some(verified) = memory.active.peek(digest, now) {
            return Some(Ok(verified));
        }
        if !is_b64token(token) {
            return refused(RequestFault::NotAToken.into());
        }
        let known = memory.peek(digest, now)?;
        Some(known.map_err(|error| Rejection::from(error).by(self.realm())))
    }

    /// The authority whose keys verify responses, where they are signed.
    pub(in crate::server) fn signer(&self) -> Option<&IssuerAuthority> {
        let handler = self.introspector.handler();
        let is_signed = handler.signed_for.is_some();
        is_signed.then_some(&*handler.authority)
    }

    fn realm(&self) -> &Arc<str> {
        &self.introspector.handler().authority.rules.realm
    }
}

/// The issuer's verdict on one token. An outage is no verdict.
#[derive(Clone)]
pub(in crate::server) enum IntrospectionVerdict {
    Active(SharedRequest),
    /// The token is not active, or the policy refuses it.
    Refused(TokenError),
}

impl IntrospectionVerdict {
    fn verified(self) -> Result<SharedRequest, Rejection> {
        match self {
            // The keys were dropped during the look-up that they had verified.
            Self::Active(verified) if verified.has_lost_its_keys() => {
                Err(LookupUnavailable::now(Outage::IntrospectionFailed).into())
            }
            Self::Active(verified) => Ok(verified),
            Self::Refused(error) => Err(error.into()),
        }
    }
}

impl ResponseHandler for IntrospectionHandler {
    type Endpoint = Endpoint;
    type Verdict = IntrospectionVerdict;

    fn cached(&self, digest: TokenDigest, now: Now) -> Option<IntrospectionVerdict> {
        let known = self.memory.peek(digest, now)?;
        Some(known.map_or_else(IntrospectionVerdict::Refused, IntrospectionVerdict::Active))
    }

    async fn handle(
        &self,
        digest: TokenDigest,
        response: IntrospectionResponse,
        request_time: RequestTime,
    ) -> Result<IntrospectionVerdict, EndpointError> {
        let (verdict, validity) = match response {
            IntrospectionResponse::BadToken => {
                ((Err(TokenFault::Inactive.into()), BRIEFLY), self.validity())
            }
            IntrospectionResponse::UnsupportedType => {
                if self.unsupported.try_acquire(request_time.monotonic) {
                    let issuer = &self.authority.rules.realm;
                    logging::emit(Event::UnsupportedTokenType { issuer });
                }
                ((Err(TokenFault::Inactive.into()), BRIEFLY), self.validity())
            }
            IntrospectionResponse::Answer(bytes) => {
                let opened = self.opened(bytes, request_time).await?;
                let (interpreted, life) = self.interpret(&opened.text, request_time)?;
                ((interpreted, life.min(opened.life)), opened.validity)
            }
        };
        Ok(self.memory.keep(digest, verdict, validity, request_time))
    }

    #[cfg(feature = "redis")]
    fn good_until(
        &self,
        verdict: &IntrospectionVerdict,
        request_time: RequestTime,
    ) -> Option<UnixTime> {
        match verdict {
            IntrospectionVerdict::Active(verified) => {
                let end = request_time.wall.saturating_add(self.memory.life?);
                Some(end.min(verified.token.expires_at()))
            }
            // A refusal may be by this server's policy alone, and is cached briefly.
            IntrospectionVerdict::Refused(_) => None,
        }
    }
}

impl IntrospectionHandler {
    /// What a response depends on that no key has verified.
    fn validity(&self) -> CacheValidity {
        CacheValidity::while_live(self.authority.liveness.clone())
    }

    /// The meaning of a response, and how long it may be cached.
    fn interpret(
        &self,
        text: &Arc<str>,
        request_time: RequestTime,
    ) -> Result<(Interpreted, Duration), EndpointError> {
        let moment = ReceivedAt {
            requested_at: request_time.wall,
            brief: BRIEFLY,
        };
        let read = ActiveToken::read(text, &self.response_format, moment)
            .map_err(|fault| EndpointError::failed(format!("the answer {fault}")))?;
        let refused = |error| (Err(error), BRIEFLY);
        let Some(answer) = read else {
            return Ok(refused(TokenFault::Inactive.into()));
        };
        let rules = &self.authority.rules;
        let ReadToken { token, bearer } = match ReadToken::attested(&answer, rules) {
            Ok(read) => read,
            Err(error) => return Ok(refused(error)),
        };
        let left = token
            .expires_at()
            .as_secs()
            .saturating_sub(request_time.wall.as_secs());
        let left = Duration::from_secs(u64::try_from(left).unwrap_or_default());
        let verified = VerifiedRequest {
            validity: token.validity(rules.leeway),
            resources: token.resources(),
            needs_further_checks: token.is_bound() || !rules.required_bindings.is_none(),
            #[cfg(feature = "status-list")]
            status: None,
            token,
            identified: bearer,
            rules: Arc::clone(rules),
            revocation_check: RevocationCheck::default(),
            client_key: OnceLock::new(),
        };
        Ok((Ok(verified), left))
    }

    /// The response as text; out of its signed form, where responses are signed.
    async fn opened(
        &self,
        bytes: Vec<u8>,
        request_time: RequestTime,
    ) -> Result<OpenedResponse, EndpointError> {
        let Some(us) = &self.signed_for else {
            let text = String::from_utf8(bytes)
                .map_err(|_| EndpointError::failed("the answer is not utf-8"))?;
            return Ok(OpenedResponse {
                text: text.into(),
                life: Duration::MAX,
                validity: self.validity(),
            });
        };
        let us = Arc::clone(us);
        let time = answer_time(&self.authority, request_time, self.signed_age);
        let open = move |authority: &IssuerAuthority, signed: &Signed<'_>| {
            let expected = ExpectedSigner {
                issuer: &authority.rules.realm,
                us: &us,
                time,
            };
            signed_answer(signed, expected).map_err(|unfit| format!("the signed answer {unfit}"))
        };
        let ((text, end), validity) = opened(&self.authority, &bytes, open).await?;
        let life = end.map_or(Duration::MAX, |end| {
            let left = end.as_secs().saturating_sub(request_time.wall.as_secs());
            Duration::from_secs(u64::try_from(left).unwrap_or_default())
        });
        Ok(OpenedResponse {
            text,
            life,
            validity,
        })
    }
}

/// A response, and how long its signed form lets it be cached.
struct OpenedResponse {
    text: Arc<str>,
    life: Duration,
    validity: CacheValidity,
}
