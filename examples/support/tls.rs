//! TLS for the development authorization server, with the certificates of clients.
//!
//! 1. A client may show any certificate: which one is a client's own is decided by the authorization server, by its
//!    thumbprint (RFC 8705 section 2.2). The handshake shows that the client has the private key.
//! 2. A client that is slow in its handshake does not hold up the others.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use portcullis::binding::ClientCertificate;
use portcullis::test_util::{TestCertificate, TlsPeer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::crypto::{
    CryptoProvider, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime,
};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
};
use tokio_rustls::server::TlsStream;

const HANDSHAKE: Duration = Duration::from_secs(10);

/// A socket whose connections are TLS.
pub(crate) struct TlsListener {
    address: SocketAddr,
    connections: Receiver<(TlsStream<TcpStream>, TlsPeer)>,
}

impl TlsListener {
    /// Listens here, by this certificate.
    pub(crate) async fn bind(
        address: impl tokio::net::ToSocketAddrs,
        own: &TestCertificate,
    ) -> io::Result<Self> {
        let acceptor = acceptor(own).map_err(io::Error::other)?;
        let socket = TcpListener::bind(address).await?;
        let address = socket.local_addr()?;
        let (sender, connections) = channel(64);
        tokio::spawn(accept(socket, acceptor, sender));
        Ok(Self {
            address,
            connections,
        })
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = TlsPeer;

    async fn accept(&mut self) -> (Self::Io, TlsPeer) {
        match self.connections.recv().await {
            Some(connection) => connection,
            // The task that accepts lives as long as this.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<TlsPeer> {
        Ok(TlsPeer::new(self.address, None))
    }
}

async fn accept(
    socket: TcpListener,
    acceptor: TlsAcceptor,
    sender: Sender<(TlsStream<TcpStream>, TlsPeer)>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            () = sender.closed() => return,
        };
        let Ok((connection, address)) = accepted else {
            continue;
        };
        let (acceptor, sender) = (acceptor.clone(), sender.clone());
        tokio::spawn(async move {
            let handshake = tokio::time::timeout(HANDSHAKE, acceptor.accept(connection));
            let Ok(Ok(connection)) = handshake.await else {
                return;
            };
            let shown = connection.get_ref().1.peer_certificates();
            let shown = shown.and_then(<[_]>::first);
            let certificate = shown.map(|der| ClientCertificate::from_der(&**der));
            let peer = TlsPeer::new(address, certificate);
            // Nobody takes it once the server has stopped.
            let _ = sender.send((connection, peer)).await;
        });
    }
}

fn acceptor(own: &TestCertificate) -> Result<TlsAcceptor, Error> {
    let provider = Arc::new(default_provider());
    let chain = vec![CertificateDer::from(own.der().to_vec())];
    let key = PrivatePkcs8KeyDer::from(own.private_key_der().to_vec());
    let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(Arc::new(AnyCertificate(provider)))
        .with_single_cert(chain, PrivateKeyDer::from(key))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Asks for a certificate and takes any, or none.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
