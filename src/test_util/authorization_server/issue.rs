//! The tokens of the server, of all grants.
//!
//! 1. An access token has the shape of its [`MockIssuer`]'s kind.
//! 2. It has the claims of its user, except those of OpenID Connect Core section 5.4, which go into ID tokens and
//!    userinfo by scope.
//! 3. Each token is registered with its client and its grant, so that it ends with them.

use std::sync::Arc;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::accounts::client::REFRESH_TOKEN;
use super::accounts::scope_token::is_scope_token;
use super::accounts::{TestClient, TestUser};
use super::request::{OAuthError, json_response};
use super::state::{Authentication, Confirmation, Grant, RefreshTokenId, Server};
use crate::Algorithm;
use crate::test_util::issuer::MockIssuer;
use crate::test_util::issuer::register::TokenOwner;
use crate::test_util::tokens::TokenBuilder;

/// What an access token says.
pub(super) struct Issuance<'a> {
    pub(super) client: &'a TestClient,
    /// The user; absent for a token of the client itself.
    pub(super) user: Option<&'a TestUser>,
    /// The grant that the token ends with.
    pub(super) grant: Option<u64>,
    pub(super) session: Option<&'a str>,
    pub(super) authentication: Option<&'a Authentication>,
    /// Scope tokens with blanks between.
    pub(super) scope: &'a str,
    /// The resources that were asked for (RFC 8707).
    pub(super) resources: &'a [String],
    pub(super) confirmation: Option<&'a Confirmation>,
    /// `act` (RFC 8693 section 4.1).
    pub(super) actor: Option<&'a Value>,
}

/// The response of the token endpoint (RFC 6749 section 5.1).
pub(super) struct TokenResponse(Map<String, Value>);

impl TokenResponse {
    /// Adds a member, where there is a value.
    pub(super) fn with(mut self, name: &str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.0.insert(name.into(), value.into());
        }
        self
    }

    pub(super) fn into_http(self) -> axum::response::Response {
        json_response(StatusCode::OK, &Value::Object(self.0))
    }
}

/// Issues an access token, and answers with it.
pub(super) fn access_token(server: &Server, issuance: &Issuance<'_>) -> TokenResponse {
    let token = access_token_text(server, issuance);
    let kind = match issuance.confirmation {
        // RFC 9449 s5.
        Some(Confirmation::DpopKey(_)) => "DPoP",
        Some(Confirmation::Certificate(_)) | None => "Bearer",
    };
    let lifetime = server.settings.access_token_lifetime.as_secs();
    let scope = (!issuance.scope.is_empty()).then_some(issuance.scope);
    TokenResponse(Map::new())
        .with("access_token", Some(token))
        .with("token_type", Some(kind))
        .with("expires_in", Some(lifetime))
        .with("scope", scope)
}

/// Issues all that a grant yields: an access token, a refresh token where the client may use one, and an ID token
/// where the scope has `openid`.
///
/// `scope` and `resources` are those of the request, within the grant's.
pub(super) fn tokens_of_grant(
    server: &Server,
    id: u64,
    grant: &Grant,
    (scope, resources): (&str, &[String]),
    nonce: Option<&str>,
    confirmation: Option<&Confirmation>,
) -> TokenResponse {
    let issuance = Issuance {
        client: &grant.client,
        user: Some(&grant.user),
        grant: Some(id),
        session: grant.session.as_deref(),
        authentication: Some(&grant.authentication),
        scope,
        resources,
        confirmation,
        actor: None,
    };
    let response = access_token(server, &issuance);
    let refresh = grant.client.may_use(REFRESH_TOKEN).then(|| {
        let generation = grant.generation;
        RefreshTokenId {
            grant: id,
            generation,
        }
        .to_text(&server.secret)
    });
    let access = response.0.get("access_token").and_then(Value::as_str);
    let id_token = has_scope(scope, "openid").then(|| id_token(server, &issuance, nonce, access));
    response
        .with("refresh_token", refresh)
        .with("id_token", id_token)
}

