//! Private keys that sign this server's own client assertions.

use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};

use crate::model::algorithm::Algorithm;

/// The private key of this server's own client: signs client assertions.
pub(crate) enum PrivateKey {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair, Algorithm),
    Ed25519(Ed25519KeyPair),
}

impl PrivateKey {
    /// Reads PKCS#8 (RFC 5208). `None` where it is of no supported type, or weak.
    pub(crate) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8(der) {
            return Some(Self::Ed25519(pair));
        }
        for (curve, algorithm) in [
            (
                &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
                Algorithm::ES256,
            ),
            (
                &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
                Algorithm::ES384,
            ),
        ] {
            if let Ok(pair) = EcdsaKeyPair::from_pkcs8(curve, der) {
                return Some(Self::Ec(pair, algorithm));
            }
        }
        // RFC 7518 s3.3: 2048 bits or larger.
        let pair = RsaKeyPair::from_pkcs8(der).ok()?;
        (pair.public_modulus_len() >= 256).then_some(Self::Rsa(pair))
    }

    pub(crate) const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa(_) => Algorithm::RS256,
            Self::Ec(_, algorithm) => *algorithm,
            Self::Ed25519(_) => Algorithm::EdDSA,
        }
    }

    /// The signature as JWS writes it. `None` when the system has no randomness.
    pub(crate) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = aws_lc_rs::rand::SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let mut bytes = vec![0; pair.public_modulus_len()];
                pair.sign(&signature::RSA_PKCS1_SHA256, &random, message, &mut bytes)
                    .ok()?;
                Some(bytes)
            }
            Self::Ec(pair, _) => Some(pair.sign(&random, message).ok()?.as_ref().to_vec()),
            Self::Ed25519(pair) => Some(pair.sign(message).as_ref().to_vec()),
        }
    }
}
