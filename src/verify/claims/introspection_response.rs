//! What an issuer's endpoint says of a token: the only way from an answer's bytes to `ActiveToken`
//! (RFC 7662 section 2.2, RFC 9701 section 5).
//!
//! 1. An answer is one strict JSON object; see [`json`](super::json).
//! 2. Where the endpoint states `active`, only the boolean `true` attests, and only `false`
//!    denies. Anything else is no answer, and says nothing about the token.
//! 3. A signed answer counts only if it is of its own type, by the issuer and for us; what
//!    stands beside `token_introspection` is about the answer, and never about the token.
//! 4. An answer that names no end holds for a short time, counted from when it was asked for.
//! 5. A member that is `null`, an empty text or an empty list is absent, since serialisers write
//!    what they do not know that way. Where a member is demanded, it is missing then. Excepted are
//!    `active`, the members that state the end, and `cnf`, of which only `null` is absent: a
//!    mistake in these must not make a token better.
//! 6. A signed answer has an age: it was made for this question, or shortly before.

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

/// How an endpoint speaks.
#[derive(Clone, Debug)]
pub(crate) struct ResponseFormat {
    /// Whether an answer is about a good token only if it says `active`.
    pub(crate) states_active: bool,
    /// The member that holds the seconds that the token still lives.
    pub(crate) lifetime: Option<Box<str>>,
}

/// When an answer was asked for, and how long it holds where it names no end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReceivedAt {
    pub(crate) asked: UnixTime,
    pub(crate) brief: Duration,
}

/// An issuer's word that a token is good. Nothing is said about what it is good for.
pub(crate) struct ActiveToken<'a> {
    claims: Object<'a>,
    text: &'a Arc<str>,
    lifetime: Option<&'a str>,
    moment: ReceivedAt,
}

/// Why bytes are no answer, as a phrase that follows "the answer".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResponseError {
    NotJson,
    Duplicate,
    NoActive,
}

impl<'a> ActiveToken<'a> {
    /// Reads an answer. `None` when the token is not active.
    pub(crate) fn read(
        text: &'a Arc<str>,
        idiom: &'a ResponseFormat,
        moment: ReceivedAt,
    ) -> Result<Option<Self>, ResponseError> {
        let claims = Object::parse_str(text).map_err(|fault| match fault {
            JsonFault::Malformed => ResponseError::NotJson,
            JsonFault::Duplicate => ResponseError::Duplicate,
        })?;
        match claims.get("active") {
            Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => return Ok(None),
            None if !idiom.states_active => {}
            _ => return Err(ResponseError::NoActive),
        }
        Ok(Some(Self {
            claims: claims.without_empty_members(),
            text,
            lifetime: idiom.lifetime.as_deref(),
            moment,
        }))
    }

    pub(crate) const fn claims(&self) -> &Object<'a> {
        &self.claims
    }

    pub(in crate::verify) const fn text(&self) -> &'a Arc<str> {
        self.text
    }

    /// Whether the token is bound to a key (RFC 7800 section 3.1).
    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    pub(super) fn is_bound(&self) -> bool {
        let confirmation = self.claims.get_even_if_empty("cnf");
        confirmation.is_some_and(|value| value != Value::Null)
    }

    /// When the token ends, or where the answer does not say, when the answer does. Of two
    /// statements the earlier one counts.
    pub(in crate::verify) fn end(&self) -> Result<UnixTime, TokenError> {
        let lifetime = ["exp"].into_iter().chain(self.lifetime);
        for name in lifetime {
            // Present and of another type: the end is not known, and not the shortest one.
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
                    Some(self.moment.asked.saturating_add(Duration::from_secs(left)))
                }
            },
        };
        Ok(match (absolute, relative) {
            (Some(one), Some(other)) => one.min(other),
            (Some(end), None) | (None, Some(end)) => end,
            (None, None) => self.moment.asked.saturating_add(self.moment.brief),
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

/// The `typ` of a signed answer, without `application/` (RFC 9701 section 5).
const SIGNED_TYPE: &str = "token-introspection+jwt";

/// The media type of a signed answer (RFC 9701 section 4).
pub(crate) const SIGNED_MEDIA_TYPE: &str = "application/token-introspection+jwt";

/// How far the `iat` of a signed answer may be from the question, either way, by default: an older
/// one may be a good answer that somebody plays back.
pub(crate) const MOST_APART: Duration = Duration::from_secs(300);

/// What a signed answer is compared with.
#[derive(Clone, Copy)]
pub(crate) struct ExpectedSigner<'e> {
    pub(crate) issuer: &'e str,
    /// Whom answers are for.
    pub(crate) us: &'e [Box<str>],
    pub(crate) time: AnswerTime,
}

/// The times that a signed answer is compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnswerTime {
    /// When the question was asked.
    pub(crate) asked: UnixTime,
    /// When the answer is used: later than `asked` where another instance has asked.
    pub(crate) used: UnixTime,
    /// How far `iat` may be from `asked`; the leeway comes on top, as for any date of an issuer.
    pub(crate) apart: Duration,
    pub(crate) leeway: Duration,
}

/// Why a signed answer does not count, as a phrase that follows "the signed answer".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureProblem {
    Type,
    Issuer,
    Audience,
    /// There is no answer in it.
    Empty,
    /// `exp`, `nbf` or `iat` is no date, or a demanded one is missing.
    Date,
    Expired,
    NotYetValid,
    /// Its `iat` is too far from the question.
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

/// The answer inside a signed one, and when it ends where it says so.
pub(crate) fn signed_answer(
    signed: &Signed<'_>,
    expected: ExpectedSigner<'_>,
) -> Result<(Arc<str>, Option<UnixTime>), SignatureProblem> {
    // RFC 9701 s5: the type keeps answers and access tokens apart.
    let stated = signed.header().get("typ").and_then(Value::as_text);
    let is_typed = |typ: &str| bare_type(typ).eq_ignore_ascii_case(SIGNED_TYPE);
    if !stated.is_some_and(|typ| is_typed(&typ)) {
        return Err(SignatureProblem::Type);
    }
    let claims = &signed.claims();
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
    /// Checks the dates that a signed answer states of itself, and says when it ends.
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
                if made > self.asked.saturating_add(apart)
                    || made.saturating_add(apart) < self.asked =>
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

    const MOMENT: ReceivedAt = ReceivedAt {
        asked: UnixTime::from_secs(1000),
        brief: Duration::from_secs(10),
    };

    fn read(
        text: &str,
        idiom: &ResponseFormat,
    ) -> Result<Option<Result<i64, TokenFault>>, ResponseError> {
        let text: Arc<str> = text.into();
        let read = ActiveToken::read(&text, idiom, MOMENT)?;
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
        let idiom = ResponseFormat {
            states_active: false,
            lifetime: Some("expires_in".into()),
        };
        let end = |text| read(text, &idiom).expect("an answer").expect("active");
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
        assert_eq!(read(r#"{"active":false}"#, &idiom), Ok(None));
        assert_eq!(
            read(r#"{"active":"yes"}"#, &idiom),
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
}
