//! The target URI of a request as clients see it, and its comparison with a proof's `htu`
//! (RFC 9449 section 4.3 number 9, RFC 3986 sections 6.2.2 and 6.2.3).
//!
//! 1. The origin comes from the configuration, never from a header field of the request.
//! 2. The path is the one that the client has sent. A setting maps it where a proxy adds or removes
//!    a prefix.
//! 3. Query and fragment of `htu` are ignored. Scheme and host have no case, the default port may be
//!    written, percent-encoded unreserved characters are decoded, hexadecimal digits have no case, and
//!    the dot segments of `htu` are removed. Nothing else makes two URIs equal: `/a` is not `/a/`, `%2F`
//!    is not `/`. The dot segments of a request are not removed, since routers do not remove them: no
//!    proof of another path fits.

use std::borrow::Cow;

/// Scheme, host and port under which clients reach the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicOrigin {
    is_https: bool,
    /// As configured; compared without case.
    host: Box<str>,
    port: u16,
}

impl PublicOrigin {
    /// The origin of a URL. `None` where the URL is not an absolute `http` or `https` URL.
    pub(crate) fn of(url: &str) -> Option<Self> {
        let (is_https, rest) = split_scheme(url, false)?;
        let (host, port) = split_port(authority_of(rest).0, is_https)?;
        (!host.is_empty()).then(|| Self {
            is_https,
            host: host.into(),
            port,
        })
    }
}

/// The path of a request as clients see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PublicPath {
    /// What paths begin with here, and not for clients. Empty or `/a/b`.
    internal: Box<str>,
    /// What paths begin with for clients, and not here.
    public: Box<str>,
}

impl PublicPath {
    /// Two prefixes, each empty or with a leading and without a trailing slash. `None` for others.
    pub(crate) fn new(internal: &str, public: &str) -> Option<Self> {
        let is_prefix = |text: &str| {
            text.is_empty()
                || (text.starts_with('/')
                    && !text.ends_with('/')
                    && text.bytes().all(is_path_byte)
                    && normalized(text).is_some_and(|path| path == text))
        };
        (is_prefix(internal) && is_prefix(public)).then(|| Self {
            internal: internal.into(),
            public: public.into(),
        })
    }

    /// The rest of a path behind the internal prefix, and the prefix that clients see.
    fn split<'p>(&'p self, path: &'p str) -> Option<(&'p str, &'p str)> {
        let rest = path.strip_prefix(&*self.internal)?;
        let ends_segment = rest.is_empty() || rest.starts_with('/') || self.internal.is_empty();
        ends_segment.then_some((&*self.public, rest))
    }
}

/// The target of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TargetUri<'r> {
    pub(crate) origin: &'r PublicOrigin,
    pub(crate) mapping: &'r PublicPath,
    /// As it was received, without the query.
    pub(crate) path: &'r str,
    /// Whether the request opens a WebSocket, so that its URI may have the scheme `ws` or `wss`
    /// (RFC 6455 section 3).
    pub(crate) opens_websocket: bool,
}

impl TargetUri<'_> {
    /// Whether `htu` is this target.
    pub(crate) fn is(&self, htu: &str) -> bool {
        self.compare(htu).unwrap_or(false)
    }

    fn compare(&self, htu: &str) -> Option<bool> {
        let (is_https, rest) = split_scheme(htu, self.opens_websocket)?;
        let (authority, path) = authority_of(rest);
        let (host, port) = split_port(authority, is_https)?;
        if is_https != self.origin.is_https
            || port != self.origin.port
            || !host.eq_ignore_ascii_case(&self.origin.host)
        {
            return Some(false);
        }
        let end = path.find(['?', '#']).unwrap_or(path.len());
        let path = path.get(..end)?;
        let (prefix, rest) = self.mapping.split(self.path)?;
        if path.strip_prefix(prefix) == Some(rest) && !rest.is_empty() {
            return Some(path.bytes().all(is_path_byte));
        }
        let own = if prefix.is_empty() {
            Cow::Borrowed(rest)
        } else {
            Cow::Owned([prefix, rest].concat())
        };
        // Routers do not remove the dot segments of a request, so they lead to another place than the
        // path without them.
        let own = decoded(&own)?;
        let htu = without_dot_segments(&decoded(path)?)?;
        Some(if own.is_empty() {
            htu == "/"
        } else {
            htu == own
        })
    }
}

