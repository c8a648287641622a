//! From the settings of an introspected issuer to its endpoint, or to every mistake in them.

use std::sync::Arc;
use std::time::Duration;

use crate::runtime::clock::Clock;
use crate::runtime::introspection::client_auth::{ClientAuthentication, Credentials};
use crate::runtime::introspection::dialect::TokenInformation;
use crate::runtime::introspection::endpoint::Endpoint;
use crate::runtime::introspection::endpoint::{EndpointConfig, EndpointUrl};
use crate::runtime::lookup::engine::{LookupLimits, RemoteLookup};
use crate::runtime::util::log_rate_limit::LogRateLimit;
use crate::server::compile::issuer::Members;
use crate::server::compile::issuer_ids::discovery_urls;
use crate::server::compile::key_source::reach;
use crate::server::decide::introspected::{
    IntrospectedIssuer, IntrospectionHandler, MOST_BYTES_IN_QUERY, RememberedResponses,
};
use crate::server::decide::issuer_authority::IssuerAuthority;
use crate::server::settings::error::{ConfigError, Mistakes, check_url};
use crate::server::settings::introspection_settings::{
    IntrospectedJwts, IntrospectionSettings, IntrospectionTarget,
};
use crate::server::settings::issuer::value::{Issuer, IssuerKind};

/// The introspected issuer, which is alone where `has_other` is false. `None` for another kind, which must
/// have none of its settings.
pub(in crate::server) fn introspected(
    issuer: &Issuer,
    members: &Members,
    has_other: bool,
    clock: &Arc<dyn Clock>,
    max_token_bytes: usize,
) -> Result<Option<IntrospectedIssuer>, ConfigError> {
    let IssuerKind::Introspected(target) = &issuer.kind else {
        let mut mistakes = Mistakes::default();
        for setting in &issuer.introspection.set {
            mistakes.add(ConfigError::conflict(
                setting,
                "only an issuer that is asked about its tokens has it; see `introspected(..)`",
            ));
        }
        return mistakes.into_result().map(|()| None);
    };
    // Its other names lead to the same rules and keys.
    let Some((_, authority)) = members.first() else {
        return Ok(None);
    };
    if has_other {
        return Err(ConfigError::conflict(
            "introspected",
            "an opaque token does not say whose it is, so that one issuer alone can be asked",
        ));
    }
    introspected_issuer(issuer, target, authority, clock, max_token_bytes).map(Some)
}

/// The introspected issuer, with its endpoint and limits.
fn introspected_issuer(
    issuer: &Issuer,
    target: &IntrospectionTarget,
    authority: &Arc<IssuerAuthority>,
    clock: &Arc<dyn Clock>,
    max_token_bytes: usize,
) -> Result<IntrospectedIssuer, ConfigError> {
    let settings = &issuer.introspection;
    let realm = &authority.rules.realm;
    let mut mistakes = Mistakes::default();
    mistakes.collect(check(issuer, settings));
    let dialect = mistakes.collect(dialect(target, settings));
    let credentials = dialect
        .as_ref()
        .and_then(|dialect| mistakes.collect(credentials(target, settings, dialect, realm)));
    let signed_for = settings.signed.then(|| signed_for(settings)).transpose();
    let signed_for = mistakes.collect(signed_for);
    let place = mistakes.collect(endpoint_url(issuer, target));
    mistakes.into_result()?;
    let (Some(dialect), Some(credentials), Some(signed_for), Some(place)) =
        (dialect, credentials, signed_for, place)
    else {
        // INVARIANT: each absent value has added a mistake.
        return Err(ConfigError::new("introspected", "it cannot be used"));
    };
    #[cfg(feature = "redis")]
    let cache_scope = cache_scope(&place, &dialect, settings, signed_for.as_deref());
    let config = EndpointConfig {
        issuer: Arc::clone(realm),
        place,
        dialect: dialect.clone(),
        credentials,
        signed: signed_for.is_some(),
        http_options: reach(issuer)?,
    };
    let endpoint =
        Endpoint::new(config).map_err(|problem| ConfigError::new("introspected", problem))?;
    let memory = RememberedResponses::new(settings.life).ok_or_else(|| {
        ConfigError::unavailable("introspected", "the system gives no randomness")
    })?;
    let handler = IntrospectionHandler {
        authority: Arc::clone(authority),
        response_format: dialect.response_format(),
        signed_for: signed_for.map(Into::into),
        signed_age: settings.signed_age,
        memory,
        unsupported: LogRateLimit::default(),
    };
    let limits = LookupLimits {
        calls: settings.calls,
        wait_limit: settings.wait_limit,
    };
    Ok(IntrospectedIssuer {
        introspector: RemoteLookup::new(handler, endpoint, limits, clock),
        takes_jwts: settings.jwts != IntrospectedJwts::Never,
        only_jwts: settings.jwts == IntrospectedJwts::Only,
        is_alone: false,
        most_bytes: if dialect.in_query {
            max_token_bytes.min(MOST_BYTES_IN_QUERY)
        } else {
            max_token_bytes
        },
        #[cfg(feature = "redis")]
        cache_scope,
    })
}

