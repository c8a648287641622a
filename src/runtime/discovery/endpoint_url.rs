//! Where an issuer is asked: an address that was configured, or that its metadata gives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Mutex;

use crate::runtime::clock::Now;
use crate::runtime::discovery::metadata::{Discovered, MetadataQuery, RefreshError};
use crate::runtime::http::client::{Fetcher, HttpOptions};

/// Where an endpoint is.
#[derive(Clone, Debug)]
pub(crate) enum EndpointUrl {
    At(String),
    /// In the first of these documents that is about the issuer.
    Discovered(Vec<String>),
}

/// The place of one endpoint, found when it is needed.
pub(crate) struct EndpointResolver {
    place: EndpointUrl,
    /// The member of the metadata that names it.
    member: &'static str,
    /// The exact `iss`, which a discovery document must name.
    issuer: Arc<str>,
    plain_http: bool,
    fetcher: Fetcher,
    /// Held over a look-up, which all who need it share.
    discovered: Mutex<Option<Discovered>>,
    was_located: AtomicBool,
}

impl EndpointResolver {
    pub(in crate::runtime) fn new(
        place: EndpointUrl,
        member: &'static str,
        issuer: Arc<str>,
        reach: &HttpOptions,
    ) -> Result<Self, String> {
        Ok(Self {
            place,
            member,
            issuer,
            plain_http: reach.plain_http,
            fetcher: Fetcher::for_questions(reach)?,
            discovered: Mutex::new(None),
            was_located: AtomicBool::new(false),
        })
    }

    pub(in crate::runtime) const fn issuer(&self) -> &Arc<str> {
        &self.issuer
    }

    /// What is sent there is sent by this.
    pub(in crate::runtime) const fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }

    /// The address; discovered now, where it is not known.
    pub(in crate::runtime) async fn find(&self, now: Now) -> Result<String, RefreshError> {
        let candidates = match &self.place {
            EndpointUrl::At(url) => return Ok(url.clone()),
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
        self.was_located.store(true, Ordering::Relaxed);
        Ok(url)
    }

    /// Looks it up anew next time: it may have moved.
    pub(in crate::runtime) async fn doubt(&self) {
        *self.discovered.lock().await = None;
    }

    /// Whether the address has to be looked up.
    pub(in crate::runtime) const fn is_discovered(&self) -> bool {
        matches!(self.place, EndpointUrl::Discovered(_))
    }

    /// Whether the address is known, or was once.
    pub(in crate::runtime) fn is_located(&self) -> bool {
        !self.is_discovered() || self.was_located.load(Ordering::Relaxed)
    }
}
