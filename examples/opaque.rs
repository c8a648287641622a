//! Tokens that only their issuer can read, and claims that it tells when a handler asks.
//!
//! ```sh
//! cargo run --example opaque
//! ```
//!
//! 1. The issuer is asked about a token once a minute at most, and its answer is checked like the
//!    claims of a JWT. So long a token may be used after its issuer has revoked it.
//! 2. `UserInfo<T>` asks the issuer about the user, with the user's token.
//! 3. An issuer that is down is 503 for tokens that were not seen before, and never 401.

use std::time::Duration;

use axum::body::Body;
use axum::{Router, routing::get};
use http::Request;
use http_body_util::BodyExt as _;
use portcullis::extract::UserInfo;
use portcullis::test_util::{Endpoint, Fault, ManualClock, MockIssuer};
use portcullis::{ResourceServer, Scoped};
use tower::ServiceExt as _;

portcullis::scopes! { ReadOrders = "orders/read"; }

#[derive(serde::Deserialize)]
struct Contact {
    email: String,
}

async fn orders(_: Scoped<ReadOrders>, contact: UserInfo<Contact>) -> String {
    format!("orders of {}", contact.email)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let clock = ManualClock::new();
    let issuer = MockIssuer::new().with_clock(clock.clone());
    issuer.set_user_info("alice", serde_json::json!({"email": "alice@example.com"}));
    let issuer = issuer.serve().await;
    // In production: `Issuer::introspected("https://...").client_authentication(...)`, and no clock.
    let server = ResourceServer::builder(MockIssuer::AUDIENCE)
        .issuer(
            issuer
                .introspected()
                .userinfo(issuer.url_of(Endpoint::UserInfo)),
        )
        .clock(clock.clone())
        .build()?
        .connect()
        .await?;
    let app = Router::new()
        .route("/", get(orders))
        .route_layer(server.authenticate());

    let ask = async |token: &str| {
        let request = Request::get("/").header("authorization", format!("Bearer {token}"));
        let response = app.clone().oneshot(request.body(Body::empty())?).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        let answer = format!("{status} {}", String::from_utf8_lossy(&body));
        println!("{answer}");
        Ok::<_, Box<dyn std::error::Error>>(answer)
    };
    let order = issuer.token().subject("alice").scope("orders/read");
    let (token, other) = (order.issue(), order.issue());
    let no_scope = issuer.token().subject("alice").issue();
    assert_eq!(ask(&token).await?, "200 orders of alice@example.com");
    assert_eq!(ask(&no_scope).await?, "403 ");
    assert_eq!(ask("nobody-issued-this").await?, "401 ");

    issuer.break_with(Fault::Status(500));
    assert_eq!(ask(&token).await?, "200 orders of alice@example.com");
    assert_eq!(ask(&other).await?, "503 ");
    issuer.recover();

    issuer.revoke(&token);
    assert_eq!(ask(&token).await?, "200 orders of alice@example.com");
    clock.advance(Duration::from_secs(60));
    assert_eq!(ask(&token).await?, "401 ");
    Ok(())
}
