//! The status list token check: the only way from `Signed` to a list
//! (draft-ietf-oauth-status-list-21 sections 5.1 and 8.3).
//!
//! 1. Signature and algorithm are those of the issuer's other tokens; they were checked before.
//! 2. Its `typ` says that it is one, so that no other token passes for a list.
//! 3. Its `sub` is the address by which it was fetched, and its `iss`, where it has one, the issuer.
//! 4. It was issued already, and has not expired.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use base64_simd::URL_SAFE_NO_PAD;

use crate::model::error::rejection::TokenFault;
use crate::model::error::token_error::TokenError;
use crate::model::time::UnixTime;
use crate::verify::claims::token_type::bare_type;
use crate::verify::jose::signature::Signed;
use crate::verify::json::claims_reader::{Rounding, date, optional_text, required_text};
use crate::verify::json::object::{Object, Value};
use crate::verify::policy::issuer_policy::IssuerPolicy;
use crate::verify::status_list::list::{DecompressError, StatusList};

/// A verified list, and how long it may be used.
#[derive(Debug)]
pub(crate) struct ListToken {
    pub(crate) list: StatusList,
    pub(crate) issued_at: UnixTime,
    pub(crate) expires_at: Option<UnixTime>,
    /// How long it may be cached, in whole seconds, at least one.
    pub(crate) ttl: Option<Duration>,
}

/// What a list token must be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExpectedList<'e> {
    pub(crate) uri: &'e str,
    /// The bound on the decompressed list.
    pub(crate) most_bytes: usize,
    pub(crate) now: UnixTime,
}

/// What is wrong with a list token, for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListFault {
    /// A fault of any token.
    Token(TokenFault),
    /// Its `typ` is not `statuslist+jwt`.
    Type,
    /// Its `iss` is not the issuer.
    Issuer,
    /// Its `sub` is not the address of the list.
    Subject,
    /// It has no `iat`.
    NoIssueTime,
    /// Its `ttl` is no positive number.
    Ttl,
    /// It has no `status_list` object.
    NoList,
    /// `bits` is not 1, 2, 4 or 8.
    Bits,
    /// `lst` is not base64url.
    Encoding,
    /// `lst` is not compressed as it has to be.
    Compression(DecompressError),
}

impl From<TokenFault> for ListFault {
    fn from(fault: TokenFault) -> Self {
        Self::Token(fault)
    }
}

impl From<TokenError> for ListFault {
    fn from(error: TokenError) -> Self {
        Self::Token(error.into())
    }
}

impl fmt::Display for ListFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(fault) => return fault.fmt(f),
            Self::Type => "its `typ` is not `statuslist+jwt`",
            Self::Issuer => "its `iss` is another issuer",
            Self::Subject => "its `sub` is not the address of the list",
            Self::NoIssueTime => "it has no `iat`",
            Self::Ttl => "its `ttl` is no positive number",
            Self::NoList => "it has no `status_list` object",
            Self::Bits => "its `bits` are not 1, 2, 4 or 8",
            Self::Encoding => "its `lst` is not base64url",
            Self::Compression(DecompressError::Malformed) => "its `lst` is no zlib stream",
            Self::Compression(DecompressError::Truncated) => "its zlib stream is cut off",
            Self::Compression(DecompressError::Trailing) => "bytes follow its zlib stream",
            Self::Compression(DecompressError::TooLarge(most)) => {
                return write!(f, "its list has more than {most} bytes");
            }
        })
    }
}

impl ListToken {
    /// Checks a signed token, in the order of s8.3.
    pub(crate) fn check(
        signed: &Signed<'_>,
        rules: &IssuerPolicy,
        expected: ExpectedList<'_>,
    ) -> Result<Self, ListFault> {
        check_type(signed.header())?;
        let claims = signed.claims();
        match optional_text(claims, "iss")? {
            Some(issuer) if !rules.is_named(&issuer) => return Err(ListFault::Issuer),
            _ => {}
        }
        if required_text(claims, "sub")? != expected.uri {
            return Err(ListFault::Subject);
        }
        let (issued_at, expires_at) = check_times(claims, rules.leeway, expected.now)?;
        Ok(Self {
            ttl: ttl(claims)?,
            list: list(claims, expected.most_bytes)?,
            issued_at,
            expires_at,
        })
    }
}

fn check_type(header: &Object<'_>) -> Result<(), ListFault> {
    let stated = header.get("typ").and_then(Value::as_text);
    let is_list = stated.is_some_and(|stated| {
        // RFC 2045 s5.1: media types have no case.
        bare_type(&stated).eq_ignore_ascii_case("statuslist+jwt")
    });
    if is_list {
        Ok(())
    } else {
        Err(ListFault::Type)
    }
}

fn check_times(
    claims: &Object<'_>,
    leeway: Duration,
    now: UnixTime,
) -> Result<(UnixTime, Option<UnixTime>), ListFault> {
    let issued_at = date(claims, "iat", Rounding::Up)?.ok_or(ListFault::NoIssueTime)?;
    let expires_at = date(claims, "exp", Rounding::Down)?;
    let not_before = date(claims, "nbf", Rounding::Up)?;
    if expires_at.is_some_and(|end| now >= end.saturating_add(leeway)) {
        return Err(TokenFault::Expired.into());
    }
    let earliest = not_before.map_or(issued_at, |from| from.max(issued_at));
    if now < earliest.saturating_sub(leeway) {
        return Err(TokenFault::NotYetValid.into());
    }
    Ok((issued_at, expires_at))
}

/// s5.1: a positive number of seconds.
fn ttl(claims: &Object<'_>) -> Result<Option<Duration>, ListFault> {
    let stated = date(claims, "ttl", Rounding::Up).map_err(|_| ListFault::Ttl)?;
    match stated.map(|seconds| u64::try_from(seconds.as_secs())) {
        None => Ok(None),
        Some(Ok(seconds @ 1..)) => Ok(Some(Duration::from_secs(seconds))),
        Some(_) => Err(ListFault::Ttl),
    }
}

/// s4.2.
fn list(claims: &Object<'_>, most_bytes: usize) -> Result<StatusList, ListFault> {
    let Some(Value::Object(text)) = claims.get("status_list") else {
        return Err(ListFault::NoList);
    };
    let members = Object::parse_str(text).map_err(|_| ListFault::NoList)?;
    let bits = match members.get("bits") {
        Some(Value::Number("1")) => 1,
        Some(Value::Number("2")) => 2,
        Some(Value::Number("4")) => 4,
        Some(Value::Number("8")) => 8,
        _ => return Err(ListFault::Bits),
    };
    let encoded: Option<Cow<'_, str>> = members.get("lst").and_then(Value::as_text);
    let encoded = encoded.ok_or(ListFault::Encoding)?;
    let compressed = URL_SAFE_NO_PAD
        .decode_to_vec(encoded.as_bytes())
        .map_err(|_| ListFault::Encoding)?;
    StatusList::decompress(bits, &compressed, most_bytes).map_err(ListFault::Compression)
}
