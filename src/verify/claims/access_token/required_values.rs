//! Claims and header parameters that must have a configured value.

use crate::model::error::rejection::TokenFault;
use crate::model::error::token_error::TokenError;
use crate::verify::json::claim_error::differs;
use crate::verify::json::claims_reader::value_at;
use crate::verify::json::object::{Object, Value};
use crate::verify::policy::issuer_policy::{IssuerPolicy, RequiredClaim};

pub(in crate::verify) fn check_required_claims(
    claims: &Object<'_>,
    rules: &IssuerPolicy,
) -> Result<(), TokenError> {
    for RequiredClaim {
        path,
        value,
        setting,
    } in &rules.required_claims
    {
        let found = value_at(claims, path).ok().flatten();
        let is_equal = match found {
            Some(Value::String(quoted)) => value.text() == Some(&*quoted.text()),
            Some(Value::Bool(found)) => value.boolean() == Some(found),
            _ => false,
        };
        if !is_equal {
            let error = differs(TokenFault::RequiredValue, path, found, value.to_string());
            return Err(error.by_setting(setting));
        }
    }
    Ok(())
}

pub(in crate::verify) fn check_required_headers(
    header: &Object<'_>,
    rules: &IssuerPolicy,
) -> Result<(), TokenError> {
    for (name, expected) in &rules.required_headers {
        let found = header.get(name);
        if found.and_then(Value::as_text).as_deref() != Some(&**expected) {
            let error = differs(
                TokenFault::RequiredValue,
                &**name,
                found,
                expected.to_string(),
            );
            return Err(error.by_setting("require_header"));
        }
    }
    Ok(())
}
