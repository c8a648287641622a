//! The single credential of a request (RFC 6750 section 2.1, RFC 9110 section 11.6.2).
//!
//! 1. No `Authorization` field, and nothing in any [other source](super::token_sources) of the layer:
//!    nothing was sent.
//! 2. More than one field, or a field and another source: refused, whatever they hold, because
//!    the choice of one would be a guess.
//! 3. One field with another scheme: no token was sent, and that is not "nothing".
//! 4. The scheme `Bearer` or `DPoP` (RFC 9449 section 7.1) in any case, one or more spaces, and bytes: a credential. Whether
//!    they are a `b64token` is checked on the way to `Unverified`.
//! 5. Other sources hold the token alone, without a scheme.

use http::HeaderValue;
use http::header::{AUTHORIZATION, HeaderMap};

use crate::model::error::rejection::{RejectionKind, RequestFault};
use crate::verify::request::request_parts::RequestParts;
use crate::verify::request::sent_token::SentToken;
use crate::verify::request::token_sources::{SentCredentials, TokenSources, is_tchar};

const SCHEME: &[u8] = b"Bearer";

/// RFC 9449 s7.1: the scheme of tokens that are bound to a key.
const BOUND_SCHEME: &[u8] = b"DPoP";

/// What follows the scheme in the one `Authorization` field of a request, or what the one other
/// source holds.
#[derive(Clone, Copy)]
pub(crate) struct Credential<'r> {
    token: &'r [u8],
    /// `None` for a token from a source that has no scheme.
    scheme: Option<AuthScheme>,
    /// The field that holds it; `None` for a token that came without a request.
    field: Option<&'r HeaderValue>,
}

/// The scheme under which a token was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthScheme {
    /// RFC 6750 section 2.1.
    Bearer,
    /// RFC 9449 section 7.1.
    Dpop,
}

/// A credential for a decision that outlives the request.
#[cfg(feature = "jwks")]
pub(crate) struct OwnedCredential {
    token: SentToken,
    scheme: Option<AuthScheme>,
}

#[cfg(feature = "jwks")]
impl OwnedCredential {
    pub(crate) fn borrow(&self) -> Credential<'_> {
        Credential {
            token: self.token.as_bytes(),
            scheme: self.scheme,
            field: Some(self.token.field()),
        }
    }
}

impl<'r> Credential<'r> {
    /// The same, which outlives the request.
    #[cfg(feature = "jwks")]
    pub(crate) fn into_owned(self) -> OwnedCredential {
        OwnedCredential {
            token: self.to_sent(),
            scheme: self.scheme,
        }
    }

    /// The token, which outlives the request.
    pub(crate) fn to_sent(self) -> SentToken {
        SentToken::of(self.token, self.field)
    }

    /// Finds the credential. `Ok(None)` only when neither an `Authorization` field nor anything
    /// in another source was sent.
    #[inline]
    pub(crate) fn find(
        sources: &TokenSources,
        request: RequestParts<'r>,
    ) -> Result<Option<Self>, RejectionKind> {
        let mut fields = request.headers.get_all(AUTHORIZATION).iter();
        let field = fields.next();
        let is_repeated = fields.next().is_some();
        let elsewhere = sources.find(request.method, request.version, request.headers);
        match (field, elsewhere) {
            // Most requests.
            (Some(field), SentCredentials::Nothing) if !is_repeated => {
                let credential = Self::read(field.as_bytes())?;
                Ok(Some(credential.within(Some(field))))
            }
            // RFC 6750 s2: one method, one token. RFC 9110 s5.3: this field is no list.
            (Some(_), _) | (None, SentCredentials::Several) => {
                Err(RequestFault::SeveralCredentials.into())
            }
            (None, SentCredentials::Token(token)) => {
                let credential = Self::bare(token)?;
                Ok(Some(
                    credential.within(field_around(request.headers, token)),
                ))
            }
            (None, SentCredentials::Discounted) => Err(RejectionKind::MissingToken),
            (None, SentCredentials::Nothing) => Ok(None),
        }
    }

    /// A credential without a scheme; an empty one is a fault.
    pub(crate) fn bare(token: &'r [u8]) -> Result<Self, RejectionKind> {
        if token.is_empty() {
            return Err(RequestFault::NoCredentials.into());
        }
        Ok(Self {
            token,
            scheme: None,
            field: None,
        })
    }

    const fn within(self, field: Option<&'r HeaderValue>) -> Self {
        Self { field, ..self }
    }

