//! The userinfo endpoint (OpenID Connect Core section 5.3).
//!
//! 1. It answers a request with an access token of a user whose scope has `openid`.
//! 2. Errors are those of RFC 6750 section 3.
//! 3. A bound token needs the proof of its key, or its certificate.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Map, Value};

use crate::test_util::authorization_server::issue::{has_scope, identity_claims};
use crate::test_util::authorization_server::request::sender_constraint::check_possession;
use crate::test_util::authorization_server::request::{Form, OAuthError, json_response};
use crate::test_util::authorization_server::state::Server;

pub(super) async fn userinfo(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let mut response = answer(&server, &head, body).await;
    server
        .proofs
        .add_nonce(response.headers_mut(), server.now());
    response
}

async fn answer(server: &Server, head: &Parts, body: Body) -> Response {
    let (scheme, token) = match token_of(head, body).await {
        Ok(Some(found)) => found,
        // RFC 6750 s3.1: no error code where the request has no credentials.
        Ok(None) => return refused(StatusCode::UNAUTHORIZED, "Bearer realm=\"userinfo\""),
        Err(error) => return error.into_response(),
    };
    let Some(about) = about(server, &token) else {
        let challenge = "Bearer realm=\"userinfo\", error=\"invalid_token\"";
        return refused(StatusCode::UNAUTHORIZED, challenge);
    };
    let claims = server.issuer.introspect(&token);
    let possession = check_possession(server, head, (scheme, &token), claims.get("cnf"));
    match (possession, about) {
        (Ok(()), Ok(claims)) => json_response(StatusCode::OK, &Value::Object(claims)),
        (Ok(()), Err(challenge)) => refused(StatusCode::FORBIDDEN, challenge),
        // RFC 9449 s7.1.
        (Err(error), _) => {
            let challenge = format!("DPoP realm=\"userinfo\", error=\"{}\"", error.code);
            refused(StatusCode::UNAUTHORIZED, &challenge)
        }
    }
}

/// The scheme and the token of a request: in `Authorization`, or in a form (RFC 6750 sections 2.1 and 2.2).
async fn token_of(head: &Parts, body: Body) -> Result<Option<(&'static str, String)>, OAuthError> {
    let mut fields = head.headers.get_all(AUTHORIZATION).iter();
    let from_field = fields.next();
    // RFC 6750 s2: one token in a request.
    if fields.next().is_some() {
        return Err(OAuthError::invalid_request(
            "the request has two access tokens",
        ));
    }
    let from_field = from_field.map(|value| {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        let mut known = ["Bearer", "DPoP"].into_iter();
        let known = known.find(|known| scheme.eq_ignore_ascii_case(known))?;
        Some((known, token.trim().to_owned()))
    });
    // A token of another scheme is none that could be good.
    let from_field = from_field.map(|found| found.unwrap_or(("Bearer", String::new())));
    let is_form = head.method == Method::POST && head.headers.contains_key(CONTENT_TYPE);
    if !is_form {
        return Ok(from_field);
    }
    let form = Form::of_body(&head.headers, body).await?;
    match (from_field, form.get("access_token")) {
        // RFC 6750 s2: one method in a request.
        (Some(_), Some(_)) => Err(OAuthError::invalid_request(
            "the request has two access tokens",
        )),
        (from_field, from_body) => {
            Ok(from_field.or_else(|| from_body.map(|token| ("Bearer", token.to_owned()))))
        }
    }
}

/// The claims about the user of a token; absent for a token that is not good. The error is a challenge.
fn about(server: &Server, token: &str) -> Option<Result<Map<String, Value>, &'static str>> {
    let registered = server
        .issuer
        .registered(|register, now| register.owned(token, now));
    let Some((owner, claims)) = registered else {
        // A test's own token, which no client asked for.
        return server.issuer.user_info(token).map(|(claims, _)| Ok(claims));
    };
    let now = server.now();
    let (user, scope_of_grant) = {
        let state = server.state();
        let grant = state.grants.get(&owner.grant?, now)?;
        (Arc::clone(&grant.user), grant.scope.to_string())
    };
    // A refresh may have narrowed the scope.
    let scope = claims
        .get("scope")
        .and_then(Value::as_str)
        .unwrap_or(&scope_of_grant);
    if !has_scope(scope, "openid") {
        let challenge = "Bearer realm=\"userinfo\", error=\"insufficient_scope\", scope=\"openid\"";
        return Some(Err(challenge));
    }
    let mut about = identity_claims(&user, scope);
    about.insert("sub".into(), Value::from(&*user.subject));
    Some(Ok(about))
}

fn refused(status: StatusCode, challenge: &str) -> Response {
    match HeaderValue::from_str(challenge) {
        Ok(challenge) => (status, [(WWW_AUTHENTICATE, challenge)]).into_response(),
        Err(_) => status.into_response(),
    }
}
