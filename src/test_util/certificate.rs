//! Certificates of clients and servers for tests, each signed by its own key.
//!
//! 1. A certificate is X.509 v3 (RFC 5280 section 4.1) with a P-256 key, valid from 2024 without
//!    end (section 4.1.2.5), and no certificate authority.
//! 2. It is trusted where it stands among the roots itself.
//! 3. `Debug` shows neither the certificate nor the key.

use std::fmt;
use std::net::IpAddr;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::keys::done;
use crate::binding::ClientCertificate;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_ID: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

// Object identifiers, DER without tag and length.
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]; // RFC 5758 s3.2
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// A certificate and its private key, for TLS in tests. Each has a key of its own.
///
/// ```
/// use portcullis::binding::ClientCertificate;
/// use portcullis::test_util::{MockIssuer, TestCertificate};
///
/// let client = TestCertificate::self_signed("client");
/// // What the TLS acceptor puts into the requests of the connection:
/// let certificate = ClientCertificate::from_der(client.der());
/// assert_eq!(certificate.thumbprint(), client.certificate().thumbprint());
///
/// let issuer = MockIssuer::new();
/// let bound = issuer.token().bound_to_certificate(client.certificate()).sign();
/// # let _ = bound;
/// ```
#[derive(Clone)]
pub struct TestCertificate {
    private_key: Vec<u8>,
    certificate: ClientCertificate,
}

impl TestCertificate {
    /// A certificate for a client or server of this name: a host name or an IP address. It is the
    /// common name and the alternative name.
    #[must_use]
    pub fn self_signed(name: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING);
        let pair = done(pair, "generate a key");
        let certificate = certificate(name, &pair);
        let private_key = done(pair.to_pkcs8v1(), "encode a key").as_ref().to_vec();
        Self {
            certificate: ClientCertificate::from_der(certificate),
            private_key,
        }
    }

    /// The certificate in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        self.certificate.der().unwrap_or_default()
    }

    /// The certificate as one `CERTIFICATE` block (RFC 7468 section 5).
    #[must_use]
    pub fn pem(&self) -> String {
        pem("CERTIFICATE", self.der())
    }

    /// The private key in DER: PKCS#8 (RFC 5958).
    #[must_use]
    pub fn private_key_der(&self) -> &[u8] {
        &self.private_key
    }

    /// The private key as one `PRIVATE KEY` block (RFC 7468 section 10).
    #[must_use]
    pub fn private_key_pem(&self) -> String {
        pem("PRIVATE KEY", &self.private_key)
    }

    /// The certificate as a request extension, as the TLS acceptor puts it there.
    pub const fn certificate(&self) -> &ClientCertificate {
        &self.certificate
    }
}

/// Without its contents.
impl fmt::Debug for TestCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestCertificate").finish_non_exhaustive()
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut lines = format!("-----BEGIN {label}-----\n");
    let mut rest = base64.as_str();
    while let Some((line, after)) = rest.split_at_checked(64) {
        lines.extend([line, "\n"]);
        rest = after;
    }
    if !rest.is_empty() {
        lines.extend([rest, "\n"]);
    }
    lines + &format!("-----END {label}-----\n")
}

// RFC 5280 s4.1
fn certificate(name: &str, pair: &EcdsaKeyPair) -> Vec<u8> {
    let algorithm = der(SEQUENCE, &[&der(OBJECT_ID, &[ECDSA_WITH_SHA256])]);
    let validity = der(
        SEQUENCE,
        &[
            &der(UTC_TIME, &[b"240101000000Z"]),
            &der(GENERALIZED_TIME, &[b"99991231235959Z"]),
        ],
    );
    let common_name = der(
        SEQUENCE,
        &[
            &der(OBJECT_ID, &[COMMON_NAME]),
            &der(UTF8_STRING, &[name.as_bytes()]),
        ],
    );
    let subject = der(SEQUENCE, &[&der(SET, &[&common_name])]);
    let public_key = done(pair.public_key().as_der(), "encode a key");
    let body = der(
        SEQUENCE,
        &[
            &der(0xa0, &[&der(INTEGER, &[&[2]])]),
            &der(INTEGER, &[&[1]]),
            &algorithm,
            &subject,
            &validity,
            &subject,
            public_key.as_ref(),
            &der(0xa3, &[&der(SEQUENCE, &[&alternative_name(name)])]),
        ],
    );
    let signature = done(pair.sign(&SystemRandom::new(), &body), "sign");
    let signature = der(BIT_STRING, &[&[0], signature.as_ref()]);
    der(SEQUENCE, &[&body, &algorithm, &signature])
}

// RFC 5280 s4.2.1.6
fn alternative_name(name: &str) -> Vec<u8> {
    let name = match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => der(0x87, &[&address.octets()]),
        Ok(IpAddr::V6(address)) => der(0x87, &[&address.octets()]),
        Err(_) => der(0x82, &[name.as_bytes()]),
    };
    let names = der(OCTET_STRING, &[&der(SEQUENCE, &[&name])]);
    der(SEQUENCE, &[&der(OBJECT_ID, &[SUBJECT_ALT_NAME]), &names])
}

/// One element, of less than 64 KiB.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let [.., high, low] = content.len().to_be_bytes();
    let mut element = vec![tag];
    match content.len() {
        0..0x80 => element.push(low),
        0x80..0x100 => element.extend([0x81, low]),
        _ => element.extend([0x82, high, low]),
    }
    element.extend(content);
    element
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    use super::*;
    use crate::test_util::MockIssuer;

    #[test]
    fn a_token_names_its_certificate_beside_other_members() {
        let [client, other] = ["client", "client"].map(TestCertificate::self_signed);
        assert_ne!(client.der(), other.der(), "each has a key of its own");
        let issuer = MockIssuer::new();
        let token = issuer.token().claim("cnf", json!({"jkt": "a"}));
        let token = token.bound_to_certificate(client.certificate()).sign();
        let payload = token.split('.').nth(1).unwrap();
        let payload = URL_SAFE_NO_PAD.decode(payload).unwrap();
        let claims: Value = serde_json::from_slice(&payload).unwrap();
        let x5t = client.certificate().to_x5t_s256();
        assert_eq!(claims["cnf"], json!({"jkt": "a", "x5t#S256": x5t}));
    }

    #[test]
    fn debug_shows_nothing_of_a_certificate_or_its_key() {
        let client = TestCertificate::self_signed("::1");
        assert_eq!(format!("{client:?}"), "TestCertificate { .. }");
    }
}
