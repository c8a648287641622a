//! Redirect URIs: which may be registered, and which of a request match.
//!
//! 1. A URI of a request matches a registered one that is the same text (RFC 9700 section 4.1.3).
//! 2. The port of an `http` URI on loopback may be another (RFC 8252 section 7.3).

use crate::model::url::is_loopback;

/// Why a URI may not be registered.
pub(in crate::test_util) fn check(uri: &str) -> Result<(), String> {
    let wrong = |problem: &str| Err(format!("`{uri}` {problem}"));
    let Some((scheme, rest)) = uri.split_once(':') else {
        return wrong("is no absolute URI");
    };
    // RFC 6749 s3.1.2; other characters than these belong in percent-encoding (RFC 3986 s2).
    if uri.contains('#') {
        return wrong("has a fragment");
    }
    if !uri.bytes().all(|byte| byte.is_ascii_graphic()) || uri.contains(['"', '<', '>', '\\']) {
        return wrong("has characters that a URI cannot have");
    }
    // RFC 3986 s3.1, s3.2.2: what stands in the policies of pages is a scheme or an origin.
    let in_scheme = |one: char| one.is_ascii_alphanumeric() || "+-.".contains(one);
    let in_origin = |one: char| one.is_ascii_alphanumeric() || "-._:[]/".contains(one);
    if !scheme.chars().all(in_scheme)
        || !origin(uri)
            .unwrap_or_default()
            .chars()
            .all(|one| in_scheme(one) || in_origin(one))
    {
        return wrong("has a scheme or host that is none");
    }
    match scheme {
        "https" if rest.starts_with("//") && !host(rest).is_empty() => Ok(()),
        "http" if is_loopback(host(rest)) => Ok(()),
        "http" => wrong("has the scheme `http` and is not on loopback"),
        // RFC 8252 s7.1: a private-use scheme is a domain name in reverse order.
        private if private.contains('.') && !private.starts_with('.') => Ok(()),
        _ => wrong("has neither https nor a private-use scheme with a dot"),
    }
}

/// Whether a URI of a request is this registered one.
pub(in crate::test_util) fn matches(registered: &str, sent: &str) -> bool {
    registered == sent
        || match (
            loopback_without_port(registered),
            loopback_without_port(sent),
        ) {
            (Some(registered), Some(sent)) => registered == sent,
            _ => false,
        }
}

/// The origin of a URI as browsers write it; for a private-use scheme the scheme and its colon.
pub(in crate::test_util) fn origin(uri: &str) -> Option<&str> {
    let (scheme, rest) = uri.split_once(':')?;
    let Some(rest) = rest
        .strip_prefix("//")
        .filter(|_| scheme.starts_with("http"))
    else {
        return uri.get(..=scheme.len());
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    uri.get(..scheme.len() + 3 + authority.len())
}

/// Whether an origin is `http` or `https` on loopback.
pub(in crate::test_util) fn is_loopback_origin(origin: &str) -> bool {
    let rest = origin
        .strip_prefix("http:")
        .or_else(|| origin.strip_prefix("https:"));
    rest.is_some_and(|rest| is_loopback(host(rest)))
}

/// Host, and what follows the authority, of an `http` URI on loopback.
fn loopback_without_port(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, after) = rest.split_at(end);
    let host = host_of(authority)?;
    is_loopback(host).then_some((host, after))
}

fn host(rest: &str) -> &str {
    let rest = rest.strip_prefix("//").unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    host_of(authority).unwrap_or_default()
}

/// The host of an authority without user information, and with a port of digits or none.
fn host_of(authority: &str) -> Option<&str> {
    let start_of_port = match authority.rfind(']') {
        Some(bracket) => bracket + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at_checked(start_of_port)?;
    let digits = match port {
        "" => "",
        _ => port.strip_prefix(':')?,
    };
    (!authority.contains('@') && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_uri_with_any_port_on_loopback_matches_and_any_other_difference_does_not() {
        for (registered, sent, same) in [
            ("https://app.example/cb", "https://app.example/cb", true),
            ("https://app.example/cb", "https://app.example/cb/", false),
            (
                "https://app.example/cb",
                "https://app.example:443/cb",
                false,
            ),
            (
                "https://app.example/cb",
                "https://app.example/cb?a=b",
                false,
            ),
            ("http://127.0.0.1/cb", "http://127.0.0.1:5173/cb", true),
            ("http://127.0.0.1:1/cb", "http://127.0.0.1:2/cb", true),
            ("http://[::1]/cb", "http://[::1]:5173/cb", true),
            ("http://localhost/cb", "http://localhost:5173/cb", true),
            (
                "http://localhost/cb",
                "http://localhost.evil.example:1/cb",
                false,
            ),
            (
                "http://localhost/cb",
                "http://localhost:1@evil.example/cb",
                false,
            ),
            ("http://localhost/cb", "http://evil.example:1/cb", false),
            ("http://localhost/cb", "http://localhost:1/other", false),
            ("http://localhost/cb", "http://127.0.0.1:1/cb", false),
            ("http://localhost/cb", "https://localhost:1/cb", false),
            ("https://localhost/cb", "https://localhost:1/cb", false),
            ("com.example.app:/cb", "com.example.app:/cb", true),
        ] {
            assert_eq!(matches(registered, sent), same, "{registered} {sent}");
        }
    }

    #[test]
    fn redirect_uri_that_may_be_registered_is_https_or_loopback_or_private_use() {
        for good in [
            "https://app.example/cb?a=b",
            "http://localhost:3000/",
            "http://[::1]/cb",
            "com.example.app:/cb",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "app.example/cb",
            "http://app.example/cb",
            "https:///cb",
            "https://app.example/#cb",
            "https://app.example/\"cb",
            "javascript:alert(1)",
            "data:text/html,x",
            "http://user@localhost/cb",
            "https://app.example;script-src/cb",
            "a;b.example:/cb",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn redirect_uri_has_the_origin_that_browsers_write() {
        assert_eq!(
            origin("https://app.example:8443/cb?a"),
            Some("https://app.example:8443")
        );
        assert_eq!(origin("com.example.app:/cb"), Some("com.example.app:"));
        assert!(is_loopback_origin("http://localhost:5173"));
        assert!(is_loopback_origin("https://127.0.0.1"));
        assert!(!is_loopback_origin("https://localhost.evil.example"));
        assert!(!is_loopback_origin("null"));
    }
}
