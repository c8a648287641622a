//! Compact JWS: three base64url parts become a header and a claims object, nothing trusted yet
//! (RFC 7515 section 5.2, RFC 7519 section 7.2).
//!
//! 1. The length is checked before a byte is decoded.
//! 2. Exactly three parts; five are a JWE and are not decrypted.
//! 3. base64url without padding, whitespace or unused bits set.
//! 4. Header and payload are strict JSON objects; see [`json`](super::json).
//! 5. `crit`, `b64` and `zip` are refused: no extension is implemented, and silence about
//!    one would change what was signed.
//! 6. Parameters that bring a key (`jwk`, `jku`, `x5c`, `x5u`, `x5t`) are never looked at.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::credential::{Credential, is_b64token};
use super::json::{JsonFault, Object, Value};
use super::keyset::MAX_KEY_ID_BYTES;
use crate::model::algorithm::Algorithm;
use crate::model::rejection::{RejectionKind, RequestFault, TokenFault};

/// The decoded parts of a compact JWS.
pub(crate) struct Compact<'r> {
    signing_input: &'r [u8],
    header: Vec<u8>,
    payload: Arc<str>,
    signature: Vec<u8>,
}

impl<'r> Compact<'r> {
    /// Splits and decodes a credential of at most `max_bytes`.
    pub(crate) fn decode(
        credential: Credential<'r>,
        max_bytes: usize,
    ) -> Result<Self, RejectionKind> {
        let token = credential.as_bytes();
        if token.len() > max_bytes {
            return Err(TokenFault::TooLarge.into());
        }
        Self::decode_parts(token).map_err(|fault| {
            // Strict base64url is a part of the b64token grammar, so only a failure needs the
            // question whose fault it is: the request's (400) or the token's (401).
            if is_b64token(token) {
                fault.into()
            } else {
                RejectionKind::InvalidRequest(RequestFault::NotAToken)
            }
        })
    }

    /// Splits and decodes a JWT that is no credential; its length was bounded before.
    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    pub(crate) fn decode_parts(token: &'r [u8]) -> Result<Self, TokenFault> {
        let mut parts = token.splitn(4, |byte| *byte == b'.');
        let (Some(header), Some(payload), Some(signature)) =
            (parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenFault::Malformed);
        };
        if let Some(rest) = parts.next() {
            // RFC 7516 s9: five parts are a JWE.
            let five = rest.split(|byte| *byte == b'.').count() == 2;
            return Err(if five {
                TokenFault::Encrypted
            } else {
                TokenFault::Malformed
            });
        }
        let signed = header.len() + 1 + payload.len();
        let signing_input = token.get(..signed).ok_or(TokenFault::Malformed)?;
        let payload = String::from_utf8(decode(payload)?).map_err(|_| TokenFault::Malformed)?;
        Ok(Self {
            signing_input,
            header: decode(header)?,
            payload: payload.into(),
            signature: decode(signature)?,
        })
    }
}

#[cfg(feature = "jwks")]
impl Compact<'_> {
    /// The `iss` in a JWT that is not verified here. It says whom to ask, and nothing else.
    pub(crate) fn claimed_issuer(token: &[u8]) -> Option<String> {
        let compact = Compact::decode_parts(token).ok()?;
        let payload = Object::parse_str(&compact.payload).ok()?;
        payload.get("iss")?.as_text().map(Cow::into_owned)
    }
}

fn decode(part: &[u8]) -> Result<Vec<u8>, TokenFault> {
    // RFC 7515 s2 and RFC 4648 s3.5: no padding, no other alphabet, unused bits zero.
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| TokenFault::Malformed)
}

/// A well-formed JWS whose signature nobody checked yet. Only what is needed to choose the
/// rules and the key can be read.
pub(crate) struct Unverified<'c> {
    compact: &'c Compact<'c>,
    header: Object<'c>,
    payload: Object<'c>,
    algorithm: Algorithm,
    key_id: Option<Cow<'c, str>>,
}

