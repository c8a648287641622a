//! The claims check: the only way from [`Signed`] to [`VerifiedToken`]
//! (RFC 7519 section 4.1, RFC 9068 section 4, RFC 8725).
//!
//! 1. Every check reads a value that must be there and have the right type; absence passes
//!    only where the rule says "optional".
//! 2. Issuer, audience and client are compared byte for byte, the type without regard to case.
//! 3. Times are checked in `Validity::check`, which runs on every request.

use std::borrow::Cow;
use std::sync::Arc;

use crate::model::error::rejection::TokenFault;
use crate::model::error::rejection_detail::Problem;
use crate::model::error::token_error::TokenError;
use crate::model::ids::{ClientId, SubjectId};
use crate::model::shared_str::SharedStr;
use crate::model::time::OptionalTime;
use crate::verify::claims::access_token::audience::check_audience;
use crate::verify::claims::access_token::client::{check_client, client_id};
use crate::verify::claims::access_token::confirmation::Confirmation;
#[cfg(feature = "jwks")]
use crate::verify::claims::access_token::confirmation::check_dpop_type;
use crate::verify::claims::access_token::permissions::scope;
use crate::verify::claims::access_token::required_values::{
    check_required_claims, check_required_headers,
};
use crate::verify::claims::access_token::revocation_ids::RevocationIds;
use crate::verify::claims::access_token::seldom_claims::SeldomClaims;
use crate::verify::claims::actor::Actor;
use crate::verify::claims::custom::payload_cache::CustomClaims;
use crate::verify::claims::introspection_response::ActiveToken;
use crate::verify::claims::spiffe_id::check_svid;
#[cfg(feature = "jwks")]
use crate::verify::claims::token_type::check_token_type;
use crate::verify::claims::token_type::{
    check_cognito, check_not_for_the_client, check_rfc9068, check_type,
};
use crate::verify::claims::verified_token::data::VerifiedToken;
use crate::verify::claims::verified_token::draft::Draft;
use crate::verify::jose::signature::Signed;
#[cfg(feature = "jwks")]
use crate::verify::json::claim_error::differs;
use crate::verify::json::claim_error::{no_text, wrong_type};
#[cfg(feature = "jwks")]
use crate::verify::json::claims_reader::text_or_absent;
use crate::verify::json::claims_reader::{Rounding, date, id, is_blank, too_long, value_at};
use crate::verify::json::object::{Object, Value};
use crate::verify::policy::issuer_policy::{IssuerPolicy, Profile};
use crate::verify::policy::scope_closure::ImpliedScopes;

