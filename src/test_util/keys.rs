//! The keys of a mock issuer.
//!
//! 1. One key signs one algorithm, and its JWK names the algorithm (`alg`).
//! 2. Keys are named `key-1`, `key-2` ... in the order in which they were made.
//! 3. The private part never leaves this file, and is gone with the process.
//! 4. This is tooling for tests: where the cryptographic library fails, it panics.

use std::fmt;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, PqdsaKeyPair,
    PqdsaSigningAlgorithm, RsaEncoding, RsaKeyPair, UnparsedPublicKey, VerificationAlgorithm,
};
use aws_lc_rs::{digest, error::Unspecified, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::{Value, json};

use crate::Algorithm;

/// A private key that signs one algorithm.
#[derive(Clone)]
pub(super) struct SigningKey {
    id: String,
    algorithm: Algorithm,
    pair: Arc<Pair>,
}

enum Pair {
    Rsa(Arc<RsaKeyPair>, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair, &'static str),
    Ed25519(Ed25519KeyPair),
    MlDsa(PqdsaKeyPair),
}

impl SigningKey {
    /// Makes a key; RSA keys have 2048 bits.
    pub(super) fn generate(id: impl Into<String>, algorithm: Algorithm) -> Self {
        Self {
            id: id.into(),
            algorithm,
            pair: Arc::new(done(Pair::generate(algorithm, new_rsa_pair), "make a key")),
        }
    }

    /// Makes a key that no issuer has, to forge with. RSA forgeries of one process share their
    /// numbers, since making them is slow.
    pub(super) fn forge(id: impl Into<String>, algorithm: Algorithm) -> Self {
        static RSA: OnceLock<Arc<RsaKeyPair>> = OnceLock::new();
        let rsa_pair = || match RSA.get() {
            Some(pair) => Ok(Arc::clone(pair)),
            None => new_rsa_pair().map(|pair| Arc::clone(RSA.get_or_init(|| pair))),
        };
        Self {
            id: id.into(),
            algorithm,
            pair: Arc::new(done(Pair::generate(algorithm, rsa_pair), "make a key")),
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The signature as JWS writes it (RFC 7518 section 3).
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        done(self.pair.sign(message), "sign")
    }

    /// Whether it made this signature.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let algorithm: &'static dyn VerificationAlgorithm = match self.algorithm {
            Algorithm::RS256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Algorithm::RS384 => &signature::RSA_PKCS1_2048_8192_SHA384,
            Algorithm::RS512 => &signature::RSA_PKCS1_2048_8192_SHA512,
            Algorithm::PS256 => &signature::RSA_PSS_2048_8192_SHA256,
            Algorithm::PS384 => &signature::RSA_PSS_2048_8192_SHA384,
            Algorithm::PS512 => &signature::RSA_PSS_2048_8192_SHA512,
            Algorithm::ES256 => &signature::ECDSA_P256_SHA256_FIXED,
            Algorithm::ES384 => &signature::ECDSA_P384_SHA384_FIXED,
            Algorithm::ES512 => &signature::ECDSA_P521_SHA512_FIXED,
            Algorithm::EdDSA | Algorithm::Ed25519 => &signature::ED25519,
            Algorithm::MlDsa44 => &signature::ML_DSA_44,
            Algorithm::MlDsa65 => &signature::ML_DSA_65,
            Algorithm::MlDsa87 => &signature::ML_DSA_87,
        };
        let key = self.pair.public_bytes();
        let key = UnparsedPublicKey::new(algorithm, key);
        key.verify(message, signature).is_ok()
    }

    /// The public part as a JWK (RFC 7517).
    pub(super) fn jwk(&self) -> Value {
        let mut jwk = self.pair.public_parameters();
        for (name, value) in [
            ("kid", &*self.id),
            ("use", "sig"),
            ("alg", self.algorithm.as_str()),
        ] {
            if let Some(members) = jwk.as_object_mut() {
                members.insert(name.into(), value.into());
            }
        }
        jwk
    }

    /// The public part in PEM (`PUBLIC KEY`).
    pub(super) fn public_pem(&self) -> String {
        let base64 = STANDARD.encode(done(self.pair.public_der(), "encode a key").as_ref());
        let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
        let mut rest = base64.as_str();
        while let Some((line, after)) = rest.split_at_checked(64) {
            pem.extend([line, "\n"]);
            rest = after;
        }
        if !rest.is_empty() {
            pem.extend([rest, "\n"]);
        }
        pem + "-----END PUBLIC KEY-----\n"
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

impl Pair {
    fn generate(
        algorithm: Algorithm,
        rsa_pair: impl FnOnce() -> Result<Arc<RsaKeyPair>, Unspecified>,
    ) -> Result<Self, Unspecified> {
        let rsa = |padding| Ok(Self::Rsa(rsa_pair()?, padding));
        let ec = |signing: &'static EcdsaSigningAlgorithm, curve| {
            Ok(Self::Ec(EcdsaKeyPair::generate(signing)?, curve))
        };
        let ml_dsa = |signing: &'static PqdsaSigningAlgorithm| {
            Ok(Self::MlDsa(PqdsaKeyPair::generate(signing)?))
        };
        match algorithm {
            Algorithm::RS256 => rsa(&signature::RSA_PKCS1_SHA256),
            Algorithm::RS384 => rsa(&signature::RSA_PKCS1_SHA384),
            Algorithm::RS512 => rsa(&signature::RSA_PKCS1_SHA512),
            Algorithm::PS256 => rsa(&signature::RSA_PSS_SHA256),
            Algorithm::PS384 => rsa(&signature::RSA_PSS_SHA384),
            Algorithm::PS512 => rsa(&signature::RSA_PSS_SHA512),
            Algorithm::ES256 => ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, "P-256"),
            Algorithm::ES384 => ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"),
            Algorithm::ES512 => ec(&signature::ECDSA_P521_SHA512_FIXED_SIGNING, "P-521"),
            Algorithm::EdDSA | Algorithm::Ed25519 => Ok(Self::Ed25519(Ed25519KeyPair::generate()?)),
            Algorithm::MlDsa44 => ml_dsa(&signature::ML_DSA_44_SIGNING),
            Algorithm::MlDsa65 => ml_dsa(&signature::ML_DSA_65_SIGNING),
            Algorithm::MlDsa87 => ml_dsa(&signature::ML_DSA_87_SIGNING),
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        match self {
            Self::Rsa(pair, padding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*padding, &SystemRandom::new(), message, &mut signature)?;
                Ok(signature)
            }
            Self::Ec(pair, _) => Ok(pair.sign(&SystemRandom::new(), message)?.as_ref().to_vec()),
            Self::Ed25519(pair) => Ok(pair.try_sign(message)?.as_ref().to_vec()),
            Self::MlDsa(pair) => {
                let mut signature = vec![0; pair.algorithm().signature_len()];
                pair.sign(message, &mut signature)?;
                Ok(signature)
            }
        }
    }

    fn public_bytes(&self) -> &[u8] {
        match self {
            Self::Rsa(pair, _) => pair.public_key().as_ref(),
            Self::Ec(pair, _) => pair.public_key().as_ref(),
            Self::Ed25519(pair) => pair.public_key().as_ref(),
            Self::MlDsa(pair) => pair.public_key().as_ref(),
        }
    }

    fn public_der(&self) -> Result<PublicKeyX509Der<'static>, Unspecified> {
        match self {
            Self::Rsa(pair, _) => pair.public_key().as_der(),
            Self::Ec(pair, _) => pair.public_key().as_der(),
            Self::Ed25519(pair) => pair.public_key().as_der(),
            Self::MlDsa(pair) => pair.public_key().as_der(),
        }
    }

    fn public_parameters(&self) -> Value {
        let base64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Rsa(pair, _) => {
                let (n, e) = done(rsa_numbers(pair.public_key().as_ref()), "read its own key");
                json!({"kty": "RSA", "n": base64(n), "e": base64(e)})
            }
            Self::Ec(pair, curve) => {
                // SEC 1 s2.3.3: 0x04, then both coordinates at full length.
                let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = point.split_at(point.len() / 2);
                json!({"kty": "EC", "crv": curve, "x": base64(x), "y": base64(y)})
            }
            Self::Ed25519(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": base64(pair.public_key().as_ref())})
            }
            Self::MlDsa(pair) => json!({"kty": "AKP", "pub": base64(pair.public_key().as_ref())}),
        }
    }
}

