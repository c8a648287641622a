//! `iss` and `exp` of a payload that is not parsed, for a token that can only be refused.
//!
//! 1. Where a token's key is unknown, these two decide which refusal it is. The rest of the payload is
//!    not looked at: of two faults the other one may be told.
//! 2. What is found is the same as by a full parse, wherever that accepts the payload. Where it is not
//!    sure, nothing is found, and the payload is parsed.

use crate::model::time::UnixTime;
use crate::verify::json::byte_search::{first_quote, is_plain};

/// Which issuer's a token claims to be, and when it claims to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClaimedOrigin<'p> {
    /// The `iss`.
    pub(crate) issuer: &'p str,
    /// The `exp`; `None` where there is none.
    pub(crate) end: Option<UnixTime>,
}

impl<'p> ClaimedOrigin<'p> {
    /// The most digits of an `exp` that is read here: all such numbers are within the range of dates.
    const MOST_DIGITS: usize = 15;

    /// Reads them from the top level of an object. `None` where escapes, repeated members, other types or
    /// another form make a full parse necessary.
    pub(in crate::verify) fn find(payload: &'p str) -> Option<Self> {
        if !is_plain(payload) {
            return None;
        }
        let (mut issuer, mut end) = (None, None);
        let mut rest = payload.as_bytes().strip_prefix(b"{")?;
        loop {
            let (name, value) = string(behind_spaces(rest).strip_prefix(b"\"")?)?;
            let value = behind_spaces(value.strip_prefix(b":")?);
            let is_new = match name {
                b"iss" => issuer.replace(issuer_of(value)?).is_none(),
                b"exp" => end.replace(date_of(value)?).is_none(),
                _ => true,
            };
            if !is_new {
                return None;
            }
            match behind_spaces(behind_value(value)?).split_first()? {
                (b',', more) => rest = more,
                (b'}', []) => break,
                _ => return None,
            }
        }
        Some(Self {
            issuer: std::str::from_utf8(issuer?).ok()?,
            end,
        })
    }
}

/// A string behind its first quote, and what follows it.
fn string(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (string, rest) = text.split_at_checked(first_quote(text)?)?;
    Some((string, rest.get(1..)?))
}

/// What follows a value.
fn behind_value(value: &[u8]) -> Option<&[u8]> {
    match value.split_first()? {
        (b'"', text) => string(text).map(|(_, rest)| rest),
        (b'{' | b'[', inside) => behind_container(inside),
        _ => {
            let is_end = |byte: &u8| matches!(*byte, b',' | b'}' | b' ');
            value.get(value.iter().position(is_end)?..)
        }
    }
}

/// What follows an object or array, from behind its first bracket on.
fn behind_container(inside: &[u8]) -> Option<&[u8]> {
    let (mut rest, mut depth) = (inside, 1_usize);
    while depth > 0 {
        let (byte, more) = rest.split_first()?;
        rest = match byte {
            b'"' => string(more)?.1,
            b'{' | b'[' => {
                depth += 1;
                more
            }
            b'}' | b']' => {
                depth -= 1;
                more
            }
            _ => more,
        };
    }
    Some(rest)
}

fn issuer_of(value: &[u8]) -> Option<&[u8]> {
    string(value.strip_prefix(b"\"")?).map(|(issuer, _)| issuer)
}

