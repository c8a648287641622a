//! Compact JWS: three base64url parts become a header and a claims object, not verified yet
//! (RFC 7515 section 5.2, RFC 7519 section 7.2).
//!
//! 1. The length is checked before a byte is decoded.
//! 2. Exactly three parts; five are a JWE and are not decrypted.
//! 3. base64url without padding, whitespace or unused bits set.
//! 4. Header and payload are strict JSON objects; see [`json`](super::json).
//! 5. The header is read, and kept for the next token, by the rules of `scratch.rs`.

use std::borrow::Cow;
use std::time::Duration;

use base64_simd::URL_SAFE_NO_PAD;
use memchr::{memchr, memchr_iter};

use crate::model::algorithm::Algorithm;
use crate::model::error::rejection::{Rejection, RejectionKind, RequestFault, TokenFault};
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::model::error::token_error::TokenError;
use crate::model::time::UnixTime;
use crate::verify::jose::base64url::{decode, decode_within, decoded_bytes, text};
use crate::verify::jose::claimed_origin::ClaimedOrigin;
use crate::verify::jose::json_faults::PAYLOAD_FAULTS;
use crate::verify::jose::scratch::{ScratchMembers, ScratchParts};
use crate::verify::json::claim_error::no_text;
use crate::verify::json::claims_reader::{Rounding, date};
use crate::verify::json::name_bounds::NameBounds;
#[cfg(feature = "jwks")]
use crate::verify::json::object::Members;
use crate::verify::json::object::{Object, Value};
use crate::verify::request::credential::{Credential, is_b64token};

/// The decoded parts of a compact JWS.
pub(crate) struct Compact<'r> {
    signing_input: &'r [u8],
    header: &'r str,
    payload: &'r str,
    signature: Signature<'r>,
}

impl<'r> Compact<'r> {
    /// Splits and decodes a credential of at most `max_bytes`.
    pub(crate) fn decode(
        credential: Credential<'r>,
        max_bytes: usize,
        scratch: &'r mut ScratchParts,
    ) -> Result<Self, RejectionKind> {
        let token = credential.as_bytes();
        if token.len() > max_bytes {
            return Err(TokenFault::TooLarge.into());
        }
        // Strict base64url is a subset of the b64token grammar, so only a failure needs the check.
        Self::decode_parts(token, scratch).map_err(|fault| classify_fault(token, fault))
    }

    /// The refusal of a credential without a dot.
    pub(crate) fn undivided(credential: Credential<'_>, max_bytes: usize) -> Rejection {
        let token = credential.as_bytes();
        if token.len() > max_bytes {
            return TokenFault::TooLarge.into();
        }
        if is_base64url(token) || is_b64token(token) {
            return Rejection::from(TokenFault::Malformed).with_fixed_detail(&UNDIVIDED);
        }
        RequestFault::NotAToken.into()
    }

    /// Splits and decodes a JWT that is not a credential. The caller has bounded its length.
    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    pub(crate) fn decode_parts(
        token: &'r [u8],
        scratch: &'r mut ScratchParts,
    ) -> Result<Self, TokenFault> {
        let (header, rest) = split_at_dot(token).ok_or(TokenFault::Malformed)?;
        let (payload, signature) = split_at_dot(rest).ok_or(TokenFault::Malformed)?;
        // RFC 7516 s9: five parts are a JWE.
        match memchr_iter(b'.', signature).take(3).count() {
            0 => {}
            2 => return Err(TokenFault::Encrypted),
            _ => return Err(TokenFault::Malformed),
        }
        let signed = header.len() + 1 + payload.len();
        Ok(Self {
            signing_input: token.get(..signed).ok_or(TokenFault::Malformed)?,
            header: scratch.header.decode(header)?,
            payload: text(decode(payload, &mut scratch.payload)?)?,
            signature: Signature::check(signature)?,
        })
    }
}

impl Compact<'_> {
    /// The algorithm of the header, and the `kid` where it names one.
    pub(crate) fn read_header<'m>(
        &self,
        members: &'m mut ScratchMembers,
    ) -> Result<(Algorithm, Option<&'m str>), TokenError> {
        let algorithm = members.header.read(self.header)?;
        Ok((algorithm, members.header.key_id.as_deref()))
    }

    /// The algorithm and the `kid` of a token of which nothing else is looked at; `None` where it names no
    /// `kid`, or the header is not acceptable.
    pub(crate) fn algorithm_and_key_id<'m>(
        token: &[u8],
        parts: &mut ScratchParts,
        members: &'m mut ScratchMembers,
    ) -> Option<(Algorithm, &'m str)> {
        let (header, _) = split_at_dot(token)?;
        let algorithm = members
            .header
            .read(parts.header.decode(header).ok()?)
            .ok()?;
        Some((algorithm, members.header.key_id.as_deref()?))
    }

    /// `iss` and `exp` of a token that can only be refused; `None` where only a full parse finds them.
    pub(crate) fn claimed_origin(&self) -> Option<ClaimedOrigin<'_>> {
        ClaimedOrigin::find(self.payload)
    }
}

