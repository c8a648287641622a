//! From the settings of the resources to what the server knows of them, or to every mistake in them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::requirement::binding::RequiredBindings;
use crate::model::requirement::resource_set::ResourceSet;
use crate::model::time::UnixTime;
use crate::model::url;
use crate::server::compile::resource::audiences::ResourceAudiences;
use crate::server::compile::resource::metadata::{
    ServerFacts, check_metadata_settings, document, has_document, path,
};
use crate::server::decide::protected_resource::{ProtectedResource, ProtectedResources};
use crate::server::decide::sender::DpopRules;
use crate::server::settings::error::{ConfigError, Mistakes, check_once, is_quotable};
use crate::server::settings::resource::value::Resource;

/// Checks the settings of all resources.
pub(in crate::server) fn check_resources(resources: &[Resource]) -> Result<(), ConfigError> {
    let mut mistakes = Mistakes::default();
    if resources.len() > ResourceSet::MOST {
        mistakes.add(ConfigError::out_of_bounds(
            "resource",
            "a server has at most 64 resources; build another server for the rest",
        ));
    }
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut paths: HashMap<Box<str>, &str> = HashMap::new();
    for (place, resource) in resources.iter().enumerate() {
        let identifier = resource.identifier.as_str();
        let setting = if place == 0 { "builder" } else { "resource" };
        let name = |error: ConfigError| match place {
            _ if resources.len() == 1 => error,
            _ => error.of_resource(identifier),
        };
        mistakes.collect(check_identifier(setting, identifier));
        mistakes.collect(check_own(resource).map_err(name));
        if places.insert(identifier, place).is_some() {
            mistakes.add(ConfigError::repeated(
                "resource",
                format!("`{identifier}` is a resource already; configure each once"),
            ));
            continue;
        }
        if !has_document(identifier) {
            continue;
        }
        let path = path(identifier);
        if let Some(other) = paths.get(&path) {
            mistakes.add(ConfigError::conflict(
                "resource",
                format!(
                    "`{identifier}` and `{other}` have the same path, so their metadata would have one path, `{path}`; give each resource a path of its own"
                ),
            ));
        }
        paths.insert(path, identifier);
    }
    mistakes.collect(ResourceAudiences::of(resources).check());
    mistakes.into_result()
}

/// The identifier is the default audience and realm, so it stands in challenges.
fn check_identifier(setting: &'static str, identifier: &str) -> Result<(), ConfigError> {
    if identifier.is_empty() {
        return Err(ConfigError::missing(
            setting,
            "the resource is empty; give the identifier that your tokens have as audience",
        ));
    }
    if !is_quotable(identifier) {
        return Err(ConfigError::new(
            setting,
            "the resource must be printable ascii without quotes and backslashes",
        ));
    }
    let scheme = identifier.split_once("://").map(|(scheme, _)| scheme);
    let is_url = scheme.is_some_and(|scheme| {
        scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http")
    });
    if !is_url {
        return Ok(());
    }
    url::check(identifier, true).map_err(|problem| {
        ConfigError::new(
            setting,
            format!(
                "the resource `{}` {problem}; give the url that clients use",
                url::shown(identifier)
            ),
        )
    })
}

/// Checks the settings of one resource.
fn check_own(resource: &Resource) -> Result<(), ConfigError> {
    let mut mistakes = Mistakes::default();
    mistakes.collect(check_once(&resource.once));
    if resource.audiences.iter().any(String::is_empty) {
        mistakes.add(ConfigError::new(
            "audience",
            "it is empty; give the exact value, or leave it out",
        ));
    }
    if resource.scopes.contains(&"offline_access") {
        mistakes.add(ConfigError::conflict(
            "scopes",
            "`offline_access` asks the authorization server for a refresh token and allows nothing here; leave it out",
        ));
    }
    mistakes.collect(check_metadata_settings(resource));
    mistakes.into_result()
}

/// What the documents state of the server.
pub(in crate::server) struct ServerParts<'a> {
    /// The identifiers of its issuers that are URLs, each once.
    pub(in crate::server) authorization_servers: &'a [Arc<str>],
    /// What server and issuer demand together, for each issuer.
    pub(in crate::server) demands: &'a [RequiredBindings],
    pub(in crate::server) dpop: Option<&'a DpopRules>,
    /// The configured address of the first resource's metadata.
    pub(in crate::server) metadata_elsewhere: Option<&'a str>,
    pub(in crate::server) now: UnixTime,
}

/// Makes the resources of a server. Their settings have been checked.
pub(in crate::server) fn compile(
    resources: &[Resource],
    parts: &ServerParts<'_>,
) -> Result<ProtectedResources, ConfigError> {
    let mut mistakes = Mistakes::default();
    let mut compiled = Vec::new();
    for (place, resource) in resources.iter().enumerate() {
        let elsewhere = parts.metadata_elsewhere.filter(|_| place == 0);
        let document = mistakes.collect(document(resource, &facts(resource, parts)));
        compiled.push(ProtectedResource {
            identifier: resource.identifier.as_str().into(),
            scopes: resource.scopes.clone(),
            required_bindings: resource.required_bindings,
            metadata_elsewhere: elsewhere.map(Into::into),
            document: document.flatten(),
        });
    }
    mistakes.into_result()?;
    let mut compiled = compiled.into_iter();
    // INVARIANT: the builder was given a first resource.
    let first = compiled
        .next()
        .ok_or_else(|| ConfigError::missing("builder", "the server has no resource"))?;
    Ok(ProtectedResources::new(first, compiled.collect()))
}

fn facts<'a>(resource: &Resource, parts: &ServerParts<'a>) -> ServerFacts<'a> {
    let every = |demand: fn(RequiredBindings) -> bool| {
        demand(resource.required_bindings) || parts.demands.iter().copied().all(demand)
    };
    let demands_dpop = every(RequiredBindings::demands_dpop);
    let dpop = parts
        .dpop
        .filter(|rules| rules.is_advertised || demands_dpop);
    ServerFacts {
        issuers: parts.authorization_servers,
        dpop_algorithms: dpop.map(|rules| rules.proofs.algorithms),
        demands_dpop,
        demands_mutual_tls: every(RequiredBindings::demands_mutual_tls),
        now: parts.now,
    }
}
