//! From the settings of a transmitter to the transmitter, or to every mistake in them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;

use crate::model::url;
use crate::runtime::clock::Clock;
use crate::runtime::http::shared_clients::HttpClients;
use crate::runtime::ssf::poll_endpoint::{PollBearer, PollConfig, PollEndpoint};
use crate::runtime::ssf::poll_record::Polling;
use crate::runtime::ssf::seen_tokens::SeenTokens;
use crate::server::compile::issuer::assemble;
use crate::server::compile::key_source::reach;
use crate::server::compile::resource::audiences::ResourceAudiences;
use crate::server::decide::issuer_authority::{IssuerAuthority, KeySource};
use crate::server::decide::ssf_transmitter::Transmitter;
use crate::server::settings::error::{ConfigError, Mistakes, check_once, check_url};
use crate::server::settings::ssf::SsfTransmitter;
use crate::verify::crypto::secret::SecretHash;
use crate::verify::policy::issuer_policy::IssuerPolicy;

/// The most transmitters of a server.
const MOST_TRANSMITTERS: usize = 16;

/// The most secrets of pushes: the old one and the new one.
const MOST_SECRETS: usize = 2;

const EMPTY: &str = "it is empty; give the exact value, or leave it out";

/// What transmitters are compiled with.
pub(in crate::server) struct SsfParts<'p> {
    pub(in crate::server) audiences: &'p ResourceAudiences,
    pub(in crate::server) clock: &'p Arc<dyn Clock>,
    pub(in crate::server) max_token_bytes: usize,
    /// The configured issuers.
    pub(in crate::server) issuers: &'p [&'p Arc<IssuerAuthority>],
    pub(in crate::server) clients: &'p HttpClients,
    /// The transmitters that are replaced, with their settings.
    pub(in crate::server) before: &'p [(&'p SsfTransmitter, &'p Arc<Transmitter>)],
}

/// Compiles every transmitter.
pub(in crate::server) fn transmitters(
    settings: &[SsfTransmitter],
    parts: &SsfParts<'_>,
) -> Result<Vec<Arc<Transmitter>>, ConfigError> {
    let mut mistakes = Mistakes::default();
    if settings.len() > MOST_TRANSMITTERS {
        mistakes.add(ConfigError::out_of_bounds(
            "ssf_transmitter",
            "a server has at most 16 transmitters",
        ));
    }
    let mut all: Vec<Arc<Transmitter>> = Vec::new();
    for one in settings {
        let issuer: Arc<str> = one.issuer.as_str().into();
        if all.iter().any(|other| other.issuer == issuer) {
            let error = ConfigError::repeated(
                "ssf_transmitter",
                "it is configured twice; one transmitter has one set of settings",
            );
            mistakes.add(error.of(&issuer));
            continue;
        }
        let compiled = transmitter(one, &issuer, parts).map_err(|error| error.of(&issuer));
        all.extend(mistakes.collect(compiled));
    }
    mistakes.into_result().map(|()| all)
}

