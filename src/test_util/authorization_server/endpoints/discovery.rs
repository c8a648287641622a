//! Metadata (OpenID Connect Discovery 1.0, RFC 8414) and the key set.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode, Uri};
use serde_json::{Map, json};

use crate::Algorithm;
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
    let mut document = json!({
        "issuer": server.issuer.issuer(),
        "jwks_uri": url(&server.issuer.key_set_path()),
        "authorization_endpoint": url("/authorize"),
        "token_endpoint": url("/token"),
        "token_endpoint_auth_methods_supported": [
            "none", "client_secret_basic", "client_secret_post", "tls_client_auth", "self_signed_tls_client_auth",
        ],
        "device_authorization_endpoint": url("/device_authorization"),
        // RFC 9449 s5.1.
        "dpop_signing_alg_values_supported": Algorithm::all().map(Algorithm::as_str).collect::<Vec<_>>(),
        // RFC 8705 s3.3.
        "tls_client_certificate_bound_access_tokens": true,
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
    });
    // RFC 8705 s5: with TLS, certificates are asked for at every endpoint.
    let aliases = [
        "token_endpoint",
        "revocation_endpoint",
        "introspection_endpoint",
        "userinfo_endpoint",
        "device_authorization_endpoint",
    ];
    let aliases: Map<_, _> = aliases
        .into_iter()
        .map(|name| {
            (
                name.to_owned(),
                document.get(name).cloned().unwrap_or_default(),
            )
        })
        .collect();
    if let Some(members) = document
        .as_object_mut()
        .filter(|_| server.url.starts_with("https:"))
    {
        members.insert("mtls_endpoint_aliases".into(), aliases.into());
    }
    document
}

/// Whether metadata stands at this path, be it a vendor's.
pub(super) fn is_metadata_path(path: &str) -> bool {
    const OAUTH: &str = "/.well-known/oauth-authorization-server";
    path.ends_with("/.well-known/openid-configuration")
        || path
            .strip_prefix(OAUTH)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Metadata and the key set at the paths of vendors, such as `/realms/main/.well-known/openid-configuration`.
pub(super) async fn at_a_vendors_path(
    State(server): State<Arc<Server>>,
    method: Method,
    uri: Uri,
) -> Response {
    let path = uri.path();
    if method != Method::GET {
        StatusCode::NOT_FOUND.into_response()
    } else if is_metadata_path(path) {
        json_response(StatusCode::OK, &document(&server))
    } else if path == server.issuer.key_set_path() {
        key_set(State(server)).await
    } else {
        StatusCode::NOT_FOUND.into_response()
    }
}

pub(super) async fn key_set(State(server): State<Arc<Server>>) -> Response {
    let fields = [(CONTENT_TYPE, "application/jwk-set+json")];
    (fields, server.issuer.key_set()).into_response()
}
