//! From one issuer's settings to what each of its `iss` values leads to.
//!
//! 1. All names of an issuer are one issuer: one set of rules and one realm of ids. The forms of
//!    a Cognito pool, its replicas in other regions included, have keys of their own each; an alias
//!    has the keys of the first name.
//! 2. Tenants are issuers: each is a realm of its own and has its own value of the claim that
//!    repeats it. The source of keys alone is shared.

use std::sync::Arc;

use crate::model::algorithm::{Algorithm, AlgorithmSet};
use crate::runtime::cache::validity::Liveness;
use crate::runtime::clock::Clock;
use crate::runtime::util::striped::StripedName;
use crate::server::compile::issuer_ids::identifiers;
use crate::server::compile::key_source::{KeySourceOwner, keys};
use crate::server::compile::policy::rules;
use crate::server::compile::resource::audiences::ResourceAudiences;
#[cfg(feature = "status-list")]
use crate::server::compile::status_list::token_status;
use crate::server::decide::issuer_authority::IssuerAuthority;
use crate::server::settings::error::{ConfigError, Mistakes, check_once};
use crate::server::settings::issuer::value::{Issuer, IssuerKind};
use crate::server::settings::oidc_tenants::OidcTenants;
use crate::verify::policy::issuer_policy::RequiredClaim;

/// An issuer as configured.
pub(in crate::server) struct CompiledIssuer {
    /// What operators call it: its first identifier, or the template of its tenants.
    pub(in crate::server) name: Arc<str>,
    pub(in crate::server) members: Members,
}

/// What each exact `iss` leads to. Those that share keys stand side by side.
pub(in crate::server) type Members = Vec<(Arc<str>, Arc<IssuerAuthority>)>;

/// Makes an issuer's rules and keys.
pub(in crate::server) fn assemble(
    issuer: &Issuer,
    resources: &ResourceAudiences,
    clock: &Arc<dyn Clock>,
) -> Result<CompiledIssuer, ConfigError> {
    let (name, identifiers) = named(issuer)?;
    let mut mistakes = Mistakes::default();
    mistakes.collect(check_once(&issuer.once));
    let members = match &issuer.kind {
        IssuerKind::OidcTenants(family) => {
            tenants(issuer, family, &name, &identifiers, resources, clock)
        }
        _ => forms(issuer, &name, &identifiers, resources, clock),
    };
    let members = mistakes.collect(members).unwrap_or_default();
    match mistakes.into_result() {
        Ok(()) => Ok(CompiledIssuer { name, members }),
        Err(error) => Err(error.of(&name)),
    }
}

/// What operators call the issuer, and its exact `iss` values.
pub(in crate::server) fn named(issuer: &Issuer) -> Result<(Arc<str>, Vec<Arc<str>>), ConfigError> {
    let identifiers = identifiers(issuer)?;
    let name = match (&issuer.kind, identifiers.first()) {
        (IssuerKind::OidcTenants(family), _) => family.template.as_str().into(),
        (_, Some(first)) => Arc::clone(first),
        (_, None) => return Err(ConfigError::new("issuer", "it has no identifier")),
    };
    Ok((name, identifiers))
}

fn forms(
    issuer: &Issuer,
    name: &Arc<str>,
    identifiers: &[Arc<str>],
    resources: &ResourceAudiences,
    clock: &Arc<dyn Clock>,
) -> Result<Members, ConfigError> {
    let rules = match rules(issuer, name, identifiers, resources) {
        Ok(rules) => Arc::new(rules),
        Err(error) => return Err(with_mistakes_of_keys(error, issuer, name, clock)),
    };
    let aliases = identifiers.len() - issuer.aliases.len();
    let mut members: Members = Vec::new();
    for (place, identifier) in identifiers.iter().enumerate() {
        let whose = KeySourceOwner {
            name: identifier,
            tenants: &[],
            algorithms: rules.algorithms,
            lazy: place > 0,
        };
        let keys = match members.first() {
            Some((_, first)) if place >= aliases => first.keys.clone(),
            _ => keys(issuer, &whose, clock)?,
        };
        let authority = IssuerAuthority {
            #[cfg(feature = "status-list")]
            status: token_status(issuer, identifier, &rules, &keys, clock)?,
            rules: Arc::clone(&rules),
            keys,
            liveness: Liveness::default(),
            realm_copies: StripedName::default(),
        };
        members.push((Arc::clone(identifier), Arc::new(authority)));
    }
    Ok(members)
}

/// Adds what is wrong with the source of keys to what is wrong with the policy.
fn with_mistakes_of_keys(
    error: ConfigError,
    issuer: &Issuer,
    name: &Arc<str>,
    clock: &Arc<dyn Clock>,
) -> ConfigError {
    let mut mistakes = Mistakes::default();
    mistakes.add(error.clone());
    let whose = KeySourceOwner {
        name,
        tenants: &[],
        // Keys are judged by all of them: the policy's own set may be the mistake.
        algorithms: AlgorithmSet::of(Algorithm::all()),
        lazy: false,
    };
    mistakes.collect(keys(issuer, &whose, clock));
    mistakes.into_result().err().unwrap_or(error)
}

fn tenants(
    issuer: &Issuer,
    family: &OidcTenants,
    name: &Arc<str>,
    identifiers: &[Arc<str>],
    resources: &ResourceAudiences,
    clock: &Arc<dyn Clock>,
) -> Result<Members, ConfigError> {
    let whose = KeySourceOwner {
        name,
        tenants: identifiers,
        algorithms: match rules(issuer, name, identifiers, resources) {
            Ok(rules) => rules.algorithms,
            Err(error) => return Err(with_mistakes_of_keys(error, issuer, name, clock)),
        },
        lazy: false,
    };
    let keys = keys(issuer, &whose, clock)?;
    let mut members = Vec::new();
    for (identifier, tenant) in identifiers.iter().zip(&family.tenants) {
        let own = std::slice::from_ref(identifier);
        let mut rules = rules(issuer, identifier, own, resources)?;
        let repeated = RequiredClaim {
            path: family.claim.clone(),
            value: tenant.as_str().into(),
            setting: "oidc_tenants",
        };
        rules.required_claims.push(repeated);
        let rules = Arc::new(rules);
        let authority = IssuerAuthority {
            #[cfg(feature = "status-list")]
            status: token_status(issuer, identifier, &rules, &keys, clock)?,
            rules,
            keys: keys.clone(),
            liveness: Liveness::default(),
            realm_copies: StripedName::default(),
        };
        members.push((Arc::clone(identifier), Arc::new(authority)));
    }
    Ok(members)
}
