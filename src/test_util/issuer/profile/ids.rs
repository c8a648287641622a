//! Ids in the forms of vendors.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::test_util::keys::{random_bytes, sha256};

/// A random UUID (RFC 9562 section 5.4).
pub(in crate::test_util) fn random_id() -> String {
    uuid(random_bytes(16))
}

/// A UUID that belongs to this name.
pub(super) fn stable_uuid(name: &str) -> String {
    uuid(sha256(name.as_bytes()))
}

/// An id of Okta: a prefix, and 17 letters and digits that belong to this name.
pub(super) fn okta_id(prefix: &str, name: &str) -> String {
    let hash = sha256(name.as_bytes());
    let letters = hash.iter().map(|byte| char::from(b'a' + byte % 26));
    std::iter::empty()
        .chain(prefix.chars())
        .chain(letters.take(17))
        .collect()
}

/// An id without a meaning: random characters of base64url.
pub(super) fn random_base64url(bytes: usize) -> String {
    base64url(&random_bytes(bytes))
}

pub(super) fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn uuid(bytes: Vec<u8>) -> String {
    let sixteen = bytes.into_iter().take(16);
    sixteen
        .enumerate()
        .map(|(place, byte)| match place {
            6 => format!("-{:02x}", byte & 0x0f | 0x40),
            8 => format!("-{:02x}", byte & 0x3f | 0x80),
            4 | 10 => format!("-{byte:02x}"),
            _ => format!("{byte:02x}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_length_of_their_kind_and_belong_to_their_name() {
        assert_eq!(random_id().len(), 36);
        assert_eq!(stable_uuid("a"), stable_uuid("a"));
        assert_ne!(stable_uuid("a"), stable_uuid("b"));
        assert_eq!(okta_id("00u", "a").len(), 20);
    }
}
