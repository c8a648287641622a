//! Settings of an issuer's keys: their source, its TLS roots, and the intervals of refreshes.

use std::time::Duration;

use crate::server::settings::issuer::value::{Issuer, Proxies};

/// Where keys come from.
impl Issuer {
    /// Fetches the key set from this URL, without discovery; call it once for each, up to 8. The
    /// tokens' `iss` stays what it is.
    ///
    /// Several sets count as one: a token's key is looked for in all of them. Each is fetched,
    /// retried and grows too old by itself, so that the keys of one are good while another's
    /// address is down; a key id is unknown when every address has confirmed that. Entra B2C has
    /// one set for each policy, and a move from one server to another has two for a while.
    ///
    /// A key with a member `issuer` that names another one of the same origin is not used, as
    /// Entra asks for.
    /// Default: discovery, or Cognito's own place.
    #[doc(alias = "jwks")]
    #[doc(alias = "jwks_uri")]
    #[doc(alias = "jwks_url")]
    pub fn key_set_url(mut self, url: impl Into<String>) -> Self {
        let url = url.into();
        if !self.key_set_urls.contains(&url) {
            self.key_set_urls.push(url);
        }
        self
    }

    /// Fetches the discovery document from this URL, such as a custom domain. Its `issuer` must
    /// still be the tokens' `iss`; for [`oidc_tenants`](Self::oidc_tenants), that of one of them or
    /// their template. Default: OpenID Connect Discovery's place below the issuer, then RFC 8414's
    /// two before its path.
    #[doc(alias = "openid_configuration")]
    #[doc(alias = "well_known")]
    #[doc(alias = "metadata_url")]
    pub fn discovery_url(mut self, url: impl Into<String>) -> Self {
        let url = url.into();
        self.once.set("discovery_url", &url);
        self.discovery_url = Some(url);
        self
    }

    /// Uses the keys of this JWK Set (RFC 7517 section 5) and fetches nothing; call it once for
    /// each. A set with more entries than [`most_keys`](Self::most_keys) is a mistake. Default: keys are fetched.
    #[doc(alias = "jwks")]
    #[doc(alias = "static_jwks")]
    pub fn key_set(mut self, json: impl Into<Vec<u8>>) -> Self {
        self.key_sets.push(json.into());
        self
    }

    /// Uses this public key in PEM (`PUBLIC KEY`), for tokens without `kid` and for those whose
    /// `kid` no other key has, and fetches nothing; call it once for each.
    /// Default: keys are fetched.
    #[doc(alias = "public_key")]
    #[doc(alias = "decoding_key")]
    pub fn pem(mut self, pem: impl Into<String>) -> Self {
        self.pems.push((None, pem.into()));
        self
    }

    /// The same, for tokens with this `kid`.
    pub fn pem_with_key_id(mut self, key_id: impl Into<String>, pem: impl Into<String>) -> Self {
        self.pems.push((Some(key_id.into()), pem.into()));
        self
    }

    /// Talks to a Cognito emulator at this base URL: issuer and keys lie below it. The pool's
    /// region may then be any word, such as `local`.
    /// Default: Cognito itself. For a proxy, which leaves `iss` alone, set
    /// [`key_set_url`](Self::key_set_url).
    pub fn endpoint(mut self, base_url: impl Into<String>) -> Self {
        let base_url = base_url.into();
        self.once.set("endpoint", &base_url);
        self.endpoint = Some(base_url);
        self
    }

    /// Trusts the certificates of this PEM (`CERTIFICATE`, one or several) as roots when this
    /// issuer's documents are fetched, beside the system's; call it once for each. Another
    /// issuer's fetches do not trust them, and the name in the server's certificate is checked
    /// all the same. Read by `build()`, which refuses a PEM without a certificate and one that
    /// cannot be read. Default: the system's roots alone, since each further root can issue certificates for any host.
    pub fn root_certificate(mut self, pem: impl Into<String>) -> Self {
        self.roots.push(pem.into());
        self
    }

    /// Fetches this issuer's documents through the proxies that `HTTP_PROXY`, `HTTPS_PROXY` and
    /// `ALL_PROXY` name, in upper or lower case, except for the hosts in `NO_PROXY`. They are
    /// read by `build()`; with [`root_certificate_file`](Self::root_certificate_file), whenever what the files
    /// hold is new. None is used where `REQUEST_METHOD` is set: the environment of a CGI program holds fields
    /// of its request (CVE-2016-5385). Loopback is no exception unless `NO_PROXY` names it. Https goes
    /// through a tunnel, so the proxy sees the host and nothing more; plain http it could answer
    /// itself. The URL of a proxy may hold a user name and a password (RFC 7617). Through a SOCKS proxy nothing
    /// is fetched: it is not supported. Default: no proxy, since an attacker who sets a variable would stand between the server and keys
    /// over plain http.
    pub fn proxy_from_environment(mut self) -> Self {
        self.proxies = Proxies::Used;
        self
    }

    /// How often the key set is fetched when the answer states no `max-age`, which counts
    /// between 1 minute and 1 hour: 1 minute to 24 hours. Default: 10 minutes.
    #[doc(alias = "jwks_cache")]
    #[doc(alias = "jwks_ttl")]
    #[doc(alias = "cache_ttl")]
    pub fn refresh_interval(mut self, interval: Duration) -> Self {
        self.once.set("refresh_interval", &interval);
        self.refresh_interval = interval;
        self
    }

    /// The least time between fetches that unknown key ids cause, failed ones counted: 1 second
    /// to 1 hour. Default: 30 s: tokens with invented key ids must not cause many requests to the issuer.
    pub fn unknown_key_cooldown(mut self, cooldown: Duration) -> Self {
        self.once.set("unknown_key_cooldown", &cooldown);
        self.unknown_key_cooldown = cooldown;
        self
    }

    /// How many entries of a key set are read: 1 to 1,000. Entries beyond are skipped, which
    /// [`KeySetStatus::skipped`](crate::status::KeySetStatus::skipped) and an event say; a token whose key
    /// is not among those that were read is answered 503. Default: 100, more than any issuer of
    /// tokens is known to publish.
    pub fn most_keys(mut self, entries: usize) -> Self {
        self.once.set("most_keys", &entries);
        self.most_keys = entries;
        self
    }

    /// The longest key set that is read, in bytes: 16 KiB to 4 MiB. A longer one is no key set, and
    /// the keys that were there grow old, which [`KeySetStatus`](crate::status::KeySetStatus) and an event
    /// say. Raise it for sets with many certificates in `x5c`. Default: 256 KiB, a bound on memory.
    pub fn key_set_bytes(mut self, bytes: usize) -> Self {
        self.once.set("key_set_bytes", &bytes);
        self.key_set_bytes = bytes;
        self
    }

    /// How long keys are good after the last successful fetch, by the wall clock and by the
    /// monotonic one, whichever is over first: at least 5/4 of the refresh interval, at most 30
    /// days. An issuer's `max-age` counts up to 4/5 of it. Default: 24 hours, availability against compromise.
    #[doc(alias = "jwks_ttl")]
    pub fn max_staleness(mut self, age: Duration) -> Self {
        self.once.set("max_staleness", &age);
        self.max_staleness = age;
        self
    }
}
