//! Running a server: starting the refresh tasks, key set status, and key operations.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::runtime::discovery::metadata::RefreshError as FetchError;
use crate::runtime::jwks::key_store::{FirstAttemptError, KeySetStatus, RemoteKeys};
use crate::runtime::jwks::refresh_task;
use crate::runtime::lease::table::LeaseTable;
use crate::runtime::lookup::status::IntrospectionStatus;
#[cfg(feature = "redis")]
use crate::runtime::shared::sync::failure::SyncFailure;
use crate::runtime::util::current_runtime::boxed_task;
use crate::server::decide::introspected::IntrospectedIssuer;
use crate::server::decide::issuer_authority::{IssuerAuthority, KeySource, StaticKeys};
#[cfg(feature = "redis")]
use crate::server::operate::shared_status::SharedStoreError;
use crate::server::registry::{Registry, remotes};
use crate::server::resource_server::ResourceServer;

/// How long [`ResourceServer::connect`] waits for the issuers, all together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How a first attempt ended. A failure that may pass is a status and no error.
type Attempt = Result<(), Option<ConnectError>>;

/// What can never become right by waiting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// `connect` was called outside a tokio runtime, where no refresher can run.
    #[error("no tokio runtime is running; call `connect()` inside one")]
    NoRuntime,
    /// An issuer's discovery document names another issuer (RFC 8414 section 3.3). Configure
    /// the name that its tokens have, to the last slash.
    #[error(
        "the discovery document of issuer `{configured}` names `{found}`; configure exactly that, or set `key_set_url`"
    )]
    #[non_exhaustive]
    IssuerMismatch {
        /// The issuer as configured.
        configured: String,
        /// The issuer that the document names, escaped and shortened.
        found: String,
    },
    /// The shared store drops what it holds when its memory is full, or does not say whether it
    /// does: revocations would be lost. It must have `maxmemory-policy noeviction`.
    #[cfg(feature = "redis")]
    #[error("{source}")]
    #[non_exhaustive]
    Eviction {
        /// What the store said, and what to do.
        source: SharedStoreError,
    },
    /// The shared store is a Redis Sentinel or a node of a Redis Cluster, and no single primary.
    #[cfg(feature = "redis")]
    #[error("{source}")]
    #[non_exhaustive]
    UnsupportedStore {
        /// What the store is, and what to do.
        source: SharedStoreError,
    },
}

/// A refresh that did not bring new keys. The old ones stay as good as they were.
///
/// It holds one cause for each key set that failed, at least one; `source()` is the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshError {
    first: KeySetRefreshError,
    others: Vec<KeySetRefreshError>,
}

/// Why one key set was not refreshed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySetRefreshError {
    issuer: Option<Arc<str>>,
    kind: RefreshErrorKind,
    problem: String,
}

/// What kept a key set from being refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefreshErrorKind {
    /// No tokio runtime is running, or the server was not connected.
    NotRunning,
    /// The issuer gave no usable key set: it did not answer, or its answer does not count.
    Failed,
    /// The discovery document names another issuer than the configured one.
    IssuerMismatch,
}

impl RefreshError {
    /// The key sets that failed, and why. At least one.
    pub fn causes(&self) -> impl Iterator<Item = &KeySetRefreshError> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The kind of the first cause.
    #[must_use]
    pub const fn kind(&self) -> RefreshErrorKind {
        self.first.kind
    }
}

impl KeySetRefreshError {
    /// The configured issuer; absent where the error concerns no issuer.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// What kept it from being refreshed, for programs.
    #[must_use]
    pub const fn kind(&self) -> RefreshErrorKind {
        self.kind
    }

    fn not_running(problem: &str) -> Self {
        Self {
            issuer: None,
            kind: RefreshErrorKind::NotRunning,
            problem: problem.to_owned(),
        }
    }
}

impl fmt::Display for RefreshError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        self.others
            .iter()
            .try_for_each(|cause| write!(f, "; {cause}"))
    }
}

impl fmt::Display for KeySetRefreshError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl std::error::Error for RefreshError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.first)
    }
}

impl std::error::Error for KeySetRefreshError {}

