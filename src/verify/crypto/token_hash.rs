//! Keyed hashes of whole tokens: the key of the token cache.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// A keyed hash of whole tokens.
///
/// The digest is the tag of AES-128-GCM over every byte of the token as additional data, under a
/// random key and a constant nonce: GHASH, a universal hash, masked by a secret constant. The nonce
/// is constant because equal tokens must have equal digests; its reuse is harmless because nothing
/// is encrypted. The construction is sound because the key is random per process and no digest
/// leaves the process: a sender of tokens learns at most whether two of them collide. Two different
/// tokens of at most n blocks of 16 bytes collide with a probability of (n + 1) / 2^128 over the
/// choice of the key; for 16 KiB that is below 2^-117 a pair.
pub(crate) struct TokenHasher(LessSafeKey);

impl TokenHasher {
    /// A hasher with a random key. `None` when the system has no randomness.
    pub(crate) fn new() -> Option<Self> {
        let mut key = [0; 16];
        aws_lc_rs::rand::fill(&mut key).ok()?;
        let key = UnboundKey::new(&AES_128_GCM, &key).ok()?;
        Some(Self(LessSafeKey::new(key)))
    }

    /// The digest of a token.
    pub(crate) fn digest(&self, token: &[u8]) -> Option<u128> {
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::from(token), &mut [])
            .ok()?;
        Some(u128::from_le_bytes(tag.as_ref().try_into().ok()?))
    }
}
