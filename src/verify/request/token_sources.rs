//! Sources of a token other than `Authorization`: cookies, other header fields and the subprotocols
//! of a WebSocket.
//!
//! 1. Every source is read and the tokens are counted before one is checked. The choice of one of two
//!    would be a guess.
//! 2. CSRF: a browser sends cookies with requests that another site has caused. So a cookie counts
//!    for safe methods only (RFC 9110 section 9.2.1), and neither for an upgrade nor for `CONNECT`,
//!    which open a WebSocket; or, where origins are configured, for requests from one of them.
//! 3. A request with a cookie that does not count is refused.
//! 4. Cookies are read as RFC 6265 section 4.2.1 writes them, from all `Cookie` fields
//!    (RFC 9113 section 8.2.3). Names are compared byte for byte, and nothing is unquoted.
//! 5. A subprotocol counts only for a request that opens a WebSocket. The marker is the last but one
//!    of the list and the token is the last; any other list is refused.

use http::header::{
    AUTHORIZATION, COOKIE, HeaderMap, HeaderName, ORIGIN, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderValue, Method, Version};

/// The sources of a layer beside `Authorization`.
#[derive(Clone, Debug, Default)]
pub(crate) struct TokenSources {
    cookies: Vec<CookieSource>,
    headers: Vec<HeaderName>,
    /// Markers of `Sec-WebSocket-Protocol` behind which the token stands.
    markers: Vec<Box<[u8]>>,
}

#[derive(Clone, Debug)]
struct CookieSource {
    name: Box<[u8]>,
    /// Origins that may send it with any method.
    origins: Vec<Box<[u8]>>,
}

/// What a request holds in these sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::verify) enum SentCredentials<'r> {
    Nothing,
    /// A token without a scheme.
    Token(&'r [u8]),
    /// A cookie or a subprotocol, on a request for which it does not count.
    Discounted,
    Several,
}

impl TokenSources {
    /// Adds a cookie. False where it is there already, with other origins.
    pub(crate) fn add_cookie(&mut self, name: &str, origins: Vec<Box<[u8]>>) -> bool {
        let same = |cookie: &&CookieSource| *cookie.name == *name.as_bytes();
        if let Some(cookie) = self.cookies.iter().find(same) {
            return cookie.origins == origins;
        }
        // RFC 6265 s4.1.1: a name is a token. No cookie has another name, and the empty name would
        // match cookies without one.
        if is_token(name.as_bytes()) {
            self.cookies.push(CookieSource {
                name: name.as_bytes().into(),
                origins,
            });
        }
        true
    }

    /// Adds a header field. `Authorization` is read anyway; `Cookie` and the subprotocols of a
    /// WebSocket have rules of their own.
    pub(crate) fn add_header(&mut self, name: HeaderName) {
        let has_own_rules = [AUTHORIZATION, COOKIE, SEC_WEBSOCKET_PROTOCOL].contains(&name);
        if !has_own_rules && !self.headers.contains(&name) {
            self.headers.push(name);
        }
    }

    /// Adds the marker of a subprotocol. False where it is not a valid subprotocol.
    pub(crate) fn add_marker(&mut self, marker: &str) -> bool {
        let marker = marker.as_bytes();
        // RFC 6455 s4.1: subprotocols are tokens.
        if !is_token(marker) {
            return false;
        }
        if !self.markers.iter().any(|one| **one == *marker) {
            self.markers.push(marker.into());
        }
        true
    }

