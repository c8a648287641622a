//! The issuers that a server trusts, as one value behind one cell.
//!
//! 1. Everything that depends on the set of issuers is in the registry, so that one swap of the
//!    cell replaces all of it together.
//! 2. A cached token is admitted without a read of the cell. Every other decision reads it once,
//!    and goes on with that registry, look-ups included.

use std::collections::HashMap;
use std::ops::Deref;
#[cfg(feature = "jwks")]
use std::sync::atomic::AtomicBool;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

#[cfg(feature = "jwks")]
use crate::runtime::jwks::key_store::RemoteKeys;
use crate::runtime::util::swap::{Guard, SwapCell};
use crate::runtime::util::text_hash::BuildTextHasher;
#[cfg(all(feature = "axum", feature = "jwks"))]
use crate::server::compile::userinfo::UserInfoLookups;
#[cfg(feature = "jwks")]
use crate::server::decide::introspected::IntrospectedIssuer;
use crate::server::decide::issuer_authority::IssuerAuthority;
#[cfg(feature = "jwks")]
use crate::server::decide::issuer_authority::KeySource;
#[cfg(feature = "ssf")]
use crate::server::decide::ssf_transmitter::Transmitter;
#[cfg(feature = "jwks")]
use crate::server::observe::listeners::DecisionListeners;
use crate::server::settings::issuer::value::Issuer;
#[cfg(feature = "ssf")]
use crate::server::settings::ssf::SsfTransmitter;

/// A configured issuer, and what it was compiled to.
pub(in crate::server) struct ConfiguredIssuer {
    /// What operators call it: its first identifier, or the template of its tenants.
    pub(in crate::server) name: Arc<str>,
    /// What each of its `iss` values leads to.
    pub(in crate::server) members: Vec<(Arc<str>, Arc<IssuerAuthority>)>,
    /// `None` where its tokens are verified here.
    #[cfg(feature = "jwks")]
    pub(in crate::server) introspected: Option<IntrospectedIssuer>,
    #[cfg(all(feature = "axum", feature = "jwks"))]
    pub(in crate::server) userinfo: UserInfoLookups,
    /// What it was compiled from.
    pub(in crate::server) settings: Issuer,
}

impl ConfiguredIssuer {
    pub(in crate::server) fn members(&self) -> impl Iterator<Item = &Arc<IssuerAuthority>> {
        self.members.iter().map(|(_, authority)| authority)
    }
}

/// What each exact `iss` leads to.
pub(in crate::server) type IssuerAuthorities =
    HashMap<Box<str>, Arc<IssuerAuthority>, BuildTextHasher>;

/// The issuers of a server.
#[derive(Default)]
pub(in crate::server) struct Registry {
    /// By exact `iss`: issuers whose tokens are verified here.
    pub(in crate::server) authorities: IssuerAuthorities,
    /// The issuer whose tokens are introspected.
    #[cfg(feature = "jwks")]
    pub(in crate::server) introspected: Option<IntrospectedIssuer>,
    /// By issuer.
    #[cfg(all(feature = "axum", feature = "jwks"))]
    pub(in crate::server) userinfo: UserInfoLookups,
    /// Transmitters of security events.
    #[cfg(feature = "ssf")]
    pub(in crate::server) transmitters: Vec<Arc<Transmitter>>,
    /// Their settings, in the same order.
    #[cfg(feature = "ssf")]
    pub(in crate::server) transmitter_settings: Vec<SsfTransmitter>,
    /// In the order of configuration.
    pub(in crate::server) issuers: Vec<Arc<ConfiguredIssuer>>,
    /// 1 for the registry of `build()`, and one more with each replacement.
    pub(in crate::server) revision: u64,
    /// Whether an issuer's tenant rules know API contexts.
    pub(in crate::server) has_contexts: bool,
    /// Whether an issuer's tenant rules switch delegation on.
    #[cfg_attr(not(feature = "axum"), allow(dead_code))]
    pub(in crate::server) has_delegation: bool,
}

impl Registry {
    pub(in crate::server) fn members(&self) -> impl Iterator<Item = &Arc<IssuerAuthority>> {
        self.issuers.iter().flat_map(|issuer| issuer.members())
    }

    /// Whether an issuer's tenant rules know this API context.
    pub(in crate::server) fn knows_context(&self, name: &str) -> bool {
        self.members().any(|member| {
            let tenant = member.rules.tenant.as_ref();
            tenant.is_some_and(|rules| rules.knows_context(name))
        })
    }

    /// Whether each issuer has keys that are fresh enough, and the introspection endpoint's URL is
    /// known.
    pub(in crate::server) fn ready(&self) -> bool {
        self.members().all(|member| member.keys.ready()) && self.has_endpoint()
    }

