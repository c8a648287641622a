//! The API: what each route demands, and which pages may read the answers.

use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Method};
use portcullis::binding::{Binding, Dpop};
use portcullis::extract::Authorized;
use portcullis::{
    AccessToken, ResourceServer, ResourceServerBuilder, Scoped, requirements, scopes,
};
use tower_http::cors::CorsLayer;

use super::Fault;

scopes! {
    /// See one's orders.
    pub(crate) ReadOrders = "orders:read";
    /// Place orders.
    pub(crate) PlaceOrders = "orders:write";
}

requirements! {
    /// Take money back: the user has signed in with a second factor in the last 5 minutes.
    pub(crate) Refund {
        scope: "orders:write",
        acr: "mfa",
        max_age: Duration::from_secs(300),
    }
}

pub(crate) fn accept_dpop(server: ResourceServerBuilder, dpop: bool) -> ResourceServerBuilder {
    if dpop {
        // The resource is the API's own origin, so that proofs are compared with it.
        server.dpop(Dpop::accepted()).require_binding(Binding::Dpop)
    } else {
        server
    }
}

pub(crate) fn routes(server: &ResourceServer, front_end: &str) -> Result<Router, Fault> {
    // A preflight carries no token, and the answers to refused requests need these fields too.
    let cors = CorsLayer::new()
        .allow_origin([HeaderValue::from_str(front_end)?])
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE, HeaderName::from_static("dpop")])
        .expose_headers([
            WWW_AUTHENTICATE,
            RETRY_AFTER,
            HeaderName::from_static("dpop-nonce"),
        ])
        .max_age(Duration::from_secs(600));
    Ok(Router::new()
        .route("/orders", get(list).post(place))
        .route("/refunds", post(refund))
        .route_layer(server.authenticate())
        .layer(cors)
        // From the authorization server, and not from a browser.
        .route_service("/backchannel-logout", server.backchannel_logout()?))
}

async fn list(token: Scoped<ReadOrders, AccessToken>) -> String {
    let subject = token.subject().map(ToString::to_string);
    format!("orders of {}\n", subject.unwrap_or_default())
}

async fn place(_: Scoped<PlaceOrders, AccessToken>) -> &'static str {
    "the order is placed\n"
}

async fn refund(_: Authorized<Refund, AccessToken>) -> &'static str {
    "the money is on its way\n"
}
