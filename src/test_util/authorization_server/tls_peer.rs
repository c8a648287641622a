//! The other end of a TLS connection to the server.

use std::net::SocketAddr;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};

use super::connections::Ending;
use crate::binding::ClientCertificate;

/// The other end of a TLS connection to an [`AuthorizationServer`](super::AuthorizationServer): the address, and the
/// certificate that a client has shown (RFC 8705).
#[derive(Clone, Debug)]
#[must_use]
pub struct TlsPeer {
    pub(super) address: SocketAddr,
    pub(super) certificate: Option<ClientCertificate>,
}

impl TlsPeer {
    /// A peer at this address, with the certificate of its handshake.
    pub const fn new(address: SocketAddr, certificate: Option<ClientCertificate>) -> Self {
        Self {
            address,
            certificate,
        }
    }
}

impl<L: Listener<Addr = Self>> Connected<IncomingStream<'_, Ending<L>>> for TlsPeer {
    fn connect_info(connection: IncomingStream<'_, Ending<L>>) -> Self {
        connection.remote_addr().clone()
    }
}
