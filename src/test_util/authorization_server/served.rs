//! A development authorization server that answers over HTTP.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use tokio::sync::watch;

use super::endpoints::authorize::sign_in_as;
use super::endpoints::discovery;
use super::state::Server;
use crate::Issuer;
use crate::test_util::issuer::MockIssuer;
use crate::test_util::served::{Endpoint, Fault, Faults};

/// An [`AuthorizationServer`](super::AuthorizationServer) that answers. It stops when this handle is dropped, and closes
/// its connections, those of requests that hang too.
///
/// It dereferences to its [`MockIssuer`]: `rotate()`, `token()` and their neighbours work on the running server.
pub struct ServedAuthorizationServer {
    server: Arc<Server>,
    /// Dropped with this handle, and the server ends by that.
    _stop: watch::Sender<()>,
}

impl ServedAuthorizationServer {
    pub(super) const fn new(server: Arc<Server>, stop: watch::Sender<()>) -> Self {
        Self {
            server,
            _stop: stop,
        }
    }

    /// The base URL, such as `http://127.0.0.1:9400`, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.server.url
    }

    /// The URL of an endpoint.
    #[must_use]
    pub fn url_of(&self, endpoint: Endpoint) -> String {
        format!("{}{}", self.url(), endpoint.path())
    }

    /// The metadata as it is served (OpenID Connect Discovery 1.0, RFC 8414), as JSON.
    #[must_use]
    pub fn discovery_document(&self) -> String {
        discovery::document(&self.server).to_string()
    }

    /// How a resource server trusts it: keys are fetched from here, through discovery, or for an issuer of a
    /// vendor from the URL of the key set.
    pub fn trusted(&self) -> Issuer {
        let issuer = self.untied();
        if self.issuer() == self.url() {
            issuer
        } else if self.is_cognito() {
            issuer.key_set_url(self.url_of(Endpoint::KeySet))
        } else {
            issuer.discovery_url(self.url_of(Endpoint::Discovery))
        }
    }

    /// How a resource server trusts it to judge opaque tokens by introspection, as the client
    /// [`MockIssuer::RESOURCE_SERVER_ID`].
    pub fn introspected(&self) -> Issuer {
        self.introspected_at(self.url_of(Endpoint::Introspection))
    }

    /// Signs a prepared user in without a browser: the URL to which the server would redirect, with `code` or
    /// `error` in its query. `authorization_url` is what a client would open.
    ///
    /// # Errors
    ///
    /// A sentence, where the browser would see an error page, and where there is no user with this subject.
    pub async fn sign_in(&self, authorization_url: &str, subject: &str) -> Result<String, String> {
        let (_, query) = authorization_url.split_once('?').unwrap_or_default();
        sign_in_as(&self.server, query, subject).await
    }

    /// Answers no request from now on: connections are closed, except those to `/admin`.
    pub fn stop(&self) {
        self.break_with(Fault::Refuse);
    }

    /// Ends every fault.
    pub fn restart(&self) {
        self.server.faults.send_replace(Faults::default());
    }

    /// Fails every request like this from now on, except those to `/admin`.
    #[allow(clippy::needless_pass_by_value)] // like its neighbours
    pub fn break_with(&self, fault: Fault) {
        self.server.faults.send_modify(|faults| {
            for endpoint in Endpoint::OF_AUTHORIZATION_SERVER {
                faults.set(*endpoint, fault.clone());
            }
        });
    }

    /// Fails requests to one endpoint like this; the others answer as before.
    pub fn break_endpoint_with(&self, endpoint: Endpoint, fault: Fault) {
        self.server
            .faults
            .send_modify(|faults| faults.set(endpoint, fault));
    }

    /// How many requests have come to an endpoint, failed ones included.
    #[must_use]
    pub fn requests(&self, endpoint: Endpoint) -> usize {
        self.server
            .requests
            .borrow()
            .get(&endpoint)
            .copied()
            .unwrap_or_default()
    }
}

impl Deref for ServedAuthorizationServer {
    type Target = MockIssuer;

    fn deref(&self) -> &MockIssuer {
        &self.server.issuer
    }
}

impl fmt::Debug for ServedAuthorizationServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServedAuthorizationServer")
            .field("url", &self.server.url)
            .field("issuer", &self.server.issuer)
            .finish_non_exhaustive()
    }
}
