//! The other end of a TLS connection to the server.

use std::io;
use std::net::SocketAddr;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};

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

/// A socket of the caller's, as a type of this crate.
pub(super) struct TlsSocket<L>(pub(super) L);

impl<L: Listener<Addr = TlsPeer>> Listener for TlsSocket<L> {
    type Io = L::Io;
    type Addr = TlsPeer;

    async fn accept(&mut self) -> (L::Io, TlsPeer) {
        self.0.accept().await
    }

    fn local_addr(&self) -> io::Result<TlsPeer> {
        self.0.local_addr()
    }
}

impl<L: Listener<Addr = Self>> Connected<IncomingStream<'_, TlsSocket<L>>> for TlsPeer {
    fn connect_info(connection: IncomingStream<'_, TlsSocket<L>>) -> Self {
        connection.remote_addr().clone()
    }
}