impl ResourceServer {
    /// Starts the background refresh of every issuer's keys and tries each issuer once, and loads
    /// what was [revoked before](crate::ResourceServerBuilder::load_revocations), all together for at most 5
    /// seconds.
    ///
    /// An issuer that is down is no error: requests with its tokens are answered 503 until its
    /// keys come, and [`ready()`](Self::ready) says so. A server with static keys and nothing to
    /// load needs no `connect`. The refreshers of all clones are started, those made before included, even
    /// when this returns an error.
    ///
    /// Without it, requests that need such keys or revocations are answered 503 with the outage
    /// [`NotConnected`](crate::error::Outage::NotConnected), and the first of them is an event at `error`.
    ///
    /// # Errors
    ///
    /// * [`ConnectError::NoRuntime`]: no tokio runtime is running. It needs time and I/O enabled,
    ///   as every runtime that serves requests has.
    /// * [`ConnectError::IssuerMismatch`]: a discovery document names another issuer.
    #[doc(alias = "start")]
    pub async fn connect(self) -> Result<Self, ConnectError> {
        let runtime = tokio::runtime::Handle::try_current();
        if let Ok(runtime) = &runtime {
            // Also where there is nothing to load yet: a replacement may add something.
            self.0.connection.begin(runtime.clone());
        }
        let registry = self.0.registry.load_full();
        let introspected = registry.introspected.as_ref();
        let introspector = introspected.map(|issuer| &issuer.introspector);
        let introspector = introspector.filter(|one| one.endpoint().is_discovered());
        let has_nothing_to_load = registry.remotes().next().is_none()
            && introspector.is_none()
            && !has_transmitters_to_serve(&registry);
        if has_nothing_to_load && self.0.loading.is_none() && !self.shares() {
            return Ok(self);
        }
        if runtime.is_err() {
            return Err(ConnectError::NoRuntime);
        }
        let mut attempts = JoinSet::<Attempt>::new();
        if let Some(mut loading) = self.start_loading() {
            attempts.spawn(boxed_task(async move {
                // An error means that the sender is gone.
                let _ = loading.wait_for(|ended| *ended > 0).await;
                Ok(())
            }));
        }
        for keys in registry.remotes() {
            refresh_task::start(keys).map_err(|_| ConnectError::NoRuntime)?;
            if !keys.is_lazy() {
                let keys = Arc::clone(keys);
                attempts.spawn(boxed_task(async move {
                    keys.first_attempt().await.map_err(lasting)
                }));
            }
        }
        #[cfg(feature = "ssf")]
        self.start_transmitters(&registry, &mut attempts)?;
        if let Some(introspector) = introspector.map(Arc::clone) {
            attempts.spawn(boxed_task(async move {
                let configured = introspector.endpoint().issuer().to_string();
                let located = introspector.resolve().await;
                located.map_err(|error| lasting(FirstAttemptError::of(error, configured)))
            }));
        }
        #[cfg(feature = "redis")]
        self.start_sharing(&mut attempts)?;
        let all = async {
            while let Some(attempt) = attempts.join_next().await {
                if let Ok(Err(Some(error))) = attempt {
                    return Err(error);
                }
            }
            Ok(())
        };
        match tokio::time::timeout(CONNECT_TIMEOUT, all).await {
            Ok(Err(error)) => Err(error),
            // An issuer that does not answer in time is down, which is a status and no error.
            Ok(Ok(())) | Err(_) => Ok(self),
        }
    }

    /// Starts the refresh of the keys of transmitters of security events, and the polls.
    #[cfg(feature = "ssf")]
    fn start_transmitters(
        &self,
        registry: &Registry,
        attempts: &mut JoinSet<Attempt>,
    ) -> Result<(), ConnectError> {
        for keys in registry.transmitter_keys() {
            refresh_task::start(keys).map_err(|_| ConnectError::NoRuntime)?;
            let keys = Arc::clone(keys);
            attempts.spawn(boxed_task(async move {
                keys.first_attempt().await.map_err(lasting)
            }));
        }
        self.start_polling().map_err(|_| ConnectError::NoRuntime)
    }

    #[cfg(feature = "redis")]
    fn shares(&self) -> bool {
        self.0.shared.is_some()
    }

    #[cfg(not(feature = "redis"))]
    #[allow(clippy::unused_self)]
    const fn shares(&self) -> bool {
        false
    }

