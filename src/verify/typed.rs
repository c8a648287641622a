//! Claims as values of their type: present with another type is a fault, never absence.

use std::borrow::Cow;

use super::json::{Object, Value};
use crate::model::path::ClaimPath;
use crate::model::rejection::TokenFault;
use crate::model::time::UnixTime;

/// A string, or an array of nothing but strings.
pub(super) fn strings(value: Value<'_>) -> Option<Vec<Cow<'_, str>>> {
    texts(value)?.collect()
}

/// The same, one by one; `None` for an element that is no string.
pub(super) fn texts(value: Value<'_>) -> Option<impl Iterator<Item = Option<Cow<'_, str>>>> {
    let (lone, elements) = match value {
        Value::String(quoted) => (Some(Some(quoted.text())), None),
        Value::Array(_) => (None, Some(value.elements()?.map(Value::as_text))),
        _ => return None,
    };
    Some(lone.into_iter().chain(elements.into_iter().flatten()))
}

/// A claim that must be there, as a string that is not empty.
#[inline]
pub(super) fn required_text<'c>(
    claims: &Object<'c>,
    name: &str,
) -> Result<Cow<'c, str>, TokenFault> {
    optional_text(claims, name)?.ok_or(TokenFault::Claims)
}

/// A claim that may be absent. Present with another type, or empty, is a fault.
#[inline]
pub(super) fn optional_text<'c>(
    claims: &Object<'c>,
    name: &str,
) -> Result<Option<Cow<'c, str>>, TokenFault> {
    non_empty(claims.get(name))
}

/// The same, at a path.
pub(super) fn text_at<'c>(
    claims: &Object<'c>,
    path: &ClaimPath,
) -> Result<Option<Cow<'c, str>>, TokenFault> {
    non_empty(
        claims
            .at_path(path.members())
            .map_err(|_| TokenFault::Claims)?,
    )
}

fn non_empty(value: Option<Value<'_>>) -> Result<Option<Cow<'_, str>>, TokenFault> {
    match value.map(Value::as_text) {
        None => Ok(None),
        Some(Some(text)) if !text.is_empty() => Ok(Some(text)),
        Some(_) => Err(TokenFault::Claims),
    }
}

#[derive(Clone, Copy)]
pub(super) enum Rounding {
    Down,
    Up,
}

/// RFC 7519 s2: a `NumericDate` is a JSON number, fractions allowed.
#[inline]
pub(super) fn date(
    claims: &Object<'_>,
    name: &str,
    rounding: Rounding,
) -> Result<Option<UnixTime>, TokenFault> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(text)) => match numeric_date(text, rounding) {
            Some(secs) => Ok(Some(UnixTime::from_secs(secs))),
            None => Err(TokenFault::Claims),
        },
        Some(_) => Err(TokenFault::Claims),
    }
}

fn numeric_date(text: &str, rounding: Rounding) -> Option<i64> {
    /// Beyond this an `f64` has no whole seconds. It is the year 285 million.
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

/// A date as almost all are written: a few digits and nothing else.
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
