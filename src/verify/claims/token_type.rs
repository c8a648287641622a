//! The kind of a token: an access token, or one of the kinds that look like it (RFC 8725 section
//! 3.12).
//!
//! 1. Each profile requires claims that mark an access token.
//! 2. A token with a claim that marks an ID, refresh or logout token is refused, signed or introspected.

use crate::model::error::rejection::TokenFault;
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::model::error::token_error::TokenError;
use crate::verify::json::claim_error::{differs, listed, wrong_type};
use crate::verify::json::claims_reader::{required_text, value_at};
use crate::verify::json::object::{Object, Value};
use crate::verify::policy::issuer_policy::{IssuerPolicy, Profile};

// RFC 8725 s3.11, RFC 9068 s4: the type says which kind of JWT this is.
pub(in crate::verify) fn check_type(
    header: &Object<'_>,
    rules: &IssuerPolicy,
) -> Result<(), TokenError> {
    let found = header.get("typ");
    let stated = match found {
        None => None,
        Some(value) => Some(value.as_text().ok_or_else(|| other_type(found, rules))?),
    };
    let accepted = match (stated.as_deref().map(bare_type), rules.profile) {
        (None, profile) => profile != Profile::Rfc9068,
        (Some(stated), profile) => {
            (profile != Profile::Spiffe && is_type(stated, "at+jwt"))
                || (profile == Profile::Spiffe && is_type(stated, "JOSE"))
                || (profile != Profile::Rfc9068 && is_type(stated, "JWT"))
                || rules.extra_types.iter().any(|extra| is_type(stated, extra))
        }
    };
    if accepted {
        Ok(())
    } else {
        Err(other_type(found, rules))
    }
}

