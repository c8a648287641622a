//! Builders of test tokens: valid ones, and every kind of invalid one.
//!
//! 1. A builder starts as a valid token; each setter changes only what it names.
//! 2. `sign()` and `issue()` return the token as built, signed or opaque. Each other final method
//!    returns a token that must be refused.
//! 3. The time of a token is the time of its issuer's clock when the builder was made.
//! 4. `Debug` shows no claim; builders hold no key.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::Algorithm;
use crate::binding::ClientCertificate;
use crate::test_util::issuer::MockIssuer;
use crate::test_util::issuer::profile::{Kind, Profile};
use crate::test_util::issuer::register::TokenOwner;
use crate::test_util::keys::{SigningKey, hmac_sha256, json_of, random_text};
use crate::test_util::proof::DpopKey;
use crate::time::UnixTime;

/// A token that is being made. It comes from a [`MockIssuer`].
///
/// ```
/// use portcullis::test_util::MockIssuer;
/// use std::time::Duration;
///
/// let issuer = MockIssuer::new();
/// let good = issuer.token().subject("alice").scope("app/read").sign();
/// let late = issuer.token().expired().sign();
/// let forged = issuer.token().sign_with_wrong_key();
/// let opaque = issuer.token().scope("app/read").issue();
/// # let _ = (good, late, forged, opaque);
/// ```
#[derive(Clone)]
#[must_use = "a token comes out of `sign()` or one of its neighbours"]
pub struct TokenBuilder {
    issuer: MockIssuer,
    kind: Kind,
    now: UnixTime,
    algorithm: Algorithm,
    header: Map<String, Value>,
    /// Header parameters that were taken out, `alg` and `kid` among them.
    header_without: Vec<String>,
    raw_header: Option<Vec<u8>>,
    claims: Map<String, Value>,
    raw_payload: Option<Vec<u8>>,
}

impl TokenBuilder {
    pub(in crate::test_util) fn new(
        issuer: MockIssuer,
        kind: Kind,
        now: UnixTime,
        typ: Option<&str>,
        claims: Map<String, Value>,
    ) -> Self {
        let mut header = Map::new();
        if let Some(typ) = typ {
            header.insert("typ".into(), typ.into());
        }
        Self {
            algorithm: issuer.default_algorithm(),
            issuer,
            kind,
            now,
            header,
            header_without: Vec::new(),
            raw_header: None,
            claims,
            raw_payload: None,
        }
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

    /// Sets the members of the event of this type in a Security Event Token, and adds the event where
    /// the token does not have it.
    ///
    /// # Panics
    ///
    /// When `payload` cannot be written as JSON.
    #[cfg(feature = "ssf")]
    pub fn event(mut self, event_type: &crate::ssf::EventType, payload: impl Serialize) -> Self {
        let events = self.claims.entry("events").or_insert_with(|| json!({}));
        if let Some(events) = events.as_object_mut() {
            events.insert(event_type.as_str().to_owned(), json_of(payload));
        }
        self
    }

    /// Leaves a claim out.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Sets a header parameter. `alg` and `kid` are only written here; what signs is said by
    /// [`algorithm`](Self::algorithm) and [`key_id`](Self::key_id).
    ///
    /// # Panics
    ///
    /// When `value` cannot be written as JSON.
    pub fn header(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        let name = name.into();
        self.header_without.retain(|without| *without != name);
        self.header.insert(name, json_of(value));
        self
    }

    /// Leaves a header parameter out, such as `kid` or `typ`.
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self.header_without.push(name.into());
        self
    }

    /// Sets `iss`. Default: the issuer's own.
    pub fn issuer(self, issuer: &str) -> Self {
        self.claim("iss", issuer)
    }

    /// Sets `sub`, and for Entra and Okta the id that belongs to it. Default: `user-1`, for a machine its
    /// client id.
    pub fn subject(self, subject: &str) -> Self {
        self.shaped(|profile, claims| profile.set_subject(claims, subject))
    }

    /// Sets `aud` to one audience. Default: [`MockIssuer::AUDIENCE`], for Cognito none; for other vendors
    /// see [`MockIssuer`].
    pub fn audience(self, audience: &str) -> Self {
        self.claim("aud", audience)
    }

    /// Sets `aud` to several audiences.
    pub fn audiences<S: Into<String>>(self, audiences: impl IntoIterator<Item = S>) -> Self {
        self.claim("aud", texts(audiences))
    }

    /// Sets `client_id`, for Keycloak, Entra and Auth0 `azp`, for Okta `cid`, and what follows it: the
    /// subject of a machine's token, the audience of an ID token. Default: [`MockIssuer::CLIENT_ID`].
    pub fn client(self, client_id: &str) -> Self {
        let kind = self.kind;
        self.shaped(|profile, claims| profile.set_client(kind, claims, client_id))
    }

