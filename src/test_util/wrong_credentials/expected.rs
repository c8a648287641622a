//! The documented answers, and what an answer lacks of them.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use http::response::Parts;
use http::{HeaderMap, StatusCode};

use crate::RejectionKind;

/// The documented answer to a credential.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// 401 with a challenge that has no `error` (RFC 6750 section 3.1).
    MissingToken,
    /// 400 with `invalid_request`.
    InvalidRequest,
    /// 401 with `invalid_token`.
    InvalidToken,
    /// The same, or 503 with `Retry-After` while the issuer may not be asked again.
    InvalidTokenOrUnavailable,
    /// 401 with `invalid_dpop_proof` under the scheme `DPoP` (RFC 9449 section 7.1).
    InvalidDpopProof,
    /// 401 with `use_dpop_nonce` and a new nonce (RFC 9449 section 9).
    UseDpopNonce,
    /// 403 with `insufficient_scope` and the scope.
    InsufficientScope,
    /// 403 without a challenge.
    Forbidden,
}

impl Expected {
    const fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest => StatusCode::BAD_REQUEST,
            Self::InsufficientScope | Self::Forbidden => StatusCode::FORBIDDEN,
            _ => StatusCode::UNAUTHORIZED,
        }
    }

    const fn error(self) -> Option<&'static str> {
        match self {
            Self::MissingToken | Self::Forbidden => None,
            Self::InvalidRequest => Some("invalid_request"),
            Self::InvalidToken | Self::InvalidTokenOrUnavailable => Some("invalid_token"),
            Self::InvalidDpopProof => Some("invalid_dpop_proof"),
            Self::UseDpopNonce => Some("use_dpop_nonce"),
            Self::InsufficientScope => Some("insufficient_scope"),
        }
    }

    fn described(self) -> String {
        let status = self.status().as_u16();
        match (self, self.error()) {
            (_, Some(error)) => format!("{status} `{error}`"),
            (Self::Forbidden, None) => format!("{status} without a challenge"),
            (_, None) => format!("{status} with a challenge without `error`"),
        }
    }
}

/// An answer of the application.
pub(super) struct Answer {
    pub(super) head: Parts,
    pub(super) body: Bytes,
}

impl Answer {
    /// Status and cause, for a sentence.
    pub(super) fn described(&self) -> String {
        let status = self.head.status.as_u16();
        let Some(kind) = self.head.extensions.get::<RejectionKind>() else {
            return status.to_string();
        };
        match kind.fault() {
            Some(fault) => format!("{status} (`{}`, `{fault}`)", kind.as_str()),
            None => format!("{status} (`{}`)", kind.as_str()),
        }
    }

    pub(super) fn is_accepted(&self) -> bool {
        self.head.status.as_u16() < 400
    }

    /// What differs from the documented answer. `secrets` are texts that no answer repeats.
    pub(super) fn problem(&self, expected: Expected, secrets: &[String]) -> Option<String> {
        let headers = &self.head.headers;
        let is_outage = expected == Expected::InvalidTokenOrUnavailable
            && self.head.status == StatusCode::SERVICE_UNAVAILABLE
            && headers.contains_key(RETRY_AFTER);
        if !is_outage && self.head.status != expected.status() {
            let (found, expected) = (self.described(), expected.described());
            return Some(format!("the answer is {found}, and must be {expected}"));
        }
        let wanted = if is_outage {
            Expected::Forbidden
        } else {
            expected
        };
        challenge_problem(headers, wanted)
            .or_else(|| {
                // RFC 6750 s5.3: a refusal must not come out of a cache for another caller.
                let mut fields = headers.get_all(CACHE_CONTROL).iter();
                let is_kept = !fields.any(|field| {
                    let field = field.to_str().unwrap_or_default();
                    field
                        .split(',')
                        .any(|one| one.trim().eq_ignore_ascii_case("no-store"))
                });
                is_kept.then(|| "the answer has no `Cache-Control: no-store`".to_owned())
            })
            .or_else(|| self.leak(secrets))
    }

