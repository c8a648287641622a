//! The configured server, as a value.

use std::fmt;
#[cfg(feature = "jwks")]
use std::pin::Pin;
#[cfg(feature = "jwks")]
use std::sync::OnceLock;
#[cfg(feature = "jwks")]
use std::sync::atomic::AtomicU64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[cfg(feature = "jwks")]
use tokio::runtime::Handle;
#[cfg(feature = "jwks")]
use tokio::sync::watch;

use crate::logging;
use crate::model::decision::event::Event;
use crate::model::error::rejection::{Objection, Outage, Rejection, WiringFault};
use crate::model::requirement::binding::RequiredBindings;
use crate::model::time::UnixTime;
use crate::runtime::cache::token_cache::{CacheStats, TokenCache};
use crate::runtime::clock::Clock;
#[cfg(feature = "jwks")]
use crate::runtime::directory::LookupError;
use crate::runtime::directory::{DynMembershipDirectory, DynUserDirectory, DynWorkspaceDirectory};
#[cfg(feature = "jwks")]
use crate::runtime::http::shared_clients::HttpClients;
#[cfg(feature = "jwks")]
use crate::runtime::lease::table::LeaseTable;
use crate::runtime::revocation::list::RevocationList;
#[cfg(feature = "ssf")]
use crate::runtime::ssf::counters::SsfCounters;
use crate::runtime::util::log_rate_limit::LogRateLimit;
#[cfg(feature = "redis")]
use crate::server::compile::shared_store::Shared;
use crate::server::decide::protected_resource::ProtectedResources;
use crate::server::decide::sender::DpopRules;
use crate::server::decide::verified_request::VerifiedRequest;
use crate::server::observe::listeners::DecisionListeners;
use crate::server::observe::observe_only::ObservingLayers;
use crate::server::refusal_counters::RefusalCounters;
use crate::server::registry::RegistryCell;
use crate::server::settings::path_parameters::PathParameters;
use crate::verify::claims::verified_token::AccessToken;
use crate::verify::crypto::secret::SecretHash;

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
    pub(super) resources: ProtectedResources,
    pub(super) max_token_bytes: usize,
    pub(super) clock: Arc<dyn Clock>,
    /// A wall clock that shows an earlier time is not set.
    pub(super) earliest: UnixTime,
    /// `None`: switched off.
    pub(super) verified: Option<TokenCache<VerifiedRequest>>,
    pub(super) required_bindings: RequiredBindings,
    /// `None`: proofs are not accepted.
    pub(super) dpop: Option<DpopRules>,
    pub(super) registry: RegistryCell,
    /// Held by the one replacement that is under way: the settings that stay.
    pub(super) replacing: Mutex<FixedSettings>,
    #[cfg(feature = "jwks")]
    pub(super) clients: HttpClients,
    pub(super) revocations: Arc<RevocationList>,
    #[cfg(feature = "jwks")]
    pub(super) leases: Arc<LeaseTable>,
    #[cfg(feature = "jwks")]
    pub(super) unleased_upgrade: LogRateLimit,
    #[cfg(feature = "jwks")]
    pub(super) loading: Option<Loading>,
    #[cfg(feature = "redis")]
    pub(super) shared: Option<Shared>,
    /// Security events of no configured transmitter.
    #[cfg(feature = "ssf")]
    pub(super) refused_sets: SsfCounters,
    /// The application's own, in its order.
    pub(super) checks: Vec<ApplicationCheck>,
    /// Whether the `iss` of an unknown issuer goes into the refusal's detail.
    pub(super) shows_unknown_issuers: bool,
    /// Whether events have the names of callers.
    pub(super) logs_callers: bool,
    pub(super) outside: Directories,
    pub(super) path: PathParameters,
    pub(super) connection: Connection,
    pub(super) refusals: RefusalCounters,
    /// Fixed while the server runs.
    pub(super) listeners: Arc<DecisionListeners>,
    pub(super) observing: ObservingLayers,
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

