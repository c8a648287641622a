//! From the issuers of a builder to a registry. What is the same as in the registry before is taken over.

use std::collections::HashMap;
use std::sync::Arc;

use crate::server::builder::server_builder::ResourceServerBuilder;
use crate::server::builder::settings_check::{check_directories, register, tenants};
#[cfg(feature = "jwks")]
use crate::server::compile::introspection::introspected;
use crate::server::compile::issuer::{Members, assemble, named};
use crate::server::compile::resource::audiences::ResourceAudiences;
#[cfg(all(feature = "axum", feature = "jwks"))]
use crate::server::compile::userinfo::{self, UserInfoLookups};
#[cfg(feature = "jwks")]
use crate::server::decide::introspected::IntrospectedIssuer;
use crate::server::decide::issuer_authority::{IssuerAuthority, KeySource};
#[cfg(feature = "jwks")]
use crate::server::registry::remotes;
use crate::server::registry::{ConfiguredIssuer, Registry};
use crate::server::settings::error::{ConfigError, Mistakes};
use crate::server::settings::issuer::lent_parts::LentParts;
use crate::server::settings::issuer::value::Issuer;
use crate::verify::policy::tenant_claims::TenantClaims;

/// Settings of the check of a token's status that are no rules.
const OF_STATUS_LISTS: [&str; 5] = [
    "status_list",
    "plain_http",
    "root_certificate",
    "proxy_from_environment",
    "leeway",
];

/// The issuers of a registry, to be found by name and kind.
pub(in crate::server) struct IssuersByName<'r>(HashMap<(&'r str, bool), &'r Arc<ConfiguredIssuer>>);

impl<'r> IssuersByName<'r> {
    pub(in crate::server) fn of(registry: &'r Registry) -> Self {
        let issuers = registry.issuers.iter();
        let named =
            issuers.map(|issuer| ((&*issuer.name, issuer.settings.is_introspected()), issuer));
        Self(named.collect())
    }

    /// The issuer of this name, whose tokens are introspected or not.
    pub(in crate::server) fn get(
        &self,
        name: &str,
        is_introspected: bool,
    ) -> Option<&'r Arc<ConfiguredIssuer>> {
        self.0.get(&(name, is_introspected)).copied()
    }

    fn counterpart(&self, issuer: &Issuer) -> Option<&'r Arc<ConfiguredIssuer>> {
        let (name, _) = named(issuer).ok()?;
        self.get(&name, issuer.is_introspected())
    }
}

impl ResourceServerBuilder {
    /// Compiles every issuer. An issuer with a mistake may be absent from the result.
    pub(super) fn compile_issuers(
        &mut self,
        before: Option<&Registry>,
        mistakes: &mut Mistakes,
    ) -> Registry {
        let mut registry = Registry {
            revision: before.map_or(0, |before| before.revision) + 1,
            ..Registry::default()
        };
        #[cfg(feature = "jwks")]
        let was_alone = before.is_some_and(|before| {
            let introspected = before.introspected.as_ref();
            introspected.is_some_and(IntrospectedIssuer::takes_every_form)
        });
        #[cfg(feature = "jwks")]
        let has_company = was_alone && !self.issuers.iter().all(Issuer::is_introspected);
        #[cfg(not(feature = "jwks"))]
        let has_company = false;
        let before = before.map(IssuersByName::of);
        let audiences = ResourceAudiences::of(&self.resources);
        for issuer in std::mem::take(&mut self.issuers) {
            let counterpart = before.as_ref().and_then(|all| all.counterpart(&issuer));
            // It was asked about other issuers' tokens too, and nothing of that counts any more.
            let keeps_rules = !(has_company && issuer.is_introspected());
            let configured = match counterpart {
                Some(same) if keeps_rules && same.settings.differences(&issuer).is_empty() => {
                    Some(Arc::clone(same))
                }
                _ => {
                    let before = counterpart.map(|one| (&**one, keeps_rules));
                    self.compile_issuer(issuer, before, &audiences, &registry, mistakes)
                }
            };
            if let Some(configured) = configured {
                let added = add(&mut registry, &configured);
                mistakes.collect(added.map_err(|error| error.of(&configured.name)));
                registry.issuers.push(configured);
            }
        }
        #[cfg(feature = "jwks")]
        if let Some(introspected) = &mut registry.introspected {
            introspected.is_alone = registry.authorities.is_empty();
        }
        registry.has_contexts = tenants(&registry.issuers).any(TenantClaims::has_contexts);
        registry.has_delegation = tenants(&registry.issuers).any(|rules| rules.delegation.is_on());
        registry
    }

