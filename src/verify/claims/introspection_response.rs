//! Introspection responses: the only way from the bytes of one to `ActiveToken` (RFC 7662 section
//! 2.2, RFC 9701 section 5).
//!
//! 1. A response is one strict JSON object; see `verify/json`.
//! 2. Where the endpoint states `active`, the boolean `true` means active and `false` inactive. Any
//!    other value makes the response invalid; it says nothing about the token.
//! 3. A signed response counts only with its own `typ`, by the issuer and for this server. Claims
//!    beside `token_introspection` are about the response, not about the token.
//! 4. A response without an end is cached for a short time from the request.
//! 5. A member that is `null`, an empty string or an empty list counts as absent, since serializers
//!    write unknown values that way. Exceptions are `active`, the members that state the end, and
//!    `cnf`, of which only `null` is absent: an error in these must not widen what a token allows.
//! 6. The `iat` of a signed response lies near the request, so that an old one is not replayed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::model::error::rejection_detail::Problem;
use crate::model::error::token_error::TokenError;
use crate::model::time::UnixTime;
use crate::verify::claims::token_type::bare_type;
use crate::verify::jose::signature::Signed;
use crate::verify::json::claim_error::claim_error;
use crate::verify::json::claims_reader::{Rounding, date, strings};
use crate::verify::json::object::{JsonFault, Object, Value};

/// The format of an endpoint's responses.
#[derive(Clone, Debug)]
pub(crate) struct ResponseFormat {
    /// Whether a response must state `active`.
    pub(crate) states_active: bool,
    /// The member that holds the token's remaining life in seconds.
    pub(crate) lifetime: Option<Box<str>>,
}

/// The time of a request, and how long its response holds where it states no end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReceivedAt {
    pub(crate) requested_at: UnixTime,
    pub(crate) brief: Duration,
}

/// A token that its issuer reports as active. Its claims are not checked yet.
pub(crate) struct ActiveToken<'a> {
    claims: Object<'a>,
    text: &'a Arc<str>,
    lifetime: Option<&'a str>,
    received: ReceivedAt,
}

/// Why bytes are not a response, as a phrase that follows "the answer".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResponseError {
    NotJson,
    Duplicate,
    NoActive,
}

impl<'a> ActiveToken<'a> {
    /// Reads a response. `None` when the token is not active.
    pub(crate) fn read(
        text: &'a Arc<str>,
        format: &'a ResponseFormat,
        received: ReceivedAt,
    ) -> Result<Option<Self>, ResponseError> {
        let claims = Object::parse_str(text).map_err(|fault| match fault {
            JsonFault::Malformed | JsonFault::TooManyNames => ResponseError::NotJson,
            JsonFault::Duplicate => ResponseError::Duplicate,
        })?;
        match claims.get("active") {
            Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => return Ok(None),
            None if !format.states_active => {}
            _ => return Err(ResponseError::NoActive),
        }
        Ok(Some(Self {
            claims: claims.without_empty_members(),
            text,
            lifetime: format.lifetime.as_deref(),
            received,
        }))
    }

    pub(crate) const fn claims(&self) -> &Object<'a> {
        &self.claims
    }

    pub(in crate::verify) const fn text(&self) -> &'a Arc<str> {
        self.text
    }

    /// The end of the token, or of the response where it states none; the earlier of two.
    pub(in crate::verify) fn end(&self) -> Result<UnixTime, TokenError> {
        let lifetime = ["exp"].into_iter().chain(self.lifetime);
        for name in lifetime {
            // An end of another type is an error, not the default end.
            if self.claims.get(name).is_none() && self.claims.get_even_if_empty(name).is_some() {
                return Err(claim_error(name, Problem::WrongType, "a number"));
            }
        }
        let absolute = date(&self.claims, "exp", Rounding::Down)?;
        let relative = match self.lifetime {
            None => None,
            Some(name) => match date(&self.claims, name, Rounding::Down)? {
                None => None,
                Some(left) => {
                    let left = u64::try_from(left.as_secs()).map_err(|_| {
                        claim_error(name, Problem::Malformed, "a number of seconds from 0")
                    })?;
                    Some(
                        self.received
                            .requested_at
                            .saturating_add(Duration::from_secs(left)),
                    )
                }
            },
        };
        Ok(match (absolute, relative) {
            (Some(one), Some(other)) => one.min(other),
            (Some(end), None) | (None, Some(end)) => end,
            (None, None) => self
                .received
                .requested_at
                .saturating_add(self.received.brief),
        })
    }
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotJson => "is not one json object",
            Self::Duplicate => "names a member twice",
            Self::NoActive => "has no boolean `active`",
        })
    }
}