fn new_rsa_pair() -> Result<Arc<RsaKeyPair>, Unspecified> {
    RsaKeyPair::generate(KeySize::Rsa2048).map(Arc::new)
}

/// Modulus and exponent of an `RSAPublicKey` (RFC 8017 section A.1.1), without sign octets.
fn rsa_numbers(der: &[u8]) -> Result<(&[u8], &[u8]), Unspecified> {
    let (sequence, _) = der_value(der, 0x30).ok_or(Unspecified)?;
    let (modulus, rest) = der_value(sequence, 0x02).ok_or(Unspecified)?;
    let (exponent, _) = der_value(rest, 0x02).ok_or(Unspecified)?;
    Ok((unsigned(modulus), unsigned(exponent)))
}

fn unsigned(number: &[u8]) -> &[u8] {
    match number {
        [0, rest @ ..] => rest,
        _ => number,
    }
}

/// The content of the first DER value, which must have this tag, and what follows it.
fn der_value(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        let length = octets
            .iter()
            .fold(0, |sum, octet| sum << 8 | usize::from(*octet));
        (length, rest)
    };
    (found == tag).then(|| rest.split_at_checked(length))?
}

/// HMAC with SHA-256, for the forgery that takes a public key for a shared secret.
pub(super) fn hmac_sha256(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    hmac::sign(&key, message).as_ref().to_vec()
}

