//! What a token may do: scopes on handlers and on groups of routes, roles and groups.
//!
//! ```sh
//! cargo run --example scopes
//! ```
//!
//! 1. A requirement is a type. An empty one, or a misspelt scope token, does not compile.
//! 2. A guard goes around any extractor, and guards stack in any order.
//! 3. A missing scope is 403 with the scope in the challenge; a missing role is 403 without one.

use axum::body::Body;
use axum::routing::{get, post};
use axum::{Router, response::Response};
use http::Request;
use http::header::WWW_AUTHENTICATE;
use portcullis::layer::RequireScopeLayer;
use portcullis::test_util::{MockIssuer, TokenBuilder};
use portcullis::{AccessToken, InRole, ResourceServer, Scoped, roles, scopes};
use tower::ServiceExt as _;

scopes! {
    /// See orders.
    ReadOrders = "orders:read";
    /// Change orders: both.
    EditOrders = "orders:read orders:write";
    /// Look into the books: either.
    Audit = "audit" | "orders:read books:read";
}

roles! {
    Clerk = "clerk" | "manager";
}

async fn list(_: AccessToken) -> &'static str {
    "orders"
}

async fn edit(token: Scoped<EditOrders>) -> String {
    format!("changed, by the scope `{}`", token.scope())
}

async fn audit(_: InRole<Clerk, Scoped<Audit>>) -> &'static str {
    "the books"
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let issuer = MockIssuer::new();
    let server = ResourceServer::builder(MockIssuer::AUDIENCE)
        .issuer(issuer.trusted())
        .build()?;
    let orders = Router::new()
        .route("/orders", get(list))
        .route("/orders", post(edit))
        .route_layer(RequireScopeLayer::of::<ReadOrders>());
    let app = orders
        .route("/audit", get(audit))
        .route_layer(server.authenticate());

    let of = |scope: &str| issuer.token().scope(scope);
    let clerk = of("audit").roles(["clerk"]);
    for (request, token, expected) in [
        ("GET /orders", of("orders:read"), "200"),
        (
            "GET /orders",
            of("orders:readonly"),
            r#"403 scope="orders:read""#,
        ),
        ("POST /orders", of("orders:read orders:write"), "200"),
        (
            "POST /orders",
            of("orders:read"),
            r#"403 scope="orders:read orders:write""#,
        ),
        ("GET /audit", clerk.clone(), "200"),
        (
            "GET /audit",
            clerk.clone().scope("orders:read books:read"),
            "200",
        ),
        (
            "GET /audit",
            clerk.clone().scope("books:read"),
            // What the token has of this API's scopes is named too: a client that replaces its
            // scopes by these keeps them.
            r#"403 scope="audit books:read""#,
        ),
        ("GET /audit", clerk.roles(["visitor"]), "403"),
    ] {
        let answer = said(&ask(&app, request, &token).await?);
        println!("{request:<14} {answer}");
        assert_eq!(answer, expected, "{request}");
    }
    Ok(())
}

async fn ask(
    app: &Router,
    request: &str,
    token: &TokenBuilder,
) -> Result<Response, Box<dyn std::error::Error>> {
    let (method, path) = request.split_once(' ').ok_or("a method and a path")?;
    let request = Request::builder().method(method).uri(path);
    let request = request.header("authorization", token.bearer());
    Ok(app.clone().oneshot(request.body(Body::empty())?).await?)
}

/// The status, and the scope that the challenge asks for.
fn said(response: &Response) -> String {
    let challenge = response.headers().get(WWW_AUTHENTICATE);
    let challenge = challenge
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let status = response.status().as_u16();
    match challenge
        .split(", ")
        .find(|part| part.starts_with("scope="))
    {
        Some(scope) => format!("{status} {scope}"),
        None => status.to_string(),
    }
}
