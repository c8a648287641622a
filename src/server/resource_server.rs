//! The configured server, as a value.

use std::collections::HashMap;
use std::fmt;
#[cfg(feature = "jwks")]
use std::pin::Pin;
use std::sync::Arc;
#[cfg(feature = "jwks")]
use std::sync::atomic::AtomicBool;
use std::time::Duration;

#[cfg(feature = "jwks")]
use tokio::sync::watch;

use crate::model::error::rejection::{Objection, Outage, Rejection, WiringFault};
use crate::model::time::UnixTime;
use crate::runtime::cache::token_cache::{CacheStats, TokenCache};
use crate::runtime::clock::Clock;
#[cfg(feature = "jwks")]
use crate::runtime::directory::LookupError;
use crate::runtime::directory::{DynMembershipDirectory, DynUserDirectory, DynWorkspaceDirectory};
use crate::runtime::revocation::list::RevocationList;
use crate::runtime::util::log_rate_limit::LogRateLimit;
#[cfg(feature = "redis")]
use crate::server::compile::shared_store::Shared;
#[cfg(all(feature = "axum", feature = "jwks"))]
use crate::server::compile::userinfo::UserInfoLookups;
#[cfg(feature = "jwks")]
use crate::server::decide::introspected::IntrospectedIssuer;
use crate::server::decide::issuer_authority::IssuerAuthority;
use crate::server::decide::verified_request::VerifiedRequest;
use crate::server::refusal_counters::Refusals;
use crate::server::settings::path_parameters::PathParameters;
use crate::verify::claims::access_token::AccessToken;

/// A configured resource server: which issuers it trusts, by which rules, with which keys.
///
/// Cloning is cheap; clones share keys. Background refreshes end with the last clone, layers
/// and services included.
///
/// ```
/// use portcullis::{Issuer, ResourceServer};
///
/// let server = ResourceServer::builder("https://api.example.com")
///     .issuer(Issuer::oidc("https://id.example.com"))
///     .build()?;
/// assert_eq!(server.resource(), "https://api.example.com");
///
/// let mistake = ResourceServer::builder("https://api.example.com").build().unwrap_err();
/// assert_eq!(mistake.setting(), "issuer");
/// # Ok::<(), portcullis::ConfigError>(())
/// ```
#[doc(alias = "resource_server")]
#[doc(alias = "jwt_validator")]
#[doc(alias = "oauth2")]
#[derive(Clone)]
pub struct ResourceServer(pub(super) Arc<ServerState>);

pub(super) struct ServerState {
    pub(super) resource: Arc<str>,
    pub(super) resource_metadata: Option<Arc<str>>,
    pub(super) max_token_bytes: usize,
    pub(super) clock: Arc<dyn Clock>,
    /// A wall clock that shows an earlier time is not set.
    pub(super) earliest: UnixTime,
    /// `None`: switched off.
    pub(super) verified: Option<TokenCache<VerifiedRequest>>,
    /// By exact `iss`.
    pub(super) authorities: HashMap<Box<str>, Arc<IssuerAuthority>>,
    /// Who is asked about other tokens.
    #[cfg(feature = "jwks")]
    pub(super) opaque: Option<IntrospectedIssuer>,
    /// By realm, who asks about users.
    #[cfg(all(feature = "axum", feature = "jwks"))]
    pub(super) tellers: UserInfoLookups,
    pub(super) realms: Vec<IssuerRealm>,
    pub(super) has_contexts: bool,
    pub(super) revocations: Arc<RevocationList>,
    #[cfg(feature = "jwks")]
    pub(super) loading: Option<Loading>,
    #[cfg(feature = "redis")]
    pub(super) shared: Option<Shared>,
    /// The application's own, in its order.
    pub(super) checks: Vec<ApplicationCheck>,
    /// Whether the `iss` of an unknown issuer goes into the refusal's detail.
    pub(super) shows_unknown_issuers: bool,
    pub(super) outside: Directories,
    pub(super) path: PathParameters,
    pub(super) refusals: Refusals,
}

impl ServerState {
    /// Whether the wall clock can be believed.
    fn is_clock_set(&self, wall: UnixTime) -> bool {
        wall >= self.earliest
    }

    /// Nothing can be judged by a clock that is not set, which is not the caller's fault.
    pub(super) fn check_clock(&self, wall: UnixTime) -> Result<(), Rejection> {
        if self.is_clock_set(wall) {
            return Ok(());
        }
        let soon = Duration::from_secs(5);
        Err(Rejection::unavailable(Outage::ClockUnset, soon))
    }
}

/// What guards must know beside the token.
#[cfg_attr(not(feature = "axum"), allow(dead_code))]
pub(super) struct Directories {
    pub(super) owners: Option<Arc<dyn DynWorkspaceDirectory>>,
    pub(super) users: Option<Arc<dyn DynUserDirectory>>,
    pub(super) members: Option<Arc<dyn DynMembershipDirectory>>,
    pub(super) lookup_timeout: Duration,
    /// A caller can make a look-up fail again and again; the event for it is written at times.
    pub(super) lookup_failed: LogRateLimit,
    pub(super) has_delegation: bool,
}

/// A check of the application's own.
pub(super) type ApplicationCheck = Box<dyn Fn(&AccessToken) -> Result<(), Objection> + Send + Sync>;

/// How the application's own hook loads what was revoked before.
#[cfg(feature = "jwks")]
pub(super) type LoadHook = Box<dyn Fn(ResourceServer) -> LoadFuture + Send + Sync>;