    /// Sets `scope`, for Entra and Okta `scp`: scope tokens with spaces between. Default: none, unless a
    /// vendor's sign-in has some.
    pub fn scope(self, scope: &str) -> Self {
        self.shaped(|profile, claims| profile.set_scope(claims, scope))
    }

    /// Sets `cognito:groups` for a Cognito issuer, else `groups`. Default: none.
    pub fn groups<S: Into<String>>(self, groups: impl IntoIterator<Item = S>) -> Self {
        let name = self.issuer.by_profile(Profile::groups_claim);
        self.claim(name, texts(groups))
    }

    /// Sets `roles`, for Keycloak `realm_access.roles`, for Auth0 `permissions`. Default: none, for
    /// Keycloak the roles of every user.
    pub fn roles<S: Into<String>>(self, roles: impl IntoIterator<Item = S>) -> Self {
        let roles = texts(roles);
        self.shaped(|profile, claims| profile.set_roles(claims, &roles))
    }

    /// Changes claims in the form of the issuer's kind.
    fn shaped(mut self, change: impl FnOnce(&Profile, &mut Map<String, Value>)) -> Self {
        let claims = &mut self.claims;
        self.issuer.by_profile(|profile| change(profile, claims));
        self
    }

    /// Sets AWorld's `accountId`.
    pub fn account(self, account: &str) -> Self {
        self.claim("accountId", account)
    }

    /// Sets AWorld's `workspaceId`.
    pub fn workspace(self, workspace: &str) -> Self {
        self.claim("workspaceId", workspace)
    }

    /// Sets AWorld's `userId`.
    pub fn user(self, user: &str) -> Self {
        self.claim("userId", user)
    }

    /// Sets AWorld's `principalId`.
    pub fn principal(self, principal: &str) -> Self {
        self.claim("principalId", principal)
    }

    /// Sets AWorld's `role`, such as `admin`, `editor` or `viewer`.
    pub fn role(self, role: &str) -> Self {
        self.claim("role", role)
    }

    /// Sets AWorld's `context`: `app`, `dashboard` or `portal`.
    pub fn context(self, context: &str) -> Self {
        self.claim("context", context)
    }

    /// Sets AWorld's `platform`: `web`, `mobile` or `m2m`.
    pub fn platform(self, platform: &str) -> Self {
        self.claim("platform", platform)
    }

    /// Binds the token to this certificate: the member `x5t#S256` of `cnf` (RFC 8705 section 3.1).
    /// Other members of `cnf` stay.
    pub fn bound_to_certificate(self, certificate: &ClientCertificate) -> Self {
        self.confirmed_by("x5t#S256", certificate.to_x5t_s256())
    }

    /// Binds the token to this key: the member `jkt` of `cnf` (RFC 9449 section 6.1). Other members of
    /// `cnf` stay.
    pub fn bound_to_key(self, key: &DpopKey) -> Self {
        self.confirmed_by("jkt", key.thumbprint())
    }

    /// Names an agent with this `sub` as the one that acts: `act` (RFC 8693 section 4.1). The actor that
    /// was set before becomes the earlier one, as it does when a token is exchanged again. Default: none.
    pub fn actor(self, subject: &str) -> Self {
        self.actor_with(json!({ "sub": subject }))
    }

    /// The same with these members, such as `json!({"client_id": "..", "iss": ".."})`. A value that is no
    /// object stands as it is, in the place of every actor that was set before.
    ///
    /// # Panics
    ///
    /// When `members` cannot be written as JSON.
    pub fn actor_with(mut self, members: impl Serialize) -> Self {
        let mut actor = json_of(members);
        if let (Some(members), Some(earlier)) = (actor.as_object_mut(), self.claims.remove("act")) {
            members.entry("act").or_insert(earlier);
        }
        self.claim("act", actor)
    }

    fn confirmed_by(mut self, member: &str, thumbprint: String) -> Self {
        let confirmation = self.claims.entry("cnf").or_insert_with(|| json!({}));
        if let Some(members) = confirmation.as_object_mut() {
            members.insert(member.into(), thumbprint.into());
        }
        self
    }

    /// Sets `exp`, from the issuer's time on, in whole seconds. Default: 1 hour.
    pub fn expires_in(self, span: Duration) -> Self {
        let at = self.now.saturating_add(span);
        self.claim("exp", at.as_secs())
    }