/// The `typ` of a signed response, without `application/` (RFC 9701 section 5).
const SIGNED_TYPE: &str = "token-introspection+jwt";

/// The media type of a signed response (RFC 9701 section 4).
pub(crate) const SIGNED_MEDIA_TYPE: &str = "application/token-introspection+jwt";

/// The default limit of the distance between the `iat` of a signed response and the request, in
/// either direction: it bounds replay of an old response.
pub(crate) const MOST_APART: Duration = Duration::from_secs(300);

/// What a signed response is compared with.
#[derive(Clone, Copy)]
pub(crate) struct ExpectedSigner<'e> {
    pub(crate) issuer: &'e str,
    /// The accepted audiences.
    pub(crate) us: &'e [Box<str>],
    pub(crate) time: AnswerTime,
}

/// The times that a signed response is compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnswerTime {
    /// The time of the request.
    pub(crate) requested_at: UnixTime,
    /// The time of use: later than `requested_at` where another instance made the request.
    pub(crate) used: UnixTime,
    /// How far `iat` may be from `requested_at`; the leeway is added.
    pub(crate) apart: Duration,
    pub(crate) leeway: Duration,
}

/// Why a signed response does not count, as a phrase that follows "the signed answer".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureProblem {
    Type,
    Issuer,
    Audience,
    /// There is no response in it.
    Empty,
    /// `exp`, `nbf` or `iat` is not a date, or a required one is missing.
    Date,
    Expired,
    NotYetValid,
    /// Its `iat` is too far from the request.
    Age,
}

impl fmt::Display for SignatureProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Type => "is of another type",
            Self::Issuer => "is not by the issuer",
            Self::Audience => "is not for us",
            Self::Empty => "has no object `token_introspection`",
            Self::Date => "has a date that cannot be read, or no `iat`",
            Self::Expired => "has expired (`exp`)",
            Self::NotYetValid => "is not valid yet (`nbf`)",
            Self::Age => "was not made for this question: its `iat` is too far from it",
        })
    }
}

/// The response inside a signed one, and its `exp`.
pub(crate) fn signed_answer(
    signed: &Signed<'_>,
    expected: ExpectedSigner<'_>,
) -> Result<(Arc<str>, Option<UnixTime>), SignatureProblem> {
    // RFC 9701 s5: the type separates responses and access tokens.
    let stated = signed.header().get("typ").and_then(Value::as_text);
    let is_typed = |typ: &str| bare_type(typ).eq_ignore_ascii_case(SIGNED_TYPE);
    if !stated.is_some_and(|typ| is_typed(&typ)) {
        return Err(SignatureProblem::Type);
    }
    let claims = signed.claims();
    let by = claims.get("iss").and_then(Value::as_text);
    if by.as_deref() != Some(expected.issuer) {
        return Err(SignatureProblem::Issuer);
    }
    let audience = claims.get("aud").and_then(strings).unwrap_or_default();
    let is_us = |one: &str| expected.us.iter().any(|our| **our == *one);
    if !audience.iter().any(|one| is_us(one)) {
        return Err(SignatureProblem::Audience);
    }
    // RFC 9701 s5 demands `iat`.
    if !matches!(claims.get("iat"), Some(Value::Number(_))) {
        return Err(SignatureProblem::Date);
    }
    let end = expected.time.check(claims)?;
    match claims.get("token_introspection") {
        Some(Value::Object(text)) => Ok((text.into(), end)),
        _ => Err(SignatureProblem::Empty),
    }
}

