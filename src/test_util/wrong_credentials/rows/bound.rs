//! Tokens that are bound to their sender, without the proof or the certificate (RFC 9449, RFC 8705).

use std::time::Duration;

use crate::binding::ClientCertificate;
use crate::test_util::certificate::TestCertificate;
use crate::test_util::proof::DpopKey;
use crate::test_util::wrong_credentials::expected::Expected::{
    InvalidDpopProof, InvalidToken, UseDpopNonce,
};
use crate::test_util::wrong_credentials::row::{Row, row};
use crate::test_util::wrong_credentials::step::Step;

const HOUR: Duration = Duration::from_secs(3600);

pub(super) const ROWS: &[Row] = &[
    // RFC 9449 s7.2: a bound token is no bearer token.
    row("key_bound_as_bearer", InvalidToken, |s| {
        s.field(format!("Bearer {}", s.bound()))
    }),
    row("certificate_bound_without_certificate", InvalidToken, |s| {
        let certificate = TestCertificate::self_signed("client");
        s.token(&s.good().bound_to_certificate(certificate.certificate()))
    }),
    row(
        "certificate_bound_with_another_certificate",
        InvalidToken,
        |s| {
            let (own, other) = (
                TestCertificate::self_signed("client"),
                TestCertificate::self_signed("client"),
            );
            let token = s.written(&s.good().bound_to_certificate(own.certificate()));
            let mut request = s.authorized(&token);
            let certificate: ClientCertificate = other.certificate().clone();
            request.extensions_mut().insert(certificate);
            Some(vec![Step::send(request)])
        },
    ),
    row("unbound_under_dpop", InvalidToken, |s| {
        // A good token that is bound to the key of the proofs cannot be unbound here.
        if !s.check.has_dpop || s.check.proof_key.is_some() {
            return None;
        }
        let token = s.written(&s.good());
        Some(vec![Step::send(s.proof().authorize(s.request(), &token))])
    }),
    // RFC 9449 s4.3, by its numbers.
    row("proof_missing", InvalidDpopProof, |s| s.proofs(|_| [])),
    row("two_proofs", InvalidDpopProof, |s| {
        s.proofs(|good| [good.sign(), good.id("second").sign()])
    }),
    row("proof_is_no_jwt", InvalidDpopProof, |s| {
        s.proofs(|_| ["no.proof".to_owned()])
    }),
    row("proof_is_too_long", InvalidDpopProof, |s| {
        s.proofs(|good| [good.claim("padding", "x".repeat(256 * 1024)).sign()])
    }),
    row("proof_without_id", InvalidDpopProof, |s| {
        s.proofs(|good| [good.without("jti").sign()])
    }),
    row("proof_of_another_type", InvalidDpopProof, |s| {
        s.proofs(|good| [good.header("typ", "JWT").sign()])
    }),
    row("proof_with_alg_none", InvalidDpopProof, |s| {
        s.proofs(|good| [good.unsigned()])
    }),
    row("proof_with_hmac", InvalidDpopProof, |s| {
        s.proofs(|good| [good.header("alg", "HS256").sign()])
    }),
    row("proof_without_key", InvalidDpopProof, |s| {
        s.proofs(|good| [good.without_header("jwk").sign()])
    }),
    row("proof_with_private_key", InvalidDpopProof, |s| {
        let mut jwk = s.key.jwk();
        if let Some(members) = jwk.as_object_mut() {
            members.insert(
                "d".into(),
                "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE".into(),
            );
        }
        s.proofs(move |good| [good.header("jwk", jwk.clone()).sign()])
    }),
    row("proof_with_wrong_signature", InvalidDpopProof, |s| {
        s.proofs(|good| [good.sign_with_wrong_key()])
    }),
    row("proof_for_another_method", InvalidDpopProof, |s| {
        let method = if s.parts.method == "PATCH" {
            "PUT"
        } else {
            "PATCH"
        };
        s.proofs(|good| [good.claim("htm", method).sign()])
    }),
    row("proof_for_another_url", InvalidDpopProof, |s| {
        s.proofs(|good| {
            [good
                .claim("htu", "https://api.example.com/somewhere/else")
                .sign()]
        })
    }),
    row("proof_for_another_host", InvalidDpopProof, |s| {
        let url = format!("https://attacker.example{}", s.parts.uri.path());
        s.proofs(move |good| [good.claim("htu", &url).sign()])
    }),
    row("proof_too_old", InvalidDpopProof, |s| {
        s.proofs(|good| [good.issued_ago(HOUR).sign()])
    }),
    row("proof_from_the_future", InvalidDpopProof, |s| {
        s.proofs(|good| [good.issued_in(HOUR).sign()])
    }),
    row("proof_for_another_token", InvalidDpopProof, |s| {
        s.proofs(|good| [good.access_token("another-token").sign()])
    }),
    row("proof_for_no_token", InvalidDpopProof, |s| {
        s.proofs(|good| [good.without("ath").sign()])
    }),
    // RFC 9449 s11.1.
    row("proof_replayed", InvalidDpopProof, |s| {
        let token = s.bound();
        let proof = s.proof().authorize(s.request(), &token);
        let mut again = s.request();
        *again.headers_mut() = proof.headers().clone();
        s.check
            .has_dpop
            .then(|| vec![Step::send(proof), Step::send(again)])
    }),
    // RFC 9449 s7.1: the key of the proof is not the one that the token is bound to.
    row("proof_of_another_key", InvalidToken, |s| {
        let other = DpopKey::generate().with_clock(s.issuer().clock());
        s.proven(&s.proof_by(&other))
    }),
    row("proof_without_nonce", UseDpopNonce, |s| {
        s.nonce?;
        s.proofs(|good| [good.without("nonce").sign()])
    }),
    row("proof_with_foreign_nonce", UseDpopNonce, |s| {
        s.nonce?;
        s.proofs(|good| [good.nonce("AAAAAAAAAAAAAAAAAAAAAA").sign()])
    }),
];
