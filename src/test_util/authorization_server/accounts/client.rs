//! A prepared client.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::redirect_uri;
use super::scope_token::is_scope_token;
use super::user::check_claims;
use crate::test_util::keys::json_of;

/// A client of an [`AuthorizationServer`](crate::test_util::AuthorizationServer). The names of its members in a
/// file are those of its setters; most are those of RFC 7591 section 2.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use]
pub struct TestClient {
    pub(in crate::test_util) id: String,
    #[serde(default)]
    pub(in crate::test_util) name: Option<String>,
    #[serde(default)]
    pub(in crate::test_util) secret: Option<String>,
    #[serde(default)]
    pub(in crate::test_util) redirect_uris: Vec<String>,
    #[serde(default)]
    pub(in crate::test_util) post_logout_redirect_uris: Vec<String>,
    #[serde(default)]
    pub(in crate::test_util) backchannel_logout_uri: Option<String>,
    #[serde(default)]
    grant_types: Option<Vec<String>>,
    #[serde(default)]
    token_endpoint_auth_method: Option<String>,
    #[serde(default)]
    pub(in crate::test_util) scopes: Vec<String>,
    #[serde(default)]
    pub(in crate::test_util) audiences: Vec<String>,
    #[serde(default)]
    pub(in crate::test_util) claims: Map<String, Value>,
    #[serde(default)]
    pub(in crate::test_util) require_dpop: bool,
    #[serde(default)]
    pub(in crate::test_util) certificate_thumbprint: Option<String>,
    #[serde(default)]
    pub(in crate::test_util) jwks: Option<Value>,
}

pub(in crate::test_util) const AUTHORIZATION_CODE: &str = "authorization_code";
pub(in crate::test_util) const CLIENT_CREDENTIALS: &str = "client_credentials";
pub(in crate::test_util) const REFRESH_TOKEN: &str = "refresh_token";
pub(in crate::test_util) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
pub(in crate::test_util) const TOKEN_EXCHANGE: &str =
    "urn:ietf:params:oauth:grant-type:token-exchange";

pub(super) const GRANT_TYPES: &[&str] = &[
    AUTHORIZATION_CODE,
    CLIENT_CREDENTIALS,
    REFRESH_TOKEN,
    DEVICE_CODE,
    TOKEN_EXCHANGE,
];

/// RFC 7591 s2, RFC 8705 s2.
pub(super) const AUTHENTICATION_METHODS: &[&str] = &[
    "none",
    "client_secret_basic",
    "client_secret_post",
    "tls_client_auth",
    "self_signed_tls_client_auth",
];

/// RFC 8705 s2.
const CERTIFICATE_METHODS: [&str; 2] = ["tls_client_auth", "self_signed_tls_client_auth"];

impl TestClient {
    /// A public client, such as a single-page or mobile application: it has no secret.
    pub fn public(id: impl Into<String>) -> Self {
        Self::make(id.into(), None)
    }

    /// A confidential client with this secret.
    pub fn confidential(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self::make(id.into(), Some(secret.into()))
    }

    fn make(id: String, secret: Option<String>) -> Self {
        Self {
            id,
            name: None,
            secret,
            redirect_uris: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            backchannel_logout_uri: None,
            grant_types: None,
            token_endpoint_auth_method: None,
            scopes: Vec::new(),
            audiences: Vec::new(),
            claims: Map::new(),
            require_dpop: false,
            certificate_thumbprint: None,
            jwks: None,
        }
    }

