//! Authenticated encryption, key derivation and a keyed hash, for what is written to a shared store.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};

/// A key from which other keys are derived (HKDF, RFC 5869). A derived key reveals neither it nor
/// another derived key.
pub(super) struct RootKey(hkdf::Prk);

impl RootKey {
    /// A key of 32 random bytes. The salt names the use.
    pub(crate) fn new(key: &[u8; 32], salt: &[u8]) -> Self {
        Self(hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(key))
    }

    /// A cipher under the key derived for `label`.
    pub(super) fn cipher(&self, label: &str) -> Option<AeadCipher> {
        let key = UnboundKey::new(&AES_256_GCM_SIV, &self.expand(label)?).ok()?;
        Some(AeadCipher(LessSafeKey::new(key)))
    }

    /// A keyed hash under the key derived for `label`.
    pub(super) fn keyed_hasher(&self, label: &str) -> Option<KeyedHasher> {
        let key = self.expand(label)?;
        Some(KeyedHasher(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    fn expand(&self, label: &str) -> Option<[u8; 32]> {
        let mut key = [0; 32];
        self.0
            .expand(&[label.as_bytes()], hkdf::HKDF_SHA256)
            .and_then(|output| output.fill(&mut key))
            .ok()?;
        Some(key)
    }
}

/// AES-256-GCM-SIV (RFC 8452) with random nonces. Several processes encrypt under one key without
/// coordinating nonces. A repeated nonce reveals only whether two texts are equal, where plain GCM
/// would reveal its authentication key.
pub(super) struct AeadCipher(LessSafeKey);

impl AeadCipher {
    /// The nonce, the ciphertext and the tag. `None` when the system has no randomness.
    pub(crate) fn seal(&self, context: &[u8], text: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).ok()?;
        let mut ciphertext = text.to_vec();
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(context),
                &mut ciphertext,
            )
            .ok()?;
        Some([&nonce[..], &ciphertext].concat())
    }

    /// The text, if it was sealed under this key with this context.
    pub(crate) fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut ciphertext = ciphertext.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let text = self
            .0
            .open_in_place(nonce, Aad::from(context), &mut ciphertext);
        let bytes = text.ok()?.len();
        ciphertext.truncate(bytes);
        Some(ciphertext)
    }
}

/// HMAC-SHA-256: equal texts have equal digests; without the key no digest can be computed or
/// verified.
pub(super) struct KeyedHasher(hmac::Key);

impl KeyedHasher {
    pub(crate) fn digest(&self, text: &[u8]) -> [u8; 32] {
        let tag = hmac::sign(&self.0, text);
        let mut digest = [0; 32];
        // The tag of SHA-256 has 32 bytes.
        digest
            .iter_mut()
            .zip(tag.as_ref())
            .for_each(|(to, from)| *to = *from);
        digest
    }
}
