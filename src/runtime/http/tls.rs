//! How an issuer is reached: trusted certificates, proxies, plain http.

use std::path::PathBuf;

use tokio_rustls::rustls::pki_types::CertificateDer;

use crate::runtime::http::shared_clients::{ClientKind, HttpClients};
use crate::runtime::http::transport::tls_config::read_roots;
use crate::verify::crypto::sha256::sha256;

/// The HTTP settings of an issuer.
#[derive(Clone, Debug, Default)]
pub(crate) struct HttpOptions {
    /// The clients that it may share; no part of what it says.
    pub(crate) clients: HttpClients,
    /// Whether plain http is allowed off loopback.
    pub(crate) plain_http: bool,
    /// Trusted in addition to the system's certificates.
    pub(crate) roots: Vec<RootCertificate>,
    /// Files with such certificates, read when they are needed.
    pub(crate) root_files: Vec<PathBuf>,
    /// Whether the proxies are used that the environment names.
    pub(crate) proxied: bool,
}

impl HttpOptions {
    /// The kind of client that they need, with or without a pool of connections.
    pub(super) fn client_kind(&self, pooled: bool) -> ClientKind {
        ClientKind {
            roots: self.roots.iter().map(|root| root.source).collect(),
            proxied: self.proxied,
            pooled,
        }
    }
}

impl PartialEq for HttpOptions {
    fn eq(&self, other: &Self) -> bool {
        self.plain_http == other.plain_http
            && self.roots == other.roots
            && self.root_files == other.root_files
            && self.proxied == other.proxied
    }
}

/// The certificate of a certificate authority.
#[derive(Clone, Debug)]
pub(crate) struct RootCertificate {
    pub(super) certificate: CertificateDer<'static>,
    /// The hash of the bundle that it stands in, and its place there.
    source: ([u8; 32], usize),
}

impl PartialEq for RootCertificate {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl RootCertificate {
    /// The certificates of a PEM bundle, at least one. The error is a phrase that follows "it".
    pub(crate) fn bundle(pem: &str) -> Result<Vec<Self>, &'static str> {
        let hash = sha256(pem.as_bytes());
        let roots: Vec<Self> = read_roots(pem)
            .ok_or("holds a certificate that cannot be read")?
            .into_iter()
            .enumerate()
            .map(|(place, certificate)| Self {
                certificate,
                source: (hash, place),
            })
            .collect();
        if roots.is_empty() {
            return Err("holds no certificate");
        }
        Ok(roots)
    }
}
