//! An issuer that is asked about its users: where, and what is remembered of its answers.
//!
//! 1. An answer is remembered for a minute at most, for the token that it was given for, by a
//!    digest of every byte; that a token is bad or may see nothing, for 10 s; an outage never.
//! 2. What a signed answer said ends with the key that verified it.
//! 3. Whom an answer is about, and for whom it was signed, is not decided here, but on every use.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use crate::model::time::UnixTime;
use crate::model::url;
use crate::runtime::cache::token_cache::{
    CacheLimits, CacheValidity, Cached, TokenCache, TokenDigest,
};
use crate::runtime::clock::{Clock, Deadline, Now};
use crate::runtime::introspection::endpoint::EndpointUrl;
use crate::runtime::lookup::engine::{
    AskingLimits, EndpointError, RemoteLookup, RequestTime, ResponseHandler,
};
use crate::runtime::userinfo::endpoint::{UserInfoEndpoint, UserInfoReply};
use crate::runtime::util::log_rate_limit::LogRateLimit;
use crate::server::compile::issuer::Members;
use crate::server::compile::issuer_ids::discovery_urls;
use crate::server::compile::key_source::reach;
use crate::server::decide::issuer_authority::IssuerAuthority;
use crate::server::decide::signed_response::{answer_time, opened};
use crate::server::settings::error::ConfigError;
use crate::server::settings::introspection_settings::UserInfoLocation;
use crate::server::settings::issuer::{Issuer, IssuerKind};
use crate::verify::claims::introspection_response::MOST_APART;
use crate::verify::claims::userinfo_response::UserClaims;
use crate::verify::jose::signature::Signed;

/// How long an answer is remembered.
const LIFE: Duration = Duration::from_secs(60);

/// How long it is remembered that there is nothing to be told.
const BRIEFLY: Duration = Duration::from_secs(10);

/// How much is remembered.
const LIMITS: CacheLimits = CacheLimits {
    entries: 10_000,
    bytes: 64 << 20,
    life: LIFE,
};

/// About how much memory a remembered denial takes.
const DENIAL_BYTES: usize = 128;

/// As many questions as introspection has, and as much patience.
const ASKING: AskingLimits = AskingLimits {
    calls: 64,
    patience: Duration::from_secs(2),
};

/// What the issuer tells about users.
impl Issuer {
    /// Asks this endpoint of the issuer about a user, with the user's token, when a handler wants
    /// [`UserInfo`](crate::extract::UserInfo): the `userinfo_endpoint` of OpenID Connect Core section 5.3.
    ///
    /// 1. An answer is remembered for 60 s, and for one token. Who asks about the same token at
    ///    the same time shares one question; 64 are under way at a time, and a request waits for
    ///    2 s.
    /// 2. An answer is JSON, or a JWT (`application/jwt`) that one of the issuer's keys verifies
    ///    and that is for the token's client.
    ///
    /// Default: nobody is asked, since a token is then sent to one more place.
    pub fn userinfo(mut self, endpoint: impl Into<String>) -> Self {
        let endpoint = endpoint.into();
        self.once.set("userinfo", &Some(&endpoint));
        self.telling = Some(UserInfoLocation::At(endpoint));
        self
    }

    /// The same, at the endpoint that the issuer's metadata names, which are found like those of
    /// its keys, when somebody asks for the first time. [`discovery_url`](Self::discovery_url)
    /// names another place.
    pub fn discover_userinfo(mut self) -> Self {
        self.once.set("userinfo", &None::<&String>);
        self.telling = Some(UserInfoLocation::Discovered);
        self
    }
}

/// Who asks an issuer about its users.
pub(in crate::server) type UserInfoLookup = Arc<RemoteLookup<UserInfoHandler>>;

pub(in crate::server) struct UserInfoHandler {
    authority: Arc<IssuerAuthority>,
    known: TokenCache<UserClaims>,
    /// Apart, so that a storm of them drives out nobody.
    denied: TokenCache<UserInfoRefusal>,
    /// Events about answers that cannot be used.
    pub(in crate::server) unusable: LogRateLimit,
}

/// What became of a question about a user.
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

/// What an answer says, and what that stands on.
type Read = Result<(UserClaims, CacheValidity), UserInfoRefusal>;

/// By realm, who asks about users.
pub(in crate::server) type UserInfoLookups = HashMap<Arc<str>, UserInfoLookup>;

/// Adds who asks this issuer, where its settings say so.
pub(in crate::server) fn add(
    tellers: &mut UserInfoLookups,
    issuer: &Issuer,
    members: &Members,
    clock: &Arc<dyn Clock>,
) -> Result<(), ConfigError> {
    let Some(telling) = &issuer.telling else {
        return Ok(());
    };
    for (_, authority) in members {
        // The forms of a pool are one realm, and so are an issuer's JWTs and its other tokens.
        if let Entry::Vacant(vacant) = tellers.entry(Arc::clone(&authority.rules.realm)) {
            vacant.insert(teller(issuer, telling, authority, clock)?);
        }
    }
    Ok(())
}