    /// The name on the login page. Default: the id.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Adds a redirect URI: `https`, `http` on loopback, or a private-use scheme with a dot in it (RFC 8252
    /// section 7.1), without a fragment. It is compared as text; the port of an `http` URI on loopback may be any
    /// (section 7.3), here that of `localhost` too. Default: none.
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uris.push(uri.into());
        self
    }

    /// Adds a URI to which the browser may return after a logout (OpenID Connect RP-Initiated Logout 1.0). It is
    /// compared like a redirect URI. Default: none.
    pub fn post_logout_redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.post_logout_redirect_uris.push(uri.into());
        self
    }

    /// Where logout tokens are sent (OpenID Connect Back-Channel Logout 1.0). Default: nowhere.
    pub fn backchannel_logout_uri(mut self, uri: impl Into<String>) -> Self {
        self.backchannel_logout_uri = Some(uri.into());
        self
    }

    /// The grant types that it may use (RFC 7591 section 2). Default: `authorization_code` and `refresh_token`,
    /// and for a client with a secret `client_credentials`.
    pub fn grant_types<S: Into<String>>(mut self, all: impl IntoIterator<Item = S>) -> Self {
        self.grant_types = Some(all.into_iter().map(Into::into).collect());
        self
    }

    /// How it authenticates at the token endpoint (RFC 7591 section 2, RFC 8705 section 2): this method and no
    /// other. Default: `none` without a secret; with a secret, `client_secret_basic` and `client_secret_post`.
    pub fn token_endpoint_auth_method(mut self, method: impl Into<String>) -> Self {
        self.token_endpoint_auth_method = Some(method.into());
        self
    }

    /// The scope tokens that it may have; without a `scope` in the request it gets all of them. Default: any that
    /// it asks for.
    pub fn scopes<S: Into<String>>(mut self, all: impl IntoIterator<Item = S>) -> Self {
        self.scopes = all.into_iter().map(Into::into).collect();
        self
    }

    /// The resources that its access tokens may be for (RFC 8707); without a `resource` in the request the first.
    /// Default: [`MockIssuer::AUDIENCE`](crate::test_util::MockIssuer::AUDIENCE).
    pub fn audiences<S: Into<String>>(mut self, all: impl IntoIterator<Item = S>) -> Self {
        self.audiences = all.into_iter().map(Into::into).collect();
        self
    }

    /// Sets a claim of the access tokens that it gets for itself, by client credentials.
    ///
    /// # Panics
    ///
    /// When `value` cannot be written as JSON.
    pub fn claim(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        self.claims.insert(name.into(), json_of(value));
        self
    }

    /// Gives it access tokens that are bound to a DPoP key alone (RFC 9449 section 5.2,
    /// `dpop_bound_access_tokens`). Default: a token is bound where the request has a proof.
    pub fn require_dpop(mut self) -> Self {
        self.require_dpop = true;
        self
    }

    /// The SHA-256 thumbprint of its certificate for mutual TLS, base64url without padding (RFC 8705
    /// section 3.1). Its tokens are bound to the certificate where it shows it. With
    /// [`token_endpoint_auth_method`](Self::token_endpoint_auth_method) `tls_client_auth` or
    /// `self_signed_tls_client_auth` the certificate authenticates it, too. Default: none.
    pub fn certificate_thumbprint(mut self, thumbprint: impl Into<String>) -> Self {
        self.certificate_thumbprint = Some(thumbprint.into());
        self
    }

    /// Its public keys, a JWK Set. They are shown in its metadata; the method `private_key_jwt` is not supported.
    /// Default: none.
    ///
    /// # Panics
    ///
    /// When `key_set` cannot be written as JSON.
    pub fn jwks(mut self, key_set: impl Serialize) -> Self {
        self.jwks = Some(json_of(key_set));
        self
    }

    /// The name for people.
    pub(in crate::test_util) fn shown(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }

    pub(in crate::test_util) fn may_use(&self, grant_type: &str) -> bool {
        match &self.grant_types {
            Some(all) => all.iter().any(|one| one == grant_type),
            None => match grant_type {
                AUTHORIZATION_CODE | REFRESH_TOKEN => true,
                CLIENT_CREDENTIALS => !self.is_public(),
                _ => false,
            },
        }
    }

    /// Whether it may authenticate like this.
    pub(in crate::test_util) fn authenticates_by(&self, method: &str) -> bool {
        match (&self.token_endpoint_auth_method, &self.secret) {
            (Some(only), _) => only == method,
            (None, Some(_)) => matches!(method, "client_secret_basic" | "client_secret_post"),
            (None, None) => method == "none",
        }
    }

    /// The method by which its certificate authenticates it, where it is registered for one.
    pub(in crate::test_util) fn certificate_method(&self) -> Option<&str> {
        let method = self.token_endpoint_auth_method.as_deref();
        method.filter(|method| CERTIFICATE_METHODS.contains(method))
    }

    /// Whether it has nothing to authenticate with.
    pub(in crate::test_util) fn is_public(&self) -> bool {
        self.authenticates_by("none")
    }

    /// What is wrong with it: the member, and the problem.
    pub(in crate::test_util) fn check(&self) -> Result<(), (&'static str, String)> {
        // RFC 6749 s A.1: visible ASCII and blanks.
        let visible = |text: &str| text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        if self.id.is_empty() || !visible(&self.id) {
            return Err(("id", "the id must be visible ascii".into()));
        }
        if self.secret.as_ref().is_some_and(String::is_empty) {
            return Err((
                "secret",
                "the secret is empty; leave it out for a public client".into(),
            ));
        }
        for (member, uris) in [
            ("redirect_uris", &self.redirect_uris),
            ("post_logout_redirect_uris", &self.post_logout_redirect_uris),
        ] {
            for uri in uris {
                redirect_uri::check(uri).map_err(|problem| (member, problem))?;
            }
        }
        if let Some(uri) = &self.backchannel_logout_uri {
            redirect_uri::check(uri).map_err(|problem| ("backchannel_logout_uri", problem))?;
            // It is called, so that no application's own scheme will do.
            if !uri.starts_with("https:") && !uri.starts_with("http:") {
                let problem = format!("`{uri}` is neither https nor http on loopback");
                return Err(("backchannel_logout_uri", problem));
            }
        }
        for grant_type in self.grant_types.iter().flatten() {
            if !GRANT_TYPES.contains(&&**grant_type) {
                return Err(("grant_types", unknown(grant_type, GRANT_TYPES)));
            }
        }
        if let Some(method) = &self.token_endpoint_auth_method {
            if !AUTHENTICATION_METHODS.contains(&&**method) {
                return Err((
                    "token_endpoint_auth_method",
                    unknown(method, AUTHENTICATION_METHODS),
                ));
            }
            if method.starts_with("client_secret") && self.secret.is_none() {
                return Err((
                    "token_endpoint_auth_method",
                    format!("`{method}` needs a `secret`"),
                ));
            }
        }
        if self.certificate_method().is_some() && self.certificate_thumbprint.is_none() {
            let problem = "mutual TLS needs a `certificate_thumbprint`";
            return Err(("token_endpoint_auth_method", problem.into()));
        }
        // RFC 6749 s4.4: for confidential clients alone.
        if self.is_public() && self.may_use(CLIENT_CREDENTIALS) {
            return Err((
                "grant_types",
                "a public client cannot use `client_credentials`".into(),
            ));
        }
        // RFC 8705 s3.1: 32 bytes.
        let base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let thumbprint = self.certificate_thumbprint.as_deref();
        if !thumbprint.is_none_or(|text| text.len() == 43 && text.bytes().all(base64url)) {
            let problem = "the thumbprint must be a SHA-256 digest in base64url, 43 characters";
            return Err(("certificate_thumbprint", problem.into()));
        }
        // Machines of some vendors have a subject of their own.
        check_claims(&self.claims, &["sub"])?;
        for scope in &self.scopes {
            if !is_scope_token(scope) {
                return Err(("scopes", format!("`{scope}` is no scope token")));
            }
        }
        Ok(())
    }
}

fn unknown(found: &str, known: &[&str]) -> String {
    format!("`{found}` is none of {}", known.join(", "))
}

impl fmt::Debug for TestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestClient")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
