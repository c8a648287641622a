//! DPoP (RFC 9449): server nonces.

pub(crate) mod nonce;
