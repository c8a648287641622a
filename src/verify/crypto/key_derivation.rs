//! Key derivation (HKDF) and a keyed hash (HMAC).

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{hkdf, hmac};

/// A key from which other keys are derived (HKDF, RFC 5869). A derived key reveals neither it nor
/// another derived key.
pub(crate) struct RootKey(hkdf::Prk);

impl RootKey {
    /// A key of 32 random bytes. The salt names the use.
    pub(crate) fn new(key: &[u8; 32], salt: &[u8]) -> Self {
        Self(hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(key))
    }

    /// A keyed hash under the key derived for `label`.
    pub(crate) fn keyed_hasher(&self, label: &str) -> Option<KeyedHasher> {
        let key = self.expand(label)?;
        Some(KeyedHasher(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// The key derived for `label`.
    pub(super) fn expand(&self, label: &str) -> Option<[u8; 32]> {
        let mut key = [0; 32];
        self.0
            .expand(&[label.as_bytes()], hkdf::HKDF_SHA256)
            .and_then(|output| output.fill(&mut key))
            .ok()?;
        Some(key)
    }
}

/// HMAC-SHA-256: equal texts have equal digests; without the key no digest can be computed or
/// verified.
pub(crate) struct KeyedHasher(hmac::Key);

/// Bytes of a short tag: HMAC-SHA-256 truncated to 128 bits (RFC 2104 section 5).
pub(crate) const SHORT_TAG_BYTES: usize = 16;

impl KeyedHasher {
    #[cfg(feature = "jwks")]
    pub(crate) fn digest(&self, text: &[u8]) -> [u8; 32] {
        self.leading(text)
    }

    /// The first bytes of the digest.
    pub(crate) fn short_tag(&self, text: &[u8]) -> [u8; SHORT_TAG_BYTES] {
        self.leading(text)
    }

    /// Whether this is the short tag of the text, compared in constant time.
    pub(crate) fn has_short_tag(&self, text: &[u8], tag: &[u8; SHORT_TAG_BYTES]) -> bool {
        verify_slices_are_equal(&self.short_tag(text), tag).is_ok()
    }

    fn leading<const N: usize>(&self, text: &[u8]) -> [u8; N] {
        let tag = hmac::sign(&self.0, text);
        let mut digest = [0; N];
        // The tag of SHA-256 has 32 bytes.
        digest
            .iter_mut()
            .zip(tag.as_ref())
            .for_each(|(to, from)| *to = *from);
        digest
    }
}
