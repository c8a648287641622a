//! From one issuer's settings to what each of its `iss` values leads to.
//!
//! 1. All names of an issuer are one issuer: one set of rules and one realm of ids. The forms of
//!    a Cognito pool, its replicas in other regions included, have keys of their own each; an alias
//!    has the keys of the first name.
//! 2. Tenants are issuers: each is a realm of its own and has its own value of the claim that
//!    repeats it. The source of keys alone is shared.

use std::sync::Arc;

#[cfg(feature = "jwks")]
use crate::runtime::cache::validity::Liveness;
use crate::runtime::clock::Clock;
use crate::server::compile::issuer_ids::identifiers;
use crate::server::compile::key_source::{KeySourceOwner, keys};
use crate::server::compile::policy::rules;
use crate::server::decide::issuer_authority::IssuerAuthority;
use crate::server::settings::error::{ConfigError, check_once, mistake};
use crate::server::settings::issuer::{Issuer, IssuerKind};
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
    resource: &str,
    clock: &Arc<dyn Clock>,
) -> Result<CompiledIssuer, ConfigError> {
    let identifiers = identifiers(issuer)?;
    let name = match (&issuer.kind, identifiers.first()) {
        (IssuerKind::OidcTenants(family), _) => family.template.as_str().into(),
        (_, Some(first)) => Arc::clone(first),
        (_, None) => return Err(mistake("issuer", "it has no identifier")),
    };
    check_once(&issuer.once).map_err(|error| error.of(&name))?;
    let members = match &issuer.kind {
        IssuerKind::OidcTenants(family) => {
            tenants(issuer, family, &name, &identifiers, resource, clock)
        }
        _ => forms(issuer, &name, &identifiers, resource, clock),
    };
    match members {
        Ok(members) => Ok(CompiledIssuer { name, members }),
        Err(error) => Err(error.of(&name)),
    }
}

fn forms(
    issuer: &Issuer,
    name: &Arc<str>,
    identifiers: &[Arc<str>],
    resource: &str,
    clock: &Arc<dyn Clock>,
) -> Result<Members, ConfigError> {
    let rules = Arc::new(rules(issuer, name, identifiers, resource)?);
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
            rules: Arc::clone(&rules),
            keys,
            #[cfg(feature = "jwks")]
            liveness: Liveness::default(),
        };
        members.push((Arc::clone(identifier), Arc::new(authority)));
    }
    Ok(members)
}

fn tenants(
    issuer: &Issuer,
    family: &OidcTenants,
    name: &Arc<str>,
    identifiers: &[Arc<str>],
    resource: &str,
    clock: &Arc<dyn Clock>,
) -> Result<Members, ConfigError> {
    let whose = KeySourceOwner {
        name,
        tenants: identifiers,
        algorithms: rules(issuer, name, identifiers, resource)?.algorithms,
        lazy: false,
    };
    let keys = keys(issuer, &whose, clock)?;
    let mut members = Vec::new();
    for (identifier, tenant) in identifiers.iter().zip(&family.tenants) {
        let own = std::slice::from_ref(identifier);
        let mut rules = rules(issuer, identifier, own, resource)?;
        let repeated = RequiredClaim {
            path: family.claim.clone(),
            value: tenant.as_str().into(),
            setting: "oidc_tenants",
        };
        rules.required_claims.push(repeated);
        let authority = IssuerAuthority {
            rules: Arc::new(rules),
            keys: keys.clone(),
            #[cfg(feature = "jwks")]
            liveness: Liveness::default(),
        };
        members.push((Arc::clone(identifier), Arc::new(authority)));
    }
    Ok(members)
}
