//! Tokens that are wrong by a header parameter (RFC 7515 section 4, RFC 8725 section 3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::test_util::certificate::TestCertificate;
use crate::test_util::wrong_credentials::expected::Expected::{
    InvalidToken, InvalidTokenOrUnavailable,
};
use crate::test_util::wrong_credentials::row::{Row, row};

pub(super) const ROWS: &[Row] = &[
    row("alg_missing", InvalidToken, |s| {
        s.jwt(&s.good().without_header("alg").sign())
    }),
    row("alg_unknown", InvalidToken, |s| {
        s.jwt(&s.good().header("alg", "RS257").sign())
    }),
    row("alg_is_no_text", InvalidToken, |s| {
        s.jwt(&s.good().header("alg", 256).sign())
    }),
    // RFC 8725 s3.1: the key decides the algorithm, not the header.
    row("alg_of_another_key", InvalidToken, |s| {
        let own = s.good().signing_algorithm().as_str();
        let other = if own == "ES384" { "ES256" } else { "ES384" };
        s.jwt(&s.good().header("alg", other).sign())
    }),
    row("kid_is_no_text", InvalidToken, |s| {
        s.jwt(&s.good().header("kid", 1).sign())
    }),
    // RFC 8725 s3.10: what is received in a header finds no file and no row.
    row("kid_with_path", InvalidTokenOrUnavailable, |s| {
        s.jwt(&s.good().header("kid", "../../../../dev/null").sign())
    }),
    // RFC 7515 s4.1.11: an extension that is not understood.
    row("crit_unknown", InvalidToken, |s| {
        let token = s.good().header("crit", ["urn:example:extension"]);
        s.jwt(&token.header("urn:example:extension", true).sign())
    }),
    // RFC 7797 s6.
    row("b64_false", InvalidToken, |s| {
        s.jwt(&s.good().header("crit", ["b64"]).header("b64", false).sign())
    }),
    row("zip", InvalidToken, |s| {
        s.jwt(&s.good().header("zip", "DEF").sign())
    }),
    // RFC 8725 s3.10: keys out of the token belong to no issuer.
    row("jwk_header", InvalidTokenOrUnavailable, |s| {
        s.jwt(&s.good().sign_with_embedded_key())
    }),
    row("jku_header", InvalidToken, |s| {
        let token = s.good().header("jku", "https://attacker.example/jwks.json");
        s.jwt(&token.sign_with_wrong_key())
    }),
    row("x5u_header", InvalidToken, |s| {
        let token = s.good().header("x5u", "https://attacker.example/chain.pem");
        s.jwt(&token.sign_with_wrong_key())
    }),
    row("x5c_header", InvalidToken, |s| {
        let certificate = TestCertificate::self_signed("attacker.example");
        let chain = json!([STANDARD.encode(certificate.der())]);
        s.jwt(&s.good().header("x5c", chain).sign_with_wrong_key())
    }),
    // RFC 8725 s3.11: the type keeps kinds of tokens apart.
    row("typ_of_a_logout_token", InvalidToken, |s| {
        s.jwt(&s.good().typ("logout+jwt").sign())
    }),
    row("typ_of_a_proof", InvalidToken, |s| {
        s.jwt(&s.good().typ("dpop+jwt").sign())
    }),
    row("typ_is_no_text", InvalidToken, |s| {
        s.jwt(&s.good().header("typ", 1).sign())
    }),
];
