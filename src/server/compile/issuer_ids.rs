//! The exact `iss` values that an issuer's tokens have, and where its discovery document lies.

use std::collections::HashSet;
use std::sync::Arc;

use crate::model::url;
use crate::server::settings::error::{ConfigError, check_url};
#[cfg(feature = "jwks")]
use crate::server::settings::introspection_settings::IntrospectionTarget;
use crate::server::settings::issuer::value::{Issuer, IssuerKind};
use crate::verify::claims::spiffe_id::is_trust_domain;

/// The exact `iss` values of an issuer; the first names it, where they are not tenants'. Aliases
/// come last.
pub(in crate::server) fn identifiers(issuer: &Issuer) -> Result<Vec<Arc<str>>, ConfigError> {
    if issuer.endpoint.is_some() && !matches!(issuer.kind, IssuerKind::Cognito { .. }) {
        return Err(ConfigError::conflict(
            "endpoint",
            "only Cognito has it; set `key_set_url` or `discovery_url`",
        ));
    }
    if !issuer.replica_regions.is_empty() && !matches!(issuer.kind, IssuerKind::Cognito { .. }) {
        return Err(ConfigError::conflict(
            "replica_region",
            "only Cognito has it; see `also_named(..)` for another name of the same issuer",
        ));
    }
    let identifiers = match &issuer.kind {
        IssuerKind::Cognito { region, pool } => cognito_identifiers(issuer, region, pool)?,
        IssuerKind::Rfc9068 { issuer: identifier } | IssuerKind::Oidc { issuer: identifier } => {
            vec![identifier.as_str().into()]
        }
        IssuerKind::Spiffe { trust_domain } => vec![spiffe_identifier(trust_domain)?],
        IssuerKind::OidcTenants(_) if !issuer.aliases.is_empty() => {
            return Err(ConfigError::conflict(
                "also_named",
                "several tenants have no one name; name each tenant in `oidc_tenants(..)`",
            ));
        }
        IssuerKind::OidcTenants(family) => family.identifiers()?,
        #[cfg(feature = "jwks")]
        IssuerKind::Introspected(
            IntrospectionTarget::Endpoint(name)
            | IntrospectionTarget::Issuer(name)
            | IntrospectionTarget::Service(name),
        ) => {
            let named = issuer.introspection.identifier.as_ref();
            vec![named.unwrap_or(name).as_str().into()]
        }
    };
    let mut identifiers = identifiers;
    identifiers.extend(issuer.aliases.iter().map(|alias| alias.as_str().into()));
    check_identifiers(&identifiers)?;
    Ok(identifiers)
}

/// The issuer identifiers of an issuer that clients can use: URLs of authorization servers
/// (RFC 8414 section 2). Those that it has beside its first one are other names of the same server.
pub(in crate::server) fn authorization_servers(issuer: &Issuer) -> Vec<Arc<str>> {
    let identifiers = identifiers(issuer).unwrap_or_default();
    let named = match &issuer.kind {
        IssuerKind::OidcTenants(_) => identifiers.len(),
        // Without a name it is known by the URL of an endpoint.
        #[cfg(feature = "jwks")]
        IssuerKind::Introspected(
            IntrospectionTarget::Endpoint(_) | IntrospectionTarget::Service(_),
        ) => usize::from(issuer.introspection.identifier.is_some()),
        _ => 1,
    };
    let named = identifiers.into_iter().take(named);
    named
        .filter(|name| url::check(name, false).is_ok() && !name.contains('?'))
        .collect()
}

/// An identifier is compared and never fetched, so any text is one. Where something is fetched
/// from below it, that address is checked.
fn check_identifiers(identifiers: &[Arc<str>]) -> Result<(), ConfigError> {
    let mut seen = HashSet::new();
    for identifier in identifiers {
        if identifier.is_empty() {
            return Err(ConfigError::new(
                "issuer",
                "the issuer's identifier is empty; give the `iss` of its tokens",
            ));
        }
        // Most issuers have one name, and a server may have a thousand issuers.
        if identifiers.len() > 1 && !seen.insert(identifier) {
            return Err(ConfigError::repeated(
                "also_named",
                format!("`{}` is named twice; name it once", url::shown(identifier)),
            ));
        }
    }
    Ok(())
}

/// SPIFFE-ID s2.1
fn spiffe_identifier(trust_domain: &str) -> Result<Arc<str>, ConfigError> {
    if !is_trust_domain(trust_domain) {
        return Err(ConfigError::new(
            "spiffe",
            format!(
                "`{}` is no trust domain; give its name alone, such as `example.org`, in lower case",
                url::shown(trust_domain)
            ),
        ));
    }
    Ok(format!("spiffe://{trust_domain}").into())
}

