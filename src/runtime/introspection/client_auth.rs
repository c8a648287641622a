//! Client authentication at an introspection endpoint (RFC 6749 section 2.3, RFC 7523 section 2.2).
//!
//! 1. A secret appears in a header field or in a form's body, never in a URL or in `Debug`.
//! 2. Credentials that fit into no header field are refused at build time.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

use crate::model::repeated_settings::RepeatedSettings;
use crate::model::time::UnixTime;
use crate::runtime::http::form::{push, push_pair};
use crate::verify::crypto::pem;
use crate::verify::crypto::private_key::PrivateKey;
use crate::verify::crypto::secret::SecretHash;
use crate::verify::jose::client_assertion::ClientAssertion;
use crate::verify::request::credential::is_b64token;

/// How this server authenticates itself at an introspection endpoint, with
/// [`Issuer::client_authentication`](crate::Issuer::client_authentication).
///
/// `Debug` shows the method, and no secret.
///
/// ```
/// use portcullis::config::ClientAuthentication;
///
/// let assertion = ClientAuthentication::basic("orders-api", "s3cr3t");
/// assert_eq!(format!("{assertion:?}"), "ClientAuthentication(basic)");
/// ```
#[derive(Clone)]
#[must_use]
pub struct ClientAuthentication(AuthMethod);

#[derive(Clone)]
enum AuthMethod {
    Basic { id: String, secret: String },
    Post { id: String, secret: String },
    Bearer { token: String },
    PrivateKeyJwt(SignedAuthMethod),
}

#[derive(Clone)]
struct SignedAuthMethod {
    id: String,
    pem: String,
    key_id: Option<String>,
    audience: Option<String>,
    /// Settings that may be given once.
    once: RepeatedSettings,
}

impl ClientAuthentication {
    /// HTTP Basic (RFC 6749 section 2.3.1, `client_secret_basic`): id and secret are encoded as
    /// in a form before they are put together.
    pub fn basic(client_id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self(AuthMethod::Basic {
            id: client_id.into(),
            secret: secret.into(),
        })
    }

    /// Id and secret as fields of the form (`client_secret_post`).
    pub fn post(client_id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self(AuthMethod::Post {
            id: client_id.into(),
            secret: secret.into(),
        })
    }

    /// A bearer token (RFC 7662 section 2.1). It is not renewed.
    pub fn bearer(token: impl Into<String>) -> Self {
        Self(AuthMethod::Bearer {
            token: token.into(),
        })
    }

    /// A JWT that is signed for each request (RFC 7523 section 2.2, `private_key_jwt`). The key is
    /// one `PRIVATE KEY` block in PEM (PKCS#8): RSA of 2048 bits or more signs RS256, P-256
    /// ES256, P-384 ES384, Ed25519 EdDSA.
    pub fn private_key_jwt(client_id: impl Into<String>, pem: impl Into<String>) -> Self {
        Self(AuthMethod::PrivateKeyJwt(SignedAuthMethod {
            id: client_id.into(),
            pem: pem.into(),
            key_id: None,
            audience: None,
            once: RepeatedSettings::default(),
        }))
    }

    /// The `kid` of the key, for [`private_key_jwt`](Self::private_key_jwt); elsewhere it changes
    /// nothing. Default: none is named.
    pub fn with_key_id(mut self, key_id: impl Into<String>) -> Self {
        if let AuthMethod::PrivateKeyJwt(method) = &mut self.0 {
            let key_id = key_id.into();
            method.once.set("with_key_id", &key_id);
            method.key_id = Some(key_id);
        }
        self
    }

    /// The `aud` of the JWT, for [`private_key_jwt`](Self::private_key_jwt); elsewhere it changes
    /// nothing. Default: the issuer's identifier, or its endpoint where it has none
    /// (RFC 7523 section 3).
    pub fn for_audience(mut self, audience: impl Into<String>) -> Self {
        if let AuthMethod::PrivateKeyJwt(method) = &mut self.0 {
            let audience = audience.into();
            method.once.set("for_audience", &audience);
            method.audience = Some(audience);
        }
        self
    }

