//! The smallest thing that works: one route behind one layer.
//!
//! ```sh
//! cargo run --example hello
//! ```

use axum::body::Body;
use axum::{Router, routing::get};
use http::{Request, StatusCode};
use portcullis::test_util::MockIssuer;
use portcullis::{AccessToken, ResourceServer};
use tower::ServiceExt as _;

async fn hello(token: AccessToken) -> String {
    let name = token.subject().map(ToString::to_string);
    format!("hello, {}", name.unwrap_or_default())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // In production: `Issuer::oidc("https://id.example.com")`, and `.connect().await?` behind
    // `build()`, which fetches its keys and keeps them fresh.
    let issuer = MockIssuer::new();
    let server = ResourceServer::builder(MockIssuer::AUDIENCE)
        .issuer(issuer.trusted())
        .build()?;
    let app = Router::new()
        .route("/", get(hello))
        .route_layer(server.authenticate());

    let request = Request::get("/").body(Body::empty())?;
    let refused = app.clone().oneshot(request).await?;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    println!("without a token: {}", refused.status());

    let request = Request::get("/").header("authorization", issuer.token().bearer());
    let welcome = app.oneshot(request.body(Body::empty())?).await?;
    assert_eq!(welcome.status(), StatusCode::OK);
    println!("with a good one: {}", welcome.status());
    Ok(())
}
