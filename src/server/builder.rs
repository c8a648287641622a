//! From settings to a server: every mistake is found before the first request.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::issuer::{Issuer, Kind};
use super::{Authority, Inner, Keys, ResourceServer};
use crate::model::algorithm::{Algorithm, AlgorithmSet};
use crate::model::path::ClaimPath;
use crate::model::url;
use crate::source::clock::{Clock, SystemClock};
use crate::verify::claims::bare_type;
use crate::verify::keyset::KeySet;
use crate::verify::pem;
use crate::verify::rules::{Audiences, Profile, Rules};
use crate::verify::tenancy::TenantClaims;

/// Collects the settings of a [`ResourceServer`].
#[must_use]
pub struct Builder {
    resource: String,
    issuers: Vec<Issuer>,
    max_token_bytes: usize,
    resource_metadata: Option<String>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("resource", &self.resource)
            .field("issuers", &self.issuers)
            .finish_non_exhaustive()
    }
}

impl Builder {
    pub(super) fn new(resource: String) -> Self {
        Self {
            resource,
            issuers: Vec::new(),
            max_token_bytes: 16 * 1024,
            resource_metadata: None,
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// Trusts an issuer; call it once for each. Each keeps its own keys, algorithms, audiences
    /// and tenant rules. Default: none, which is a mistake.
    pub fn issuer(mut self, issuer: Issuer) -> Self {
        self.issuers.push(issuer);
        self
    }

    /// The longest token that is looked at, in bytes of the `Authorization` field after the
    /// scheme: 1 KiB to 1 MiB. Default: 16 KiB; real tokens reach 4 KiB and grow.
    pub fn max_token_bytes(mut self, bytes: usize) -> Self {
        self.max_token_bytes = bytes;
        self
    }

    /// The URL of this resource's metadata (RFC 9728 section 5.1), named in challenges.
    /// Default: none is named.
    pub fn resource_metadata(mut self, url: impl Into<String>) -> Self {
        self.resource_metadata = Some(url.into());
        self
    }

    /// Where time comes from. Default: the machine's clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Makes the server. Without I/O; key sets are fetched from
    /// [`connect()`](ResourceServer::connect) on.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for the first mistake; it names the setting and the way out.
    pub fn build(self) -> Result<ResourceServer, ConfigError> {
        check_resource(&self.resource)?;
        if self.issuers.is_empty() {
            return Err(mistake(
                "issuer",
                "no issuer is trusted; add one with `issuer(..)`",
            ));
        }
        if !(1024..=1024 * 1024).contains(&self.max_token_bytes) {
            return Err(mistake("max_token_bytes", "it must be 1024 to 1048576"));
        }
        if let Some(address) = &self.resource_metadata {
            url::check(address, false).map_err(|problem| {
                mistake("resource_metadata", format!("`{address}` {problem}"))
            })?;
            if !is_quotable(address) {
                return Err(mistake(
                    "resource_metadata",
                    "it must be visible ascii without quotes",
                ));
            }
        }
        let mut authorities = HashMap::new();
        let mut realms: Vec<Realm> = Vec::new();
        for issuer in self.issuers {
            let identifiers = identifiers(&issuer)?;
            let Some(realm) = identifiers.first().cloned() else {
                continue;
            };
            let named = |error: ConfigError| error.of(&realm);
            let rules = Arc::new(rules(&issuer, &realm, &self.resource).map_err(named)?);
            let mut members = Vec::new();
            for (place, identifier) in identifiers.iter().enumerate() {
                let keys =
                    keys(&issuer, identifier, &rules, place > 0, &self.clock).map_err(named)?;
                let authority = Arc::new(Authority {
                    rules: Arc::clone(&rules),
                    keys,
                });
                members.push(Arc::clone(&authority));
                if authorities
                    .insert(Box::<str>::from(&**identifier), authority)
                    .is_some()
                {
                    return Err(mistake(
                        "issuer",
                        "it is configured twice; one issuer has one set of rules",
                    )
                    .of(&realm));
                }
            }
            realms.push((realm, members));
        }
        let tenants: Vec<_> = realms
            .iter()
            .flat_map(|(_, members)| members)
            .filter_map(|member| member.rules.tenant.clone())
            .collect();
        Ok(ResourceServer(Arc::new(Inner {
            has_contexts: tenants.into_iter().any(|rules| rules.context.is_some()),
            resource: self.resource.into(),
            resource_metadata: self.resource_metadata.map(Into::into),
            max_token_bytes: self.max_token_bytes,
            clock: self.clock,
            authorities,
            realms,
        })))
    }
}

/// An issuer as configured, and what its identifiers lead to.
pub(super) type Realm = (Arc<str>, Vec<Arc<Authority>>);

/// A mistake in the configuration: which setting, and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    issuer: Option<Arc<str>>,
    setting: &'static str,
    problem: String,
}

impl ConfigError {
    /// The name of the setting.
    #[must_use]
    pub const fn setting(&self) -> &'static str {
        self.setting
    }

