//! Keys in PEM: one `SubjectPublicKeyInfo` (RFC 7468 section 13), or a private key in one `PKCS#8`
//! block (section 10).
//!
//! 1. Exactly one `PUBLIC KEY` block, where it is an issuer's; certificates and private keys are
//!    refused by name.
//! 2. RSA, P-256, P-384, P-521, Ed25519 and ML-DSA; the key's numbers are taken out and checked
//!    like those of a JWK.
//! 3. Strict DER: lengths and integers in their shortest form, parameters exactly those of the
//!    algorithm, nothing behind the key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::verify::crypto::public_key::{Curve, Material, MlDsa};

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

// Object identifiers, DER without tag and length.
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01]; // RFC 8017 appendix C
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01]; // RFC 5480 s2.1.1
const SECP256R1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const SECP384R1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const SECP521R1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70]; // RFC 8410 s3
const ML_DSA_44: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x11]; // RFC 9881 s2
const ML_DSA_65: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x12];
const ML_DSA_87: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x13];

/// Parses a public key. The error is a phrase about the key.
pub(crate) fn parse(text: &str) -> Result<Material, &'static str> {
    let inner = text
        .trim()
        .strip_prefix(BEGIN)
        .and_then(|rest| rest.strip_suffix(END))
        .ok_or(
            "it is not one `PUBLIC KEY` block; convert certificates and PKCS#1 keys with openssl",
        )?;
    let base64: String = inner.split_ascii_whitespace().collect();
    let der = STANDARD
        .decode(base64)
        .map_err(|_| "its base64 is malformed")?;
    subject_public_key_info(&der).ok_or("it holds no key of a supported type")
}

/// The DER of a private key's block, for [`PrivateKey`](super::private_key::PrivateKey) to parse.
/// The error is a phrase about the key.
pub(crate) fn private(text: &str) -> Result<Vec<u8>, &'static str> {
    let inner = text
        .trim()
        .strip_prefix("-----BEGIN PRIVATE KEY-----")
        .and_then(|rest| rest.strip_suffix("-----END PRIVATE KEY-----"))
        .ok_or("the key is not one `PRIVATE KEY` block in pem; convert others with `openssl pkcs8 -topk8 -nocrypt`")?;
    let base64: String = inner.split_ascii_whitespace().collect();
    STANDARD
        .decode(base64)
        .map_err(|_| "the base64 of the key is malformed")
}

/// `SEQUENCE { SEQUENCE { algorithm OID, parameters }, BIT STRING }` (RFC 5280 section 4.1).
fn subject_public_key_info(der: &[u8]) -> Option<Material> {
    let (info, &[]) = element(der, SEQUENCE)? else {
        return None;
    };
    let (algorithm, rest) = element(info, SEQUENCE)?;
    let (bits, &[]) = element(rest, BIT_STRING)? else {
        return None;
    };
    let key = bits.strip_prefix(&[0])?; // no unused bits
    let (oid, parameters) = element(algorithm, OBJECT_IDENTIFIER)?;
    match oid {
        // RFC 3279 s2.3.1: NULL.
        RSA_ENCRYPTION if parameters == [NULL, 0] => rsa_public_key(key),
        // RFC 5480 s2.1.1: the name of the curve.
        EC_PUBLIC_KEY => {
            let (name, &[]) = element(parameters, OBJECT_IDENTIFIER)? else {
                return None;
            };
            ec_point(name, key)
        }
        // RFC 8410 s3: none.
        ED25519 if parameters.is_empty() => Some(Material::Ed25519 { x: key.to_vec() }),
        // RFC 9881 s2: none.
        ML_DSA_44 | ML_DSA_65 | ML_DSA_87 if parameters.is_empty() => Some(Material::MlDsa {
            parameters: match oid {
                ML_DSA_44 => MlDsa::MlDsa44,
                ML_DSA_65 => MlDsa::MlDsa65,
                _ => MlDsa::MlDsa87,
            },
            public: key.to_vec(),
        }),
        _ => None,
    }
}

/// `SEQUENCE { modulus INTEGER, publicExponent INTEGER }` (RFC 8017 appendix A.1.1).
fn rsa_public_key(der: &[u8]) -> Option<Material> {
    let (numbers, &[]) = element(der, SEQUENCE)? else {
        return None;
    };
    let (n, rest) = positive_integer(numbers)?;
    let (e, &[]) = positive_integer(rest)? else {
        return None;
    };
    Some(Material::Rsa {
        n: n.to_vec(),
        e: e.to_vec(),
    })
}

