//! The client's certificate from the header field of a trusted proxy.
//!
//! 1. Only where the setting is given: no other request is looked at, and none is changed.
//! 2. A trusted peer terminates TLS for its clients. The certificate of its own connection says
//!    nothing about them, so the header field alone counts: an absent field is no certificate.
//! 3. The field of any other peer, or of one whose address is unknown, is removed before anything
//!    else reads it. The certificate of the peer's own connection stays.

use std::net::IpAddr;

use http::{Extensions, Request};

#[cfg(all(feature = "axum", feature = "jwks"))]
use crate::middleware::authenticate::axum_extensions::connected_address;
use crate::model::error::rejection::{Rejection, RequestFault};
use crate::model::error::rejection_detail::RejectionDetail;
use crate::verify::request::certificate_header::ClientCertificateHeader;
use crate::verify::request::client_certificate::ClientCertificate;
use crate::verify::request::trusted_peers::{PeerAddress, TrustedPeers};

/// The name of the setting.
pub(in crate::middleware) const SETTING: &str = "client_certificate_header";

/// Which header field is read, and from which peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::middleware) struct CertificateProxy {
    pub(in crate::middleware) header: ClientCertificateHeader,
    pub(in crate::middleware) peers: TrustedPeers,
}

/// In the extensions of a request whose certificate comes from a header field.
#[derive(Clone, Copy)]
struct ReadFromHeader;

impl CertificateProxy {
    /// Replaces the request's [`ClientCertificate`] by the one that a trusted peer states, and
    /// removes the header field of any other peer.
    ///
    /// # Errors
    ///
    /// [`RequestFault::ClientCertificate`]: a trusted peer sent a field that does not describe
    /// exactly one certificate.
    pub(in crate::middleware) fn apply<B>(
        &self,
        request: &mut Request<B>,
    ) -> Result<(), Rejection> {
        let peer = peer_address(request.extensions());
        // The innermost layer decides, so the certificate that an outer one read is removed.
        let was_read = request.extensions_mut().remove::<ReadFromHeader>();
        let is_trusted = peer.is_some_and(|address| self.peers.contains(address));
        if is_trusted || was_read.is_some() {
            request.extensions_mut().remove::<ClientCertificate>();
        }
        if !is_trusted {
            self.header.remove_from(request.headers_mut());
            return Ok(());
        }
        match self.header.read(request.headers()) {
            Ok(Some(certificate)) => {
                request.extensions_mut().insert(certificate);
                request.extensions_mut().insert(ReadFromHeader);
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(fault) => {
                let detail = RejectionDetail::new()
                    .with_setting(SETTING)
                    .with_problem(fault.problem())
                    .with_expected(fault.expected());
                Err(Rejection::from(RequestFault::ClientCertificate).with_detail(detail))
            }
        }
    }
}

/// The address of the connection's other end, where the server has put it into the request.
fn peer_address(extensions: &Extensions) -> Option<IpAddr> {
    let stated = extensions.get().map(|PeerAddress(address)| *address);
    stated.or_else(|| connected_address(extensions))
}

#[cfg(not(all(feature = "axum", feature = "jwks")))]
const fn connected_address(_: &Extensions) -> Option<IpAddr> {
    None
}