    pub(in crate::verify) fn find<'r>(
        &self,
        method: &Method,
        version: Version,
        headers: &'r HeaderMap,
    ) -> SentCredentials<'r> {
        // Fast path: most layers have none.
        if self.headers.is_empty() && self.cookies.is_empty() && self.markers.is_empty() {
            return SentCredentials::Nothing;
        }
        self.look(method, version, headers)
    }

    #[inline(never)]
    fn look<'r>(
        &self,
        method: &Method,
        version: Version,
        headers: &'r HeaderMap,
    ) -> SentCredentials<'r> {
        let mut sent = SentCredentials::Nothing;
        if !self.markers.is_empty() {
            sent = self.in_subprotocols(method, version, headers);
        }
        for name in &self.headers {
            for field in headers.get_all(name) {
                sent = sent.and(SentCredentials::Token(field.as_bytes()));
            }
        }
        for cookie in &self.cookies {
            for value in values(headers, &cookie.name) {
                sent = sent.and(if cookie.counts(method, headers) {
                    SentCredentials::Token(value)
                } else {
                    SentCredentials::Discounted
                });
            }
        }
        sent
    }

    /// RFC 6455 s11.3.4: the field may come several times, which is one list. A browser sends what
    /// its script names, in that order.
    fn in_subprotocols<'r>(
        &self,
        method: &Method,
        version: Version,
        headers: &'r HeaderMap,
    ) -> SentCredentials<'r> {
        let mut sent = SentCredentials::Nothing;
        let mut behind_marker = false;
        for protocol in list(headers, &SEC_WEBSOCKET_PROTOCOL) {
            let is_marker = self.markers.iter().any(|marker| **marker == *protocol);
            sent = match (sent, is_marker) {
                (SentCredentials::Nothing, false) => SentCredentials::Nothing,
                // A marker without a token behind it is an empty token.
                (SentCredentials::Nothing, true) => SentCredentials::Token(&[]),
                (SentCredentials::Token(_), false) if behind_marker => {
                    SentCredentials::Token(protocol)
                }
                // A second marker, or more behind the token: ambiguous.
                _ => SentCredentials::Several,
            };
            behind_marker = is_marker;
        }
        match sent {
            SentCredentials::Token(_) if !opens_websocket(method, version, headers) => {
                SentCredentials::Discounted
            }
            sent => sent,
        }
    }
}

/// Whether the request opens a WebSocket: by RFC 6455 s4.1, or by RFC 8441 s4 and s5, which has no
/// `Upgrade`.
pub(crate) fn opens_websocket(method: &Method, version: Version, headers: &HeaderMap) -> bool {
    if version <= Version::HTTP_11 {
        let mut upgrades = list(headers, &UPGRADE);
        return *method == Method::GET
            && upgrades.any(|protocol| protocol.eq_ignore_ascii_case(b"websocket"));
    }
    *method == Method::CONNECT && headers.contains_key(SEC_WEBSOCKET_VERSION)
}

/// The elements of a field that is a list (RFC 9110 s5.6.1: empty ones are none).
fn list<'r>(headers: &'r HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'r [u8]> {
    headers
        .get_all(name)
        .iter()
        .flat_map(|field| field.as_bytes().split(|byte| *byte == b','))
        .map(trim)
        .filter(|element| !element.is_empty())
}

impl SentCredentials<'_> {
    fn and(self, more: Self) -> Self {
        match self {
            Self::Nothing => more,
            Self::Token(_) | Self::Discounted | Self::Several => Self::Several,
        }
    }
}

impl CookieSource {
    fn counts(&self, method: &Method, headers: &HeaderMap) -> bool {
        // A WebSocket is opened by a GET with `Upgrade`, or by CONNECT (RFC 8441), without a CORS
        // preflight. CONNECT is not a safe method.
        if method.is_safe() && !headers.contains_key(UPGRADE) {
            return true;
        }
        let mut fields = headers.get_all(ORIGIN).iter();
        match (fields.next(), fields.next()) {
            (Some(origin), None) => self.allows(origin),
            _ => false,
        }
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        let origin = origin.as_bytes();
        // RFC 6454 s7.1: any site can send the opaque origin `null`, so it identifies none.
        origin != b"null" && self.origins.iter().any(|allowed| **allowed == *origin)
    }
}

/// The values of all cookies of this name.
fn values<'r>(headers: &'r HeaderMap, name: &[u8]) -> impl Iterator<Item = &'r [u8]> {
    headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|field| field.as_bytes().split(|byte| *byte == b';'))
        .filter_map(move |pair| {
            // A pair without `=` is a name with an empty value; it counts as sent.
            let end = pair.iter().position(|byte| *byte == b'=');
            let (found, rest) = pair.split_at_checked(end.unwrap_or(pair.len()))?;
            let value = rest.strip_prefix(b"=").unwrap_or_default();
            (trim(found) == name).then(|| trim(value))
        })
}

// RFC 9110 s5.6.2: the characters of a token, such as a cookie's or a scheme's name. `,` and
// `:` are none.
pub(super) fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_token(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().copied().all(is_tchar)
}

