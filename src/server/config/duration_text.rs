//! Durations in words: `30s`, `5 min`, `1h 30min`.

use std::fmt;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Visitor};

/// A duration as a configuration writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server::config) struct DurationText(pub(in crate::server::config) Duration);

/// The units, and their length in milliseconds. Months and years have no fixed length.
const UNITS: [(&str, u64); 6] = [
    ("ms", 1),
    ("s", 1000),
    ("min", 60_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

const EXPECTED: &str = "a duration in words, such as `30s`, `5min`, `1h 30min` or `7d`";

/// Reads one or more whole numbers with a unit each; they add up.
fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut sum = None;
    while !rest.is_empty() {
        let digits = rest.find(|one: char| !one.is_ascii_digit())?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let number: u64 = number.parse().ok()?;
        let tail = tail.trim_start();
        let end = tail
            .find(|one: char| !one.is_ascii_alphabetic())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(end)?;
        let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let part = Duration::from_millis(number.checked_mul(*millis)?);
        sum = Some(sum.unwrap_or(Duration::ZERO).checked_add(part)?);
        rest = tail.trim_start();
    }
    sum
}

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DurationVisitor;

        impl Visitor<'_> for DurationVisitor {
            type Value = DurationText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<DurationText, E> {
                parse(text)
                    .map(DurationText)
                    .ok_or_else(|| E::custom(format!("`{text}` is not {EXPECTED}")))
            }
        }

        deserializer.deserialize_str(DurationVisitor)
    }
}

#[cfg(test)]
impl schemars::JsonSchema for DurationText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": r"^\s*([0-9]+\s*(ms|s|min|m|h|d)\s*)+$",
            "examples": ["30s", "5min", "1h 30min"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_text_reads_words_and_refuses_what_has_no_unit() {
        for (text, seconds) in [
            ("30s", 30),
            ("5 min", 300),
            ("5m", 300),
            ("1h 30min", 5400),
            ("1h30min", 5400),
            (" 7d ", 604_800),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse("250ms"), Some(Duration::from_millis(250)));
        for wrong in [
            "",
            " ",
            "30",
            "s",
            "-1s",
            "+1s",
            "1.5h",
            "30 seconds",
            "1M",
            "1 month",
            "99999999999999999999s",
            "18446744073709551615d",
            "1s,2s",
            "1é",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
