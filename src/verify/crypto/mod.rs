//! Cryptography: the only folder that names `aws-lc-rs`.

pub(crate) mod random;
pub(crate) mod public_key;
pub(crate) mod private_key;
pub(crate) mod token_hash;
pub(crate) mod sha256;
pub(crate) mod secret;
pub(crate) mod key_derivation;
#[cfg(feature = "jwks")]
pub(crate) mod aead;
pub(crate) mod pem;
#[cfg(feature = "jwks")]
#[cfg_attr(not(feature = "redis"), allow(dead_code))]
pub(crate) mod sealed;
#[cfg(feature = "jwks")]
pub(crate) mod key_set_copy;
