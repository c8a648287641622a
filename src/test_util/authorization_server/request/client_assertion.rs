//! The check of a client assertion, `private_key_jwt` (RFC 7523 sections 2.2 and 3, OpenID Connect Core 1.0
//! section 9).
//!
//! 1. A key of the client's registered `jwks` verifies it, by the checks of access tokens: asymmetric algorithms
//!    alone.
//! 2. Issuer and subject are the client. The audience is this server, by its issuer identifier or the URL of its
//!    token endpoint.
//! 3. It ends, within an hour, and is good once.

use std::time::Duration;

use super::form::Form;
use super::oauth_error::OAuthError;
use crate::test_util::authorization_server::accounts::TestClient;
use crate::test_util::authorization_server::state::Server;
use crate::time::UnixTime;
use crate::verify::jose::jws::{Compact, Unverified};
use crate::verify::jose::scratch::Scratch;
use crate::verify::jose::signature::Signed;
use crate::verify::json::object::{Object, Value};

/// RFC 7523 s2.2.
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The farthest end of an assertion.
const LONGEST_LIFE: Duration = Duration::from_secs(3600);

/// How far the client's clock may be ahead.
const LEEWAY: Duration = Duration::from_secs(60);

/// An assertion that is not checked yet.
pub(super) struct ClientAssertion<'f> {
    token: &'f str,
    client_id: String,
}

impl<'f> ClientAssertion<'f> {
    /// The assertion of a request; absent where it has none.
    pub(super) fn of(form: &'f Form) -> Result<Option<Self>, OAuthError> {
        let token = match (
            form.get("client_assertion_type"),
            form.get("client_assertion"),
        ) {
            (None, None) => return Ok(None),
            (Some(TYPE), Some(token)) => token,
            (Some(_), Some(_)) => {
                return Err(OAuthError::invalid_client(format!(
                    "`client_assertion_type` is not `{TYPE}`"
                )));
            }
            _ => {
                return Err(OAuthError::invalid_request(
                    "`client_assertion` and `client_assertion_type` need each other",
                ));
            }
        };
        let client_id = Compact::claimed_issuer(token.as_bytes());
        let client_id = client_id.ok_or_else(|| {
            OAuthError::invalid_client("`client_assertion` is no JWT with the claim `iss`")
        })?;
        // RFC 7521 s4.2: where both are there, they name one client.
        if form
            .get("client_id")
            .is_some_and(|named| named != client_id)
        {
            return Err(OAuthError::invalid_client(
                "`client_id` is another client than that of the assertion",
            ));
        }
        Ok(Some(Self { token, client_id }))
    }

    /// The client that it names.
    pub(super) fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Checks it, and uses it up.
    pub(super) fn check(&self, server: &Server, client: &TestClient) -> Result<(), OAuthError> {
        let malformed = || OAuthError::invalid_client("the assertion is no signed JWT");
        // The same words as for an unknown client.
        let unverified = || OAuthError::invalid_client(UNVERIFIED);
        let mut scratch = Scratch::default();
        let compact = Compact::decode_parts(self.token.as_bytes(), &mut scratch.parts);
        let compact = compact.map_err(|_| malformed())?;
        let token = Unverified::read(&compact, &mut scratch.members).map_err(|_| malformed())?;
        let keys = client.key_set().map_err(|_| unverified())?;
        let signed = Signed::verify(token, &[&keys]).map_err(|_| unverified())?;
        let now = server.now();
        let (id, end) = read_claims(signed.claims(), server, client, now)
            .map_err(|problem| OAuthError::invalid_client(format!("the assertion {problem}")))?;
        // RFC 7523 s3 rule 7: used once.
        if server.state().use_assertion(&client.id, id, end, now) {
            Ok(())
        } else {
            Err(OAuthError::invalid_client("the assertion was used before"))
        }
    }
}

/// What an unknown client is told too.
pub(super) const UNVERIFIED: &str =
    "the client is unknown, or no key of its `jwks` verifies the assertion";

/// The `jti` and the end of an assertion that is good; what is wrong with it otherwise.
fn read_claims(
    claims: &Object<'_>,
    server: &Server,
    client: &TestClient,
    now: UnixTime,
) -> Result<(String, UnixTime), &'static str> {
    let text = |name| claims.get(name).and_then(Value::as_text);
    // RFC 7523 s3 rules 1, 2; OpenID Connect Core s9.
    if text("iss").as_deref() != Some(&*client.id) || text("sub").as_deref() != Some(&*client.id) {
        return Err("has another `iss` or `sub` than the client id");
    }
    // Rule 3.
    let issuer = server.issuer.issuer();
    let is_ours = |one: Value<'_>| {
        let endpoint = one.as_text()?;
        Some(*endpoint == *issuer || endpoint.strip_prefix(&*server.url) == Some("/token"))
    };
    let is_for_us = |audience: Value<'_>| match audience.elements() {
        Some(mut all) => all.any(|one| is_ours(one) == Some(true)),
        None => is_ours(audience) == Some(true),
    };
    if !claims.get("aud").is_some_and(is_for_us) {
        return Err(
            "has another `aud` than the issuer identifier or the URL of the token endpoint",
        );
    }
    // Rule 4.
    let end = date(claims, "exp")?.ok_or("has no `exp`")?;
    if end <= now {
        return Err("has expired");
    }
    if end > now.saturating_add(LONGEST_LIFE) {
        return Err("has an `exp` that is more than an hour ahead");
    }
    // Rules 5, 6.
    for name in ["nbf", "iat"] {
        if date(claims, name)?.is_some_and(|start| start > now.saturating_add(LEEWAY)) {
            return Err("has an `nbf` or `iat` in the future");
        }
    }
    // OpenID Connect Core s9: required.
    let id = text("jti").filter(|id| !id.is_empty());
    Ok((id.ok_or("has no `jti`")?.into_owned(), end))
}

/// RFC 7519 s2: seconds, with or without a fraction, which is dropped.
fn date(claims: &Object<'_>, name: &str) -> Result<Option<UnixTime>, &'static str> {
    const WRONG: &str = "has a time that is no number";
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(text)) => {
            let seconds: f64 = text.parse().map_err(|_| WRONG)?;
            #[allow(clippy::cast_possible_truncation)] // It saturates.
            Ok(Some(UnixTime::from_secs(seconds.floor() as i64)))
        }
        Some(_) => Err(WRONG),
    }
}
