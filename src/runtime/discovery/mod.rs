//! Discovery: an authorization server's metadata document, and the endpoints that it names (RFC 8414).

pub(crate) mod metadata;
pub(crate) mod endpoint_url;
#[cfg(any(feature = "aide", feature = "utoipa"))]
pub(crate) mod oauth_endpoints;
