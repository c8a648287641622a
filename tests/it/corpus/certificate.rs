//! A certificate that says the right name and that nobody vouches for (RFC 5280 section 4.1).

use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
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

/// Accepts connections as 127.0.0.1, by a certificate that is signed by itself.
pub(super) fn self_signed() -> TlsAcceptor {
    let key = Ed25519KeyPair::generate().expect("a key");
    let certificate = CertificateDer::from(certificate(&key));
    let key = key.to_pkcs8().expect("a key that can be written");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.as_ref().to_vec()));
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions that the provider has")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("the key of the certificate");
    TlsAcceptor::from(Arc::new(config))
}

fn certificate(key: &Ed25519KeyPair) -> Vec<u8> {
    let ed25519 = der(SEQUENCE, &[&der(OBJECT_ID, &[&[0x2b, 0x65, 0x70]])]);
    let common_name = der(OBJECT_ID, &[&[0x55, 0x04, 0x03]]);
    let own_name = der(UTF8_STRING, &[b"127.0.0.1"]);
    let own_name = der(SET, &[&der(SEQUENCE, &[&common_name, &own_name])]);
    let name = der(SEQUENCE, &[&own_name]);
    let always = der(
        SEQUENCE,
        &[
            &der(UTC_TIME, &[b"240101000000Z"]),
            &der(GENERALIZED_TIME, &[b"99991231235959Z"]),
        ],
    );
    let public_key = der(BIT_STRING, &[&[0], key.public_key().as_ref()]);
    let public_key = der(SEQUENCE, &[&ed25519, &public_key]);
    let alternative_name = der(OBJECT_ID, &[&[0x55, 0x1d, 0x11]]);
    let address = der(SEQUENCE, &[&der(0x87, &[&[127, 0, 0, 1]])]);
    let address = der(OCTET_STRING, &[&address]);
    let extensions = der(SEQUENCE, &[&der(SEQUENCE, &[&alternative_name, &address])]);
    let body = der(
        SEQUENCE,
        &[
            &der(0xa0, &[&der(INTEGER, &[&[2]])]),
            &der(INTEGER, &[&[1]]),
            &ed25519,
            &name,
            &always,
            &name,
            &public_key,
            &der(0xa3, &[&extensions]),
        ],
    );
    let signature = der(BIT_STRING, &[&[0], key.sign(&body).as_ref()]);
    der(SEQUENCE, &[&body, &ed25519, &signature])
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
