//! What a connection is made to: scheme, host and port of a URL.

use http::Uri;
use http::uri::Scheme;

/// Scheme, host and port; connections to equal ones are interchangeable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ServerOrigin {
    pub(super) is_tls: bool,
    /// In lower case; an IPv6 address in brackets.
    host: String,
    pub(super) port: u16,
}

impl ServerOrigin {
    /// Of an absolute `http` or `https` URL.
    pub(super) fn of(url: &Uri) -> Option<Self> {
        let scheme = url.scheme()?;
        let is_tls = *scheme == Scheme::HTTPS;
        if !is_tls && *scheme != Scheme::HTTP {
            return None;
        }
        Some(Self {
            is_tls,
            host: url.host()?.to_ascii_lowercase(),
            port: url.port_u16().unwrap_or(default_port(is_tls)),
        })
    }

    /// The host for a resolver and for a certificate: an IPv6 address without brackets.
    pub(super) fn host(&self) -> &str {
        let inner = self.host.strip_prefix('[');
        let inner = inner.and_then(|host| host.strip_suffix(']'));
        inner.unwrap_or(&self.host)
    }

    /// The target of `CONNECT` (RFC 9110 section 9.3.6): always with the port.
    pub(super) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The value of `Host` (RFC 9110 section 7.2): without the scheme's own port.
    pub(super) fn host_field(&self) -> String {
        if self.port == default_port(self.is_tls) {
            self.host.clone()
        } else {
            self.authority()
        }
    }
}

const fn default_port(is_tls: bool) -> u16 {
    if is_tls { 443 } else { 80 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_origin_names_host_and_port_as_each_reader_wants_them() {
        for (url, host, authority, field) in [
            (
                "https://A.example/x",
                "a.example",
                "a.example:443",
                "a.example",
            ),
            (
                "https://a.example:443",
                "a.example",
                "a.example:443",
                "a.example",
            ),
            (
                "http://a.example:443",
                "a.example",
                "a.example:443",
                "a.example:443",
            ),
            (
                "http://127.0.0.1?x",
                "127.0.0.1",
                "127.0.0.1:80",
                "127.0.0.1",
            ),
            (
                "https://[2001:DB8::1]:8443/",
                "2001:db8::1",
                "[2001:db8::1]:8443",
                "[2001:db8::1]:8443",
            ),
            ("https://[::1]/", "::1", "[::1]:443", "[::1]"),
        ] {
            let origin = ServerOrigin::of(&url.parse().expect("a URL")).expect("an origin");
            let read = (origin.host(), origin.authority(), origin.host_field());
            assert_eq!(
                read,
                (host, authority.to_owned(), field.to_owned()),
                "{url}"
            );
        }
        for other in ["/path", "ftp://a.example/", "a.example:80"] {
            assert_eq!(
                ServerOrigin::of(&other.parse().expect("a URI")),
                None,
                "{other}"
            );
        }
    }
}
