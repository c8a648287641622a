//! The `status` claim of an access token: which entry of which list has its status
//! (draft-ietf-oauth-status-list-21 sections 6.1 and 6.2).
//!
//! 1. A `status` that is malformed is refused: it would hide the token from its list.
//! 2. A list is only fetched from a place that the configuration names, since the address is fetched
//!    by this server. Dot segments could lead out of such a place, so they are refused.

use std::borrow::Cow;

use crate::model::error::rejection::TokenFault;
use crate::model::error::rejection_detail::Problem;
use crate::model::error::token_error::TokenError;
use crate::model::url;
use crate::verify::json::claim_error::{claim_error, no_text, wrong_type};
use crate::verify::json::object::{JsonFault, Object, Value};

/// What an issuer's tokens must say about their status.
#[derive(Clone, Debug)]
pub(crate) struct StatusClaimRules {
    /// Whether a token without `status.status_list` is refused.
    pub(crate) is_required: bool,
    /// Where lists may be: origins, or addresses below which they lie. At least one.
    pub(crate) prefixes: Vec<Box<str>>,
    /// Whether plain http is allowed anywhere.
    pub(crate) plain_http: bool,
}

/// A reference to an entry of a status list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StatusClaim<'c> {
    pub(crate) uri: Cow<'c, str>,
    pub(crate) index: u64,
}

const STATUS: &str = "status";
const STATUS_LIST: &str = "status.status_list";
const INDEX: &str = "status.status_list.idx";
const URI: &str = "status.status_list.uri";

impl<'c> StatusClaim<'c> {
    /// Reads the reference; `None` where the token has none and needs none.
    pub(crate) fn read(
        claims: &Object<'c>,
        rules: &StatusClaimRules,
    ) -> Result<Option<Self>, TokenError> {
        let Some(status) = claims.get(STATUS) else {
            return missing(STATUS, rules);
        };
        let Value::Object(text) = status else {
            return Err(wrong_type(STATUS, "object", status));
        };
        let status = Object::parse_str(text).map_err(|fault| unsound(STATUS, fault))?;
        let Some(reference) = status.get("status_list") else {
            // s6.2: at least one mechanism. Another one than a list is not checked here.
            if text
                .trim_matches(['{', '}', ' ', '\t', '\r', '\n'])
                .is_empty()
            {
                return Err(claim_error(
                    STATUS,
                    Problem::Empty,
                    "an object with a reference to a status mechanism",
                ));
            }
            return missing(STATUS_LIST, rules);
        };
        let Value::Object(text) = reference else {
            return Err(wrong_type(STATUS_LIST, "object", reference));
        };
        let reference = Object::parse_str(text).map_err(|fault| unsound(STATUS_LIST, fault))?;
        let index = index(reference.get("idx"))?;
        let uri = uri(reference.get("uri"), rules)?;
        Ok(Some(Self { uri, index }))
    }
}

fn missing<T>(claim: &'static str, rules: &StatusClaimRules) -> Result<Option<T>, TokenError> {
    if rules.is_required {
        return Err(claim_error(claim, Problem::Missing, "object").by_setting("required"));
    }
    Ok(None)
}

#[cold]
fn unsound(claim: &'static str, fault: JsonFault) -> TokenError {
    let problem = match fault {
        JsonFault::Malformed | JsonFault::TooManyNames => Problem::Malformed,
        JsonFault::Duplicate => Problem::Contradicts,
    };
    claim_error(claim, problem, "one strict JSON object")
}

/// s6.2: a non-negative integer.
fn index(value: Option<Value<'_>>) -> Result<u64, TokenError> {
    const EXPECTED: &str = "an integer of 0 to 2^64 - 1";
    match value {
        None => Err(claim_error(INDEX, Problem::Missing, EXPECTED)),
        Some(Value::Number(digits)) => digits
            .parse()
            .map_err(|_| claim_error(INDEX, Problem::Malformed, EXPECTED)),
        Some(other) => Err(wrong_type(INDEX, EXPECTED, other)),
    }
}

fn uri<'c>(value: Option<Value<'c>>, rules: &StatusClaimRules) -> Result<Cow<'c, str>, TokenError> {
    let text = value.and_then(Value::as_text);
    let uri = text
        .filter(|text| !text.is_empty())
        .ok_or_else(|| no_text(URI, value))?;
    if url::check(&uri, rules.plain_http).is_err() || has_dot_segment(&uri) {
        return Err(claim_error(
            URI,
            Problem::Malformed,
            "an https url without dot segments",
        ));
    }
    let mut prefixes = rules.prefixes.iter();
    if !prefixes.any(|prefix| lies_below(&uri, prefix)) {
        let expected = rules.prefixes.join(" | ");
        return Err(TokenError::about(TokenFault::Claims, URI, Problem::Differs)
            .by_setting("uri_prefix")
            .expecting(expected));
    }
    Ok(uri)
}

/// Whether an address is this one or lies below it: the prefix ends at the border of a segment.
fn lies_below(uri: &str, prefix: &str) -> bool {
    uri.strip_prefix(prefix).is_some_and(|rest| {
        prefix.ends_with('/') || rest.is_empty() || rest.starts_with(['/', '?'])
    })
}