fn date_of(number: &[u8]) -> Option<UnixTime> {
    let digits = number.iter().take_while(|byte| byte.is_ascii_digit());
    let length = digits.clone().count();
    let is_whole = matches!(number.get(length), Some(b',' | b'}' | b' '));
    let is_date = (1..=ClaimedOrigin::MOST_DIGITS).contains(&length)
        // RFC 8259 s6: no zero leads.
        && (length == 1 || number.first() != Some(&b'0'));
    (is_whole && is_date).then(|| {
        UnixTime::from_secs(digits.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
    })
}

fn behind_spaces(text: &[u8]) -> &[u8] {
    let mut rest = text;
    while let Some((b' ', more)) = rest.split_first() {
        rest = more;
    }
    rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::verify::json::claims_reader::{Rounding, date};
    use crate::verify::json::object::{Object, Value};

    fn found(payload: &str) -> Option<(&str, Option<i64>)> {
        let claimed = ClaimedOrigin::find(payload)?;
        Some((claimed.issuer, claimed.end.map(UnixTime::as_secs)))
    }

    #[test]
    fn claimed_origin_is_that_of_the_top_level() {
        for (payload, expected) in [
            (r#"{"iss":"a","exp":12}"#, ("a", Some(12))),
            (r#"{"exp": 12 ,"x":1,"iss": "a"}"#, ("a", Some(12))),
            (r#"{"iss":"a"}"#, ("a", None)),
            (r#"{"iss":""}"#, ("", None)),
            (r#"{"act":{"iss":"b","exp":1},"iss":"a"}"#, ("a", None)),
            (r#"{"x":["iss",{"iss":"b"}],"iss":"a"}"#, ("a", None)),
            (r#"{"x":"iss","iss":"a","y":"}]{["}"#, ("a", None)),
            ("{\"x\":\"\u{e9}\",\"iss\":\"\u{e9}\"}", ("\u{e9}", None)),
            (
                r#"{"iss":"a","exp":999999999999999}"#,
                ("a", Some(999_999_999_999_999)),
            ),
        ] {
            assert_eq!(found(payload), Some(expected), "{payload}");
        }
    }

    #[test]
    fn claimed_origin_is_left_to_a_full_parse_where_it_is_not_sure() {
        for payload in [
            "",
            "{",
            "{}",
            "[]",
            r#"{"iss":7}"#,
            r#"{"iss":null}"#,
            r#"{"iss":["a"]}"#,
            r#"{"act":{"iss":"a"}}"#,
            r#"["iss","a"]"#,
            r#"{"iss":"a","iss":"a"}"#,
            r#"{"iss":"a","exp":1,"exp":1}"#,
            r#"{"iss":"a","x":"\n"}"#,
            r#"{"i\u0073s":"a"}"#,
            "{\"iss\":\"a\"\n}",
            r#"{"iss":"a"} "#,
            r#"{"iss":"a"}{}"#,
            r#"{"iss":"a""#,
            r#"{"iss":"a"#,
            r#"{"iss" :"a"}"#,
            r#"{"iss":"a","exp":"1"}"#,
            r#"{"iss":"a","exp":1.5}"#,
            r#"{"iss":"a","exp":-1}"#,
            r#"{"iss":"a","exp":1e3}"#,
            r#"{"iss":"a","exp":01}"#,
            r#"{"iss":"a","exp":}"#,
            r#"{"iss":"a","exp":1000000000000000}"#,
        ] {
            assert_eq!(found(payload), None, "{payload}");
        }
    }

    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            "[0-9]{1,3}",
            Just("-1.5e2".to_owned()),
            Just("null".to_owned()),
            "\"[a-z{}:, \\[\\]\u{e9}]{0,6}\"",
            Just("\"iss\"".to_owned()),
            Just(r#""a\"b\\""#.to_owned()),
        ];
        let name = prop_oneof![Just("iss"), Just("exp"), Just("sub"), Just("x"), Just("")];
        leaf.prop_recursive(3, 24, 4, move |inner| {
            let member = (name.clone(), " ?", inner.clone())
                .prop_map(|(name, space, value)| format!("\"{name}\":{space}{value}"));
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(|all| format!("[{}]", all.join(","))),
                prop::collection::vec(member, 0..5)
                    .prop_map(|all| format!("{{{}}}", all.join(", "))),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn claimed_origin_is_what_a_full_parse_finds(
            inner in json(),
            issuer in "[a-z]{0,3}",
            end in prop::option::of(0_i64..1_000),
            is_last in any::<bool>(),
        ) {
            let own = end.map_or(String::new(), |end| format!(",\"exp\":{end}"));
            let own = format!("\"iss\":\"{issuer}\"{own}");
            let payload = if is_last {
                format!("{{\"x\":{inner},{own}}}")
            } else {
                format!("{{{own},\"x\":{inner}}}")
            };
            for payload in [payload.as_str(), inner.as_str()] {
                let claimed = ClaimedOrigin::find(payload);
                let Ok(object) = Object::parse_str(payload) else { continue };
                let Some(claimed) = claimed else { continue };
                let issuer = object.get("iss").and_then(Value::as_text);
                prop_assert_eq!(Some(claimed.issuer), issuer.as_deref(), "{}", payload);
                let end = date(&object, "exp", Rounding::Down);
                prop_assert_eq!(Ok(claimed.end), end, "{}", payload);
            }
            // What a token looks like is found: else this would test nothing.
            if !payload.contains('\\') {
                let claimed = ClaimedOrigin::find(&payload);
                prop_assert_eq!(claimed.map(|it| it.issuer), Some(issuer.as_str()), "{}", payload);
            }
        }
    }
}
