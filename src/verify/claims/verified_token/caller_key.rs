//! A stable key of a caller: for what outlives one token.
//!
//! 1. It depends on the configured issuer, the subject and the client alone, so that a renewed token
//!    has the key of the one before it.
//! 2. Each text has its length before it, so that two callers do not share a key by a shift of bytes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::model::ids::{ClientId, SubjectId};
use crate::verify::claims::verified_token::token::AccessToken;
use crate::verify::crypto::sha256::sha256;

/// What is hashed begins with it: another version of the key is another text.
const VERSION: &str = "portcullis caller key 1";

/// A key of issuer, subject and client, for sessions and caches that outlive one token: bind an MCP
/// session or a WebSocket to it, and refuse a request with another key.
///
/// 32 bytes: SHA-256. Equal for every token of the same caller and client, in every instance and
/// version of this library with the same issuers; different for another subject, client or issuer. It
/// is no secret, and shows nothing of its parts. `Display` writes 43 characters of base64url.
#[doc(alias("session_binding", "fingerprint"))]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallerKey([u8; 32]);

impl CallerKey {
    /// The key's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn of(issuer: &str, parts: [Option<&str>; 2]) -> Self {
        let mut text = Vec::new();
        let mut push = |part: Option<&str>| {
            text.push(u8::from(part.is_some()));
            let part = part.unwrap_or_default().as_bytes();
            text.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            text.extend_from_slice(part);
        };
        push(Some(VERSION));
        push(Some(issuer));
        parts.into_iter().for_each(push);
        Self(sha256(&text))
    }
}

impl fmt::Display for CallerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for CallerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallerKey(..)")
    }
}

impl AccessToken {
    /// A key of the caller that is the same for the next token of the same session: of the configured
    /// issuer, the subject and the client. `None` for a token that names neither a subject nor a
    /// client: two of those may be of two callers.
    ///
    /// ```
    /// # use portcullis::AccessToken;
    /// use portcullis::extract::CallerKey;
    ///
    /// fn is_owner(token: &AccessToken, opened_by: CallerKey) -> bool {
    ///     token.caller_key() == Some(opened_by)
    /// }
    /// ```
    #[doc(alias("session_binding", "fingerprint", "mcp_session"))]
    #[must_use]
    pub fn caller_key(&self) -> Option<CallerKey> {
        let subject = self.subject();
        let client = self.client_id();
        let issuer = match (subject, client) {
            (Some(subject), _) => subject.issuer(),
            (None, client) => client?.issuer(),
        };
        let parts = [subject.map(SubjectId::as_str), client.map(ClientId::as_str)];
        Some(CallerKey::of(issuer, parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_differs_in_every_part_and_by_the_borders_between_them() {
        let keys = [
            CallerKey::of("i", [Some("s"), Some("c")]),
            CallerKey::of("j", [Some("s"), Some("c")]),
            CallerKey::of("i", [Some("t"), Some("c")]),
            CallerKey::of("i", [Some("s"), Some("d")]),
            CallerKey::of("i", [Some("sc"), None]),
            CallerKey::of("i", [None, Some("sc")]),
            CallerKey::of("i", [Some("sc"), Some("")]),
            CallerKey::of("is", [Some("c"), None]),
        ];
        for (place, key) in keys.iter().enumerate() {
            assert!(!keys[..place].contains(key), "{place}");
        }
    }

    #[test]
    fn key_is_frozen() {
        let key = CallerKey::of("https://id.example.com", [Some("alice"), Some("web")]);
        // Sessions in stores are bound to it.
        assert_eq!(
            key.to_string(),
            "wjHzp6-0btmYr8EsFFLzjYxCtZSBf2p3-tstp99sMrw"
        );
        assert_eq!(key.to_string().len(), 43);
        assert_eq!(format!("{key:?}"), "CallerKey(..)");
    }
}