/// `https` or `http`, and what follows `://`.
fn split_scheme(url: &str, allows_websocket: bool) -> Option<(bool, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let is = |name: &str| scheme.eq_ignore_ascii_case(name);
    if is("https") || (allows_websocket && is("wss")) {
        Some((true, rest))
    } else if is("http") || (allows_websocket && is("ws")) {
        Some((false, rest))
    } else {
        None
    }
}

/// The authority, and the rest from the path on.
fn authority_of(rest: &str) -> (&str, &str) {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    rest.split_at_checked(end).unwrap_or((rest, ""))
}

/// Host and port. `None` for user information and for what is not a port.
fn split_port(authority: &str, is_https: bool) -> Option<(&str, u16)> {
    let is_host_byte =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~[]:!$&'()*+,;=%".contains(&byte);
    if !authority.bytes().all(is_host_byte) {
        return None;
    }
    let host_end = match authority.rfind(']') {
        Some(bracket) => bracket + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at_checked(host_end)?;
    let default = if is_https { 443 } else { 80 };
    // RFC 3986 s6.2.3: no port and an empty one are the default port.
    let port = match port {
        "" | ":" => default,
        port => {
            let digits = port.strip_prefix(':')?;
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| digits.parse().ok())??
        }
    };
    Some((host, port))
}

// RFC 3986 s3.3: pchar and `/`; `%` is checked where it is decoded. WHATWG parsers leave `[`, `]` and
// `|` in paths as they are.
const fn is_path_byte(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(
            byte,
            b'/' | b'['
                | b']'
                | b'|'
                | b'%'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b':'
                | b'@'
        )
}

// RFC 3986 s2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// The path in its normal form (RFC 3986 sections 6.2.2.1 to 6.2.2.3 and 6.2.3). `None` where it is
/// not the path of a URI.
fn normalized(path: &str) -> Option<String> {
    without_dot_segments(&decoded(path)?)
}

