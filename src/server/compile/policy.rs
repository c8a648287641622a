//! From an issuer's settings to its policy, or to every mistake in them.

use std::sync::Arc;
use std::time::Duration;

use crate::model::algorithm::{Algorithm, AlgorithmSet};
use crate::model::claim_path::ClaimPath;
use crate::model::requirement::resource_set::ResourceSet;
use crate::server::compile::resource::audiences::{ResourceAudiences, audience_rule};
use crate::server::settings::error::{ConfigError, Mistakes};
use crate::server::settings::issuer::value::{Issuer, IssuerKind};
use crate::verify::claims::token_type::{bare_type, is_other_kind};
use crate::verify::policy::issuer_policy::{
    AudienceRule, Audiences, IssuerPolicy, Profile, RequiredClaim,
};
use crate::verify::policy::tenant_claims::TenantClaims;

const EMPTY: &str = "it is empty; give the exact value, or leave it out";

/// The rules of an issuer, which is called `realm` and whose tokens have one of `names` as `iss`.
pub(in crate::server) fn rules(
    issuer: &Issuer,
    realm: &Arc<str>,
    names: &[Arc<str>],
    resources: &ResourceAudiences,
) -> Result<IssuerPolicy, ConfigError> {
    let profile = match issuer.kind {
        IssuerKind::Cognito { .. } => Profile::Cognito,
        IssuerKind::Rfc9068 { .. } => Profile::Rfc9068,
        IssuerKind::Oidc { .. } | IssuerKind::OidcTenants(_) => Profile::Oidc,
        IssuerKind::Spiffe { .. } => Profile::Spiffe,
        #[cfg(feature = "jwks")]
        IssuerKind::Introspected(_) => Profile::Introspected,
    };
    let client_id_claims = match (&issuer.client_id_claim, profile) {
        (Some(path), _) => vec![path.clone()],
        // A workload acts for itself.
        (None, Profile::Spiffe) => vec![ClaimPath::from("sub")],
        (None, Profile::Oidc | Profile::Introspected) => {
            vec![ClaimPath::from("client_id"), ClaimPath::from("azp")]
        }
        (None, _) => vec![ClaimPath::from("client_id")],
    };
    let mut mistakes = Mistakes::default();
    mistakes.collect(check_whom(issuer, profile));
    mistakes.collect(check_vocabulary(issuer, profile));
    mistakes.collect(check_spans(issuer));
    mistakes.collect(check_paths(issuer, &client_id_claims));
    for problem in issuer.tenant.iter().flat_map(TenantClaims::mistakes) {
        mistakes.add(ConfigError::new("tenant_claims", problem));
    }
    let names_clients = |tenant: &TenantClaims| tenant.named_clients().next().is_some();
    if matches!(&issuer.kind, IssuerKind::OidcTenants(family) if family.tenants.len() > 1)
        && issuer.tenant.as_ref().is_some_and(names_clients)
    {
        // A client id does not identify the tenant that issued the token.
        mistakes.add(ConfigError::conflict(
            "tenant_claims",
            "`client_tenant(..)` and `portal_client(..)` would hold for every tenant of `oidc_tenants(..)`; configure those tenants as issuers of their own",
        ));
    }
    let algorithms = mistakes.collect(algorithms(issuer, profile));
    let audiences = mistakes.collect(resources.for_issuer(issuer));
    let scope_closure = mistakes.collect(issuer.scope_closure.clone());
    mistakes.into_result()?;
    Ok(IssuerPolicy {
        realm: Arc::clone(realm),
        names: names.to_vec(),
        profile,
        // INVARIANT: without algorithms there was a mistake.
        algorithms: algorithms.unwrap_or_else(|| AlgorithmSet::of([])),
        // INVARIANT: without audiences there was a mistake; none accepts nothing.
        audiences: audiences.unwrap_or(Audiences {
            accepted: Vec::new(),
            default: ResourceSet::default(),
            rule: AudienceRule::Required,
        }),
        audience_claim: issuer.audience_claim.clone(),
        client_ids: client_ids(issuer),
        extra_types: issuer
            .types
            .iter()
            .map(|name| bare_type(name).into())
            .collect(),
        required_claims: issuer
            .required_claims
            .iter()
            .map(|(path, value)| RequiredClaim {
                path: path.clone(),
                value: value.clone(),
                setting: "require_claim",
            })
            .collect(),
        required_headers: issuer
            .required_headers
            .iter()
            .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
            .collect(),
        scope_claim: issuer.scope_claim.clone(),
        scope_hierarchy: scope_closure.flatten(),
        roles_claim: issuer.roles_claim.clone(),
        groups_claim: issuer.groups_claim.clone(),
        token_uses: boxed(&issuer.token_uses),
        bears_id_token_marks: issuer.bears_id_token_marks,
        name_forms: issuer.name_forms.clone(),
        acr_claim: issuer.acr_claim.clone(),
        actor_claim: issuer.actor_claim.clone(),
        max_actors: issuer.max_actors,
        subject_claim: issuer.subject_claim.clone(),
        #[cfg(feature = "jwks")]
        clients_without_subject: issuer.introspection.clients_without_subject,
        #[cfg(not(feature = "jwks"))]
        clients_without_subject: false,
        client_id_claims,
        leeway: issuer.leeway,
        logout_clients: boxed(&issuer.logout_clients),
        logout_life_without_exp: issuer.logout_life_without_exp,
        session_claim: issuer.session_claim.clone(),
        longest_token_life: issuer.longest_token_life,
        tenant: issuer
            .tenant
            .as_ref()
            .map(|tenant| tenant.clone().with_subject(&issuer.subject_claim)),
        required_bindings: issuer.required_bindings,
    })
}

