//! How an issuer is reached: trusted certificates, proxies, plain http.

use std::path::PathBuf;

/// The HTTP settings of an issuer.
#[derive(Clone, Debug, Default)]
pub(crate) struct HttpOptions {
    /// Whether plain http is allowed off loopback.
    pub(crate) plain_http: bool,
    /// Trusted in addition to the system's certificates.
    pub(crate) roots: Vec<RootCertificate>,
    /// Files with such certificates, read when they are needed.
    pub(crate) root_files: Vec<PathBuf>,
    /// Whether the proxies are used that the environment names.
    pub(crate) proxied: bool,
}

/// The certificate of a certificate authority.
#[derive(Clone, Debug)]
pub(crate) struct RootCertificate(pub(super) reqwest::Certificate);

impl RootCertificate {
    /// The certificates of a PEM bundle, at least one. The error is a phrase that follows "it".
    pub(crate) fn bundle(pem: &str) -> Result<Vec<Self>, &'static str> {
        const BROKEN: &str = "holds a certificate that cannot be read";
        let roots: Vec<Self> = reqwest::Certificate::from_pem_bundle(pem.as_bytes())
            .map_err(|_| BROKEN)?
            .into_iter()
            .map(Self)
            .collect();
        if roots.is_empty() {
            return Err("holds no certificate");
        }
        // `reqwest` parses certificates when a client is built; this one trusts nothing else, so the
        // system's certificates cannot fail it.
        reqwest::Client::builder()
            .tls_backend_rustls()
            .tls_certs_only(roots.iter().map(|root| root.0.clone()))
            .build()
            .map(|_| roots)
            .map_err(|_| BROKEN)
    }
}
