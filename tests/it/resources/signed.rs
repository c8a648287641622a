//! The signed form of a document, verified by another library.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use portcullis::test_util::{ManualClock, MockIssuer};
use portcullis::{Resource, ResourceServer};
use serde_json::{Value, json};

use super::documents::document;

fn pem(der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n")
}

fn keys() -> Vec<(Algorithm, String, DecodingKey)> {
    let ec = |signing| {
        let pair = EcdsaKeyPair::generate(signing).expect("a key");
        let private = pem(pair.to_pkcs8v1().expect("der").as_ref());
        (
            private,
            DecodingKey::from_ec_der(pair.public_key().as_ref()),
        )
    };
    let ed25519 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
    let pair = Ed25519KeyPair::from_pkcs8(ed25519.as_ref()).expect("a key");
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
    let private: aws_lc_rs::encoding::Pkcs8V1Der<'_> = rsa.as_der().expect("der");
    let (p256, p256_public) = ec(&ECDSA_P256_SHA256_FIXED_SIGNING);
    let (p384, p384_public) = ec(&ECDSA_P384_SHA384_FIXED_SIGNING);
    vec![
        (Algorithm::ES256, p256, p256_public),
        (Algorithm::ES384, p384, p384_public),
        (
            Algorithm::EdDSA,
            pem(ed25519.as_ref()),
            DecodingKey::from_ed_der(pair.public_key().as_ref()),
        ),
        (
            Algorithm::RS256,
            pem(private.as_ref()),
            DecodingKey::from_rsa_der(rsa.public_key().as_ref()),
        ),
    ]
}

#[tokio::test]
async fn signed_metadata_is_a_jwt_of_the_same_members() {
    const MISSIONS: &str = "https://api.example.com/missions";
    let issuer = MockIssuer::new();
    let clock = ManualClock::new();
    for (algorithm, private, public) in keys() {
        let resource = Resource::new(MISSIONS)
            .name("Missions")
            .jwks_uri("https://api.example.com/keys")
            .sign_metadata(private)
            .metadata_key_id("2026-11");
        let server = ResourceServer::builder(resource)
            .issuer(issuer.trusted())
            .clock(clock.clone())
            .build()
            .expect("sound");
        let found = document(&server, "/missions").await;
        let mut found: Value = serde_json::from_str(&found).expect("json");
        let plain = found.as_object_mut().expect("an object");
        let signed = plain.remove("signed_metadata").expect("a signed form");
        let signed = signed.as_str().expect("text");

        let header = decode_header(signed).expect("a header");
        assert_eq!(header.alg, algorithm);
        assert_eq!(header.kid.as_deref(), Some("2026-11"));
        let mut validation = Validation::new(algorithm);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.set_issuer(&[MISSIONS]);
        let claims = decode::<Value>(signed, &public, &validation).expect("a good signature");
        let mut claims = claims.claims;
        let members = claims.as_object_mut().expect("an object");
        assert_eq!(members.remove("iss"), Some(json!(MISSIONS)));
        let iat = json!(ManualClock::START.as_secs());
        assert_eq!(members.remove("iat"), Some(iat));
        assert_eq!(claims, found, "{algorithm:?}");

        let mut parts: Vec<_> = signed.split('.').collect();
        let forged = parts[1].replacen('a', "b", 1);
        parts[1] = &forged;
        assert!(decode::<Value>(&parts.join("."), &public, &validation).is_err());
    }
}
