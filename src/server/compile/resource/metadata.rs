//! The metadata document of a resource (RFC 9728 sections 2 and 3.1).
//!
//! 1. Everything in it comes from the configuration; nothing from a request.
//! 2. A member without a value is left out (RFC 9728 section 3.2).

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::model::algorithm::{Algorithm, AlgorithmSet};
use crate::model::time::UnixTime;
use crate::model::url;
use crate::runtime::util::swap::SwapCell;
use crate::server::decide::protected_resource::{DocumentText, MetadataDocument};
use crate::server::settings::error::{ConfigError, Mistakes, check_url};
use crate::server::settings::resource::metadata_settings::MetadataSettings;
use crate::server::settings::resource::value::Resource;
use crate::verify::crypto::pem;
use crate::verify::crypto::private_key::PrivateKey;
use crate::verify::crypto::sha256::sha256;
use crate::verify::jose::sign::sign_jwt;

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

const DEFAULT_MAX_AGE: Duration = Duration::from_secs(3600);
const MOST_MAX_AGE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Members that `Resource::member` cannot set, as settings of their own write them, or the signature.
const OWN_MEMBERS: [&str; 15] = [
    "resource",
    "authorization_servers",
    "scopes_supported",
    "bearer_methods_supported",
    "jwks_uri",
    "resource_name",
    "resource_documentation",
    "resource_policy_uri",
    "resource_tos_uri",
    "tls_client_certificate_bound_access_tokens",
    "dpop_signing_alg_values_supported",
    "dpop_bound_access_tokens_required",
    "signed_metadata",
    "iss",
    "iat",
];

/// Whether a resource of this identifier has a document.
pub(in crate::server) fn has_document(identifier: &str) -> bool {
    url::check(identifier, false).is_ok()
}

/// The address of the document: the well-known path between the host and the resource's own path,
/// which loses a slash where it is that alone (RFC 9728 section 3.1).
fn address(identifier: &str) -> String {
    let authority = identifier.find("://").map_or(0, |at| at + 3);
    let end = identifier
        .get(authority..)
        .and_then(|rest| rest.find(['/', '?']))
        .map_or(identifier.len(), |at| authority + at);
    let (origin, rest) = identifier.split_at_checked(end).unwrap_or((identifier, ""));
    let rest = match rest.strip_prefix('/') {
        Some(after) if after.is_empty() || after.starts_with('?') => after,
        _ => rest,
    };
    format!("{origin}{WELL_KNOWN}{rest}")
}

/// The path of the document of this resource, without a slash at the end and without a query: two
/// documents of one server differ in it.
pub(in crate::server) fn path(identifier: &str) -> Box<str> {
    let address = address(identifier);
    let (_, path) = url::split_origin(&address);
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    path.strip_suffix('/').unwrap_or(path).into()
}

/// What the server knows of a resource beside the resource's own settings.
pub(in crate::server) struct ServerFacts<'a> {
    /// The identifiers of its issuers that are URLs, each once.
    pub(in crate::server) issuers: &'a [Arc<str>],
    /// The algorithms of DPoP proofs, where challenges name the scheme.
    pub(in crate::server) dpop_algorithms: Option<AlgorithmSet>,
    /// Whether every token of the resource must be bound to a DPoP key.
    pub(in crate::server) demands_dpop: bool,
    /// Whether every token of the resource must be bound to a client certificate.
    pub(in crate::server) demands_mutual_tls: bool,
    pub(in crate::server) now: UnixTime,
}

/// Members in the order in which they are written.
struct Members(Vec<(String, Value)>);

impl Members {
    fn add(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        let value = value.into();
        let is_empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        if !is_empty {
            self.0.push((name.into(), value));
        }
    }