    fn sent_as(token: &'r [u8], scheme: AuthScheme) -> Result<Self, RejectionKind> {
        let scheme = Some(scheme);
        Self::bare(token).map(|credential| Self {
            scheme,
            ..credential
        })
    }

    #[inline]
    fn read(field: &'r [u8]) -> Result<Self, RejectionKind> {
        match field.split_first_chunk() {
            Some((scheme, rest)) if is_bearer_and_space(*scheme) => {
                Self::sent_as(behind_spaces(rest), AuthScheme::Bearer)
            }
            _ => Self::read_any(field),
        }
    }

    #[cold]
    fn read_any(field: &'r [u8]) -> Result<Self, RejectionKind> {
        let end = field
            .iter()
            .position(|byte| *byte == b' ')
            .unwrap_or(field.len());
        let (scheme, rest) = field.split_at_checked(end).unwrap_or((field, &[]));
        if scheme.eq_ignore_ascii_case(SCHEME) {
            Self::sent_as(behind_spaces(rest), AuthScheme::Bearer)
        } else if scheme.eq_ignore_ascii_case(BOUND_SCHEME) {
            // RFC 9449 s7.1: a token was sent. A client that is told that none was would send it again.
            match behind_spaces(rest) {
                token if token.is_empty() || is_b64token(token) => {
                    Self::sent_as(token, AuthScheme::Dpop)
                }
                _ => Err(RequestFault::NotAToken.into()),
            }
        } else if scheme.is_empty() {
            Err(RequestFault::NoCredentials.into())
        } else if scheme.iter().copied().all(is_tchar) {
            Err(RejectionKind::MissingToken)
        } else {
            // Bytes that are not a scheme are a malformed request, not an absent credential.
            Err(RequestFault::NotAToken.into())
        }
    }

    /// Whether it was sent under the scheme `DPoP`.
    pub(crate) fn is_dpop(self) -> bool {
        self.scheme == Some(AuthScheme::Dpop)
    }

    /// The token's bytes, not yet known to be a `b64token`.
    pub(crate) const fn as_bytes(self) -> &'r [u8] {
        self.token
    }
}

/// The schemes of the tokens in a request's `Authorization` fields, for its challenge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SentSchemes {
    /// None of those known here, or a token from another source.
    #[default]
    Other,
    Bearer,
    Dpop,
    /// Both (RFC 9449 section 7.2).
    Both,
}

impl SentSchemes {
    /// Reads the scheme of each field, whatever follows it.
    #[cold]
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        headers
            .get_all(AUTHORIZATION)
            .iter()
            .fold(Self::Other, |found, field| {
                let scheme = field.as_bytes().split(|byte| *byte == b' ').next();
                let scheme = scheme.unwrap_or_default();
                match found {
                    _ if scheme.eq_ignore_ascii_case(SCHEME) => found.and(Self::Bearer),
                    _ if scheme.eq_ignore_ascii_case(BOUND_SCHEME) => found.and(Self::Dpop),
                    found => found,
                }
            })
    }

    fn and(self, more: Self) -> Self {
        match self {
            Self::Other => more,
            same if same == more => same,
            _ => Self::Both,
        }
    }
}

/// Whether this is the scheme `Bearer` in any case, and a space. As two words: a comparison byte by byte takes
/// several times as long.
#[inline]
fn is_bearer_and_space([b, e, a, r, e2, r2, space]: [u8; 7]) -> bool {
    // The bit that tells small letters from capitals, in each byte of a letter.
    const ALL: u32 = u32::from_ne_bytes([0x20; 4]);
    const LETTERS: u32 = u32::from_ne_bytes([0x20, 0x20, 0x20, 0]);
    (u32::from_ne_bytes([b, e, a, r]) | ALL) == u32::from_ne_bytes(*b"bear")
        && (u32::from_ne_bytes([r, e2, r2, space]) | LETTERS) == u32::from_ne_bytes(*b"rer ")
}

/// The field in whose bytes this token lies.
fn field_around<'r>(headers: &'r HeaderMap, token: &[u8]) -> Option<&'r HeaderValue> {
    let start = token.as_ptr();
    let mut fields = headers.values();
    fields.find(|field| field.as_bytes().as_ptr_range().contains(&start))
}

/// What follows the spaces. RFC 6750 s2.1: 1*SP; no other blank separates.
#[inline]
fn behind_spaces(mut rest: &[u8]) -> &[u8] {
    while let [b' ', more @ ..] = rest {
        rest = more;
    }
    rest
}