fn transmitter(
    settings: &SsfTransmitter,
    issuer: &Arc<str>,
    parts: &SsfParts<'_>,
) -> Result<Arc<Transmitter>, ConfigError> {
    let mut before = parts.before.iter();
    let before = before.find(|(_, one)| one.issuer == *issuer);
    let mut mistakes = Mistakes::default();
    mistakes.collect(check_once(&settings.once));
    mistakes.collect(check_url("ssf_transmitter", issuer, false));
    mistakes.collect(check_texts(settings));
    let spoken_for = mistakes.collect(spoken_for(settings, issuer, parts));
    if let (Some((old, same)), Some(spoken_for)) = (before, &spoken_for) {
        let is_alike = |(one, other): (&Arc<_>, &Arc<_>)| Arc::ptr_eq(one, other);
        let is_for_the_same = same.spoken_for.len() == spoken_for.len()
            && same.spoken_for.iter().zip(spoken_for).all(is_alike);
        if is_for_the_same && old.is_same(settings) {
            return mistakes.into_result().map(|()| Arc::clone(same));
        }
    }
    let before = before.map(|(_, one)| *one);
    let authority = mistakes.collect(authority(settings, issuer, parts, before));
    let polling = mistakes.collect(polling(settings, parts));
    if !(1..=10_000_000).contains(&settings.remembered_events) {
        mistakes.add(ConfigError::out_of_bounds(
            "remembered_events",
            "it must be 1 to 10000000",
        ));
    }
    mistakes.into_result()?;
    let (Some(spoken_for), Some(authority), Some(polling)) = (spoken_for, authority, polling)
    else {
        // INVARIANT: without one of them there was a mistake.
        return Err(ConfigError::missing("ssf_transmitter", EMPTY));
    };
    let secrets = settings.push_authorizations.iter();
    let most_seen = settings.remembered_events;
    let seen = before.filter(|before| before.seen.most() == most_seen);
    Ok(Arc::new(Transmitter {
        issuer: Arc::clone(issuer),
        authority,
        audiences: settings
            .audiences
            .iter()
            .map(|one| one.as_str().into())
            .collect(),
        spoken_for,
        push_secrets: secrets.map(|one| SecretHash::of(one.as_bytes())).collect(),
        effects: settings.effects.iter().cloned().collect::<HashMap<_, _>>(),
        mapper: settings.mapper.clone(),
        hooks: settings.hooks.clone(),
        seen: seen.map_or_else(
            || Arc::new(SeenTokens::new(most_seen)),
            |before| Arc::clone(&before.seen),
        ),
        counters: before.map_or_else(Arc::default, |before| Arc::clone(&before.counters)),
        polling,
    }))
}

fn check_texts(settings: &SsfTransmitter) -> Result<(), ConfigError> {
    let mut mistakes = Mistakes::default();
    if settings.audiences.is_empty() {
        mistakes.add(ConfigError::missing(
            "audience",
            "no token of the transmitter is for this server; name the `aud` of the stream with `audience(..)`",
        ));
    }
    if settings.audiences.iter().any(String::is_empty) {
        mistakes.add(ConfigError::new("audience", EMPTY));
    }
    if settings.push_authorizations.len() > MOST_SECRETS {
        mistakes.add(ConfigError::out_of_bounds(
            "push_authorization",
            "at most two values are accepted at once: the old one and the new one",
        ));
    }
    let is_value = |text: &String| {
        let is_trimmed = text.trim() == text && !text.is_empty();
        is_trimmed && HeaderValue::from_str(text).is_ok()
    };
    if !settings.push_authorizations.iter().all(is_value) {
        mistakes.add(ConfigError::new(
            "push_authorization",
            "it must be the whole value of a header field, such as `Bearer <secret>`",
        ));
    }
    mistakes.into_result()
}

/// The issuers that the transmitter speaks for: its own, and those of the setting.
fn spoken_for(
    settings: &SsfTransmitter,
    issuer: &Arc<str>,
    parts: &SsfParts<'_>,
) -> Result<Vec<Arc<IssuerPolicy>>, ConfigError> {
    let named = |name: &str| {
        let members = parts.issuers.iter();
        let named = members.filter(|member| member.rules.is_named(name));
        named
            .map(|member| Arc::clone(&member.rules))
            .collect::<Vec<_>>()
    };
    let mut all = named(issuer);
    for other in &settings.speaks_for {
        let policies = named(other);
        if policies.is_empty() {
            return Err(ConfigError::new(
                "speaks_for",
                format!(
                    "no issuer `{}` is configured; name it as its tokens do",
                    url::shown(other)
                ),
            ));
        }
        all.extend(policies);
    }
    let mut distinct: Vec<Arc<IssuerPolicy>> = Vec::new();
    for policy in all {
        if !distinct.iter().any(|other| other.realm == policy.realm) {
            distinct.push(policy);
        }
    }
    if distinct.is_empty() && settings.hooks.is_empty() {
        return Err(ConfigError::missing(
            "speaks_for",
            "no issuer has the transmitter's identifier, so its events end nothing; name those whose tokens it may end with `speaks_for(..)`",
        ));
    }
    Ok(distinct)
}

