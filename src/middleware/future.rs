//! The response future of the layers: unboxed, unless the decision is pending.
//!
//! A refusal waits until the rest of the request's body is read; see `drain_body`. By then the
//! inner future is dropped, with everything that it held.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use http::header::{CACHE_CONTROL, HeaderValue};
use pin_project_lite::pin_project;

use crate::middleware::decision::DecisionGuard;
use crate::middleware::response::drain_body::Reading;
#[cfg(feature = "jwks")]
use crate::middleware::response::drain_body::ReturnedBody;
use crate::middleware::response::respond::DPOP_NONCE;
#[cfg(feature = "jwks")]
use crate::model::error::rejection::RejectionKind;

/// A request body that was lent to the inner service, where one was.
#[cfg(feature = "jwks")]
pub(super) type Lent = Option<std::sync::Arc<ReturnedBody>>;

/// Without a timer no body is read.
#[cfg(not(feature = "jwks"))]
pub(super) type Lent = ();

#[cfg(feature = "jwks")]
type Boxed<ResBody, E> =
    Pin<Box<dyn Future<Output = Result<(Response<ResBody>, Option<Reading>), E>> + Send>>;

/// Without fetched key sets no decision is pending.
#[cfg(not(feature = "jwks"))]
type Boxed<ResBody, E> = std::future::Ready<Result<(Response<ResBody>, Option<Reading>), E>>;

/// In the extensions of a refusal for which a layer has read the request's body, so that an outer
/// layer does not read and wait once more.
#[derive(Clone)]
struct RestWasRead;

pin_project! {
    /// The future of [`Authenticate`](crate::layer::Authenticate) and [`RequireScope`](crate::layer::RequireScope).
    pub struct ResponseFuture<F, ResBody, E> {
        #[pin]
        kind: Kind<F, ResBody, E>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<F, ResBody, E> {
        Inner { #[pin] future: F, lent: Lent },
        // With something to do when the response is there.
        Attended { #[pin] future: F, lent: Lent, after: AfterResponse },
        Refused { response: Option<Response<ResBody>> },
        // In a box, so that the future of the common case stays small.
        Reading { refused: Box<(Option<Response<ResBody>>, Reading)> },
        Pending { #[pin] future: Boxed<ResBody, E> },
    }
}

/// What a layer does when the inner service has responded.
#[derive(Default)]
pub(super) struct AfterResponse {
    /// A fresh nonce for the response, where one is due.
    pub(super) nonce: Option<Box<str>>,
    /// The decision on the request, where something listens.
    pub(super) decision: Option<DecisionGuard>,
}

impl AfterResponse {
    pub(super) fn apply<B>(self, response: &mut Response<B>) {
        if let Some(decision) = &self.decision {
            decision.answered(response);
        }
        if let Some(nonce) = &self.nonce {
            add_nonce(response, nonce);
        }
    }
}

impl<F, ResBody, E> ResponseFuture<F, ResBody, E> {
    /// The response of the inner service, and what is done then.
    pub(super) fn inner(future: F, lent: Lent, after: AfterResponse) -> Self {
        Self {
            kind: if after.nonce.is_none() && after.decision.is_none() {
                Kind::Inner { future, lent }
            } else {
                Kind::Attended {
                    future,
                    lent,
                    after,
                }
            },
        }
    }

    /// Answers after the rest of the request's body was read, where it has to be.
    pub(super) fn refused(response: Response<ResBody>, rest: Option<Reading>) -> Self {
        Self {
            kind: Kind::refused(response, rest),
        }
    }

    #[cfg(feature = "jwks")]
    pub(super) const fn pending(future: Boxed<ResBody, E>) -> Self {
        Self {
            kind: Kind::Pending { future },
        }
    }
}

impl<F, ResBody, E> Future for ResponseFuture<F, ResBody, E>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
{
    type Output = Result<Response<ResBody>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut kind = self.project().kind;
        loop {
            match kind.as_mut().project() {
                #[cfg(feature = "jwks")]
                KindProjection::Inner { future, lent } => {
                    if lent.is_none() {
                        return future.poll(cx);
                    }
                    let response = match future.poll(cx) {
                        Poll::Ready(Ok(response)) => response,
                        other => return other,
                    };
                    let rest = rest_of_lent(&response, lent.take());
                    kind.set(Kind::refused(response, rest));
                }
                #[cfg(not(feature = "jwks"))]
                KindProjection::Inner { future, .. } => return future.poll(cx),
                KindProjection::Attended {
                    future,
                    lent,
                    after,
                } => {
                    let mut response = match future.poll(cx) {
                        Poll::Ready(Ok(response)) => response,
                        other => return other,
                    };
                    std::mem::take(after).apply(&mut response);
                    match rest_of_lent(&response, std::mem::take(lent)) {
                        None => return Poll::Ready(Ok(response)),
                        rest => kind.set(Kind::refused(response, rest)),
                    }
                }
                KindProjection::Pending { future } => match future.poll(cx) {
                    Poll::Ready(Ok((response, rest))) => kind.set(Kind::refused(response, rest)),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => return Poll::Pending,
                },
                KindProjection::Reading { refused } => {
                    let (response, reading) = &mut **refused;
                    // Once the response was taken, its reading has ended and is not asked again.
                    if response.is_some() && Pin::new(reading).poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    if let Some(response) = response {
                        response.extensions_mut().insert(RestWasRead);
                    }
                    return ended(response.take());
                }
                KindProjection::Refused { response } => return ended(response.take()),
            }
        }
    }
}

/// RFC 9449 s8.2: a nonce on any response, which must not be stored with it.
fn add_nonce<B>(response: &mut Response<B>, nonce: &str) {
    let headers = response.headers_mut();
    // INVARIANT: a nonce is base64url.
    if let Ok(nonce) = HeaderValue::from_str(nonce) {
        // One nonce alone: a refusal by a guard has one already.
        headers.insert(DPOP_NONCE, nonce);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// A future that is polled after its end may do anything; this one never ends.
fn ended<R, E>(response: Option<R>) -> Poll<Result<R, E>> {
    match response {
        Some(response) => Poll::Ready(Ok(response)),
        None => Poll::Pending,
    }
}

impl<F, ResBody, E> Kind<F, ResBody, E> {
    fn refused(response: Response<ResBody>, rest: Option<Reading>) -> Self {
        match rest {
            None => Self::Refused {
                response: Some(response),
            },
            Some(reading) => Self::Reading {
                refused: Box::new((Some(response), reading)),
            },
        }
    }
}

/// Without a timer no body is read.
#[cfg(not(feature = "jwks"))]
const fn rest_of_lent<B>(_: &Response<B>, (): Lent) -> Option<Reading> {
    None
}

/// Reads the rest of the body that was lent, where a guard of this library refused and no layer
/// further inside has read.
#[cfg(feature = "jwks")]
#[inline]
pub(super) fn rest_of_lent<B>(response: &Response<B>, lent: Lent) -> Option<Reading> {
    let lent = lent?;
    response.extensions().get::<RejectionKind>()?;
    if response.extensions().get::<RestWasRead>().is_some() {
        return None;
    }
    lent.take()
}

impl<F, ResBody, E> fmt::Debug for ResponseFuture<F, ResBody, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