/// Without surrounding spaces and tabs, which browsers remove before they check the prefix of a name.
/// Other white space is part of the name.
fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cookies<'f>(fields: impl IntoIterator<Item = &'f [u8]>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(COOKIE, HeaderValue::from_bytes(field).expect("a value"));
        }
        headers
    }

    fn found(fields: &[&str]) -> Vec<String> {
        let headers = cookies(fields.iter().map(|field| field.as_bytes()));
        values(&headers, b"t")
            .map(|value| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name_and_nothing_else() {
        for (fields, expected) in [
            (&["t=a"][..], &["a"][..]),
            (&["t=a; u=b"], &["a"]),
            (&["u=b; t=a"], &["a"]),
            (&["u=b;t=a"], &["a"]),
            (&["u=b;\t t \t=\t a \t;"], &["a"]),
            (&["t=a=b=="], &["a=b=="]),
            (&["t=\"a\""], &["\"a\""]),
            (&["t=a,b"], &["a,b"]),
            (&["t=a b"], &["a b"]),
            (&["t="], &[""]),
            (&["t"], &[""]),
            (&[" t "], &[""]),
            (&["u=\"; t=a; v=\""], &["a"]),
            (&["t=a; t=a"], &["a", "a"]),
            (&["t=a", "t=b"], &["a", "b"]),
            (&["u=a", "v=b; t=c"], &["c"]),
            (&[""], &[]),
            (&["="], &[]),
            (&["=t"], &[]),
            (&["=t=a"], &[]),
            (&[";;; ;=;"], &[]),
            (&["T=a"], &[]),
            (&["tt=a"], &[]),
            (&["xt=a"], &[]),
            (&["t.=a"], &[]),
            (&["__Host-t=a"], &[]),
            (&["$t=a"], &[]),
            (&["%74=a"], &[]),
            // What a lenient reader would trim, a browser's prefix check has not seen.
            (&["\u{2000}t=a"], &[]),
            (&["\u{a0}t=a"], &[]),
            (&["t\u{85}=a"], &[]),
            (&["u=t=a"], &[]),
            (&["u=1, t=a"], &[]),
        ] {
            assert_eq!(found(fields), expected, "{fields:?}");
        }
        let headers = cookies([&b"\xff=\xfe; t=\x80\xff; \xc3"[..]]);
        let all: Vec<_> = values(&headers, b"t").collect();
        assert_eq!(all, [b"\x80\xff"]);
    }

    #[test]
    fn names_that_no_cookie_has_are_not_looked_for() {
        for name in ["", " ", "a=b", "a;b", "a b", "a\u{e9}", "\"a\""] {
            let mut sources = TokenSources::default();
            sources.add_cookie(name, Vec::new());
            assert!(sources.cookies.is_empty(), "{name:?}");
        }
        let mut sources = TokenSources::default();
        let origins = || vec![(*b"https://x.test").into()];
        assert!(sources.add_cookie("a", origins()));
        assert!(sources.add_cookie("a", origins()));
        assert!(!sources.add_cookie("a", Vec::new()));
        sources.add_header(AUTHORIZATION);
        sources.add_header(COOKIE);
        sources.add_header(SEC_WEBSOCKET_PROTOCOL);
        sources.add_header(UPGRADE);
        sources.add_header(UPGRADE);
        assert_eq!(sources.cookies.len(), 1);
        assert_eq!(sources.cookies[0].origins, origins(), "not replaced");
        assert_eq!(sources.headers, [UPGRADE]);
    }

    /// The same pairs, by way of text and of the standard library.
    fn reference(field: &str) -> Vec<String> {
        let blank = [' ', '\t'];
        field
            .split(';')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .filter(|(name, _)| name.trim_matches(blank) == "t")
            .map(|(_, value)| value.trim_matches(blank).to_owned())
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn cookies_are_found_as_slow_text_finds_them(
            fields in prop::collection::vec("[tuT=; \t\",]{0,16}", 0..4),
        ) {
            let headers = cookies(fields.iter().map(String::as_bytes));
            let all: Vec<_> = values(&headers, b"t").collect();
            let expected: Vec<_> = fields.iter().flat_map(|field| reference(field)).collect();
            let expected: Vec<_> = expected.iter().map(String::as_bytes).collect();
            prop_assert_eq!(all, expected);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            if let Ok(field) = HeaderValue::from_bytes(&bytes) {
                let headers = cookies([field.as_bytes()]);
                for value in values(&headers, b"t") {
                    prop_assert!(!value.contains(&b';'));
                }
            }
        }
    }
}
