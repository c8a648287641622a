//! The authorization request (RFC 6749 section 4.1.1, OpenID Connect Core section 3.1.2.1).
//!
//! 1. Client and redirect URI come first: until both are good, an error is shown and never sent to the URI
//!    (RFC 6749 section 4.1.2.1).
//! 2. PKCE with S256 is demanded of every client (RFC 9700 section 2.1.1).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::test_util::authorization_server::accounts::client::AUTHORIZATION_CODE;
use crate::test_util::authorization_server::accounts::{TestClient, redirect_uri};
use crate::test_util::authorization_server::issue::{granted_resources, granted_scope, may_reach};
use crate::test_util::authorization_server::request::{Form, OAuthError};
use crate::test_util::authorization_server::state::Server;

/// A request that is good as far as it can be without the user.
pub(super) struct AuthorizationRequest {
    pub(super) client: Arc<TestClient>,
    pub(super) reply_to: ReplyTo,
    pub(super) names_redirect_uri: bool,
    pub(super) scope: String,
    pub(super) resources: Box<[String]>,
    pub(super) code_challenge: String,
    pub(super) nonce: Option<String>,
    pub(super) dpop_jkt: Option<String>,
    /// The authentication context classes that would do, best first.
    pub(super) acr_values: Vec<String>,
    pub(super) prompt: Vec<String>,
    /// Seconds.
    pub(super) max_age: Option<u64>,
    /// The subject that the client expects: of `login_hint`, or of `id_token_hint`.
    pub(super) login_hint: Option<String>,
    /// The subject of `id_token_hint`.
    pub(super) id_token_hint: Option<String>,
}

