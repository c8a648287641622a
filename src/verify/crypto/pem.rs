//! Keys in PEM: one `SubjectPublicKeyInfo` (RFC 7468 section 13), or our own private key in one
//! `PKCS#8` block (section 10).
//!
//! 1. Exactly one `PUBLIC KEY` block, where it is an issuer's; certificates and private keys are
//!    refused by name.
//! 2. RSA, P-256, P-384, P-521 and Ed25519; the key's numbers are taken out and checked
//!    like those of a JWK.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::verify::crypto::primitives::{Curve, Material};

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

// Object identifiers, DER without tag and length.
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01]; // RFC 8017 appendix C
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01]; // RFC 5480 s2.1.1
const SECP256R1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const SECP384R1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const SECP521R1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70]; // RFC 8410 s3

/// Reads a PEM text. The error says in a few words what is wrong with it.
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

/// Reads the block of a private key, and leaves what is in it to
/// [`crypto`](super::crypto). The error says in a few words what is wrong with it.
#[cfg(feature = "jwks")]
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
        RSA_ENCRYPTION => rsa_public_key(key),
        EC_PUBLIC_KEY => {
            let (name, _) = element(parameters, OBJECT_IDENTIFIER)?;
            ec_point(name, key)
        }
        ED25519 => Some(Material::Ed25519 { x: key.to_vec() }),
        _ => None,
    }
}

/// `SEQUENCE { modulus INTEGER, publicExponent INTEGER }` (RFC 8017 appendix A.1.1).
fn rsa_public_key(der: &[u8]) -> Option<Material> {
    let (numbers, &[]) = element(der, SEQUENCE)? else {
        return None;
    };
    let (n, rest) = element(numbers, INTEGER)?;
    let (e, &[]) = element(rest, INTEGER)? else {
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
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// The content of a DER element with this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let rest = der.strip_prefix(&[tag])?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if octets.is_empty() || octets.len() > 4 {
            return None;
        }
        let length = octets
            .iter()
            .fold(0_usize, |sum, octet| sum << 8 | usize::from(*octet));
        (length, rest)
    };
    rest.split_at_checked(length)
}