fn cognito_identifiers(
    issuer: &Issuer,
    region: &str,
    pool: &str,
) -> Result<Vec<Arc<str>>, ConfigError> {
    // An emulator calls its region what it likes, `local` for one; no host name is made of it.
    let emulated = issuer.endpoint.is_some() && is_word(region);
    if !emulated && !is_region(region) {
        return Err(ConfigError::new(
            "cognito",
            format!("`{region}` does not have the shape of an aws region, such as `eu-west-1`"),
        ));
    }
    let id = pool
        .strip_prefix(region)
        .and_then(|rest| rest.strip_prefix('_'));
    if !id.is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
        return Err(ConfigError::new(
            "cognito",
            format!(
                "the pool id `{pool}` does not fit the region `{region}`; it reads `{region}_` and letters or digits"
            ),
        ));
    }
    if issuer.endpoint.is_some() && !issuer.replica_regions.is_empty() {
        return Err(ConfigError::conflict(
            "replica_region",
            "an emulator at `endpoint(..)` is in no region; keep one of them",
        ));
    }
    if let Some(base) = &issuer.endpoint {
        check_url("endpoint", base, issuer.plain_http)?;
        return Ok(vec![
            format!("{}/{pool}", base.trim_end_matches('/')).into(),
        ]);
    }
    let domain = domain(region);
    let mut identifiers: Vec<Arc<str>> = ["cognito-idp", "issuer-cognito-idp"]
        .map(|service| format!("https://{service}.{region}.{domain}/{pool}").into())
        .into();
    for replica in &issuer.replica_regions {
        check_replica(region, replica)?;
        identifiers.push(format!("https://cognito-idp.{replica}.{domain}/{pool}").into());
    }
    Ok(identifiers)
}

/// The domain of a region's partition.
fn domain(region: &str) -> &'static str {
    match region {
        _ if region.starts_with("cn-") => "amazonaws.com.cn",
        _ if region.starts_with("eusc-") => "amazonaws.eu",
        _ => "amazonaws.com",
    }
}

fn check_replica(region: &str, replica: &str) -> Result<(), ConfigError> {
    let problem = if !is_region(replica) {
        "does not have the shape of an aws region, such as `us-west-2`"
    } else if replica == region {
        "is the pool's own region, which needs no setting"
    } else if domain(replica) != domain(region) {
        "is in another aws partition than the pool, which has no replica there"
    } else {
        return Ok(());
    };
    Err(ConfigError::new(
        "replica_region",
        format!("`{replica}` {problem}"),
    ))
}

/// Letters, digits and hyphens, which mean nothing in a URL's path.
fn is_word(region: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !region.is_empty() && region.bytes().all(plain)
}

/// `xx-name-1`, `xx-gov-name-1`, `eusc-xx-name-1`: judged by shape, not by a list.
fn is_region(region: &str) -> bool {
    let lower = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    let digit = |part: &str| {
        !part.is_empty() && part.len() <= 2 && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let two = |part: &str| part.len() == 2 && lower(part);
    let region = region.strip_prefix("eusc-").unwrap_or(region);
    match region.split('-').collect::<Vec<_>>().as_slice() {
        [area, name, number] => two(area) && lower(name) && digit(number),
        [area, kind, name, number] => two(area) && lower(kind) && lower(name) && digit(number),
        _ => false,
    }
}

/// OpenID Connect Discovery s4 appends to the issuer; RFC 8414 s3.1 inserts before its path, and
/// s5 does so with OpenID Connect's name too.
#[cfg(any(feature = "aide", feature = "jwks", feature = "utoipa"))]
pub(in crate::server) fn discovery_urls(issuer: &str) -> Vec<String> {
    let issuer = issuer.trim_end_matches('/');
    let appended = format!("{issuer}/.well-known/openid-configuration");
    let (origin, path) = url::split_origin(issuer);
    let inserted = |name| format!("{origin}/.well-known/{name}{path}");
    let mut urls = vec![appended, inserted("oauth-authorization-server")];
    // Without a path this is where the first one is.
    if !path.is_empty() {
        urls.push(inserted("openid-configuration"));
    }
    urls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_judged_by_their_shape() {
        for good in [
            "eu-west-1",
            "us-gov-east-1",
            "cn-north-1",
            "eusc-de-east-1",
            "ap-southeast-12",
            "us-iso-east-1",
        ] {
            assert!(is_region(good), "{good}");
        }
        for bad in [
            "",
            "eu-west",
            "eu-west-",
            "EU-west-1",
            "e-west-1",
            "eu-west-123",
            "eu-west-1.evil",
            "eu--1",
            "a-b-c-d-1",
            "eusc-deu-east-1",
        ] {
            assert!(!is_region(bad), "{bad}");
        }
    }

    #[cfg(feature = "jwks")]
    #[test]
    fn discovery_is_looked_for_behind_and_before_the_path() {
        assert_eq!(
            discovery_urls("https://id.example.com/realms/main/"),
            [
                "https://id.example.com/realms/main/.well-known/openid-configuration",
                "https://id.example.com/.well-known/oauth-authorization-server/realms/main",
                "https://id.example.com/.well-known/openid-configuration/realms/main",
            ]
        );
        assert_eq!(
            discovery_urls("https://id.example.com"),
            [
                "https://id.example.com/.well-known/openid-configuration",
                "https://id.example.com/.well-known/oauth-authorization-server",
            ]
        );
    }
}
