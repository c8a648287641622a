//! From an issuer's settings to the source of its keys, or to the first mistake in them.
//!
//! 1. Keys come from one kind of place: static keys, the addresses of key sets, or discovery.
//! 2. Every address and every certificate is checked here, before any request is sent.

use std::sync::Arc;

use crate::logging;
use crate::model::algorithm::AlgorithmSet;
use crate::model::decision::event::Event;
#[cfg(feature = "jwks")]
use crate::model::url;
use crate::runtime::clock::Clock;
#[cfg(feature = "jwks")]
use crate::runtime::http::bearer_file::BearerFile;
#[cfg(feature = "jwks")]
use crate::runtime::http::tls::{HttpOptions, RootCertificate};
#[cfg(feature = "jwks")]
use crate::runtime::jwks::copy_file::CopyFile;
#[cfg(feature = "jwks")]
use crate::runtime::jwks::key_store::{Location, RefreshLimits, RemoteConfig, RemoteKeys};
#[cfg(feature = "jwks")]
use crate::server::compile::issuer_ids::discovery_urls;
use crate::server::decide::issuer_authority::{KeySource, StaticKeys};
use crate::server::settings::error::ConfigError;
#[cfg(feature = "jwks")]
use crate::server::settings::error::check_url;
use crate::server::settings::issuer::value::Issuer;
#[cfg(feature = "jwks")]
use crate::server::settings::issuer::value::{IssuerKind, Proxies};
#[cfg(feature = "jwks")]
use crate::server::settings::key_set_copies::CheckedCopies;
use crate::verify::crypto::pem;
use crate::verify::jose::jwk_set::{KeySet, MAX_KEY_ID_BYTES};

/// Whose tokens a source of keys is for.
#[cfg_attr(not(feature = "jwks"), allow(dead_code))]
pub(in crate::server) struct KeySourceOwner<'i> {
    /// The exact `iss`, or the template of tenants.
    pub(in crate::server) name: &'i Arc<str>,
    /// The exact `iss` of each tenant; empty where there is one issuer.
    pub(in crate::server) tenants: &'i [Arc<str>],
    pub(in crate::server) algorithms: AlgorithmSet,
    /// Fetched when the first token comes.
    pub(in crate::server) lazy: bool,
}

/// A bound on what one token's unknown key can cause.
#[cfg(feature = "jwks")]
const MAX_KEY_SETS: usize = 8;

/// The source of keys that an issuer's settings name.
pub(in crate::server) fn keys(
    issuer: &Issuer,
    whose: &KeySourceOwner<'_>,
    clock: &Arc<dyn Clock>,
) -> Result<KeySource, ConfigError> {
    #[cfg(feature = "jwks")]
    if matches!(issuer.kind, IssuerKind::Introspected(_)) && !issuer.introspection.signed {
        return unsigned(issuer);
    }
    let is_static = !issuer.key_sets.is_empty() || !issuer.pems.is_empty();
    let has_address = !issuer.key_set_urls.is_empty();
    let ways = usize::from(is_static)
        + usize::from(has_address)
        + usize::from(issuer.discovery_url.is_some());
    if has_address && issuer.discovery_url.is_some() {
        return Err(ConfigError::conflict(
            "key_set_url",
            "keys come from addresses or from discovery; keep it or `discovery_url`",
        ));
    }
    if ways > 1 {
        return Err(ConfigError::conflict(
            "key_set",
            "keys are static or fetched; keep static keys, `key_set_url` or `discovery_url`",
        ));
    }
    if is_static {
        #[cfg(feature = "jwks")]
        reach(issuer)?; // Of no use here, and to be sound all the same.
        #[cfg(feature = "jwks")]
        check_access(issuer, false)?;
        let liveness = issuer.lent.static_keys.clone().unwrap_or_default();
        return static_keys(issuer, whose)
            .map(|keys| KeySource::Static(Arc::new(StaticKeys::new(keys, liveness))));
    }
    remote_keys(issuer, whose, clock)
}