    #[cfg(feature = "jwks")]
    fn has_endpoint(&self) -> bool {
        let introspected = self.introspected.as_ref();
        introspected.is_none_or(|issuer| issuer.endpoint().is_resolved())
    }

    #[cfg(not(feature = "jwks"))]
    #[allow(clippy::unused_self)]
    const fn has_endpoint(&self) -> bool {
        true
    }

    /// Every key set that is fetched. One that issuers share comes once for each issuer.
    #[cfg(feature = "jwks")]
    pub(in crate::server) fn remotes(&self) -> impl Iterator<Item = &Arc<RemoteKeys>> {
        self.issuers
            .iter()
            .flat_map(|issuer| remotes(issuer.members()))
    }
}

/// Observers of requests to issuers.
#[cfg(feature = "jwks")]
impl Registry {
    /// Tells these observers of requests to the issuers of this registry.
    pub(in crate::server) fn observe(&self, listeners: &Arc<DecisionListeners>) {
        if !listeners.is_on() {
            return;
        }
        for keys in self.remotes() {
            keys.observer.set(Arc::clone(listeners) as _);
        }
        if let Some(issuer) = &self.introspected {
            issuer.introspector.observe(Arc::clone(listeners) as _);
        }
        #[cfg(feature = "axum")]
        for lookup in self.userinfo.values() {
            lookup.observe(Arc::clone(listeners) as _);
        }
    }
}

/// The key sets of transmitters of security events, which do not count in readiness.
#[cfg(feature = "ssf")]
impl Registry {
    pub(in crate::server) fn transmitter_keys(&self) -> impl Iterator<Item = &Arc<RemoteKeys>> {
        let transmitters = self.transmitters.iter();
        transmitters.flat_map(|transmitter| remote(&transmitter.authority))
    }
}

/// The key sets of one issuer, each once: the issuer's names and tenants share them.
#[cfg(feature = "jwks")]
pub(in crate::server) fn remotes<'a>(
    members: impl Iterator<Item = &'a Arc<IssuerAuthority>>,
) -> impl Iterator<Item = &'a Arc<RemoteKeys>> {
    let mut seen: Vec<&Arc<RemoteKeys>> = Vec::new();
    members
        .flat_map(|authority| remote(authority))
        .filter(move |keys| {
            let is_new = !seen.iter().any(|other| Arc::ptr_eq(other, keys));
            if is_new {
                seen.push(*keys);
            }
            is_new
        })
}

#[cfg(feature = "jwks")]
fn remote(authority: &IssuerAuthority) -> &[Arc<RemoteKeys>] {
    match &authority.keys {
        KeySource::Static(_) => &[],
        KeySource::Remote(sets) => sets,
    }
}

/// The cell that holds the newest registry.
pub(in crate::server) struct RegistryCell {
    newest: SwapCell<Registry>,
    /// A copy of the newest one's, for decisions that are told.
    revision: AtomicU64,
    /// Whether the newest one may have an issuer whose tokens are introspected. Where it has none, a
    /// credential that cannot be a JWT is refused without a look at it.
    #[cfg(feature = "jwks")]
    introspects: AtomicBool,
}

impl RegistryCell {
    pub(in crate::server) fn new(registry: Registry) -> Self {
        let cell = Self {
            newest: SwapCell::empty(),
            revision: AtomicU64::default(),
            #[cfg(feature = "jwks")]
            introspects: AtomicBool::default(),
        };
        cell.store(registry);
        cell
    }

    /// The newest registry, for a short look.
    pub(in crate::server) fn load(&self) -> RegistryGuard {
        RegistryGuard(self.newest.load())
    }

    /// Replaces the registry, for every look from now on.
    pub(in crate::server) fn store(&self, registry: Registry) {
        let revision = registry.revision;
        #[cfg(feature = "jwks")]
        let introspects = registry.introspected.is_some();
        self.newest.store(Some(Arc::new(registry)));
        self.revision.store(revision, Ordering::Release);
        #[cfg(feature = "jwks")]
        self.introspects.store(introspects, Ordering::Release);
    }

    /// Whether the newest registry may have an issuer whose tokens are introspected.
    #[cfg(feature = "jwks")]
    pub(in crate::server) fn introspects(&self) -> bool {
        self.introspects.load(Ordering::Acquire)
    }

    pub(in crate::server) fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// The newest registry, for a look that lasts.
    pub(in crate::server) fn load_full(&self) -> Arc<Registry> {
        self.newest.load_full().unwrap_or_default()
    }
}

/// The registry at one moment.
pub(in crate::server) struct RegistryGuard(Guard<Registry>);

impl Deref for RegistryGuard {
    type Target = Registry;

    fn deref(&self) -> &Registry {
        static EMPTY: LazyLock<Registry> = LazyLock::new(Registry::default);
        // INVARIANT: the cell is never empty.
        self.0.as_deref().unwrap_or_else(|| &EMPTY)
    }
}