#[cfg(feature = "jwks")]
pub(super) type LoadFuture = Pin<Box<dyn Future<Output = Result<(), LookupError>> + Send>>;

/// What was revoked before and is not known yet, or is since.
#[cfg(feature = "jwks")]
pub(super) struct Loading {
    pub(super) load: LoadHook,
    /// Whether somebody loads, or has loaded.
    pub(super) running: AtomicBool,
    /// How many have ended, however.
    pub(super) attempts: watch::Sender<u64>,
}

#[cfg(feature = "jwks")]
impl Loading {
    pub(super) fn new(load: LoadHook) -> Self {
        Self {
            load,
            running: AtomicBool::new(false),
            attempts: watch::Sender::new(0),
        }
    }
}

/// An issuer as configured, and what its identifiers lead to.
pub(super) type IssuerRealm = (Arc<str>, Vec<Arc<IssuerAuthority>>);

impl ResourceServer {
    /// The resource's identifier.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.0.resource
    }

    /// Whether every request can be judged: the clock is set, each issuer has keys that are young enough, it is known
    /// where to ask the one that is asked, and what has been revoked is loaded. An issuer form that
    /// is loaded on its first token counts from then on. Whether the issuer of opaque tokens answers is another question: see
    /// `introspection()`.
    #[must_use]
    pub fn ready(&self) -> bool {
        let mut members = self.0.realms.iter().flat_map(|(_, members)| members);
        self.0.is_clock_set(self.0.clock.now())
            && members.all(|member| member.keys.ready())
            && self.knows_where_to_ask()
            && self.0.revocations.is_complete()
    }

    /// An endpoint that has to be discovered is like keys that have to be loaded.
    #[cfg(feature = "jwks")]
    fn knows_where_to_ask(&self) -> bool {
        let opaque = self.0.opaque.as_ref();
        opaque.is_none_or(|opaque| opaque.endpoint().is_located())
    }

    #[cfg(not(feature = "jwks"))]
    #[allow(clippy::unused_self)]
    const fn knows_where_to_ask(&self) -> bool {
        true
    }

    /// How the cache of verified tokens fares; `None` where it is switched off.
    #[must_use]
    pub fn token_cache_status(&self) -> Option<TokenCacheStatus> {
        let tally = self.0.verified.as_ref()?.tally();
        Some(TokenCacheStatus(tally))
    }

    pub(crate) fn refusals(&self) -> &Refusals {
        &self.0.refusals
    }

    /// The monotonic time, for events that are bounded in time.
    #[cfg_attr(not(any(feature = "axum", feature = "tracing")), allow(dead_code))]
    pub(crate) fn monotonic(&self) -> Duration {
        self.0.clock.monotonic()
    }

    /// The route parameters that address a tenant, unless a layer names others.
    pub(crate) fn path_parameters(&self) -> &PathParameters {
        &self.0.path
    }

    pub(crate) fn resource_metadata(&self) -> Option<&Arc<str>> {
        self.0.resource_metadata.as_ref()
    }

    /// What is wrong with a layer that names this context, as far as tenant guards care.
    pub(crate) fn wiring_fault(
        &self,
        context: Option<&str>,
        admits_principals: bool,
    ) -> Option<WiringFault> {
        let knows = |name: &str| {
            let mut members = self.0.realms.iter().flat_map(|(_, members)| members);
            members.any(|member| {
                let tenant = member.rules.tenant.as_ref();
                tenant.is_some_and(|rules| rules.knows_context(name))
            })
        };
        match context {
            None if self.0.has_contexts => Some(WiringFault::NoContext),
            Some(name) if !knows(name) => Some(WiringFault::UnknownContext),
            _ if admits_principals && self.0.outside.owners.is_none() => {
                Some(WiringFault::NoWorkspaceDirectory)
            }
            _ => None,
        }
    }
}

/// How the cache of verified tokens fares, since the server was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenCacheStatus(CacheStats);

impl TokenCacheStatus {
    /// The tokens that it holds; some of them may be over.
    #[must_use]
    pub const fn entries(&self) -> usize {
        self.0.entries
    }

    /// About how many bytes they take.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.0.bytes
    }

    /// Requests whose token was found.
    #[must_use]
    pub const fn hits(&self) -> u64 {
        self.0.hits
    }

    /// Requests whose token was not, bad ones included.
    #[must_use]
    pub const fn misses(&self) -> u64 {
        self.0.misses
    }

    /// Tokens that had to make room for others.
    #[must_use]
    pub const fn evictions(&self) -> u64 {
        self.0.evictions
    }
}

/// What a handler that asks for a delegation needs.
#[cfg(feature = "axum")]
impl ResourceServer {
    pub(crate) fn delegation_fault(&self) -> Option<WiringFault> {
        if self.0.outside.has_delegation {
            None
        } else {
            Some(WiringFault::NoDelegation)
        }
    }

    pub(crate) fn user_directory_fault(&self) -> Option<WiringFault> {
        match self.0.outside.users {
            Some(_) => None,
            None => Some(WiringFault::NoUserDirectory),
        }
    }
}

impl fmt::Debug for ResourceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issuers: Vec<&str> = self.0.realms.iter().map(|(realm, _)| &**realm).collect();
        f.debug_struct("ResourceServer")
            .field("resource", &self.0.resource)
            .field("issuers", &issuers)
            .finish_non_exhaustive()
    }
}
