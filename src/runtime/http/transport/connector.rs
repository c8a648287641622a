//! Connections: TCP, through a proxy where there is one, and TLS.

use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::runtime::http::probe::ConnectionProblem;
use crate::runtime::http::transport::dial::{ByteStream, dial};
use crate::runtime::http::transport::server_origin::ServerOrigin;
use crate::runtime::http::transport::transport_error::TransportError;
use crate::runtime::http::transport::tunnel::open_tunnel;

/// Time for the name, the connection, the tunnel and the TLS handshake.
const CONNECT_TIME: Duration = Duration::from_secs(2);

/// Makes connections.
pub(super) struct Connector {
    tls: TlsConnector,
    /// Those of the environment, where they are used.
    proxies: Option<Matcher>,
    connect_time: Duration,
}

impl Connector {
    /// `proxied`: whether the proxies are used that the environment names. It is read here, once.
    pub(super) fn new(tls: Arc<ClientConfig>, proxied: bool) -> Self {
        Self {
            tls: TlsConnector::from(tls),
            proxies: proxied.then(Matcher::from_env),
            connect_time: CONNECT_TIME,
        }
    }

    /// The same with another time for connecting.
    #[cfg(test)]
    pub(super) fn within(mut self, connect_time: Duration) -> Self {
        self.connect_time = connect_time;
        self
    }

    /// The same with these proxies.
    #[cfg(test)]
    pub(super) fn by(mut self, proxies: Matcher) -> Self {
        self.proxies = Some(proxies);
        self
    }

    /// The proxy for a URL.
    pub(super) fn proxy_for(&self, url: &Uri) -> Option<Intercept> {
        self.proxies.as_ref()?.intercept(url)
    }

    /// A connection on which requests to this origin are sent: to the origin itself, or to a proxy that
    /// forwards plain requests.
    pub(super) async fn connect(
        &self,
        to: &ServerOrigin,
        proxy: Option<&Intercept>,
    ) -> Result<Box<dyn ByteStream>, TransportError> {
        let connecting = async {
            match proxy {
                None => self.open(to).await,
                Some(proxy) => self.open_through(proxy, to).await,
            }
        };
        let connected = tokio::time::timeout(self.connect_time, connecting).await;
        connected.unwrap_or_else(|_| {
            let problem = ConnectionProblem::TimedOut;
            Err(TransportError::connect_because(
                problem,
                "no answer in time",
            ))
        })
    }

    async fn open_through(
        &self,
        proxy: &Intercept,
        to: &ServerOrigin,
    ) -> Result<Box<dyn ByteStream>, TransportError> {
        let Some(at) = ServerOrigin::of(proxy.uri()) else {
            let problem = ConnectionProblem::Proxy;
            let cause = "the proxy of the environment is none for http";
            return Err(TransportError::connect_because(problem, cause));
        };
        let opened = self.open(&at).await;
        let mut stream = opened.map_err(TransportError::of_proxy)?;
        if !to.is_tls {
            return Ok(stream);
        }
        open_tunnel(&mut *stream, to, proxy.basic_auth()).await?;
        self.secure(stream, to).await
    }

    async fn open(&self, to: &ServerOrigin) -> Result<Box<dyn ByteStream>, TransportError> {
        let stream: Box<dyn ByteStream> = Box::new(dial(to).await?);
        if to.is_tls {
            self.secure(stream, to).await
        } else {
            Ok(stream)
        }
    }

    /// The name of the server is sent unless it is an address (RFC 6066 section 3).
    async fn secure(
        &self,
        stream: Box<dyn ByteStream>,
        to: &ServerOrigin,
    ) -> Result<Box<dyn ByteStream>, TransportError> {
        let name = ServerName::try_from(to.host().to_owned()).map_err(|_| {
            let problem = ConnectionProblem::CertificateName;
            let cause = "the host is no name that a certificate can have";
            TransportError::connect_because(problem, cause)
        })?;
        match self.tls.connect(name, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(TransportError::connect(&error)),
        }
    }
}
