//! Keys of clients and DPoP proofs (RFC 9449 section 4): valid ones, and every kind of invalid one.
//!
//! 1. A proof starts as a valid one for a request; each setter changes only what it names.
//! 2. The time of a proof is that of the key's clock when the proof was begun.
//! 3. Each proof has an id of its own, so that a test that sends one twice does so on purpose.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderValue, Request};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::keys::{SigningKey, json_of, random_text, sha256};
use crate::Algorithm;
use crate::time::{Clock, SystemClock, UnixTime};

/// The key of a client that sends DPoP proofs. Clones are one key.
///
/// ```
/// use http::{Request, StatusCode};
/// use portcullis::ResourceServer;
/// use portcullis::test_util::{DpopKey, MockIssuer};
/// use tower::{Layer as _, ServiceExt as _, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let issuer = MockIssuer::new();
/// let server = ResourceServer::builder("https://api.example.com").issuer(issuer.trusted()).build()?;
/// let service = server.authenticate().layer(service_fn(async |_: Request<String>| {
///     Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
/// }));
///
/// let key = DpopKey::generate();
/// let token = issuer.token().audience("https://api.example.com").bound_to_key(&key).sign();
/// let request = || Request::get("https://api.example.com/orders").body(String::new());
///
/// let good = key.proof("GET", "https://api.example.com/orders").authorize(request()?, &token);
/// assert_eq!(service.clone().oneshot(good).await?.status(), StatusCode::OK);
///
/// let stolen = DpopKey::generate().proof("GET", "https://api.example.com/orders");
/// let stolen = stolen.authorize(request()?, &token);
/// assert_eq!(service.oneshot(stolen).await?.status(), StatusCode::UNAUTHORIZED);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct DpopKey {
    key: SigningKey,
    clock: Arc<dyn Clock>,
}

impl DpopKey {
    /// A new key for ES256.
    pub fn generate() -> Self {
        Self::for_algorithm(Algorithm::ES256)
    }

    /// A new key for this algorithm; RSA keys have 2048 bits.
    pub fn for_algorithm(algorithm: Algorithm) -> Self {
        Self {
            key: SigningKey::generate("dpop", algorithm),
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// Takes the time of proofs from this clock. Default: the machine's clock.
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The public key as a JWK, with the members of the thumbprint alone.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let mut jwk = self.key.jwk();
        if let Some(members) = jwk.as_object_mut() {
            members.retain(|name, _| !matches!(&**name, "kid" | "use"));
            // RFC 9964 s6: the thumbprint of an `AKP` key covers `alg`.
            if members.get("kty") != Some(&"AKP".into()) {
                members.remove("alg");
            }
        }
        jwk
    }

    /// The thumbprint, as `cnf.jkt` writes it (RFC 7638, RFC 9449 section 6.1).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        // Members of a `Value` are in the order of their names, as RFC 7638 s3 wants them.
        URL_SAFE_NO_PAD.encode(sha256(self.jwk().to_string().as_bytes()))
    }

    /// Begins a proof for a request with this method and URL.
    pub fn proof(&self, method: &str, url: &str) -> ProofBuilder {
        let now = self.clock.now();
        let mut header = Map::new();
        header.insert("typ".into(), "dpop+jwt".into());
        header.insert("alg".into(), self.key.algorithm().as_str().into());
        header.insert("jwk".into(), self.jwk());
        let mut claims = Map::new();
        claims.insert("jti".into(), random_text(24).into());
        claims.insert("htm".into(), method.into());
        claims.insert("htu".into(), url.into());
        claims.insert("iat".into(), now.as_secs().into());
        ProofBuilder {
            key: self.key.clone(),
            now,
            header,
            claims,
            raw_header: None,
            raw_payload: None,
        }
    }
}

impl fmt::Debug for DpopKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DpopKey")
            .field("algorithm", &self.key.algorithm())
            .finish_non_exhaustive()
    }
}

/// A DPoP proof that is being made. It comes from a [`DpopKey`].
#[derive(Clone)]
#[must_use = "a proof comes out of `sign()` or one of its neighbours"]
pub struct ProofBuilder {
    key: SigningKey,
    now: UnixTime,
    header: Map<String, Value>,
    claims: Map<String, Value>,
    raw_header: Option<Vec<u8>>,
    raw_payload: Option<Vec<u8>>,
}