/// The part of the cache key that stands for the endpoint and its dialect. Instances that differ
/// in it share no response.
#[cfg(feature = "redis")]
fn cache_scope(
    place: &EndpointUrl,
    dialect: &TokenInformation,
    settings: &IntrospectionSettings,
    signed_for: Option<&[Box<str>]>,
) -> Vec<String> {
    let ours = settings.authentication.as_ref();
    let client = ours.and_then(ClientAuthentication::client_id);
    vec![
        format!("{place:?}"),
        format!("{dialect:?}"),
        format!("{ours:?} {client:?}"),
        format!("{signed_for:?}"),
    ]
}

fn check(issuer: &Issuer, settings: &IntrospectionSettings) -> Result<(), ConfigError> {
    let mut mistakes = Mistakes::default();
    if !issuer.required_headers.is_empty() {
        mistakes.add(ConfigError::conflict(
            "require_header",
            "an answer about a token has no header; see `require_claim(..)`",
        ));
    }
    if !issuer.types.is_empty() {
        mistakes.add(ConfigError::conflict(
            "accept_type",
            "an answer about a token has no `typ`; leave it out",
        ));
    }
    let second = Duration::from_secs(1);
    let life = settings.life.unwrap_or(second);
    if !(second..=second * 300).contains(&life) {
        mistakes.add(ConfigError::out_of_bounds(
            "introspection_cache_life",
            "it must be 1 s to 5 min; `without_introspection_cache()` switches it off",
        ));
    }
    if !(second..=second * 3600).contains(&settings.signed_age) {
        mistakes.add(ConfigError::out_of_bounds(
            "signed_answer_age",
            "it must be 1 s to 1 h",
        ));
    }
    if !(1..=1024).contains(&settings.calls) {
        mistakes.add(ConfigError::out_of_bounds(
            "concurrent_introspections",
            "it must be 1 to 1024",
        ));
    }
    if !(Duration::from_millis(10)..=second * 30).contains(&settings.wait_limit) {
        mistakes.add(ConfigError::out_of_bounds(
            "introspection_timeout",
            "it must be 10 ms to 30 s",
        ));
    }
    mistakes.into_result()
}

fn dialect(
    target: &IntrospectionTarget,
    settings: &IntrospectionSettings,
) -> Result<TokenInformation, ConfigError> {
    let mut dialect = match (target, &settings.dialect) {
        (IntrospectionTarget::Service(_), Some(dialect)) => dialect.clone(),
        (IntrospectionTarget::Service(_), None) => {
            return Err(ConfigError::missing(
                "token_dialect",
                "say how the token information service is asked with `token_dialect(..)`",
            ));
        }
        (_, None) => TokenInformation::introspection(),
        (_, Some(_)) => {
            return Err(ConfigError::conflict(
                "token_dialect",
                "introspection has a dialect of its own; see `token_information(..)`",
            ));
        }
    };
    dialect.bad_token.extend(&settings.bad_token);
    if dialect.field.is_empty() {
        return Err(ConfigError::new(
            "token_dialect",
            "the field for the token has no name",
        ));
    }
    let is_about_us =
        |status: &u16| !(400..=499).contains(status) || [401, 403, 429].contains(status);
    if dialect.bad_token.iter().any(is_about_us) {
        return Err(ConfigError::out_of_bounds(
            "bad_token_status",
            "it must be 400 to 499, and neither 401, 403 nor 429, which are about us",
        ));
    }
    Ok(dialect)
}

