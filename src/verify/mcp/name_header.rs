//! The value of `Mcp-Name`: plain text, or `=?base64?...?=` around the base64 of UTF-8.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The name that the value means. `None` where it has invalid characters, malformed base64 or bytes
/// that are not UTF-8.
pub(crate) fn decode(value: &[u8]) -> Option<Cow<'_, str>> {
    let text = std::str::from_utf8(value).ok()?;
    if !text.bytes().all(|byte| matches!(byte, b'\t' | 0x20..=0x7E)) {
        return None;
    }
    // The markers are case-sensitive.
    let encoded = text
        .strip_prefix("=?base64?")
        .and_then(|rest| rest.strip_suffix("?="));
    match encoded {
        None => Some(Cow::Borrowed(text)),
        Some(encoded) => {
            let bytes = STANDARD.decode(encoded).ok()?;
            String::from_utf8(bytes).ok().map(Cow::Owned)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_of_the_specification_are_decoded() {
        for (value, name) in [
            ("us-west1", "us-west1"),
            ("=?base64?SGVsbG8sIOS4lueVjA==?=", "Hello, 世界"),
            ("=?base64?IHBhZGRlZCA=?=", " padded "),
            ("=?base64?bGluZTEKbGluZTI=?=", "line1\nline2"),
            ("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=", "=?base64?literal?="),
            ("=?base64??=", ""),
            ("=?BASE64?eA==?=", "=?BASE64?eA==?="),
            ("=?base64?eA==", "=?base64?eA=="),
            ("a b\tc", "a b\tc"),
        ] {
            assert_eq!(decode(value.as_bytes()).as_deref(), Some(name), "{value}");
        }
    }

    #[test]
    fn malformed_values_have_no_name() {
        for value in [
            "=?base64?eA=?=",
            "=?base64?eA?=",
            "=?base64?eB==?=", // bits behind the last byte
            "=?base64?e A==?=",
            "=?base64?/w==?=", // not UTF-8
            "=?base64?-_-_?=",
            "caf\u{e9}",
            "a\u{1}b",
        ] {
            assert_eq!(decode(value.as_bytes()), None, "{value}");
        }
        assert_eq!(decode(b"caf\xe9"), None);
    }
}