/// What challenges say of the scheme `DPoP` (RFC 9449 section 7.1).
#[derive(Clone)]
pub(crate) struct DpopChallenge {
    /// Names with a space between them.
    pub(crate) algorithms: String,
    /// Whether they name it in any case.
    pub(crate) is_advertised: bool,
}

/// The settings that stay while a server runs, each with a hash of its value.
pub(super) type FixedSettings = Vec<(&'static str, SecretHash)>;

/// Whether `connect()` was called, and whether an event has said that it was not.
#[derive(Default)]
pub(super) struct Connection {
    is_begun: AtomicBool,
    is_reported: AtomicBool,
    /// Where tasks are started that a replacement adds.
    #[cfg(feature = "jwks")]
    runtime: OnceLock<Handle>,
}

impl Connection {
    #[cfg(feature = "jwks")]
    pub(super) fn begin(&self, runtime: Handle) {
        self.is_begun.store(true, Ordering::Relaxed);
        let _ = self.runtime.set(runtime);
    }

    /// Where a replacement starts tasks: the runtime of `connect()`, which serves for long, and the current
    /// one for where that has ended.
    #[cfg(feature = "jwks")]
    pub(super) fn runtimes(&self) -> Vec<Handle> {
        let current = Handle::try_current().ok();
        self.runtime
            .get()
            .cloned()
            .into_iter()
            .chain(current)
            .collect()
    }

    pub(super) fn is_begun(&self) -> bool {
        self.is_begun.load(Ordering::Relaxed)
    }

    /// The rejection of a request that needs what only `connect()` loads. The first one is an
    /// error event too.
    #[cold]
    pub(super) fn missing(&self) -> Rejection {
        if !self.is_reported.swap(true, Ordering::Relaxed) {
            logging::emit(Event::NotConnected);
        }
        Outage::NotConnected.into()
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
    /// Whether the loading task runs.
    pub(super) running: AtomicBool,
    /// Whether an attempt succeeded once.
    pub(super) has_loaded: AtomicBool,
    /// The latest addition of issuers of which the loader must be called, and the latest of which it was.
    pub(super) wanted: AtomicU64,
    pub(super) done: AtomicU64,
    /// How many have ended, however.
    pub(super) attempts: watch::Sender<u64>,
}

#[cfg(feature = "jwks")]
impl Loading {
    /// Whether everything was loaded that is wanted by now.
    pub(super) fn is_done(&self) -> bool {
        let has_loaded = self.has_loaded.load(Ordering::Acquire);
        has_loaded && self.done.load(Ordering::Acquire) >= self.wanted.load(Ordering::Acquire)
    }

    pub(super) fn new(load: LoadHook) -> Self {
        Self {
            load,
            running: AtomicBool::new(false),
            has_loaded: AtomicBool::new(false),
            wanted: AtomicU64::new(0),
            done: AtomicU64::new(0),
            attempts: watch::Sender::new(0),
        }
    }
}

impl ResourceServer {
    /// The first resource's identifier.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.0.resources.first().identifier
    }

    /// The identifiers of all resources, in the order of configuration; at least one.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        let resources = self.0.resources.iter();
        resources.map(|resource| &*resource.identifier)
    }

    /// Whether every request can be judged: the clock is set, each issuer has keys that are not too
    /// old, the address of the introspection endpoint is known, and the revocations are loaded. An
    /// issuer form that is loaded on its first token counts from then on. The availability of the
    /// introspection endpoint does not count: see `introspection_status()`.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.0.is_clock_set(self.0.clock.now())
            && self.0.registry.load().ready()
            && self.0.revocations.is_complete_for_all()
    }

    /// The counters of the cache of verified tokens; `None` where it is switched off.
    #[must_use]
    pub fn token_cache_status(&self) -> Option<TokenCacheStatus> {
        let tally = self.0.verified.as_ref()?.stats();
        Some(TokenCacheStatus(tally))
    }

    /// The status of the store of used DPoP proofs; `None` where proofs are not accepted, or replay is
    /// not checked.
    #[must_use]
    pub fn replay_store_status(&self) -> Option<ReplayStoreStatus> {
        let store = self.0.dpop.as_ref()?.store.as_ref()?;
        Some(ReplayStoreStatus {
            entries: store.local.len(),
            capacity: store.local.capacity(),
        })
    }

    /// Whether events have the names of callers.
    pub(crate) fn logs_callers(&self) -> bool {
        self.0.logs_callers
    }

    pub(crate) fn refusals(&self) -> &RefusalCounters {
        &self.0.refusals
    }

    /// The wall clock's time.
    pub(crate) fn wall_clock(&self) -> UnixTime {
        self.0.clock.now()
    }

    /// The monotonic time, for events that are bounded in time.
    pub(crate) fn monotonic(&self) -> Duration {
        self.0.clock.monotonic()
    }

    /// The route parameters that address a tenant, unless a layer names others.
    pub(crate) fn path_parameters(&self) -> &PathParameters {
        &self.0.path
    }

    /// How challenges name the scheme `DPoP`; `None` where it is off.
    pub(crate) fn dpop_challenge(&self) -> Option<DpopChallenge> {
        let rules = self.0.dpop.as_ref()?;
        Some(DpopChallenge {
            algorithms: rules.proofs.algorithms.names(" "),
            is_advertised: rules.is_advertised,
        })
    }

    /// Whether proofs must have a nonce.
    pub(crate) fn has_dpop_nonces(&self) -> bool {
        self.0
            .dpop
            .as_ref()
            .is_some_and(|dpop| dpop.nonces.is_some())
    }

    /// A nonce for a response; `None` where none are demanded.
    pub(crate) fn fresh_dpop_nonce(&self) -> Option<Box<str>> {
        self.0.dpop.as_ref()?.fresh_nonce(self.0.clock.now())
    }

    /// What the server demands of every token.
    pub(crate) fn required_bindings(&self) -> RequiredBindings {
        self.0.required_bindings
    }

    /// What is wrong with a layer that names this context, as far as tenant guards care.
    pub(crate) fn wiring_fault(
        &self,
        context: Option<&str>,
        admits_principals: bool,
    ) -> Option<WiringFault> {
        let registry = self.0.registry.load();
        match context {
            None if registry.has_contexts => Some(WiringFault::NoContext),
            Some(name) if !registry.knows_context(name) => Some(WiringFault::UnknownContext),
            _ if admits_principals && self.0.outside.owners.is_none() => {
                Some(WiringFault::NoWorkspaceDirectory)
            }
            _ => None,
        }
    }
}

/// The counters of the cache of verified tokens since the server was built.
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

    /// Tokens that were evicted by others.
    #[must_use]
    pub const fn evictions(&self) -> u64 {
        self.0.evictions
    }
}

/// The status of the store of used DPoP proofs of this instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayStoreStatus {
    entries: usize,
    capacity: usize,
}

impl ReplayStoreStatus {
    /// The proofs that it remembers; some of them may be too old to be valid by now.
    #[must_use]
    pub const fn entries(&self) -> usize {
        self.entries
    }

    /// The proofs for which it has places; see
    /// [`Dpop::replay_capacity`](crate::binding::Dpop::replay_capacity).
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }
}

/// What a handler that asks for a delegation needs.
#[cfg(feature = "axum")]
impl ResourceServer {
    pub(crate) fn delegation_fault(&self) -> Option<WiringFault> {
        if self.0.registry.load().has_delegation {
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
        let registry = self.0.registry.load();
        let issuers: Vec<&str> = registry
            .issuers
            .iter()
            .map(|issuer| &*issuer.name)
            .collect();
        f.debug_struct("ResourceServer")
            .field("resource", &self.0.resources.first().identifier)
            .field("issuers", &issuers)
            .finish_non_exhaustive()
    }
}
