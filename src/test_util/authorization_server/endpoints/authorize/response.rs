//! The authorization response (RFC 6749 sections 4.1.2 and 4.1.2.1), with `iss` (RFC 9207).

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY};
use http::{HeaderValue, StatusCode};

use super::page;
use super::request::{AuthorizationRequest, ReplyTo, ResponseMode};
use crate::test_util::authorization_server::accounts::redirect_uri::origin;
use crate::test_util::authorization_server::request::OAuthError;
use crate::test_util::authorization_server::state::{CODE_LIFETIME, Code, Grant, Server, Session};
use crate::test_util::keys::{random_text, sha256};

/// The parameters of a response, in their order.
pub(super) type Parameters = Vec<(&'static str, String)>;

/// Makes a code for the user of a session.
pub(super) fn grant(
    server: &Server,
    request: AuthorizationRequest,
    sid: &str,
) -> (ReplyTo, Parameters) {
    let now = server.now();
    let code = random_text(43);
    let mut state = server.state();
    let Some(Session {
        user,
        authentication,
        clients,
    }) = state.sessions.get_mut(sid, now)
    else {
        drop(state);
        let error = OAuthError::new("login_required", "the session has ended");
        return (request.reply_to, parameters_of(&error));
    };
    if !clients.iter().any(|client| client.id == request.client.id) {
        clients.push(request.client.clone());
    }
    let authentication = authentication.clone();
    let user = user.clone();
    let grant = Grant {
        client: request.client.clone(),
        user,
        session: Some(sid.into()),
        authentication,
        scope: request.scope.into(),
        resources: request.resources,
        confirmation: None,
        generation: 0,
        refresh_expires_at: now,
    };
    let expires_at = now.saturating_add(CODE_LIFETIME);
    let remembered = Code {
        expires_at,
        redirect_uri: request.reply_to.redirect_uri.as_str().into(),
        names_redirect_uri: request.names_redirect_uri,
        challenge: request.code_challenge.into(),
        nonce: request.nonce.map(Into::into),
        dpop_jkt: request.dpop_jkt.map(Into::into),
        grant: Some(Box::new(grant)),
        used_for: None,
        client: request.client,
    };
    let digest = sha256(code.as_bytes());
    state.codes.insert(digest, remembered, expires_at, now);
    (request.reply_to, vec![("code", code)])
}

pub(super) fn parameters_of(error: &OAuthError) -> Parameters {
    vec![
        ("error", error.code.to_owned()),
        ("error_description", error.description.clone().into_owned()),
    ]
}

/// Sends parameters to the client.
pub(super) fn send(server: &Server, to: ReplyTo, parameters: Parameters) -> Response {
    match to.mode {
        ResponseMode::Query => {
            let Ok(url) = HeaderValue::try_from(url(server, to, parameters)) else {
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            };
            let fields = [
                (LOCATION, url),
                (CACHE_CONTROL, HeaderValue::from_static("no-store")),
                (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            ];
            // RFC 9700 s4.12: 303, so that the browser does not post the login form again.
            (StatusCode::SEE_OTHER, fields).into_response()
        }
        ResponseMode::FormPost => {
            let origin = origin(&to.redirect_uri).unwrap_or_default().to_owned();
            let action = to.redirect_uri.clone();
            page::form_post(&action, &origin, &completed(server, to.state, parameters))
        }
    }
}

/// The redirect URI with the parameters in its query.
pub(super) fn url(server: &Server, to: ReplyTo, parameters: Parameters) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(completed(server, to.state, parameters));
    // RFC 6749 s3.1.2: a query that is there stays.
    let sign = if to.redirect_uri.contains('?') {
        '&'
    } else {
        '?'
    };
    format!("{}{sign}{}", to.redirect_uri, query.finish())
}

fn completed(server: &Server, state: Option<String>, mut parameters: Parameters) -> Parameters {
    parameters.extend(state.map(|state| ("state", state)));
    // RFC 9207 s2: with errors too.
    parameters.push(("iss", server.issuer.issuer()));
    parameters
}
