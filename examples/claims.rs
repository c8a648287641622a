//! What a token says: its payload as your own type, a check of your own, and callers who have
//! none.
//!
//! ```sh
//! cargo run --example claims
//! ```
//!
//! 1. `Claims<T>` reads the verified payload once for each token. What does not fit is 401.
//! 2. `check(..)` runs on every request, after the library's own checks.
//! 3. Under `.optional()` a request without a token gets through; a bad token never does.

use std::collections::HashSet;
use std::sync::{Arc, RwLock};

use axum::body::Body;
use axum::{Router, routing::get};
use http::Request;
use http_body_util::BodyExt as _;
use portcullis::error::Objection;
use portcullis::test_util::MockIssuer;
use portcullis::{Claims, ResourceServer};
use tower::ServiceExt as _;

#[derive(serde::Deserialize)]
struct Waygee {
    #[serde(rename = "UAID")]
    uaid: String,
}

async fn greet(claims: Option<Claims<Waygee>>) -> String {
    match claims {
        Some(Claims(claims)) => format!("hello, {}", claims.uaid),
        None => "hello, whoever you are".to_owned(),
    }
}

/// Who must not come in any more, whatever their tokens say.
#[derive(Clone, Default)]
struct Barred(Arc<RwLock<HashSet<String>>>);

impl Barred {
    fn holds(&self, token_id: Option<&str>) -> bool {
        // A poisoned lock refuses every caller: a check that cannot be made does not pass.
        let Ok(barred) = self.0.read() else {
            return true;
        };
        token_id.is_none_or(|id| barred.contains(id))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let barred = Barred::default();
    let checked = barred.clone();
    let issuer = MockIssuer::new();
    let server = ResourceServer::builder(MockIssuer::AUDIENCE)
        .issuer(issuer.trusted())
        .check(move |token| {
            if checked.holds(token.id()) {
                Err(Objection::Token)
            } else {
                Ok(())
            }
        })
        .build()?;
    let app = Router::new()
        .route("/", get(greet))
        .route_layer(server.authenticate().optional());

    let good = issuer.token().claim("UAID", "u-1").claim("jti", "t-1");
    let ask = async |token: Option<http::HeaderValue>| {
        let mut request = Request::get("/").body(Body::empty())?;
        if let Some(token) = token {
            request.headers_mut().insert("authorization", token);
        }
        let response = app.clone().oneshot(request).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        let answer = format!("{status} {}", String::from_utf8_lossy(&body));
        println!("{answer}");
        Ok::<_, Box<dyn std::error::Error>>(answer)
    };
    assert_eq!(ask(Some(good.bearer())).await?, "200 hello, u-1");
    assert_eq!(ask(None).await?, "200 hello, whoever you are");
    let unfit = good.clone().claim("UAID", 7);
    assert_eq!(ask(Some(unfit.bearer())).await?, "401 ");
    let late = good.clone().expired();
    assert_eq!(ask(Some(late.bearer())).await?, "401 ");

    barred
        .0
        .write()
        .map_err(|_| "poisoned")?
        .insert("t-1".to_owned());
    assert_eq!(ask(Some(good.bearer())).await?, "401 ");
    Ok(())
}
