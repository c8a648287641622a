//! Validation of URLs that this library fetches.
//!
//! 1. Absolute, at most 2,048 bytes, visible ASCII without the characters on which URL parsers
//!    disagree (RFC 3986 section 2, appendix C).
//! 2. `https` with a host; plain `http` for literal loopback hosts only, unless it is allowed.
//! 3. No user information (RFC 3986 section 3.2.1) and no fragment (section 3.5).

use std::net::{Ipv4Addr, Ipv6Addr};

/// Longer than the URL of any real key set.
const MAX_BYTES: usize = 2048;

/// A URL for logs and messages: without user information, query and fragment, which may hold secrets.
pub(crate) fn shown(url: &str) -> String {
    let plain = url.split_once(['?', '#']).map_or(url, |(before, _)| before);
    let (scheme, rest) = plain.split_once("://").unwrap_or(("", plain));
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or_default();
    if scheme.is_empty() {
        format!("{host}{path}")
    } else {
        format!("{scheme}://{host}{path}")
    }
}

/// Scheme and authority of an absolute URL, and the rest: `https://a.example:8443` and `/jwks`.
/// Not validated; a text without `://` counts as authority up to its first slash.
pub(crate) fn split_origin(url: &str) -> (&str, &str) {
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end = url
        .get(authority..)
        .and_then(|rest| rest.find('/'))
        .map_or(url.len(), |at| authority + at);
    url.split_at_checked(end).unwrap_or((url, ""))
}

/// Scheme, host and port of an absolute URL in one spelling: in lower case, with the port. `None` for
/// another text than [`check`] accepts.
#[cfg(feature = "jwks")]
pub(crate) fn origin(url: &str) -> Option<String> {
    check(url, true).ok()?;
    let uri: http::Uri = url.parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let port = uri.port_u16().unwrap_or(match &*scheme {
        "https" => 443,
        _ => 80,
    });
    Some(format!(
        "{scheme}://{}:{port}",
        uri.host()?.to_ascii_lowercase()
    ))
}

/// The same URL at another origin: path and query stay.
#[cfg(feature = "jwks")]
pub(crate) fn at_origin(url: &str, origin: &str) -> String {
    let (_, rest) = split_origin(url);
    format!("{}{rest}", origin.trim_end_matches('/'))
}

/// Checks a URL. The error is a phrase that follows the URL: "`...` has no host".
pub(crate) fn check(url: &str, allow_plain: bool) -> Result<(), &'static str> {
    if url.len() > MAX_BYTES {
        return Err("is longer than 2048 bytes");
    }
    // RFC 3986 s2: a URI has none of these characters, and parsers that repair them disagree about
    // the host.
    let odd = |byte: u8| !byte.is_ascii_graphic() || b"\\\"<>^`{|}".contains(&byte);
    if url.bytes().any(odd) {
        return Err("contains a space or another character that no url contains");
    }
    // `http::Uri` silently drops a fragment.
    if url.contains('#') {
        return Err("has a fragment");
    }
    let uri: http::Uri = url.parse().map_err(|_| "is not an absolute url")?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err("is not an absolute url");
    };
    let authority = authority.as_str();
    if authority.contains('@') {
        return Err("contains user information");
    }
    let host = host_of(authority)?;
    match scheme {
        "https" => Ok(()),
        "http" if allow_plain || is_loopback(host) => Ok(()),
        "http" => Err("is plain http; use https"),
        _ => Err("is not an https url"),
    }
}

/// The host, with the brackets of an IPv6 address.
fn host_of(authority: &str) -> Result<&str, &'static str> {
    let at = match authority.find(']') {
        Some(bracket) => bracket + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at_checked(at).ok_or("has no host")?;
    if host.is_empty() {
        return Err("has no host");
    }
    if !is_host(host) {
        return Err("has a host that is neither a dns name nor an ip address");
    }
    // RFC 3986 s3.2.3 allows an empty port; it is a mistake all the same.
    let sound = match port.strip_prefix(':') {
        None => port.is_empty(),
        Some(digits) => {
            digits.bytes().all(|byte| byte.is_ascii_digit())
                && digits.parse::<u16>().is_ok_and(|port| port > 0)
        }
    };
    if sound {
        Ok(host)
    } else {
        Err("has a bad port")
    }
}

fn is_host(host: &str) -> bool {
    if host.starts_with('[') {
        return ipv6(host).is_some();
    }
    host.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

/// Whether a host is `localhost` or a literal loopback address. Another name can resolve to any
/// address.
pub(crate) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || ipv6(host).is_some_and(|address| address.is_loopback())
        || host
            .parse::<Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback())
}

