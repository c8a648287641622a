//! The future of the layers: unboxed, unless the issuer must be asked.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use pin_project_lite::pin_project;

#[cfg(feature = "jwks")]
type Asking<ResBody, E> = Pin<Box<dyn Future<Output = Result<Response<ResBody>, E>> + Send>>;

/// Without fetched key sets nobody is ever asked.
#[cfg(not(feature = "jwks"))]
type Asking<ResBody, E> = std::future::Ready<Result<Response<ResBody>, E>>;

pin_project! {
    /// The future of [`Authenticate`](crate::Authenticate) and [`RequireScope`](crate::RequireScope).
    pub struct ResponseFuture<F, ResBody, E> {
        #[pin]
        kind: Kind<F, ResBody, E>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<F, ResBody, E> {
        Inner { #[pin] future: F },
        Refused { response: Option<Response<ResBody>> },
        Asking { #[pin] future: Asking<ResBody, E> },
    }
}

impl<F, ResBody, E> ResponseFuture<F, ResBody, E> {
    pub(super) const fn inner(future: F) -> Self {
        Self {
            kind: Kind::Inner { future },
        }
    }

    pub(super) const fn refused(response: Response<ResBody>) -> Self {
        Self {
            kind: Kind::Refused {
                response: Some(response),
            },
        }
    }

    #[cfg(feature = "jwks")]
    pub(super) const fn asking(future: Asking<ResBody, E>) -> Self {
        Self {
            kind: Kind::Asking { future },
        }
    }
}

impl<F, ResBody, E> Future for ResponseFuture<F, ResBody, E>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
{
    type Output = Result<Response<ResBody>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProjection::Inner { future } => future.poll(cx),
            KindProjection::Asking { future } => future.poll(cx),
            // A future that is polled after its end may do anything; this one has nothing more
            // to say.
            KindProjection::Refused { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                None => Poll::Pending,
            },
        }
    }
}

impl<F, ResBody, E> fmt::Debug for ResponseFuture<F, ResBody, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
