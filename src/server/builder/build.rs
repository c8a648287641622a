//! From the settings of a builder to a server, or to every mistake in them.

use crate::model::requirement::binding::RequiredBindings;
use crate::model::scope::ScopeHierarchy;
use crate::runtime::cache::token_cache::TokenCache;
#[cfg(feature = "jwks")]
use crate::runtime::lease::table::LeaseTable;
use crate::runtime::revocation::list::RevocationList;
#[cfg(feature = "ssf")]
use crate::runtime::ssf::counters::SsfCounters;
use crate::runtime::util::log_rate_limit::LogRateLimit;
#[cfg(feature = "jwks")]
use crate::server::builder::lease::LONGEST_OUTAGE;
use crate::server::builder::server_builder::ResourceServerBuilder;
#[cfg(feature = "jwks")]
use crate::server::builder::settings_check::check_one_place;
use crate::server::builder::settings_check::{
    check_cache, check_contexts, check_metadata, check_parameters, tenants,
};
use crate::server::compile::issuer_ids::authorization_servers;
use crate::server::compile::resource::resources::{self, ServerParts, check_resources};
#[cfg(feature = "redis")]
use crate::server::compile::shared_store::{CheckedSharedStore, Shared};
use crate::server::decide::protected_resource::ProtectedResources;
use crate::server::decide::sender::DpopRules;
use crate::server::observe::listeners::DecisionListeners;
use crate::server::observe::observe_only::ObservingLayers;
use crate::server::refusal_counters::RefusalCounters;
use crate::server::registry::{Registry, RegistryCell};
#[cfg(feature = "jwks")]
use crate::server::resource_server::Loading;
use crate::server::resource_server::{Connection, Directories, ResourceServer, ServerState};
use crate::server::settings::error::{ConfigError, Mistakes, check_once};
use crate::verify::policy::scope_closure::ScopeClosure;
use crate::verify::policy::tenant_claims::TenantClaims;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What `build()` and `replace` make of the settings.
pub(in crate::server) struct CompiledParts {
    pub(in crate::server) registry: Registry,
    pub(in crate::server) resources: ProtectedResources,
    dpop: Option<DpopRules>,
    #[cfg(feature = "redis")]
    store: Option<CheckedSharedStore>,
}

impl ResourceServerBuilder {
    /// Makes the server. Without I/O; key sets are fetched from
    /// [`connect()`](ResourceServer::connect) on.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every mistake that was found; each names the setting and the way out.
    pub fn build(mut self) -> Result<ResourceServer, ConfigError> {
        let compiled = self.compile(None)?;
        let registry = compiled.registry;
        let revocations = self.revocation_list();
        #[cfg(feature = "jwks")]
        let leases = LeaseTable::new(
            &revocations,
            Arc::clone(&self.clock),
            self.lease_outage_tolerance,
        );
        #[cfg(feature = "redis")]
        let shared = compiled
            .store
            .map(|store| self.share(store, &registry, &revocations))
            .transpose()?;
        let fixed = self.fixed_settings();
        let records = self.record_writer();
        let server = ResourceServer(Arc::new(ServerState {
            listeners: Arc::new(DecisionListeners::new(self.observers, records)),
            observing: ObservingLayers::default(),
            #[cfg(feature = "redis")]
            shared,
            #[cfg(feature = "ssf")]
            refused_sets: SsfCounters::default(),
            refusals: RefusalCounters::default(),
            connection: Connection::default(),
            outside: Directories {
                owners: self.owners,
                users: self.users,
                members: self.members,
                lookup_timeout: self.lookup_timeout,
                lookup_failed: LogRateLimit::default(),
            },
            path: self.path,
            required_bindings: self.binding.required,
            dpop: compiled.dpop,
            resources: compiled.resources,
            max_token_bytes: self.max_token_bytes,
            clock: self.clock,
            earliest: self.earliest,
            // Token digests need a random key: without randomness no token is cached.
            verified: self.token_cache.and_then(TokenCache::with_second_sight),
            revocations,
            #[cfg(feature = "jwks")]
            leases,
            #[cfg(feature = "jwks")]
            unleased_upgrade: LogRateLimit::default(),
            #[cfg(feature = "jwks")]
            loading: self.load.map(Loading::new),
            checks: self.checks,
            shows_unknown_issuers: self.shows_unknown_issuers,
            logs_callers: self.logs_callers,
            registry: RegistryCell::new(registry),
            replacing: Mutex::new(fixed),
            #[cfg(feature = "jwks")]
            clients: self.clients,
        }));
        #[cfg(feature = "jwks")]
        server.watch_issuers();
        Ok(server)
    }

