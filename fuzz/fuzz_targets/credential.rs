//! Any bytes as the `Authorization` field: never a panic, never admitted, never a 5xx.
#![no_main]

use std::convert::Infallible;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use http::{HeaderValue, Request, Response};
use libfuzzer_sys::fuzz_target;
use portcullis::ResourceServer;
use portcullis::test_util::MockIssuer;
use tower::{Layer as _, Service as _};

static SERVER: LazyLock<ResourceServer> = LazyLock::new(|| {
    ResourceServer::builder("https://api.example.com")
        .issuer(MockIssuer::new().trusted())
        .build()
        .expect("sound")
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = HeaderValue::from_bytes(bytes) else {
        return;
    };
    let mut service = SERVER
        .authenticate()
        .optional()
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
        Poll::Ready(Ok(response)) => assert!(response.status().is_client_error()),
        _ => panic!("static keys never wait"),
    }
});
