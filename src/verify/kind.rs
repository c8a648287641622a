//! What kind of token it is: an access token, and none of those that look like one
//! (RFC 8725 section 3.12).
//!
//! 1. Each profile has marks that its access tokens must have.
//! 2. What bears a mark of an ID, refresh or logout token is none, whoever signed or attests it.

use super::json::{Object, Value};
use super::rules::{Profile, Rules};
use super::typed::required_text;
use crate::model::rejection::TokenFault;

// RFC 8725 s3.11, RFC 9068 s4: the type says which kind of JWT this is.
pub(super) fn check_type(header: &Object<'_>, rules: &Rules) -> Result<(), TokenFault> {
    let stated = match header.get("typ") {
        None => None,
        Some(value) => Some(value.as_text().ok_or(TokenFault::TokenType)?),
    };
    let accepted = match (stated.as_deref().map(bare_type), rules.profile) {
        (None, profile) => profile != Profile::Rfc9068,
        (Some(stated), profile) => {
            is_type(stated, "at+jwt")
                || (profile != Profile::Rfc9068 && is_type(stated, "JWT"))
                || rules.extra_types.iter().any(|extra| is_type(stated, extra))
        }
    };
    if accepted {
        Ok(())
    } else {
        Err(TokenFault::TokenType)
    }
}

/// RFC 7515 s4.1.9: `application/` is implied, and may be written.
pub(crate) fn bare_type(media_type: &str) -> &str {
    const PREFIX: &str = "application/";
    match media_type.split_at_checked(PREFIX.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) => rest,
        _ => media_type,
    }
}

// RFC 2045 s5.1: media types have no case.
fn is_type(stated: &str, accepted: &str) -> bool {
    stated.eq_ignore_ascii_case(accepted)
}

// RFC 7662 s2.2: the type of an access token, RFC 6749 s5.1, in any case. What an endpoint calls
// active may be of any other kind.
#[cfg(feature = "jwks")]
pub(super) fn check_token_type(claims: &Object<'_>) -> Result<(), TokenFault> {
    match claims.get("token_type").map(Value::as_text) {
        None => Ok(()),
        Some(Some(kind)) if kind.eq_ignore_ascii_case("Bearer") => Ok(()),
        // Older versions of Ory Hydra, and servers of one's own, name the kind of token here.
        Some(Some(kind)) if kind.eq_ignore_ascii_case("access_token") => Ok(()),
        // RFC 9449 s6.2: bound to a key, whether the answer says to which or not.
        Some(Some(kind)) if kind.eq_ignore_ascii_case("DPoP") => Err(TokenFault::Binding),
        Some(_) => Err(TokenFault::TokenUse),
    }
}

/// Amazon Cognito marks its access tokens by `token_use`, and by nothing else.
pub(super) fn check_cognito(claims: &Object<'_>) -> Result<(), TokenFault> {
    match claims.get("token_use").and_then(Value::as_text).as_deref() {
        Some("access") => Ok(()),
        _ => Err(TokenFault::TokenUse),
    }
}

/// RFC 9068 s2.2: these are there in every token of this profile. `iss`, `exp`, `aud`, `sub`
/// and `client_id` are demanded elsewhere.
pub(super) fn check_rfc9068(claims: &Object<'_>) -> Result<(), TokenFault> {
    required_text(claims, "jti")?;
    match claims.get("iat") {
        Some(Value::Number(_)) => Ok(()),
        _ => Err(TokenFault::Claims),
    }
}

/// Marks of ID, refresh and logout tokens (OpenID Connect Core s2, Back-Channel Logout s2.4).
pub(super) fn check_not_for_the_client(
    claims: &Object<'_>,
    rules: &Rules,
) -> Result<(), TokenFault> {
    let has = |name: &&str| claims.get(name).is_some();
    let marked = ["at_hash", "c_hash", "events"].iter().any(has);
    // A `nonce` goes back to the client in its ID token. Issuers that write it into access tokens
    // too give these an id or a scope, which an ID token has not.
    let has_scope = || !matches!(claims.at_path(rules.scope_claim.members()), Ok(None));
    let answers_the_client = has(&"nonce") && !has(&"jti") && !has_scope();
    let other_use = claims.get("token_use").is_some_and(|value| {
        !matches!(value.as_text().as_deref(), Some("access" | "access_token"))
    });
    let other_kind = claims.get("typ").is_some_and(|value| {
        value.as_text().is_none_or(|kind| {
            ["ID", "Refresh", "Offline", "Logout"]
                .iter()
                .any(|other| kind.eq_ignore_ascii_case(other))
        })
    });
    // Other names for the same, by other servers; unknown values say nothing.
    let says_other_kind = ["type", "token_type", "token_class"].iter().any(|name| {
        let kind = claims.get(name).and_then(Value::as_text);
        kind.is_some_and(|kind| {
            ["id_token", "refresh", "refresh_token", "logout_token"]
                .iter()
                .any(|other| kind.eq_ignore_ascii_case(other))
        })
    });
    if marked || answers_the_client || other_use || other_kind || says_other_kind {
        Err(TokenFault::TokenUse)
    } else {
        Ok(())
    }
}