fn algorithms(issuer: &Issuer, profile: Profile) -> Result<AlgorithmSet, ConfigError> {
    let algorithms = match (&issuer.algorithms, profile) {
        (Some(named), _) => AlgorithmSet::of(named.iter().copied()),
        (None, Profile::Cognito) => AlgorithmSet::of([Algorithm::RS256]),
        (None, _) => AlgorithmSet::of(Algorithm::DEFAULTS.iter().copied()),
    };
    if algorithms.is_empty() {
        return Err(ConfigError::missing(
            "algorithms",
            "the list is empty; name at least one, or leave the default",
        ));
    }
    Ok(algorithms)
}

/// Audiences, clients, types and required values.
fn check_whom(issuer: &Issuer, profile: Profile) -> Result<(), ConfigError> {
    let mut mistakes = Mistakes::default();
    if profile == Profile::Cognito && client_ids(issuer).is_empty() && !issuer.any_audience {
        mistakes.add(ConfigError::missing(
            "client_id",
            "no app client is allowed; name each with `client_id(..)`, since Cognito's tokens seldom have an audience",
        ));
    }
    if issuer.any_audience && !issuer.audiences.is_empty() {
        mistakes.add(ConfigError::conflict(
            "audience",
            "it contradicts `accept_any_audience()`; keep one of them",
        ));
    }
    if issuer.any_audience && profile == Profile::Spiffe {
        mistakes.add(ConfigError::conflict(
            "accept_any_audience",
            "a JWT-SVID is refused without an audience of ours (section 3.2); leave it out",
        ));
    }
    mistakes.collect(check_texts("client_id", &issuer.client_ids));
    mistakes.collect(check_texts("audience", &issuer.audiences));
    mistakes.collect(check_texts("logout_client", &issuer.logout_clients));
    let empty = |text: &String| text.is_empty();
    if issuer.types.iter().any(|name| bare_type(name).is_empty()) {
        mistakes.add(ConfigError::new("accept_type", EMPTY));
    }
    let mut demanded = issuer.required_claims.iter();
    if demanded.any(|(_, value)| value.text() == Some("")) {
        mistakes.add(ConfigError::new("require_claim", EMPTY));
    }
    let mut headers = issuer.required_headers.iter();
    if headers.any(|(name, value)| empty(name) || empty(value)) {
        mistakes.add(ConfigError::new("require_header", EMPTY));
    }
    mistakes.into_result()
}

/// What the issuer's own words and forms are.
fn check_vocabulary(issuer: &Issuer, profile: Profile) -> Result<(), ConfigError> {
    let mut mistakes = Mistakes::default();
    mistakes.collect(check_texts("accept_token_use", &issuer.token_uses));
    if profile == Profile::Cognito && !issuer.token_uses.is_empty() {
        mistakes.add(ConfigError::conflict(
            "accept_token_use",
            "Cognito's access tokens say `access`, and nothing else tells them from its ID tokens",
        ));
    }
    if issuer.token_uses.iter().any(|word| is_other_kind(word)) {
        mistakes.add(ConfigError::new(
            "accept_token_use",
            "it names an ID, refresh or logout token; name what access tokens say",
        ));
    }
    if issuer.name_forms.named_by.as_deref() == Some("") {
        mistakes.add(ConfigError::new("roles_and_groups_named_by", EMPTY));
    }
    if !issuer.bears_id_token_marks {
        return mistakes.into_result();
    }
    if profile == Profile::Cognito {
        mistakes.add(ConfigError::conflict(
            "accept_id_token_marks",
            "Cognito tells its tokens apart by `token_use`; leave it out",
        ));
    }
    if audience_rule(issuer) != AudienceRule::Required {
        mistakes.add(ConfigError::conflict(
            "accept_id_token_marks",
            "an ID token for any client would do; demand an audience of the API's own with `audience(..)`",
        ));
    }
    mistakes.into_result()
}

