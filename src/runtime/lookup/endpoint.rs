//! An endpoint that is sent tokens, and what can go wrong.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::model::error::rejection::Outage;
use crate::model::time::UnixTime;
use crate::runtime::clock::Now;
use crate::runtime::discovery::endpoint_url::EndpointResolver;
use crate::runtime::http::client::{FetchError, RawResponse};
use crate::verify::crypto::random::random_bytes;

/// The bound on an endpoint's `Retry-After`.
pub(super) const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// Time for one look-up, discovery included. Real time.
const TOTAL_TIME: Duration = Duration::from_secs(10);

/// An endpoint of an issuer that is sent tokens: introspection or userinfo.
pub(crate) trait RemoteEndpoint: Send + Sync + 'static {
    type Response: Send;

    /// The outage of a look-up that failed.
    const FAILED: Outage;

    /// The outage of a look-up that did not end in time.
    const TIMED_OUT: Outage;

    /// The log messages.
    const MESSAGES: LogMessages;

    fn resolver(&self) -> &EndpointResolver;

    /// Sends one request to this address.
    fn send(
        &self,
        url: &str,
        token: &str,
        now: UnixTime,
    ) -> impl Future<Output = Result<Self::Response, EndpointError>> + Send;

    /// The text of a response that may be shared with other instances.
    #[cfg(feature = "redis")]
    fn shared_text(_: &Self::Response) -> Option<&[u8]> {
        None
    }

    /// The response with this text, which another instance has received.
    #[cfg(feature = "redis")]
    fn from_shared_text(_: Vec<u8>) -> Option<Self::Response> {
        None
    }
}

pub(crate) struct LogMessages {
    /// When failures begin.
    pub(crate) failing: &'static str,
    /// When they end.
    pub(crate) recovered: &'static str,
}

/// Wall time and monotonic time of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestTime {
    pub(crate) wall: UnixTime,
    pub(crate) monotonic: Duration,
    /// How long before `monotonic` the request was made, where another instance made it.
    pub(crate) earlier: Duration,
}

impl RequestTime {
    /// The same as one reading of the clock.
    pub(crate) const fn now(self) -> Now {
        Now {
            wall: self.wall,
            monotonic: self.monotonic,
        }
    }
}

/// Why there is no verdict: never the caller's fault.
#[derive(Clone, Debug)]
pub(crate) struct EndpointError {
    /// `None`: the endpoint's [`FAILED`](RemoteEndpoint::FAILED).
    pub(crate) outage: Option<Outage>,
    /// For the operator; names addresses without their query, and quotes no body.
    pub(crate) reason: Arc<str>,
    /// The endpoint's `Retry-After`.
    pub(crate) retry_after: Option<Duration>,
    scope: ErrorScope,
}

/// What a failure is evidence about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ErrorScope {
    /// The token: the same token fails again, and another one may not.
    Token,
    /// The token or the endpoint.
    Unknown,
    /// The endpoint: it was not reached.
    Endpoint,
}

impl EndpointError {
    pub(crate) fn failed(reason: impl Into<Arc<str>>) -> Self {
        Self {
            outage: None,
            reason: reason.into(),
            retry_after: None,
            scope: ErrorScope::Unknown,
        }
    }

    /// There was no response.
    pub(in crate::runtime) fn unreachable(reason: impl Into<Arc<str>>) -> Self {
        Self {
            scope: ErrorScope::Endpoint,
            ..Self::failed(reason)
        }
    }

    #[cfg(test)]
    pub(super) fn about_the_token(reason: &str) -> Self {
        Self {
            scope: ErrorScope::Token,
            ..Self::failed(reason)
        }
    }

    /// A request that failed.
    pub(in crate::runtime) fn of_fetch(error: &FetchError) -> Self {
        if error.is_no_answer() {
            Self::unreachable(error.to_string())
        } else {
            Self::failed(error.to_string())
        }
    }

    /// Whether it concerns this token alone.
    pub(super) fn is_about_the_token(&self) -> bool {
        self.scope == ErrorScope::Token
    }

    pub(super) fn is_unreachable(&self) -> bool {
        self.scope == ErrorScope::Endpoint
    }

    /// A response whose status is a failure. `outage` is `None` for the endpoint's `FAILED`.
    pub(in crate::runtime) fn of_status(
        url: &str,
        response: &RawResponse,
        outage: Option<Outage>,
    ) -> Self {
        Self {
            outage,
            reason: FetchError::of_status(url, response.status)
                .to_string()
                .into(),
            retry_after: response
                .retry_after
                .map(|retry_after| retry_after.min(MAX_RETRY_AFTER)),
            scope: match response.status {
                // About our own credentials (RFC 7662 s2.3).
                401 => ErrorScope::Unknown,
                // A firewall's 403 is about the token's content, as 400 and 413 may be; a 429 may be
                // about one user or one client.
                400..=499 => ErrorScope::Token,
                _ => ErrorScope::Unknown,
            },
        }
    }
}

/// Looks up a random text, which is no token: an endpoint that gives a verdict on it works.
pub(super) async fn health_check<E: RemoteEndpoint>(
    endpoint: &E,
    asked: RequestTime,
) -> Result<(), EndpointError> {
    let text = random_bytes::<16>()
        .ok_or_else(|| EndpointError::failed("the system gives no randomness"))?;
    let text = URL_SAFE_NO_PAD.encode(text);
    look_up(endpoint, &text, asked).await.map(drop)
}

/// Resolves the address and sends the token there.
pub(super) async fn look_up<E: RemoteEndpoint>(
    endpoint: &E,
    token: &str,
    asked: RequestTime,
) -> Result<E::Response, EndpointError> {
    let resolver = endpoint.resolver();
    let total = async {
        let url = resolver
            .resolve(asked.now())
            .await
            .map_err(|error| EndpointError::unreachable(error.to_string()))?;
        let response = endpoint.send(&url, token, asked.wall).await;
        let failed = |error: &EndpointError| error.outage.is_none();
        if response.as_ref().is_err_and(failed) && resolver.is_discovered() {
            // The address may have moved.
            resolver.forget().await;
        }
        response
    };
    tokio::time::timeout(TOTAL_TIME, total)
        .await
        .unwrap_or_else(|_| Err(EndpointError::unreachable("no answer within 10 s")))
}