#[cold]
fn other_type(found: Option<Value<'_>>, rules: &IssuerPolicy) -> TokenError {
    let mut expected = match rules.profile {
        Profile::Rfc9068 => "at+jwt".to_owned(),
        // JWT-SVID s2.3
        Profile::Spiffe => "JWT | JOSE".to_owned(),
        Profile::Cognito | Profile::Oidc | Profile::Introspected => "JWT | at+jwt".to_owned(),
    };
    if !rules.extra_types.is_empty() {
        expected = format!("{expected} | {}", listed(&rules.extra_types));
    }
    differs(TokenFault::TokenType, "typ", found, expected).by_setting("accept_type")
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

// RFC 7662 s2.2: the type of an access token, RFC 6749 s5.1, in any case. An endpoint may report
// tokens of other kinds as active.
#[cfg(feature = "jwks")]
pub(super) fn check_token_type(claims: &Object<'_>) -> Result<(), TokenFault> {
    match claims.get("token_type").map(Value::as_text) {
        None => Ok(()),
        Some(Some(kind)) if kind.eq_ignore_ascii_case("Bearer") => Ok(()),
        // RFC 9449 s6.2: a bound token; that it states its key is checked with `cnf`.
        Some(Some(kind)) if kind.eq_ignore_ascii_case("DPoP") => Ok(()),
        // Older versions of Ory Hydra write the kind of token here.
        Some(Some(kind)) if kind.eq_ignore_ascii_case("access_token") => Ok(()),
        Some(_) => Err(TokenFault::TokenUse),
    }
}

/// Amazon Cognito marks its access tokens by `token_use` only.
pub(in crate::verify) fn check_cognito(claims: &Object<'_>) -> Result<(), TokenError> {
    let found = claims.get("token_use");
    match found.and_then(Value::as_text).as_deref() {
        Some("access") => Ok(()),
        _ => Err(differs(TokenFault::TokenUse, "token_use", found, "access").by_setting("cognito")),
    }
}

/// RFC 9068 s2.2: `jti` and `iat` are required in this profile. Other checks require `iss`, `exp`,
/// `aud`, `sub` and `client_id`.
pub(in crate::verify) fn check_rfc9068(claims: &Object<'_>) -> Result<(), TokenError> {
    required_text(claims, "jti").map_err(|error| error.by_setting("rfc9068"))?;
    match claims.get("iat") {
        Some(Value::Number(_)) => Ok(()),
        None => Err(
            TokenError::about(TokenFault::Claims, "iat", Problem::Missing).by_setting("rfc9068"),
        ),
        Some(other) => Err(wrong_type("iat", "number", other).by_setting("rfc9068")),
    }
}

/// Values that name a token of another kind.
const OTHER_KINDS: [&str; 8] = [
    "id",
    "id_token",
    "refresh",
    "refresh_token",
    "offline",
    "offline_token",
    "logout",
    "logout_token",
];

/// Whether a word names an ID, refresh or logout token.
pub(crate) fn is_other_kind(word: &str) -> bool {
    OTHER_KINDS
        .iter()
        .any(|other| word.eq_ignore_ascii_case(other))
}

/// Marks of ID, refresh and logout tokens (OpenID Connect Core s2, Back-Channel Logout s2.4).
pub(in crate::verify) fn check_not_for_the_client(
    claims: &Object<'_>,
    rules: &IssuerPolicy,
) -> Result<(), TokenError> {
    let has = |name: &str| claims.get(name).is_some();
    let id_token_mark = || {
        let hash = ["at_hash", "c_hash"].into_iter().find(|name| has(name));
        // An ID token has the `nonce` of the authorization request. Issuers that write it into access
        // tokens too give these a `jti` or a scope, which an ID token does not have.
        let answers_the_client =
            || has("nonce") && !is_stated(claims.get("jti")) && !has_scope(claims, rules);
        hash.or_else(|| answers_the_client().then_some("nonce"))
    };
    let mark = if rules.bears_id_token_marks {
        None
    } else {
        id_token_mark()
    };
    let other_use = || {
        let value = claims.get("token_use")?;
        let is_access = match value.as_text().as_deref() {
            Some("access") => true,
            Some(word) => {
                word.eq_ignore_ascii_case("access_token")
                    || rules.token_uses.iter().any(|known| **known == *word)
            }
            None => false,
        };
        (!is_access).then_some("token_use")
    };
    let other_kind = || {
        let value = claims.get("typ")?;
        let is_other = value.as_text().is_none_or(|kind| {
            ["ID", "Refresh", "Offline", "Logout"]
                .iter()
                .any(|other| kind.eq_ignore_ascii_case(other))
        });
        is_other.then_some("typ")
    };
    // Names that other servers use; unknown values are ignored.
    let states_other_kind = || {
        ["type", "token_type", "token_class"]
            .into_iter()
            .find(|name| {
                let kind = claims.get(name).and_then(Value::as_text);
                kind.is_some_and(|kind| {
                    ["id_token", "refresh", "refresh_token", "logout_token"]
                        .iter()
                        .any(|other| kind.eq_ignore_ascii_case(other))
                })
            })
    };
    let mark = mark
        .or_else(|| has("events").then_some("events"))
        .or_else(other_use)
        .or_else(other_kind)
        .or_else(states_other_kind);
    match mark {
        None => Ok(()),
        Some(mark) => Err(marked_by(mark, claims)),
    }
}

/// Whether there is a scope: in `scope` (RFC 9068 s2.2.3), in Microsoft's `scp`, or in the configured
/// claim.
fn has_scope(claims: &Object<'_>, rules: &IssuerPolicy) -> bool {
    is_stated(claims.get("scope"))
        || is_stated(claims.get("scp"))
        || value_at(claims, &rules.scope_claim).map_or(true, is_stated)
}

/// Whether a value is present, neither `null` nor an empty string.
fn is_stated(value: Option<Value<'_>>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::String(quoted)) => !quoted.text().is_empty(),
        Some(_) => true,
    }
}

#[cold]
fn marked_by(mark: &'static str, claims: &Object<'_>) -> TokenError {
    let detail = RejectionDetail::new()
        .with_claim(mark)
        .with_problem(Problem::WrongKind);
    let detail = match claims.get(mark) {
        Some(value) => detail.with_found(value.type_name()),
        None => detail,
    };
    TokenError::new(TokenFault::TokenUse, detail)
}