/// Where nothing is signed there is nothing to verify.
#[cfg(feature = "jwks")]
fn unsigned(issuer: &Issuer) -> Result<KeySource, ConfigError> {
    let named = [
        ("key_set", !issuer.key_sets.is_empty()),
        ("pem", !issuer.pems.is_empty()),
        ("key_set_url", !issuer.key_set_urls.is_empty()),
        ("algorithms", issuer.algorithms.is_some()),
        (
            "bearer_token_file",
            issuer.access.bearer_token_file.is_some(),
        ),
        ("key_set_origin", issuer.access.key_set_origin.is_some()),
    ];
    match named.into_iter().find(|(_, is_set)| *is_set) {
        None => {
            let liveness = issuer.lent.static_keys.clone().unwrap_or_default();
            let keys = StaticKeys::new(KeySet::default(), liveness);
            Ok(KeySource::Static(Arc::new(keys)))
        }
        Some((setting, _)) => Err(ConfigError::conflict(
            setting,
            "an issuer that is asked about its tokens has keys for `signed_answers()` alone",
        )),
    }
}

fn static_keys(issuer: &Issuer, whose: &KeySourceOwner<'_>) -> Result<KeySet, ConfigError> {
    let mut keys = KeySet::default();
    for json in &issuer.key_sets {
        let set = KeySet::parse(json, whose.algorithms, issuer.most_keys)
            .map_err(|fault| ConfigError::new("key_set", fault.to_string()))?;
        if set.is_cut() {
            return Err(ConfigError::out_of_bounds(
                "key_set",
                format!(
                    "it has more than {} entries; raise `most_keys`",
                    issuer.most_keys
                ),
            ));
        }
        warn_of_skipped(&set, whose);
        keys.merge(set);
    }
    for (id, text) in &issuer.pems {
        if id
            .as_ref()
            .is_some_and(|id| id.is_empty() || id.len() > MAX_KEY_ID_BYTES)
        {
            return Err(ConfigError::new(
                "pem_with_key_id",
                "the key id must have 1 to 256 bytes",
            ));
        }
        let material = pem::parse(text).map_err(|problem| ConfigError::new("pem", problem))?;
        if !keys.add(id.as_deref(), &material, whose.algorithms) {
            return Err(ConfigError::new(
                "pem",
                "the key is weak or fits no allowed algorithm",
            ));
        }
    }
    Ok(keys)
}

/// An entry that cannot be used is named, here as in a set that is fetched.
fn warn_of_skipped(set: &KeySet, whose: &KeySourceOwner<'_>) {
    for skipped in set.skipped().iter().filter(|one| one.is_notable()) {
        logging::emit(Event::KeySkipped {
            issuer: whose.name,
            index: skipped.index(),
            reason: skipped.reason(),
            is_fetched: false,
        });
    }
}

#[cfg(not(feature = "jwks"))]
fn remote_keys(
    _: &Issuer,
    _: &KeySourceOwner<'_>,
    _: &Arc<dyn Clock>,
) -> Result<KeySource, ConfigError> {
    Err(ConfigError::unavailable(
        "key_set",
        "keys can only be fetched with the feature `jwks`; switch it on, or give static keys",
    ))
}