/// Where the response goes, and how.
pub(super) struct ReplyTo {
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
    pub(super) mode: ResponseMode,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponseMode {
    Query,
    /// OAuth 2.0 Form Post Response Mode.
    FormPost,
}

/// Why a request is refused.
pub(super) enum Refused {
    /// To the user, on a page.
    Page(&'static str, String),
    /// To the client, at its redirect URI.
    Client(ReplyTo, OAuthError),
}

impl AuthorizationRequest {
    pub(super) async fn read(server: &Server, query: &str) -> Result<Self, Refused> {
        let page = |code, problem: &str| Refused::Page(code, problem.into());
        let form =
            Form::of_query(query).map_err(|error| page("invalid_request", &error.description))?;
        let id = form.get("client_id");
        let id = id.ok_or_else(|| page("invalid_request", "the request names no client"))?;
        let client = server.client(id).await;
        let client = client.ok_or_else(|| page("invalid_client", "the client is unknown"))?;
        let sent = form.get("redirect_uri");
        let redirect_uri = match (sent, &*client.redirect_uris) {
            (Some(sent), all) => {
                let known = all.iter().any(|one| redirect_uri::matches(one, sent));
                known.then_some(sent)
            }
            // RFC 6749 s3.1.2.3: where one alone is registered.
            (None, [only]) => Some(&**only),
            (None, _) => None,
        };
        let redirect_uri = redirect_uri.ok_or_else(|| {
            page(
                "invalid_request",
                "the redirect URI is not one of those that the client registered",
            )
        })?;
        let mut reply_to = ReplyTo {
            redirect_uri: redirect_uri.to_owned(),
            state: form.get("state").map(ToOwned::to_owned),
            mode: ResponseMode::Query,
        };
        match form.get("response_mode") {
            None | Some("query") => {}
            Some("form_post") => reply_to.mode = ResponseMode::FormPost,
            Some(_) => {
                let error =
                    OAuthError::invalid_request("`response_mode` must be `query` or `form_post`");
                return Err(Refused::Client(reply_to, error));
            }
        }
        match Details::read(&client, &form) {
            Ok(details) => Ok(details.with(client, reply_to, &form)),
            Err(error) => Err(Refused::Client(reply_to, error)),
        }
    }
}

struct Details {
    scope: String,
    resources: Box<[String]>,
    code_challenge: String,
    prompt: Vec<String>,
    max_age: Option<u64>,
}

impl Details {
    fn read(client: &TestClient, form: &Form) -> Result<Self, OAuthError> {
        // OpenID Connect Core s6: request objects are not supported.
        for (parameter, code) in [
            ("request", "request_not_supported"),
            ("request_uri", "request_uri_not_supported"),
        ] {
            if form.get(parameter).is_some() {
                return Err(OAuthError::new(code, "request objects are not supported"));
            }
        }
        if !client.may_use(AUTHORIZATION_CODE) {
            return Err(OAuthError::new(
                "unauthorized_client",
                "the client may not use `authorization_code`",
            ));
        }
        if form.required("response_type")? != "code" {
            return Err(OAuthError::new(
                "unsupported_response_type",
                "`response_type` must be `code`",
            ));
        }
        // RFC 7636 s4.3, s4.4.1: without a method it is `plain`.
        let challenge = form.required("code_challenge")?;
        if form.get("code_challenge_method") != Some("S256") {
            return Err(OAuthError::invalid_request(
                "`code_challenge_method` must be `S256`",
            ));
        }
        let base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let digest = |text: &str| text.len() == 43 && text.bytes().all(base64url);
        if !digest(challenge) {
            return Err(OAuthError::invalid_request(
                "`code_challenge` is no SHA-256 digest in base64url",
            ));
        }
        // RFC 9449 s10, RFC 7638.
        if !form.get("dpop_jkt").is_none_or(digest) {
            return Err(OAuthError::invalid_request(
                "`dpop_jkt` is no thumbprint of a key",
            ));
        }
        let prompt = words(form.get("prompt"));
        // OpenID Connect Core s3.1.2.1.
        if prompt.len() > 1 && prompt.iter().any(|one| one == "none") {
            return Err(OAuthError::invalid_request(
                "`prompt` has `none` and another value",
            ));
        }
        let max_age = form.get("max_age").map(str::parse).transpose();
        Ok(Self {
            scope: granted_scope(client, form.get("scope"))?,
            resources: granted_resources(
                |resource| may_reach(client, resource),
                form.all("resource"),
            )?,
            code_challenge: challenge.to_owned(),
            prompt,
            max_age: max_age
                .map_err(|_| OAuthError::invalid_request("`max_age` is no number of seconds"))?,
        })
    }

    fn with(self, client: Arc<TestClient>, reply_to: ReplyTo, form: &Form) -> AuthorizationRequest {
        let text = |name| form.get(name).map(ToOwned::to_owned);
        let hinted = form.get("id_token_hint").map(subject_of);
        AuthorizationRequest {
            client,
            reply_to,
            names_redirect_uri: form.get("redirect_uri").is_some(),
            scope: self.scope,
            resources: self.resources,
            code_challenge: self.code_challenge,
            nonce: text("nonce"),
            dpop_jkt: text("dpop_jkt"),
            acr_values: words(form.get("acr_values")),
            prompt: self.prompt,
            max_age: self.max_age,
            login_hint: text("login_hint").or_else(|| hinted.clone()),
            id_token_hint: hinted,
        }
    }
}

/// The `sub` of an ID token; empty where it has none. Its signature is not looked at, since a hint can only make the
/// server ask the user.
fn subject_of(id_token: &str) -> String {
    let claims = || {
        let payload = URL_SAFE_NO_PAD.decode(id_token.split('.').nth(1)?).ok()?;
        let claims: Value = serde_json::from_slice(&payload).ok()?;
        claims.get("sub")?.as_str().map(ToOwned::to_owned)
    };
    claims().unwrap_or_default()
}

fn words(text: Option<&str>) -> Vec<String> {
    let words = text.unwrap_or_default().split(' ');
    words
        .filter(|word| !word.is_empty())
        .map(ToOwned::to_owned)
        .collect()
}
