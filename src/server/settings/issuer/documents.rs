//! Settings of an issuer about the way to its documents: a credential, roots in files, another origin.

use std::path::PathBuf;

use crate::server::settings::issuer::value::Issuer;

impl Issuer {
    /// Sends the token in this file as a bearer token (RFC 6750 section 2.1) with requests for this issuer's
    /// key sets and discovery document, as the API server of Kubernetes demands it. The file is read for
    /// each request, so that a token that rotates is always the present one: at most 64 KiB, visible ASCII,
    /// and line ends around it are cut. It is sent to the origins that the settings name alone, those of
    /// [`key_set_url`](Self::key_set_url), [`discovery_url`](Self::discovery_url),
    /// [`key_set_origin`](Self::key_set_origin) and the issuer, and never to another one that a
    /// discovery document names. A file that cannot be read is a failed fetch. Default: none is sent.
    #[doc(alias("service_account", "kubernetes", "authorization"))]
    pub fn bearer_token_file(mut self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        self.once.set("bearer_token_file", &path);
        self.access.bearer_token_file = Some(path);
        self
    }

    /// Trusts the certificates in this PEM file as [`root_certificate`](Self::root_certificate) does,
    /// such as the authority of a Kubernetes cluster; call it once for each file. It is read when
    /// documents are fetched, and again at most every minute, so that a new authority needs no restart.
    /// A file that cannot be read, or holds no certificate, is a failed fetch; where it was read before,
    /// what it held then counts. At most 1 MiB. Default: none, as for certificates in the settings.
    #[doc(alias("ca_file", "cluster_ca", "certificate_authority"))]
    pub fn root_certificate_file(mut self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        if !self.access.root_files.contains(&path) {
            self.access.root_files.push(path);
        }
        self
    }

    /// Fetches the key set that the discovery document names from this origin in place of its own:
    /// `https://kubernetes.default.svc`, where `jwks_uri` names a host that only the control plane
    /// reaches. Path and query stay. The certificate must be for this host. Default: the origin that
    /// the document names.
    #[doc(alias("jwks_uri", "rewrite", "proxy"))]
    pub fn key_set_origin(mut self, origin: impl Into<String>) -> Self {
        let origin = origin.into();
        self.once.set("key_set_origin", &origin);
        self.access.key_set_origin = Some(origin);
        self
    }
}
