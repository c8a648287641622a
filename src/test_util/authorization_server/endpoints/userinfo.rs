//! The userinfo endpoint (OpenID Connect Core section 5.3).
//!
//! 1. It answers a request with an access token of a user whose scope has `openid`.
//! 2. Errors are those of RFC 6750 section 3.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value};

use crate::test_util::authorization_server::issue::{has_scope, identity_claims};
use crate::test_util::authorization_server::request::json_response;
use crate::test_util::authorization_server::state::Server;

pub(super) async fn userinfo(State(server): State<Arc<Server>>, request: Request) -> Response {
    let value = request.headers().get(AUTHORIZATION);
    let credentials = value.and_then(|value| value.to_str().ok()?.split_once(' '));
    let Some((scheme, token)) = credentials else {
        // RFC 6750 s3.1: no error code where the request has no credentials.
        return refused(StatusCode::UNAUTHORIZED, "Bearer realm=\"userinfo\"");
    };
    let known = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("dpop");
    match about(&server, token.trim()) {
        Some(claims) if known => match claims {
            Ok(claims) => json_response(StatusCode::OK, &Value::Object(claims)),
            Err(challenge) => refused(StatusCode::FORBIDDEN, challenge),
        },
        _ => refused(
            StatusCode::UNAUTHORIZED,
            "Bearer realm=\"userinfo\", error=\"invalid_token\"",
        ),
    }
}

/// The claims about the user of a token; absent for a token that is not good. The error is a challenge.
fn about(server: &Server, token: &str) -> Option<Result<Map<String, Value>, &'static str>> {
    let owned = server
        .issuer
        .registered(|register, now| register.owned(token, now));
    let Some((owner, claims)) = owned else {
        // A test's own token, which no client asked for.
        return server.issuer.user_info(token).map(|(claims, _)| Ok(claims));
    };
    let now = server.now();
    let (user, granted) = {
        let state = server.state();
        let grant = state.grants.get(&owner.grant?, now)?;
        (Arc::clone(&grant.user), grant.scope.to_string())
    };
    // A refresh may have narrowed the scope.
    let scope = claims
        .get("scope")
        .and_then(Value::as_str)
        .unwrap_or(&granted);
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