    fn json(&self) -> Result<String, ConfigError> {
        serde_json::to_string(self).map_err(|error| ConfigError::new("member", error.to_string()))
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The document of a resource; `None` where it has none.
pub(in crate::server) fn document(
    resource: &Resource,
    facts: &ServerFacts<'_>,
) -> Result<Option<MetadataDocument>, ConfigError> {
    if !has_document(&resource.identifier) {
        return Ok(None);
    }
    let settings = &resource.metadata;
    let mut members = members(resource, facts);
    if let Some(pem) = &settings.signing_key {
        let signed = signed(resource, pem, &members, facts.now)?;
        members.add("signed_metadata", signed);
    }
    let json = members.json()?;
    let digest = sha256(json.as_bytes());
    let tag = URL_SAFE_NO_PAD.encode(digest.get(..16).unwrap_or_default());
    let max_age = settings.max_age.unwrap_or(DEFAULT_MAX_AGE).as_secs();
    let value = |text: String| {
        // Digits, letters and punctuation.
        HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
    };
    Ok(Some(MetadataDocument {
        address: address(&resource.identifier).into(),
        path: path(&resource.identifier),
        text: {
            let text = SwapCell::empty();
            text.store(Some(Arc::new(DocumentText {
                json: json.into(),
                etag: value(format!("\"{tag}\"")),
            })));
            text
        },
        cache_control: value(format!("public, max-age={max_age}")),
    }))
}

fn members(resource: &Resource, facts: &ServerFacts<'_>) -> Members {
    let settings = &resource.metadata;
    let mut members = Members(Vec::new());
    members.add("resource", resource.identifier.as_str());
    let named = &settings.authorization_servers;
    if named.is_empty() {
        let issuers = facts.issuers.iter();
        let issuers: Vec<&str> = issuers.map(|issuer| &**issuer).collect();
        members.add("authorization_servers", json!(issuers));
    } else {
        members.add("authorization_servers", json!(named));
    }
    members.add("scopes_supported", json!(resource.scopes));
    // Tokens in queries and forms are not accepted (RFC 9700 section 4.3.2).
    members.add("bearer_methods_supported", json!(["header"]));
    for (language, name) in &settings.names {
        let member = match language {
            Some(language) => format!("resource_name#{language}"),
            None => "resource_name".to_owned(),
        };
        members.add(member, name.as_str());
    }
    for (name, link) in links(settings) {
        members.add(name, link.as_deref().map_or(Value::Null, Value::from));
    }
    let or_absent = |holds: bool| {
        if holds {
            Value::Bool(true)
        } else {
            Value::Null
        }
    };
    members.add(
        "tls_client_certificate_bound_access_tokens",
        or_absent(facts.demands_mutual_tls || settings.accepts_certificate_bound_tokens),
    );
    let algorithms = facts.dpop_algorithms.unwrap_or(AlgorithmSet::EMPTY);
    let algorithms = Algorithm::all().filter(|one| algorithms.contains(*one));
    let algorithms: Vec<&str> = algorithms.map(Algorithm::as_str).collect();
    members.add("dpop_signing_alg_values_supported", json!(algorithms));
    members.add(
        "dpop_bound_access_tokens_required",
        or_absent(facts.demands_dpop),
    );
    for (name, value) in &settings.members {
        if let Ok(value) = value {
            members.add(name.as_str(), value.clone());
        }
    }
    members
}

fn links(settings: &MetadataSettings) -> [(&'static str, &Option<String>); 4] {
    [
        ("jwks_uri", &settings.jwks_uri),
        ("resource_documentation", &settings.documentation),
        ("resource_policy_uri", &settings.policy),
        ("resource_tos_uri", &settings.terms_of_service),
    ]
}

/// RFC 9728 s2.2: the members as claims, and the party that attests to them as `iss`.
fn signed(
    resource: &Resource,
    key: &str,
    members: &Members,
    now: UnixTime,
) -> Result<String, ConfigError> {
    const SETTING: &str = "sign_metadata";
    let key = pem::private(key).map_err(|problem| ConfigError::new(SETTING, problem))?;
    let key = PrivateKey::from_pkcs8(&key).ok_or_else(|| {
        ConfigError::new(
            SETTING,
            "the private key is weak or of no supported type; use RSA of 2048 bits or more, P-256, P-384 or Ed25519",
        )
    })?;
    let mut claims = Members(Vec::new());
    claims.add("iss", resource.identifier.as_str());
    claims.add("iat", now.as_secs());
    claims.0.extend(members.0.iter().cloned());
    let claims = claims.json()?;
    let key_id = resource.metadata.signing_key_id.as_deref();
    sign_jwt(&key, key_id, claims.as_bytes()).ok_or_else(|| {
        ConfigError::unavailable(SETTING, "the system has no randomness for a signature")
    })
}

/// Checks the settings of a resource's document.
pub(in crate::server) fn check_metadata_settings(resource: &Resource) -> Result<(), ConfigError> {
    let settings = &resource.metadata;
    let mut mistakes = Mistakes::default();
    mistakes.collect(check_is_used(resource));
    mistakes.collect(check_names(settings));
    let urls = [
        ("documentation", &settings.documentation),
        ("policy", &settings.policy),
        ("terms_of_service", &settings.terms_of_service),
        ("jwks_uri", &settings.jwks_uri),
    ];
    for (setting, url) in urls {
        if let Some(url) = url {
            mistakes.collect(check_url(setting, url, false));
        }
    }
    for issuer in &settings.authorization_servers {
        mistakes.collect(check_url("authorization_server", issuer, false));
        if issuer.contains('?') {
            mistakes.add(ConfigError::new(
                "authorization_server",
                "an issuer identifier has no query (RFC 8414 section 2); give the `issuer` of the server's own metadata",
            ));
        }
    }
    if settings.max_age.is_some_and(|age| age > MOST_MAX_AGE) {
        mistakes.add(ConfigError::out_of_bounds(
            "metadata_max_age",
            "it is at most 7 days",
        ));
    }
    if settings.signing_key_id.is_some() && settings.signing_key.is_none() {
        mistakes.add(ConfigError::missing(
            "metadata_key_id",
            "nothing is signed; add the key with `sign_metadata(..)`, or leave it out",
        ));
    }
    for (name, value) in &settings.members {
        mistakes.collect(check_member(name, value));
    }
    mistakes.into_result()
}

/// Settings of a document that there is not are a mistake.
fn check_is_used(resource: &Resource) -> Result<(), ConfigError> {
    if has_document(&resource.identifier) {
        return Ok(());
    }
    let settings = &resource.metadata;
    let used = [
        (
            "name",
            settings
                .names
                .iter()
                .any(|(language, _)| language.is_none()),
        ),
        (
            "localized_name",
            settings
                .names
                .iter()
                .any(|(language, _)| language.is_some()),
        ),
        ("documentation", settings.documentation.is_some()),
        ("policy", settings.policy.is_some()),
        ("terms_of_service", settings.terms_of_service.is_some()),
        ("jwks_uri", settings.jwks_uri.is_some()),
        (
            "authorization_server",
            !settings.authorization_servers.is_empty(),
        ),
        (
            "accepts_certificate_bound_tokens",
            settings.accepts_certificate_bound_tokens,
        ),
        ("member", !settings.members.is_empty()),
        ("sign_metadata", settings.signing_key.is_some()),
        ("metadata_max_age", settings.max_age.is_some()),
    ];
    let mut mistakes = Mistakes::default();
    for (setting, _) in used.into_iter().filter(|(_, is_given)| *is_given) {
        mistakes.add(ConfigError::conflict(
            setting,
            "the resource has no metadata document, since its identifier is neither an https url nor an http url on loopback; leave it out, or give the resource its url and the tokens' audience with `audience(..)`",
        ));
    }
    mistakes.into_result()
}

fn check_names(settings: &MetadataSettings) -> Result<(), ConfigError> {
    let mut mistakes = Mistakes::default();
    for (language, name) in &settings.names {
        let setting = if language.is_some() {
            "localized_name"
        } else {
            "name"
        };
        if name.is_empty() {
            mistakes.add(ConfigError::new(
                setting,
                "it is empty; give the name that people read, or leave it out",
            ));
        }
        // RFC 5646 s2.1 in rough form.
        let is_tag = |tag: &str| {
            let mut parts = tag.split('-');
            parts.all(|part| {
                (1..=8).contains(&part.len())
                    && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
            })
        };
        if language.as_deref().is_some_and(|tag| !is_tag(tag)) {
            mistakes.add(ConfigError::new(
                setting,
                "the language is no tag of RFC 5646, such as `de` or `fr-CA`",
            ));
        }
    }
    mistakes.into_result()
}

fn check_member(name: &str, value: &Result<Value, String>) -> Result<(), ConfigError> {
    if name.is_empty() {
        return Err(ConfigError::new("member", "its name is empty"));
    }
    if OWN_MEMBERS.contains(&name) || name.starts_with("resource_name#") {
        return Err(ConfigError::conflict(
            "member",
            format!(
                "this library writes `{name}` itself; use the setting that it has, or leave it out"
            ),
        ));
    }
    match value {
        Ok(_) => Ok(()),
        Err(problem) => Err(ConfigError::new(
            "member",
            format!("the value of `{name}` is no JSON: {problem}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_path_stands_between_host_and_path() {
        for (identifier, suffix) in [
            ("https://h.example", ""),
            ("https://h.example/", ""),
            ("https://h.example/a", "/a"),
            ("https://h.example/a/", "/a/"),
            ("https://h.example/a/b%20c?x=1", "/a/b%20c?x=1"),
            ("https://h.example?x=1", "?x=1"),
            ("https://h.example/?x=/1", "?x=/1"),
        ] {
            let expected = format!("https://h.example{WELL_KNOWN}{suffix}");
            assert_eq!(address(identifier), expected, "{identifier}");
        }
        assert_eq!(
            address("http://[::1]:8080/mcp"),
            format!("http://[::1]:8080{WELL_KNOWN}/mcp")
        );
    }

    #[test]
    fn paths_of_documents_are_compared_without_a_slash_at_the_end_and_without_a_query() {
        for (one, other) in [
            ("https://h.example", "https://other.example/"),
            ("https://h.example/a", "http://localhost:80/a/"),
            ("https://h.example/a?x=1", "https://h.example/a"),
        ] {
            assert_eq!(path(one), path(other), "{one}");
        }
        assert_ne!(path("https://h.example/a"), path("https://h.example/b"));
        assert_ne!(path("https://h.example/a"), path("https://h.example/A"));
    }
}
