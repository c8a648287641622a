//! Client authentication (RFC 6749 section 2.3).
//!
//! 1. A client uses the method that it is registered for, and one method in a request.
//! 2. An unknown client and a wrong secret look alike.
//! 3. A client that is registered for mutual TLS is known by the certificate of its connection (RFC 8705 section
//!    2).

use std::ops::Deref;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::client_certificate::own_certificate;
use super::form::Form;
use super::oauth_error::OAuthError;
use crate::test_util::authorization_server::accounts::TestClient;
use crate::test_util::authorization_server::state::Server;

/// A client that has authenticated, or a public one that has named itself.
pub(in crate::test_util) struct AuthenticatedClient(Arc<TestClient>);

impl AuthenticatedClient {
    /// The client, to be remembered.
    #[allow(dead_code)] // For grants without a code.
    pub(in crate::test_util) fn shared(&self) -> Arc<TestClient> {
        Arc::clone(&self.0)
    }
}

impl Deref for AuthenticatedClient {
    type Target = TestClient;

    fn deref(&self) -> &TestClient {
        &self.0
    }
}

/// The client of a request.
pub(in crate::test_util) async fn authenticate(
    server: &Server,
    head: &Parts,
    form: &Form,
) -> Result<AuthenticatedClient, OAuthError> {
    let in_header = basic(head)?;
    let in_form = form.get("client_secret");
    // RFC 6749 s2.3: not more than one method in a request.
    if in_header.is_some() && in_form.is_some() {
        return Err(OAuthError::invalid_request(
            "the client authenticates in more than one way",
        ));
    }
    if let Some((id, _)) = &in_header {
        if form.get("client_id").is_some_and(|named| named != id) {
            return Err(OAuthError::invalid_request(
                "`client_id` is another client than that of `Authorization`",
            ));
        }
    }
    let (id, secret, method) = match (&in_header, in_form) {
        (Some((id, secret)), _) => (&**id, Some(&**secret), "client_secret_basic"),
        (None, secret) => {
            let id = form.get("client_id");
            let id = id.ok_or_else(|| OAuthError::invalid_client("no client is named"))?;
            let method = secret.map_or("none", |_| "client_secret_post");
            (id, secret, method)
        }
    };
    let unknown = || OAuthError::invalid_client("the client is unknown, or its secret is wrong");
    let client = server.client(id).await.ok_or_else(unknown)?;
    let by_certificate = || {
        let registered = client.certificate_method().filter(|_| method == "none")?;
        own_certificate(&client, head).map(|_| registered)
    };
    let method = by_certificate().unwrap_or(method);
    if !client.authenticates_by(method) {
        return Err(OAuthError::invalid_client(format!(
            "the client may not authenticate by `{method}`"
        )));
    }
    if method.starts_with("client_secret") && secret != client.secret.as_deref() {
        return Err(unknown());
    }
    Ok(AuthenticatedClient(client))
}

/// The id and secret of `Authorization: Basic`, decoded (RFC 6749 section 2.3.1).
fn basic(head: &Parts) -> Result<Option<(String, String)>, OAuthError> {
    let mut values = head.headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(OAuthError::invalid_request(
            "the request has more than one field `Authorization`",
        ));
    }
    let pair = || {
        let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
        let rest = scheme
            .eq_ignore_ascii_case("basic")
            .then_some(rest.trim())?;
        let pair = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
        let (id, secret) = pair.split_once(':')?;
        Some((form_decoded(id), form_decoded(secret)))
    };
    let wrong = || OAuthError::invalid_client("`Authorization` holds no id and secret by Basic");
    pair().map(Some).ok_or_else(wrong)
}

/// A text that was encoded as the value of a form.
fn form_decoded(text: &str) -> String {
    // A name of one letter keeps `=` in the text where it is.
    let form = format!("v={}", text.replace('&', "%26"));
    let mut pairs = form_urlencoded::parse(form.as_bytes());
    pairs
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}
