//! Certificates that no system trusts: signed by themselves, or by an authority of a test.

use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_ID: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// RFC 5280 s4.1.2.5: without an end.
const ALWAYS: &[u8] = b"99991231235959Z";

/// A certificate authority that no system trusts.
pub(crate) struct Authority {
    name: Vec<u8>,
    key: Ed25519KeyPair,
}

/// Whom a certificate is for.
#[derive(Clone, Copy)]
pub(crate) enum Host {
    Loopback,
    Named(&'static str),
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: distinguished(name),
            key: Ed25519KeyPair::generate().expect("a key"),
        }
    }

    /// Its own certificate, in PEM.
    pub(crate) fn pem(&self) -> String {
        let is_authority = extension(&[0x55, 0x1d, 0x13], &[0x30, 0x03, 0x01, 0x01, 0xff]);
        let certificate = self.certify(&self.name, &self.key, &is_authority, ALWAYS);
        let lines = STANDARD.encode(certificate);
        format!("-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n")
    }

    /// Accepts connections as this host, by a certificate of this authority's.
    pub(crate) fn vouch(&self, host: Host) -> TlsAcceptor {
        self.vouch_until(host, ALWAYS)
    }

    /// The same by a certificate that has expired.
    #[allow(dead_code)]
    pub(crate) fn vouch_expired(&self, host: Host) -> TlsAcceptor {
        self.vouch_until(host, b"20240102000000Z")
    }

    fn vouch_until(&self, host: Host, until: &[u8]) -> TlsAcceptor {
        let key = Ed25519KeyPair::generate().expect("a key");
        let subject = distinguished("a server");
        let certificate = self.certify(&subject, &key, &host.extension(), until);
        acceptor(certificate, &key)
    }

    // RFC 5280 s4.1
    fn certify(
        &self,
        subject: &[u8],
        key: &Ed25519KeyPair,
        extension: &[u8],
        until: &[u8],
    ) -> Vec<u8> {
        let ed25519 = der(SEQUENCE, &[&der(OBJECT_ID, &[&[0x2b, 0x65, 0x70]])]);
        let validity = der(
            SEQUENCE,
            &[
                &der(UTC_TIME, &[b"240101000000Z"]),
                &der(GENERALIZED_TIME, &[until]),
            ],
        );
        let public_key = der(BIT_STRING, &[&[0], key.public_key().as_ref()]);
        let public_key = der(SEQUENCE, &[&ed25519, &public_key]);
        let body = der(
            SEQUENCE,
            &[
                &der(0xa0, &[&der(INTEGER, &[&[2]])]),
                &der(INTEGER, &[&[1]]),
                &ed25519,
                &self.name,
                &validity,
                subject,
                &public_key,
                &der(0xa3, &[&der(SEQUENCE, &[extension])]),
            ],
        );
        let signature = der(BIT_STRING, &[&[0], self.key.sign(&body).as_ref()]);
        der(SEQUENCE, &[&body, &ed25519, &signature])
    }
}

impl Host {
    /// RFC 5280 s4.2.1.6: the alternative name.
    fn extension(self) -> Vec<u8> {
        let name = match self {
            Self::Loopback => der(0x87, &[&[127, 0, 0, 1]]),
            Self::Named(name) => der(0x82, &[name.as_bytes()]),
        };
        extension(&[0x55, 0x1d, 0x11], &der(SEQUENCE, &[&name]))
    }
}

/// Accepts connections as 127.0.0.1, by a certificate that is signed by itself. For `tests/load`.
#[allow(dead_code)]
pub(crate) fn self_signed() -> TlsAcceptor {
    let own = Authority::new("127.0.0.1");
    let certificate = own.certify(&own.name, &own.key, &Host::Loopback.extension(), ALWAYS);
    acceptor(certificate, &own.key)
}

fn acceptor(certificate: Vec<u8>, key: &Ed25519KeyPair) -> TlsAcceptor {
    let key = key.to_pkcs8().expect("a key that can be written");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.as_ref().to_vec()));
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions that the provider has")
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(certificate)], key)
        .expect("the key of the certificate");
    TlsAcceptor::from(Arc::new(config))
}

/// A name of one part.
fn distinguished(name: &str) -> Vec<u8> {
    let common_name = der(OBJECT_ID, &[&[0x55, 0x04, 0x03]]);
    let name = der(UTF8_STRING, &[name.as_bytes()]);
    let part = der(SET, &[&der(SEQUENCE, &[&common_name, &name])]);
    der(SEQUENCE, &[&part])
}

fn extension(id: &[u8], content: &[u8]) -> Vec<u8> {
    let content = der(OCTET_STRING, &[content]);
    der(SEQUENCE, &[&der(OBJECT_ID, &[id]), &content])
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