#[cfg(feature = "jwks")]
impl Compact<'_> {
    /// The `iss` of a JWT that is not verified here. It selects the endpoint for introspection only.
    pub(crate) fn claimed_issuer(token: &[u8]) -> Option<String> {
        let mut scratch = ScratchParts::default();
        let compact = Compact::decode_parts(token, &mut scratch).ok()?;
        let payload = Object::parse_str(compact.payload).ok()?;
        payload.get("iss")?.as_text().map(Cow::into_owned)
    }
}

/// Classifies a fault: of the request (400) where the bytes are not a `b64token`, otherwise of the
/// token (401).
fn classify_fault(token: &[u8], fault: TokenFault) -> RejectionKind {
    if is_b64token(token) {
        fault.into()
    } else {
        RejectionKind::InvalidRequest(RequestFault::NotAToken)
    }
}

/// Whether it is of the alphabet of base64url alone, which is a part of the `b64token` grammar and checked
/// faster. `false` proves nothing.
fn is_base64url(token: &[u8]) -> bool {
    let whole = token.len() - token.len() % 4;
    match token.split_at_checked(whole) {
        Some((whole, rest)) if !whole.is_empty() => {
            URL_SAFE_NO_PAD.check(whole).is_ok() && (rest.is_empty() || is_b64token(rest))
        }
        _ => false,
    }
}

fn split_at_dot(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (before, from_dot) = bytes.split_at_checked(memchr(b'.', bytes)?)?;
    Some((before, from_dot.get(1..)?))
}

/// The signature of a token in valid base64url.
pub(in crate::verify) struct Signature<'r>(&'r [u8]);

impl<'r> Signature<'r> {
    /// The bytes of a signature by a key of up to 4096 bits.
    const SHORT: usize = decoded_bytes(683);

    fn check(part: &'r [u8]) -> Result<Self, TokenFault> {
        match URL_SAFE_NO_PAD.check(part) {
            Ok(()) => Ok(Self(part)),
            Err(_) => Err(TokenFault::Malformed),
        }
    }

    /// Calls `look` with the decoded bytes, which are dropped afterwards.
    pub(in crate::verify) fn decoded<T>(
        &self,
        look: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, TokenFault> {
        if decoded_bytes(self.0.len()) > Self::SHORT {
            let mut bytes = Vec::new();
            return decode(self.0, &mut bytes).map(look);
        }
        let mut bytes = [0; Self::SHORT];
        decode_within(self.0, &mut bytes).map(look)
    }
}

/// A well-formed JWS that is not verified. Only what selects the policy and the key can be read.
pub(crate) struct Unverified<'c> {
    compact: &'c Compact<'c>,
    header: Object<'c>,
    payload: Object<'c>,
    algorithm: Algorithm,
    key_id: Option<&'c str>,
    issuer: Option<Cow<'c, str>>,
}

impl<'c> Unverified<'c> {
    /// Reads the header and the members of the payload.
    pub(crate) fn read(
        compact: &'c Compact<'_>,
        members: &'c mut ScratchMembers,
    ) -> Result<Self, TokenError> {
        #[cfg(test)]
        parsed::increment();
        let ScratchMembers {
            header: read,
            payload: in_payload,
        } = members;
        let algorithm = read.read(compact.header)?;
        let read = &*read;
        let payload = Object::parse_token_part(
            compact.payload,
            in_payload,
            NameBounds::of_payload(compact.payload),
        )
        .map_err(|fault| PAYLOAD_FAULTS.error(fault))?;
        Ok(Self {
            compact,
            header: Object::indexed(compact.header, &read.members),
            algorithm,
            key_id: read.key_id.as_deref(),
            issuer: payload.get("iss").and_then(Value::as_text),
            payload,
        })
    }