fn ec_point(curve_name: &[u8], point: &[u8]) -> Option<Material> {
    let curve = match curve_name {
        SECP256R1 => Curve::P256,
        SECP384R1 => Curve::P384,
        SECP521R1 => Curve::P521,
        _ => return None,
    };
    let coordinates = point.strip_prefix(&[4])?; // RFC 5480 s2.2: uncompressed
    let (x, y) = coordinates.split_at_checked(coordinates.len() / 2)?;
    Some(Material::Ec {
        curve,
        x: x.to_vec(),
        y: y.to_vec(),
    })
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const NULL: u8 = 0x05;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// Whether these bytes are exactly one DER SEQUENCE, such as a certificate. The content is not read.
pub(crate) fn is_one_sequence(der: &[u8]) -> bool {
    element(der, SEQUENCE).is_some_and(|(_, rest)| rest.is_empty())
}

/// The octets of a positive INTEGER, and what follows it. X.690 s8.3.2: the first nine bits are not
/// all zero.
fn positive_integer(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (octets, rest) = element(der, INTEGER)?;
    match octets {
        [1..=0x7f, ..] | [0, 0x80..=0xff, ..] => Some((octets, rest)),
        _ => None,
    }
}

/// The content of a DER element with this tag, and what follows it. X.690 s10.1: the length has
/// the fewest octets that hold it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let rest = der.strip_prefix(&[tag])?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if octets.len() > 4 || octets.first().is_none_or(|first| *first == 0) {
            return None;
        }
        let length = octets
            .iter()
            .fold(0_usize, |sum, octet| sum << 8 | usize::from(*octet));
        if length < 0x80 {
            return None;
        }
        (length, rest)
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem(der: &[u8]) -> String {
        format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(der))
    }

    fn reads(der: &[u8]) -> bool {
        parse(&pem(der)).is_ok()
    }

    /// An element with the shortest length.
    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = match u8::try_from(content.len()).expect("short") {
            short @ ..0x80 => vec![short],
            long => vec![0x81, long],
        };
        [&[tag][..], &length, content].concat()
    }

    fn info(oid: &[u8], parameters: &[u8], key: &[u8]) -> Vec<u8> {
        let algorithm = [&tlv(OBJECT_IDENTIFIER, oid)[..], parameters].concat();
        let bits = tlv(BIT_STRING, &[&[0], key].concat());
        tlv(SEQUENCE, &[tlv(SEQUENCE, &algorithm), bits].concat())
    }

    fn rsa_key(n: &[u8], e: &[u8]) -> Vec<u8> {
        tlv(SEQUENCE, &[tlv(INTEGER, n), tlv(INTEGER, e)].concat())
    }

    const POINT: [u8; 65] = [4; 65];

    #[test]
    fn lengths_in_their_shortest_form_alone_are_read() {
        let key = |length: &[u8]| {
            let head = [&[SEQUENCE][..], length].concat();
            let rest = info(ED25519, &[], &[7; 32]);
            [&head[..], &rest[2..]].concat()
        };
        assert!(reads(&key(&[42])), "the accepted twin");
        for padded in [
            &[0x81, 42][..],
            &[0x82, 0, 42],
            &[0x80],
            &[0x85, 0, 0, 0, 0, 42],
        ] {
            assert!(!reads(&key(padded)), "{padded:?}");
        }
        let long = |length: &[u8]| {
            let bits = [&[BIT_STRING][..], length, &[0], &[7; 199]].concat();
            let algorithm = tlv(SEQUENCE, &tlv(OBJECT_IDENTIFIER, ED25519));
            tlv(SEQUENCE, &[algorithm, bits].concat())
        };
        assert!(reads(&long(&[0x81, 200])), "the accepted twin");
        assert!(!reads(&long(&[0x82, 0, 200])));
    }

    #[test]
    fn parameters_are_exactly_those_of_the_algorithm() {
        let p256 = tlv(OBJECT_IDENTIFIER, SECP256R1);
        let null = [NULL, 0];
        let rsa = rsa_key(&[0, 0x80, 1], &[1, 0, 1]);
        for (oid, parameters, key) in [
            (RSA_ENCRYPTION, &null[..], &rsa[..]),
            (EC_PUBLIC_KEY, &p256, &POINT),
            (ED25519, &[], &[7; 32]),
            (ML_DSA_44, &[], &[7; 100]),
        ] {
            assert!(reads(&info(oid, parameters, key)), "the accepted twin");
            let trailing = [parameters, &null].concat();
            assert!(!reads(&info(oid, &trailing, key)), "{oid:?}");
        }
        assert!(!reads(&info(RSA_ENCRYPTION, &p256, &rsa)));
        assert!(!reads(&info(RSA_ENCRYPTION, &[], &rsa)));
        assert!(!reads(&info(EC_PUBLIC_KEY, &null, &POINT)));
    }

    #[test]
    fn integers_are_positive_and_in_their_shortest_form() {
        let reads = |n: &[u8], e: &[u8]| {
            let key = rsa_key(n, e);
            reads(&info(RSA_ENCRYPTION, &[NULL, 0], &key))
        };
        assert!(reads(&[0, 0x80, 1], &[3]), "the accepted twin");
        for n in [&[][..], &[0], &[0, 1], &[0x80, 1], &[0, 0, 0x80]] {
            assert!(!reads(n, &[3]), "{n:?}");
            assert!(!reads(&[0, 0x80, 1], n), "{n:?}");
        }
    }

    #[test]
    fn nothing_stands_behind_the_key() {
        let good = info(ED25519, &[], &[7; 32]);
        assert!(reads(&good), "the accepted twin");
        assert!(!reads(&[&good[..], &[0]].concat()));
        assert!(!reads(&good[..good.len() - 1]));
    }
}
