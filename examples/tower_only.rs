//! The layers around a plain tower service: any body type, no axum, no network.
//!
//! ```sh
//! cargo run --example tower_only
//! ```
//!
//! 1. `server.authenticate()` admits good tokens alone, and refuses with an empty body.
//! 2. `RequireScopeLayer` stands inside it and demands a scope.
//! 3. Both need of the response's body only that it has an empty default.

use std::convert::Infallible;
use std::error::Error;
use std::io::{self, Write as _};

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderValue, Request, Response, StatusCode};
use portcullis::layer::RequireScopeLayer;
use portcullis::test_util::MockIssuer;
use portcullis::{AccessToken, ResourceServer, scopes};
use tower::{Layer as _, ServiceExt as _, service_fn};

scopes! {
    /// See orders.
    ReadOrders = "orders:read";
}

async fn orders(request: Request<String>) -> Result<Response<String>, Infallible> {
    // What the layer found; without a layer in front this would be the response to send, a 500.
    let token = match AccessToken::of(request.extensions()) {
        Ok(token) => token,
        Err(refusal) => return Ok(refusal.to_response()),
    };
    let who = token.subject().map(ToString::to_string).unwrap_or_default();
    Ok(Response::new(format!("orders of {who}")))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // In production: `Issuer::oidc("https://...").key_set(json)`, with keys that you have.
    let issuer = MockIssuer::new();
    let server = ResourceServer::builder(MockIssuer::AUDIENCE)
        .issuer(issuer.trusted())
        .build()?; // static keys: there is nothing to connect to

    let guarded = RequireScopeLayer::of::<ReadOrders>().layer(service_fn(orders));
    let service = server.authenticate().layer(guarded);

    let token = issuer.token();
    let good = token.clone().scope("orders:read").bearer();
    let poor = token.clone().scope("orders:write").bearer();
    let late = token.scope("orders:read").expired().bearer();
    for (caller, field, expected) in [
        ("good token", Some(good), StatusCode::OK),
        ("other scope", Some(poor), StatusCode::FORBIDDEN),
        ("expired token", Some(late), StatusCode::UNAUTHORIZED),
        ("no token", None, StatusCode::UNAUTHORIZED),
    ] {
        let response = service.clone().oneshot(request(field)?).await?;
        let challenge = response.headers().get(WWW_AUTHENTICATE);
        let said = match challenge {
            Some(challenge) => challenge.to_str()?,
            None => response.body(),
        };
        writeln!(
            io::stdout(),
            "{caller:<13}  {}  {said}",
            response.status().as_u16()
        )?;
        assert_eq!(response.status(), expected, "{caller}");
        assert_eq!(challenge.is_none(), expected == StatusCode::OK, "{caller}");
    }
    Ok(())
}

fn request(authorization: Option<HeaderValue>) -> Result<Request<String>, http::Error> {
    let mut request = Request::get("/orders").body(String::new())?;
    if let Some(field) = authorization {
        request.headers_mut().insert(AUTHORIZATION, field);
    }
    Ok(request)
}