    fn leak(&self, secrets: &[String]) -> Option<String> {
        let has = |text: &[u8]| {
            let text = String::from_utf8_lossy(text);
            secrets.iter().any(|secret| text.contains(secret.as_str()))
        };
        if has(&self.body) {
            return Some("the body of the answer repeats what was sent".to_owned());
        }
        let mut fields = self.head.headers.iter();
        let (name, _) = fields.find(|(_, value)| has(value.as_bytes()))?;
        Some(format!(
            "the field `{name}` of the answer repeats what was sent"
        ))
    }
}

fn challenge_problem(headers: &HeaderMap, expected: Expected) -> Option<String> {
    let challenges: Vec<_> = headers.get_all(WWW_AUTHENTICATE).iter().collect();
    if expected == Expected::Forbidden {
        let has_one = !challenges.is_empty();
        return has_one
            .then(|| "the answer has a challenge, and another token would not help".to_owned());
    }
    if challenges.is_empty() {
        return Some("the answer has no `WWW-Authenticate`".to_owned());
    }
    let mut errors = Vec::new();
    let (mut names_scope, mut is_dpop_error) = (false, false);
    for challenge in challenges {
        let Some(challenge) = challenge.to_str().ok().and_then(Challenge::read) else {
            let text = String::from_utf8_lossy(challenge.as_bytes());
            return Some(format!("the challenge `{text}` is malformed"));
        };
        names_scope |= challenge
            .value("scope")
            .is_some_and(|scope| !scope.is_empty());
        if let Some(error) = challenge.value("error") {
            is_dpop_error |= challenge.scheme.eq_ignore_ascii_case("DPoP");
            errors.push(error.to_owned());
        }
    }
    let Some(error) = expected.error() else {
        // RFC 6750 s3.1: no error code where the request has no authentication information.
        let first = errors.first()?;
        return Some(format!(
            "the challenge has the error `{first}`, and nothing was sent"
        ));
    };
    if errors.is_empty() || errors.iter().any(|found| found != error) {
        let found = errors.join("` and `");
        return Some(format!(
            "the error of the challenge is `{found}`, and must be `{error}`"
        ));
    }
    match expected {
        Expected::InsufficientScope if !names_scope => {
            Some("the challenge names no `scope`".to_owned())
        }
        Expected::InvalidDpopProof | Expected::UseDpopNonce if !is_dpop_error => {
            Some("the challenge is not of the scheme `DPoP`".to_owned())
        }
        Expected::UseDpopNonce if !headers.contains_key("dpop-nonce") => {
            Some("the answer has no `DPoP-Nonce`".to_owned())
        }
        _ => None,
    }
}

/// One challenge (RFC 9110 section 11.6.1), with values as quoted strings or tokens.
struct Challenge<'c> {
    scheme: &'c str,
    parameters: Vec<(&'c str, &'c str)>,
}