    #[cfg(feature = "redis")]
    fn start_sharing(&self, attempts: &mut JoinSet<Attempt>) -> Result<(), ConnectError> {
        let Some(shared) = &self.0.shared else {
            return Ok(());
        };
        shared
            .sharing
            .start()
            .map_err(|_| ConnectError::NoRuntime)?;
        let sharing = Arc::clone(&shared.sharing);
        attempts.spawn(boxed_task(async move {
            let outcome = sharing.synchronize().await;
            outcome.map_err(|failure| match failure {
                SyncFailure::Eviction(_) => Some(ConnectError::Eviction {
                    source: failure.into(),
                }),
                SyncFailure::Unsupported(_) => Some(ConnectError::UnsupportedStore {
                    source: failure.into(),
                }),
                _ => None,
            })
        }));
        let answers = Arc::clone(&shared.answers);
        let proofs = Arc::clone(&shared.proofs);
        attempts.spawn(boxed_task(async move {
            answers.open().await;
            proofs.open().await;
            Ok(())
        }));
        Ok(())
    }

    /// The state of every key set that is fetched, in the order of configuration. An issuer
    /// form that is loaded on its first token is left out until it has loaded.
    #[must_use]
    pub fn key_set_status(&self) -> Vec<KeySetStatus> {
        let registry = self.0.registry.load();
        let counted = registry.remotes().filter(|keys| keys.counts());
        counted.map(|keys| keys.status()).collect()
    }

    /// The status of introspection; `None` where no introspected issuer is configured.
    #[must_use]
    pub fn introspection_status(&self) -> Option<IntrospectionStatus> {
        let registry = self.0.registry.load();
        registry
            .introspected
            .as_ref()
            .map(IntrospectedIssuer::status)
    }

    /// The status of each endpoint that is asked, by its kind.
    #[cfg(feature = "metrics")]
    pub(in crate::server) fn endpoint_statuses(&self) -> Vec<(&'static str, IntrospectionStatus)> {
        let registry = self.0.registry.load();
        let introspected = registry.introspected.as_ref();
        let introspected = introspected.map(|issuer| ("introspection", issuer.status()));
        #[cfg_attr(not(feature = "axum"), allow(unused_mut))]
        let mut all: Vec<_> = introspected.into_iter().collect();
        #[cfg(feature = "axum")]
        all.extend(registry.userinfo.values().map(|lookup| {
            let known = lookup.handler().cache_stats();
            ("userinfo", lookup.status(known))
        }));
        all
    }

    /// Fetches every issuer's keys now, whatever the schedule and the cooldown say, and waits
    /// for the answers.
    ///
    /// # Errors
    ///
    /// [`RefreshError`] names each issuer that did not answer with a usable key set. The keys
    /// that it had stay good.
    pub async fn refresh_now(&self) -> Result<(), RefreshError> {
        let registry = self.0.registry.load_full();
        refresh(registry.remotes().filter(|keys| keys.counts())).await
    }

    /// One configured issuer, to see and steer its keys. `None` when no issuer is configured by
    /// this identifier. All names of an issuer lead to it: both forms of a Cognito pool, its
    /// replicas' and each [alias](crate::Issuer::also_named). Tenants that share a key set are named by their own identifiers or by
    /// their template, and lead to the keys of all. After a [replacement](Self::replace) of the configuration,
    /// ask again: the value is of the issuer as it was.
    #[must_use]
    pub fn issuer_keys(&self, identifier: &str) -> Option<IssuerKeys> {
        let registry = self.0.registry.load();
        let issuers = registry.issuers.iter().filter(|issuer| {
            let mut own = issuer.members().map(|member| &member.rules);
            &*issuer.name == identifier || own.any(|rules| rules.is_named(identifier))
        });
        let mut found: Option<IssuerKeys> = None;
        // An issuer whose JWTs are verified here may also be an introspected issuer.
        for issuer in issuers {
            let keys = found.get_or_insert_default();
            keys.leases = Some(Arc::clone(&self.0.leases));
            keys.fetched.extend(remotes(issuer.members()).cloned());
            keys.fixed
                .extend(issuer.members().filter_map(static_keys).cloned());
        }
        found
    }
}

