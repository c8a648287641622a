//! Any header and payload under a good signature: never a panic, never a 5xx.
#![no_main]

use std::convert::Infallible;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use http::{HeaderValue, Request, Response};
use libfuzzer_sys::fuzz_target;
use portcullis::test_util::MockIssuer;
use portcullis::{Algorithm, ResourceServer, TenantClaims};
use tower::{Layer as _, Service as _};

static ISSUER: LazyLock<MockIssuer> =
    LazyLock::new(|| MockIssuer::new().with_algorithms([Algorithm::EdDSA]));

static SERVER: LazyLock<ResourceServer> = LazyLock::new(|| {
    ResourceServer::builder("https://api.example.com")
        .issuer(ISSUER.trusted().tenant_claims(TenantClaims::aworld()))
        .build()
        .expect("sound")
});

fuzz_target!(|parts: (Option<Vec<u8>>, Vec<u8>)| {
    let (header, payload) = parts;
    let mut token = ISSUER.token().payload_json(payload);
    if let Some(header) = header {
        token = token.header_json(header);
    }
    let Ok(value) = HeaderValue::try_from(format!("Bearer {}", token.sign())) else {
        return;
    };
    let mut service = SERVER
        .authenticate()
        .context("app")
        .layer(tower::service_fn(|_: Request<()>| {
            std::future::ready(Ok::<_, Infallible>(Response::new(String::new())))
        }));
    let mut request = Request::new(());
    request
        .headers_mut()
        .insert(http::header::AUTHORIZATION, value);
    let mut future = std::pin::pin!(service.call(request));
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(Ok(response)) => assert!(!response.status().is_server_error()),
        _ => panic!("static keys never wait"),
    }
});
