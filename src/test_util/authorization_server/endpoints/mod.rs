//! The endpoints, each a line of the router.

// In the order in which they may name each other.
pub(super) mod discovery;
mod token;
pub(super) mod authorize;
mod device;
mod revocation;
mod introspection;
mod userinfo;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use super::state::Server;

pub(super) fn router(server: &Arc<Server>) -> Router {
    Router::new()
        .route(
            "/.well-known/openid-configuration",
            get(discovery::metadata),
        )
        .route(
            "/.well-known/oauth-authorization-server",
            get(discovery::metadata),
        )
        .route("/jwks.json", get(discovery::key_set))
        .route("/.well-known/jwks.json", get(discovery::key_set))
        .fallback(discovery::at_a_vendors_path)
        .route(
            "/authorize",
            get(authorize::authorize).post(authorize::authorize),
        )
        .route("/login", post(authorize::login))
        .route("/token", post(token::token))
        .route("/device_authorization", post(device::device_authorization))
        .route("/device", get(device::show).post(device::decide))
        .route("/revoke", post(revocation::revoke))
        .route("/introspect", post(introspection::introspect))
        .route(
            "/userinfo",
            get(userinfo::userinfo).post(userinfo::userinfo),
        )
        .with_state(Arc::clone(server))
}
