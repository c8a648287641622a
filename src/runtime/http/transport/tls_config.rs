//! The TLS settings of a client: which certificates it trusts.

use std::sync::Arc;

use rustls_platform_verifier::Verifier;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs as backend};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, Error as TlsError, RootCertStore};

/// The certificates of a PEM bundle, each usable as a root. Other sections of the bundle are ignored.
pub(in crate::runtime::http) fn read_roots(pem: &str) -> Option<Vec<CertificateDer<'static>>> {
    let mut store = RootCertStore::empty();
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .map(|read| {
            let certificate = read.ok()?;
            store.add(certificate.clone()).ok()?;
            Some(certificate)
        })
        .collect()
}

/// TLS 1.2 and 1.3 by the system's roots and these. Parses the system's roots.
pub(super) fn client_config(
    roots: Vec<CertificateDer<'static>>,
) -> Result<Arc<ClientConfig>, TlsError> {
    // An application may have installed a provider, for instance one with FIPS 140.
    let provider = CryptoProvider::get_default()
        .cloned()
        .unwrap_or_else(|| Arc::new(backend::default_provider()));
    let verifier = if roots.is_empty() {
        Verifier::new(Arc::clone(&provider))?
    } else {
        with_more(roots, Arc::clone(&provider))?
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        // The crate's name for a verifier other than the one of `rustls`; this one is the system's.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(not(target_os = "android"))]
fn with_more(
    roots: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
) -> Result<Verifier, TlsError> {
    Verifier::new_with_extra_roots(roots, provider)
}

#[cfg(target_os = "android")]
fn with_more(
    _roots: Vec<CertificateDer<'static>>,
    _provider: Arc<CryptoProvider>,
) -> Result<Verifier, TlsError> {
    Err(TlsError::General(
        "this system takes no more roots".to_owned(),
    ))
}