/// The keys, by the machinery of issuers.
fn authority(
    settings: &SsfTransmitter,
    issuer: &Arc<str>,
    parts: &SsfParts<'_>,
    before: Option<&Arc<Transmitter>>,
) -> Result<Arc<IssuerAuthority>, ConfigError> {
    let mut keys = settings.keys.clone();
    keys.lent.clients = parts.clients.clone();
    if let Some(before) = before {
        match &before.authority.keys {
            KeySource::Remote(sets) => keys.lent.fetched = sets.to_vec(),
            KeySource::Static(_) => {}
        }
    }
    let has_keys = !keys.key_sets.is_empty() || !keys.key_set_urls.is_empty();
    if keys.discovery_url.is_none() && !has_keys {
        keys.discovery_url = Some(configuration_url(issuer));
    }
    let compiled = assemble(&keys, parts.audiences, parts.clock)?;
    let mut members = compiled.members.into_iter();
    members
        .next()
        .map(|(_, authority)| authority)
        .ok_or_else(|| ConfigError::missing("ssf_transmitter", EMPTY))
}

/// SSF 1.0 s7.2: inserted between host and path, without a slash at the end.
fn configuration_url(issuer: &str) -> String {
    let (origin, path) = url::split_origin(issuer.trim_end_matches('/'));
    format!("{origin}/.well-known/ssf-configuration{path}")
}

fn polling(
    settings: &SsfTransmitter,
    parts: &SsfParts<'_>,
) -> Result<Option<Polling>, ConfigError> {
    let poll = &settings.poll;
    let mut mistakes = Mistakes::default();
    if !(1..=1000).contains(&poll.most_events) {
        mistakes.add(ConfigError::out_of_bounds(
            "poll_max_events",
            "it must be 1 to 1000",
        ));
    }
    let spans = Duration::from_millis(100)..=Duration::from_secs(3600);
    if !spans.contains(&poll.interval) {
        mistakes.add(ConfigError::out_of_bounds(
            "poll_interval",
            "it must be 100 ms to 1 hour",
        ));
    }
    if poll.wait > Duration::from_secs(300) || poll.wait.subsec_nanos() > 0 {
        mistakes.add(ConfigError::out_of_bounds(
            "poll_wait",
            "it is at most 5 minutes, in whole seconds",
        ));
    }
    if let PollBearer::Fixed(token) = &poll.bearer {
        if token.is_empty() {
            mistakes.add(ConfigError::new("poll_bearer", EMPTY));
        } else if HeaderValue::from_str(token).is_err() {
            mistakes.add(ConfigError::new(
                "poll_bearer",
                "it fits into no header field; give the token alone, without a line break",
            ));
        }
    }
    let dependent = [
        "poll_bearer",
        "poll_max_events",
        "poll_interval",
        "poll_wait",
    ];
    let Some(url) = &poll.url else {
        for setting in dependent.into_iter().filter(|one| settings.once.has(one)) {
            mistakes.add(ConfigError::missing(
                setting,
                "nothing is polled; name the endpoint with `poll(..)`, or leave it out",
            ));
        }
        return mistakes.into_result().map(|()| None);
    };
    mistakes.collect(check_url("poll", url, false));
    let options = mistakes.collect(reach(&settings.keys));
    mistakes.into_result()?;
    let config = PollConfig {
        url: url.clone(),
        bearer: poll.bearer.clone(),
        most_events: poll.most_events,
        wait: poll.wait,
        interval: poll.interval,
    };
    let endpoint = PollEndpoint::new(config, parts.max_token_bytes, &options.unwrap_or_default());
    let endpoint = endpoint.map_err(|problem| ConfigError::new("poll", problem))?;
    Ok(Some(Polling::new(endpoint)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_document_is_between_host_and_path() {
        for (issuer, expected) in [
            (
                "https://tr.example.com",
                "https://tr.example.com/.well-known/ssf-configuration",
            ),
            (
                "https://tr.example.com/",
                "https://tr.example.com/.well-known/ssf-configuration",
            ),
            (
                "https://tr.example.com/issuer1",
                "https://tr.example.com/.well-known/ssf-configuration/issuer1",
            ),
            (
                "https://tr.example.com/issuer1/",
                "https://tr.example.com/.well-known/ssf-configuration/issuer1",
            ),
        ] {
            assert_eq!(configuration_url(issuer), expected);
        }
    }
}
