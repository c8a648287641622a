//! Envoy's header field `X-Forwarded-Client-Cert` (XFCC).
//!
//! Grammar, by Envoy's documents (configuration, HTTP connection manager, HTTP headers):
//! `element *("," element)`, where an element is `key=value *(";" key=value)`, and a value that
//! contains `,`, `;` or `=` is a quoted string with `\"` for a quote.
//!
//! 1. Each proxy adds an element for its own peer. Exactly one element is accepted: with two, the
//!    first may be the client's own text, or the second describe a proxy.
//! 2. `Cert` is one certificate and `Chain` the chain with the leaf first, each URL-encoded PEM;
//!    `Hash` is the SHA-256 digest of the certificate in hexadecimal. All that are present have to
//!    describe one certificate, and each occurs once.
//! 3. Envoy writes `By`, `URI` and `DNS` without quotes (`conn_manager_utility.cc`), so a name in the
//!    client's certificate can add pairs and elements. By rules 1 and 2 they are refused, since
//!    Envoy always writes `Hash`.

use std::borrow::Cow;

use crate::verify::crypto::sha256::sha256;
use crate::verify::request::certificate_pem::{first_certificate, hex_digit, one_certificate};
use crate::verify::request::client_certificate::{CertificateHeaderFault, ClientCertificate};

/// What an element says about the certificate.
#[derive(Default)]
struct Described<'h> {
    hash: Option<Cow<'h, str>>,
    cert: Option<Cow<'h, str>>,
    chain: Option<Cow<'h, str>>,
}

/// Reads the value of the field.
pub(super) fn certificate(value: &str) -> Result<ClientCertificate, CertificateHeaderFault> {
    let described = element(value)?;
    let cert = described.cert.as_deref().map(one_certificate).transpose()?;
    let leaf = described
        .chain
        .as_deref()
        .map(first_certificate)
        .transpose()?;
    let hash = described.hash.as_deref().map(digest).transpose()?;
    let der = match (cert, leaf) {
        (Some(cert), Some(leaf)) if cert != leaf => {
            return Err(CertificateHeaderFault::Contradicts);
        }
        (cert, leaf) => cert.or(leaf),
    };
    match (der, hash) {
        (Some(der), Some(hash)) if sha256(&der) != hash => Err(CertificateHeaderFault::Contradicts),
        (Some(der), _) => Ok(ClientCertificate::from_der(der)),
        (None, Some(hash)) => Ok(ClientCertificate::from_thumbprint(hash)),
        (None, None) => Err(CertificateHeaderFault::Malformed),
    }
}

/// The only element. Keys are compared without regard to case, so that none is overlooked.
fn element(value: &str) -> Result<Described<'_>, CertificateHeaderFault> {
    let mut described = Described::default();
    let mut rest = value;
    loop {
        let (key, after) = rest
            .split_once('=')
            .filter(|(key, _)| is_key(key))
            .ok_or(CertificateHeaderFault::Malformed)?;
        let (content, after) = pair_value(after).ok_or(CertificateHeaderFault::Malformed)?;
        let place = match key.to_ascii_lowercase().as_str() {
            "hash" => Some(&mut described.hash),
            "cert" => Some(&mut described.cert),
            "chain" => Some(&mut described.chain),
            _ => None,
        };
        if place.is_some_and(|place| place.replace(content).is_some()) {
            return Err(CertificateHeaderFault::Contradicts);
        }
        if after.is_empty() {
            return Ok(described);
        }
        rest = match after.split_at_checked(1) {
            Some((";", next)) => next,
            Some((",", _)) => return Err(CertificateHeaderFault::SeveralCertificates),
            _ => return Err(CertificateHeaderFault::Malformed),
        };
    }
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The value at the beginning of the text, and what follows it.
fn pair_value(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ';']).unwrap_or(text.len());
        let (value, rest) = text.split_at_checked(end)?;
        return (!value.contains('"')).then_some((Cow::Borrowed(value), rest));
    };
    let mut value = String::new();
    let mut characters = quoted.chars();
    loop {
        match characters.next()? {
            '"' => return Some((Cow::Owned(value), characters.as_str())),
            '\\' => value.push(characters.next()?),
            character => value.push(character),
        }
    }
}

/// 64 hexadecimal digits.
fn digest(hash: &str) -> Result<[u8; 32], CertificateHeaderFault> {
    let mut digest = [0; 32];
    let bytes = hash.as_bytes();
    if bytes.len() != 2 * digest.len() {
        return Err(CertificateHeaderFault::Malformed);
    }
    for (byte, pair) in digest.iter_mut().zip(bytes.chunks_exact(2)) {
        let &[high, low] = pair else {
            return Err(CertificateHeaderFault::Malformed);
        };
        let digits = hex_digit(high).zip(hex_digit(low));
        let (high, low) = digits.ok_or(CertificateHeaderFault::Malformed)?;
        *byte = high << 4 | low;
    }
    Ok(digest)
}
