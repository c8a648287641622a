//! JOSE: compact JWS, keys, key sets and signatures (RFC 7515, 7517, 7518).

pub(crate) mod sign;
#[cfg(feature = "jwks")]
pub(crate) mod client_assertion;
pub(crate) mod verification_key;
pub(crate) mod jwk;
mod key_ids;
pub(crate) mod jwk_set;
pub(crate) mod claimed_origin;
mod base64url;
mod json_faults;
pub(crate) mod scratch;
pub(crate) mod jws;
pub(crate) mod signature;