impl<'c> Challenge<'c> {
    /// `None` for a malformed one, and for one without parameters (RFC 6750 section 3).
    fn read(text: &'c str) -> Option<Self> {
        let (scheme, mut rest) = text.split_once(' ')?;
        let mut parameters = Vec::new();
        loop {
            let (name, value) = rest.split_once('=')?;
            let is_token = |text: &str| {
                let is_tchar =
                    |one: char| one.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(one);
                !text.is_empty() && text.chars().all(is_tchar)
            };
            let (value, behind) = match value.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => match value.find(',') {
                    Some(end) => value.split_at_checked(end)?,
                    None => (value, ""),
                },
            };
            if !is_token(name) {
                return None;
            }
            parameters.push((name, value));
            if behind.is_empty() {
                return Some(Self { scheme, parameters });
            }
            rest = behind.strip_prefix(',')?.trim_start_matches(' ');
        }
    }

    fn value(&self, name: &str) -> Option<&'c str> {
        let mut parameters = self.parameters.iter();
        parameters
            .find(|(other, _)| *other == name)
            .map(|(_, value)| *value)
    }
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    fn problem(expected: Expected, status: u16, challenges: &[&str]) -> Option<String> {
        let mut response = Response::builder()
            .status(status)
            .header("cache-control", "no-store");
        for challenge in challenges {
            response = response.header("www-authenticate", *challenge);
        }
        let (head, ()) = response.body(()).expect("a response").into_parts();
        let body = Bytes::from_static(b"{}");
        Answer { head, body }.problem(expected, &["secret".to_owned()])
    }

    #[test]
    fn an_answer_is_compared_with_the_documented_one() {
        let bearer = "Bearer realm=\"a, b\", error=\"invalid_token\"";
        assert_eq!(problem(Expected::InvalidToken, 401, &[bearer]), None);
        assert_eq!(
            problem(Expected::MissingToken, 401, &["Bearer realm=\"a\""]),
            None
        );
        assert_eq!(problem(Expected::Forbidden, 403, &[]), None);
        let scope = "Bearer error=insufficient_scope,scope=\"a b\"";
        assert_eq!(problem(Expected::InsufficientScope, 403, &[scope]), None);
        let proof = "DPoP error=\"invalid_dpop_proof\", algs=\"ES256\"";
        assert_eq!(
            problem(
                Expected::InvalidDpopProof,
                401,
                &["Bearer realm=\"a\"", proof]
            ),
            None
        );
        for (expected, status, challenges, words) in [
            (Expected::InvalidToken, 200, &[][..], "the answer is 200"),
            (Expected::InvalidToken, 401, &[], "no `WWW-Authenticate`"),
            (Expected::InvalidToken, 401, &["Bearer"], "is malformed"),
            (
                Expected::InvalidToken,
                401,
                &["Bearer realm=\"a"],
                "is malformed",
            ),
            (
                Expected::InvalidToken,
                401,
                &["Bearer realm=\"a\" x=\"b\""],
                "is malformed",
            ),
            (
                Expected::InvalidToken,
                401,
                &["Bearer realm=\"a\""],
                "must be `invalid_token`",
            ),
            (
                Expected::InvalidRequest,
                400,
                &[bearer],
                "must be `invalid_request`",
            ),
            (Expected::MissingToken, 401, &[bearer], "nothing was sent"),
            (Expected::Forbidden, 403, &[bearer], "would not help"),
            (
                Expected::InvalidToken,
                401,
                &["Bearer error=\"invalid_token\", x=\"secret\""],
                "repeats",
            ),
            (Expected::InvalidToken, 503, &[], "the answer is 503"),
        ] {
            let found = problem(expected, status, challenges).unwrap_or_default();
            assert!(found.contains(words), "{status} {challenges:?}: {found}");
        }
        let unscoped = problem(
            Expected::InsufficientScope,
            403,
            &["Bearer error=\"insufficient_scope\""],
        );
        assert_eq!(unscoped.as_deref(), Some("the challenge names no `scope`"));
        let bearer = problem(
            Expected::InvalidDpopProof,
            401,
            &["Bearer error=\"invalid_dpop_proof\""],
        );
        assert_eq!(
            bearer.as_deref(),
            Some("the challenge is not of the scheme `DPoP`")
        );
    }

    #[test]
    fn an_answer_that_caches_keep_or_that_repeats_the_token_has_a_problem() {
        for (cache, body, words) in [
            ("max-age=60", "", "no `Cache-Control: no-store`"),
            (
                "private, no-store",
                "the secret is",
                "repeats what was sent",
            ),
        ] {
            let response = Response::builder()
                .status(403)
                .header("cache-control", cache);
            let (head, ()) = response.body(()).expect("a response").into_parts();
            let answer = Answer {
                head,
                body: Bytes::from_static(body.as_bytes()),
            };
            let found = answer.problem(Expected::Forbidden, &["secret".to_owned()]);
            assert!(
                found.as_deref().unwrap_or_default().contains(words),
                "{found:?}"
            );
        }
    }
}
