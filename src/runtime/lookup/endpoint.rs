//! Somebody who is asked something with a token, and what can go wrong.

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
use crate::verify::crypto::primitives::random_bytes;

/// Longest rest that an endpoint may ask for.
pub(in crate::runtime) const LONGEST_REST: Duration = Duration::from_secs(60);

/// One question with everything in it, discovery included. Real time.
const WHOLE_TIME: Duration = Duration::from_secs(10);

/// An endpoint of an issuer that is asked something with a token.
pub(crate) trait RemoteEndpoint: Send + Sync + 'static {
    type Said: Send;

    /// What operators read when trouble starts and when it ends.
    const WORDS: LogMessages;

    fn whereabouts(&self) -> &EndpointResolver;

    /// Asks at this address, once.
    fn ask_at(
        &self,
        place: &str,
        token: &str,
        now: UnixTime,
    ) -> impl Future<Output = Result<Self::Said, EndpointError>> + Send;

    /// The text of an answer that other instances may hear of.
    #[cfg(feature = "redis")]
    fn shared(_: &Self::Said) -> Option<&[u8]> {
        None
    }

    /// The answer with this text, as another instance has heard it.
    #[cfg(feature = "redis")]
    fn said(_: Vec<u8>) -> Option<Self::Said> {
        None
    }
}

pub(crate) struct LogMessages {
    pub(crate) trouble: &'static str,
    pub(crate) recovery: &'static str,
}

/// When a question was asked, by both hands of the server's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestTime {
    pub(crate) wall: UnixTime,
    pub(crate) monotonic: Duration,
    /// How long before `monotonic` that was, where another instance asked.
    pub(crate) earlier: Duration,
}

impl RequestTime {
    /// As one look at the clock.
    pub(crate) const fn now(self) -> Now {
        Now {
            wall: self.wall,
            monotonic: self.monotonic,
        }
    }
}

/// Why there is no verdict. Never the caller's fault.
#[derive(Clone, Debug)]
pub(crate) struct EndpointError {
    pub(crate) outage: Outage,
    /// For the operator; names addresses without their query, and quotes no body.
    pub(crate) reason: Arc<str>,
    /// How long the endpoint wants to be left alone.
    pub(crate) rest: Option<Duration>,
    concerns: ErrorScope,
}

/// What a failure says something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ErrorScope {
    /// About this question: the same question gets the same answer, and another one may not.
    Question,
    /// About the question or the endpoint.
    Unsaid,
    /// The endpoint was not reached.
    Endpoint,
}

impl EndpointError {
    pub(crate) fn failed(reason: impl Into<Arc<str>>) -> Self {
        Self {
            outage: Outage::IntrospectionFailed,
            reason: reason.into(),
            rest: None,
            concerns: ErrorScope::Unsaid,
        }
    }

    /// Nothing was answered.
    pub(in crate::runtime) fn unreachable(reason: impl Into<Arc<str>>) -> Self {
        Self {
            concerns: ErrorScope::Endpoint,
            ..Self::failed(reason)
        }
    }

    #[cfg(test)]
    pub(in crate::runtime) fn about_the_question(outage: Outage, reason: &str) -> Self {
        Self {
            concerns: ErrorScope::Question,
            outage,
            ..Self::failed(reason)
        }
    }

    /// No answer, or one that is none.
    pub(in crate::runtime) fn of_fetch(error: &FetchError) -> Self {
        if error.is_no_answer() {
            Self::unreachable(error.to_string())
        } else {
            Self::failed(error.to_string())
        }
    }

    /// Whether it concerns the token that was asked about, and no other.
    pub(in crate::runtime) fn is_about_the_question(&self) -> bool {
        self.concerns == ErrorScope::Question
    }

    pub(in crate::runtime) fn is_unreachable(&self) -> bool {
        self.concerns == ErrorScope::Endpoint
    }

    /// An answer that does not count, for its status.
    pub(in crate::runtime) fn of_status(place: &str, told: &RawResponse, outage: Outage) -> Self {
        Self {
            outage,
            reason: FetchError::of_status(place, told.status).to_string().into(),
            rest: told.retry_after.map(|rest| rest.min(LONGEST_REST)),
            concerns: match told.status {
                // About our own credentials (RFC 7662 s2.3).
                401 => ErrorScope::Unsaid,
                // A firewall's 403 is about what stands in the token, as a 400 or a 413 may be, and
                // a 429 may be about one client of the endpoint's, or one user.
                400..=499 => ErrorScope::Question,
                _ => ErrorScope::Unsaid,
            },
        }
    }
}

/// Asks about a random text, which is no token of anybody's: an endpoint that answers this is well.
pub(in crate::runtime) async fn ask_about_nothing<O: RemoteEndpoint>(
    oracle: &O,
    asked: RequestTime,
) -> Result<(), EndpointError> {
    let text =
        random_bytes().ok_or_else(|| EndpointError::failed("the system gives no randomness"))?;
    let text = URL_SAFE_NO_PAD.encode(text);
    ask(oracle, &text, asked).await.map(drop)
}

/// Asks, wherever that is to be done.
pub(in crate::runtime) async fn ask<O: RemoteEndpoint>(
    oracle: &O,
    token: &str,
    asked: RequestTime,
) -> Result<O::Said, EndpointError> {
    let whereabouts = oracle.whereabouts();
    let whole = async {
        let place = whereabouts
            .find(asked.now())
            .await
            .map_err(|error| EndpointError::unreachable(error.to_string()))?;
        let said = oracle.ask_at(&place, token, asked.wall).await;
        let failed = |trouble: &EndpointError| trouble.outage == Outage::IntrospectionFailed;
        if said.as_ref().is_err_and(failed) && whereabouts.is_discovered() {
            // The address may have moved.
            whereabouts.doubt().await;
        }
        said
    };
    tokio::time::timeout(WHOLE_TIME, whole)
        .await
        .unwrap_or_else(|_| Err(EndpointError::unreachable("no answer within 10 s")))
}
