//! The store's URL: which ones are accepted, and what of them is shown.
//!
//! 1. Off loopback the connection is encrypted and the server's certificate checked, unless the
//!    application allows it.
//! 2. User and password appear in no `Debug` and in no error.

use std::fmt;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _};

use crate::model::url::is_loopback;

/// Where the store is.
#[derive(Clone)]
pub(crate) struct Address {
    pub(super) info: ConnectionInfo,
    /// Host and port.
    pub(super) shown: String,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Address {
    /// Parses the URL of a store. The error is a phrase that follows "it".
    pub(crate) fn parse(url: &str, allow_plain: bool) -> Result<Self, &'static str> {
        let known = ["redis://", "rediss://", "valkey://", "valkeys://"];
        if !known.iter().any(|scheme| url.starts_with(scheme)) {
            return Err(
                "is not a url that begins with `redis://`, `rediss://`, `valkey://` or `valkeys://`",
            );
        }
        // `redis` reads options there that switch the check of the certificate off.
        if url.contains(['?', '#']) {
            return Err("has a query or a fragment");
        }
        let info = url
            .into_connection_info()
            .map_err(|_| "cannot be read; write `rediss://user:password@host:port/database`, the password percent-encoded")?;
        let shown = match info.addr() {
            ConnectionAddr::TcpTls { host, port, .. } => format!("{host}:{port}"),
            ConnectionAddr::Tcp(host, port)
                if allow_plain || is_loopback(host) || is_loopback(&format!("[{host}]")) =>
            {
                format!("{host}:{port}")
            }
            ConnectionAddr::Tcp(..) => return Err("is not encrypted; use `rediss://`"),
            _ => return Err("names no host"),
        };
        Ok(Self { info, shown })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_off_loopback_is_reached_encrypted_or_because_that_was_allowed() {
        for url in [
            "redis://127.0.0.1:6379/0",
            "redis://localhost",
            "redis://[::1]:6379",
            "valkey://127.0.0.1",
            "rediss://cache.example.com",
            "rediss://user:p%40ss@cache.example.com:6380/2",
            "valkeys://cache.example.com",
        ] {
            assert!(Address::parse(url, false).is_ok(), "{url}");
        }
        let plain = "redis://cache.example.com:6379";
        assert!(Address::parse(plain, false).is_err());
        assert!(Address::parse(plain, true).is_ok(), "allowed");
        for url in [
            "",
            "cache.example.com",
            "http://cache.example.com",
            "unix:///run/redis.sock",
            "rediss://cache.example.com#insecure",
            "rediss://cache.example.com/?protocol=resp3",
            "rediss://cache.example.com/first",
            "rediss://",
        ] {
            assert!(Address::parse(url, false).is_err(), "{url}");
        }
    }

    #[test]
    fn an_address_shows_neither_user_nor_password() {
        let url = "rediss://someone:secret@cache.example.com:6380/2";
        let address = Address::parse(url, false).expect("an address");
        assert_eq!(format!("{address:?}"), "cache.example.com:6380");
    }
}
