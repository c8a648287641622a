//! The rest of a refused request's body, read within bounds and thrown away.
//!
//! hyper closes an HTTP/1.x connection at once when a response goes out before the request's body
//! was read to its end. The client is then still sending: it sees a broken pipe in place of the
//! response, and loses its next request on that connection too (RFC 9112 section 9.6).
//!
//! 1. Read before the answer goes out, at most so many bytes for at most so long. Nothing of the
//!    body is kept.
//! 2. HTTP/1.x alone: in HTTP/2 and HTTP/3 a request ends without its connection.
//! 3. Not where the request says `Expect: 100-continue`: its client waits for the status before
//!    it sends, and reading would invite it to send (RFC 9110 section 10.1.1).
//! 4. Not where `Content-Length` exceeds the bound: the answer would be lost anyway, and later.

use std::time::Duration;

/// How much of a refused request's body is read, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "jwks"), allow(dead_code))]
pub(crate) struct ReadBounds {
    pub(in crate::middleware) bytes: u64,
    pub(in crate::middleware) time: Duration,
}

impl ReadBounds {
    /// A client that waits longer than this for its answer would give up anyway.
    pub(in crate::middleware) const LONGEST_TIME: Duration = Duration::from_secs(60);
}

impl Default for ReadBounds {
    /// Larger than what axum's own extractors accept (2 MB), and as long as nginx waits for more
    /// of such a body (`lingering_timeout`).
    fn default() -> Self {
        Self {
            bytes: 4 * 1024 * 1024,
            time: Duration::from_secs(5),
        }
    }
}

#[cfg(feature = "jwks")]
pub(crate) use reading::{Reading, ReturnedBody, rest_of_incoming};
#[cfg(all(feature = "axum", feature = "jwks"))]
pub(in crate::middleware) use reading::{has_to_read, read, rest_of};

/// Without a timer nothing is read, since nothing would bound the time.
#[cfg(not(feature = "jwks"))]
pub(crate) type Reading = std::future::Ready<()>;

#[cfg(feature = "jwks")]
mod reading {
    use std::any::Any;
    use std::future::Future;
    use std::pin::Pin;
    use std::sync::{Mutex, PoisonError};
    use std::task::{Context, Poll};
    use std::time::Duration;

    use http::header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
    use http::{Request, Version};
    use hyper::body::{Body, Buf, Incoming};
    use tokio::runtime::Handle;
    use tokio::time::{Sleep, sleep};

    use crate::middleware::response::drain_body::ReadBounds;

    /// Ends when the body has, or the bounds are reached.
    pub(crate) type Reading = Pin<Box<dyn Future<Output = ()> + Send>>;

    /// Where a body that was lent to the inner service comes back: what reads its rest, once the
    /// inner service has dropped it before its end.
    #[derive(Default)]
    pub(crate) struct ReturnedBody(Mutex<Option<Reading>>);

    impl ReturnedBody {
        #[cfg(feature = "axum")]
        pub(crate) fn put(&self, rest: Option<Reading>) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = rest;
        }

        pub(crate) fn take(&self) -> Option<Reading> {
            let mut rest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            rest.take()
        }
    }

    /// Whether the body is a `T` whose rest has to be read, should the request be refused. First
    /// what is known when the program is compiled, then what costs least.
    #[inline]
    pub(crate) fn has_to_read<T, B>(request: &Request<B>, bounds: ReadBounds) -> bool
    where
        T: Body + 'static,
        B: 'static,
    {
        let body = (request.body() as &dyn Any).downcast_ref::<T>();
        body.is_some_and(|body| !body.is_end_stream()) && is_wanted(request, bounds)
    }

    fn is_wanted<B>(request: &Request<B>, bounds: ReadBounds) -> bool {
        let headers = request.headers();
        request.version() <= Version::HTTP_11
            && bounds.bytes > 0
            && !bounds.time.is_zero()
            && !headers.contains_key(EXPECT)
            // RFC 9112 s6.3: without these a request has no body.
            && (headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING))
    }

    /// Reads the rest of a body; `None` where there is none, or more than the bound.
    pub(crate) fn read<B>(body: B, bounds: ReadBounds) -> Option<Reading>
    where
        B: Body + Send + Unpin + 'static,
    {
        if body.is_end_stream() || body.size_hint().lower() > bounds.bytes {
            return None;
        }
        Some(Box::pin(UnreadRest {
            body,
            left: bounds.bytes,
            time: bounds.time,
            sleep: None,
        }))
    }

    /// Reads the rest of a refused request's body, where it is a `T`.
    pub(crate) fn rest_of<T, B>(body: B, bounds: ReadBounds) -> Option<Reading>
    where
        T: Body + Send + Unpin + 'static,
        B: 'static,
    {
        let mut body = Some(body);
        let body = (&mut body as &mut dyn Any).downcast_mut::<Option<T>>()?;
        read(body.take()?, bounds)
    }

    /// Reads the rest of a refused request's body, where it is hyper's own and has to be read.
    pub(crate) fn rest_of_incoming<B: 'static>(
        request: Request<B>,
        bounds: ReadBounds,
    ) -> Option<Reading> {
        if has_to_read::<Incoming, B>(&request, bounds) {
            rest_of::<Incoming, B>(request.into_body(), bounds)
        } else {
            None
        }
    }

    struct UnreadRest<B> {
        body: B,
        left: u64,
        time: Duration,
        /// Runs from the first moment at which nothing was there to be read.
        sleep: Option<Pin<Box<Sleep>>>,
    }

    impl<B: Body + Unpin> Future for UnreadRest<B> {
        type Output = ();

        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            let Self {
                body,
                left,
                time,
                sleep: timer,
            } = self.get_mut();
            loop {
                match Pin::new(&mut *body).poll_frame(cx) {
                    Poll::Ready(Some(Ok(frame))) => {
                        let length = frame.data_ref().map_or(0, Buf::remaining);
                        // An empty frame counts too, or a body of these would never end.
                        let length = u64::try_from(length.max(1)).unwrap_or(u64::MAX);
                        match left.checked_sub(length) {
                            Some(rest) => *left = rest,
                            None => return Poll::Ready(()),
                        }
                    }
                    Poll::Ready(None | Some(Err(_))) => return Poll::Ready(()),
                    Poll::Pending => {
                        if timer.is_none() && Handle::try_current().is_err() {
                            return Poll::Ready(()); // no timer, so no wait
                        }
                        let timer = timer.get_or_insert_with(|| Box::pin(sleep(*time)));
                        return timer.as_mut().poll(cx);
                    }
                }
            }
        }
    }
}
