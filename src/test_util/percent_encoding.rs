//! Percent-encoding of segments of paths and of queries (RFC 3986 section 2.1).

use std::fmt::Write as _;

/// Percent-encoded, fit for a segment of a path and for a query.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
