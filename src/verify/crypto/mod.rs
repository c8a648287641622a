//! Cryptography: the only home of `aws-lc-rs`.

pub(crate) mod primitives;
pub(crate) mod pem;
#[cfg(feature = "redis")]
pub(crate) mod sealed;
