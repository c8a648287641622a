//! What documents name of a trusted authorization server.

use std::sync::Arc;

#[cfg(feature = "jwks")]
use crate::runtime::http::tls::HttpOptions;

/// An issuer that clients can use: its identifier is a URL.
#[derive(Clone)]
pub(crate) struct AuthorizationServer {
    pub(crate) issuer: Arc<str>,
    /// The address of the document of OpenID Connect Discovery; `None` for an issuer that is known by
    /// OAuth alone.
    pub(crate) open_id_configuration: Option<String>,
    /// The address of the document of RFC 8414; `None` for an issuer with OpenID Connect.
    pub(crate) oauth_metadata: Option<String>,
    /// Addresses of its metadata, tried in order.
    #[cfg(feature = "jwks")]
    pub(crate) candidates: Vec<String>,
    #[cfg(feature = "jwks")]
    pub(crate) http_options: HttpOptions,
}
