//! Cryptography: the only folder that names `aws-lc-rs`.

pub(crate) mod random;
pub(crate) mod public_key;
pub(crate) mod private_key;
pub(crate) mod token_hash;
pub(crate) mod sha256;
pub(crate) mod secret;
pub(crate) mod key_derivation;
#[cfg(feature = "redis")]
pub(crate) mod aead;
pub(crate) mod pem;
#[cfg(feature = "redis")]
pub(crate) mod sealed;
