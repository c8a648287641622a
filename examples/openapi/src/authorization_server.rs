//! The smallest authorization server that signs a person in: the flow authorization code with PKCE
//! (RFC 7636) for one public client, and client credentials for one machine. The mock issuer signs the
//! tokens. For a demonstration on loopback: the visitor of the page is the user.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{Form, Query, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use portcullis::test_util::MockIssuer;
use serde::Deserialize;
use serde_json::json;

/// The public client that Swagger UI is.
pub(crate) const CLIENT: &str = "swagger-ui";
/// The confidential client, for client credentials.
pub(crate) const MACHINE: &str = "machine:machine-secret";

const SCOPES: [&str; 2] = ["orders:read", "orders:write"];

#[derive(Clone)]
pub(crate) struct AuthorizationServer {
    issuer: MockIssuer,
    audience: String,
    redirect_uri: String,
    /// By code; each is used once.
    grants: Arc<Mutex<HashMap<String, Grant>>>,
}

/// What a person agreed to.
struct Grant {
    scope: String,
    challenge: String,
}

/// An authorization request (RFC 6749 section 4.1.1, RFC 7636 section 4.3).
#[derive(Deserialize)]
struct AuthorizationRequest {
    response_type: String,
    client_id: String,
    redirect_uri: String,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    code_challenge: String,
    #[serde(default)]
    code_challenge_method: String,
}

/// A token request (RFC 6749 sections 4.1.3 and 4.4.2).
#[derive(Deserialize)]
struct TokenRequest {
    grant_type: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    redirect_uri: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    code_verifier: String,
    #[serde(default)]
    scope: String,
}

impl AuthorizationServer {
    pub(crate) fn new(issuer: MockIssuer, origin: &str) -> Self {
        Self {
            issuer,
            audience: origin.to_owned(),
            redirect_uri: format!("{origin}/docs/oauth2-redirect.html"),
            grants: Arc::default(),
        }
    }

    pub(crate) fn router(self) -> Router {
        Router::new()
            .route("/authorize", get(ask).post(agree))
            .route("/token", post(token))
            .with_state(self)
    }

    /// The mistake in a request that must not be answered by a redirect (RFC 6749 section 4.1.2.1).
    fn check(&self, request: &AuthorizationRequest) -> Result<(), Response> {
        let problem = if request.client_id != CLIENT {
            "unknown client"
        } else if request.redirect_uri != self.redirect_uri {
            "unknown redirect_uri"
        } else if request.response_type != "code" {
            "response_type must be code"
        } else if request.code_challenge_method != "S256" || request.code_challenge.is_empty() {
            "PKCE with S256 is demanded"
        } else {
            return Ok(());
        };
        Err((StatusCode::BAD_REQUEST, problem).into_response())
    }

    fn issue(&self, subject: Option<&str>, scope: &str) -> Response {
        let token = match subject {
            Some(name) => self.issuer.token().subject(name),
            None => self.issuer.client_token(),
        };
        let token = token.audience(&self.audience).scope(scope).sign();
        let body = json!({
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": 3600,
            "scope": scope,
        });
        ([(CACHE_CONTROL, "no-store")], Json(body)).into_response()
    }
}

/// The page on which a person signs in. The query goes back with the form.
async fn ask(
    State(server): State<AuthorizationServer>,
    Query(request): Query<AuthorizationRequest>,
    uri: axum::http::Uri,
) -> Response {
    if let Err(problem) = server.check(&request) {
        return problem;
    }
    let scope = known(&request.scope);
    // The query is percent-encoded by the client; what could end the attribute is encoded here too.
    let query = uri.query().unwrap_or_default();
    let query = query.replace('&', "&amp;").replace('"', "%22").replace('<', "%3C");
    Html(format!(
        "<!doctype html><title>Sign in</title><h1>Sign in as alice</h1><p>Swagger UI asks for: {scope}</p>\
         <form method=post action=\"/authorize?{query}\"><button>Agree</button></form>"
    ))
    .into_response()
}

async fn agree(
    State(server): State<AuthorizationServer>,
    Query(request): Query<AuthorizationRequest>,
) -> Response {
    if let Err(problem) = server.check(&request) {
        return problem;
    }
    let mut random = [0; 16];
    if aws_lc_rs::rand::fill(&mut random).is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let code = URL_SAFE_NO_PAD.encode(random);
    let grant = Grant {
        scope: known(&request.scope),
        challenge: request.code_challenge,
    };
    let mut grants = server.grants.lock().unwrap_or_else(PoisonError::into_inner);
    grants.insert(code.clone(), grant);
    let answer = form_urlencoded::Serializer::new(String::new())
        .append_pair("code", &code)
        .append_pair("state", &request.state)
        .finish();
    Redirect::to(&format!("{}?{answer}", server.redirect_uri)).into_response()
}

async fn token(
    State(server): State<AuthorizationServer>,
    headers: HeaderMap,
    Form(request): Form<TokenRequest>,
) -> Response {
    match request.grant_type.as_str() {
        "authorization_code" => {
            let mut grants = server.grants.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(grant) = grants.remove(&request.code) else {
                return error("invalid_grant");
            };
            let verifier = digest(&SHA256, request.code_verifier.as_bytes());
            let is_proven = URL_SAFE_NO_PAD.encode(verifier) == grant.challenge;
            let is_same = request.client_id == CLIENT && request.redirect_uri == server.redirect_uri;
            if !is_proven || !is_same {
                return error("invalid_grant");
            }
            server.issue(Some("alice"), &grant.scope)
        }
        "client_credentials" => {
            let expected = format!("Basic {}", STANDARD.encode(MACHINE));
            let given = headers.get(AUTHORIZATION).map(|value| value.as_bytes());
            if given != Some(expected.as_bytes()) {
                return error("invalid_client");
            }
            server.issue(None, &known(&request.scope))
        }
        _ => error("unsupported_grant_type"),
    }
}

/// The scopes that exist here.
fn known(scope: &str) -> String {
    let tokens = scope.split(' ').filter(|token| SCOPES.contains(token));
    tokens.collect::<Vec<_>>().join(" ")
}

fn error(code: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": code }))).into_response()
}