/// SHA-256, for thumbprints.
pub(super) fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}

/// Random bytes.
pub(super) fn random_bytes(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    done(SystemRandom::new().fill(&mut bytes), "draw random bytes");
    bytes
}

/// Random letters and digits.
pub(super) fn random_text(length: usize) -> String {
    let mut text = String::new();
    while text.len() < length {
        // What base64 has beside them is left out.
        let drawn = STANDARD.encode(random_bytes(length));
        text.extend(drawn.chars().filter(char::is_ascii_alphanumeric));
    }
    text.truncate(length);
    text
}

/// Writes a value as JSON. It panics where that cannot be done; documented at the setters.
#[allow(clippy::expect_used)] // Test tooling; documented at the setters.
pub(super) fn json_of(value: impl Serialize) -> Value {
    serde_json::to_value(value)
        .expect("the value of a claim or header parameter must be writable as json")
}

/// A test cannot go on without the cryptographic library.
#[allow(clippy::panic)] // Test tooling: a panic is the report.
pub(super) fn done<T>(outcome: Result<T, Unspecified>, what: &str) -> T {
    match outcome {
        Ok(value) => value,
        Err(Unspecified) => panic!("the mock issuer could not {what}"),
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{RsaPublicKeyComponents, UnparsedPublicKey};

    use super::*;

    fn member(jwk: &Value, name: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap()
    }

    #[test]
    fn the_published_key_verifies_what_the_private_key_signed() {
        for algorithm in Algorithm::all() {
            let key = SigningKey::generate("key-1", algorithm);
            let jwk = key.jwk();
            let signature = key.sign(b"message");
            let rsa = |parameters| {
                RsaPublicKeyComponents {
                    n: member(&jwk, "n"),
                    e: member(&jwk, "e"),
                }
                .verify(parameters, b"message", &signature)
            };
            let point = || [&[4][..], &member(&jwk, "x"), &member(&jwk, "y")].concat();
            let ec = |parameters| {
                UnparsedPublicKey::new(parameters, point()).verify(b"message", &signature)
            };
            let ml_dsa = |parameters| {
                UnparsedPublicKey::new(parameters, member(&jwk, "pub"))
                    .verify(b"message", &signature)
            };
            let outcome = match algorithm {
                Algorithm::RS256 => rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
                Algorithm::RS384 => rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
                Algorithm::RS512 => rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
                Algorithm::PS256 => rsa(&signature::RSA_PSS_2048_8192_SHA256),
                Algorithm::PS384 => rsa(&signature::RSA_PSS_2048_8192_SHA384),
                Algorithm::PS512 => rsa(&signature::RSA_PSS_2048_8192_SHA512),
                Algorithm::ES256 => ec(&signature::ECDSA_P256_SHA256_FIXED),
                Algorithm::ES384 => ec(&signature::ECDSA_P384_SHA384_FIXED),
                Algorithm::ES512 => ec(&signature::ECDSA_P521_SHA512_FIXED),
                Algorithm::EdDSA | Algorithm::Ed25519 => {
                    UnparsedPublicKey::new(&signature::ED25519, member(&jwk, "x"))
                        .verify(b"message", &signature)
                }
                Algorithm::MlDsa44 => ml_dsa(&signature::ML_DSA_44),
                Algorithm::MlDsa65 => ml_dsa(&signature::ML_DSA_65),
                Algorithm::MlDsa87 => ml_dsa(&signature::ML_DSA_87),
            };
            assert!(outcome.is_ok(), "{algorithm}");
            assert!(key.verifies(b"message", &signature), "{algorithm}");
            assert!(!key.verifies(b"another", &signature), "{algorithm}");
            assert_eq!(jwk["alg"], algorithm.as_str());
            assert!(jwk.get("d").or(jwk.get("priv")).is_none());
        }
    }

    #[test]
    fn pem_has_short_lines_and_a_frame() {
        let pem = SigningKey::generate("key-1", Algorithm::RS256).public_pem();
        assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----\nMII"));
        assert!(pem.ends_with("\n-----END PUBLIC KEY-----\n"));
        assert!(pem.lines().all(|line| line.len() <= 64));
    }
}