    /// Whether both are the same credentials; compared by hashes in constant time.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.hash().matches(&other.hash())
    }

    fn hash(&self) -> SecretHash {
        fn hash(parts: &[Option<&str>]) -> SecretHash {
            // `Debug` quotes and escapes each part, so that no two lists look alike.
            SecretHash::of(format!("{parts:?}").as_bytes())
        }
        match &self.0 {
            AuthMethod::Basic { id, secret } => hash(&[Some("basic"), Some(id), Some(secret)]),
            AuthMethod::Post { id, secret } => hash(&[Some("post"), Some(id), Some(secret)]),
            AuthMethod::Bearer { token } => hash(&[Some("bearer"), Some(token)]),
            AuthMethod::PrivateKeyJwt(SignedAuthMethod {
                id,
                pem,
                key_id,
                audience,
                once: _,
            }) => hash(&[
                Some("private_key_jwt"),
                Some(id),
                Some(pem),
                key_id.as_deref(),
                audience.as_deref(),
            ]),
        }
    }

    /// Its settings that may be given once, where it has any.
    pub(crate) fn once(&self) -> Option<&RepeatedSettings> {
        match &self.0 {
            AuthMethod::PrivateKeyJwt(method) => Some(&method.once),
            AuthMethod::Basic { .. } | AuthMethod::Post { .. } | AuthMethod::Bearer { .. } => None,
        }
    }

    /// The client id, where the method has one.
    pub(crate) fn client_id(&self) -> Option<&str> {
        match &self.0 {
            AuthMethod::Basic { id, .. } | AuthMethod::Post { id, .. } => Some(id),
            AuthMethod::PrivateKeyJwt(method) => Some(&method.id),
            AuthMethod::Bearer { .. } => None,
        }
    }

    /// Checks and prepares it. `audience` is the `aud` of a JWT unless a setting says otherwise. The
    /// error quotes nothing.
    pub(crate) fn prepare(&self, audience: &str) -> Result<Credentials, &'static str> {
        const EMPTY: &str = "the client id, the secret or the token is empty";
        let is_empty = match &self.0 {
            AuthMethod::Basic { id, secret } | AuthMethod::Post { id, secret } => {
                id.is_empty() || secret.is_empty()
            }
            AuthMethod::Bearer { token } => token.is_empty(),
            AuthMethod::PrivateKeyJwt(method) => method.id.is_empty(),
        };
        if is_empty {
            return Err(EMPTY);
        }
        Ok(match &self.0 {
            AuthMethod::Basic { id, secret } => {
                let mut pair = String::new();
                push(&mut pair, id);
                pair.push(':');
                push(&mut pair, secret);
                Credentials::Header(header(&format!("Basic {}", STANDARD.encode(pair)))?)
            }
            AuthMethod::Post { id, secret } => Credentials::Fields {
                id: id.as_str().into(),
                secret: secret.as_str().into(),
            },
            AuthMethod::Bearer { token } if is_b64token(token.as_bytes()) => {
                Credentials::Header(header(&format!("Bearer {token}"))?)
            }
            AuthMethod::Bearer { .. } => return Err("the bearer token is not a b64token"),
            AuthMethod::PrivateKeyJwt(method) => Credentials::Assertion(Box::new(Assertion {
                key: PrivateKey::from_pkcs8(&pem::private(&method.pem)?)
                    .ok_or("the private key is weak or of no supported type")?,
                client_id: method.id.as_str().into(),
                key_id: method.key_id.as_deref().map(Into::into),
                audience: method.audience.as_deref().unwrap_or(audience).into(),
            })),
        })
    }
}

impl fmt::Debug for ClientAuthentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            AuthMethod::Basic { .. } => "ClientAuthentication(basic)",
            AuthMethod::Post { .. } => "ClientAuthentication(post)",
            AuthMethod::Bearer { .. } => "ClientAuthentication(bearer)",
            AuthMethod::PrivateKeyJwt(_) => "ClientAuthentication(private_key_jwt)",
        })
    }
}

/// Prepared credentials.
pub(crate) enum Credentials {
    Header(HeaderValue),
    Fields { id: Arc<str>, secret: Arc<str> },
    Assertion(Box<Assertion>),
}

pub(crate) struct Assertion {
    key: PrivateKey,
    client_id: Box<str>,
    key_id: Option<Box<str>>,
    audience: Box<str>,
}

impl Credentials {
    /// The `Authorization` field, if they are sent in one.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        match self {
            Self::Header(value) => Some(value.clone()),
            Self::Fields { .. } | Self::Assertion(_) => None,
        }
    }

    /// Appends their form fields, if they are sent in a form. `None` where the system gives no
    /// randomness.
    pub(super) fn fill(&self, form: &mut String, now: UnixTime) -> Option<()> {
        match self {
            Self::Header(_) => {}
            Self::Fields { id, secret } => {
                push_pair(form, "client_id", id);
                push_pair(form, "client_secret", secret);
            }
            Self::Assertion(assertion) => {
                let statement = ClientAssertion {
                    client_id: &assertion.client_id,
                    audience: &assertion.audience,
                    key_id: assertion.key_id.as_deref(),
                };
                // RFC 7523 s2.2
                push_pair(
                    form,
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                );
                push_pair(
                    form,
                    "client_assertion",
                    &statement.sign(&assertion.key, now)?,
                );
            }
        }
        Some(())
    }

    /// Whether they are sent in a form.
    pub(crate) const fn need_a_form(&self) -> bool {
        !matches!(self, Self::Header(_))
    }
}

fn header(text: &str) -> Result<HeaderValue, &'static str> {
    let mut value =
        HeaderValue::from_str(text).map_err(|_| "the credentials fit into no header field")?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header_of(assertion: &ClientAuthentication) -> String {
        let ready = assertion.prepare("https://as.example").expect("sound");
        let value = ready.header().expect("a header field");
        assert!(value.is_sensitive());
        value.to_str().expect("text").to_owned()
    }

    #[test]
    fn id_and_secret_are_encoded_before_they_are_put_together() {
        let basic = header_of(&ClientAuthentication::basic("a:b", "p%w d"));
        let encoded = basic.strip_prefix("Basic ").expect("the scheme");
        let pair = STANDARD.decode(encoded).expect("base64");
        assert_eq!(pair, b"a%3Ab:p%25w+d");
    }

    #[test]
    fn secrets_are_not_shown_and_must_not_be_empty() {
        for (assertion, shown) in [
            (ClientAuthentication::basic("id", "secret"), "basic"),
            (ClientAuthentication::post("id", "secret"), "post"),
            (ClientAuthentication::bearer("secret"), "bearer"),
            (
                ClientAuthentication::private_key_jwt("id", "secret"),
                "private_key_jwt",
            ),
        ] {
            let text = format!("{assertion:?}");
            assert_eq!(text, format!("ClientAuthentication({shown})"));
        }
        for bad in [
            ClientAuthentication::basic("", "secret"),
            ClientAuthentication::basic("id", ""),
            ClientAuthentication::post("id", ""),
            ClientAuthentication::bearer(""),
            ClientAuthentication::bearer("a b"),
            ClientAuthentication::private_key_jwt("id", "secret"),
            ClientAuthentication::private_key_jwt(
                "id",
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
            ),
        ] {
            assert!(bad.prepare("https://as.example").is_err(), "{bad:?}");
        }
    }
}