/// The scope that a client gets: what it asks for, within what it may have; without a question all of it.
pub(super) fn granted_scope(
    client: &TestClient,
    asked: Option<&str>,
) -> Result<String, OAuthError> {
    let Some(asked) = asked else {
        return Ok(client.scopes.join(" "));
    };
    let mut granted: Vec<&str> = Vec::new();
    for scope in asked.split(' ').filter(|scope| !scope.is_empty()) {
        let allowed = client.scopes.is_empty() || client.scopes.iter().any(|one| one == scope);
        if !is_scope_token(scope) || !allowed {
            return Err(OAuthError::invalid_scope(format!(
                "the client may not have the scope `{}`",
                shown(scope)
            )));
        }
        if !granted.contains(&scope) {
            granted.push(scope);
        }
    }
    Ok(granted.join(" "))
}

/// The resources of a request, each of which must be one that is `allowed` (RFC 8707 section 2).
pub(super) fn granted_resources<'a>(
    allowed: impl Fn(&str) -> bool,
    asked: impl Iterator<Item = &'a str>,
) -> Result<Box<[String]>, OAuthError> {
    let mut granted: Vec<String> = Vec::new();
    for resource in asked {
        if !allowed(resource) {
            return Err(OAuthError::invalid_target(format!(
                "the client gets no token for the resource `{}`",
                shown(resource)
            )));
        }
        if !granted.iter().any(|one| one == resource) {
            granted.push(resource.to_owned());
        }
    }
    Ok(granted.into())
}

/// The resources of a token request, within those of its grant (RFC 8707 section 2.2). A grant without any reaches the
/// client's first.
pub(super) fn resources_within<'a>(
    grant: &Grant,
    asked: impl Iterator<Item = &'a str>,
) -> Result<Box<[String]>, OAuthError> {
    let first = grant.client.audiences.first();
    let first = first.map_or(MockIssuer::AUDIENCE, String::as_str);
    let reaches = |resource: &str| match &*grant.resources {
        [] => resource == first,
        all => all.iter().any(|one| one == resource),
    };
    let asked = granted_resources(reaches, asked)?;
    Ok(if asked.is_empty() {
        grant.resources.clone()
    } else {
        asked
    })
}

/// Whether a client may name this resource.
pub(super) fn may_reach(client: &TestClient, resource: &str) -> bool {
    if client.audiences.is_empty() {
        return resource == MockIssuer::AUDIENCE;
    }
    client.audiences.iter().any(|one| one == resource)
}

pub(super) fn has_scope(scope: &str, token: &str) -> bool {
    scope.split(' ').any(|one| one == token)
}