/// The path with its unreserved characters decoded and its hexadecimal digits in upper case (RFC 3986
/// sections 6.2.2.1 and 6.2.2.2). `None` where it is not the path of a URI.
fn decoded(path: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [byte, behind @ ..] = rest {
        rest = behind;
        if !is_path_byte(*byte) {
            return None;
        }
        if *byte != b'%' {
            decoded.push(*byte);
            continue;
        }
        let [high, low, behind @ ..] = rest else {
            return None;
        };
        rest = behind;
        let value = hex(*high)? * 16 + hex(*low)?;
        if is_unreserved(value) {
            decoded.push(value);
        } else {
            decoded.extend([b'%', high.to_ascii_uppercase(), low.to_ascii_uppercase()]);
        }
    }
    String::from_utf8(decoded).ok()
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// RFC 3986 s5.2.4, for a path that is empty or begins with a slash.
fn without_dot_segments(path: &str) -> Option<String> {
    if path.is_empty() {
        return Some("/".to_owned());
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_with_dots = false;
    for segment in path.strip_prefix('/')?.split('/') {
        ends_with_dots = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            other => kept.push(other),
        }
    }
    let mut clean = String::with_capacity(path.len());
    for segment in &kept {
        clean.push('/');
        clean.push_str(segment);
    }
    if ends_with_dots || kept.is_empty() {
        clean.push('/');
    }
    Some(clean)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is(htu: &str, path: &str) -> bool {
        is_mapped(htu, path, "", "", false)
    }

    fn is_mapped(htu: &str, path: &str, internal: &str, public: &str, opens: bool) -> bool {
        TargetUri {
            origin: &PublicOrigin::of("https://api.example.com").expect("an origin"),
            mapping: &PublicPath::new(internal, public).expect("prefixes"),
            path,
            opens_websocket: opens,
        }
        .is(htu)
    }

    #[test]
    fn equal_uris_may_be_written_in_several_ways() {
        for (htu, path) in [
            ("https://api.example.com/orders", "/orders"),
            ("HTTPS://API.Example.com/orders", "/orders"),
            ("https://api.example.com:443/orders", "/orders"),
            ("https://api.example.com:/orders", "/orders"),
            ("https://api.example.com:0443/orders", "/orders"),
            ("https://api.example.com/orders?a=b", "/orders"),
            ("https://api.example.com/orders#x", "/orders"),
            ("https://api.example.com/orders?a#x/..", "/orders"),
            ("https://api.example.com", "/"),
            ("https://api.example.com?q", "/"),
            ("https://api.example.com/%7euser/%2fa", "/~user/%2Fa"),
            ("https://api.example.com/~user", "/%7Euser"),
            ("https://api.example.com/a/./b/../orders", "/a/orders"),
            ("https://api.example.com/%2e%2E/orders", "/orders"),
            ("https://api.example.com/x/../orders", "/x/../orders"),
            ("https://api.example.com/a[0]|b", "/a[0]|b"),
            ("https://api.example.com/a//b", "/a//b"),
            ("https://api.example.com/a/..", "/"),
            ("https://api.example.com/a/b/.", "/a/b/"),
        ] {
            assert!(is(htu, path), "{htu} {path}");
        }
    }

    #[test]
    fn other_uris_are_other_uris() {
        for (htu, path) in [
            ("https://api.example.com/orders/", "/orders"),
            ("https://api.example.com/orders", "/orders/"),
            ("https://api.example.com/order", "/orders"),
            ("https://api.example.com/orders", "/admin/../orders"),
            ("https://api.example.com/orders", "/admin/%2e%2E/orders"),
            ("https://api.example.com/orders", "/./orders"),
            ("https://api.example.com/", "/a/.."),
            ("https://api.example.com/Orders", "/orders"),
            ("https://api.example.com/a%2Fb", "/a/b"),
            ("https://api.example.com/a//b", "/a/b"),
            ("https://api.example.com/a%3Fb", "/a"),
            ("http://api.example.com/orders", "/orders"),
            ("wss://api.example.com/orders", "/orders"),
            ("https://api.example.com:8443/orders", "/orders"),
            ("https://api.example.com:44300/orders", "/orders"),
            ("https://api.example.com:65979/orders", "/orders"),
            ("https://api.example.com./orders", "/orders"),
            ("https://api.example.com.evil.example/orders", "/orders"),
            ("https://user@api.example.com/orders", "/orders"),
            ("https://api.example.com@evil.example/orders", "/orders"),
            ("https://api.example.com\\/orders", "/orders"),
            ("https://api.example.com]x/orders", "/orders"),
            ("https://api.example.com:+443/orders", "/orders"),
            ("https:///orders", "/orders"),
            ("https:/api.example.com/orders", "/orders"),
            ("//api.example.com/orders", "/orders"),
            ("/orders", "/orders"),
            ("https://*/orders", "/orders"),
            ("", "/orders"),
            ("https://api.example.com/orders ", "/orders"),
            (" https://api.example.com/orders", "/orders"),
            ("https://api.example.com/\u{f6}", "/\u{f6}"),
            ("https://api.example.com/a\\b", "/a\\b"),
        ] {
            assert!(!is(htu, path), "{htu} {path}");
        }
    }

    #[test]
    fn proxies_that_change_the_path_are_described_by_two_prefixes() {
        let of = |htu: &str, path: &str, internal: &str, public: &str| {
            is_mapped(
                &format!("https://api.example.com{htu}"),
                path,
                internal,
                public,
                false,
            )
        };
        assert!(of("/api/orders", "/orders", "", "/api"));
        assert!(of("/orders", "/svc/orders", "/svc", ""));
        assert!(of("/api/v1/orders", "/svc/orders", "/svc", "/api/v1"));
        assert!(of("/api", "/svc", "/svc", "/api"));
        assert!(of("/api/%7e", "/~", "", "/api"));
        assert!(!of("/orders", "/orders", "", "/api"));
        assert!(!of("/orders", "/orders", "/svc", ""));
        assert!(!of("/admin", "/svc/../admin", "/svc", ""));
        assert!(!of("/api/admin", "/svc/../admin", "/svc", "/api"));
        assert!(!of("orders", "/svcorders", "/svc", ""));
        for bad in ["/", "api", "/api/", "/a b", "/a?b", "/../a", "/%7e"] {
            assert_eq!(PublicPath::new(bad, ""), None, "{bad}");
            assert_eq!(PublicPath::new("", bad), None, "{bad}");
        }
    }

    #[test]
    fn the_schemes_of_a_websocket_count_for_requests_that_open_one() {
        for (scheme, opens, same) in [
            ("wss", true, true),
            ("WSS", true, true),
            ("https", true, true),
            ("ws", true, false),
            ("wss", false, false),
        ] {
            let htu = format!("{scheme}://api.example.com/live");
            assert_eq!(is_mapped(&htu, "/live", "", "", opens), same, "{htu}");
        }
    }

    #[test]
    fn an_origin_is_read_from_urls_alone() {
        assert!(PublicOrigin::of("http://[::1]:3000/x").is_some());
        assert_eq!(
            PublicOrigin::of("https://a.example"),
            PublicOrigin::of("https://a.example:443/b")
        );
        for bad in [
            "urn:api",
            "api.example.com",
            "https://",
            "https:///a",
            "ftp://a",
        ] {
            assert_eq!(PublicOrigin::of(bad), None, "{bad}");
        }
    }

    /// RFC 3986 section 6.2.2 for a path, by the slow loop of section 5.2.4.
    fn reference(path: &str) -> Option<String> {
        let mut decoded = String::new();
        let mut chars = path.chars().peekable();
        while let Some(one) = chars.next() {
            if one == '%' {
                let digits: String = [chars.next()?, chars.next()?].iter().collect();
                let value = u8::from_str_radix(&digits, 16).ok()?;
                if digits.starts_with('+') {
                    return None;
                }
                if value.is_ascii_alphanumeric() || b"-._~".contains(&value) {
                    decoded.push(char::from(value));
                } else {
                    decoded.push('%');
                    decoded.push_str(&digits.to_uppercase());
                }
            } else {
                decoded.push(one);
            }
        }
        if decoded.is_empty() {
            return Some("/".to_owned());
        }
        let (mut input, mut output) = (decoded, String::new());
        while !input.is_empty() {
            if input.starts_with("/./") {
                input.replace_range(..3, "/");
            } else if input == "/." {
                input = "/".to_owned();
            } else if input.starts_with("/../") || input == "/.." {
                let cut = if input == "/.." { 3 } else { 4 };
                input.replace_range(..cut, "/");
                let last = output.rfind('/').unwrap_or(0);
                output.truncate(last);
            } else {
                let next = input[1..].find('/').map_or(input.len(), |at| at + 1);
                output.push_str(&input[..next]);
                input.replace_range(..next, "");
            }
        }
        Some(output)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn paths_are_normalized_as_the_slow_reference_does(
            path in "(/(\\.|\\.\\.|a|~|%7e|%7E|%2e|%2F|%4|b%41|)){0,6}",
        ) {
            prop_assert_eq!(normalized(&path), reference(&path), "{}", path);
        }

        #[test]
        fn equal_means_equal_normal_forms(
            one in "(/(\\.|\\.\\.|a|~|%7e|%2e|%2F|%2f|)){1,4}",
            other in "(/(\\.|\\.\\.|a|~|%7e|%2e|%2F|%2f|)){1,4}",
        ) {
            let htu = format!("https://api.example.com{one}");
            let has_dots = reference(&other) != decoded(&other);
            let same = reference(&one) == reference(&other) && (one == other || !has_dots);
            prop_assert_eq!(is(&htu, &other), same, "{} {}", one, other);
        }

        #[test]
        fn no_text_makes_the_comparison_panic(htu in "\\PC{0,60}", path in "\\PC{0,20}") {
            let _ = is(&htu, &path);
            let _ = is_mapped(&htu, &path, "/a", "/b", true);
        }
    }
}
