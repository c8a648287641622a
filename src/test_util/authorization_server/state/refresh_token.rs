//! The text of refresh tokens.
//!
//! 1. A refresh token states its grant and its number, under a MAC of the server. So an old one is known as such
//!    without a list of old ones.
//! 2. Clients cannot read it and must not try (RFC 6749 section 1.5).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::test_util::keys::hmac_sha256;

/// Grant, and the number of the token in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::test_util) struct RefreshTokenId {
    pub(in crate::test_util) grant: u64,
    pub(in crate::test_util) generation: u32,
}

impl RefreshTokenId {
    pub(in crate::test_util) fn to_text(self, secret: &[u8]) -> String {
        let id = self.to_bytes();
        URL_SAFE_NO_PAD.encode([&id[..], &hmac_sha256(secret, &id)].concat())
    }

    /// Absent for a text that this server did not make.
    pub(in crate::test_util) fn read(text: &str, secret: &[u8]) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (id, _) = bytes.split_first_chunk::<12>()?;
        let (grant, generation) = id.split_first_chunk::<8>()?;
        let found = Self {
            grant: u64::from_be_bytes(*grant),
            generation: u32::from_be_bytes(generation.try_into().ok()?),
        };
        (found.to_text(secret) == text).then_some(found)
    }

    fn to_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        let (grant, generation) = bytes.split_at_mut(8);
        grant.copy_from_slice(&self.grant.to_be_bytes());
        generation.copy_from_slice(&self.generation.to_be_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refresh_token_is_read_back_and_another_text_is_not() {
        let id = RefreshTokenId {
            grant: 7,
            generation: 3,
        };
        let text = id.to_text(b"secret");
        assert_eq!(RefreshTokenId::read(&text, b"secret"), Some(id));
        assert_eq!(RefreshTokenId::read(&text, b"other"), None);
        let next = RefreshTokenId {
            generation: 4,
            ..id
        };
        let forged = format!("{}{}", &next.to_text(b"x")[..16], &text[16..]);
        assert_eq!(RefreshTokenId::read(&forged, b"secret"), None);
        assert_eq!(RefreshTokenId::read("", b"secret"), None);
    }
}