    /// The issuer whose setting it is; absent for settings of the server.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    fn of(mut self, issuer: &Arc<str>) -> Self {
        self.issuer = Some(Arc::clone(issuer));
        self
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(issuer) = &self.issuer {
            write!(f, "issuer `{issuer}`: ")?;
        }
        write!(f, "`{}`: {}", self.setting, self.problem)
    }
}

impl std::error::Error for ConfigError {}

fn mistake(setting: &'static str, problem: impl Into<String>) -> ConfigError {
    ConfigError {
        issuer: None,
        setting,
        problem: problem.into(),
    }
}

/// The resource is the default audience and realm, so it stands in challenges.
fn check_resource(resource: &str) -> Result<(), ConfigError> {
    if resource.is_empty() {
        return Err(mistake(
            "builder",
            "the resource is empty; give the identifier that your tokens have as audience",
        ));
    }
    if !is_quotable(resource) {
        return Err(mistake(
            "builder",
            "the resource must be visible ascii without quotes and backslashes",
        ));
    }
    Ok(())
}

/// RFC 9110 s5.6.4: fit for a quoted-string as it stands.
pub(crate) fn is_quotable(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\')
}

/// The exact `iss` values of an issuer; the first names it.
fn identifiers(issuer: &Issuer) -> Result<Vec<Arc<str>>, ConfigError> {
    match &issuer.kind {
        Kind::Cognito { region, pool } => cognito_identifiers(issuer, region, pool),
        Kind::Rfc9068 { issuer: identifier } | Kind::Oidc { issuer: identifier } => {
            if issuer.endpoint.is_some() {
                return Err(mistake(
                    "endpoint",
                    "only Cognito has it; set `key_set_url` or `discovery_url`",
                ));
            }
            if identifier.is_empty() {
                return Err(mistake(
                    "issuer",
                    "the issuer's identifier is empty; give the `iss` of its tokens",
                ));
            }
            if identifier.to_ascii_lowercase().starts_with("http:") {
                url::check(identifier, issuer.plain_http)
                    .map_err(|problem| mistake("issuer", format!("`{identifier}` {problem}")))?;
            }
            Ok(vec![identifier.as_str().into()])
        }
    }
}

fn cognito_identifiers(
    issuer: &Issuer,
    region: &str,
    pool: &str,
) -> Result<Vec<Arc<str>>, ConfigError> {
    if !is_region(region) {
        return Err(mistake(
            "cognito",
            format!("`{region}` has not the shape of an aws region, such as `eu-west-1`"),
        ));
    }
    let id = pool
        .strip_prefix(region)
        .and_then(|rest| rest.strip_prefix('_'));
    if !id.is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
        return Err(mistake(
            "cognito",
            format!(
                "the pool id `{pool}` does not fit the region `{region}`; it reads `{region}_` and letters or digits"
            ),
        ));
    }
    if let Some(base) = &issuer.endpoint {
        url::check(base, issuer.plain_http)
            .map_err(|problem| mistake("endpoint", format!("`{base}` {problem}")))?;
        return Ok(vec![
            format!("{}/{pool}", base.trim_end_matches('/')).into(),
        ]);
    }
    let domain = match region {
        _ if region.starts_with("cn-") => "amazonaws.com.cn",
        _ if region.starts_with("eusc-") => "amazonaws.eu",
        _ => "amazonaws.com",
    };
    Ok(["cognito-idp", "issuer-cognito-idp"]
        .map(|service| format!("https://{service}.{region}.{domain}/{pool}").into())
        .into())
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

