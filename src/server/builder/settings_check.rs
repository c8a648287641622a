//! Checks of a server's settings, and of those that concern several issuers.

use std::sync::Arc;
use std::time::Duration;

use crate::runtime::cache::token_cache::CacheLimits;
use crate::server::compile::issuer::Members;
#[cfg(feature = "jwks")]
use crate::server::decide::introspected::IntrospectedIssuer;
use crate::server::registry::{ConfiguredIssuer, IssuerAuthorities};
use crate::server::settings::error::{ConfigError, Mistakes, check_url, is_quotable};
use crate::server::settings::path_parameters::{PathParameters, is_parameter_name};
use crate::verify::policy::issuer_policy::IssuerPolicy;
use crate::verify::policy::tenant_claims::TenantClaims;

pub(in crate::server) fn register(
    authorities: &mut IssuerAuthorities,
    members: &Members,
) -> Result<(), ConfigError> {
    for (identifier, authority) in members {
        let before = authorities.insert(Box::from(&**identifier), Arc::clone(authority));
        if before.is_some() {
            return Err(ConfigError::repeated(
                "issuer",
                "it is configured twice; one issuer has one set of rules",
            ));
        }
    }
    Ok(())
}

/// The tenant rules of all issuers that have some.
pub(in crate::server) fn tenants(
    issuers: &[Arc<ConfiguredIssuer>],
) -> impl Iterator<Item = &TenantClaims> {
    let members = issuers.iter().flat_map(|issuer| issuer.members());
    members.filter_map(|member| member.rules.tenant.as_ref())
}

/// Either every issuer's tenant rules say what its tokens are for, or none knows contexts.
pub(in crate::server) fn check_contexts(
    issuers: &[Arc<ConfiguredIssuer>],
) -> Result<(), ConfigError> {
    let has_contexts = tenants(issuers).any(TenantClaims::has_contexts);
    if has_contexts && !tenants(issuers).all(TenantClaims::states_contexts) {
        return Err(ConfigError::missing(
            "tenant_claims",
            "one issuer's rules know contexts and another's do not; say what its tokens are for with `contexts(..)`, `in_context(..)` or `in_every_context()`",
        ));
    }
    Ok(())
}

pub(in crate::server) fn check_parameters(path: &PathParameters) -> Result<(), ConfigError> {
    let mut mistakes = Mistakes::default();
    let names = [
        ("workspace_parameter", &path.workspace),
        ("account_parameter", &path.account),
    ];
    for (setting, name) in names {
        if !is_parameter_name(name) {
            mistakes.add(ConfigError::new(
                setting,
                "a route has no parameter of this name; write the name alone, without braces and slashes",
            ));
        }
    }
    if path.workspace == path.account {
        mistakes.add(ConfigError::repeated(
            "workspace_parameter",
            "it is the name of `account_parameter` too; a route names workspace and account in two parameters",
        ));
    }
    mistakes.into_result()
}

pub(in crate::server) fn check_metadata(address: &str) -> Result<(), ConfigError> {
    check_url("resource_metadata", address, false)?;
    if !is_quotable(address) {
        return Err(ConfigError::new(
            "resource_metadata",
            "it must be visible ascii without quotes",
        ));
    }
    Ok(())
}

/// A token is judged in one place: by the keys that we have, or by its issuer.
#[cfg(feature = "jwks")]
pub(in crate::server) fn check_one_place(
    opaque: Option<&IntrospectedIssuer>,
    authorities: &IssuerAuthorities,
) -> Result<(), ConfigError> {
    let asked_about_jwts = opaque.filter(|opaque| opaque.takes_jwts);
    let mut names = asked_about_jwts
        .into_iter()
        .flat_map(IntrospectedIssuer::names);
    match names.find(|name| authorities.contains_key(&***name)) {
        None => Ok(()),
        Some(issuer) => Err(ConfigError::conflict(
            "introspect_jwts",
            "the issuer's jwts are verified here; a token is judged in one place",
        )
        .of(issuer)),
    }
}

pub(in crate::server) fn check_cache(limits: &CacheLimits) -> Result<(), ConfigError> {
    let mut mistakes = Mistakes::default();
    if !(1..=10_000_000).contains(&limits.entries) {
        mistakes.add(ConfigError::out_of_bounds(
            "token_cache_entries",
            "it must be 1 to 10000000; `without_token_cache()` switches it off",
        ));
    }
    if !(1 << 20..=1 << 30).contains(&limits.bytes) {
        mistakes.add(ConfigError::out_of_bounds(
            "token_cache_bytes",
            "it must be 1 MiB to 1 GiB",
        ));
    }
    if !(Duration::from_secs(1)..=Duration::from_secs(300)).contains(&limits.life) {
        mistakes.add(ConfigError::out_of_bounds(
            "token_cache_life",
            "it must be 1 s to 5 min",
        ));
    }
    mistakes.into_result()
}

/// The directories that an issuer's tenant rules cannot do without.
pub(in crate::server) fn check_directories(
    rules: &IssuerPolicy,
    has_owners: bool,
    has_members: bool,
) -> Result<(), ConfigError> {
    let Some(tenant) = &rules.tenant else {
        return Ok(());
    };
    let mut mistakes = Mistakes::default();
    // An issuer that may assert some accounts only could still name a workspace of another.
    if tenant.is_limited() && !has_owners {
        mistakes.add(ConfigError::missing(
            "tenant_claims",
            "`only_accounts(..)` needs `workspace_directory(..)` on the builder, to tell whose a workspace is",
        ));
    }
    if tenant.has_account_admins() && !has_owners {
        mistakes.add(ConfigError::missing(
            "tenant_claims",
            "`account_admin_role(..)` needs `workspace_directory(..)` on the builder, to tell whose a workspace is",
        ));
    }
    if tenant.needs_memberships() && !has_members {
        mistakes.add(ConfigError::missing(
            "tenant_claims",
            "`memberships_from_directory()` needs `membership_directory(..)` on the builder",
        ));
    }
    mistakes.into_result()
}
