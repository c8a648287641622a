//! Any bytes as the `DPoP` field, and any header and claims of a proof under a good signature: never a
//! panic, never a 5xx, and a proof is accepted only as its key has signed it for the request.
#![no_main]

use std::convert::Infallible;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use http::{HeaderValue, Request, Response, StatusCode};
use libfuzzer_sys::fuzz_target;
use portcullis::binding::Dpop;
use portcullis::test_util::{DpopKey, MockIssuer};
use portcullis::{Algorithm, ResourceServer};
use tower::{Layer as _, Service as _};

const URL: &str = "https://api.example.com/";

struct Stage {
    server: ResourceServer,
    key: DpopKey,
    token: String,
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let issuer = MockIssuer::new().with_algorithms([Algorithm::EdDSA]);
    let key = DpopKey::for_algorithm(Algorithm::EdDSA);
    let dpop = Dpop::accepted().algorithms(Algorithm::all());
    let server = ResourceServer::builder("https://api.example.com")
        .dpop(dpop.max_proof_bytes(16 * 1024))
        .issuer(issuer.trusted());
    Stage {
        server: server.build().expect("sound"),
        token: issuer
            .token()
            .audience("https://api.example.com")
            .bound_to_key(&key)
            .sign(),
        key,
    }
});

fuzz_target!(|input: (Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>)| {
    let (bytes, header, payload) = input;
    // As they are. The fuzzer does not have the key, so none of them is accepted.
    if let Ok(field) = HeaderValue::from_bytes(&bytes) {
        assert_eq!(answer(field), StatusCode::UNAUTHORIZED);
    }
    // Under a good signature, so that the checks behind the parsers see the values.
    let mut proof = STAGE.key.proof("GET", URL).access_token(&STAGE.token);
    if header.is_none() && payload.is_none() {
        return; // A good proof, which would only fill the store of used ones.
    }
    if let Some(header) = header {
        proof = proof.header_json(header);
    }
    if let Some(payload) = payload {
        proof = proof.payload_json(payload);
    }
    let field = HeaderValue::try_from(proof.sign()).expect("base64url");
    let status = answer(field);
    assert!(status.is_success() || status == StatusCode::UNAUTHORIZED);
});

fn answer(proof: HeaderValue) -> StatusCode {
    let layer = STAGE.server.authenticate();
    let mut service = layer.layer(tower::service_fn(|_: Request<()>| {
        std::future::ready(Ok::<_, Infallible>(Response::new(String::new())))
    }));
    let authorization = HeaderValue::try_from(format!("DPoP {}", STAGE.token));
    let mut request = Request::get("/").body(()).expect("a request");
    let headers = request.headers_mut();
    headers.insert("authorization", authorization.expect("a token"));
    headers.insert("dpop", proof);
    let mut future = std::pin::pin!(service.call(request));
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(Ok(response)) => response.status(),
        _ => panic!("static keys never wait"),
    }
}
