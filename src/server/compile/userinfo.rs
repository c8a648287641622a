//! The look-up of a user at the issuer's userinfo endpoint: where it is, and the cache of answers.
//!
//! 1. An answer is cached for a minute at most, by the digest of the token that it was given for;
//!    a refusal (bad token, nothing to see) for 10 s; an outage is not cached.
//! 2. A signed answer is valid as long as the key that verified it.
//! 3. The subject and the audience of an answer are checked on every use, not here.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use crate::model::time::UnixTime;
#[cfg(feature = "metrics")]
use crate::runtime::cache::token_cache::CacheStats;
use crate::runtime::cache::token_cache::{CacheLimits, Cached, TokenCache, TokenDigest};
use crate::runtime::cache::validity::CacheValidity;
use crate::runtime::clock::{Clock, Deadline, Now};
use crate::runtime::introspection::endpoint::EndpointUrl;
use crate::runtime::lookup::engine::{
    EndpointError, LookupLimits, RemoteLookup, RequestTime, ResponseHandler,
};
use crate::runtime::userinfo::endpoint::{UserInfoEndpoint, UserInfoResponse};
use crate::runtime::util::log_rate_limit::LogRateLimit;
use crate::server::compile::issuer::Members;
use crate::server::compile::issuer_ids::discovery_urls;
use crate::server::compile::key_source::reach;
use crate::server::decide::issuer_authority::IssuerAuthority;
use crate::server::decide::signed_response::{answer_time, opened};
use crate::server::settings::error::{ConfigError, check_url};
use crate::server::settings::introspection_settings::UserInfoLocation;
use crate::server::settings::issuer::value::{Issuer, IssuerKind};
use crate::verify::claims::introspection_response::MOST_APART;
use crate::verify::claims::userinfo_response::UserClaims;
use crate::verify::jose::signature::Signed;

/// How long an answer is cached.
const LIFE: Duration = Duration::from_secs(60);

/// How long a refusal is cached.
const REFUSAL_LIFE: Duration = Duration::from_secs(10);

/// The bounds of the cache.
const LIMITS: CacheLimits = CacheLimits {
    entries: 10_000,
    bytes: 64 << 20,
    life: LIFE,
};

/// About how much memory a cached refusal takes.
const REFUSAL_BYTES: usize = 128;

/// The limits of requests to the endpoint, those of introspection.
const LOOKUP_LIMITS: LookupLimits = LookupLimits {
    calls: 64,
    wait_limit: Duration::from_secs(2),
};

/// The look-up of one issuer's users.
pub(in crate::server) type UserInfoLookup = Arc<RemoteLookup<UserInfoHandler>>;

pub(in crate::server) struct UserInfoHandler {
    authority: Arc<IssuerAuthority>,
    known: TokenCache<UserClaims>,
    /// A cache of its own, so that a flood of refusals evicts no answer.
    refused: TokenCache<UserInfoRefusal>,
    /// Events about answers that cannot be used.
    pub(in crate::server) unusable: LogRateLimit,
}

/// The outcome of a look-up.
#[derive(Clone)]
pub(in crate::server) enum UserInfoResult {
    Known(Arc<Cached<UserClaims>>),
    Denied(UserInfoRefusal),
}

#[derive(Clone, Copy)]
pub(in crate::server) enum UserInfoRefusal {
    BadToken,
    NothingToSee,
}

/// The interpreted response, and how long it is valid.
type Read = Result<(UserClaims, CacheValidity), UserInfoRefusal>;

/// The look-ups, by the issuer's identifier.
pub(in crate::server) type UserInfoLookups = HashMap<Arc<str>, UserInfoLookup>;

/// Adds the look-up of this issuer, where its settings have one.
pub(in crate::server) fn add(
    lookups: &mut UserInfoLookups,
    issuer: &Issuer,
    members: &Members,
    clock: &Arc<dyn Clock>,
) -> Result<(), ConfigError> {
    let Some(location) = &issuer.userinfo_location else {
        return Ok(());
    };
    for (_, authority) in members {
        // The forms of a pool are one realm, and so are an issuer's JWTs and its other tokens.
        if let Entry::Vacant(vacant) = lookups.entry(Arc::clone(&authority.rules.realm)) {
            vacant.insert(lookup(issuer, location, authority, clock)?);
        }
    }
    Ok(())
}

fn lookup(
    issuer: &Issuer,
    location: &UserInfoLocation,
    authority: &Arc<IssuerAuthority>,
    clock: &Arc<dyn Clock>,
) -> Result<UserInfoLookup, ConfigError> {
    let realm = Arc::clone(&authority.rules.realm);
    let place = endpoint_url(issuer, location, &realm)?;
    let endpoint = UserInfoEndpoint::new(realm, place, &reach(issuer)?)
        .map_err(|problem| ConfigError::new("userinfo", problem))?;
    let no_randomness = || ConfigError::unavailable("userinfo", "the system gives no randomness");
    let handler = UserInfoHandler {
        authority: Arc::clone(authority),
        known: TokenCache::new(LIMITS).ok_or_else(no_randomness)?,
        refused: TokenCache::new(LIMITS).ok_or_else(no_randomness)?,
        unusable: LogRateLimit::default(),
    };
    Ok(RemoteLookup::new(handler, endpoint, LOOKUP_LIMITS, clock))
}