// RFC 6750 s2.1: b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
pub(crate) fn is_b64token(bytes: &[u8]) -> bool {
    let padding = bytes.iter().rev().take_while(|byte| **byte == b'=').count();
    let (body, _) = bytes
        .split_at_checked(bytes.len() - padding)
        .unwrap_or((bytes, &[]));
    // Without an early exit, so that the compiler vectorizes the loop.
    !body.is_empty()
        && body
            .iter()
            .fold(true, |all, byte| all & is_b64token_byte(*byte))
}

const fn is_b64token_byte(byte: u8) -> bool {
    // `-`, `.` and `/` are consecutive in ASCII.
    (byte | 0x20).wrapping_sub(b'a') < 26
        || byte.wrapping_sub(b'0') < 10
        || byte.wrapping_sub(b'-') < 3
        || matches!(byte, b'_' | b'~' | b'+')
}

#[cfg(test)]
mod tests {
    use http::{Method, Request};
    use proptest::prelude::*;

    use super::*;

    fn read(field: &[u8]) -> Result<&[u8], RejectionKind> {
        let credential = Credential::read(field)?;
        Ok(credential.as_bytes())
    }

    #[test]
    fn the_scheme_is_read_in_any_case_and_only_spaces_follow_it() {
        for good in [
            "Bearer abc",
            "bearer abc",
            "BEARER   abc",
            "bEaReR abc",
            "DPoP abc",
            "dpop   abc",
        ] {
            assert_eq!(read(good.as_bytes()), Ok(&b"abc"[..]), "{good:?}");
        }
        let request = |fault| Err(RejectionKind::InvalidRequest(fault));
        for (bad, expected) in [
            ("", request(RequestFault::NoCredentials)),
            (" ", request(RequestFault::NoCredentials)),
            ("Bearer", request(RequestFault::NoCredentials)),
            ("Bearer   ", request(RequestFault::NoCredentials)),
            ("Bearer\tabc", request(RequestFault::NotAToken)),
            ("Bearer: abc", request(RequestFault::NotAToken)),
            ("Bearer,abc", request(RequestFault::NotAToken)),
            ("Basic abc", Err(RejectionKind::MissingToken)),
            ("DPoP", request(RequestFault::NoCredentials)),
            ("DPoP  ", request(RequestFault::NoCredentials)),
            ("DPoP a,b", request(RequestFault::NotAToken)),
            ("DPoP abc def", request(RequestFault::NotAToken)),
            ("DPoPX abc", Err(RejectionKind::MissingToken)),
            ("BearerX abc", Err(RejectionKind::MissingToken)),
        ] {
            assert_eq!(read(bad.as_bytes()), expected, "{bad:?}");
        }
        let tab = read(b"Bearer \tabc").expect("a credential");
        assert!(!is_b64token(tab), "a tab is no separator");
    }

    #[test]
    fn the_scheme_is_compared_as_text_would_be() {
        // Each byte in each place, beside the comparison byte by byte.
        for place in 0..7 {
            for byte in u8::MIN..=u8::MAX {
                for standard in [*b"Bearer ", *b"bEARER ", *b"Basic 0"] {
                    let mut field = standard;
                    field[place] = byte;
                    let expected = field[..6].eq_ignore_ascii_case(SCHEME) && field[6] == b' ';
                    assert_eq!(is_bearer_and_space(field), expected, "{field:?}");
                }
            }
        }
    }

