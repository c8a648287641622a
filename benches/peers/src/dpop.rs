//! A token that was seen before, with an ES256 DPoP proof that was not (RFC 9449).
//!
//! 1. Every row gets the same token and the same proofs in the same order, and uses each proof once.
//! 2. This library's row is its layer with its default settings: the token is found in the cache, and
//!    the replay check records the proof.
//! 3. huskarl-resource-server has no layer, no token cache and no replay store: its row is its
//!    check of the request, which verifies the token's signature each time, and the same handler.
//!    Its settings are the defaults, except for the age of a proof: no replay check, no nonces, and
//!    RustCrypto for signatures. A second row verifies by aws-lc-rs, as this library does, through
//!    its trait `JwsVerifierPlatform`.

use std::future::ready;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use axum::body::Bytes;
use http::{HeaderMap, Request, StatusCode, Uri};
use huskarl_resource_server::DefaultJwsVerifierPlatform;
use huskarl_resource_server::core::Error;
use huskarl_resource_server::core::crypto::KeyMatchStrength;
use huskarl_resource_server::core::crypto::verifier::{
    CreateVerifierError, JwsVerifier, JwsVerifierPlatform, KeyMatch, VerifyError,
};
use huskarl_resource_server::core::http::{HttpClient, HttpResponse, Idempotency};
use huskarl_resource_server::core::jwk::{PublicJwk, PublicKey};
use huskarl_resource_server::core::platform::MaybeSendBoxFuture;
use huskarl_resource_server::validator::rfc9068::Rfc9068Validator;
use portcullis::Algorithm;
use portcullis::binding::Dpop;
use portcullis::test_util::MockIssuer;
use tower::Layer as _;

use crate::stage::bound::{Client, URL};
use crate::stage::turns::{by_turns, lower_quartile};
use crate::stage::{built, call, handler, now, runtime};

/// Enough for all turns of a call that takes 8 us or more.
const PROOFS: usize = 110_000;

const TURNS: usize = 100;

/// One call, and its name in the table.
struct Row {
    name: &'static str,
    run: Box<dyn FnMut()>,
}

/// Nanoseconds of each row, by turns.
#[must_use]
pub fn times() -> Vec<(&'static str, f64)> {
    let issuer = MockIssuer::rfc9068("https://issuer.test").with_algorithms([Algorithm::ES256]);
    let client = Rc::new(Client::new(&issuer, PROOFS));
    let _inside = runtime().enter();
    let mut rows = [
        alone(&client),
        own(&issuer, &client),
        huskarl(
            "huskarl-resource-server",
            &issuer,
            &client,
            DefaultJwsVerifierPlatform::default().into(),
        ),
        huskarl(
            "huskarl-resource-server, by aws-lc-rs",
            &issuer,
            &client,
            Arc::new(AwsLc),
        ),
    ];
    let mut calls: Vec<&mut dyn FnMut()> = Vec::new();
    for row in &mut rows {
        calls.push(&mut *row.run);
    }
    let times = by_turns(&mut calls, TURNS);
    let names = rows.iter().map(|row| row.name);
    names.zip(times.into_iter().map(lower_quartile)).collect()
}

/// Requests with a proof each, in order.
fn requests(client: &Rc<Client>) -> impl FnMut() -> Request<()> + use<> {
    let (client, mut proofs) = (Rc::clone(client), 0..PROOFS);
    move || client.request(proofs.next().expect("a proof that was not used"))
}

fn alone(client: &Rc<Client>) -> Row {
    let (mut service, client) = (handler(), Rc::clone(client));
    let mut next = crate::stage::round(PROOFS);
    Row {
        name: "the handler alone",
        run: Box::new(move || call(&mut service, client.request(next()), StatusCode::OK)),
    }
}

fn own(issuer: &MockIssuer, client: &Rc<Client>) -> Row {
    let builder = portcullis::ResourceServer::builder(MockIssuer::AUDIENCE)
        .issuer(issuer.trusted())
        .dpop(Dpop::accepted())
        .public_origin("https://api.example.com");
    let mut service = built(builder).authenticate().layer(handler());
    let mut next = requests(client);
    Row {
        name: "portcullis, seen token",
        run: Box::new(move || call(&mut service, next(), StatusCode::OK)),
    }
}

fn huskarl(
    name: &'static str,
    issuer: &MockIssuer,
    client: &Rc<Client>,
    platform: Arc<dyn JwsVerifierPlatform>,
) -> Row {
    let validator = Rfc9068Validator::builder()
        .issuer(issuer.issuer())
        .audience(MockIssuer::AUDIENCE)
        .jwks_uri("https://issuer.test/keys".parse().expect("an address"))
        .jwks_source(KeySet(issuer.key_set().into()))
        .jws_verifier_platform(platform)
        // As this library's.
        .max_dpop_proof_age(Duration::from_secs(300))
        .build();
    let validator = runtime().block_on(validator).expect("sound settings");
    let (mut service, mut next) = (handler(), requests(client));
    // The check compares the absolute address with the proof's `htu`.
    let target = Uri::from_static(URL);
    Row {
        name,
        run: Box::new(move || {
            let request = next();
            let check =
                validator.validate_request(request.headers(), request.method(), &target, None);
            let result = now(check);
            assert!(result.outcome.is_ok_and(|token| token.is_some()));
            call(&mut service, request, StatusCode::OK);
        }),
    }
}

/// Answers with the issuer's keys, without a socket.
struct KeySet(Bytes);

impl HttpClient for KeySet {
    fn execute(
        &self,
        _: Request<Bytes>,
        _: Idempotency,
    ) -> MaybeSendBoxFuture<'_, Result<HttpResponse, Error>> {
        Box::pin(ready(Ok(HttpResponse {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: self.0.clone(),
        })))
    }
}

/// ES256 by aws-lc-rs.
#[derive(Debug)]
struct AwsLc;

impl JwsVerifierPlatform for AwsLc {
    fn create_verifier_from_jwk(
        &self,
        jwk: PublicJwk,
    ) -> MaybeSendBoxFuture<'static, Result<Arc<dyn JwsVerifier>, CreateVerifierError>> {
        let PublicKey::Ec(ec) = jwk.key else {
            panic!("all keys are of ES256");
        };
        let point = [&[4][..], &ec.x, &ec.y].concat();
        let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        let (key, kid) = (key.expect("a public key"), jwk.kid);
        let verifier: Arc<dyn JwsVerifier> = Arc::new(AwsLcKey { key, kid });
        Box::pin(ready(Ok(verifier)))
    }

    fn supported_signature_algorithms(&self) -> &[&str] {
        &["ES256"]
    }
}

#[derive(Debug)]
struct AwsLcKey {
    key: ParsedPublicKey,
    kid: Option<String>,
}

impl JwsVerifier for AwsLcKey {
    fn key_match(&self, key_match: &KeyMatch<'_>) -> Option<KeyMatchStrength> {
        key_match.strength_for(&["ES256"], self.kid.as_deref())
    }

    fn verify<'a>(
        &'a self,
        input: &'a [u8],
        signature: &'a [u8],
        _: &'a KeyMatch<'a>,
    ) -> MaybeSendBoxFuture<'a, Result<(), VerifyError>> {
        let verified = self.key.verify_sig(input, signature);
        Box::pin(ready(verified.map_err(|_| VerifyError::SignatureMismatch)))
    }
}
