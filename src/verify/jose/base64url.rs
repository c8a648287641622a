//! The parts of a compact JWS as bytes and as text, in strict form.
//!
//! 1. base64url without padding, whitespace or unused bits set.

use base64_simd::{Out, URL_SAFE_NO_PAD};

use crate::model::error::rejection::TokenFault;

// RFC 7519 s7.2: UTF-8, and nothing else.
#[inline]
pub(super) fn text(bytes: &[u8]) -> Result<&str, TokenFault> {
    std::str::from_utf8(bytes).map_err(|_| TokenFault::Malformed)
}

/// An upper bound of the bytes that so many base64url characters decode to.
pub(super) const fn decoded_bytes(characters: usize) -> usize {
    characters / 4 * 3 + 3
}

/// Decodes into a buffer that grows on demand.
#[inline]
pub(super) fn decode<'b>(part: &[u8], scratch: &'b mut Vec<u8>) -> Result<&'b [u8], TokenFault> {
    let needed = decoded_bytes(part.len());
    if scratch.len() < needed {
        scratch.resize(needed, 0);
    }
    decode_within(part, scratch)
}

// RFC 7515 s2 and RFC 4648 s3.5: no padding, no other alphabet, unused bits zero.
#[inline]
pub(super) fn decode_within<'b>(
    part: &[u8],
    scratch: &'b mut [u8],
) -> Result<&'b [u8], TokenFault> {
    URL_SAFE_NO_PAD
        .decode(part, Out::from_slice(scratch))
        .map(|decoded| &*decoded)
        .map_err(|_| TokenFault::Malformed)
}