    #[test]
    fn the_scheme_stays_with_the_credential() {
        let scheme = |field: &'static str| {
            let credential = Credential::read(field.as_bytes()).expect("a credential");
            credential.scheme
        };
        assert_eq!(scheme("bearer a"), Some(AuthScheme::Bearer));
        assert_eq!(scheme("DPOP a"), Some(AuthScheme::Dpop));
        let bare = Credential::bare(b"a").expect("a credential");
        assert_eq!(bare.scheme, None);
    }

    #[test]
    fn one_source_is_read_and_two_are_not_weighed() {
        let mut sources = TokenSources::default();
        sources.add_cookie("t", vec![(*b"https://app.test").into()]);
        sources.add_header(http::HeaderName::from_static("x-token"));
        let find = |method: &Method, fields: &[(&'static str, &str)]| {
            let mut request = Request::new(());
            *request.method_mut() = method.clone();
            for (name, value) in fields {
                let value = value.parse().expect("a value");
                request.headers_mut().append(*name, value);
            }
            let parts = RequestParts::of(&request);
            let only = TokenSources::default();
            let alone = Credential::find(&only, parts).map(|one| one.is_some());
            let found = Credential::find(&sources, parts)
                .map(|one| one.map(|one| String::from_utf8_lossy(one.as_bytes()).into_owned()));
            (found, alone)
        };
        let token = |text: &str| Ok(Some(text.to_owned()));
        let several = || Err(RequestFault::SeveralCredentials.into());
        let empty = || Err(RequestFault::NoCredentials.into());
        let bearer = ("authorization", "Bearer a");
        let cookie = ("cookie", "u=1; t=b");
        let header = ("x-token", "c");
        let ours = ("origin", "https://app.test");
        for (method, fields, expected) in [
            (Method::GET, &[][..], Ok(None)),
            (Method::GET, &[bearer], token("a")),
            (Method::GET, &[cookie], token("b")),
            (Method::POST, &[header], token("c")),
            (Method::GET, &[("cookie", "u=1; v")], Ok(None)),
            (Method::GET, &[bearer, cookie], several()),
            (Method::POST, &[bearer, cookie], several()),
            (Method::GET, &[bearer, header], several()),
            (Method::GET, &[cookie, header], several()),
            (Method::GET, &[cookie, cookie], several()),
            (Method::GET, &[header, header], several()),
            (Method::GET, &[("cookie", "t=b; t=b")], several()),
            (Method::GET, &[("cookie", "t=; t=b")], several()),
            (Method::GET, &[("authorization", ""), cookie], several()),
            (Method::GET, &[("x-token", ""), bearer], several()),
            (Method::GET, &[bearer, bearer], several()),
            (Method::GET, &[("cookie", "t=")], empty()),
            (Method::GET, &[("cookie", "t")], empty()),
            (Method::GET, &[("x-token", "")], empty()),
            (Method::POST, &[cookie], Err(RejectionKind::MissingToken)),
            (Method::POST, &[cookie, ours], token("b")),
            (Method::CONNECT, &[cookie], Err(RejectionKind::MissingToken)),
            (Method::CONNECT, &[cookie, ours], token("b")),
        ] {
            let (found, alone) = find(&method, fields);
            assert_eq!(found, expected, "{method} {fields:?}");
            // Without the settings none of this is looked at.
            let fields = fields.iter().filter(|(name, _)| *name == "authorization");
            match fields.count() {
                0 => assert_eq!(alone, Ok(false)),
                1 => assert_ne!(alone, Ok(false)),
                _ => assert_eq!(alone, Err(RequestFault::SeveralCredentials.into())),
            }
        }
    }

    #[test]
    fn a_b64token_is_what_the_grammar_says() {
        for good in ["a", "a=", "a==", "aZ09-._~+/", "a.b.c"] {
            assert!(is_b64token(good.as_bytes()), "{good:?}");
        }
        for bad in ["", "=", "a=b", "a b", "a,b", "\"a\"", "a\u{e9}", "a%"] {
            assert!(!is_b64token(bad.as_bytes()), "{bad:?}");
        }
    }

    /// RFC 6750 section 2.1, written as a slow loop over the grammar.
    fn reference(text: &[u8]) -> bool {
        let mut body = 0;
        let mut padding = 0;
        for byte in text {
            match byte {
                b'A'..=b'Z'
                | b'a'..=b'z'
                | b'0'..=b'9'
                | b'-'
                | b'.'
                | b'_'
                | b'~'
                | b'+'
                | b'/'
                    if padding == 0 =>
                {
                    body += 1;
                }
                b'=' if body > 0 => padding += 1,
                _ => return false,
            }
        }
        body > 0
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn b64tokens_are_judged_as_the_grammar_judges_them(
            text in prop_oneof![
                "[A-Za-z0-9._~+/=-]{0,12}".prop_map(String::into_bytes),
                prop::collection::vec(any::<u8>(), 0..12),
            ],
        ) {
            prop_assert_eq!(is_b64token(&text), reference(&text));
        }

        #[test]
        fn no_field_makes_the_reader_panic_or_yields_an_empty_token(
            field in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            if let Ok(token) = read(&field) {
                prop_assert!(!token.is_empty());
                prop_assert!(
                    field[..6].eq_ignore_ascii_case(b"bearer")
                        || field[..4].eq_ignore_ascii_case(b"dpop")
                );
            }
        }
    }
}