impl AnswerTime {
    /// Checks the dates of a signed response and returns its `exp`.
    pub(in crate::verify) fn check(
        self,
        claims: &Object<'_>,
    ) -> Result<Option<UnixTime>, SignatureProblem> {
        let read = |name, rounding| match claims.get(name) {
            Some(Value::Null) if name != "exp" => Ok(None),
            _ => date(claims, name, rounding).map_err(|_| SignatureProblem::Date),
        };
        // RFC 7519 s4.1.4: on or after `exp` it must not be accepted.
        let end = read("exp", Rounding::Down)?;
        if end.is_some_and(|end| end.saturating_add(self.leeway) <= self.used) {
            return Err(SignatureProblem::Expired);
        }
        // RFC 7519 s4.1.5.
        let from = read("nbf", Rounding::Up)?;
        if from.is_some_and(|from| from > self.used.saturating_add(self.leeway)) {
            return Err(SignatureProblem::NotYetValid);
        }
        let apart = self.apart.saturating_add(self.leeway);
        match read("iat", Rounding::Down)? {
            Some(made)
                if made > self.requested_at.saturating_add(apart)
                    || made.saturating_add(apart) < self.requested_at =>
            {
                Err(SignatureProblem::Age)
            }
            _ => Ok(end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::error::rejection::TokenFault;

    const RECEIVED_AT: ReceivedAt = ReceivedAt {
        requested_at: UnixTime::from_secs(1000),
        brief: Duration::from_secs(10),
    };

    fn read(
        text: &str,
        format: &ResponseFormat,
    ) -> Result<Option<Result<i64, TokenFault>>, ResponseError> {
        let text: Arc<str> = text.into();
        let read = ActiveToken::read(&text, format, RECEIVED_AT)?;
        Ok(read.map(|answer| {
            answer
                .end()
                .map(UnixTime::as_secs)
                .map_err(TokenFault::from)
        }))
    }

    fn by_active() -> ResponseFormat {
        ResponseFormat {
            states_active: true,
            lifetime: None,
        }
    }

    #[test]
    fn only_a_boolean_true_attests_and_only_a_boolean_false_denies() {
        let read = |text| read(text, &by_active());
        assert_eq!(read(r#"{"active":true,"exp":2000}"#), Ok(Some(Ok(2000))));
        assert_eq!(read(r#"{"active":false}"#), Ok(None));
        assert_eq!(read(r#"{"active":false,"exp":"later"}"#), Ok(None));
        for other in [
            "{}",
            r#"{"active":null}"#,
            r#"{"active":"true"}"#,
            r#"{"active":"false"}"#,
            r#"{"active":1}"#,
            r#"{"active":0}"#,
            r#"{"active":[true]}"#,
            r#"{"active":{"value":true}}"#,
            r#"{"Active":true}"#,
            r#"{"data":{"active":true}}"#,
        ] {
            assert_eq!(read(other), Err(ResponseError::NoActive), "{other}");
        }
        for twice in [
            r#"{"active":false,"active":true}"#,
            r#"{"active":true,"active":true}"#,
            r#"{"active":true,"\u0061ctive":true}"#,
            r#"{"active":true,"a":{"b":1,"b":2}}"#,
        ] {
            assert_eq!(read(twice), Err(ResponseError::Duplicate), "{twice}");
        }
        let deep = format!(
            r#"{{"active":true,"a":{}{}}}"#,
            "[".repeat(100),
            "]".repeat(100)
        );
        for broken in ["", "true", "[]", r#"{"active":true}x"#, "<html>", &deep] {
            assert_eq!(read(broken), Err(ResponseError::NotJson), "{broken}");
        }
    }

    #[test]
    fn an_end_is_stated_as_a_date_or_as_a_span_and_the_earlier_one_counts() {
        let format = ResponseFormat {
            states_active: false,
            lifetime: Some("expires_in".into()),
        };
        let end = |text| read(text, &format).expect("an answer").expect("active");
        assert_eq!(end(r#"{"expires_in":60}"#), Ok(1060));
        assert_eq!(end(r#"{"expires_in":60.9}"#), Ok(1060));
        assert_eq!(end(r#"{"expires_in":0}"#), Ok(1000));
        assert_eq!(end(r#"{"expires_in":60,"exp":1030}"#), Ok(1030));
        assert_eq!(end(r#"{"expires_in":60,"exp":1090}"#), Ok(1060));
        assert_eq!(end("{}"), Ok(1010), "briefly");
        assert_eq!(
            end(r#"{"active":true}"#),
            Ok(1010),
            "where it is stated it counts"
        );
        assert_eq!(read(r#"{"active":false}"#, &format), Ok(None));
        assert_eq!(
            read(r#"{"active":"yes"}"#, &format),
            Err(ResponseError::NoActive)
        );
        for odd in [
            r#"{"expires_in":-1}"#,
            r#"{"expires_in":"60"}"#,
            r#"{"expires_in":null}"#,
            r#"{"expires_in":60,"exp":"later"}"#,
        ] {
            assert_eq!(end(odd), Err(TokenFault::Claims), "{odd}");
        }
    }

    #[test]
    fn each_problem_of_an_answer_has_a_text_of_its_own() {
        use SignatureProblem::{Age, Audience, Date, Empty, Expired, Issuer, NotYetValid, Type};
        let signed = [
            Type,
            Issuer,
            Audience,
            Empty,
            Date,
            Expired,
            NotYetValid,
            Age,
        ];
        let plain = [
            ResponseError::NotJson,
            ResponseError::Duplicate,
            ResponseError::NoActive,
        ];
        let mut texts: Vec<String> = signed.iter().map(ToString::to_string).collect();
        texts.extend(plain.iter().map(ToString::to_string));
        let all = texts.len();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), all);
        assert!(texts.iter().all(|text| !text.is_empty()));
    }
}
