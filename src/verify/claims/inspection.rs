//! The claims checks one by one, for an explanation: each of them runs, also after one that failed.
//!
//! 1. It makes no token. What decides is [`AccessToken::check`], and the token that it gives.
//! 2. It reads a token whether its signature verifies or not; the caller says which.
//! 3. It quotes the claims that a check is about, and no others. The caller cuts and escapes them.

use crate::model::decision::explained_check::Check;
use crate::model::error::rejection::TokenFault;
use crate::model::error::rejection_detail::Problem;
use crate::model::error::token_error::TokenError;
use crate::model::requirement::binding::RequiredBindings;
use crate::model::shared_str::SharedStr;
use crate::verify::claims::access_token::audience::check_audience;
use crate::verify::claims::access_token::client::{check_client, client_id};
use crate::verify::claims::access_token::confirmation::Confirmation;
use crate::verify::claims::access_token::permissions::{append_scope, scope};
use crate::verify::claims::access_token::required_values::{
    check_required_claims, check_required_headers,
};
use crate::verify::claims::access_token::revocation_ids::RevocationIds;
use crate::verify::claims::actor::Actor;
use crate::verify::claims::spiffe_id::check_svid;
use crate::verify::claims::token_type::{
    check_cognito, check_not_for_the_client, check_rfc9068, check_type,
};
use crate::verify::claims::verified_token::check::subject;
use crate::verify::jose::jws::Unverified;
use crate::verify::jose::signature::Signed;
use crate::verify::json::claim_error::{ClaimName as _, listed};
use crate::verify::json::claims_reader::{Rounding, date, id, value_at};
use crate::verify::json::object::{Object, Value};
use crate::verify::policy::issuer_policy::{AudienceRule, IssuerPolicy, Profile};

/// The result of one check of claims.
pub(crate) struct InspectedClaims {
    pub(crate) check: Check,
    pub(crate) outcome: Result<(), TokenError>,
    /// The claim that it is about; its configured path.
    pub(crate) claim: Option<String>,
    /// What the token says, as it stands there.
    pub(crate) found: Option<String>,
    /// What the configuration demands.
    pub(crate) expected: Option<String>,
    /// The setting that would change the outcome.
    pub(crate) setting: Option<&'static str>,
}

impl InspectedClaims {
    fn new(check: Check, outcome: Result<(), TokenError>) -> Self {
        Self {
            check,
            outcome,
            claim: None,
            found: None,
            expected: None,
            setting: None,
        }
    }

    fn about(mut self, claim: impl Into<String>, found: Option<Value<'_>>) -> Self {
        self.claim = Some(claim.into());
        self.found = found.map(shown);
        self
    }

    fn expecting(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into()).filter(|text| !text.is_empty());
        self
    }

    fn by_setting(mut self, setting: &'static str) -> Self {
        self.setting = Some(setting);
        self
    }
}

/// A value as an operator reads it.
pub(crate) fn shown(value: Value<'_>) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::String(quoted) => quoted.text().into_owned(),
        Value::Number(text) | Value::Array(text) | Value::Object(text) => text.to_owned(),
    }
}

impl Unverified<'_> {
    /// What the token says at `name`, for an operator.
    pub(crate) fn shown_claim(&self, name: &str) -> Option<String> {
        self.payload().get(name).map(shown)
    }

    /// The checks of header and claims by this policy, in the order of
    /// [`AccessToken::check`](crate::AccessToken), except for the times.
    pub(crate) fn inspect(&self, rules: &IssuerPolicy) -> Vec<InspectedClaims> {
        let mut inspected = inspect_header(self.header(), rules);
        inspected.extend(inspect_claims(self.payload(), rules));
        inspected
    }
}

impl Signed<'_> {
    /// The same of a token whose signature is verified.
    pub(crate) fn inspect(&self, rules: &IssuerPolicy) -> Vec<InspectedClaims> {
        let mut inspected = inspect_header(self.header(), rules);
        inspected.extend(inspect_claims(self.claims(), rules));
        inspected
    }
}

fn inspect_header(header: &Object<'_>, rules: &IssuerPolicy) -> Vec<InspectedClaims> {
    let kind = InspectedClaims::new(Check::TokenType, check_type(header, rules))
        .about("typ", header.get("typ"))
        .by_setting("accept_type");
    let mut inspected = vec![kind];
    if let Some((name, expected)) = rules.required_headers.first() {
        let outcome = check_required_headers(header, rules);
        let values = InspectedClaims::new(Check::RequiredHeaders, outcome)
            .about(&**name, header.get(name))
            .expecting(&**expected)
            .by_setting("require_header");
        inspected.push(values);
    }
    inspected
}

