//! Compact JWS: three base64url parts become a header and a claims object, not verified yet
//! (RFC 7515 section 5.2, RFC 7519 section 7.2).
//!
//! 1. The length is checked before a byte is decoded.
//! 2. Exactly three parts; five are a JWE and are not decrypted.
//! 3. base64url without padding, whitespace or unused bits set.
//! 4. Header and payload are strict JSON objects; see [`json`](super::json).
//! 5. `crit`, `b64` and `zip` are refused: no extension is implemented, and to ignore one would
//!    change the meaning of the signed bytes.
//! 6. Parameters that carry a key (`jwk`, `jku`, `x5c`, `x5u`, `x5t`) are never read.

use std::borrow::Cow;
use std::time::Duration;

use base64_simd::{Out, URL_SAFE_NO_PAD};
use memchr::{memchr, memchr_iter};

use crate::model::algorithm::Algorithm;
use crate::model::error::rejection::{Rejection, RejectionKind, RequestFault, TokenFault};
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::model::error::token_error::TokenError;
use crate::model::time::UnixTime;
use crate::verify::jose::claimed_origin::ClaimedOrigin;
use crate::verify::jose::jwk_set::MAX_KEY_ID_BYTES;
use crate::verify::json::claim_error::no_text;
use crate::verify::json::claims_reader::{Rounding, date};
use crate::verify::json::object::{JsonFault, Members, Object, Value};
use crate::verify::request::credential::{Credential, is_b64token};

/// Scratch buffers for parsing, reused from token to token so that parsing does not allocate. All tokens
/// of a key have the same header, so that the last one is kept: the same header is neither decoded nor
/// parsed again.
///
/// They never hold a signature, so they never hold a usable token.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) parts: ScratchParts,
    pub(crate) members: ScratchMembers,
}

/// Buffers of the decoded header and payload.
#[derive(Debug, Default)]
pub(crate) struct ScratchParts {
    header: DecodedHeader,
    payload: Vec<u8>,
}

/// Buffers of the members of header and payload.
#[derive(Debug, Default)]
pub(crate) struct ScratchMembers {
    header: ReadHeader,
    payload: Members,
}

/// The last header that was decoded.
#[derive(Debug, Default)]
struct DecodedHeader {
    /// As it was sent; empty where nothing is decoded.
    sent: Vec<u8>,
    decoded: Vec<u8>,
    /// How much of the buffer is in use.
    length: usize,
}

impl DecodedHeader {
    fn decode(&mut self, part: &[u8]) -> Result<&str, TokenFault> {
        if self.sent != part {
            self.sent.clear();
            self.length = 0;
            self.length = decode(part, &mut self.decoded)?.len();
            self.sent.extend_from_slice(part);
        }
        text(self.decoded.get(..self.length).unwrap_or_default())
    }
}

/// The last header that was read, with what is accepted of it.
#[derive(Debug, Default)]
struct ReadHeader {
    text: String,
    members: Members,
    /// `None` where the text is no header that is accepted.
    algorithm: Option<Algorithm>,
    key_id: Option<String>,
}

impl ReadHeader {
    /// Reads a header, unless it is the last one.
    fn read(&mut self, text: &str) -> Result<Algorithm, TokenError> {
        match self.algorithm {
            Some(algorithm) if self.text == text => Ok(algorithm),
            _ => self.parse(text),
        }
    }

    fn parse(&mut self, text: &str) -> Result<Algorithm, TokenError> {
        self.algorithm = None;
        let header = Object::parse_into(text, &mut self.members)
            .map_err(|fault| HEADER_FAULTS.error(fault))?;
        // RFC 7515 s4.1.11: refuse what is not understood; no extension is.
        if header.get("crit").is_some() {
            return Err(TokenFault::Critical.into());
        }
        // RFC 7797 s6, RFC 7516 s4.1.3: these would change what the payload is.
        for changing in ["b64", "zip"] {
            if header.get(changing).is_some() {
                return Err(parameter(changing, Problem::Malformed, "no such parameter"));
            }
        }
        let algorithm = header
            .get("alg")
            .and_then(Value::as_text)
            .and_then(|name| Algorithm::from_name(&name))
            .ok_or_else(|| no_algorithm(header.get("alg")))?;
        let key_id = match header.get("kid") {
            None => None,
            // RFC 7515 s4.1.4: a string. No key has a longer id.
            Some(value) => match value.as_text() {
                Some(id) if id.len() <= MAX_KEY_ID_BYTES => Some(id),
                Some(_) => {
                    return Err(parameter(
                        "kid",
                        Problem::TooLong,
                        "at most as long as a key's",
                    ));
                }
                None => return Err(parameter("kid", Problem::WrongType, "string")),
            },
        };
        match (&mut self.key_id, key_id) {
            (Some(held), Some(id)) => replace_text(held, &id),
            (held, id) => *held = id.map(Cow::into_owned),
        }
        replace_text(&mut self.text, text);
        self.algorithm = Some(algorithm);
        Ok(algorithm)
    }
}

