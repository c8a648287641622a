//! Typed reads of claims. A claim with another type is a fault, not an absent claim.

use std::borrow::Cow;

use crate::model::claim_path::ClaimPath;
use crate::model::error::rejection_detail::Problem;
use crate::model::error::token_error::TokenError;
use crate::model::ids::MAX_FOREIGN_ID_BYTES;
use crate::model::time::UnixTime;
use crate::verify::json::claim_error::{ClaimName, claim_error, no_text, wrong_type};
use crate::verify::json::object::{Object, Value};

/// The strings of a string or of an array that has only strings.
pub(in crate::verify) fn strings(value: Value<'_>) -> Option<Vec<Cow<'_, str>>> {
    texts(value)?.collect()
}

/// Like [`strings`], as an iterator; an element that is not a string is `None`.
pub(in crate::verify) fn texts(
    value: Value<'_>,
) -> Option<impl Iterator<Item = Option<Cow<'_, str>>>> {
    let (lone, elements) = match value {
        Value::String(quoted) => (Some(Some(quoted.text())), None),
        Value::Array(_) => (None, Some(value.elements()?.map(Value::as_text))),
        _ => return None,
    };
    Some(lone.into_iter().chain(elements.into_iter().flatten()))
}

/// A claim that must be there, as a string that is not blank.
#[inline]
pub(in crate::verify) fn required_text<'c>(
    claims: &Object<'c>,
    name: &str,
) -> Result<Cow<'c, str>, TokenError> {
    optional_text(claims, name)?.ok_or_else(|| no_text(name, None))
}

/// A claim that may be absent. Present with another type, or blank, is a fault.
#[inline]
pub(in crate::verify) fn optional_text<'c>(
    claims: &Object<'c>,
    name: &str,
) -> Result<Option<Cow<'c, str>>, TokenError> {
    let value = claims.get(name);
    match value.map(Value::as_text) {
        None => Ok(None),
        Some(Some(text)) if !is_blank(&text) => Ok(Some(text)),
        Some(_) => Err(no_text(name, value)),
    }
}

/// A claim that may be absent. A blank string and `null` count as absent: some servers write every
/// member.
#[inline]
pub(in crate::verify) fn text_or_absent<'c>(
    claims: &Object<'c>,
    name: &str,
) -> Result<Option<Cow<'c, str>>, TokenError> {
    present_text(name, claims.get(name))
}

/// Like [`text_or_absent`], at a path.
pub(in crate::verify) fn text_at<'c>(
    claims: &Object<'c>,
    path: &ClaimPath,
) -> Result<Option<Cow<'c, str>>, TokenError> {
    present_text(path, value_at(claims, path)?)
}

#[inline]
fn present_text<'c>(
    name: &(impl ClaimName + ?Sized),
    value: Option<Value<'c>>,
) -> Result<Option<Cow<'c, str>>, TokenError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(quoted)) => Ok(Some(quoted.text()).filter(|text| !is_blank(text))),
        Some(other) => Err(wrong_type(name, "string", other)),
    }
}

/// An id that the issuer chose: at most [`MAX_FOREIGN_ID_BYTES`] long. An empty one and `null` count
/// as absent.
#[inline]
pub(in crate::verify) fn id<'c>(
    claims: &Object<'c>,
    name: &str,
) -> Result<Option<Cow<'c, str>>, TokenError> {
    within_bound(name, text_or_absent(claims, name)?)
}

/// Like [`id`], where an empty one and `null` are faults.
#[inline]
pub(in crate::verify) fn strict_id<'c>(
    claims: &Object<'c>,
    name: &str,
) -> Result<Option<Cow<'c, str>>, TokenError> {
    within_bound(name, optional_text(claims, name)?)
}

/// Like [`strict_id`], at a configured path.
pub(in crate::verify) fn strict_id_at<'c>(
    claims: &Object<'c>,
    path: &ClaimPath,
) -> Result<Option<Cow<'c, str>>, TokenError> {
    match value_at(claims, path)? {
        None => Ok(None),
        Some(Value::String(quoted)) if !is_blank(&quoted.text()) => {
            within_bound(path, Some(quoted.text()))
        }
        Some(found) => Err(wrong_type(path, "a string that is not empty", found)),
    }
}

#[inline]
fn within_bound<'c>(
    name: &(impl ClaimName + ?Sized),
    id: Option<Cow<'c, str>>,
) -> Result<Option<Cow<'c, str>>, TokenError> {
    match id {
        Some(id) if id.len() > MAX_FOREIGN_ID_BYTES => Err(too_long(name)),
        id => Ok(id),
    }
}