impl<'c> Unverified<'c> {
    /// Reads the header and the members of the payload.
    pub(crate) fn read(compact: &'c Compact<'_>) -> Result<Self, TokenFault> {
        let header = Object::parse(&compact.header).map_err(json_fault)?;
        // RFC 7515 s4.1.11: refuse what is not understood; no extension is.
        if header.get("crit").is_some() {
            return Err(TokenFault::Critical);
        }
        // RFC 7797 s6, RFC 7516 s4.1.3: these would change what the payload is.
        if header.get("b64").is_some() || header.get("zip").is_some() {
            return Err(TokenFault::Header);
        }
        let algorithm = header
            .get("alg")
            .and_then(Value::as_text)
            .and_then(|name| Algorithm::from_name(&name))
            .ok_or(TokenFault::Algorithm)?;
        let key_id = match header.get("kid") {
            None => None,
            // RFC 7515 s4.1.4: a string. Longer ones than any key has are not carried around.
            Some(value) => match value.as_text() {
                Some(id) if id.len() <= MAX_KEY_ID_BYTES => Some(id),
                _ => return Err(TokenFault::Header),
            },
        };
        let payload = Object::parse_str(&compact.payload).map_err(json_fault)?;
        Ok(Self {
            compact,
            header,
            payload,
            algorithm,
            key_id,
        })
    }

    /// The `iss` that the token claims. It chooses the rules to judge it by, nothing else.
    pub(crate) fn claimed_issuer(&self) -> Option<Cow<'c, str>> {
        self.payload.get("iss").and_then(Value::as_text)
    }

    pub(crate) const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(crate) fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    pub(super) fn signing_input(&self) -> &'c [u8] {
        self.compact.signing_input
    }

    pub(super) fn signature(&self) -> &'c [u8] {
        &self.compact.signature
    }

    pub(super) const fn header(&self) -> &Object<'c> {
        &self.header
    }

    pub(super) const fn payload(&self) -> &Object<'c> {
        &self.payload
    }

    pub(super) const fn payload_text(&self) -> &'c Arc<str> {
        &self.compact.payload
    }
}

const fn json_fault(fault: JsonFault) -> TokenFault {
    match fault {
        JsonFault::Malformed => TokenFault::Malformed,
        JsonFault::Duplicate => TokenFault::DuplicateMember,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::header::AUTHORIZATION;
    use proptest::prelude::*;

    use super::super::sources::Sources;
    use super::*;

    /// RFC 7515 section 2 and RFC 4648 section 5, bit by bit.
    fn reference(part: &str) -> Option<Vec<u8>> {
        const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut bits = Vec::new();
        for one in part.chars() {
            let value = ALPHABET.find(one)?;
            bits.extend((0..6).rev().map(|bit| value >> bit & 1 == 1));
        }
        let whole = bits.len() / 8 * 8;
        // Fewer than six bits are left over, and they are zero.
        if bits.len() - whole >= 6 || bits[whole..].contains(&true) {
            return None;
        }
        let byte = |eight: &[bool]| eight.iter().fold(0, |sum, bit| sum << 1 | u8::from(*bit));
        Some(bits[..whole].chunks(8).map(byte).collect())
    }

    fn decoded(token: &str) -> Result<(Vec<u8>, String, Vec<u8>), RejectionKind> {
        let value = format!("Bearer {token}").parse().expect("a header value");
        let headers: HeaderMap = [(AUTHORIZATION, value)].into_iter().collect();
        let credential = Credential::find(&Sources::default(), &http::Method::GET, &headers)?
            .expect("a field was sent");
        let compact = Compact::decode(credential, 16 * 1024)?;
        let signed = std::str::from_utf8(compact.signing_input).expect("ascii");
        assert!(token.starts_with(signed) && token[signed.len()..].starts_with('.'));
        Ok((
            compact.header.clone(),
            compact.payload.to_string(),
            compact.signature.clone(),
        ))
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn tokens_are_taken_apart_as_the_reference_takes_them_apart(
            token in prop_oneof![
                "[A-Za-z0-9_-]{0,6}(\\.[A-Za-z0-9_-]{0,6}){0,5}",
                "[A-Da-d0-3._=+/~,%-]{1,12}",
            ],
        ) {
            prop_assume!(!token.is_empty());
            let parts: Vec<&str> = token.split('.').collect();
            let expected = match parts.as_slice() {
                [header, payload, signature] => reference(header)
                    .zip(reference(payload).and_then(|bytes| String::from_utf8(bytes).ok()))
                    .zip(reference(signature))
                    .map(|((header, payload), signature)| (header, payload, signature)),
                _ => None,
            };
            match decoded(&token) {
                Ok(parts) => prop_assert_eq!(Some(parts), expected),
                Err(kind) => {
                    prop_assert_eq!(None, expected);
                    let is_token = is_b64token(token.as_bytes());
                    let blames_request = matches!(kind, RejectionKind::InvalidRequest(_));
                    prop_assert_eq!(blames_request, !is_token);
                }
            }
        }
    }
}
