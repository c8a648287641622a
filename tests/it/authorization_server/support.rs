//! A client of the server that the tests use.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::StatusCode;
use portcullis::test_util::{
    AuthorizationServer, ManualClock, MockIssuer, ServedAuthorizationServer,
};
use portcullis::{Algorithm, ResourceServer};
use serde_json::Value;

use crate::support::{Requests as _, TestApp};

/// The verifier and challenge of RFC 7636 appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(crate) const CALLBACK: &str = "http://localhost:5173/callback";

/// A server with the prepared accounts and a quick key, on this clock.
pub(crate) fn builder(clock: &ManualClock) -> AuthorizationServer {
    let issuer = MockIssuer::new()
        .with_algorithms([Algorithm::ES256])
        .with_clock(clock.clone());
    AuthorizationServer::new(issuer)
}

pub(crate) async fn served(clock: &ManualClock) -> ServedAuthorizationServer {
    builder(clock).serve().await.expect("a free port")
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// The parameter of this name in the URL to which the answer redirects.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        parameter(self.header("location"), name)
    }

    /// The same; absent where the answer does not redirect.
    pub(crate) fn parameter_if_redirected(&self, name: &str) -> Option<String> {
        (!self.header("location").is_empty())
            .then(|| self.parameter(name))
            .flatten()
    }

    /// Status and error code.
    pub(crate) fn error(&self) -> (u16, String) {
        let code = self.json()["error"].as_str().unwrap_or("").to_owned();
        (self.status.as_u16(), code)
    }
}

/// The parameter of this name in the query of a URL.
pub(crate) fn parameter(url: &str, name: &str) -> Option<String> {
    let url = reqwest::Url::parse(url).expect("a URL");
    let mut pairs = url.query_pairs();
    pairs
        .find(|(found, _)| found == name)
        .map(|(_, value)| value.into_owned())
}

/// A client that keeps no cookies and follows no redirect.
pub(crate) fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client")
}

pub(crate) async fn send(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.expect("an answer");
    Answer {
        status: response.status(),
        headers: response.headers().clone(),
        body: response.text().await.expect("a body"),
    }
}

pub(crate) async fn get(url: &str) -> Answer {
    send(http().get(url)).await
}

pub(crate) fn encoded(fields: &[(&str, &str)]) -> String {
    let url = reqwest::Url::parse_with_params("http://127.0.0.1/", fields).expect("a URL");
    url.query().unwrap_or("").to_owned()
}

pub(crate) fn posting(url: &str, fields: &[(&str, &str)]) -> reqwest::RequestBuilder {
    http()
        .post(url)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(encoded(fields))
}

pub(crate) async fn post(url: &str, fields: &[(&str, &str)]) -> Answer {
    send(posting(url, fields)).await
}

/// The URL of an authorization request of the client `spa`, with these parameters beside or in place of its own.
pub(crate) fn authorization_url(
    server: &ServedAuthorizationServer,
    changed: &[(&str, &str)],
) -> String {
    let mut fields = vec![
        ("response_type", "code"),
        ("client_id", "spa"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid email app/read"),
        ("state", "state-1"),
        ("nonce", "nonce-1"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    fields.retain(|(name, _)| !changed.iter().any(|(other, _)| other == name));
    fields.extend(changed.iter().filter(|(_, value)| !value.is_empty()));
    format!("{}/authorize?{}", server.url(), encoded(&fields))
}

/// The code for a prepared user.
pub(crate) async fn code(server: &ServedAuthorizationServer, changed: &[(&str, &str)]) -> String {
    let back = server
        .sign_in(&authorization_url(server, changed), "user-1")
        .await;
    let back = back.expect("a redirect");
    parameter(&back, "code").unwrap_or_else(|| panic!("no code: {back}"))
}

/// Sends a code to the token endpoint as the client `spa`, with these parameters beside or in place of its own.
pub(crate) async fn redeem(
    server: &ServedAuthorizationServer,
    code: &str,
    changed: &[(&str, &str)],
) -> Answer {
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("client_id", "spa"),
        ("redirect_uri", CALLBACK),
        ("code", code),
        ("code_verifier", VERIFIER),
    ];
    fields.retain(|(name, _)| !changed.iter().any(|(other, _)| other == name));
    fields.extend(changed.iter().filter(|(_, value)| !value.is_empty()));
    post(&format!("{}/token", server.url()), &fields).await
}

/// The token response for `user-1` of the client `spa`.
pub(crate) async fn signed_in(server: &ServedAuthorizationServer) -> Value {
    let code = code(server, &[]).await;
    let answer = redeem(server, &code, &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()
}

/// The payload of a JWT, unverified.
pub(crate) fn payload(token: &Value) -> Value {
    let part = token
        .as_str()
        .expect("a token")
        .split('.')
        .nth(1)
        .expect("a payload");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}

/// `Authorization: Basic` of a client, its secret encoded (RFC 6749 section 2.3.1).
pub(crate) fn basic(id: &str, secret: &str) -> String {
    let encode = |text: &str| encoded(&[("v", text)])[2..].to_owned();
    format!(
        "Basic {}",
        STANDARD.encode(format!("{}:{}", encode(id), encode(secret)))
    )
}

/// Posts a form as the API of the prepared accounts.
pub(crate) async fn as_api(
    server: &ServedAuthorizationServer,
    path: &str,
    fields: &[(&str, &str)],
) -> Answer {
    let api = basic(
        MockIssuer::RESOURCE_SERVER_ID,
        MockIssuer::RESOURCE_SERVER_SECRET,
    );
    let request = posting(&format!("{}{path}", server.url()), fields);
    send(request.header("authorization", api)).await
}

/// Whether introspection calls a token active.
pub(crate) async fn is_active(server: &ServedAuthorizationServer, token: &Value) -> bool {
    let token = token.as_str().expect("a token");
    let answer = as_api(server, "/introspect", &[("token", token)]).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()["active"] == true
}

/// A refresh by the client `spa`, with these parameters beside its own.
pub(crate) async fn refresh(
    server: &ServedAuthorizationServer,
    token: &Value,
    more: &[(&str, &str)],
) -> Answer {
    let token = token.as_str().expect("a refresh token");
    let mut fields = vec![
        ("grant_type", "refresh_token"),
        ("client_id", "spa"),
        ("refresh_token", token),
    ];
    fields.extend(more);
    post(&format!("{}/token", server.url()), &fields).await
}

/// The verdict of a resource server that trusts this server, on an access token.
pub(crate) async fn verdict(
    server: &ServedAuthorizationServer,
    clock: &ManualClock,
    token: &Value,
) -> String {
    let api = ResourceServer::builder(MockIssuer::AUDIENCE)
        .issuer(server.trusted())
        .clock(clock.clone())
        .build()
        .expect("a sound configuration");
    let api = api.connect().await.expect("a server that answers");
    TestApp::new(&api)
        .verdict(token.as_str().expect("a token"))
        .await
}
