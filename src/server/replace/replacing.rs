//! The replacement of the issuers of a running server.
//!
//! 1. Everything is checked and compiled before anything changes.
//! 2. What requests read changes by one swap of the registry. What was replaced ends after the swap, so
//!    that a request whose cached token has just ended is decided by the new rules.
//! 3. An issuer with equal settings keeps everything. One with other settings keeps the key sets that are
//!    fetched in the same way, and each authority whose rules and keys are the same.

use std::collections::HashSet;
#[cfg(feature = "jwks")]
use std::sync::Weak;
#[cfg(feature = "jwks")]
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use crate::logging;
use crate::model::decision::event::Event;
#[cfg(feature = "jwks")]
use crate::runtime::jwks::refresh_task;
#[cfg(feature = "jwks")]
use crate::runtime::revocation::unloaded_issuers::RevocationSource;
use crate::server::builder::fixed_settings::differing;
use crate::server::builder::issuers::IssuersByName;
use crate::server::builder::server_builder::ResourceServerBuilder;
use crate::server::decide::issuer_authority::IssuerAuthority;
use crate::server::registry::Registry;
use crate::server::replace::error::ReplaceError;
#[cfg(feature = "jwks")]
use crate::server::replace::report::FreshParts;
use crate::server::replace::report::{IssuerChange, Replacement};
use crate::server::resource_server::ResourceServer;

