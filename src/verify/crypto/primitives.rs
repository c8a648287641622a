//! Public keys made ready for one algorithm each, and the signature check.
//!
//! 1. A key is parsed and checked when it arrives, never while a request waits.
//! 2. One prepared key verifies one algorithm (RFC 8725 section 3.1).
//! 3. A weak or degenerate key is refused here: RSA below 2048 or above 8192 bits, an even
//!    modulus or exponent, an exponent of 1 or above 33 bits, a point off its curve, an
//!    Ed25519 point of small order.

use std::fmt;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents};
#[cfg(feature = "jwks")]
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
#[cfg(feature = "redis")]
use aws_lc_rs::{aead::AES_256_GCM_SIV, hkdf, hmac};

use crate::model::algorithm::Algorithm;

/// A NIST curve of RFC 7518 section 6.2.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    const fn coordinate_bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

/// The public part of a key, as numbers. Big-endian; RSA numbers may have leading zeros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    Ec {
        curve: Curve,
        x: Vec<u8>,
        y: Vec<u8>,
    },
    Ed25519 {
        x: Vec<u8>,
    },
}

/// A public key, ready to verify signatures of one algorithm.
pub(crate) struct PublicKey {
    parsed: ParsedPublicKey,
    signature_bytes: Option<usize>,
}

impl PublicKey {
    /// Makes `material` ready for `algorithm`. `None` when the two do not fit or the key is weak.
    pub(crate) fn prepare(material: &Material, algorithm: Algorithm) -> Option<Self> {
        match material {
            Material::Rsa { n, e } => Self::rsa(rsa_parameters(algorithm)?, n, e),
            Material::Ec { curve, x, y } => Self::ec(*curve, algorithm, x, y),
            Material::Ed25519 { x } => Self::ed25519(algorithm, x),
        }
    }

    /// Whether `signature` is this key's over exactly these bytes.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        // RFC 7518 s3.4, RFC 8037 s3.1: the length is fixed; no other encoding is looked at.
        if self
            .signature_bytes
            .is_some_and(|bytes| bytes != signature.len())
        {
            return false;
        }
        self.parsed.verify_sig(message, signature).is_ok()
    }

    fn rsa(parameters: &'static RsaParameters, n: &[u8], e: &[u8]) -> Option<Self> {
        // Some issuers write a sign octet (RFC 7518 s6.3.1.1 forbids it; it changes nothing).
        let (n, e) = (strip_zeros(n), strip_zeros(e));
        let bits = bit_length(n);
        // RFC 7518 s3.3: 2048 bits or larger. The upper bound keeps a check's cost bounded.
        if !(2048..=8192).contains(&bits) || !is_odd(n) {
            return None;
        }
        // With an exponent of 1 the signature is the message; larger than 33 bits only burns time.
        if !is_odd(e) || e == [1] || bit_length(e) > 33 {
            return None;
        }
        let parsed = RsaPublicKeyComponents { n, e }
            .to_parsed_public_key(parameters)
            .ok()?;
        Some(Self {
            parsed,
            signature_bytes: Some(bits.div_ceil(8)),
        })
    }

    fn ec(curve: Curve, algorithm: Algorithm, x: &[u8], y: &[u8]) -> Option<Self> {
        // RFC 7518 s3.4: the algorithm fixes the curve.
        let verification = match (algorithm, curve) {
            (Algorithm::ES256, Curve::P256) => &signature::ECDSA_P256_SHA256_FIXED,
            (Algorithm::ES384, Curve::P384) => &signature::ECDSA_P384_SHA384_FIXED,
            (Algorithm::ES512, Curve::P521) => &signature::ECDSA_P521_SHA512_FIXED,
            _ => return None,
        };
        let width = curve.coordinate_bytes();
        // RFC 7518 s6.2.1.2 wants coordinates of the full length of the field. Some issuers leave
        // leading zeros out, or write a sign octet; which number they mean is never in doubt.
        let point = [&[4][..], &padded(x, width)?, &padded(y, width)?].concat();
        // The parser refuses a point that is not on the curve (RFC 8725 s3.4).
        let parsed = ParsedPublicKey::new(verification, point).ok()?;
        Some(Self {
            parsed,
            signature_bytes: Some(2 * width),
        })
    }

    fn ed25519(algorithm: Algorithm, x: &[u8]) -> Option<Self> {
        let point: &[u8; 32] = x.try_into().ok()?;
        if !matches!(algorithm, Algorithm::EdDSA | Algorithm::Ed25519) || is_small_order(point) {
            return None;
        }
        let parsed = ParsedPublicKey::new(&signature::ED25519, point).ok()?;
        Some(Self {
            parsed,
            signature_bytes: Some(64),
        })
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").finish_non_exhaustive()
    }
}

