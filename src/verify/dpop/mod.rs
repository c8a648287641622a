//! DPoP proofs (RFC 9449): the proof, its key, its target URI, and the server's nonces.

pub(crate) mod target_uri;
pub(crate) mod proof_key;
pub(crate) mod proof;
pub(crate) mod nonce;
