//! What axum records in the extensions of a request: the URI that the client has sent, where nested
//! routers have removed a prefix, and the address of the connection's other end.

#[cfg(feature = "jwks")]
use std::net::{IpAddr, SocketAddr};

#[cfg(feature = "jwks")]
use axum::extract::ConnectInfo;
use axum::extract::OriginalUri;
use http::{Extensions, Uri};

/// What the outermost router has recorded.
pub(in crate::middleware) fn original_uri(extensions: &Extensions) -> Option<&Uri> {
    extensions.get::<OriginalUri>().map(|original| &original.0)
}

/// The address that `into_make_service_with_connect_info` records. `ConnectInfo` exists with axum's
/// feature `tokio` alone, which the feature `jwks` enables.
#[cfg(feature = "jwks")]
pub(in crate::middleware) fn connected_address(extensions: &Extensions) -> Option<IpAddr> {
    let connected = extensions.get::<ConnectInfo<SocketAddr>>();
    connected.map(|ConnectInfo(address)| address.ip())
}
