//! The address of an endpoint: configured, or discovered in the issuer's metadata.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Mutex;

use crate::runtime::clock::Now;
use crate::runtime::discovery::metadata::{Discovered, MetadataQuery, RefreshError};
use crate::runtime::http::client::Fetcher;
use crate::runtime::http::tls::HttpOptions;

/// The address of an endpoint.
#[derive(Clone, Debug)]
pub(crate) enum EndpointUrl {
    Fixed(String),
    /// Named by the first of these metadata documents that is about the issuer.
    Discovered(Vec<String>),
}

/// Resolves the address of one endpoint, when it is needed.
pub(crate) struct EndpointResolver {
    url: EndpointUrl,
    /// The member of the metadata that names it.
    member: &'static str,
    /// The exact `iss`, which a discovery document must name.
    issuer: Arc<str>,
    plain_http: bool,
    fetcher: Fetcher,
    /// Held during discovery, so that concurrent callers share it.
    discovered: Mutex<Option<Discovered>>,
    was_discovered: AtomicBool,
}

impl EndpointResolver {
    pub(in crate::runtime) fn new(
        url: EndpointUrl,
        member: &'static str,
        issuer: Arc<str>,
        http_options: &HttpOptions,
    ) -> Result<Self, String> {
        Ok(Self {
            url,
            member,
            issuer,
            plain_http: http_options.plain_http,
            fetcher: Fetcher::for_lookups(http_options)?,
            discovered: Mutex::new(None),
            was_discovered: AtomicBool::new(false),
        })
    }

    pub(in crate::runtime) const fn issuer(&self) -> &Arc<str> {
        &self.issuer
    }

    /// The client for requests to this endpoint.
    pub(in crate::runtime) const fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }

    /// The address; discovers it where it is not cached.
    pub(in crate::runtime) async fn resolve(&self, now: Now) -> Result<String, RefreshError> {
        let candidates = match &self.url {
            EndpointUrl::Fixed(url) => return Ok(url.clone()),
            EndpointUrl::Discovered(candidates) => candidates,
        };
        let mut discovered = self.discovered.lock().await;
        if let Some(url) = discovered.as_ref().and_then(|known| known.url(now)) {
            return Ok(url.to_owned());
        }
        let wanted = MetadataQuery {
            member: self.member,
            is_named: &|found| found == &*self.issuer,
            plain_http: self.plain_http,
        };
        let url = wanted.find(&self.fetcher, candidates).await?;
        *discovered = Some(Discovered::new(url.clone(), now));
        self.was_discovered.store(true, Ordering::Relaxed);
        Ok(url)
    }

    /// Drops the cached address: the endpoint may have moved.
    pub(in crate::runtime) async fn forget(&self) {
        *self.discovered.lock().await = None;
    }

    /// Whether the address is discovered.
    pub(in crate::runtime) const fn is_discovered(&self) -> bool {
        matches!(self.url, EndpointUrl::Discovered(_))
    }

    /// Whether the address is configured, or was discovered once.
    pub(in crate::runtime) fn is_resolved(&self) -> bool {
        !self.is_discovered() || self.was_discovered.load(Ordering::Relaxed)
    }
}