    /// Checks all settings, and compiles what depends on the issuers. `before` is the registry that is
    /// replaced: what is the same is taken over from it.
    pub(in crate::server) fn compile(
        &mut self,
        before: Option<&Registry>,
    ) -> Result<CompiledParts, ConfigError> {
        let mut mistakes = Mistakes::default();
        for issuer in &mut self.issuers {
            issuer.required_bindings = issuer.required_bindings.and(self.binding.required);
        }
        mistakes.collect(self.check_settings());
        #[cfg(feature = "jwks")]
        mistakes.collect(self.hand_out_copies());
        mistakes.collect(self.close_hierarchies());
        let demands: Vec<RequiredBindings> = self
            .issuers
            .iter()
            .map(|issuer| issuer.required_bindings)
            .collect();
        let demanded = self.resources.iter().map(|one| one.required_bindings);
        let demanded = demanded.chain(demands.iter().copied());
        let demanded = demanded.fold(self.binding.required, RequiredBindings::and);
        let dpop = mistakes.collect(self.binding.compile(&self.resources, demanded));
        let resources = mistakes.collect(resources::compile(
            &self.resources,
            &ServerParts {
                authorization_servers: &self.authorization_servers(),
                demands: &demands,
                dpop: dpop.as_ref().and_then(Option::as_ref),
                metadata_elsewhere: self.resource_metadata.as_deref(),
                now: self.clock.now(),
            },
        ));
        #[cfg_attr(not(feature = "ssf"), allow(unused_mut))]
        let mut registry = self.compile_issuers(before, &mut mistakes);
        mistakes.collect(self.check_registry(&registry));
        #[cfg(feature = "ssf")]
        mistakes.collect(self.add_transmitters(&mut registry, before));
        #[cfg(feature = "redis")]
        let store = self.shared_store.clone();
        #[cfg(feature = "redis")]
        let store = store.and_then(|store| mistakes.collect(store.check()));
        mistakes.into_result()?;
        let Some(resources) = resources else {
            // INVARIANT: without resources there was a mistake.
            return Err(ConfigError::missing(
                "builder",
                "the server has no resource",
            ));
        };
        Ok(CompiledParts {
            registry,
            resources,
            // INVARIANT: without rules there was a mistake, or DPoP is off.
            dpop: dpop.flatten(),
            #[cfg(feature = "redis")]
            store,
        })
    }

    /// Computes what each issuer's scopes imply. Issuers without rules of their own share the server's.
    fn close_hierarchies(&mut self) -> Result<(), ConfigError> {
        let closure = |hierarchy: &ScopeHierarchy| {
            ScopeClosure::of(hierarchy)
                .map(|closure| closure.map(Arc::new))
                .map_err(|problem| ConfigError::new("scope_hierarchy", problem))
        };
        let servers = closure(&self.scope_hierarchy)?;
        for issuer in &mut self.issuers {
            issuer.scope_closure = if issuer.scope_hierarchy.is_empty() {
                Ok(servers.clone())
            } else {
                closure(&self.scope_hierarchy.and(&issuer.scope_hierarchy))
            };
        }
        Ok(())
    }

    /// Checks that concern all issuers together.
    fn check_registry(&self, registry: &Registry) -> Result<(), ConfigError> {
        let mut mistakes = Mistakes::default();
        #[cfg(feature = "jwks")]
        mistakes.collect(check_one_place(
            registry.introspected.as_ref(),
            &registry.authorities,
        ));
        mistakes.collect(check_contexts(&registry.issuers));
        let uses_directory = tenants(&registry.issuers).any(TenantClaims::needs_memberships);
        if !registry.issuers.is_empty() && self.members.is_some() && !uses_directory {
            mistakes.add(ConfigError::conflict(
                "membership_directory",
                "no issuer's tenant rules ask it; add `memberships_from_directory()` to them, or leave it out",
            ));
        }
        mistakes.into_result()
    }

    fn revocation_list(&self) -> Arc<RevocationList> {
        let list = RevocationList::new(self.most_revocations, Arc::clone(&self.clock));
        #[cfg(feature = "jwks")]
        if self.load.is_some() {
            list.mark_incomplete();
        }
        Arc::new(list)
    }

    /// Connects revocations and the introspection cache with the shared store.
    #[cfg(feature = "redis")]
    fn share(
        &self,
        store: CheckedSharedStore,
        registry: &Registry,
        revocations: &Arc<RevocationList>,
    ) -> Result<Shared, ConfigError> {
        let shared = store.share(registry.members(), revocations, &self.clock)?;
        Ok(shared)
    }

    /// The identifiers of issuers that are URLs, each once.
    fn authorization_servers(&self) -> Vec<Arc<str>> {
        let mut seen = HashSet::new();
        let names = self.issuers.iter().flat_map(authorization_servers);
        names.filter(|name| seen.insert(Arc::clone(name))).collect()
    }

    /// Settings that belong to no issuer.
    fn check_settings(&self) -> Result<(), ConfigError> {
        let mut mistakes = Mistakes::default();
        mistakes.collect(check_once(&self.once));
        let sizes = [
            "token_cache_entries",
            "token_cache_bytes",
            "token_cache_life",
        ];
        if self.once.has("without_token_cache") && sizes.iter().any(|size| self.once.has(size)) {
            mistakes.add(ConfigError::conflict(
                "without_token_cache",
                "the size or life of the cache is set too; keep one of them",
            ));
        }
        mistakes.collect(check_resources(&self.resources));
        if self.issuers.is_empty() {
            mistakes.add(ConfigError::missing(
                "issuer",
                "no issuer is trusted; add one with `issuer(..)`",
            ));
        }
        if !(1024..=1024 * 1024).contains(&self.max_token_bytes) {
            mistakes.add(ConfigError::out_of_bounds(
                "max_token_bytes",
                "it must be 1024 to 1048576",
            ));
        }
        if let Some(address) = &self.resource_metadata {
            mistakes.collect(check_metadata(address));
        }
        if !(Duration::from_millis(10)..=Duration::from_secs(30)).contains(&self.lookup_timeout) {
            mistakes.add(ConfigError::out_of_bounds(
                "lookup_timeout",
                "it must be 10 ms to 30 s",
            ));
        }
        if !(1..=10_000_000).contains(&self.most_revocations) {
            mistakes.add(ConfigError::out_of_bounds(
                "most_revocations",
                "it must be 1 to 10000000",
            ));
        }
        #[cfg(feature = "jwks")]
        if self.lease_outage_tolerance > LONGEST_OUTAGE {
            mistakes.add(ConfigError::out_of_bounds(
                "lease_outage_tolerance",
                "it must be at most 24 h",
            ));
        }
        if let Some(limits) = &self.token_cache {
            mistakes.collect(check_cache(limits));
        }
        mistakes.collect(check_parameters(&self.path));
        mistakes.collect(self.check_records());
        mistakes.into_result()
    }
}
