//! Dynamic client registration (RFC 7591), and its management as far as reading and deleting (RFC 7592).
//!
//! 1. Everybody may register a client (RFC 7591 section 3: open registration). A thousand are kept.
//! 2. The registration access token is a MAC of the client's id, so that it ends with the client.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

use crate::test_util::authorization_server::accounts::TestClient;
use crate::test_util::authorization_server::accounts::client_metadata::{client_of, metadata_of};
use crate::test_util::authorization_server::request::{OAuthError, json_response};
use crate::test_util::authorization_server::state::Server;
use crate::test_util::expiring_map::NEVER;
use crate::test_util::keys::{hmac_sha256, random_text};

const MAX_BODY_BYTES: usize = 64 * 1024;

pub(super) async fn register(State(server): State<Arc<Server>>, request: Request) -> Response {
    let metadata = match metadata(request).await {
        Ok(metadata) => metadata,
        Err(error) => return error.into_response(),
    };
    // RFC 7591 s2: the default method.
    let made = client_of(&metadata, random_text(20), "client_secret_basic", || {
        Some(random_text(43))
    });
    let client = match made {
        Ok(client) => client.audiences(server.all_audiences()),
        Err(error) => return OAuthError::new(error.code, error.description).into_response(),
    };
    let now = server.now();
    let mut answer = described(&server, &client);
    answer.insert("client_id_issued_at".into(), now.as_secs().into());
    let (id, client) = (client.id.clone(), Arc::new(client));
    server
        .state()
        .registered_clients
        .insert(id, client, NEVER, now);
    json_response(StatusCode::CREATED, &Value::Object(answer))
}

pub(super) async fn read(
    State(server): State<Arc<Server>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    match authorized(&server, &id, &headers) {
        Ok(client) => json_response(StatusCode::OK, &Value::Object(described(&server, &client))),
        Err(refusal) => refusal,
    }
}

/// RFC 7592 s2.3: its tokens end with it.
pub(super) async fn delete(
    State(server): State<Arc<Server>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    if let Err(refusal) = authorized(&server, &id, &headers) {
        return refusal;
    }
    let now = server.now();
    let ended: Vec<u64> = {
        let mut state = server.state();
        state.registered_clients.remove(&id);
        let grants = state.grants.iter(now);
        let own = grants.filter(|(_, grant)| grant.client.id == id);
        own.map(|(grant, _)| *grant).collect()
    };
    server.end_grants(&ended);
    StatusCode::NO_CONTENT.into_response()
}

/// The metadata of a request.
async fn metadata(request: Request) -> Result<Map<String, Value>, OAuthError> {
    let wrong = |problem: String| OAuthError::new("invalid_client_metadata", problem);
    let media_type = request.headers().get(CONTENT_TYPE);
    let media_type = media_type
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(wrong("the body must be of type `application/json`".into()));
    }
    let body = to_bytes(request.into_body(), MAX_BODY_BYTES).await;
    let body = body.map_err(|_| wrong("the body is too long".into()))?;
    serde_json::from_slice(&body)
        .map_err(|error| wrong(format!("the body is no JSON object: {error}")))
}

/// The client information response (RFC 7591 section 3.2.1, RFC 7592 section 3).
fn described(server: &Server, client: &TestClient) -> Map<String, Value> {
    let mut answer = metadata_of(client);
    if let Some(secret) = &client.secret {
        answer.insert("client_secret".into(), json!(secret));
        answer.insert("client_secret_expires_at".into(), json!(0));
    }
    let token = access_token(server, &client.id);
    answer.insert("registration_access_token".into(), json!(token));
    let url = format!("{}/register/{}", server.url, client.id);
    answer.insert("registration_client_uri".into(), json!(url));
    answer
}

fn access_token(server: &Server, id: &str) -> String {
    let text = format!("registration\n{id}");
    URL_SAFE_NO_PAD.encode(hmac_sha256(&server.secret, text.as_bytes()))
}

/// The client of a management request, whose token must be the client's own.
#[allow(clippy::result_large_err)] // The response itself.
fn authorized(server: &Server, id: &str, headers: &HeaderMap) -> Result<Arc<TestClient>, Response> {
    let sent = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let sent = sent.and_then(|value| value.split_once(' '));
    let sent = sent.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer"));
    let is_its_own = sent.is_some_and(|(_, token)| token == access_token(server, id));
    let now = server.now();
    let client = server.state().registered_clients.get(id, now).cloned();
    client.filter(|_| is_its_own).ok_or_else(|| {
        // RFC 7592 s2.1: the same for a token and for a client that is unknown.
        let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
        (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, challenge)]).into_response()
    })
}