fn rules(issuer: &Issuer, realm: &Arc<str>, resource: &str) -> Result<Rules, ConfigError> {
    let profile = match issuer.kind {
        Kind::Cognito { .. } => Profile::Cognito,
        Kind::Rfc9068 { .. } => Profile::Rfc9068,
        Kind::Oidc { .. } => Profile::Oidc,
    };
    let algorithms = match (&issuer.algorithms, profile) {
        (Some(named), _) => AlgorithmSet::of(named.iter().copied()),
        (None, Profile::Cognito) => AlgorithmSet::of([Algorithm::RS256]),
        (None, _) => AlgorithmSet::of(Algorithm::ALL),
    };
    if algorithms.is_empty() {
        return Err(mistake(
            "algorithms",
            "the list is empty; name at least one, or leave the default",
        ));
    }
    if profile == Profile::Cognito && issuer.client_ids.is_empty() {
        return Err(mistake(
            "client_id",
            "no app client is allowed; name each with `client_id(..)`, since Cognito's tokens seldom have an audience",
        ));
    }
    check_texts("client_id", &issuer.client_ids)?;
    check_texts("audience", &issuer.audiences)?;
    check_texts("accept_type", &issuer.types)?;
    if issuer.any_audience && !issuer.audiences.is_empty() {
        return Err(mistake(
            "audience",
            "it contradicts `accept_any_audience()`; keep one of them",
        ));
    }
    if issuer.leeway > Duration::from_secs(300) {
        return Err(mistake(
            "leeway",
            "it is at most 5 minutes; clocks that are further off need a time server",
        ));
    }
    check_span("refresh_interval", issuer.refresh_interval, 60, 24 * 3600)?;
    check_span("unknown_key_cooldown", issuer.unknown_key_cooldown, 1, 3600)?;
    check_span(
        "max_staleness",
        issuer.max_staleness,
        issuer.refresh_interval.as_secs(),
        30 * 24 * 3600,
    )?;
    let client_id_claims = match (&issuer.client_id_claim, profile) {
        (Some(path), _) => vec![path.clone()],
        (None, Profile::Oidc) => vec![ClaimPath::from("client_id"), ClaimPath::from("azp")],
        (None, _) => vec![ClaimPath::from("client_id")],
    };
    let paths = [
        ("audience_claim", &issuer.audience_claim),
        ("scope_claim", &issuer.scope_claim),
        ("roles_claim", &issuer.roles_claim),
        ("groups_claim", &issuer.groups_claim),
        ("subject_claim", &issuer.subject_claim),
    ];
    let required = issuer
        .required_claims
        .iter()
        .map(|(path, _)| ("require_claim", path));
    let clients = client_id_claims
        .iter()
        .map(|path| ("client_id_claim", path));
    if let Some((setting, _)) = paths
        .into_iter()
        .chain(required)
        .chain(clients)
        .find(|(_, path)| path.is_blank())
    {
        return Err(mistake(
            setting,
            "the claim has no name; give the member's name, or the list of names that leads to it",
        ));
    }
    if let Some(problem) = issuer.tenant.as_ref().and_then(TenantClaims::mistake) {
        return Err(mistake("tenant_claims", problem));
    }
    let audiences = match (issuer.any_audience, issuer.audiences.as_slice()) {
        (true, _) => Audiences::Waived,
        (false, []) => Audiences::AnyOf(vec![resource.into()]),
        (false, named) => Audiences::AnyOf(boxed(named)),
    };
    Ok(Rules {
        realm: Arc::clone(realm),
        profile,
        algorithms,
        audiences,
        audience_claim: issuer.audience_claim.clone(),
        client_ids: boxed(&issuer.client_ids),
        extra_types: issuer
            .types
            .iter()
            .map(|name| bare_type(name).into())
            .collect(),
        required_claims: issuer
            .required_claims
            .iter()
            .map(|(path, value)| (path.clone(), value.as_str().into()))
            .collect(),
        required_headers: issuer
            .required_headers
            .iter()
            .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
            .collect(),
        scope_claim: issuer.scope_claim.clone(),
        roles_claim: issuer.roles_claim.clone(),
        groups_claim: issuer.groups_claim.clone(),
        lone_values: issuer.lone_values,
        subject_claim: issuer.subject_claim.clone(),
        client_id_claims,
        leeway: issuer.leeway,
        tenant: issuer.tenant.clone(),
    })
}

fn boxed(texts: &[String]) -> Vec<Box<str>> {
    texts.iter().map(|text| text.as_str().into()).collect()
}

fn check_texts(setting: &'static str, texts: &[String]) -> Result<(), ConfigError> {
    if texts.iter().any(String::is_empty) {
        return Err(mistake(
            setting,
            "it is empty; give the exact value, or leave it out",
        ));
    }
    Ok(())
}

fn check_span(
    setting: &'static str,
    span: Duration,
    least: u64,
    most: u64,
) -> Result<(), ConfigError> {
    if (Duration::from_secs(least)..=Duration::from_secs(most)).contains(&span) {
        Ok(())
    } else {
        Err(mistake(
            setting,
            format!("it must be {least} s to {most} s"),
        ))
    }
}