fn check_spans(issuer: &Issuer) -> Result<(), ConfigError> {
    const DAY: u64 = 24 * 3600;
    let mut mistakes = Mistakes::default();
    if issuer.leeway > Duration::from_secs(300) {
        mistakes.add(ConfigError::out_of_bounds(
            "leeway",
            "it is at most 5 minutes; clocks that are further off need a time server",
        ));
    }
    mistakes.collect(check_span(
        "longest_token_life",
        issuer.longest_token_life,
        60,
        90 * DAY,
    ));
    mistakes.collect(check_span(
        "refresh_interval",
        issuer.refresh_interval,
        60,
        DAY,
    ));
    if !(1..=1000).contains(&issuer.most_keys) {
        mistakes.add(ConfigError::out_of_bounds(
            "most_keys",
            "it must be 1 to 1000",
        ));
    }
    if !(1..=16).contains(&issuer.max_actors) {
        mistakes.add(ConfigError::out_of_bounds(
            "max_actors",
            "it must be 1 to 16",
        ));
    }
    if !(16 << 10..=4 << 20).contains(&issuer.key_set_bytes) {
        mistakes.add(ConfigError::out_of_bounds(
            "key_set_bytes",
            "it must be 16 KiB to 4 MiB",
        ));
    }
    mistakes.collect(check_span(
        "unknown_key_cooldown",
        issuer.unknown_key_cooldown,
        1,
        3600,
    ));
    // With jitter the next set comes after 11/10 of the interval; a healthy issuer is never stale.
    let least = issuer.refresh_interval.as_secs().saturating_mul(5) / 4;
    let staleness = check_span("max_staleness", issuer.max_staleness, least, 30 * DAY);
    mistakes.collect(staleness);
    mistakes.into_result()
}

fn check_paths(issuer: &Issuer, client_id_claims: &[ClaimPath]) -> Result<(), ConfigError> {
    let mut mistakes = Mistakes::default();
    let paths = [
        ("audience_claim", &issuer.audience_claim),
        ("scope_claim", &issuer.scope_claim),
        ("roles_claim", &issuer.roles_claim),
        ("groups_claim", &issuer.groups_claim),
        ("acr_claim", &issuer.acr_claim),
        ("actor_claim", &issuer.actor_claim),
        ("subject_claim", &issuer.subject_claim),
    ];
    let required = issuer
        .required_claims
        .iter()
        .map(|(path, _)| ("require_claim", path));
    let clients = client_id_claims
        .iter()
        .map(|path| ("client_id_claim", path));
    let session = issuer.session_claim.iter();
    let session = session.map(|path| ("session_claim", path));
    let all = paths
        .into_iter()
        .chain(required)
        .chain(clients)
        .chain(session);
    for (setting, _) in all.filter(|(_, path)| path.is_blank()) {
        mistakes.add(ConfigError::new(
            setting,
            "the claim has no name; give the member's name, or the list of names that leads to it",
        ));
    }
    mistakes.into_result()
}

/// The clients whose tokens are accepted. Naming a client in tenant rules accepts it.
fn client_ids(issuer: &Issuer) -> Vec<Box<str>> {
    let mut allowed = boxed(&issuer.client_ids);
    let lists = !allowed.is_empty()
        || (matches!(issuer.kind, IssuerKind::Cognito { .. }) && !issuer.any_audience);
    if let (true, Some(tenant)) = (lists, &issuer.tenant) {
        allowed.extend(tenant.named_clients().map(Into::into));
    }
    allowed
}

fn boxed(texts: &[String]) -> Vec<Box<str>> {
    texts.iter().map(|text| text.as_str().into()).collect()
}

fn check_texts(setting: &'static str, texts: &[String]) -> Result<(), ConfigError> {
    if texts.iter().any(String::is_empty) {
        return Err(ConfigError::new(setting, EMPTY));
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
        Err(ConfigError::out_of_bounds(
            setting,
            format!("it must be {least} s to {most} s"),
        ))
    }
}
