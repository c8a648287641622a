//! The userinfo endpoint (OpenID Connect Core section 5.3).
//!
//! 1. It answers a request with an access token of a user whose scope has `openid`.
//! 2. Errors are those of RFC 6750 section 3.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Map, Value};

use crate::test_util::authorization_server::issue::{has_scope, identity_claims};
use crate::test_util::authorization_server::request::{Form, OAuthError, json_response};
use crate::test_util::authorization_server::state::Server;

pub(super) async fn userinfo(State(server): State<Arc<Server>>, request: Request) -> Response {
    let token = match token_of(request).await {
        Ok(Some(token)) => token,
        // RFC 6750 s3.1: no error code where the request has no credentials.
        Ok(None) => return refused(StatusCode::UNAUTHORIZED, "Bearer realm=\"userinfo\""),
        Err(error) => return error.into_response(),
    };
    match about(&server, &token) {
        Some(Ok(claims)) => json_response(StatusCode::OK, &Value::Object(claims)),
        Some(Err(challenge)) => refused(StatusCode::FORBIDDEN, challenge),
        None => refused(
            StatusCode::UNAUTHORIZED,
            "Bearer realm=\"userinfo\", error=\"invalid_token\"",
        ),
    }
}

/// The token of a request: in `Authorization`, or in a form (RFC 6750 sections 2.1 and 2.2).
async fn token_of(request: Request) -> Result<Option<String>, OAuthError> {
    let (head, body) = request.into_parts();
    let authorization = head.headers.get(AUTHORIZATION);
    // A token of another scheme is none that could be good.
    let credentials = authorization.map(|value| bearer(value).unwrap_or_default().to_owned());
    let is_form = head.method == Method::POST && head.headers.contains_key(CONTENT_TYPE);
    if !is_form {
        return Ok(credentials);
    }
    let form = Form::of_body(&head.headers, body).await?;
    match (credentials, form.get("access_token")) {
        // RFC 6750 s2: one method in a request.
        (Some(_), Some(_)) => Err(OAuthError::invalid_request(
            "the request has two access tokens",
        )),
        (None, Some(posted)) => Ok(Some(posted.to_owned())),
        (credentials, None) => Ok(credentials),
    }
}

fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let mut known = ["bearer", "dpop"].iter();
    let is_known = known.any(|known| scheme.eq_ignore_ascii_case(known));
    is_known.then(|| token.trim())
}

/// The claims about the user of a token; absent for a token that is not good. The error is a challenge.
fn about(server: &Server, token: &str) -> Option<Result<Map<String, Value>, &'static str>> {
    let known = server
        .issuer
        .registered(|register, now| register.owned(token, now));
    let Some((owner, claims)) = known else {
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

fn refused(status: StatusCode, challenge: &'static str) -> Response {
    let challenge = HeaderValue::from_static(challenge);
    (status, [(WWW_AUTHENTICATE, challenge)]).into_response()
}