fn endpoint_url(
    issuer: &Issuer,
    location: &UserInfoLocation,
    realm: &str,
) -> Result<EndpointUrl, ConfigError> {
    match (location, &issuer.kind, &issuer.discovery_url) {
        (UserInfoLocation::At(url), _, _) => {
            check_url("userinfo", url, issuer.plain_http)?;
            Ok(EndpointUrl::Fixed(url.clone()))
        }
        (UserInfoLocation::Discovered, IssuerKind::OidcTenants(_), _) => {
            Err(ConfigError::conflict(
                "discover_userinfo",
                "the tenants' metadata is not about one issuer; give the endpoint with `userinfo(..)`",
            ))
        }
        (UserInfoLocation::Discovered, _, Some(url)) => {
            check_url("discovery_url", url, issuer.plain_http)?;
            Ok(EndpointUrl::Discovered(vec![url.clone()]))
        }
        (UserInfoLocation::Discovered, _, None) => {
            check_url("discover_userinfo", realm, issuer.plain_http)?;
            Ok(EndpointUrl::Discovered(discovery_urls(realm)))
        }
    }
}

impl UserInfoHandler {
    #[cfg(feature = "metrics")]
    pub(in crate::server) fn cache_stats(&self) -> CacheStats {
        self.known.stats()
    }

    /// What an answer depends on that no key has verified.
    fn validity(&self) -> CacheValidity {
        CacheValidity::while_live(self.authority.liveness.clone())
    }

    pub(in crate::server) fn digest(&self, token: &[u8]) -> Option<TokenDigest> {
        self.known.digest(token)
    }

    /// What is cached for this token.
    pub(in crate::server) fn find_cached(
        &self,
        digest: TokenDigest,
        now: Now,
    ) -> Option<UserInfoResult> {
        let known = self.known.find(digest, now).map(UserInfoResult::Known);
        known.or_else(|| {
            let refused = self.refused.find(digest, now);
            refused.map(|refusal| UserInfoResult::Denied(**refusal))
        })
    }

    /// The digest of a user, which is no token's: tokens hold no such byte.
    pub(in crate::server) fn digest_of_subject(&self, subject: &str) -> Option<TokenDigest> {
        self.known.digest(format!("\0{subject}").as_bytes())
    }

    /// Caches an answer; its life counts from the request.
    fn keep(&self, digest: TokenDigest, read: Read, request_time: RequestTime) -> UserInfoResult {
        let within =
            |basis: CacheValidity, life| basis.within(Deadline::after(request_time.now(), life));
        let left = |end: UnixTime| {
            let left = end.as_secs().saturating_sub(request_time.wall.as_secs());
            Duration::from_secs(u64::try_from(left).unwrap_or_default())
        };
        match read {
            Ok((claims, basis)) => {
                let (bytes, life) = (claims.bytes(), claims.end().map_or(LIFE, left).min(LIFE));
                let mut known = Arc::new(Cached::unkept(claims, within(basis, life)));
                if !life.is_zero() {
                    self.known
                        .keep(digest, &mut known, |_| bytes, request_time.now());
                }
                UserInfoResult::Known(known)
            }
            Err(denial) => {
                let mut known = Arc::new(Cached::unkept(
                    denial,
                    within(self.validity(), REFUSAL_LIFE),
                ));
                self.refused
                    .keep(digest, &mut known, |_| REFUSAL_BYTES, request_time.now());
                UserInfoResult::Denied(denial)
            }
        }
    }

    async fn read(
        &self,
        response: UserInfoResponse,
        request_time: RequestTime,
    ) -> Result<Read, EndpointError> {
        let read = match response {
            UserInfoResponse::BadToken => return Ok(Err(UserInfoRefusal::BadToken)),
            UserInfoResponse::NothingToSee => return Ok(Err(UserInfoRefusal::NothingToSee)),
            UserInfoResponse::Plain(bytes) => {
                let text = String::from_utf8(bytes)
                    .map_err(|_| EndpointError::failed("the answer is not utf-8"))?;
                let claims = UserClaims::read(&text.into())
                    .map_err(|fault| EndpointError::failed(format!("the answer {fault}")))?;
                (claims, self.validity())
            }
            UserInfoResponse::Signed(bytes) => {
                let time = answer_time(&self.authority, request_time, MOST_APART);
                let open = move |_: &IssuerAuthority, signed: &Signed<'_>| {
                    UserClaims::signed(signed, time).map_err(|fault| format!("the answer {fault}"))
                };
                opened(&self.authority, &bytes, open).await?
            }
        };
        Ok(Ok(read))
    }
}

impl ResponseHandler for UserInfoHandler {
    type Endpoint = UserInfoEndpoint;
    type Verdict = UserInfoResult;

    fn cached(&self, digest: TokenDigest, now: Now) -> Option<UserInfoResult> {
        let known = self.known.peek(digest, now).map(UserInfoResult::Known);
        known.or_else(|| {
            let refused = self.refused.peek(digest, now);
            refused.map(|refusal| UserInfoResult::Denied(**refusal))
        })
    }

    async fn handle(
        &self,
        digest: TokenDigest,
        response: UserInfoResponse,
        request_time: RequestTime,
    ) -> Result<UserInfoResult, EndpointError> {
        let read = self.read(response, request_time).await?;
        Ok(self.keep(digest, read, request_time))
    }
}