    /// Makes a token of two hours ago that expired an hour ago, past any leeway.
    pub fn expired(self) -> Self {
        let at = self.now.saturating_sub(HOUR);
        self.issued_ago(HOUR * 2).claim("exp", at.as_secs())
    }

    /// Sets `nbf`, from the issuer's time on, in whole seconds. Default: none.
    pub fn not_before_in(self, span: Duration) -> Self {
        let at = self.now.saturating_add(span);
        self.claim("nbf", at.as_secs())
    }

    /// Sets `iat`, and `auth_time` where it is there, back from the issuer's time, in whole
    /// seconds. Default: zero.
    pub fn issued_ago(mut self, span: Duration) -> Self {
        let at = self.now.saturating_sub(span).as_secs();
        if self.claims.contains_key("auth_time") {
            self = self.claim("auth_time", at);
        }
        self.claim("iat", at)
    }

    /// Signs with this algorithm; the issuer makes and publishes a key for it where it has none
    /// ([`MockIssuer::with_algorithms`] makes them ahead). Default: the issuer's first.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Signs with the issuer's key of this id, a retired one too, in that key's algorithm. Where
    /// the issuer never had one, the header names it and the current key signs.
    /// Default: the current key.
    pub fn key_id(self, key_id: &str) -> Self {
        let algorithm = self.issuer.key(key_id).map(|key| key.algorithm());
        let algorithm = algorithm.unwrap_or(self.algorithm);
        self.algorithm(algorithm).header("kid", key_id)
    }

    /// Sets the header's `typ`. Default: `JWT`; `at+jwt` for RFC 9068; none for Cognito and Okta.
    pub fn typ(self, typ: &str) -> Self {
        self.header("typ", typ)
    }

    /// Signs exactly these bytes as the payload, claims or not. Default: the claims.
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

    /// The token as built, signed. The issuer knows it.
    #[must_use]
    pub fn sign(&self) -> String {
        let token = self.signed();
        self.enter(&token, None);
        token
    }

    /// The token as built, as an opaque one: 54 random letters and digits, and only the issuer
    /// knows what they say. Header and signature do not count.
    ///
    /// [`serve`](MockIssuer::serve) the issuer, which answers for it. A claim `active` stands in
    /// its introspection answer as it is, in place of the truth.
    #[must_use]
    pub fn issue(&self) -> String {
        let token = random_text(OPAQUE_LENGTH);
        self.enter(&token, None);
        token
    }

    /// The signed token as the value of an `Authorization` field: `Bearer`, a space, the token.
    /// [`sign`](Self::sign) gives the token alone, as a `String`.
    ///
    /// # Panics
    ///
    /// Never: compact tokens are visible ASCII.
    #[must_use]
    #[allow(clippy::expect_used)] // base64url and dots
    pub fn bearer(&self) -> HeaderValue {
        let field = format!("Bearer {}", self.sign());
        let mut value = HeaderValue::try_from(field).expect("a compact token is visible ascii");
        value.set_sensitive(true);
        value
    }

    /// A forgery: signed by a key that is not the issuer's, under the id of one that is.
    #[must_use]
    pub fn sign_with_wrong_key(&self) -> String {
        let real = self.signing_key();
        self.sign_with(&SigningKey::forge(real.id(), real.algorithm()))
    }

    /// Signed by a key that the issuer does not publish, under an id that it does not publish.
    #[must_use]
    pub fn sign_with_unknown_key(&self) -> String {
        self.sign_with(&SigningKey::forge("key-unknown", self.algorithm))
    }

    /// A forgery: `alg` is `none` and there is no signature (RFC 7518 section 3.6).
    #[must_use]
    pub fn unsigned(&self) -> String {
        let mut builder = self.clone().header("alg", "none");
        builder.raw_header = None;
        format!("{}.", builder.signing_input(&self.signing_key()))
    }

    /// A forgery: `alg` is `HS256`, and the secret is the public key in PEM, which is
    /// public (RFC 8725 section 2.1).
    #[must_use]
    pub fn with_hmac_of_public_key(&self) -> String {
        let key = self.signing_key();
        let mut builder = self.clone().header("alg", "HS256");
        builder.raw_header = None;
        let input = builder.signing_input(&key);
        let signature = hmac_sha256(key.public_pem().as_bytes(), input.as_bytes());
        join(&input, &signature)
    }