/// Whether a transmitter of security events has keys to fetch, or is polled.
#[cfg(feature = "ssf")]
fn has_transmitters_to_serve(registry: &Registry) -> bool {
    let mut transmitters = registry.transmitters.iter();
    registry.transmitter_keys().next().is_some() || transmitters.any(|one| one.polling.is_some())
}

#[cfg(not(feature = "ssf"))]
const fn has_transmitters_to_serve(_: &Registry) -> bool {
    false
}

/// The error of a failed attempt, where no later attempt can succeed.
pub(in crate::server) fn lasting(error: FirstAttemptError) -> Option<ConnectError> {
    match error {
        FirstAttemptError::IssuerMismatch { configured, found } => {
            Some(ConnectError::IssuerMismatch { configured, found })
        }
        FirstAttemptError::Failed(_) => None,
    }
}

/// The keys of one configured issuer.
#[derive(Clone, Default)]
pub struct IssuerKeys {
    fetched: Vec<Arc<RemoteKeys>>,
    fixed: Vec<Arc<StaticKeys>>,
    leases: Option<Arc<LeaseTable>>,
}

impl IssuerKeys {
    /// Drops the issuer's keys at once, for when one of them is compromised: open
    /// [leases](crate::lease) on its tokens end, and its tokens are
    /// answered 503 until a fetch brings keys again, which is requested at once. Static keys are
    /// dropped permanently: their tokens are answered 503 until a
    /// [replacement](ResourceServer::replace) of the configuration brings other keys, and
    /// [`ready()`](ResourceServer::ready) is false.
    pub fn drop_keys(&self) {
        for keys in &self.fetched {
            keys.drop_keys();
        }
        for keys in &self.fixed {
            keys.drop_keys();
        }
        if let Some(leases) = &self.leases {
            leases.end_without_key();
        }
    }

    /// Fetches the keys now, whatever the schedule and the cooldown say.
    ///
    /// # Errors
    ///
    /// [`RefreshError`] when the issuer did not answer with a usable key set.
    pub async fn refresh_now(&self) -> Result<(), RefreshError> {
        refresh(self.fetched.iter().filter(|keys| keys.counts())).await
    }

    /// The state of the issuer's key sets that are fetched, in the order of configuration.
    #[must_use]
    pub fn status(&self) -> Vec<KeySetStatus> {
        self.fetched
            .iter()
            .filter(|keys| keys.counts())
            .map(|keys| keys.status())
            .collect()
    }
}

impl fmt::Debug for IssuerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.status()).finish()
    }
}

fn static_keys(authority: &Arc<IssuerAuthority>) -> Option<&Arc<StaticKeys>> {
    match &authority.keys {
        KeySource::Static(keys) => Some(keys),
        KeySource::Remote(_) => None,
    }
}

async fn refresh(all: impl Iterator<Item = &Arc<RemoteKeys>>) -> Result<(), RefreshError> {
    let mut attempts = JoinSet::new();
    let mut failed = Vec::new();
    for keys in all {
        if tokio::runtime::Handle::try_current().is_err() {
            failed.push(KeySetRefreshError::not_running(
                "no tokio runtime is running",
            ));
            break;
        }
        let keys = Arc::clone(keys);
        attempts.spawn(boxed_task(async move {
            keys.refresh_now().await.map_err(|error| (keys, error))
        }));
    }
    while let Some(attempt) = attempts.join_next().await {
        match attempt {
            Ok(Ok(())) => {}
            Ok(Err((keys, error))) => failed.push(KeySetRefreshError {
                issuer: Some(keys.status().issuer().into()),
                kind: match error {
                    FetchError::NotRunning => RefreshErrorKind::NotRunning,
                    FetchError::IssuerMismatch { .. } => RefreshErrorKind::IssuerMismatch,
                    FetchError::Failed(_) => RefreshErrorKind::Failed,
                },
                problem: error.to_string(),
            }),
            Err(_) => failed.push(KeySetRefreshError::not_running("the refresh was cut off")),
        }
    }
    let mut failed = failed.into_iter();
    match failed.next() {
        None => Ok(()),
        Some(first) => Err(RefreshError {
            first,
            others: failed.collect(),
        }),
    }
}
