//! Any bytes as the `Authorization` field, as cookies or as a header that holds a token: never a
//! panic, never a token that was sent and is admitted, never a 5xx.
#![no_main]

use std::convert::Infallible;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use libfuzzer_sys::fuzz_target;
use portcullis::ResourceServer;
use portcullis::test_util::MockIssuer;
use tower::{Layer as _, Service as _};

const HEADER: HeaderName = HeaderName::from_static("x-token");

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
    for name in [AUTHORIZATION, HEADER] {
        assert!(answer(&Method::GET, &name, &value).is_client_error());
    }
    // Not every field holds our cookie; one that does is never anonymous, whatever the method.
    let safe = answer(&Method::GET, &COOKIE, &value);
    let unsafe_ = answer(&Method::POST, &COOKIE, &value);
    assert!(safe.is_success() || safe.is_client_error());
    assert_eq!(safe.is_success(), unsafe_.is_success());
});

fn answer(method: &Method, name: &HeaderName, value: &HeaderValue) -> StatusCode {
    let layer = SERVER.authenticate().optional();
    let layer = layer.danger().token_cookie("t").danger();
    let mut service = layer
        .token_header(HEADER)
        .layer(tower::service_fn(|_: Request<()>| {
            std::future::ready(Ok::<_, Infallible>(Response::new(String::new())))
        }));
    let mut request = Request::new(());
    *request.method_mut() = method.clone();
    request.headers_mut().insert(name, value.clone());
    let mut future = std::pin::pin!(service.call(request));
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(Ok(response)) => response.status(),
        _ => panic!("static keys never wait"),
    }
}