    /// A forgery: one more claim, `tampered`, under the signature of the token without it.
    #[must_use]
    pub fn tampered_payload(&self) -> String {
        let key = self.signing_key();
        let signature = key.sign(self.signing_input(&key).as_bytes());
        let mut payload = self.payload();
        let inside = payload
            .strip_prefix(b"{")
            .filter(|rest| rest.first() != Some(&b'}'));
        payload = match inside {
            Some(rest) => [br#"{"tampered":true,"#, rest].concat(),
            None => [&payload[..], b" "].concat(),
        };
        join(
            &self.clone().payload_json(payload).signing_input(&key),
            &signature,
        )
    }

    /// A forgery: the last bit of the signature is turned.
    #[must_use]
    pub fn tampered_signature(&self) -> String {
        let key = self.signing_key();
        let input = self.signing_input(&key);
        let mut signature = key.sign(input.as_bytes());
        if let Some(last) = signature.last_mut() {
            *last ^= 1;
        }
        join(&input, &signature)
    }

    /// The signed token without its last character.
    #[must_use]
    pub fn truncated(&self) -> String {
        let mut token = self.sign();
        token.pop();
        token
    }

    /// The issuer that it comes from.
    pub(in crate::test_util) const fn mock_issuer(&self) -> &MockIssuer {
        &self.issuer
    }

    /// A claim that is a string.
    pub(in crate::test_util) fn text_claim(&self, name: &str) -> Option<&str> {
        self.claims.get(name).and_then(Value::as_str)
    }

    /// The algorithm that signs it.
    pub(in crate::test_util) fn signing_algorithm(&self) -> Algorithm {
        self.signing_key().algorithm()
    }

    /// A forgery: signed by a key that stands in the header itself, as `jwk`, under an id of its own.
    pub(in crate::test_util) fn sign_with_embedded_key(&self) -> String {
        let forged = SigningKey::forge("key-embedded", self.signing_algorithm());
        self.clone().header("jwk", forged.jwk()).sign_with(&forged)
    }

    /// Signed, and kept from the issuer's register.
    pub(in crate::test_util) fn signed(&self) -> String {
        self.sign_with(&self.signing_key())
    }

    /// The claim of this name.
    pub(in crate::test_util) fn claim_value(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }

    /// Signed, and registered as issued for this client and grant.
    pub(in crate::test_util) fn sign_for(&self, owner: TokenOwner) -> String {
        let token = self.signed();
        self.enter(&token, Some(owner));
        token
    }

    /// Opaque, and registered as issued for this client and grant.
    pub(in crate::test_util) fn issue_for(&self, owner: TokenOwner) -> String {
        let token = random_text(OPAQUE_LENGTH);
        self.enter(&token, Some(owner));
        token
    }

    /// Makes the token known to the issuer. A payload that is not an object has no claims.
    fn enter(&self, token: &str, owner: Option<TokenOwner>) {
        let now = self.issuer.now();
        let raw = self.raw_payload.as_deref().map(serde_json::from_slice);
        let raw: Option<Map<String, Value>> = raw.map(Result::unwrap_or_default);
        let claims = raw.as_ref().unwrap_or(&self.claims);
        self.issuer
            .register(|register| register.enter(token, claims, owner, now));
    }

    fn signing_key(&self) -> SigningKey {
        let named = self.header.get("kid").and_then(Value::as_str);
        named
            .and_then(|id| self.issuer.key(id))
            .filter(|key| key.algorithm() == self.algorithm)
            .unwrap_or_else(|| self.issuer.current_key(self.algorithm))
    }

    fn sign_with(&self, key: &SigningKey) -> String {
        let input = self.signing_input(key);
        join(&input, &key.sign(input.as_bytes()))
    }

    /// Header and payload, as they are signed (RFC 7515 section 5.1).
    fn signing_input(&self, key: &SigningKey) -> String {
        let header = self.raw_header.clone().unwrap_or_else(|| {
            let mut header = self.header.clone();
            header
                .entry("alg")
                .or_insert_with(|| key.algorithm().as_str().into());
            header.entry("kid").or_insert_with(|| key.id().into());
            header.retain(|name, _| !self.header_without.contains(name));
            Value::Object(header).to_string().into_bytes()
        });
        let encode = |bytes| URL_SAFE_NO_PAD.encode(bytes);
        format!("{}.{}", encode(header), encode(self.payload()))
    }

    fn payload(&self) -> Vec<u8> {
        match &self.raw_payload {
            Some(raw) => raw.clone(),
            None => json!(self.claims).to_string().into_bytes(),
        }
    }
}

impl fmt::Debug for TokenBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenBuilder")
            .field("kind", &self.kind)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

pub(in crate::test_util) const HOUR: Duration = Duration::from_secs(3600);

/// As long as Axway's.
const OPAQUE_LENGTH: usize = 54;

fn texts<S: Into<String>>(all: impl IntoIterator<Item = S>) -> Vec<String> {
    all.into_iter().map(Into::into).collect()
}

fn join(input: &str, signature: &[u8]) -> String {
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}