/// The error for an id that is longer than a revocation can name.
#[cold]
pub(in crate::verify) fn too_long(name: &(impl ClaimName + ?Sized)) -> TokenError {
    const EXPECTED: &str = "at most 1024 bytes";
    const { assert!(MAX_FOREIGN_ID_BYTES == 1024) };
    claim_error(name, Problem::TooLong, EXPECTED)
}

/// Whether a text is empty or has only white space and characters without width.
pub(in crate::verify) fn is_blank(text: &str) -> bool {
    // Fast path: almost every text begins with a printable ASCII character.
    match text.as_bytes().first() {
        Some(b'!'..=b'~') => false,
        _ => text.chars().all(is_invisible),
    }
}

fn is_invisible(one: char) -> bool {
    one.is_whitespace()
        || one.is_control()
        || matches!(
            one,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}'
        )
}

/// The value at a path; absent where a name on the path is missing or its value is `null`.
#[inline]
pub(in crate::verify) fn value_at<'c>(
    claims: &Object<'c>,
    path: &ClaimPath,
) -> Result<Option<Value<'c>>, TokenError> {
    match claims.at_path(path.members()) {
        Ok(found) => Ok(found),
        Err(_) => path_error(claims, path),
    }
}

/// The error for a path through something other than objects.
#[cold]
fn path_error<'c>(claims: &Object<'c>, path: &ClaimPath) -> Result<Option<Value<'c>>, TokenError> {
    let members = path.members();
    for length in 1..members.len() {
        let way = members.get(..length).unwrap_or_default();
        match claims.at_path(way) {
            Ok(Some(Value::Object(_))) => {}
            Ok(None | Some(Value::Null)) => return Ok(None),
            Ok(Some(other)) => return Err(wrong_type(path, "objects on the way", other)),
            Err(_) => break,
        }
    }
    Err(claim_error(path, Problem::WrongType, "objects on the way"))
}

#[derive(Clone, Copy)]
pub(in crate::verify) enum Rounding {
    Down,
    Up,
}

/// RFC 7519 s2: a `NumericDate` is a JSON number, fractions allowed.
#[inline]
pub(in crate::verify) fn date(
    claims: &Object<'_>,
    name: &str,
    rounding: Rounding,
) -> Result<Option<UnixTime>, TokenError> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(text)) => match numeric_date(text, rounding) {
            Some(secs) => Ok(Some(UnixTime::from_secs(secs))),
            None => Err(claim_error(
                name,
                Problem::Malformed,
                "a number of seconds within 2^53",
            )),
        },
        // RFC 7519 s4.1: `null` is not a number, and a date that cannot be read is not absent.
        Some(other) => Err(wrong_type(name, "number", other)),
    }
}

fn numeric_date(text: &str, rounding: Rounding) -> Option<i64> {
    /// Beyond this an `f64` does not hold whole seconds. It is the year 285 million.
    const MAX: f64 = 9_007_199_254_740_992.0;
    if let Some(secs) = plain_date(text.as_bytes()) {
        return Some(secs);
    }
    let secs: f64 = text.parse().ok()?;
    let whole = match rounding {
        Rounding::Down => secs.floor(),
        Rounding::Up => secs.ceil(),
    };
    if whole.abs() <= MAX {
        #[allow(clippy::cast_possible_truncation)] // whole and in range
        Some(whole as i64)
    } else {
        None
    }
}

/// Fast path: a date of at most 15 digits, as almost all issuers write it.
fn plain_date(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > 15 {
        return None;
    }
    digits.iter().try_fold(0, |sum, digit| match digit {
        b'0'..=b'9' => Some(sum * 10 + i64::from(digit - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numeric_dates_round_towards_refusal_and_stay_in_range() {
        for (text, down, up) in [
            ("0", 0, 0),
            ("-1", -1, -1),
            ("4102444800", 4_102_444_800, 4_102_444_800),
            ("4102444800.5", 4_102_444_800, 4_102_444_801),
            ("4.1024448e9", 4_102_444_800, 4_102_444_800),
            ("-0", 0, 0),
            ("-0.5", -1, 0),
            ("9007199254740992", 1 << 53, 1 << 53),
        ] {
            assert_eq!(numeric_date(text, Rounding::Down), Some(down), "{text}");
            assert_eq!(numeric_date(text, Rounding::Up), Some(up), "{text}");
        }
        for text in ["9223372036854775807", "1e30", "1e400", "-1e400"] {
            assert_eq!(numeric_date(text, Rounding::Down), None, "{text}");
        }
    }
}