fn teller(
    issuer: &Issuer,
    telling: &UserInfoLocation,
    authority: &Arc<IssuerAuthority>,
    clock: &Arc<dyn Clock>,
) -> Result<UserInfoLookup, ConfigError> {
    let realm = Arc::clone(&authority.rules.realm);
    let place = place(issuer, telling, &realm)?;
    let endpoint = UserInfoEndpoint::new(realm, place, &reach(issuer)?)
        .map_err(|problem| ConfigError::new("userinfo", problem))?;
    let no_randomness = || ConfigError::unavailable("userinfo", "the system gives no randomness");
    let teller = UserInfoHandler {
        authority: Arc::clone(authority),
        known: TokenCache::new(LIMITS).ok_or_else(no_randomness)?,
        denied: TokenCache::new(LIMITS).ok_or_else(no_randomness)?,
        unusable: LogRateLimit::default(),
    };
    Ok(RemoteLookup::new(teller, endpoint, ASKING, clock))
}

fn place(
    issuer: &Issuer,
    telling: &UserInfoLocation,
    realm: &str,
) -> Result<EndpointUrl, ConfigError> {
    let check = |setting: &'static str, address: &str| {
        url::check(address, issuer.plain_http).map_err(|problem| {
            ConfigError::new(setting, format!("`{}` {problem}", url::shown(address)))
        })
    };
    match (telling, &issuer.kind, &issuer.discovery_url) {
        (UserInfoLocation::At(url), _, _) => {
            check("userinfo", url)?;
            Ok(EndpointUrl::At(url.clone()))
        }
        (UserInfoLocation::Discovered, IssuerKind::OidcTenants(_), _) => {
            Err(ConfigError::conflict(
                "discover_userinfo",
                "the tenants' metadata is not about one issuer; give the endpoint with `userinfo(..)`",
            ))
        }
        (UserInfoLocation::Discovered, _, Some(url)) => {
            check("discovery_url", url)?;
            Ok(EndpointUrl::Discovered(vec![url.clone()]))
        }
        (UserInfoLocation::Discovered, _, None) => {
            check("discover_userinfo", realm)?;
            Ok(EndpointUrl::Discovered(discovery_urls(realm)))
        }
    }
}

impl UserInfoHandler {
    pub(in crate::server) fn digest(&self, token: &[u8]) -> Option<TokenDigest> {
        self.known.digest(token)
    }

    /// What is remembered for this token.
    pub(in crate::server) fn told(&self, digest: TokenDigest, now: Now) -> Option<UserInfoResult> {
        let known = self.known.find(digest, now).map(UserInfoResult::Known);
        known.or_else(|| {
            let denied = self.denied.find(digest, now);
            denied.map(|denial| UserInfoResult::Denied(**denial))
        })
    }

    /// The digest of a user, which is no token's: tokens hold no such byte.
    pub(in crate::server) fn digest_of_subject(&self, subject: &str) -> Option<TokenDigest> {
        self.known.digest(format!("\0{subject}").as_bytes())
    }

    /// What is told, remembered from when it was asked for.
    fn keep(&self, digest: TokenDigest, read: Read, asked: RequestTime) -> UserInfoResult {
        let within = |basis: CacheValidity, life| basis.within(Deadline::after(asked.now(), life));
        let left = |end: UnixTime| {
            let left = end.as_secs().saturating_sub(asked.wall.as_secs());
            Duration::from_secs(u64::try_from(left).unwrap_or_default())
        };
        match read {
            Ok((claims, basis)) => {
                let (bytes, life) = (claims.bytes(), claims.end().map_or(LIFE, left).min(LIFE));
                let mut known = Arc::new(Cached::unkept(claims, within(basis, life)));
                if !life.is_zero() {
                    self.known.keep(digest, &mut known, bytes, asked.now());
                }
                UserInfoResult::Known(known)
            }
            Err(denial) => {
                let mut known = Arc::new(Cached::unkept(
                    denial,
                    within(CacheValidity::lasting(), BRIEFLY),
                ));
                self.denied
                    .keep(digest, &mut known, DENIAL_BYTES, asked.now());
                UserInfoResult::Denied(denial)
            }
        }
    }

    async fn read(&self, said: UserInfoReply, asked: RequestTime) -> Result<Read, EndpointError> {
        let read = match said {
            UserInfoReply::BadToken => return Ok(Err(UserInfoRefusal::BadToken)),
            UserInfoReply::NothingToSee => return Ok(Err(UserInfoRefusal::NothingToSee)),
            UserInfoReply::Plain(bytes) => {
                let text = String::from_utf8(bytes)
                    .map_err(|_| EndpointError::failed("the answer is not utf-8"))?;
                let claims = UserClaims::read(&text.into())
                    .map_err(|fault| EndpointError::failed(format!("the answer {fault}")))?;
                (claims, CacheValidity::lasting())
            }
            UserInfoReply::Signed(bytes) => {
                let time = answer_time(&self.authority, asked, MOST_APART);
                let open = |signed: &Signed<'_>| {
                    UserClaims::signed(signed, time).map_err(|fault| format!("the answer {fault}"))
                };
                opened(&self.authority, &bytes, open).await?
            }
        };
        Ok(Ok(read))
    }
}

impl ResponseHandler for UserInfoHandler {
    type Oracle = UserInfoEndpoint;
    type Verdict = UserInfoResult;

    fn remembered(&self, digest: TokenDigest, now: Now) -> Option<UserInfoResult> {
        self.told(digest, now)
    }

    async fn examine(
        &self,
        digest: TokenDigest,
        said: UserInfoReply,
        asked: RequestTime,
    ) -> Result<UserInfoResult, EndpointError> {
        let read = self.read(said, asked).await?;
        Ok(self.keep(digest, read, asked))
    }
}