/// The address between brackets.
fn ipv6(host: &str) -> Option<Ipv6Addr> {
    host.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{check, split_origin};

    #[test]
    fn origin_ends_at_the_first_slash_behind_the_authority() {
        for (url, origin, rest) in [
            (
                "https://a.example:8443/b/c",
                "https://a.example:8443",
                "/b/c",
            ),
            ("https://a.example/", "https://a.example", "/"),
            ("https://a.example", "https://a.example", ""),
            ("https:///b", "https://", "/b"),
            ("a.example/b", "a.example", "/b"),
            ("urn:example", "urn:example", ""),
            ("", "", ""),
        ] {
            assert_eq!(split_origin(url), (origin, rest), "{url}");
        }
    }

    #[cfg(feature = "jwks")]
    #[test]
    fn origin_has_one_spelling_and_is_exchanged_alone() {
        use super::{at_origin, origin};

        let same = origin("https://a.example/keys");
        assert_eq!(same.as_deref(), Some("https://a.example:443"));
        for other in ["HTTPS://A.example", "https://a.example:443/b?c=https://d"] {
            assert_eq!(origin(other), same, "{other}");
        }
        for other in [
            "https://a.example:8443/",
            "http://a.example/",
            "https://b.a.example/",
            "https://a.example.b/",
            "a.example",
            "https://a.example@b.example/",
        ] {
            assert_ne!(origin(other), same, "{other}");
        }
        let moved = at_origin(
            "https://10.0.0.1:6443/openid/v1/jwks?a=b",
            "https://api.svc/",
        );
        assert_eq!(moved, "https://api.svc/openid/v1/jwks?a=b");
    }

    #[test]
    fn https_with_a_host_is_accepted() {
        for url in [
            "https://issuer.example.com",
            "https://issuer.example.com/",
            "HTTPS://issuer.example.com/a/b?p=q&r=%20",
            "https://issuer.example.com:8443/jwks.json",
            "https://10.0.0.1/jwks",
            "https://[2001:db8::1]:8443/jwks",
            "https://my_host/jwks",
        ] {
            assert_eq!(check(url, false), Ok(()), "{url}");
        }
    }

    #[test]
    fn plain_http_is_accepted_on_literal_loopback_alone() {
        for url in [
            "http://127.0.0.1/jwks",
            "http://127.9.9.9:8080/jwks",
            "http://[::1]:8080/jwks",
            "http://localhost:8080/jwks",
            "http://LOCALHOST/jwks",
        ] {
            assert_eq!(check(url, false), Ok(()), "{url}");
        }
        for url in [
            "http://issuer.example.com/jwks",
            "http://127.0.0.1.example.com/jwks",
            "http://127.1/jwks",
            "http://0x7f.0.0.1/jwks",
            "http://2130706433/jwks",
            "http://0.0.0.0/jwks",
            "http://[::]/jwks",
            "http://[::ffff:127.0.0.1]/jwks",
            "http://localhost.example.com/jwks",
            "http://localhost./jwks",
            "http://169.254.169.254/latest",
        ] {
            assert!(check(url, false).is_err(), "{url}");
            assert_eq!(check(url, true), Ok(()), "{url}");
        }
    }

    #[test]
    fn everything_else_is_refused_even_where_plain_http_is_allowed() {
        for url in [
            "",
            "/jwks",
            "issuer.example.com",
            "issuer.example.com/jwks",
            "//issuer.example.com/jwks",
            "file:///etc/passwd",
            "file://localhost/etc/passwd",
            "data:application/json,{}",
            "gopher://issuer.example.com/",
            "ftp://issuer.example.com/",
            "https:",
            "https://",
            "https:///jwks",
            "https://:8443/jwks",
            "https:/issuer.example.com",
            "https://user@issuer.example.com/",
            "https://user:secret@issuer.example.com/",
            "https://issuer.example.com@evil.example/",
            "https://@issuer.example.com/",
            "https://issuer.example.com/#fragment",
            "https://issuer.example.com/jwks#",
            "https://issuer.example.com#@evil.example/",
            "https://issuer.example.com\\@evil.example/",
            "https://issuer.example.com/a b",
            " https://issuer.example.com/",
            "https://issuer.example.com/ ",
            "https://issuer.example.com/\n",
            "https://issuer.example.com/\u{0}",
            "https://issuer.example.com/\u{e9}",
            "https://issu\u{e9}r.example.com/",
            "https://issuer%2eexample.com/",
            "https://issuer.example.com:/",
            "https://issuer.example.com:0/",
            "https://issuer.example.com:65536/",
            "https://issuer.example.com:80:90/",
            "https://issuer.example.com:+80/",
            "https://[::1/",
            "https://[::1]x/",
            "https://[issuer]/",
            "https://a,b/",
        ] {
            assert!(check(url, false).is_err(), "{url}");
            assert!(check(url, true).is_err(), "{url}");
        }
        let long = format!("https://issuer.example.com/{}", "a".repeat(2048));
        assert!(check(&long, false).is_err());
    }
}
