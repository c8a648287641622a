//! What the layer costs beside the signature that it cannot do without.
//!
//! `cargo bench --bench layer`: for RS256 and ES256 tokens of 1 and 4 KB, the whole call of
//! the layer around an empty handler, and in the same run the bare signature verification of
//! the same token with a key that was parsed before.

#![allow(missing_docs, clippy::expect_used, clippy::panic)] // A benchmark fails loudly.

use std::convert::Infallible;
use std::hint::black_box;
use std::task::{Context, Poll, Waker};

use aws_lc_rs::signature::{self, ParsedPublicKey};
use criterion::{Criterion, criterion_group, criterion_main};
use http::{Request, Response};
use portcullis::test_util::MockIssuer;
use portcullis::{Algorithm, ResourceServer};
use tower::{Layer as _, Service as _};

const API: &str = "https://api.example.com";

fn layer(criterion: &mut Criterion) {
    for algorithm in [Algorithm::RS256, Algorithm::ES256] {
        let issuer = MockIssuer::new().with_algorithms([algorithm]);
        let server = ResourceServer::builder(API)
            .issuer(issuer.trusted())
            .build()
            .expect("sound");
        let key = bare_key(&issuer, algorithm);
        for (size, padding) in [("1KB", 240), ("4KB", 2500)] {
            let token = issuer.token().claim("padding", "x".repeat(padding)).sign();
            let mut group = criterion.benchmark_group(format!("{algorithm}/{size}"));
            group.throughput(criterion::Throughput::Bytes(token.len() as u64));

            let (signed, encoded) = token.rsplit_once('.').expect("three parts");
            let signature = decode(encoded);
            group.bench_function("signature", |bencher| {
                bencher.iter(|| {
                    key.verify_sig(black_box(signed.as_bytes()), black_box(&signature))
                        .expect("verifies");
                });
            });

            let mut service = server
                .authenticate()
                .layer(tower::service_fn(|_: Request<()>| {
                    std::future::ready(Ok::<_, Infallible>(Response::new(String::new())))
                }));
            let value = http::HeaderValue::try_from(format!("Bearer {token}")).expect("a value");
            group.bench_function("layer", |bencher| {
                bencher.iter(|| {
                    let mut request = Request::new(());
                    request
                        .headers_mut()
                        .insert(http::header::AUTHORIZATION, value.clone());
                    let mut future = std::pin::pin!(service.call(request));
                    match future
                        .as_mut()
                        .poll(&mut Context::from_waker(Waker::noop()))
                    {
                        Poll::Ready(Ok(response)) => assert_eq!(response.status(), 200),
                        _ => panic!("the common case never waits"),
                    }
                });
            });
            group.finish();
        }
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