/// The claims about a user that go into ID tokens and userinfo for this scope.
pub(super) fn identity_claims(user: &TestUser, scope: &str) -> Map<String, Value> {
    let all = user.claims.iter();
    let shown =
        all.filter(|(name, _)| scope_of_claim(name).is_none_or(|needed| has_scope(scope, needed)));
    shown
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn access_token_text(server: &Server, issuance: &Issuance<'_>) -> String {
    let issuer = &server.issuer;
    let client = issuance.client;
    let mut token = match issuance.user {
        Some(user) => of_user(issuer.token().client(&client.id), user),
        None => issuer.client_token().client(&client.id),
    };
    token = token.expires_in(server.settings.access_token_lifetime);
    let claims = issuance.user.map_or(&client.claims, |user| &user.claims);
    for (name, value) in claims
        .iter()
        .filter(|(name, _)| scope_of_claim(name).is_none())
    {
        token = token.claim(name, value);
    }
    if !issuance.scope.is_empty() {
        token = token.scope(issuance.scope);
    }
    token = match (issuance.resources, client.audiences.first()) {
        ([], None) => token,
        ([], Some(first)) => token.audience(first),
        ([one], _) => token.audience(one),
        (several, _) => token.audiences(several),
    };
    if let Some(authentication) = issuance.authentication {
        let knows_time = token.claim_value("auth_time").is_some();
        if knows_time || authentication.acr.is_some() {
            token = token.claim("auth_time", authentication.time.as_secs());
        }
        if let Some(acr) = &authentication.acr {
            token = token.claim("acr", acr);
        }
    }
    if let Some(session) = issuance.session {
        // Cognito's access tokens name the sign-in by another claim.
        let name = if issuer.is_cognito() {
            "origin_jti"
        } else {
            "sid"
        };
        token = token.claim(name, session);
    }
    match issuance.confirmation {
        Some(Confirmation::DpopKey(jkt)) => token = token.claim("cnf", json!({"jkt": jkt})),
        Some(Confirmation::Certificate(x5t)) => {
            token = token.claim("cnf", json!({"x5t#S256": x5t}));
        }
        None => {}
    }
    if let Some(actor) = issuance.actor {
        token = token.claim("act", actor);
    }
    let owner = TokenOwner {
        client: Arc::from(&*client.id),
        grant: issuance.grant,
    };
    if server.settings.opaque_access_tokens {
        token.issue_for(owner)
    } else {
        token.sign_for(owner)
    }
}

/// OpenID Connect Core s2, s3.1.3.6.
fn id_token(
    server: &Server,
    issuance: &Issuance<'_>,
    nonce: Option<&str>,
    access_token: Option<&str>,
) -> String {
    let mut token = server.issuer.id_token().client(&issuance.client.id);
    token = token
        .without("nonce")
        .expires_in(server.settings.access_token_lifetime);
    for name in PERSONAL {
        token = token.without(name);
    }
    if let Some(user) = issuance.user {
        token = of_user(token, user);
        for (name, value) in identity_claims(user, issuance.scope) {
            token = token.claim(name, value);
        }
    }
    if let Some(nonce) = nonce {
        token = token.claim("nonce", nonce);
    }
    if let Some(authentication) = issuance.authentication {
        token = token.claim("auth_time", authentication.time.as_secs());
        if let Some(acr) = &authentication.acr {
            token = token.claim("acr", acr);
        }
    }
    if let Some(session) = issuance.session {
        token = token.claim("sid", session);
    }
    if let Some(access_token) = access_token {
        token = token.claim(
            "at_hash",
            at_hash(server.issuer.default_algorithm(), access_token),
        );
    }
    token.signed()
}

/// The token for this user: `sub`, and the claims of the issuer's kind that name the user beside it.
fn of_user(token: TokenBuilder, user: &TestUser) -> TokenBuilder {
    let mut token = token.subject(&user.subject);
    for name in ["username", "cognito:username", "preferred_username"] {
        if token.claim_value(name).is_some() {
            let own = user.claims.get(name).and_then(Value::as_str);
            token = token.claim(name, own.unwrap_or(&user.subject));
        }
    }
    // Some vendors write them into every token, and the mock those of its own user.
    for name in PERSONAL {
        if token.claim_value(name).is_some() {
            token = match user.claims.get(name) {
                Some(own) => token.claim(name, own),
                None => token.without(name),
            };
        }
    }
    token
}

/// Claims about a person that tokens of a mock issuer may have.
const PERSONAL: [&str; 7] = [
    "name",
    "given_name",
    "family_name",
    "nickname",
    "picture",
    "email",
    "email_verified",
];

/// The left half of the hash of the algorithm (OpenID Connect Core section 3.1.3.6).
fn at_hash(algorithm: Algorithm, access_token: &str) -> String {
    let hash = match algorithm {
        Algorithm::RS256 | Algorithm::PS256 | Algorithm::ES256 => &digest::SHA256,
        Algorithm::RS384 | Algorithm::PS384 | Algorithm::ES384 => &digest::SHA384,
        _ => &digest::SHA512,
    };
    let hash = digest::digest(hash, access_token.as_bytes());
    let (half, _) = hash.as_ref().split_at(hash.as_ref().len() / 2);
    URL_SAFE_NO_PAD.encode(half)
}

/// The scope that a claim belongs to (OpenID Connect Core section 5.4).
fn scope_of_claim(name: &str) -> Option<&'static str> {
    match name {
        "name" | "family_name" | "given_name" | "middle_name" | "nickname"
        | "preferred_username" | "profile" | "picture" | "website" | "gender" | "birthdate"
        | "zoneinfo" | "locale" | "updated_at" => Some("profile"),
        "email" | "email_verified" => Some("email"),
        "address" => Some("address"),
        "phone_number" | "phone_number_verified" => Some("phone"),
        _ => None,
    }
}

/// A client's text in an error description: RFC 6749 s5.2 leaves out quotes and backslashes.
fn shown(text: &str) -> String {
    let allowed = |one: &char| matches!(one, ' '..='~') && !matches!(one, '"' | '\\');
    text.chars().filter(allowed).take(100).collect()
}
