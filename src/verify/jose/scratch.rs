//! The buffers of a thread for parsing tokens, and its memory of the last header.
//!
//! 1. What was read of a header serves for an equal header alone; one that is not acceptable is read anew.
//! 2. `crit`, `b64` and `zip` are refused: no extension is implemented, and to ignore one would
//!    change the meaning of the signed bytes.
//! 3. Parameters that carry a key (`jwk`, `jku`, `x5c`, `x5u`, `x5t`) are never read.

use std::borrow::Cow;

use crate::model::algorithm::Algorithm;
use crate::model::error::rejection::TokenFault;
use crate::model::error::rejection_detail::Problem;
use crate::model::error::token_error::TokenError;
use crate::verify::jose::base64url::{decode, text};
use crate::verify::jose::json_faults::HEADER_FAULTS;
use crate::verify::jose::jwk_set::MAX_KEY_ID_BYTES;
use crate::verify::json::name_bounds::NameBounds;
use crate::verify::json::object::{Members, Object, Value};

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

impl Scratch {
    /// Larger buffers are dropped after use.
    const MOST_BYTES: usize = 64 * 1024;

    /// Whether the buffers are small enough to keep.
    pub(crate) fn is_modest(&self) -> bool {
        self.parts.header.decoded.len() + self.parts.payload.len() <= Self::MOST_BYTES
    }
}

/// Buffers of the decoded header and payload.
#[derive(Debug, Default)]
pub(crate) struct ScratchParts {
    pub(super) header: DecodedHeader,
    pub(super) payload: Vec<u8>,
}

/// Buffers of the members of header and payload.
#[derive(Debug, Default)]
pub(crate) struct ScratchMembers {
    pub(super) header: ReadHeader,
    pub(super) payload: Members,
}

/// The last header that was decoded.
#[derive(Debug, Default)]
pub(super) struct DecodedHeader {
    /// As it was sent; empty where nothing is decoded.
    sent: Vec<u8>,
    decoded: Vec<u8>,
    /// How much of the buffer is in use.
    length: usize,
}

impl DecodedHeader {
    #[inline]
    pub(super) fn decode(&mut self, part: &[u8]) -> Result<&str, TokenFault> {
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
pub(super) struct ReadHeader {
    text: String,
    pub(super) members: Members,
    /// `None` where the text is no header that is accepted.
    algorithm: Option<Algorithm>,
    pub(super) key_id: Option<String>,
}

impl ReadHeader {
    /// Reads a header, unless it is the last one.
    #[inline]
    pub(super) fn read(&mut self, text: &str) -> Result<Algorithm, TokenError> {
        match self.algorithm {
            Some(algorithm) if self.text == text => Ok(algorithm),
            _ => self.parse(text),
        }
    }

    fn parse(&mut self, text: &str) -> Result<Algorithm, TokenError> {
        self.algorithm = None;
        let header = Object::parse_token_part(text, &mut self.members, NameBounds::HEADER)
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
