//! From an issuer's settings of status lists to the check of its tokens' status.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use crate::model::error::rejection::Rejection;
use crate::model::url::split_origin;
use crate::runtime::cache::validity::{CacheValidity, Liveness};
use crate::runtime::clock::Clock;
use crate::runtime::status_list::held_list::ListLife;
use crate::runtime::status_list::lists::{ListLimits, StatusLists, VerifyList};
use crate::runtime::util::striped::StripedName;
use crate::server::compile::key_source::reach;
use crate::server::decide::decision::Decision;
use crate::server::decide::issuer_authority::{IssuerAuthority, KeySource};
use crate::server::decide::token_status::TokenStatusCheck;
use crate::server::settings::error::{ConfigError, Mistakes, check_once, check_url};
use crate::server::settings::issuer::value::{Issuer, IssuerKind};
use crate::server::settings::status_list_check::StatusListCheck;
use crate::verify::jose::jws::{Compact, Unverified};
use crate::verify::jose::scratch::Scratch;
use crate::verify::policy::issuer_policy::IssuerPolicy;
use crate::verify::status_list::claim::StatusClaimRules;
use crate::verify::status_list::list_token::{ExpectedList, ListFault, ListToken};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The bounds of `max_ttl`.
const TTL: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(7 * 24 * 3600);

/// The bounds of `max_list_bytes`.
const BYTES: RangeInclusive<usize> = 1 << 10..=64 << 20;

/// The bounds of `max_lists`.
const LISTS: RangeInclusive<usize> = 1..=1024;

/// The most prefixes.
const MOST_PREFIXES: usize = 32;

/// The status that means that a token was revoked (section 7.1).
const INVALID: u8 = 1;

/// The check of the tokens that have `name` as their `iss`; `None` where the issuer has no such setting.
pub(in crate::server) fn token_status(
    issuer: &Issuer,
    name: &Arc<str>,
    rules: &Arc<IssuerPolicy>,
    keys: &KeySource,
    clock: &Arc<dyn Clock>,
) -> Result<Option<TokenStatusCheck>, ConfigError> {
    let Some(settings) = &issuer.status_list else {
        return Ok(None);
    };
    let mut mistakes = Mistakes::default();
    mistakes.collect(check_settings(issuer, settings));
    let prefixes = mistakes.collect(prefixes(issuer, settings, name));
    mistakes.into_result()?;
    // The same issuer as the tokens', without lists of its own.
    let authority = Arc::new(IssuerAuthority {
        rules: Arc::clone(rules),
        keys: keys.clone(),
        liveness: Liveness::default(),
        realm_copies: StripedName::default(),
        status: None,
    });
    let limits = ListLimits {
        most_lists: settings.most_lists,
        most_bytes: settings.most_bytes,
        life: ListLife {
            max_ttl: settings.max_ttl,
            last_known: settings.last_known,
            leeway: issuer.leeway,
        },
    };
    let mut accepted = settings.accepted.clone();
    accepted.push(0);
    let lists = StatusLists::new(
        Arc::clone(&rules.realm),
        &reach(issuer)?,
        limits,
        &accepted,
        Arc::clone(clock),
        verifier(authority, Arc::clone(clock), settings.most_bytes),
    );
    let lists = lists.map_err(|problem| ConfigError::new("status_list", problem))?;
    Ok(Some(TokenStatusCheck {
        rules: StatusClaimRules {
            is_required: settings.is_required,
            prefixes: prefixes.unwrap_or_default(),
            plain_http: issuer.plain_http,
        },
        lists,
    }))
}

fn check_settings(issuer: &Issuer, settings: &StatusListCheck) -> Result<(), ConfigError> {
    let mut mistakes = Mistakes::default();
    if matches!(issuer.kind, IssuerKind::Introspected(_)) {
        mistakes.add(ConfigError::conflict(
            "status_list",
            "an issuer that is asked about its tokens says whether they are good; leave it out",
        ));
    }
    mistakes.collect(check_once(&settings.once));
    let bounds = [
        (
            "max_ttl",
            TTL.contains(&settings.max_ttl),
            "it must be 10 s to 7 days",
        ),
        (
            "last_known_for",
            settings.last_known <= DAY,
            "it is at most 24 h",
        ),
        (
            "max_list_bytes",
            BYTES.contains(&settings.most_bytes),
            "it must be 1 KiB to 64 MiB",
        ),
        (
            "max_lists",
            LISTS.contains(&settings.most_lists),
            "it must be 1 to 1,024",
        ),
    ];
    for (setting, is_within, problem) in bounds {
        if !is_within {
            mistakes.add(ConfigError::out_of_bounds(setting, problem));
        }
    }
    if settings.accepted.contains(&INVALID) {
        mistakes.add(ConfigError::new(
            "accept_status",
            "1 is the status of revoked tokens; without `status_list` no status is checked",
        ));
    }
    mistakes.into_result()
}

/// Where lists may be: as configured, or the origin of the issuer.
fn prefixes(
    issuer: &Issuer,
    settings: &StatusListCheck,
    name: &str,
) -> Result<Vec<Box<str>>, ConfigError> {
    if settings.prefixes.is_empty() {
        check_url("uri_prefix", name, issuer.plain_http).map_err(|error| {
            error.and("name the place of the lists with `uri_prefix(..)`, since the issuer's identifier is none")
        })?;
        let (origin, _) = split_origin(name);
        return Ok(vec![origin.into()]);
    }
    if settings.prefixes.len() > MOST_PREFIXES {
        return Err(ConfigError::out_of_bounds(
            "uri_prefix",
            format!("there are at most {MOST_PREFIXES}"),
        ));
    }
    let checked = settings.prefixes.iter().map(|prefix| {
        check_url("uri_prefix", prefix, issuer.plain_http)?;
        if prefix.contains('?') {
            return Err(ConfigError::new(
                "uri_prefix",
                "it has a query; name an origin or a folder",
            ));
        }
        Ok(prefix.as_str().into())
    });
    checked.collect()
}

fn verifier(
    authority: Arc<IssuerAuthority>,
    clock: Arc<dyn Clock>,
    most_bytes: usize,
) -> VerifyList {
    Box::new(move |uri, body| {
        let decision = verify(&authority, &clock, uri, &body, most_bytes);
        Box::pin(async move {
            let refused = |rejection: Rejection| rejection.to_string();
            let decision = decision.map_err(refused)?;
            let (read, key) = decision.finish().await.map_err(refused)?;
            Ok((read.map_err(|fault| fault.to_string())?, key))
        })
    })
}

type ReadList = (Result<ListToken, ListFault>, CacheValidity);

fn verify(
    authority: &Arc<IssuerAuthority>,
    clock: &Arc<dyn Clock>,
    uri: Arc<str>,
    body: &[u8],
    most_bytes: usize,
) -> Result<Decision<ReadList>, Rejection> {
    let Scratch { parts, members } = &mut Scratch::default();
    let compact = Compact::decode_parts(body.trim_ascii(), parts)?;
    let unverified = Unverified::read(&compact, members)?;
    // A list need not name its issuer: it is trusted for the token's.
    let unverified = unverified.or_issued_by(Some(&authority.rules.realm));
    let clock = Arc::clone(clock);
    authority.verify(unverified, move |authority, signed, key| {
        let expected = ExpectedList {
            uri: &uri,
            most_bytes,
            now: clock.now(),
        };
        Ok((ListToken::check(signed, &authority.rules, expected), key))
    })
}
