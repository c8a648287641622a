//! Certificates in URL-encoded PEM, as proxies send them.
//!
//! 1. URL-encoded is percent-encoding (RFC 3986 section 2.1): `+` stands for itself, since load
//!    balancers of AWS leave it as it is.
//! 2. PEM is strict: `CERTIFICATE` blocks (RFC 7468 section 5.1) and line ends, nothing before,
//!    between or behind them.
//! 3. Each block holds exactly one DER SEQUENCE. Its content is not read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::verify::crypto::pem::is_one_sequence;
use crate::verify::request::client_certificate::CertificateHeaderFault;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The DER of the only certificate.
pub(super) fn one_certificate(url_encoded: &str) -> Result<Vec<u8>, CertificateHeaderFault> {
    let mut all = certificates(url_encoded)?.into_iter();
    match (all.next(), all.next()) {
        (Some(der), None) => Ok(der),
        (None, _) => Err(CertificateHeaderFault::Malformed),
        (Some(_), Some(_)) => Err(CertificateHeaderFault::SeveralCertificates),
    }
}

/// The DER of the first certificate of a chain: the client's, where the leaf comes first. The others
/// are checked for their form.
pub(super) fn first_certificate(url_encoded: &str) -> Result<Vec<u8>, CertificateHeaderFault> {
    certificates(url_encoded)?
        .into_iter()
        .next()
        .ok_or(CertificateHeaderFault::Malformed)
}

fn certificates(url_encoded: &str) -> Result<Vec<Vec<u8>>, CertificateHeaderFault> {
    percent_decoded(url_encoded)
        .and_then(|pem| blocks(&pem))
        .ok_or(CertificateHeaderFault::Malformed)
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => hex_digit(bytes.next()?)? << 4 | hex_digit(bytes.next()?)?,
            _ => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

/// The value of a hexadecimal digit of either case.
pub(super) fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

fn blocks(pem: &str) -> Option<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    let mut rest = pem;
    while !rest.is_empty() {
        let (body, after) = rest.strip_prefix(BEGIN)?.split_once(END)?;
        let base64: String = body.split(['\r', '\n']).collect();
        let der = STANDARD.decode(base64).ok()?;
        if !is_one_sequence(&der) {
            return None;
        }
        all.push(der);
        rest = after.trim_start_matches(['\r', '\n']);
        // A block begins on a line of its own (RFC 7468 section 3).
        if !rest.is_empty() && rest.len() == after.len() {
            return None;
        }
    }
    Some(all)
}
