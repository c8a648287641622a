//! The introspection endpoint (RFC 7662), with signed responses on request (RFC 9701).
//!
//! 1. A client with a secret or a key may ask about any token; a public client about none.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use serde_json::{Map, Value, json};

use crate::test_util::authorization_server::request::client_authentication::authenticate;
use crate::test_util::authorization_server::request::{Form, OAuthError, json_response};
use crate::test_util::authorization_server::state::{RefreshTokenId, Server};

/// The media type of a signed response without `application/`, and its `typ` (RFC 9701 section 5).
const INTROSPECTION_JWT: &str = "token-introspection+jwt";

pub(super) async fn introspect(State(server): State<Arc<Server>>, request: Request) -> Response {
    answer(&server, request)
        .await
        .unwrap_or_else(IntoResponse::into_response)
}

async fn answer(server: &Server, request: Request) -> Result<Response, OAuthError> {
    let (head, body) = request.into_parts();
    let form = Form::of_body(&head.headers, body).await?;
    let client = authenticate(server, &head, &form).await?;
    // RFC 7662 s2.1: the endpoint must know who asks.
    if client.is_public() {
        return Err(OAuthError::invalid_client(
            "a public client may not introspect",
        ));
    }
    let token = form.required("token")?;
    let state = match RefreshTokenId::read(token, &server.secret) {
        Some(refresh) => refresh_token(server, refresh),
        None => server.issuer.introspect(token),
    };
    let media_type = format!("application/{INTROSPECTION_JWT}");
    let mut accepted = head.headers.get_all(ACCEPT).iter();
    let wants_jwt = accepted.any(|value| {
        value
            .to_str()
            .is_ok_and(|value| value.contains(&media_type))
    });
    if !wants_jwt {
        return Ok(json_response(StatusCode::OK, &state));
    }
    let mut claims = Map::new();
    claims.insert("aud".into(), Value::from(&*client.id));
    claims.insert("token_introspection".into(), state);
    let jwt = server.issuer.sign_answer(INTROSPECTION_JWT, claims);
    let fields = [(CONTENT_TYPE, &*media_type), (CACHE_CONTROL, "no-store")];
    Ok((fields, jwt).into_response())
}

/// The state of a refresh token.
fn refresh_token(server: &Server, refresh: RefreshTokenId) -> Value {
    let now = server.now();
    let state = server.state();
    let grant = state.grants.get(&refresh.grant, now);
    match grant.filter(|grant| grant.is_refreshed_by(refresh.generation, now)) {
        Some(grant) => json!({
            "active": true,
            "iss": server.issuer.issuer(),
            "client_id": grant.client.id,
            "sub": grant.user.subject,
            "scope": grant.scope,
            "exp": grant.refresh_expires_at.as_secs(),
        }),
        None => json!({"active": false}),
    }
}