/// Where the keys of one identifier come from.
fn keys(
    issuer: &Issuer,
    identifier: &Arc<str>,
    rules: &Rules,
    lazy: bool,
    clock: &Arc<dyn Clock>,
) -> Result<Keys, ConfigError> {
    let is_static = !issuer.key_sets.is_empty() || !issuer.pems.is_empty();
    let ways = usize::from(is_static)
        + usize::from(issuer.key_set_url.is_some())
        + usize::from(issuer.discovery_url.is_some());
    if ways > 1 {
        return Err(mistake(
            "key_set",
            "keys come from one place; keep static keys, `key_set_url` or `discovery_url`",
        ));
    }
    if is_static {
        return static_keys(issuer, rules).map(|keys| Keys::Static(Box::new(keys)));
    }
    remote_keys(issuer, identifier, rules, lazy, clock)
}

fn static_keys(issuer: &Issuer, rules: &Rules) -> Result<KeySet, ConfigError> {
    let mut keys = KeySet::default();
    for json in &issuer.key_sets {
        let set = KeySet::parse(json, rules.algorithms)
            .map_err(|fault| mistake("key_set", fault.to_string()))?;
        keys.merge(set);
    }
    for (id, text) in &issuer.pems {
        let material = pem::parse(text).map_err(|problem| mistake("pem", problem))?;
        if !keys.add(id.as_deref(), &material, rules.algorithms) {
            return Err(mistake(
                "pem",
                "the key is weak or fits no allowed algorithm",
            ));
        }
    }
    Ok(keys)
}

#[cfg(not(feature = "jwks"))]
fn remote_keys(
    _: &Issuer,
    _: &Arc<str>,
    _: &Rules,
    _: bool,
    _: &Arc<dyn Clock>,
) -> Result<Keys, ConfigError> {
    Err(mistake(
        "key_set",
        "keys can only be fetched with the feature `jwks`; switch it on, or give static keys",
    ))
}

#[cfg(feature = "jwks")]
fn remote_keys(
    issuer: &Issuer,
    identifier: &Arc<str>,
    rules: &Rules,
    lazy: bool,
    clock: &Arc<dyn Clock>,
) -> Result<Keys, ConfigError> {
    use crate::source::jwks::{Location, RefreshLimits, RemoteConfig, RemoteKeys};

    let check = |setting: &'static str, address: &str| {
        url::check(address, issuer.plain_http)
            .map_err(|problem| mistake(setting, format!("`{address}` {problem}")))
    };
    let location = match (&issuer.key_set_url, &issuer.discovery_url, &issuer.kind) {
        (Some(address), _, _) => {
            check("key_set_url", address)?;
            Location::KeySet(address.clone())
        }
        (None, Some(address), _) => {
            check("discovery_url", address)?;
            Location::Discovery(vec![address.clone()])
        }
        (None, None, Kind::Cognito { .. }) => {
            Location::KeySet(format!("{identifier}/.well-known/jwks.json"))
        }
        (None, None, _) => {
            check("issuer", identifier).map_err(|mut error| {
                error.problem.push_str("; set `key_set_url` or `discovery_url` for an issuer whose identifier is no place");
                error
            })?;
            Location::Discovery(discovery_urls(identifier))
        }
    };
    let limits = RefreshLimits {
        interval: issuer.refresh_interval,
        cooldown: issuer.unknown_key_cooldown,
        max_stale: issuer.max_staleness,
        ..RefreshLimits::default()
    };
    let config = RemoteConfig {
        issuer: Arc::clone(identifier),
        location,
        algorithms: rules.algorithms,
        lazy,
        plain_http: issuer.plain_http,
        limits,
    };
    RemoteKeys::new(config, Arc::clone(clock))
        .map(Keys::Remote)
        .map_err(|problem| mistake("key_set_url", problem))
}

/// OpenID Connect Discovery s4 appends to the issuer; RFC 8414 s3.1 inserts before its path.
#[cfg(feature = "jwks")]
fn discovery_urls(issuer: &str) -> Vec<String> {
    let issuer = issuer.trim_end_matches('/');
    let appended = format!("{issuer}/.well-known/openid-configuration");
    let authority = issuer.find("://").map_or(0, |at| at + 3);
    let path = issuer
        .get(authority..)
        .and_then(|rest| rest.find('/'))
        .map_or(issuer.len(), |at| authority + at);
    let (origin, path) = issuer.split_at_checked(path).unwrap_or((issuer, ""));
    let inserted = format!("{origin}/.well-known/oauth-authorization-server{path}");
    vec![appended, inserted]
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