impl ProofBuilder {
    /// Sets `ath`: the hash of the access token that the proof comes with.
    pub fn access_token(self, token: &str) -> Self {
        self.claim("ath", URL_SAFE_NO_PAD.encode(sha256(token.as_bytes())))
    }

    /// Sets `nonce`: what the server sent in `DPoP-Nonce`.
    pub fn nonce(self, nonce: &str) -> Self {
        self.claim("nonce", nonce)
    }

    /// Sets `jti`. Default: 24 random letters and digits.
    pub fn id(self, id: &str) -> Self {
        self.claim("jti", id)
    }

    /// Sets `iat` back from the clock's time, in whole seconds.
    pub fn issued_ago(self, span: Duration) -> Self {
        let at = self.now.saturating_sub(span).as_secs();
        self.claim("iat", at)
    }

    /// Sets `iat` ahead of the clock's time, in whole seconds.
    pub fn issued_in(self, span: Duration) -> Self {
        let at = self.now.saturating_add(span).as_secs();
        self.claim("iat", at)
    }

    /// Sets a claim to anything that serde can write; `()` writes `null`.
    ///
    /// # Panics
    ///
    /// When `value` cannot be written as JSON.
    pub fn claim(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        self.claims.insert(name.into(), json_of(value));
        self
    }

    /// Leaves a claim out.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Sets a header parameter: `typ`, `alg`, `jwk` or another. What signs stays what it is.
    ///
    /// # Panics
    ///
    /// When `value` cannot be written as JSON.
    pub fn header(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        self.header.insert(name.into(), json_of(value));
        self
    }

    /// Leaves a header parameter out.
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    /// Writes exactly these bytes as the payload. Default: the claims.
    pub fn payload_json(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.raw_payload = Some(payload.into());
        self
    }

    /// Writes exactly these bytes as the header. What signs stays what it is.
    /// Default: the header parameters.
    pub fn header_json(mut self, header: impl Into<Vec<u8>>) -> Self {
        self.raw_header = Some(header.into());
        self
    }

    /// The proof as built, signed by its key.
    #[must_use]
    pub fn sign(&self) -> String {
        self.signed_by(&self.key)
    }

    /// A forgery: signed by another key than the one in the header.
    #[must_use]
    pub fn sign_with_wrong_key(&self) -> String {
        self.signed_by(&SigningKey::forge("dpop", self.key.algorithm()))
    }

    /// A forgery: `alg` is `none` and there is no signature.
    #[must_use]
    pub fn unsigned(&self) -> String {
        format!("{}.", self.clone().header("alg", "none").signing_input())
    }

    /// The request with the token under the scheme `DPoP`, and with the proof for this token.
    ///
    /// # Panics
    ///
    /// When the token is not visible ASCII.
    #[allow(clippy::expect_used)] // Test tooling; documented.
    pub fn authorize<B>(&self, mut request: Request<B>, token: &str) -> Request<B> {
        let proof = self.clone().access_token(token).sign();
        let headers = request.headers_mut();
        for (name, value) in [("authorization", format!("DPoP {token}")), ("dpop", proof)] {
            let value = HeaderValue::try_from(value).expect("a token is visible ascii");
            headers.insert(name, value);
        }
        request
    }

    fn signed_by(&self, key: &SigningKey) -> String {
        let input = self.signing_input();
        let signature = URL_SAFE_NO_PAD.encode(key.sign(input.as_bytes()));
        format!("{input}.{signature}")
    }

    fn signing_input(&self) -> String {
        let encode = |raw: &Option<Vec<u8>>, part: &Map<String, Value>| match raw {
            Some(raw) => URL_SAFE_NO_PAD.encode(raw),
            None => URL_SAFE_NO_PAD.encode(json!(part).to_string()),
        };
        let header = encode(&self.raw_header, &self.header);
        let payload = encode(&self.raw_payload, &self.claims);
        format!("{header}.{payload}")
    }
}

impl fmt::Debug for ProofBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProofBuilder")
            .field("algorithm", &self.key.algorithm())
            .finish_non_exhaustive()
    }
}