/// Makes digests of whole tokens, to find those again that were verified before.
///
/// A digest is the tag of AES-128-GCM over every byte of the token as additional data, under one
/// random key and one nonce: GHASH, a universal hash, masked by a secret constant. The nonce is
/// never changed on purpose, since equal tokens must have equal digests, and nothing is encrypted
/// that its reuse could betray. What makes that sound: the key is drawn in this process and the
/// tags never leave it, so whoever chooses tokens learns at most whether two of them collided. Two
/// different tokens of at most n blocks of 16 bytes collide with a chance of (n + 1) / 2^128 over
/// the choice of the key; for 16 KiB that is below 2^-117 a pair.
pub(crate) struct TokenHasher(LessSafeKey);

impl TokenHasher {
    /// One under a key of its own. `None` when the system gives no randomness.
    pub(crate) fn new() -> Option<Self> {
        let mut key = [0; 16];
        aws_lc_rs::rand::fill(&mut key).ok()?;
        let key = UnboundKey::new(&AES_128_GCM, &key).ok()?;
        Some(Self(LessSafeKey::new(key)))
    }

    /// The digest of a token.
    pub(crate) fn digest(&self, token: &[u8]) -> Option<u128> {
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::from(token), &mut [])
            .ok()?;
        Some(u128::from_le_bytes(tag.as_ref().try_into().ok()?))
    }
}

/// A key that others are derived from, which tell nothing of it or of each other (RFC 5869).
#[cfg(feature = "redis")]
pub(crate) struct RootKey(hkdf::Prk);

#[cfg(feature = "redis")]
impl RootKey {
    /// A key of 32 random bytes. The salt belongs to the use of this library.
    pub(crate) fn new(key: &[u8; 32], salt: &[u8]) -> Self {
        Self(hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(key))
    }

    /// A key for things that are hidden and must not be altered.
    pub(crate) fn cipher(&self, label: &str) -> Option<AeadCipher> {
        let key = UnboundKey::new(&AES_256_GCM_SIV, &self.expand(label)?).ok()?;
        Some(AeadCipher(LessSafeKey::new(key)))
    }

    /// A key for names that only its holders can make.
    pub(crate) fn namer(&self, label: &str) -> Option<KeyedHasher> {
        let key = self.expand(label)?;
        Some(KeyedHasher(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    fn expand(&self, label: &str) -> Option<[u8; 32]> {
        let mut key = [0; 32];
        self.0
            .expand(&[label.as_bytes()], hkdf::HKDF_SHA256)
            .and_then(|output| output.fill(&mut key))
            .ok()?;
        Some(key)
    }
}

/// AES-256-GCM-SIV (RFC 8452) under random nonces. Several processes seal under one key and know
/// nothing of each other's nonces; of two equal ones it betrays no more than that two equal texts
/// are equal, where GCM would give its key away.
#[cfg(feature = "redis")]
pub(crate) struct AeadCipher(LessSafeKey);

#[cfg(feature = "redis")]
impl AeadCipher {
    /// The nonce, the hidden text and the tag. `None` when the system gives no randomness.
    pub(crate) fn seal(&self, context: &[u8], text: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).ok()?;
        let mut hidden = text.to_vec();
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(context),
                &mut hidden,
            )
            .ok()?;
        Some([&nonce[..], &hidden].concat())
    }

    /// The text, if it was sealed under this key in this context.
    pub(crate) fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, hidden) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut hidden = hidden.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let text = self.0.open_in_place(nonce, Aad::from(context), &mut hidden);
        let bytes = text.ok()?.len();
        hidden.truncate(bytes);
        Some(hidden)
    }
}

/// HMAC-SHA-256: equal texts have equal names, and without the key no name can be made or checked.
#[cfg(feature = "redis")]
pub(crate) struct KeyedHasher(hmac::Key);

#[cfg(feature = "redis")]
impl KeyedHasher {
    pub(crate) fn name(&self, text: &[u8]) -> [u8; 32] {
        let tag = hmac::sign(&self.0, text);
        let mut name = [0; 32];
        // The tag of SHA-256 has 32 bytes.
        name.iter_mut()
            .zip(tag.as_ref())
            .for_each(|(to, from)| *to = *from);
        name
    }
}

/// A value that nobody can guess and that does not come again. `None` when the system gives no
/// randomness.
#[cfg(feature = "redis")]
pub(crate) fn random_u128() -> Option<u128> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).ok()?;
    Some(u128::from_be_bytes(bytes))
}

