//! TLS to the store, with an explicit crypto provider: the `redis` crate uses the default of the
//! process, and panics where `rustls` is compiled with several and none was installed.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs as backend;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Opens a TLS connection. The certificate is checked by the system's roots. The error is in words.
pub(super) async fn connect(host: &str, port: u16) -> Result<TlsStream<TcpStream>, String> {
    let name = ServerName::try_from(host.to_owned());
    let name = name.map_err(|_| "the host is no name that a certificate can have".to_owned())?;
    let connector = TlsConnector::from(Arc::new(configuration()?));
    let socket = open(host, port).await.map_err(|error| error.to_string())?;
    let connected = connector.connect(name, socket).await;
    connected.map_err(|error| error.to_string())
}

/// Opens a plain connection, with `TCP_NODELAY` for small commands.
pub(super) async fn open(host: &str, port: u16) -> std::io::Result<TcpStream> {
    let socket = TcpStream::connect((host, port)).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

fn configuration() -> Result<ClientConfig, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let error = found.errors.first();
        return Err(error.map_or_else(
            || "the system has no root certificates".to_owned(),
            |error| format!("the system's root certificates cannot be read: {error}"),
        ));
    }
    let provider = Arc::new(backend::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
