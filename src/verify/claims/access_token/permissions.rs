//! The permissions of a token: its scope, roles and groups.

use crate::model::claim_path::ClaimPath;
use crate::model::error::token_error::TokenError;
use crate::model::scope::Scope;
use crate::model::shared_str::SharedStr;
use crate::verify::json::claim_error::wrong_type;
use crate::verify::json::claims_reader::{strings, value_at};
use crate::verify::json::object::{Object, Value};
use crate::verify::json::role_names::NameForms;
use crate::verify::policy::issuer_policy::IssuerPolicy;

/// The scope, from a string or an array of strings; empty where the claim is absent.
pub(in crate::verify) fn scope(
    claims: &Object<'_>,
    rules: &IssuerPolicy,
    share: impl Fn(&str) -> SharedStr,
) -> Result<Scope, TokenError> {
    const EXPECTED: &str = "a string or an array of strings";
    let path = &rules.scope_claim;
    let unfit = |found| wrong_type(path, EXPECTED, found).by_setting("scope_claim");
    match value_at(claims, path)? {
        None | Some(Value::Null) => Ok(Scope::default()),
        // RFC 6749 s3.3
        Some(Value::String(quoted)) => Ok(Scope::from_claim(share(&quoted.text()))),
        // Some issuers write a list of tokens. An element with a space is not a token.
        Some(array @ Value::Array(_)) => {
            let tokens = strings(array).ok_or_else(|| unfit(array))?;
            let joined: Vec<&str> = tokens
                .iter()
                .map(AsRef::as_ref)
                .filter(|token| !token.contains(' '))
                .collect();
            Ok(Scope::from_claim(SharedStr::new(&joined.join(" "))))
        }
        Some(other) => Err(unfit(other)),
    }
}

/// Roles or groups, in the forms that the policy reads. Another form and an empty name grant nothing.
pub(super) fn list(
    claims: &Object<'_>,
    path: &ClaimPath,
    forms: &NameForms,
    share: impl Fn(&str) -> SharedStr,
) -> Vec<SharedStr> {
    match claims.at_path(path.members()) {
        Ok(Some(value)) => {
            let names = forms.read(value).unwrap_or_default();
            let stated = || names.iter().filter(|name| !name.is_empty());
            // Exact capacity: the list is cached with the token.
            let mut list = Vec::with_capacity(stated().count());
            list.extend(stated().map(|one| share(one)));
            list
        }
        Ok(None) | Err(_) => Vec::new(),
    }
}