#[cfg(feature = "jwks")]
fn remote_keys(
    issuer: &Issuer,
    whose: &KeySourceOwner<'_>,
    clock: &Arc<dyn Clock>,
) -> Result<KeySource, ConfigError> {
    let limits = RefreshLimits {
        interval: issuer.refresh_interval,
        cooldown: issuer.unknown_key_cooldown,
        max_stale: issuer.max_staleness,
        // The issuer's `Cache-Control` must not make its keys too old (see `check_spans`).
        max: RefreshLimits::default()
            .max
            .min(issuer.max_staleness * 4 / 5),
        ..RefreshLimits::default()
    };
    let mut sets = Vec::new();
    let locations = locations(issuer, whose)?;
    let is_discovered = locations
        .iter()
        .any(|location| matches!(location, Location::Discovery(_)));
    check_access(issuer, is_discovered)?;
    for location in locations {
        let copy = issuer.access.copies.as_ref();
        let config = RemoteConfig {
            bearer: bearer(issuer, &location),
            key_set_origin: issuer.access.key_set_origin.clone(),
            copy: copy.map(|copies| copy_file(copies, issuer, whose, &location)),
            issuer: Arc::clone(whose.name),
            tenants: whose.tenants.to_vec(),
            location,
            algorithms: whose.algorithms,
            most_keys: issuer.most_keys,
            most_bytes: issuer.key_set_bytes,
            lazy: whose.lazy,
            http_options: reach(issuer)?,
            limits,
        };
        let mut fetched = issuer.lent.fetched.iter();
        let keys = match fetched.find(|keys| keys.config().is_alike(&config)) {
            Some(keys) => Arc::clone(keys),
            None => RemoteKeys::new(config, Arc::clone(clock))
                .map_err(|problem| ConfigError::new("key_set_url", problem))?,
        };
        sets.push(keys);
    }
    Ok(KeySource::Remote(sets.into()))
}

/// Settings about the way to documents that are fetched.
#[cfg(feature = "jwks")]
fn check_access(issuer: &Issuer, is_discovered: bool) -> Result<(), ConfigError> {
    const BEARER: &str = "bearer_token_file";
    const ORIGIN: &str = "key_set_origin";
    let access = &issuer.access;
    let is_fetched = issuer.key_sets.is_empty() && issuer.pems.is_empty();
    if let Some(path) = &access.bearer_token_file {
        if path.as_os_str().is_empty() {
            return Err(ConfigError::new(BEARER, "the path is empty; name a file"));
        }
        if !is_fetched {
            return Err(ConfigError::conflict(
                BEARER,
                "nothing is fetched where keys are static; leave it out",
            ));
        }
        if issuer.plain_http {
            return Err(ConfigError::conflict(
                BEARER,
                "over plain http anyone on the network path would read the token; leave out `plain_http()`",
            ));
        }
    }
    if let Some(origin) = &access.key_set_origin {
        check_url(ORIGIN, origin, issuer.plain_http)?;
        if !matches!(url::split_origin(origin).1, "" | "/") || origin.contains('?') {
            return Err(ConfigError::new(
                ORIGIN,
                format!(
                    "`{}` has a path; give scheme, host and port alone",
                    url::shown(origin)
                ),
            ));
        }
        if !is_discovered {
            return Err(ConfigError::conflict(
                ORIGIN,
                "no discovery document names the key set; set its whole address with `key_set_url`",
            ));
        }
    }
    Ok(())
}

/// The bearer token for the documents at these addresses, which are configured.
#[cfg(feature = "jwks")]
fn bearer(issuer: &Issuer, location: &Location) -> Option<Arc<BearerFile>> {
    let path = issuer.access.bearer_token_file.as_deref()?;
    let urls = match location {
        Location::KeySet(url) => std::slice::from_ref(url),
        Location::Discovery(urls) => urls,
    };
    let urls = urls.iter().chain(&issuer.access.key_set_origin);
    Some(BearerFile::new(path, urls.map(String::as_str)))
}

/// The file of a stored copy. An issuer that is named by several discovery documents has one copy.
#[cfg(feature = "jwks")]
fn copy_file(
    copies: &CheckedCopies,
    issuer: &Issuer,
    whose: &KeySourceOwner<'_>,
    location: &Location,
) -> Arc<CopyFile> {
    let place = match location {
        Location::KeySet(url) => url.clone(),
        Location::Discovery(urls) => format!("discovery {}", urls.join(" ")),
    };
    let longest = copies.max_age.unwrap_or(issuer.max_staleness);
    CopyFile::new(
        &copies.folder,
        Arc::clone(&copies.seal),
        Arc::clone(whose.name),
        place,
        longest.min(issuer.max_staleness),
        issuer.key_set_bytes,
    )
}

