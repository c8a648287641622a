//! Authenticated encryption for what is written to a shared store.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::verify::crypto::key_derivation::RootKey;

/// AES-256-GCM-SIV (RFC 8452) with random nonces. Several processes encrypt under one key without
/// coordinating nonces. A repeated nonce reveals only whether two texts are equal, where plain GCM
/// would reveal its authentication key.
pub(super) struct AeadCipher(LessSafeKey);

impl AeadCipher {
    /// A cipher under the key derived for `label`.
    pub(super) fn derived(root: &RootKey, label: &str) -> Option<Self> {
        let key = UnboundKey::new(&AES_256_GCM_SIV, &root.expand(label)?).ok()?;
        Some(Self(LessSafeKey::new(key)))
    }

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
