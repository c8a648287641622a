//! Tokens that are bound to their sender: DPoP (RFC 9449) and mutual TLS (RFC 8705).
//!
//! A stolen bearer token is good for every holder. A bound token is good only with a proof by its
//! client's key, or over a connection with its client's certificate. The chapter
//! [bound tokens](crate::manual::bound_tokens) says when to use which.
//!
//! | where | type |
//! |---|---|
//! | how proofs are accepted | [`Dpop`] |
//! | what is demanded | [`Binding`], and the guard [`SenderConstrained`](crate::extract::SenderConstrained) |
//! | what a token is bound to | [`Confirmation`] |
//! | the server that accepts TLS puts into each request | [`ClientCertificate`] |
//! | a proxy that terminates TLS sends in a header field | [`ClientCertificateHeader`], by the setting [`client_certificate_header`](crate::layer::DangerousLayer::client_certificate_header) |
//! | whose header fields are believed | [`TrustedPeers`], compared with [`PeerAddress`] |

#[doc(inline)]
pub use crate::model::error::rejection::DpopFault;
#[doc(inline)]
pub use crate::model::requirement::binding::Binding;
#[cfg(feature = "redis")]
#[doc(inline)]
pub use crate::server::settings::bound_tokens::dpop::ReplayStoreOutage;
#[doc(inline)]
pub use crate::server::settings::bound_tokens::dpop::{DangerousDpop, Dpop};
#[doc(inline)]
pub use crate::verify::claims::access_token::Confirmation;
#[doc(inline)]
pub use crate::verify::request::certificate_header::ClientCertificateHeader;
#[doc(inline)]
pub use crate::verify::request::client_certificate::ClientCertificate;
#[doc(inline)]
pub use crate::verify::request::trusted_peers::{InvalidPeer, PeerAddress, TrustedPeers};
