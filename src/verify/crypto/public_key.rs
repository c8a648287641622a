//! Public keys prepared for one algorithm each, and the signature check.
//!
//! 1. A key is parsed and validated when its key set is read, not when a request is checked.
//! 2. One prepared key verifies one algorithm (RFC 8725 section 3.1).
//! 3. A weak or degenerate key is refused: RSA below 2048 or above 8192 bits, an even
//!    modulus or exponent, an exponent of 1 or above 33 bits, a point off its curve, an
//!    Ed25519 point of small order, an ML-DSA key of another length than its parameter set's.

use std::fmt;

use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents};

use crate::model::algorithm::Algorithm;

/// A NIST curve of RFC 7518 section 6.2.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    /// By its name in a JWK (RFC 7518 section 6.2.1.1).
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "P-256" => Some(Self::P256),
            "P-384" => Some(Self::P384),
            "P-521" => Some(Self::P521),
            _ => None,
        }
    }

    pub(crate) const fn coordinate_bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

/// A parameter set of ML-DSA (FIPS 204 section 4), which an `AKP` key names in `alg` (RFC 9964).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MlDsa {
    MlDsa44,
    MlDsa65,
    MlDsa87,
}

impl MlDsa {
    /// By the `alg` of a JWK (RFC 9964 section 5).
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match Algorithm::from_name(name)? {
            Algorithm::MlDsa44 => Some(Self::MlDsa44),
            Algorithm::MlDsa65 => Some(Self::MlDsa65),
            Algorithm::MlDsa87 => Some(Self::MlDsa87),
            _ => None,
        }
    }

    /// The bytes of a public key (FIPS 204 table 2).
    const fn key_bytes(self) -> usize {
        match self {
            Self::MlDsa44 => 1312,
            Self::MlDsa65 => 1952,
            Self::MlDsa87 => 2592,
        }
    }

    /// The bytes of a signature (FIPS 204 table 2).
    const fn signature_bytes(self) -> usize {
        match self {
            Self::MlDsa44 => 2420,
            Self::MlDsa65 => 3309,
            Self::MlDsa87 => 4627,
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
    /// Its parameter set, and the encoding of FIPS 204 section 7.2 (RFC 9964 section 5).
    MlDsa {
        parameters: MlDsa,
        public: Vec<u8>,
    },
}

/// A public key, prepared to verify signatures of one algorithm.
pub(crate) struct PublicKey {
    parsed: ParsedPublicKey,
    signature_bytes: Option<usize>,
}

impl PublicKey {
    /// Prepares `material` for `algorithm`. `None` when the two do not fit or the key is weak.
    pub(crate) fn prepare(material: &Material, algorithm: Algorithm) -> Option<Self> {
        match material {
            Material::Rsa { n, e } => Self::rsa(rsa_parameters(algorithm)?, n, e),
            Material::Ec { curve, x, y } => Self::ec(*curve, algorithm, x, y),
            Material::Ed25519 { x } => Self::ed25519(algorithm, x),
            Material::MlDsa { parameters, public } => Self::ml_dsa(*parameters, algorithm, public),
        }
    }

    /// Whether `signature` is this key's over exactly these bytes.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        // RFC 7518 s3.4, RFC 8037 s3.1, FIPS 204 table 2: the length is fixed; no other encoding is accepted.
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
        // With an exponent of 1 the signature is the message. More than 33 bits make the check
        // slower and add no security.
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
        // leading zeros out, or write a sign octet; both encode the same number.
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

    fn ml_dsa(parameters: MlDsa, algorithm: Algorithm, public: &[u8]) -> Option<Self> {
        // RFC 9964 s5: pure ML-DSA with an empty context, which is what the library verifies.
        let verification = match (algorithm, parameters) {
            (Algorithm::MlDsa44, MlDsa::MlDsa44) => &signature::ML_DSA_44,
            (Algorithm::MlDsa65, MlDsa::MlDsa65) => &signature::ML_DSA_65,
            (Algorithm::MlDsa87, MlDsa::MlDsa87) => &signature::ML_DSA_87,
            _ => return None,
        };
        // The parser takes a SubjectPublicKeyInfo too; this length is that of a bare key.
        if public.len() != parameters.key_bytes() {
            return None;
        }
        let parsed = ParsedPublicKey::new(verification, public).ok()?;
        Some(Self {
            parsed,
            signature_bytes: Some(parameters.signature_bytes()),
        })
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").finish_non_exhaustive()
    }
}

/// A number in exactly `width` bytes, big-endian; `None` where it does not fit.
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
        | Algorithm::Ed25519
        | Algorithm::MlDsa44
        | Algorithm::MlDsa65
        | Algorithm::MlDsa87 => return None,
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
/// With such a key a signature verifies that no private key has made; strict verifiers refuse it.
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
        assert!(prepare(odd(256), &[1, 0, 0, 0, 1]), "exponent of 33 bits");
        assert!(!prepare(odd(256), &[2, 0, 0, 0, 1]), "exponent of 34 bits");
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

    #[test]
    fn ml_dsa_keys_are_bare_and_of_the_length_of_their_parameter_set() {
        use aws_lc_rs::encoding::AsDer as _;
        use aws_lc_rs::signature::{KeyPair as _, PqdsaKeyPair};

        let sets = [
            (MlDsa::MlDsa44, Algorithm::MlDsa44),
            (MlDsa::MlDsa65, Algorithm::MlDsa65),
            (MlDsa::MlDsa87, Algorithm::MlDsa87),
        ];
        let signing = [
            &signature::ML_DSA_44_SIGNING,
            &signature::ML_DSA_65_SIGNING,
            &signature::ML_DSA_87_SIGNING,
        ];
        for ((parameters, algorithm), signing) in sets.into_iter().zip(signing) {
            let pair = PqdsaKeyPair::generate(signing).expect("a key");
            let bare = pair.public_key().as_ref().to_vec();
            let prepare = |public: &[u8], algorithm| {
                let public = public.to_vec();
                PublicKey::prepare(&Material::MlDsa { parameters, public }, algorithm)
            };
            let key = prepare(&bare, algorithm).expect("the accepted twin");
            let mut made = vec![0; signing.signature_len()];
            pair.sign(b"message", &mut made).expect("a signature");
            assert!(key.verifies(b"message", &made), "{algorithm}");
            assert!(!key.verifies(b"massage", &made), "{algorithm}");
            let length = made.len();
            assert!(!key.verifies(b"message", &made[..length - 1]));
            assert!(!key.verifies(b"message", &[&made[..], &[0]].concat()));
            assert!(!key.verifies(b"message", &[]));
            made[length / 2] ^= 1;
            assert!(!key.verifies(b"message", &made), "{algorithm}");

            let der = pair.public_key().as_der().expect("an encoding");
            assert!(prepare(der.as_ref(), algorithm).is_none(), "an SPKI");
            assert!(prepare(&bare[1..], algorithm).is_none());
            assert!(prepare(&[&bare[..], &[0]].concat(), algorithm).is_none());
            assert!(prepare(&[], algorithm).is_none());
            for other in Algorithm::all().filter(|other| *other != algorithm) {
                assert!(prepare(&bare, other).is_none(), "{algorithm} as {other}");
            }
            for (other, its_algorithm) in sets.into_iter().filter(|(one, _)| *one != parameters) {
                let material = Material::MlDsa {
                    parameters: other,
                    public: bare.clone(),
                };
                assert!(PublicKey::prepare(&material, its_algorithm).is_none());
            }
        }
    }
}
