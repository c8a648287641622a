//! The revision of the protocol that a request states, as far as it says where the operation stands.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::verify::mcp::message::MessageFault;

pub(crate) const MCP_PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
pub(crate) const MCP_METHOD: HeaderName = HeaderName::from_static("mcp-method");
pub(crate) const MCP_NAME: HeaderName = HeaderName::from_static("mcp-name");

/// The first revision with `Mcp-Method` and `Mcp-Name`.
const WITH_HEADERS: &[u8] = b"2026-07-28";

/// Where a request of this revision says what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Revision {
    /// Revision 2026-07-28: in header fields and in the body, which must agree.
    Headers,
    /// The same, of a revision that is not published yet.
    LaterHeaders,
    /// In the body alone.
    Body,
    /// In the body alone, which may be a batch: revision 2025-03-26, and requests without the field.
    BodyOrBatch,
}

impl Revision {
    /// # Errors
    ///
    /// The field came more than once.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, MessageFault> {
        Ok(match single(headers, &MCP_PROTOCOL_VERSION)? {
            None => Self::BodyOrBatch,
            Some(stated) => match stated.as_bytes() {
                WITH_HEADERS => Self::Headers,
                b"2025-03-26" => Self::BodyOrBatch,
                later if is_date(later) && later > WITH_HEADERS => Self::LaterHeaders,
                _ => Self::Body,
            },
        })
    }

    pub(crate) const fn has_headers(self) -> bool {
        matches!(self, Self::Headers | Self::LaterHeaders)
    }
}

/// The value of a field that may come once.
pub(crate) fn single<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'h HeaderValue>, MessageFault> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(MessageFault::headers("Header mismatch: a field is repeated"));
    }
    Ok(first)
}

/// Revisions are dates, so that their order is that of their bytes.
fn is_date(text: &[u8]) -> bool {
    text.len() == 10
        && text.iter().enumerate().all(|(place, byte)| match place {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(values: &[&'static str]) -> Option<Revision> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(MCP_PROTOCOL_VERSION, HeaderValue::from_static(value));
        }
        Revision::of(&headers).ok()
    }

    #[test]
    fn revision_says_where_the_operation_stands() {
        assert_eq!(revision(&[]), Some(Revision::BodyOrBatch));
        assert_eq!(revision(&["2025-03-26"]), Some(Revision::BodyOrBatch));
        assert_eq!(revision(&["2025-06-18"]), Some(Revision::Body));
        assert_eq!(revision(&["2025-11-25"]), Some(Revision::Body));
        assert_eq!(revision(&["2026-07-28"]), Some(Revision::Headers));
        assert_eq!(revision(&["2027-01-01"]), Some(Revision::LaterHeaders));
        for other in ["", "draft", "2026-7-28", "2026-07-288", "zzzz-zz-zz"] {
            assert_eq!(revision(&[other]), Some(Revision::Body), "{other}");
        }
        assert_eq!(revision(&["2026-07-28", "2025-03-26"]), None);
    }
}
