//! What an extraction is refused with.

use std::fmt;

use bytes::Bytes;
use http::header::WWW_AUTHENTICATE;
use http::response::Parts;
use http::{HeaderMap, StatusCode};

use crate::RejectionKind;

/// The answer that a client would get in place of the value: what the layer or an extractor refused
/// with.
#[derive(Clone)]
pub struct ExtractionRefusal {
    head: Box<Parts>,
    body: Bytes,
}

impl ExtractionRefusal {
    pub(super) fn new(head: Parts, body: Bytes) -> Self {
        Self {
            head: Box::new(head),
            body,
        }
    }

    /// Why this library refused. `None` where an extractor of another crate did.
    #[must_use]
    pub fn kind(&self) -> Option<RejectionKind> {
        self.head.extensions.get().copied()
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// The header fields of the answer, `WWW-Authenticate` among them.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The body of the answer: empty, unless the layer has a renderer.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }
}

impl fmt::Display for ExtractionRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused with {}", self.head.status.as_u16())?;
        if let Some(kind) = self.kind() {
            write!(f, " `{}`", kind.as_str())?;
            if let Some(fault) = kind.fault() {
                write!(f, " (`{fault}`)")?;
            }
        }
        let challenges = self.head.headers.get_all(WWW_AUTHENTICATE);
        challenges.iter().try_for_each(|challenge| {
            let text = String::from_utf8_lossy(challenge.as_bytes());
            write!(f, ", {text}")
        })
    }
}

/// As `Display`, so that `unwrap()` in a test shows the reason.
impl fmt::Debug for ExtractionRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ExtractionRefusal {}