/// A number that nobody outside this process can guess.
#[cfg(feature = "jwks")]
pub(crate) fn random_u32() -> u32 {
    let mut bytes = [0; 4];
    // A failing generator costs the jitter, nothing else.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    u32::from_ne_bytes(bytes)
}

/// Our own private key, with which we say who we are.
#[cfg(feature = "jwks")]
pub(crate) enum PrivateKey {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair, Algorithm),
    Ed25519(Ed25519KeyPair),
}

#[cfg(feature = "jwks")]
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

    /// The signature as JWS writes it. `None` when the system gives no randomness.
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

/// Bytes that nobody outside this process can guess. `None` when the system gives no randomness.
#[cfg(feature = "jwks")]
pub(crate) fn random_bytes() -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).ok()?;
    Some(bytes)
}

/// A number in exactly so many bytes.
fn padded(number: &[u8], width: usize) -> Option<Vec<u8>> {
    let digits = strip_zeros(number);
    let mut bytes = vec![0; width.checked_sub(digits.len())?];
    bytes.extend_from_slice(digits);
    Some(bytes)
}

const fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::RS256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RS384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::PS256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &signature::RSA_PSS_2048_8192_SHA512,
        Algorithm::ES256
        | Algorithm::ES384
        | Algorithm::ES512
        | Algorithm::EdDSA
        | Algorithm::Ed25519 => return None,
    })
}

fn strip_zeros(mut number: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = number {
        number = rest;
    }
    number
}

fn bit_length(number: &[u8]) -> usize {
    number
        .first()
        .map_or(0, |top| number.len() * 8 - top.leading_zeros() as usize)
}

fn is_odd(number: &[u8]) -> bool {
    number.last().is_some_and(|low| low & 1 == 1)
}

/// The y-coordinates of the eight points whose order divides 8, little-endian, sign bit clear.
/// A key among them verifies signatures that nobody made (RFC 8032 section 8.4's neighbourhood;
/// strict verifiers refuse them).
const SMALL_ORDER_Y: [[u8; 32]; 5] = [
    [0; 32],
    [
        1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0,
    ],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0x7f,
    ],
];

fn is_small_order(point: &[u8; 32]) -> bool {
    let mut y = *point;
    let [.., top] = &mut y;
    *top &= 0x7f;
    // RFC 8032 s5.1.3: y must be below p = 2^255 - 19; other spellings name the same points twice.
    let non_canonical = matches!(y, [low, middle @ .., 0x7f]
        if low >= 0xed && middle.iter().all(|byte| *byte == 0xff));
    non_canonical || SMALL_ORDER_Y.contains(&y)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rsa_keys_are_bounded_and_odd() {
        let odd = |bytes: usize| {
            let mut n = vec![0xff; bytes];
            n[bytes - 1] = 0xfd;
            n
        };
        let prepare = |n: Vec<u8>, e: &[u8]| {
            PublicKey::prepare(&Material::Rsa { n, e: e.to_vec() }, Algorithm::RS256).is_some()
        };
        assert!(prepare(odd(256), &[1, 0, 1]), "the accepted twin");
        assert!(
            prepare([vec![0], odd(256)].concat(), &[0, 1, 0, 1]),
            "leading zeros"
        );
        assert!(prepare(odd(256), &[3]));
        assert!(!prepare(odd(255), &[1, 0, 1]), "2040 bits");
        assert!(!prepare(odd(1025), &[1, 0, 1]), "8200 bits");
        assert!(!prepare(vec![0xfe; 256], &[1, 0, 1]), "even modulus");
        assert!(!prepare(odd(256), &[1]), "exponent 1");
        assert!(!prepare(odd(256), &[4]), "even exponent");
        assert!(!prepare(odd(256), &[0xff; 256]), "huge exponent");
        assert!(!prepare(odd(256), &[]), "no exponent");
        assert!(!prepare(Vec::new(), &[3]), "no modulus");
    }

    #[test]
    fn points_of_small_order_are_no_keys() {
        for y in SMALL_ORDER_Y {
            for sign in [0, 0x80] {
                let mut x = y.to_vec();
                x[31] |= sign;
                assert!(PublicKey::prepare(&Material::Ed25519 { x }, Algorithm::EdDSA).is_none());
            }
        }
        let base_point = [&[0x58][..], &[0x66; 31]].concat();
        assert!(
            PublicKey::prepare(&Material::Ed25519 { x: base_point }, Algorithm::EdDSA).is_some()
        );
    }
}