impl ResourceServer {
    /// Replaces the configuration while the server runs: the issuers with everything that belongs to them,
    /// the scope hierarchy, and transmitters of security events. `replacement` is a whole
    /// configuration, as for [`build()`](ResourceServerBuilder::build). All clones of the server, its layers
    /// and its services decide by it from the moment at which this returns.
    ///
    /// 1. The replacement passes the checks of `build()` before anything changes. An error changes nothing.
    /// 2. An issuer with the same settings keeps keys, caches and tasks. One with other settings keeps its
    ///    key sets where they are fetched in the same way.
    /// 3. What was decided by rules that are gone ends at once: remembered tokens, answers of introspection
    ///    and userinfo endpoints, [leases](crate::lease) and tasks. A request that waits for a key or an
    ///    answer is decided by the new rules.
    /// 4. Settings of the server itself must be given as it was built: see [`ReplaceError::NotReplaceable`].
    ///    Clock, directories, checks, observers, the sink of decision records and the loader of revocations
    ///    are those of the running server, and are left out: see [`ReplaceError::CodeGiven`].
    ///
    /// It makes no request. Keys of new issuers are fetched at once in the background, where the server is
    /// [connected](Self::connect): until they come, tokens of such an issuer are answered 503. Wait for them
    /// with `Replacement::connected`.
    ///
    /// Two calls at the same time take effect one after the other.
    ///
    /// ```
    /// use portcullis::{Issuer, ResourceServer};
    ///
    /// let configure = |issuers: &[&str]| {
    ///     let builder = ResourceServer::builder("https://api.example.com");
    ///     let issuers = issuers.iter().map(|issuer| Issuer::oidc(*issuer));
    ///     issuers.fold(builder, |builder, issuer| builder.issuer(issuer))
    /// };
    /// # #[cfg(feature = "jwks")] {
    /// let server = configure(&["https://id.example.com"]).build()?;
    ///
    /// let report = server.replace(configure(&["https://id.example.com", "https://new.example"]))?;
    /// assert_eq!(report.to_string(), "revision 2: added https://new.example; 1 unchanged");
    ///
    /// let error = server.replace(configure(&[])).unwrap_err();
    /// assert!(error.to_string().contains("no issuer is trusted"));
    /// assert_eq!(server.revision(), 2, "nothing has changed");
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ReplaceError`], and then nothing has changed.
    #[doc(alias("reload", "hot_reload", "reconfigure", "sighup"))]
    pub fn replace(&self, replacement: ResourceServerBuilder) -> Result<Replacement, ReplaceError> {
        let state = &self.0;
        let fixed = state.replacing.lock();
        let fixed = fixed.unwrap_or_else(PoisonError::into_inner);
        let code = replacement.code();
        if !code.is_empty() {
            return Err(ReplaceError::CodeGiven { settings: code });
        }
        let differing = differing(&fixed, &replacement.fixed_settings());
        if !differing.is_empty() {
            return Err(ReplaceError::NotReplaceable {
                settings: differing,
            });
        }
        let before = state.registry.load_full();
        let mut replacement = self.lend_code(replacement);
        let compiled = replacement.compile(Some(&before))?;
        #[cfg_attr(not(feature = "jwks"), allow(unused_mut))]
        let mut report = difference(&before, &compiled.registry);
        #[cfg(feature = "jwks")]
        let runtimes = self.runtimes_for(&compiled.registry)?;
        #[cfg(feature = "redis")]
        if let Some(shared) = &state.shared {
            shared
                .sharing
                .set_lifetimes(compiled.registry.members().map(|member| {
                    let rules = &member.rules;
                    (Arc::clone(&rules.realm), rules.longest_revocation())
                }));
        }
        #[cfg(feature = "jwks")]
        let to_load = self.await_loader(&before, &compiled.registry);
        state.registry.store(compiled.registry);
        state.resources.replace_documents(&compiled.resources);
        // INVARIANT: the new registry is read from here on.
        let after = state.registry.load_full();
        #[cfg(feature = "jwks")]
        {
            self.watch_issuers();
            report.fresh = self.start_tasks(&before, &after, &runtimes);
            self.load_anew(to_load, &runtimes);
        }
        self.end_replaced(&before, &after);
        // Not under the lock: a log subscriber may replace, too.
        drop(fixed);
        logging::emit(Event::ConfigurationReplaced {
            revision: report.revision,
            difference: &report,
        });
        Ok(report)
    }

    /// The revision of the configuration: 1 after [`build()`](ResourceServerBuilder::build), and one more
    /// after each [`replace`](Self::replace).
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.0.registry.revision()
    }

    /// Gives a builder what a replacement takes from the running server.
    fn lend_code(&self, builder: ResourceServerBuilder) -> ResourceServerBuilder {
        let outside = &self.0.outside;
        ResourceServerBuilder {
            clock: Arc::clone(&self.0.clock),
            owners: outside.owners.clone(),
            users: outside.users.clone(),
            members: outside.members.clone(),
            #[cfg(feature = "jwks")]
            clients: self.0.clients.clone(),
            ..builder
        }
    }

    /// Ends what the registry before has alone: rules and what depends on them, and tasks.
    fn end_replaced(&self, before: &Registry, after: &Registry) {
        let kept: HashSet<*const IssuerAuthority> = authorities(after).map(Arc::as_ptr).collect();
        let replaced = authorities(before).filter(|one| !kept.contains(&Arc::as_ptr(one)));
        for authority in replaced {
            authority.liveness.end();
        }
        #[cfg(feature = "status-list")]
        {
            let kept: HashSet<_> = status_lists(after).map(Arc::as_ptr).collect();
            for lists in status_lists(before).filter(|lists| !kept.contains(&Arc::as_ptr(lists))) {
                lists.retire();
            }
        }
        #[cfg(feature = "jwks")]
        {
            let kept: HashSet<_> = fetched(after).map(Arc::as_ptr).collect();
            for keys in fetched(before).filter(|keys| !kept.contains(&Arc::as_ptr(keys))) {
                keys.retire();
            }
            self.0.leases.end_of_replaced_issuers();
        }
        #[cfg(not(feature = "jwks"))]
        let _ = self;
    }
}

#[cfg(feature = "jwks")]
impl ResourceServer {
    /// Where tasks of the new issuers are started: on the first of these that has not ended. Empty where
    /// the server is not connected, or there are none.
    fn runtimes_for(&self, after: &Registry) -> Result<Vec<tokio::runtime::Handle>, ReplaceError> {
        let has_tasks = has_tasks(after) || self.0.loading.is_some();
        if !self.0.connection.is_begun() || !has_tasks {
            return Ok(Vec::new());
        }
        let runtimes = self.0.connection.runtimes();
        if runtimes.is_empty() {
            return Err(ReplaceError::NoRuntime);
        }
        Ok(runtimes)
    }

    /// What the loader of revocations has brought of issuers that are added now was left out: their tokens
    /// are not found clean until it was called again. The ticket of the addition; `None` where there is no
    /// loader or no such issuer.
    fn await_loader(&self, before: &Registry, after: &Registry) -> Option<u64> {
        let unloaded = self.0.revocations.unloaded();
        let names = |registry: &Registry| -> HashSet<Arc<str>> {
            let members = registry.members();
            members.map(|one| Arc::clone(&one.rules.realm)).collect()
        };
        let (old, new) = (names(before), names(after));
        unloaded.retain(|issuer| new.contains(issuer));
        self.0.loading.as_ref()?;
        let mut added = new.into_iter().filter(|one| !old.contains(one)).peekable();
        added.peek()?;
        Some(unloaded.add(RevocationSource::Loader, added))
    }

    /// Calls the loader of revocations again, by now for the new issuers too.
    fn load_anew(&self, ticket: Option<u64>, runtimes: &[tokio::runtime::Handle]) {
        let (Some(loading), Some(ticket)) = (&self.0.loading, ticket) else {
            return;
        };
        // INVARIANT: after the registry, which the loader's entries are held against.
        loading.wanted.store(ticket, Ordering::Release);
        for runtime in runtimes {
            let _entered = runtime.enter();
            self.start_loading();
        }
    }

    /// Starts the tasks that do not run yet. A runtime that has ended drops them at once, and the next one
    /// gets them.
    // Polling is started on the server.
    #[cfg_attr(not(feature = "ssf"), allow(clippy::unused_self))]
    fn start_tasks(
        &self,
        before: &Registry,
        after: &Registry,
        runtimes: &[tokio::runtime::Handle],
    ) -> FreshParts {
        let known: HashSet<_> = fetched(before).map(Arc::as_ptr).collect();
        let fresh = fetched(after).filter(|keys| !known.contains(&Arc::as_ptr(keys)));
        let mut parts = FreshParts {
            keys: fresh.map(Arc::downgrade).collect(),
            ..FreshParts::default()
        };
        let introspector = |registry: &Registry| {
            let issuer = registry.introspected.as_ref();
            issuer.map(|issuer| Arc::clone(&issuer.introspector))
        };
        let discovered = introspector(after).filter(|one| one.endpoint().is_discovered());
        let is_known =
            |one: &Arc<_>| introspector(before).is_some_and(|old| Arc::ptr_eq(one, &old));
        if let Some(introspector) = discovered.filter(|one| !is_known(one)) {
            parts.introspector = Some(Arc::downgrade(&introspector));
            for runtime in runtimes {
                let introspector = Arc::clone(&introspector);
                // What fails is tried again when a token comes.
                let task = runtime.spawn(async move { introspector.resolve().await });
                if !task.is_finished() {
                    break;
                }
            }
        }
        for runtime in runtimes {
            let _entered = runtime.enter();
            // A runtime is there, and what runs is not started again.
            for keys in parts.keys.iter().filter_map(Weak::upgrade) {
                let _ = refresh_task::start(&keys);
            }
            #[cfg(feature = "ssf")]
            let _ = self.start_polling();
        }
        parts
    }
}

/// Whether something of these issuers runs in the background.
#[cfg(feature = "jwks")]
fn has_tasks(registry: &Registry) -> bool {
    let introspected = registry.introspected.as_ref();
    let is_discovered = introspected.is_some_and(|issuer| issuer.endpoint().is_discovered());
    #[cfg(feature = "ssf")]
    let polls = registry
        .transmitters
        .iter()
        .any(|one| one.polling.is_some());
    #[cfg(not(feature = "ssf"))]
    let polls = false;
    is_discovered || polls || fetched(registry).next().is_some()
}

/// Every key set that is fetched, those of transmitters included.
#[cfg(feature = "jwks")]
fn fetched(
    registry: &Registry,
) -> impl Iterator<Item = &Arc<crate::runtime::jwks::key_store::RemoteKeys>> {
    let keys = registry.remotes();
    #[cfg(feature = "ssf")]
    let keys = keys.chain(registry.transmitter_keys());
    keys
}

/// The status lists of every issuer. Its members share them.
#[cfg(feature = "status-list")]
fn status_lists(
    registry: &Registry,
) -> impl Iterator<Item = &Arc<crate::runtime::status_list::lists::StatusLists>> {
    let checks = authorities(registry).filter_map(|authority| authority.status.as_ref());
    checks.map(|check| &check.lists)
}

/// Every authority, those of transmitters included.
fn authorities(registry: &Registry) -> impl Iterator<Item = &Arc<IssuerAuthority>> {
    let all = registry.members();
    #[cfg(feature = "ssf")]
    let all = all.chain(registry.transmitters.iter().map(|one| &one.authority));
    all
}

/// What differs between two registries.
fn difference(before: &Registry, after: &Registry) -> Replacement {
    let (old, new) = (IssuersByName::of(before), IssuersByName::of(after));
    let mut report = Replacement::of(after.revision);
    for issuer in &after.issuers {
        let name = Arc::clone(&issuer.name);
        match old.get(&name, issuer.settings.is_introspected()) {
            None => report.added.push(name),
            Some(same) if Arc::ptr_eq(same, issuer) => report.unchanged.push(name),
            Some(other) => {
                let mut settings = other.settings.differences(&issuer.settings);
                if settings.is_empty() {
                    // It was alone, and what the setting means is another thing since.
                    settings.push("introspect_jwts");
                }
                report.changed.push(IssuerChange {
                    issuer: name,
                    settings,
                });
            }
        }
    }
    let gone = before.issuers.iter().filter(|issuer| {
        let is_introspected = issuer.settings.is_introspected();
        new.get(&issuer.name, is_introspected).is_none()
    });
    report.removed = gone.map(|issuer| Arc::clone(&issuer.name)).collect();
    #[cfg(feature = "ssf")]
    note_transmitters(before, after, &mut report);
    report
}

#[cfg(feature = "ssf")]
fn note_transmitters(before: &Registry, after: &Registry, report: &mut Replacement) {
    let is_in = |one: &Arc<_>, registry: &Registry| {
        let mut all = registry.transmitters.iter();
        all.any(|other| Arc::ptr_eq(one, other))
    };
    let new = after.transmitters.iter().filter(|one| !is_in(one, before));
    let old = before.transmitters.iter().filter(|one| !is_in(one, after));
    for transmitter in new.chain(old) {
        if !report.transmitters.contains(&transmitter.issuer) {
            report.transmitters.push(Arc::clone(&transmitter.issuer));
        }
    }
}
