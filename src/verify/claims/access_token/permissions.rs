//! The permissions of a token: its scope, roles and groups.

use crate::model::claim_path::ClaimPath;
use crate::model::error::token_error::TokenError;
use crate::model::scope::Scope;
use crate::model::shared_str::{Piece, SharedStr};
use crate::verify::json::claim_error::wrong_type;
use crate::verify::json::claims_reader::{texts, value_at};
use crate::verify::json::name_list::{push_plain_strings, push_stated};
use crate::verify::json::object::{Object, Value};
use crate::verify::json::role_names::NameForms;
use crate::verify::policy::issuer_policy::IssuerPolicy;

/// The scope, from a string or an array of strings; empty where the claim is absent. `joined` is what
/// [`append_scope`] has made of an array.
pub(in crate::verify) fn scope(
    claims: &Object<'_>,
    rules: &IssuerPolicy,
    joined: Option<SharedStr>,
    share: impl Fn(&str) -> SharedStr,
) -> Result<Scope, TokenError> {
    const EXPECTED: &str = "a string or an array of strings";
    let path = &rules.scope_claim;
    let unfit = |found| wrong_type(path, EXPECTED, found).by_setting("scope_claim");
    match (value_at(claims, path)?, joined) {
        (None | Some(Value::Null), _) => Ok(Scope::default()),
        // RFC 6749 s3.3
        (Some(Value::String(quoted)), _) => Ok(Scope::from_claim(share(&quoted.text()))),
        (Some(Value::Array(_)), Some(joined)) => Ok(Scope::from_claim(joined)),
        (Some(other), _) => Err(unfit(other)),
    }
}

/// Appends the scope as one text, where the claim is an array of strings: some issuers write a list of
/// tokens. An element with a space is not a token.
pub(in crate::verify) fn append_scope(
    claims: &Object<'_>,
    rules: &IssuerPolicy,
    text: &mut String,
) -> Option<Piece> {
    let Ok(Some(array @ Value::Array(_))) = claims.at_path(rules.scope_claim.members()) else {
        return None;
    };
    let start = text.len();
    for token in texts(array)? {
        let Some(token) = token else {
            text.truncate(start);
            return None;
        };
        if token.contains(' ') {
            continue;
        }
        if text.len() > start {
            text.push(' ');
        }
        text.push_str(&token);
    }
    Piece::new(start, text.len())
}

/// Appends roles or groups, in the forms that the policy reads. Another form and an empty name grant
/// nothing.
pub(in crate::verify) fn append_names(
    claims: &Object<'_>,
    path: &ClaimPath,
    forms: &NameForms,
    text: &mut String,
) -> Piece {
    let start = text.len();
    let value = claims.at_path(path.members()).ok().flatten();
    let plain = match value {
        Some(Value::Array(array)) => push_plain_strings(text, array),
        _ => None,
    };
    let read = plain.or_else(|| forms.each(value?, |name| push_stated(text, &name)));
    if read.is_none() {
        text.truncate(start);
    }
    Piece::new(start, text.len()).unwrap_or_default()
}