    /// Compiles one issuer: rules, keys, introspection and userinfo. `before` is the same issuer in the
    /// registry that is replaced: keys that are fetched in the same way are taken over and, where the flag
    /// says so, authorities with the same rules.
    fn compile_issuer(
        &self,
        mut issuer: Issuer,
        before: Option<(&ConfiguredIssuer, bool)>,
        audiences: &ResourceAudiences,
        registry: &Registry,
        mistakes: &mut Mistakes,
    ) -> Option<Arc<ConfiguredIssuer>> {
        issuer.lent = self.lent_parts(&issuer, before.map(|(before, _)| before));
        let mut compiled = mistakes.collect(assemble(&issuer, audiences, &self.clock))?;
        if let Some((before, true)) = before {
            take_over(&mut compiled.members, &issuer, before);
        }
        let mut own = Mistakes::default();
        for (_, authority) in &compiled.members {
            own.collect(check_directories(
                &authority.rules,
                self.owners.is_some(),
                self.members.is_some(),
            ));
        }
        #[cfg(feature = "jwks")]
        let introspected = own.collect(introspected(
            &issuer,
            &compiled.members,
            registry.introspected.is_some(),
            &self.clock,
            self.max_token_bytes,
        ));
        #[cfg(all(feature = "axum", feature = "jwks"))]
        let userinfo = {
            let mut lookups = UserInfoLookups::default();
            let added = userinfo::add(&mut lookups, &issuer, &compiled.members, &self.clock);
            own.collect(added);
            lookups
        };
        #[cfg(not(feature = "jwks"))]
        let _ = registry;
        mistakes.collect(own.into_result().map_err(|error| error.of(&compiled.name)));
        issuer.lent = LentParts::default();
        Some(Arc::new(ConfiguredIssuer {
            name: compiled.name,
            members: compiled.members,
            #[cfg(feature = "jwks")]
            introspected: introspected.flatten(),
            #[cfg(all(feature = "axum", feature = "jwks"))]
            userinfo,
            settings: issuer,
        }))
    }

    /// What an issuer is compiled with.
    pub(super) fn lent_parts(
        &self,
        issuer: &Issuer,
        before: Option<&ConfiguredIssuer>,
    ) -> LentParts {
        let same = before.filter(|before| before.settings.has_same_static_keys(issuer));
        let mut fixed = same.into_iter().flat_map(ConfiguredIssuer::members);
        let static_keys = fixed.find_map(|member| match &member.keys {
            KeySource::Static(keys) => Some(keys.liveness().clone()),
            #[cfg(feature = "jwks")]
            KeySource::Remote(_) => None,
        });
        LentParts {
            #[cfg(feature = "jwks")]
            clients: self.clients.clone(),
            #[cfg(feature = "jwks")]
            fetched: before.map_or_else(Vec::new, |before| {
                remotes(before.members()).map(Arc::clone).collect()
            }),
            static_keys,
        }
    }
}

/// Keeps each authority whose rules, keys and status lists are the same, and with it all that depends on
/// them.
fn take_over(members: &mut Members, issuer: &Issuer, before: &ConfiguredIssuer) {
    let differences = before.settings.differences(issuer);
    let is_of_lists = differences.iter().any(|one| OF_STATUS_LISTS.contains(one));
    if is_of_lists && (has_status_lists(&before.settings) || has_status_lists(issuer)) {
        return;
    }
    let old: HashMap<&str, &Arc<IssuerAuthority>> = before
        .members
        .iter()
        .map(|(name, authority)| (&**name, authority))
        .collect();
    for (name, authority) in members {
        let same = old
            .get(&**name)
            .filter(|old| old.keys.is_same(&authority.keys) && old.rules == authority.rules);
        if let Some(same) = same {
            *authority = Arc::clone(same);
        }
    }
}

#[cfg(feature = "status-list")]
const fn has_status_lists(issuer: &Issuer) -> bool {
    issuer.status_list.is_some()
}

#[cfg(not(feature = "status-list"))]
const fn has_status_lists(_: &Issuer) -> bool {
    false
}

/// Adds a compiled issuer by its kind: verified here, or introspected; and its userinfo endpoint.
fn add(registry: &mut Registry, configured: &ConfiguredIssuer) -> Result<(), ConfigError> {
    #[cfg(all(feature = "axum", feature = "jwks"))]
    for (realm, lookup) in &configured.userinfo {
        // The first one counts, where an issuer's JWTs and its other tokens are two issuers.
        let entry = registry.userinfo.entry(Arc::clone(realm));
        entry.or_insert_with(|| Arc::clone(lookup));
    }
    #[cfg(feature = "jwks")]
    if configured.settings.is_introspected() {
        if let Some(introspected) = &configured.introspected {
            registry.introspected = Some(introspected.clone());
        }
        return Ok(());
    }
    register(&mut registry.authorities, &configured.members)
}
