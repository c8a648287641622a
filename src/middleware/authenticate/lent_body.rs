//! axum's request body, lent to the inner service so that its rest can be read when a guard of a
//! handler refuses: axum drops the body before the refusal comes back to the layer.
//!
//! 1. Only bodies that are not empty are lent, and only where a refusal would close the
//!    connection; see `drain_body`.
//! 2. Frames pass unchanged. What was not read comes back when the inner service drops the body.

use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::BoxError;
use axum::body::{Body, Bytes};
use http::Request;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use crate::middleware::response::drain_body::{
    ReadBounds, Reading, ReturnedBody, has_to_read, read, rest_of,
};

/// Puts a body that comes back in the place of axum's. `None` where the body is of another type
/// or empty, or need not be read.
#[inline]
pub(in crate::middleware) fn lend<B: 'static>(
    request: &mut Request<B>,
    bounds: ReadBounds,
) -> Option<Arc<ReturnedBody>> {
    if !has_to_read::<Body, B>(request, bounds) {
        return None;
    }
    let body = (request.body_mut() as &mut dyn Any).downcast_mut::<Body>()?;
    let returned: Arc<ReturnedBody> = Arc::default();
    *body = Body::new(Lent {
        body: Some(std::mem::take(body)),
        returned: Arc::clone(&returned),
        bounds,
    });
    Some(returned)
}

/// Whether the body is axum's and its rest has to be read.
#[inline]
pub(in crate::middleware) fn has_to_read_axum<B: 'static>(
    request: &Request<B>,
    bounds: ReadBounds,
) -> bool {
    has_to_read::<Body, B>(request, bounds)
}

/// Reads the rest of a refused request's body, where it is axum's.
pub(in crate::middleware) fn rest_of_axum<B: 'static>(
    body: B,
    bounds: ReadBounds,
) -> Option<Reading> {
    rest_of::<Body, B>(body, bounds)
}

struct Lent {
    /// Present until it is dropped.
    body: Option<Body>,
    returned: Arc<ReturnedBody>,
    bounds: ReadBounds,
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        // axum wraps the error again, and looks for its cause through one layer alone.
        Pin::new(body)
            .poll_frame(cx)
            .map_err(axum::Error::into_inner)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let rest = self.body.take().and_then(|body| read(body, self.bounds));
        self.returned.put(rest);
    }
}
