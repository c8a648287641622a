//! Tokens that are bound to their sender: the certificate of the client (RFC 8705 section 3).
//!
//! | where | type |
//! |---|---|
//! | the server that accepts TLS puts into each request | [`ClientCertificate`] |
//! | a proxy that terminates TLS sends in a header field | [`ClientCertificateHeader`], by the setting [`client_certificate_header`](crate::layer::DangerousLayer::client_certificate_header) |
//! | whose header fields are believed | [`TrustedPeers`], compared with [`PeerAddress`] |

#[doc(inline)]
pub use crate::verify::request::certificate_header::ClientCertificateHeader;
#[doc(inline)]
pub use crate::verify::request::client_certificate::ClientCertificate;
#[doc(inline)]
pub use crate::verify::request::trusted_peers::{InvalidPeer, PeerAddress, TrustedPeers};
