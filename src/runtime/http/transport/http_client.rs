//! The client: a connection for each request, or one that is idle.

use std::sync::Arc;
#[cfg(test)]
use std::time::Duration;

use http::header::{HOST, PROXY_AUTHORIZATION, USER_AGENT as USER_AGENT_FIELD};
use http::{HeaderValue, Request, Uri};
use hyper::client::conn::http1;
use hyper_util::client::proxy::matcher::Intercept;
#[cfg(test)]
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use tokio_rustls::rustls::pki_types::CertificateDer;

use crate::runtime::http::transport::connector::Connector;
use crate::runtime::http::transport::http_response::HttpResponse;
use crate::runtime::http::transport::pool::{ConnectionPool, Sender};
use crate::runtime::http::transport::server_origin::ServerOrigin;
use crate::runtime::http::transport::tls_config::client_config;
use crate::runtime::http::transport::transport_error::TransportError;
use crate::runtime::http::transport::tunnel::USER_AGENT;
use crate::runtime::util::current_runtime::boxed_task;

/// The client. Clones share its connections and certificates.
#[derive(Clone)]
pub(crate) struct HttpClient(Arc<Parts>);

struct Parts {
    connector: Connector,
    /// Where idle connections are kept.
    pool: Option<Arc<ConnectionPool>>,
}

impl HttpClient {
    /// A client that trusts these certificates beside the system's.
    ///
    /// `proxied`: whether it uses the proxies that the environment names. `pooled`: whether it keeps idle
    /// connections. The error is a sentence.
    pub(crate) fn new(
        roots: Vec<CertificateDer<'static>>,
        proxied: bool,
        pooled: bool,
    ) -> Result<Self, String> {
        let tls = client_config(roots).map_err(|error| error.to_string())?;
        let connector = Connector::new(tls, proxied);
        let pool = pooled.then(Arc::default);
        Ok(Self(Arc::new(Parts { connector, pool })))
    }

    /// Sends a request with an absolute URL, and returns as soon as the head of the response is there.
    ///
    /// A request that an idle connection did not take, because its server had closed it, is sent on another
    /// connection. One that may have been sent is never sent again.
    pub(crate) async fn send(
        &self,
        mut request: Request<String>,
    ) -> Result<HttpResponse, TransportError> {
        let origin = ServerOrigin::of(request.uri()).ok_or_else(TransportError::unsendable)?;
        let proxy = self.0.connector.proxy_for(request.uri());
        let forwarded = proxy.as_ref().filter(|_| !origin.is_tls);
        let credentials = forwarded.and_then(|proxy| proxy.basic_auth().cloned());
        let target = if forwarded.is_some() {
            absolute_form(request.uri())
        } else {
            origin_form(request.uri())
        };
        *request.uri_mut() = target.ok_or_else(TransportError::unsendable)?;
        let host = HeaderValue::try_from(origin.host_field());
        let host = host.map_err(|_| TransportError::unsendable())?;
        let headers = request.headers_mut();
        headers.insert(HOST, host);
        headers.insert(USER_AGENT_FIELD, HeaderValue::from_static(USER_AGENT));
        if let Some(credentials) = credentials {
            headers.insert(PROXY_AUTHORIZATION, credentials);
        }
        while let Some(mut sender) = self.0.pool.as_ref().and_then(|pool| pool.take(&origin)) {
            match sender.try_send_request(request).await {
                Ok(response) => return Ok(self.respond(origin, sender, response)),
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(TransportError::broken(&failed.into_error())),
                },
            }
        }
        // On the heap: handshakes are large, and each issuer's task has room for what it awaits.
        let mut sender = Box::pin(self.connect(&origin, proxy.as_ref())).await?;
        match sender.try_send_request(request).await {
            Ok(response) => Ok(self.respond(origin, sender, response)),
            Err(failed) => Err(TransportError::broken(&failed.into_error())),
        }
    }

    async fn connect(
        &self,
        origin: &ServerOrigin,
        proxy: Option<&Intercept>,
    ) -> Result<Sender, TransportError> {
        let stream = self.0.connector.connect(origin, proxy).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| TransportError::connect(&error))?;
        tokio::spawn(boxed_task(async move {
            // The request on it, if there is one, gets the error too.
            let _ = connection.await;
        }));
        Ok(sender)
    }

    /// A client whose times for connecting and for idle connections are these.
    #[cfg(test)]
    pub(in crate::runtime::http) fn with_times(connect: Duration, idle: Duration) -> Self {
        let tls = client_config(Vec::new()).expect("roots of the system");
        Self(Arc::new(Parts {
            connector: Connector::new(tls, false).within(connect),
            pool: Some(Arc::new(ConnectionPool::with_idle_time(idle))),
        }))
    }

    /// A client with a pool that uses this proxy, but for these hosts, as the environment would name them.
    #[cfg(test)]
    pub(in crate::runtime::http) fn with_proxy(proxy: &str, but_for: &str) -> Self {
        let proxies = Matcher::builder().all(proxy).no(but_for).build();
        let tls = client_config(Vec::new()).expect("roots of the system");
        Self(Arc::new(Parts {
            connector: Connector::new(tls, false).by(proxies),
            pool: Some(Arc::default()),
        }))
    }

    /// Waits until no connection is about to go back to the pool.
    #[cfg(test)]
    pub(in crate::runtime::http) async fn settle(&self) {
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
    }

    #[cfg(test)]
    pub(in crate::runtime::http) fn idle_connections(&self) -> usize {
        self.0.pool.as_ref().map_or(0, |pool| pool.count(|_| true))
    }

    #[cfg(test)]
    pub(in crate::runtime::http) fn is_swept(&self) -> bool {
        self.0.pool.as_ref().is_some_and(|pool| pool.is_swept())
    }

    /// Whether servers have closed all idle connections.
    #[cfg(test)]
    pub(in crate::runtime::http) fn has_only_closed(&self) -> bool {
        let open = |sender: &Sender| !sender.is_closed();
        self.0
            .pool
            .as_ref()
            .is_none_or(|pool| pool.count(open) == 0)
    }

    fn respond(
        &self,
        origin: ServerOrigin,
        sender: Sender,
        response: http::Response<hyper::body::Incoming>,
    ) -> HttpResponse {
        let pool = self.0.pool.clone().map(|pool| (pool, origin));
        HttpResponse::new(response, sender, pool)
    }
}

/// RFC 9112 section 3.2.1: path and query.
fn origin_form(url: &Uri) -> Option<Uri> {
    target(url).parse().ok()
}

/// RFC 9112 section 3.2.2: the whole URL.
fn absolute_form(url: &Uri) -> Option<Uri> {
    let (scheme, authority) = (url.scheme_str()?, url.authority()?);
    format!("{scheme}://{authority}{}", target(url))
        .parse()
        .ok()
}

fn target(url: &Uri) -> String {
    let target = url.path_and_query().map_or("/", |target| target.as_str());
    if target.starts_with('/') {
        target.to_owned()
    } else {
        format!("/{target}")
    }
}
