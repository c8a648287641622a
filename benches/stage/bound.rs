//! A token that was seen before, with a DPoP proof that was not (RFC 9449).

use std::hint::black_box;

use aws_lc_rs::signature::{self, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderValue, Request, StatusCode};
use portcullis::binding::Dpop;
use portcullis::test_util::{DpopKey, MockIssuer};
use portcullis::{Algorithm, ResourceServer};
use tower::Layer as _;

use super::tokens::Mint;
use super::tokens::Size;
use super::{Goal, Row, Scale, Scene, built, call, handler, round};

pub(crate) const URL: &str = "https://api.example.com/orders";

/// A bound token, and proofs for it.
pub(crate) struct Client {
    key: DpopKey,
    authorization: HeaderValue,
    proofs: Vec<HeaderValue>,
}

impl Client {
    pub(crate) fn new(issuer: &MockIssuer, proofs: usize) -> Self {
        let key = DpopKey::generate();
        let token = Mint::new(issuer, Size::Kb1)
            .token(0)
            .bound_to_key(&key)
            .sign();
        let value = |text: String| {
            let value = HeaderValue::try_from(text).expect("visible ascii");
            // The first clone of a value makes it shareable.
            let _shared = value.clone();
            value
        };
        let proof = |_| value(key.proof("GET", URL).access_token(&token).sign());
        Self {
            proofs: (0..proofs).map(proof).collect(),
            authorization: value(format!("DPoP {token}")),
            key,
        }
    }

    pub(crate) fn request(&self, proof: usize) -> Request<()> {
        let mut request = Request::new(());
        *request.uri_mut() = http::Uri::from_static("/orders");
        let headers = request.headers_mut();
        headers.insert("authorization", self.authorization.clone());
        headers.insert("dpop", self.proofs[proof].clone());
        request
    }
}

/// A seen token with a new proof, over the verification of the proof's signature alone.
pub(crate) fn scene(scale: Scale) -> Scene {
    let count = scale.strangers * 4;
    let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
    let client = Client::new(&issuer, count);
    let signature = signature(&client);
    let mut next = round(count);
    let mut bare = handler();
    let twin = Client {
        key: client.key.clone(),
        authorization: client.authorization.clone(),
        proofs: client.proofs.clone(),
    };
    let alone = Row::new("handler", {
        let mut next = round(count);
        move || call(&mut bare, twin.request(next()), StatusCode::OK)
    });
    let server = move || -> ResourceServer {
        let builder = ResourceServer::builder(MockIssuer::AUDIENCE).issuer(issuer.trusted());
        built(
            builder
                .dpop(Dpop::accepted())
                .public_origin("https://api.example.com"),
        )
    };
    let mut service = server().authenticate().layer(handler());
    let bound = Row::new("seen token, new proof", move || {
        let proof = next();
        if proof == 0 {
            // A proof is good once at each server.
            service = server().authenticate().layer(handler());
        }
        call(&mut service, client.request(proof), StatusCode::OK);
    });
    Scene {
        name: "DPoP, ES256".to_owned(),
        rows: vec![
            alone,
            signature,
            bound.over("signature", Goal::Times(1.06)).allocates(13),
        ],
    }
}

/// Bare verification with the client's key, parsed before.
fn signature(client: &Client) -> Row {
    let jwk = client.key.jwk();
    let coordinate = |name: &str| {
        let text = jwk[name].as_str().expect("a coordinate");
        URL_SAFE_NO_PAD.decode(text).expect("base64url")
    };
    let point = [&[4][..], &coordinate("x"), &coordinate("y")].concat();
    let key = ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point);
    let key = key.expect("a public key");
    let split: Vec<(String, Vec<u8>)> = client
        .proofs
        .iter()
        .map(|proof| {
            let proof = proof.to_str().expect("ascii");
            let (signed, signature) = proof.rsplit_once('.').expect("three parts");
            let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
            (signed.to_owned(), signature)
        })
        .collect();
    let mut order = round(split.len());
    Row::new("signature", move || {
        let (signed, signature) = &split[order()];
        key.verify_sig(black_box(signed.as_bytes()), black_box(signature))
            .expect("verifies");
    })
}