fn credentials(
    target: &IntrospectionTarget,
    settings: &IntrospectionSettings,
    dialect: &TokenInformation,
    realm: &str,
) -> Result<Option<Credentials>, ConfigError> {
    let Some(ours) = &settings.authentication else {
        // RFC 7662 section 2.1: the endpoint must demand it, against scanning for tokens.
        return match target {
            IntrospectionTarget::Service(_) => Ok(None),
            IntrospectionTarget::Endpoint(_) | IntrospectionTarget::Issuer(_) => {
                Err(ConfigError::missing(
                    "client_authentication",
                    "an introspection endpoint demands credentials; give ours, such as `ClientAuthentication::basic(..)`",
                ))
            }
        };
    };
    let ready = ours
        .prepare(realm)
        .map_err(|problem| ConfigError::new("client_authentication", problem))?;
    if dialect.in_query && ready.need_a_form() {
        return Err(ConfigError::conflict(
            "client_authentication",
            "a question without a form carries no such credentials; use `basic` or `bearer`",
        ));
    }
    Ok(Some(ready))
}

fn endpoint_url(issuer: &Issuer, target: &IntrospectionTarget) -> Result<EndpointUrl, ConfigError> {
    let nothing_to_discover = !matches!(target, IntrospectionTarget::Issuer(_))
        && !issuer.introspection.signed
        && !issuer.discovers_userinfo();
    if nothing_to_discover && issuer.discovery_url.is_some() {
        return Err(ConfigError::conflict(
            "discovery_url",
            "the endpoint is given, and nothing else is looked for; see `introspection_discovered(..)`",
        ));
    }
    match (target, &issuer.discovery_url) {
        (IntrospectionTarget::Endpoint(url), _) => {
            check_url("introspected", url, issuer.plain_http)?;
            Ok(EndpointUrl::Fixed(url.clone()))
        }
        (IntrospectionTarget::Service(url), _) => {
            check_url("token_information", url, issuer.plain_http)?;
            Ok(EndpointUrl::Fixed(url.clone()))
        }
        (IntrospectionTarget::Issuer(_), Some(url)) => {
            check_url("discovery_url", url, issuer.plain_http)?;
            Ok(EndpointUrl::Discovered(vec![url.clone()]))
        }
        (IntrospectionTarget::Issuer(name), None) => {
            check_url("introspection_discovered", name, issuer.plain_http)?;
            Ok(EndpointUrl::Discovered(discovery_urls(name)))
        }
    }
}

/// RFC 9701 s5: the audience is this resource server, which is the client of the introspection request.
fn signed_for(settings: &IntrospectionSettings) -> Result<Vec<Box<str>>, ConfigError> {
    if !settings.signed_for.is_empty() {
        if settings.signed_for.iter().any(String::is_empty) {
            return Err(ConfigError::new(
                "signed_answers_for",
                "the audience is empty",
            ));
        }
        return Ok(settings
            .signed_for
            .iter()
            .map(|one| one.as_str().into())
            .collect());
    }
    let ours = settings.authentication.as_ref();
    match ours.and_then(ClientAuthentication::client_id) {
        Some(id) => Ok(vec![id.into()]),
        None => Err(ConfigError::missing(
            "signed_answers",
            "our credentials have no client id; name whom answers are for with `signed_answers_for(..)`",
        )),
    }
}