/// RFC 3986 s5.2.4: a client removes these, encoded ones included.
fn has_dot_segment(uri: &str) -> bool {
    let (_, path) = url::split_origin(uri);
    let path = path.split('?').next().unwrap_or_default();
    path.split('/').any(|segment| {
        segment.len() <= 6
            && matches!(
                &*segment.to_ascii_lowercase().replace("%2e", "."),
                "." | ".."
            )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(claims: &str, rules: &StatusClaimRules) -> Result<Option<(u64, String)>, String> {
        let object = Object::parse_str(claims).expect("an object");
        let read = StatusClaim::read(&object, rules);
        let shown = |error| {
            let rejection = crate::model::error::rejection::Rejection::from(error);
            let detail = rejection.detail().map(ToString::to_string);
            detail.unwrap_or_default()
        };
        read.map(|claim| claim.map(|claim| (claim.index, claim.uri.into_owned())))
            .map_err(shown)
    }

    fn rules(prefixes: &[&str]) -> StatusClaimRules {
        StatusClaimRules {
            is_required: false,
            prefixes: prefixes.iter().map(|one| (*one).into()).collect(),
            plain_http: false,
        }
    }

    fn of_uri(uri: &str) -> String {
        format!(r#"{{"status":{{"status_list":{{"idx":0,"uri":"{uri}"}}}}}}"#)
    }

    #[test]
    fn status_claim_is_an_index_and_the_address_of_a_list() {
        let rules = rules(&["https://example.com"]);
        // The example of s6.2.
        let found = read(&of_uri("https://example.com/statuslists/1"), &rules);
        let expected = "https://example.com/statuslists/1".to_owned();
        assert_eq!(found, Ok(Some((0, expected))));
        assert_eq!(read("{}", &rules), Ok(None));
        assert_eq!(read(r#"{"status":{"other":{}}}"#, &rules), Ok(None));
        let largest = r#"{"status":{"status_list":{"idx":18446744073709551615,"uri":"https://example.com/"}}}"#;
        assert!(matches!(read(largest, &rules), Ok(Some((u64::MAX, _)))));
    }

    #[test]
    fn status_claim_that_is_required_and_absent_is_refused() {
        let mut rules = rules(&["https://example.com"]);
        rules.is_required = true;
        for (claims, claim) in [
            ("{}", "status"),
            (r#"{"status":{"other":{}}}"#, "status.status_list"),
        ] {
            let expected =
                format!("claim={claim} problem=missing setting=required expected=object");
            assert_eq!(read(claims, &rules), Err(expected));
        }
    }

    #[test]
    fn status_claim_that_is_malformed_is_refused() {
        let rules = rules(&["https://example.com"]);
        for claims in [
            r#"{"status":null}"#,
            r#"{"status":"active"}"#,
            r#"{"status":[]}"#,
            r#"{"status":{}}"#,
            r#"{"status":{"status_list":null}}"#,
            r#"{"status":{"status_list":[]}}"#,
            r#"{"status":{"status_list":{}}}"#,
            r#"{"status":{"status_list":{"idx":0}}}"#,
            r#"{"status":{"status_list":{"uri":"https://example.com/1"}}}"#,
            r#"{"status":{"status_list":{"idx":-1,"uri":"https://example.com/1"}}}"#,
            r#"{"status":{"status_list":{"idx":1.0,"uri":"https://example.com/1"}}}"#,
            r#"{"status":{"status_list":{"idx":1e0,"uri":"https://example.com/1"}}}"#,
            r#"{"status":{"status_list":{"idx":"0","uri":"https://example.com/1"}}}"#,
            r#"{"status":{"status_list":{"idx":null,"uri":"https://example.com/1"}}}"#,
            r#"{"status":{"status_list":{"idx":18446744073709551616,"uri":"https://example.com/1"}}}"#,
            r#"{"status":{"status_list":{"idx":0,"uri":""}}}"#,
            r#"{"status":{"status_list":{"idx":0,"uri":7}}}"#,
            r#"{"status":{"status_list":{"idx":0,"uri":"http://example.com/1"}}}"#,
        ] {
            assert!(read(claims, &rules).is_err(), "{claims}");
        }
    }

    #[test]
    fn status_list_address_lies_below_a_configured_one() {
        let rules = rules(&["https://example.com", "https://cdn.example/lists/"]);
        for good in [
            "https://example.com",
            "https://example.com/",
            "https://example.com/a/b?c=d",
            "https://example.com?c=..",
            "https://example.com/a..b",
            "https://cdn.example/lists/1",
        ] {
            assert!(read(&of_uri(good), &rules).is_ok(), "{good}");
        }
        for bad in [
            "https://example.com.evil.example/1",
            "https://example.com:444/1",
            "https://sub.example.com/1",
            "https://evil.example/https://example.com/1",
            "https://cdn.example/other/1",
            "https://cdn.example/lists",
            "https://cdn.example/lists/../other",
            "https://cdn.example/lists/%2e%2E/other",
            "https://cdn.example/lists/.%2e",
            "https://cdn.example/lists/./1",
            "https://169.254.169.254/latest",
        ] {
            assert!(read(&of_uri(bad), &rules).is_err(), "{bad}");
        }
    }
}