    /// The `iss` that the token claims, where it is a string. It selects the issuer's policy and
    /// keys; every reader of a token's `iss` takes this one.
    pub(crate) fn claimed_issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The subject of a token that names no issuer: it has no `iss` of any type.
    pub(crate) fn subject_without_issuer(&self) -> Option<Cow<'_, str>> {
        match self.payload.get("iss") {
            None => self.payload.get("sub")?.as_text(),
            Some(_) => None,
        }
    }

    /// The same token, which counts as this issuer's where it names none: a status list that is trusted
    /// for the tokens of an issuer, or the token of a workload.
    pub(crate) fn or_issued_by(mut self, issuer: Option<&str>) -> Self {
        if let (None, Some(issuer)) = (self.payload.get("iss"), issuer) {
            self.issuer = Some(Cow::Owned(issuer.to_owned()));
        }
        self
    }

    /// The error for a missing `iss`.
    #[cold]
    pub(crate) fn no_issuer(&self) -> TokenError {
        no_text("iss", self.payload.get("iss"))
    }

    /// Whether its `exp` has passed. The opposite proves nothing: the token is not verified.
    pub(crate) fn is_over(&self, now: UnixTime, leeway: Duration) -> bool {
        let end = date(&self.payload, "exp", Rounding::Down);
        matches!(end, Ok(Some(end)) if now >= end.saturating_add(leeway))
    }

    pub(crate) const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(crate) const fn key_id(&self) -> Option<&str> {
        self.key_id
    }

    pub(in crate::verify) fn signing_input(&self) -> &'c [u8] {
        self.compact.signing_input
    }

    pub(in crate::verify) const fn signature(&self) -> &Signature<'c> {
        &self.compact.signature
    }

    pub(in crate::verify) const fn header(&self) -> &Object<'c> {
        &self.header
    }

    pub(in crate::verify) const fn payload(&self) -> &Object<'c> {
        &self.payload
    }
}

/// A token that outlives its request while one of its issuer's keys is looked up. It holds what
/// [`Unverified`] refers to, so that nothing is decoded or parsed again.
#[cfg(feature = "jwks")]
pub(crate) struct SuspendedToken {
    signing_input: Box<[u8]>,
    signature: Box<[u8]>,
    header: Box<str>,
    payload: Box<str>,
    header_members: Members,
    payload_members: Members,
    algorithm: Algorithm,
    key_id: Option<Box<str>>,
    issuer: Option<Box<str>>,
}

#[cfg(feature = "jwks")]
impl Unverified<'_> {
    /// Copies the token out of the request and of the thread's buffers.
    pub(crate) fn suspend(&self) -> SuspendedToken {
        SuspendedToken {
            signing_input: self.compact.signing_input.into(),
            signature: self.compact.signature.0.into(),
            header: self.compact.header.into(),
            payload: self.compact.payload.into(),
            header_members: self.header.index().clone(),
            payload_members: self.payload.index().clone(),
            algorithm: self.algorithm,
            key_id: self.key_id().map(Into::into),
            issuer: self.issuer.as_deref().map(Into::into),
        }
    }
}

#[cfg(feature = "jwks")]
impl SuspendedToken {
    /// Goes on with the token where it was suspended.
    pub(crate) fn resume<T>(&self, go_on: impl FnOnce(Unverified<'_>) -> T) -> T {
        let compact = Compact {
            signing_input: &self.signing_input,
            header: &self.header,
            payload: &self.payload,
            signature: Signature(&self.signature),
        };
        go_on(Unverified {
            compact: &compact,
            header: Object::indexed(&self.header, &self.header_members),
            payload: Object::indexed(&self.payload, &self.payload_members),
            algorithm: self.algorithm,
            key_id: self.key_id.as_deref(),
            issuer: self.issuer.as_deref().map(Cow::Borrowed),
        })
    }
}

/// How often this thread has parsed a token, for tests of what is parsed once.
#[cfg(test)]
pub(crate) mod parsed {
    use std::cell::Cell;

    thread_local! {
        static COUNT: Cell<usize> = const { Cell::new(0) };
    }

    pub(super) fn increment() {
        COUNT.with(|count| count.set(count.get() + 1));
    }

    #[cfg_attr(not(feature = "test-util"), allow(dead_code))]
    pub(crate) fn count() -> usize {
        COUNT.with(Cell::get)
    }
}

/// What a JWT is that has no dot.
static UNDIVIDED: RejectionDetail = RejectionDetail::fixed(
    Problem::Malformed,
    "a JWT; opaque tokens need Issuer::introspected",
    Some("a token without a dot"),
);

#[cfg(test)]
mod tests;