fn replace_text(held: &mut String, text: &str) {
    held.clear();
    held.push_str(text);
}

impl Scratch {
    /// Larger buffers are dropped after use.
    const MOST_BYTES: usize = 64 * 1024;

    /// Whether the buffers are small enough to keep.
    pub(crate) fn is_modest(&self) -> bool {
        self.parts.header.decoded.len() + self.parts.payload.len() <= Self::MOST_BYTES
    }
}

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

    /// The `kid` of a token of which nothing else is looked at; `None` where there is none, or the header
    /// is not acceptable.
    pub(crate) fn key_id<'s>(token: &[u8], scratch: &'s mut Scratch) -> Option<&'s str> {
        let Scratch { parts, members } = scratch;
        let (header, _) = split_at_dot(token)?;
        members
            .header
            .read(parts.header.decode(header).ok()?)
            .ok()?;
        members.header.key_id.as_deref()
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

// RFC 7519 s7.2: UTF-8, and nothing else.
fn text(bytes: &[u8]) -> Result<&str, TokenFault> {
    std::str::from_utf8(bytes).map_err(|_| TokenFault::Malformed)
}

/// An upper bound of the bytes that so many base64url characters decode to.
const fn decoded_bytes(characters: usize) -> usize {
    characters / 4 * 3 + 3
}

/// Decodes into a buffer that grows on demand.
fn decode<'b>(part: &[u8], scratch: &'b mut Vec<u8>) -> Result<&'b [u8], TokenFault> {
    let needed = decoded_bytes(part.len());
    if scratch.len() < needed {
        scratch.resize(needed, 0);
    }
    decode_within(part, scratch)
}

// RFC 7515 s2 and RFC 4648 s3.5: no padding, no other alphabet, unused bits zero.
fn decode_within<'b>(part: &[u8], scratch: &'b mut [u8]) -> Result<&'b [u8], TokenFault> {
    URL_SAFE_NO_PAD
        .decode(part, Out::from_slice(scratch))
        .map(|decoded| &*decoded)
        .map_err(|_| TokenFault::Malformed)
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
        let payload = Object::parse_into(compact.payload, in_payload)
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

/// The faults of one part of a token.
struct JsonFaults {
    malformed: RejectionDetail,
    duplicate: RejectionDetail,
}

impl JsonFaults {
    const fn expecting(expected: &'static str) -> Self {
        Self {
            malformed: RejectionDetail::fixed(Problem::Malformed, expected, None),
            duplicate: RejectionDetail::fixed(Problem::Contradicts, expected, None),
        }
    }

    #[cold]
    fn error(&'static self, fault: JsonFault) -> TokenError {
        match fault {
            JsonFault::Malformed => TokenError::Fixed(TokenFault::Malformed, &self.malformed),
            JsonFault::Duplicate => TokenError::Fixed(TokenFault::DuplicateMember, &self.duplicate),
        }
    }
}

static HEADER_FAULTS: JsonFaults = JsonFaults::expecting("one strict JSON object as the header");
static PAYLOAD_FAULTS: JsonFaults = JsonFaults::expecting("one strict JSON object as the payload");

/// The error for a header parameter.
#[cold]
fn parameter(name: &'static str, problem: Problem, expected: &'static str) -> TokenError {
    TokenError::about(TokenFault::Header, name, problem).expecting(expected)
}

#[cold]
fn no_algorithm(found: Option<Value<'_>>) -> TokenError {
    let problem = match found {
        None => Problem::Missing,
        Some(Value::String(_)) => Problem::Malformed,
        Some(_) => Problem::WrongType,
    };
    TokenError::about(TokenFault::Algorithm, "alg", problem)
        .expecting("the name of a signature algorithm that is known here")
}

#[cfg(test)]
mod tests;
