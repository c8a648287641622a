//! The token of a request, which outlives the request.

use std::fmt;

use base64_simd::URL_SAFE_NO_PAD;
use http::HeaderValue;

/// A token as it was sent: the header field that it came in, and its range there. It shares the memory of
/// the request's head, so that to keep it copies nothing; and it stays the same where something behind
/// the layer changes the fields of the request.
#[derive(Clone)]
pub(crate) struct SentToken {
    field: HeaderValue,
    start: u32,
    end: u32,
}

impl SentToken {
    /// A token in the field that it was found in; otherwise a copy.
    pub(super) fn of(token: &[u8], field: Option<&HeaderValue>) -> Self {
        let shared = field.and_then(|field| Self::within(field, token));
        shared.unwrap_or_else(|| Self::copy(token))
    }

    fn within(field: &HeaderValue, token: &[u8]) -> Option<Self> {
        let whole = field.as_bytes();
        let start = (token.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        let end = start.checked_add(token.len())?;
        whole.get(start..end)?;
        Some(Self {
            field: field.clone(),
            start: start.try_into().ok()?,
            end: end.try_into().ok()?,
        })
    }

    /// The same bytes in memory of their own. Bytes that cannot stand in a field are no token, and give an
    /// empty one.
    fn copy(token: &[u8]) -> Self {
        let field = HeaderValue::from_bytes(token).ok();
        let field = field.unwrap_or_else(|| HeaderValue::from_static(""));
        let end = u32::try_from(field.len()).unwrap_or_default();
        Self {
            field,
            start: 0,
            end,
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        let whole = self.field.as_bytes();
        // INVARIANT: every constructor has checked the range.
        whole
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }

    /// The field that holds it.
    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    pub(super) const fn field(&self) -> &HeaderValue {
        &self.field
    }

    /// The payload of a JWT; `None` where the token is none.
    pub(in crate::verify) fn payload(&self) -> Option<String> {
        let mut parts = self.as_bytes().split(|byte| *byte == b'.');
        let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
        String::from_utf8(URL_SAFE_NO_PAD.decode_to_vec(payload).ok()?).ok()
    }
}

/// Not the token: `Debug` output reaches logs.
impl fmt::Debug for SentToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SentToken(..)")
    }
}

#[cfg(test)]
mod tests {
    use http::header::AUTHORIZATION;
    use http::{HeaderMap, Request};

    use super::*;
    use crate::verify::request::credential::Credential;
    use crate::verify::request::request_parts::RequestParts;
    use crate::verify::request::token_sources::TokenSources;

    // {"alg":"none"}.{"sub":"a"}.
    const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln";

    fn sent(headers: &[(&'static str, String)], sources: &TokenSources) -> (SentToken, HeaderMap) {
        let mut request = Request::new(());
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).expect("a value");
            request.headers_mut().append(*name, value);
        }
        let found = Credential::find(sources, RequestParts::of(&request));
        let credential = found.expect("sound").expect("sent");
        (credential.to_sent(), request.headers().clone())
    }

    #[test]
    fn sent_token_lies_in_the_field_that_it_came_in_and_outlives_it() {
        let mut sources = TokenSources::default();
        assert!(sources.add_cookie("session", Vec::new()));
        for (name, value) in [
            ("authorization", format!("Bearer  {TOKEN}")),
            ("cookie", format!("a=b; session={TOKEN} ; c=d")),
        ] {
            let (token, mut headers) = sent(&[(name, value)], &sources);
            assert_eq!(token.as_bytes(), TOKEN.as_bytes());
            let lies_in = headers
                .get(name)
                .expect("a field")
                .as_bytes()
                .as_ptr_range();
            assert!(
                lies_in.contains(&token.as_bytes().as_ptr()),
                "{name}: no copy"
            );
            headers.remove(AUTHORIZATION);
            drop(headers);
            assert_eq!(token.payload().as_deref(), Some(r#"{"sub":"a"}"#));
        }
    }

    #[test]
    fn sent_token_without_a_field_is_a_copy() {
        let text = TOKEN.to_owned();
        let token = Credential::bare(text.as_bytes());
        let token = token.expect("a credential").to_sent();
        drop(text);
        assert_eq!(token.as_bytes(), TOKEN.as_bytes());
        let opaque = Credential::bare(b"abc").expect("a credential").to_sent();
        assert_eq!(opaque.payload(), None);
        assert_eq!(format!("{token:?}"), "SentToken(..)");
    }
}
