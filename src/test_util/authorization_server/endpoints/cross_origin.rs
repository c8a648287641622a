//! Requests of browsers: which origins may read answers, and which hosts a request may name.
//!
//! 1. Answers of the endpoints that applications call are readable from loopback origins and from the origins of
//!    registered redirect URIs (Fetch standard, CORS protocol), but not of those in client id metadata documents, by
//!    which any site could have itself registered. The authorization endpoint and its form are pages,
//!    and have no such answers.
//! 2. The admin endpoints are readable from loopback origins alone, and refuse other origins.
//! 3. A request names this server: a host on loopback, or that of the base URL. So a name that was bound to
//!    127.0.0.1 by its owner (DNS rebinding) is refused.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HOST,
    ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::test_util::authorization_server::accounts::redirect_uri::{is_loopback_origin, origin};
use crate::test_util::authorization_server::state::{Server, is_url};

pub(super) async fn guard(
    State(server): State<Arc<Server>>,
    request: Request,
    next: Next,
) -> Response {
    if !server.settings.any_host && !names_this_server(&server, &request) {
        // RFC 9110 s15.5.20.
        let problem = "this authorization server answers requests to a loopback host\n";
        return (StatusCode::MISDIRECTED_REQUEST, problem).into_response();
    }
    let path = request.uri().path();
    let Some(sent) = request.headers().get(ORIGIN).cloned() else {
        return next.run(request).await;
    };
    if matches!(path, "/authorize" | "/login" | "/device" | "/logout") {
        return next.run(request).await;
    }
    let is_admin = path == "/admin" || path.starts_with("/admin/");
    let allowed = sent.to_str().is_ok_and(|sent| {
        is_loopback_origin(sent)
            || origin(&server.url) == Some(sent)
            || (!is_admin && is_origin_of_client(&server, sent))
    });
    if !allowed {
        return if is_admin {
            StatusCode::FORBIDDEN.into_response()
        } else {
            next.run(request).await
        };
    }
    let asks = request
        .headers()
        .contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if request.method() == Method::OPTIONS && asks {
        preflight()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, sent);
    headers.append(VARY, HeaderValue::from_static("Origin"));
    let exposed = HeaderValue::from_static("WWW-Authenticate, DPoP-Nonce");
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    response
}

fn preflight() -> Response {
    let mut headers = HeaderMap::new();
    let fixed = HeaderValue::from_static;
    headers.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        fixed("GET, POST, PUT, DELETE"),
    );
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        fixed("Accept, Authorization, Content-Type, DPoP"),
    );
    headers.insert(ACCESS_CONTROL_MAX_AGE, fixed("600"));
    (StatusCode::NO_CONTENT, headers).into_response()
}

fn is_origin_of_client(server: &Server, sent: &str) -> bool {
    let now = server.now();
    let state = server.state();
    let registered = state.registered_clients.iter(now);
    // Rule 1: the origin of a document is that of its author.
    let registered = registered.filter(|(id, _)| !is_url(id));
    let prepared = state.clients.values();
    prepared
        .chain(registered.map(|(_, client)| client))
        .flat_map(|client| &client.redirect_uris)
        .any(|uri| uri.starts_with("http") && origin(uri) == Some(sent))
}

fn names_this_server(server: &Server, request: &Request) -> bool {
    let named = request
        .headers()
        .get(HOST)
        .and_then(|host| host.to_str().ok());
    let named = named.or_else(|| request.uri().authority().map(http::uri::Authority::as_str));
    named.is_some_and(|named| {
        let own = origin(&server.url).and_then(|origin| origin.split_once("://"));
        is_loopback_origin(&format!("http://{named}")) || own.is_some_and(|(_, own)| own == named)
    })
}