fn inspect_claims(claims: &Object<'_>, rules: &IssuerPolicy) -> Vec<InspectedClaims> {
    let at = |path| value_at(claims, path).ok().flatten();
    let mut inspected = Vec::new();
    if let Some(first) = rules.required_claims.first() {
        let outcome = check_required_claims(claims, rules);
        let differs = rules
            .required_claims
            .iter()
            .find(|required| at(&required.path).map(shown) != Some(required.value.to_string()));
        let named = differs.unwrap_or(first);
        let values = InspectedClaims::new(Check::RequiredClaims, outcome)
            .about(named.path.shown(), at(&named.path))
            .expecting(named.value.to_string())
            .by_setting(named.setting);
        inspected.push(values);
    }
    inspected.push(token_use(claims, rules));
    if rules.profile == Profile::Rfc9068 {
        let profile = InspectedClaims::new(Check::Profile, check_rfc9068(claims));
        inspected.push(profile.expecting("`jti` and `iat`").by_setting("rfc9068"));
    }
    if rules.profile == Profile::Spiffe {
        let profile = InspectedClaims::new(Check::Profile, check_svid(claims, rules));
        let profile = profile.about("sub", claims.get("sub"));
        inspected.push(
            profile
                .expecting(format!("{}/<path>", rules.realm))
                .by_setting("spiffe"),
        );
    }
    let client = client_id(claims, rules);
    let named = client.as_ref().ok().and_then(|client| client.as_deref());
    let client_path = || {
        let mut paths = rules.client_id_claims.iter();
        let stated = paths.clone().find(|path| at(path).is_some());
        stated.or_else(|| paths.next())
    };
    let outcome = match &client {
        Ok(_) => check_client(named, rules),
        Err(error) => Err(error.clone()),
    };
    let mut step = InspectedClaims::new(Check::Client, outcome)
        .expecting(listed(&rules.client_ids))
        .by_setting("client_id");
    if let Some(path) = client_path() {
        step = step.about(path.shown(), at(path));
    }
    inspected.push(step);
    let accepted = rules.audiences.accepted.iter();
    let ours: Vec<Box<str>> = accepted.map(|(audience, _)| audience.clone()).collect();
    let outcome = check_audience(claims, named, rules).map(drop);
    let mut audience = InspectedClaims::new(Check::Audience, outcome)
        .about(rules.audience_claim.shown(), at(&rules.audience_claim))
        .by_setting("audience");
    if rules.audiences.rule != AudienceRule::Waived {
        audience = audience.expecting(listed(&ours));
    }
    inspected.push(audience);
    inspected.push(confirmation(claims, rules));
    let actor = Actor::read(claims, rules, false, SharedStr::new);
    let has_actor = matches!(&actor, Ok(Some(_)));
    if has_actor || actor.is_err() {
        let step = InspectedClaims::new(Check::Actor, actor.map(drop));
        inspected.push(step.about(rules.actor_claim.shown(), at(&rules.actor_claim)));
    }
    let outcome = subject(claims, rules, false).map(drop);
    let subject = InspectedClaims::new(Check::Subject, outcome)
        .about(rules.subject_claim.shown(), at(&rules.subject_claim))
        .by_setting("subject_claim");
    inspected.push(subject);
    let mut text = String::new();
    let joined = append_scope(claims, rules, &mut text).map(|_| SharedStr::new(&text));
    let outcome = scope(claims, rules, joined, SharedStr::new).map(drop);
    let scope = InspectedClaims::new(Check::Scope, outcome)
        .about(rules.scope_claim.shown(), at(&rules.scope_claim))
        .by_setting("scope_claim");
    inspected.push(scope);
    inspected.push(InspectedClaims::new(Check::Claims, others(claims, rules)));
    inspected
}

fn token_use(claims: &Object<'_>, rules: &IssuerPolicy) -> InspectedClaims {
    let outcome = match rules.profile {
        Profile::Cognito => check_cognito(claims),
        Profile::Rfc9068 | Profile::Spiffe | Profile::Oidc | Profile::Introspected => {
            check_not_for_the_client(claims, rules)
        }
    };
    let step = InspectedClaims::new(Check::TokenUse, outcome).by_setting("accept_token_use");
    match claims.get("token_use") {
        Some(found) => step.about("token_use", Some(found)),
        None => step,
    }
}

/// Which keys the token is bound to, without their thumbprints.
fn confirmation(claims: &Object<'_>, rules: &IssuerPolicy) -> InspectedClaims {
    let read = Confirmation::read(claims, false);
    let found = match &read {
        Ok(None) => "no binding",
        Ok(Some(keys)) => match (keys.jwk_thumbprint(), keys.certificate_thumbprint()) {
            (Some(_), Some(_)) => "jkt and x5t#S256",
            (Some(_), None) => "jkt",
            (None, _) => "x5t#S256",
        },
        Err(_) => "a form that is not supported",
    };
    let mut step = InspectedClaims::new(Check::Confirmation, read.map(drop));
    step.claim = Some("cnf".to_owned());
    step.found = Some(found.to_owned());
    if rules.required_bindings == RequiredBindings::default() {
        return step;
    }
    step.expecting(rules.required_bindings.to_string())
        .by_setting("require_binding")
}

/// The claims that are read besides, in the order in which they are.
fn others(claims: &Object<'_>, rules: &IssuerPolicy) -> Result<(), TokenError> {
    date(claims, "iat", Rounding::Down)?;
    RevocationIds::read(claims, rules, SharedStr::new)?;
    if date(claims, "exp", Rounding::Down)?.is_none() {
        return Err(TokenError::about(
            TokenFault::NoExpiry,
            "exp",
            Problem::Missing,
        ));
    }
    date(claims, "nbf", Rounding::Up)?;
    id(claims, "jti").map(drop)
}
