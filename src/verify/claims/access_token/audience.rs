//! The audience of a token, and the client id that replaces it for Cognito
//! (RFC 7519 section 4.1.3, RFC 8725 section 3.9, RFC 9068 section 4).
//!
//! 1. The audience contains a configured value, byte for byte. An empty list is refused; it does not
//!    count as absent.
//! 2. A token with its own client as the only audience is an ID token (OpenID Connect Core section 2).
//! 3. Each audience is for one resource. A token that is accepted without one is for the default
//!    resource of its issuer alone.

use crate::model::claim_path::ClaimPath;
use crate::model::error::rejection::TokenFault;
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::model::error::token_error::TokenError;
use crate::model::requirement::resource_set::ResourceSet;
use crate::verify::json::claim_error::{ClaimName as _, listed};
use crate::verify::json::claims_reader::{strings, texts, value_at};
use crate::verify::json::object::{Object, Value};
use crate::verify::policy::issuer_policy::{AudienceRule, Audiences, IssuerPolicy, Profile};

/// The resources that the token is for: at least one.
pub(in crate::verify) fn check_audience(
    claims: &Object<'_>,
    client_id: Option<&str>,
    rules: &IssuerPolicy,
) -> Result<ResourceSet, TokenError> {
    let found = value_at(claims, &rules.audience_claim).map_err(|error| {
        error
            .with_fault(TokenFault::Audience)
            .by_setting("audience_claim")
    })?;
    let stated = match found {
        // In an introspection response an empty member counts as absent, except this list.
        None if states_empty_list(claims, &rules.audience_claim) => {
            return Err(refused(found, rules));
        }
        None => Audience::default(),
        Some(value) => Audience::read(value, client_id, &rules.audiences)
            .filter(|stated| stated.count > 0)
            .ok_or_else(|| refused(found, rules))?,
    };
    let is_client_alone = stated.count == 1 && stated.names_client;
    // An ID token has its client as the only audience (OpenID Connect Core s2), whatever claim
    // holds the audience of this issuer's access tokens.
    let is_id_token = rules.profile != Profile::Cognito
        && !rules.audience_claim.is("aud")
        && matches!(claims.get("aud").and_then(strings).as_deref(), Some([only]) if Some(&**only) == client_id);
    if is_id_token {
        return Err(
            TokenError::about(TokenFault::TokenUse, "aud", Problem::WrongKind)
                .expecting("another audience than the client"),
        );
    }
    let names_us = !stated.resources.is_empty();
    let is_accepted = match rules.audiences.rule {
        AudienceRule::Required => names_us,
        AudienceRule::WhereStated => names_us || stated.count == 0,
        // An ID token has its client as the only audience (OpenID Connect Core s2).
        AudienceRule::Waived => rules.profile == Profile::Cognito || !is_client_alone,
    };
    // Cognito writes `aud` only for resource-bound tokens; otherwise the client that `check_client`
    // has accepted replaces it. A pre-token trigger may also write the client as the audience.
    let stands_in = rules.profile == Profile::Cognito && (stated.count == 0 || is_client_alone);
    if !is_accepted && !stands_in {
        return Err(refused(found, rules));
    }
    Ok(if names_us {
        stated.resources
    } else {
        rules.audiences.default
    })
}

fn states_empty_list(claims: &Object<'_>, path: &ClaimPath) -> bool {
    let [name] = path.members() else {
        return false;
    };
    matches!(claims.get_even_if_empty(name), Some(Value::Array(_)))
}

#[cold]
fn refused(found: Option<Value<'_>>, rules: &IssuerPolicy) -> TokenError {
    let problem = match found {
        None => Problem::Missing,
        Some(value) => match texts(value).map(Iterator::collect::<Option<Vec<_>>>) {
            None | Some(None) => Problem::WrongType,
            Some(Some(list)) if list.iter().all(|one| one.is_empty()) => Problem::Empty,
            Some(Some(_)) => Problem::Differs,
        },
    };
    let detail = RejectionDetail::new()
        .with_claim(rules.audience_claim.shown())
        .with_problem(problem);
    let detail = match found {
        Some(value) => detail.with_found(value.type_name()),
        None => detail,
    };
    let accepted = rules.audiences.accepted.iter();
    let ours: Vec<Box<str>> = accepted.map(|(audience, _)| audience.clone()).collect();
    let detail = match rules.audiences.rule {
        AudienceRule::Required | AudienceRule::WhereStated => {
            detail.with_setting("audience").with_expected(listed(&ours))
        }
        AudienceRule::Waived => detail
            .with_setting("accept_any_audience")
            .with_expected("another audience than the client"),
    };
    TokenError::new(TokenFault::Audience, detail)
}

/// The audience that a token states.
#[derive(Default)]
struct Audience {
    count: usize,
    /// Those that it names.
    resources: ResourceSet,
    names_client: bool,
}

impl Audience {
    /// `None` where it has another value than strings.
    fn read(value: Value<'_>, client_id: Option<&str>, audiences: &Audiences) -> Option<Self> {
        let mut stated = Self::default();
        for one in texts(value)? {
            let one = one?;
            stated.count += 1;
            stated.names_client |= Some(&*one) == client_id;
            stated.resources = stated.resources.with(audiences.resource_of(&one));
        }
        Some(stated)
    }
}
