//! An API for a browser's scripts: CORS, a cookie with allowed origins, bodies that say what is
//! wrong.
//!
//! ```sh
//! cargo run --example browser
//! ```
//!
//! 1. The CORS layer stands outside: a preflight carries no token, and the answers to refused
//!    requests need its headers too. It exposes the challenge.
//! 2. The cookie counts for safe methods, and for others where `Origin` is ours.
//! 3. Refusals are problem details (RFC 9457).
//!
//! Nothing is sent over a network. The program ends by itself, and fails on an answer that is
//! not the expected one.

use std::error::Error;
use std::io::{self, Write as _};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::routing::get;
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_METHOD,
    AUTHORIZATION, CONTENT_TYPE, COOKIE, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderName, HeaderValue, Method, Request};
use portcullis::layer::ProblemJson;
use portcullis::test_util::MockIssuer;
use portcullis::{AccessToken, ResourceServer};
use tower::ServiceExt as _;
use tower_http::cors::CorsLayer;

/// Where the scripts come from.
const APP: &str = "https://app.example.com";

/// The prefix keeps other hosts of the site from planting a cookie of this name. It is set
/// with `HttpOnly; Secure; SameSite=Strict; Path=/` by whatever logs people in.
const TOKEN: &str = "__Host-token";

fn app(server: &ResourceServer) -> Router {
    let cors = CorsLayer::new()
        .allow_origin([HeaderValue::from_static(APP)])
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE])
        .allow_credentials(true) // scripts may send the cookie
        .expose_headers([WWW_AUTHENTICATE, RETRY_AFTER]); // and read why they were refused
    let layer = server
        .authenticate()
        .renderer(ProblemJson)
        .danger()
        .token_cookie_from(TOKEN, [APP]);
    Router::new()
        .route(
            "/orders",
            get(|_: AccessToken| async { "orders" }).post(|_: AccessToken| async { "ordered" }),
        )
        .route_layer(layer)
        .layer(cors)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let issuer = MockIssuer::new();
    let server = ResourceServer::builder(MockIssuer::AUDIENCE)
        .issuer(issuer.trusted())
        .build()?;
    let app = app(&server);

    let good = format!("theme=dark; {TOKEN}={}", issuer.token().sign());
    let late = format!("{TOKEN}={}", issuer.token().expired().sign());
    let (ours, evil) = ((ORIGIN, APP), (ORIGIN, "https://evil.example"));
    let bearer = format!("Bearer {}", issuer.token().sign());
    let preflight = (ACCESS_CONTROL_REQUEST_METHOD, "POST");
    let (good, late) = ((COOKIE, &*good), (COOKIE, &*late));
    let bearer = (AUTHORIZATION, &*bearer);
    for (what, method, fields, expected, body) in [
        (
            "a preflight",
            Method::OPTIONS,
            vec![ours.clone(), preflight],
            200,
            "",
        ),
        (
            "reading by cookie",
            Method::GET,
            vec![good.clone()],
            200,
            "orders",
        ),
        (
            "writing from our page",
            Method::POST,
            vec![ours.clone(), good.clone()],
            200,
            "ordered",
        ),
        (
            "the same, expired",
            Method::POST,
            vec![ours.clone(), late],
            401,
            "invalid_token",
        ),
        (
            "writing from another page",
            Method::POST,
            vec![evil.clone(), good.clone()],
            401,
            "missing_token",
        ),
        (
            "writing from nowhere",
            Method::POST,
            vec![good.clone()],
            401,
            "missing_token",
        ),
        (
            "cookie and header",
            Method::GET,
            vec![ours.clone(), good, bearer.clone()],
            400,
            "invalid_request",
        ),
        (
            "the header alone",
            Method::POST,
            vec![ours, bearer],
            200,
            "ordered",
        ),
        ("nothing", Method::GET, vec![evil], 401, "missing_token"),
    ] {
        let from_us = fields.contains(&(ORIGIN, APP));
        let response = app.clone().oneshot(request(method, fields)?).await?;
        let (head, said) = response.into_parts();
        let said = String::from_utf8(to_bytes(said, 1000).await?.to_vec())?;
        writeln!(io::stdout(), "{what:<26}  {}  {said}", head.status.as_u16())?;

        assert_eq!(head.status.as_u16(), expected, "{what}");
        assert!(said.contains(body), "{what}");
        let header = |name| head.headers.get(name).and_then(|one| one.to_str().ok());
        assert_eq!(
            header(ACCESS_CONTROL_ALLOW_ORIGIN).is_some(),
            from_us,
            "{what}"
        );
        if expected != 200 {
            assert_eq!(
                header(CONTENT_TYPE),
                Some("application/problem+json"),
                "{what}"
            );
            let exposed = header(ACCESS_CONTROL_EXPOSE_HEADERS).unwrap_or_default();
            assert!(exposed.contains("www-authenticate"), "{what}");
            assert!(header(WWW_AUTHENTICATE).is_some(), "{what}");
        }
    }
    Ok(())
}

fn request(method: Method, fields: Vec<(HeaderName, &str)>) -> Result<Request<Body>, http::Error> {
    let mut request = Request::builder().method(method).uri("/orders");
    for (name, value) in fields {
        request = request.header(name, value);
    }
    request.body(Body::empty())
}
