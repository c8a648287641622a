//! Metadata (OpenID Connect Discovery 1.0, RFC 8414) and the key set.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::json;

use crate::test_util::authorization_server::grants;
use crate::test_util::authorization_server::request::json_response;
use crate::test_util::authorization_server::state::Server;

pub(super) async fn metadata(State(server): State<Arc<Server>>) -> Response {
    json_response(StatusCode::OK, &document(&server))
}

/// The document, for both well-known paths.
pub(in crate::test_util) fn document(server: &Server) -> serde_json::Value {
    let url = |path: &str| format!("{}{path}", server.url);
    let methods = ["client_secret_basic", "client_secret_post"];
    let algorithm = server.issuer.default_algorithm();
    json!({
        "issuer": server.issuer.issuer(),
        "jwks_uri": url("/jwks.json"),
        "authorization_endpoint": url("/authorize"),
        "token_endpoint": url("/token"),
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "userinfo_endpoint": url("/userinfo"),
        "revocation_endpoint": url("/revoke"),
        "revocation_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "introspection_endpoint": url("/introspect"),
        "introspection_endpoint_auth_methods_supported": methods,
        "introspection_signing_alg_values_supported": [algorithm.as_str()],
        "registration_endpoint": url("/register"),
        "client_id_metadata_document_supported": true,
        "end_session_endpoint": url("/logout"),
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "grant_types_supported": grants::SUPPORTED,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        // RFC 7636 s6.2.1: `plain` is not supported.
        "code_challenge_methods_supported": ["S256"],
        // RFC 9207 s3.
        "authorization_response_iss_parameter_supported": true,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [algorithm.as_str()],
        "scopes_supported": ["openid", "profile", "email", "address", "phone"],
        "claims_supported": [
            "sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "nonce", "at_hash", "sid", "name", "email",
            "email_verified",
        ],
        "prompt_values_supported": ["none", "login", "select_account"],
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
    })
}

pub(super) async fn key_set(State(server): State<Arc<Server>>) -> Response {
    let fields = [(CONTENT_TYPE, "application/jwk-set+json")];
    (fields, server.issuer.key_set()).into_response()
}