/// The addresses of key sets, or the one place where such an address is found.
#[cfg(feature = "jwks")]
fn locations(issuer: &Issuer, whose: &KeySourceOwner<'_>) -> Result<Vec<Location>, ConfigError> {
    if issuer.key_set_urls.is_empty() {
        return location(issuer, whose).map(|only| vec![only]);
    }
    if issuer.key_set_urls.len() > MAX_KEY_SETS {
        return Err(ConfigError::out_of_bounds(
            "key_set_url",
            "an issuer has at most 8 key sets; more are issuers of their own",
        ));
    }
    let checked = issuer.key_set_urls.iter().map(|address| {
        check_url("key_set_url", address, issuer.plain_http)?;
        Ok(Location::KeySet(address.clone()))
    });
    checked.collect()
}

#[cfg(feature = "jwks")]
fn location(issuer: &Issuer, whose: &KeySourceOwner<'_>) -> Result<Location, ConfigError> {
    if let (Some(address), None) = (issuer.preset_key_set_url, &issuer.discovery_url) {
        return Ok(Location::KeySet(address.to_owned()));
    }
    if let (Some(address), None) = (issuer.access.preset_discovery_url, &issuer.discovery_url) {
        return Ok(Location::Discovery(vec![address.to_owned()]));
    }
    match (&issuer.discovery_url, &issuer.kind) {
        (Some(_), IssuerKind::Spiffe { .. }) => Err(ConfigError::conflict(
            "discovery_url",
            "a trust domain has no discovery document; set the address of its bundle with `key_set_url`",
        )),
        (None, IssuerKind::Spiffe { .. }) => Err(ConfigError::missing(
            "key_set_url",
            "the bundle of a trust domain has no place of its own; set its address, or static keys",
        )),
        // The document can name one form of a pool; the other is looked for in its own place.
        (Some(address), _) if !whose.lazy => {
            check_url("discovery_url", address, issuer.plain_http)?;
            Ok(Location::Discovery(vec![address.clone()]))
        }
        (_, IssuerKind::Cognito { .. }) => Ok(Location::KeySet(format!(
            "{}/.well-known/jwks.json",
            whose.name
        ))),
        (_, IssuerKind::OidcTenants(_)) => Err(ConfigError::missing(
            "key_set_url",
            "the keys that tenants share have no place of their own; set it, `discovery_url` or static keys",
        )),
        (_, _) => {
            check_url("issuer", whose.name, issuer.plain_http).map_err(|error| {
                error.and("set `key_set_url` or `discovery_url` for an issuer whose identifier is no place")
            })?;
            Ok(Location::Discovery(discovery_urls(whose.name)))
        }
    }
}

#[cfg(feature = "jwks")]
pub(in crate::server) fn reach(issuer: &Issuer) -> Result<HttpOptions, ConfigError> {
    let mut roots = Vec::new();
    for pem in &issuer.roots {
        roots.extend(RootCertificate::bundle(pem).map_err(|problem| {
            ConfigError::new(
                "root_certificate",
                format!("it {problem}; give one `CERTIFICATE` in pem, or several"),
            )
        })?);
    }
    let root_files = issuer.access.root_files.clone();
    if root_files.iter().any(|path| path.as_os_str().is_empty()) {
        return Err(ConfigError::new(
            "root_certificate_file",
            "the path is empty; name a file",
        ));
    }
    Ok(HttpOptions {
        clients: issuer.lent.clients.clone(),
        plain_http: issuer.plain_http,
        roots,
        root_files,
        proxied: issuer.proxies == Proxies::Used,
    })
}
