//! The endpoints, each a line of the router.

// In the order in which they may name each other.
pub(super) mod discovery;
mod token;
pub(super) mod authorize;
mod device;
mod revocation;
mod introspection;
mod userinfo;
mod registration;
mod logout;
mod admin;
mod injected_faults;
mod cross_origin;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use super::state::Server;

pub(super) fn router(server: &Arc<Server>) -> Router {
    let router = Router::new()
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
        .route("/register", post(registration::register))
        .route(
            "/register/{client_id}",
            get(registration::read).delete(registration::delete),
        )
        .route("/logout", get(logout::logout).post(logout::logout));
    let router = if server.settings.admin {
        router.merge(admin::router())
    } else {
        router
    };
    // The last layer is the first to see a request.
    router
        .layer(from_fn_with_state(
            Arc::clone(server),
            injected_faults::inject,
        ))
        .layer(from_fn_with_state(Arc::clone(server), cross_origin::guard))
        .with_state(Arc::clone(server))
}