impl VerifiedToken {
    /// Checks a signed token against its issuer's policy. The times are checked separately.
    pub(in crate::verify) fn check(
        signed: &Signed<'_>,
        (draft, claims): (&Draft, &Object<'_>),
        rules: &IssuerPolicy,
    ) -> Result<Self, TokenError> {
        check_type(signed.header(), rules)?;
        check_required_headers(signed.header(), rules)?;
        Self::made_of(claims, draft, None, signed.issuer(), rules)
    }

    /// Checks an introspected token against the same policy. The times are checked separately.
    #[cfg(feature = "jwks")]
    pub(in crate::verify) fn attested(
        answer: &ActiveToken<'_>,
        (draft, claims): (&Draft, &Object<'_>),
        rules: &IssuerPolicy,
    ) -> Result<Self, TokenError> {
        check_token_type(claims)?;
        // RFC 7662 s2.2: optional; stated, it is compared like that of a JWT.
        match text_or_absent(claims, "iss")? {
            Some(issuer) if !rules.is_named(&issuer) => {
                let expected = rules.realm.to_string();
                let fault = TokenFault::UnknownIssuer;
                return Err(
                    differs(fault, "iss", claims.get("iss"), expected).by_setting("identified_as")
                );
            }
            _ => {}
        }
        // The response may leave it out.
        let token = Self::made_of(claims, draft, Some(answer), &rules.realm, rules)?;
        check_dpop_type(claims, token.confirmation())?;
        Ok(token)
    }

    /// The checks of signed and of introspected tokens; `answer` is `None` for signed ones.
    fn made_of(
        claims: &Object<'_>,
        draft: &Draft,
        answer: Option<&ActiveToken<'_>>,
        issuer: &str,
        rules: &IssuerPolicy,
    ) -> Result<Self, TokenError> {
        check_required_claims(claims, rules)?;

        // Before the other claims: a token of another kind lacks some of them too, and the refusal
        // must name the kind.
        match rules.profile {
            Profile::Cognito => check_cognito(claims)?,
            Profile::Rfc9068 => {
                check_not_for_the_client(claims, rules)?;
                check_rfc9068(claims)?;
            }
            Profile::Spiffe => {
                check_not_for_the_client(claims, rules)?;
                check_svid(claims, rules)?;
            }
            Profile::Oidc | Profile::Introspected => check_not_for_the_client(claims, rules)?,
        }
        let client_id = client_id(claims, rules)?;
        check_client(client_id.as_deref(), rules)?;
        let resources = check_audience(claims, client_id.as_deref(), rules)?;
        let confirmation = Confirmation::read(claims, answer.is_some())?;

        let share = |text: &str| SharedStr::within(&draft.arena, text);
        let actor = Actor::read(claims, rules, answer.is_some(), share)?;
        let subject = match subject(claims, rules, answer.is_some())? {
            None => None,
            Some(text) => Some(
                SubjectId::of(&rules.realm, share(&text))
                    .map_err(|_| too_long(&rules.subject_claim))?,
            ),
        };
        let client_id = match client_id {
            None => None,
            Some(text) => {
                Some(ClientId::of(&rules.realm, share(&text)).map_err(|_| too_long("client_id"))?)
            }
        };
        let issued_at = date(claims, "iat", Rounding::Down)?;
        let has_username = claims.get("username").is_some();
        let is_own_subject = match (&subject, &client_id) {
            (Some(subject), Some(client)) => subject.as_str() == client.as_str(),
            // Some endpoints leave the subject out for a client's own token.
            (None, Some(_)) => {
                rules.clients_without_subject && answer.is_some() && claims.get("sub").is_none()
            }
            (_, None) => false,
        };
        let is_machine = is_own_subject && !has_username && !names_a_user(claims);
        let joined = draft.joined_scope;
        let joined = joined.and_then(|joined| SharedStr::at(&draft.arena, joined));
        let scope = scope(claims, rules, joined, share)?;
        let hierarchy = rules.scope_hierarchy.as_ref();
        let implied = hierarchy.and_then(|hierarchy| ImpliedScopes::of(hierarchy, &scope));
        let (revocable, has_auth_time) = RevocationIds::read(claims, rules, share)?;
        let expires_at = match answer {
            None => date(claims, "exp", Rounding::Down)?
                .ok_or_else(|| TokenError::about(TokenFault::NoExpiry, "exp", Problem::Missing))?,
            Some(answer) => answer.end()?,
        };
        let not_before = date(claims, "nbf", Rounding::Up)?;
        Ok(Self {
            arena: Arc::clone(&draft.arena),
            issuer: named_issuer(issuer, rules),
            subject,
            client_id,
            scope,
            id: id(claims, "jti")?.map(|id| share(&id)),
            revocable,
            expires_at,
            not_before: OptionalTime::of(not_before),
            issued_at: OptionalTime::of(issued_at),
            lists: draft.lists,
            seldom: SeldomClaims {
                implied,
                actor,
                confirmation,
                answer: answer.map(|answer| Arc::clone(answer.text())),
            }
            .boxed(),
            custom: CustomClaims::default(),
            resources,
            has_username,
            has_auth_time,
            is_machine,
        })
    }
}

/// The name of the issuer, shared with the configuration.
fn named_issuer(issuer: &str, rules: &IssuerPolicy) -> Arc<str> {
    let mut names = std::iter::once(&rules.realm).chain(&rules.names);
    let known = names.find(|name| ***name == *issuer);
    known.map_or_else(|| issuer.into(), Arc::clone)
}

/// Whether the token states a user's name. A user may choose the client's id as its `sub` (RFC 9068
/// section 5); a client's own token has none of these claims.
fn names_a_user(claims: &Object<'_>) -> bool {
    ["preferred_username", "upn", "cognito:username"]
        .iter()
        .any(|name| claims.get(name).is_some())
}

/// The subject. An empty one counts as absent: some servers write it into tokens of services. `null`
/// is refused in a JWT like every other type, and counts as absent in an introspection response.
pub(in crate::verify) fn subject<'c>(
    claims: &Object<'c>,
    rules: &IssuerPolicy,
    is_answer: bool,
) -> Result<Option<Cow<'c, str>>, TokenError> {
    let path = &rules.subject_claim;
    let value = value_at(claims, path)?;
    let stated = match value {
        None => None,
        Some(Value::Null) if is_answer => None,
        Some(Value::String(quoted)) => Some(quoted.text()).filter(|text| !is_blank(text)),
        Some(other) => return Err(wrong_type(path, "string", other).by_setting("subject_claim")),
    };
    if stated.is_none() && rules.profile == Profile::Rfc9068 {
        return Err(no_text(path, value).by_setting(rules.profile.setting()));
    }
    Ok(stated)
}
