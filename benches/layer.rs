//! What the layer costs beside the signature that it cannot do without, and when the token was
//! seen before.
//!
//! `cargo bench --bench layer`, for RS256 and ES256 tokens of 1 and 4 KB, side by side in one run:
//!
//! * `handler`: the empty handler alone, request and response included;
//! * `signature`: bare verification of one token with a key that was parsed before;
//! * `cold`: the layer's call with a token that is not remembered, while the cache is on and full;
//! * `seen`: the layer's call with one of 10,000 remembered tokens, in skewed order.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // A benchmark fails loudly.

use std::convert::Infallible;
use std::hint::black_box;
use std::task::{Context, Poll, Waker};

use aws_lc_rs::signature::{self, ParsedPublicKey};
use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderValue, Request, Response};
use portcullis::test_util::MockIssuer;
use portcullis::{Algorithm, Builder, ResourceServer};
use tower::{Layer as _, Service};

const API: &str = "https://api.example.com";

/// Tokens that are remembered, and tokens that a cache of few entries never holds in time.
const SEEN: usize = 10_000;
const STRANGERS: usize = 2_000;
const FEW: usize = 64;

fn layer(criterion: &mut Criterion) {
    for algorithm in [Algorithm::RS256, Algorithm::ES256] {
        let issuer = MockIssuer::new().with_algorithms([algorithm]);
        let key = bare_key(&issuer, algorithm);
        for (size, padding) in [("1KB", 240), ("4KB", 2500)] {
            let padding = "x".repeat(padding);
            let token = |name: usize| {
                let named = issuer.token().subject(&format!("user-{name:06}"));
                named.claim("padding", &padding).sign()
            };
            let tokens: Vec<String> = (0..SEEN).map(token).collect();
            let values: Vec<HeaderValue> = tokens
                .iter()
                .map(|token| HeaderValue::try_from(format!("Bearer {token}")).expect("a value"))
                .collect();
            let mut group = criterion.benchmark_group(format!("{algorithm}/{size}"));

            let mut handler = handler();
            let mut order = skewed(SEEN);
            group.bench_function("handler", |bencher| {
                bencher.iter(|| call(&mut handler, &values[order()]));
            });

            let (signed, encoded) = tokens[0].rsplit_once('.').expect("three parts");
            let signature = decode(encoded);
            group.bench_function("signature", |bencher| {
                bencher.iter(|| {
                    key.verify_sig(black_box(signed.as_bytes()), black_box(&signature))
                        .expect("verifies");
                });
            });

            let server = built(builder(&issuer).token_cache_entries(FEW));
            let mut cold = server.authenticate().layer(self::handler());
            let mut next = 0;
            group.bench_function("cold", |bencher| {
                bencher.iter(|| {
                    next = (next + 1) % STRANGERS;
                    call(&mut cold, &values[next]);
                });
            });
            let misses = server.token_cache().expect("it is on");
            assert!(misses.hits() * 100 < misses.misses(), "{misses:?}");

            // Twice as many, so that none of the 10,000 is missing by chance.
            let server = built(
                builder(&issuer)
                    .token_cache_entries(2 * SEEN)
                    .token_cache_bytes(1 << 28),
            );
            let mut seen = server.authenticate().layer(self::handler());
            for value in &values {
                call(&mut seen, value);
            }
            let before = server.token_cache().expect("it is on");
            let mut order = skewed(SEEN);
            group.bench_function("seen", |bencher| {
                bencher.iter(|| call(&mut seen, &values[order()]));
            });
            let after = server.token_cache().expect("it is on");
            let (hits, misses) = (
                after.hits() - before.hits(),
                after.misses() - before.misses(),
            );
            assert!(misses <= 1 + hits / 100, "{hits} found, {misses} not");
            group.finish();
        }
    }
}

fn builder(issuer: &MockIssuer) -> Builder {
    ResourceServer::builder(API).issuer(issuer.trusted())
}

fn built(builder: Builder) -> ResourceServer {
    builder.build().expect("sound")
}

fn handler()
-> impl Service<Request<()>, Response = Response<String>, Error = Infallible, Future: Send + 'static>
+ Clone
+ Send {
    tower::service_fn(|_: Request<()>| {
        std::future::ready(Ok::<_, Infallible>(Response::new(String::new())))
    })
}

fn call<S>(service: &mut S, value: &HeaderValue)
where
    S: Service<Request<()>, Response = Response<String>, Error = Infallible>,
{
    let mut request = Request::new(());
    let headers = request.headers_mut();
    headers.insert(http::header::AUTHORIZATION, value.clone());
    let mut future = std::pin::pin!(service.call(request));
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(Ok(response)) => assert_eq!(response.status(), 200),
        _ => panic!("the common case never waits"),
    }
}

/// Places in a list, the first ones far oftener than the last: the square of an even draw.
fn skewed(count: usize) -> impl FnMut() -> usize {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let even = state % count as u64;
        let place = even * even / count as u64;
        usize::try_from(place).unwrap_or_default()
    }
}

fn bare_key(issuer: &MockIssuer, algorithm: Algorithm) -> ParsedPublicKey {
    let pem = issuer.public_key_pem();
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der =
        base64::Engine::decode(&base64::engine::general_purpose::STANDARD, body).expect("base64");
    let parsed = match algorithm {
        Algorithm::RS256 => ParsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, der),
        _ => ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, der),
    };
    parsed.expect("a public key")
}

fn decode(part: &str) -> Vec<u8> {
    base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, part)
        .expect("base64url")
}

criterion_group!(benches, layer);
criterion_main!(benches);
