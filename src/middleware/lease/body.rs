//! The body of a response that ends with its lease.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::middleware::lease::cell::LeaseCell;
use crate::middleware::lease::handle::Lease;
use crate::middleware::lease::last_frame::last_frame;
use crate::middleware::response::grpc::ResponseProtocol;
use crate::model::decision::lease_end::LeaseEnd;

pin_project! {
    /// A body that ends with its [`Lease`].
    ///
    /// When the lease ends, the wrapped body is dropped, and this one ends as the protocol of the
    /// response has it: in gRPC with trailers of the status `UNAUTHENTICATED` (16), in gRPC-Web with the
    /// same inside the body, elsewhere without a word. A client of Server-Sent Events then connects
    /// again, and is answered 401. A body that states its length is broken off before it: over HTTP/1.1
    /// the connection is closed, over HTTP/2 the stream is reset.
    ///
    /// The bytes that were sent before stay sent. A client that does not read holds what it was sent up
    /// to the window of the connection, and gets nothing after it.
    ///
    /// Its default is an empty body without a lease, as refusals have it.
    pub struct LeasedBody<B> {
        #[pin]
        body: Option<B>,
        watch: Watch,
    }
}

/// How the body is watched.
enum Watch {
    /// It is not, or no longer.
    Not,
    /// Its lease is opened when the body waits, or goes on after its first frame: the bodies of most
    /// responses have one frame, and need none.
    Unopened {
        cell: LeaseCell,
        protocol: ResponseProtocol,
        has_begun: bool,
    },
    Open {
        lease: Lease,
        protocol: ResponseProtocol,
    },
}

impl Watch {
    /// Ready when the lease has ended, which is opened where it was not.
    fn poll(&mut self, context: &Context<'_>) -> Poll<(LeaseEnd, ResponseProtocol)> {
        if let Self::Unopened { cell, protocol, .. } = self {
            let (lease, protocol) = (Lease::of_cell(cell), *protocol);
            // The cell holds the token.
            *self = Self::Open { lease, protocol };
        }
        match self {
            Self::Open { lease, protocol } => {
                let protocol = *protocol;
                lease.poll_ended(context).map(|end| (end, protocol))
            }
            Self::Not | Self::Unopened { .. } => Poll::Pending,
        }
    }

    /// Notes a frame of the body.
    fn note(&mut self, frame: &Frame<Bytes>) {
        if let Self::Unopened { has_begun, .. } = self {
            *has_begun = true;
        }
        if let (true, Self::Unopened { protocol, .. } | Self::Open { protocol, .. }) =
            (frame.is_trailers(), self)
        {
            // Nothing follows trailers, a status of the lease included.
            *protocol = ResponseProtocol::Http;
        }
    }

    /// Whether the lease counts before the next frame.
    const fn is_due(&self) -> bool {
        match self {
            Self::Not => false,
            Self::Unopened { has_begun, .. } => *has_begun,
            Self::Open { .. } => true,
        }
    }
}

impl Lease {
    /// A body that ends with the lease; see [`LeasedBody`] for how.
    pub fn body<B>(self, body: B) -> LeasedBody<B> {
        LeasedBody::leased(body, self)
    }
}

impl<B> LeasedBody<B> {
    /// A body under a lease that is opened when it is needed.
    pub(super) fn under(body: B, cell: Option<LeaseCell>, protocol: ResponseProtocol) -> Self {
        Self {
            body: Some(body),
            watch: match cell {
                None => Watch::Not,
                Some(cell) => Watch::Unopened {
                    cell,
                    protocol,
                    has_begun: false,
                },
            },
        }
    }

    /// A body under a lease.
    fn leased(body: B, lease: Lease) -> Self {
        let protocol = ResponseProtocol::Http;
        Self {
            body: Some(body),
            watch: Watch::Open { lease, protocol },
        }
    }

    /// Ends in gRPC where these header fields of its response have a media type of gRPC or gRPC-Web.
    /// [`end_streams`](crate::AuthenticateLayer::end_streams) sees to it by itself. Default: plain HTTP.
    #[must_use]
    pub fn for_response(mut self, headers: &HeaderMap) -> Self {
        if let Watch::Open { protocol, .. } = &mut self.watch {
            *protocol = ResponseProtocol::of(headers);
        }
        self
    }
}

impl<B: Body<Data = Bytes>> Body for LeasedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let is_over = this.body.as_ref().as_pin_ref();
        let is_over = is_over.is_none_or(|body| body.is_end_stream());
        let mut ended = if this.watch.is_due() && !is_over {
            this.watch.poll(context)
        } else {
            Poll::Pending
        };
        if ended.is_pending() {
            let Some(body) = this.body.as_mut().as_pin_mut() else {
                return Poll::Ready(None);
            };
            match body.poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    this.watch.note(&frame);
                    return Poll::Ready(Some(Ok(frame)));
                }
                Poll::Ready(last) => {
                    *this.watch = Watch::Not;
                    return Poll::Ready(last);
                }
                Poll::Pending => ended = this.watch.poll(context),
            }
        }
        ended.map(|(end, protocol)| {
            this.body.set(None);
            *this.watch = Watch::Not;
            last_frame(protocol, end).map(Ok)
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let body = self.body.as_ref();
        body.map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B: Default> Default for LeasedBody<B> {
    fn default() -> Self {
        Self {
            body: Some(B::default()),
            watch: Watch::Not,
        }
    }
}

impl<B: From<Bytes>> From<Bytes> for LeasedBody<B> {
    fn from(bytes: Bytes) -> Self {
        Self {
            body: Some(bytes.into()),
            watch: Watch::Not,
        }
    }
}

impl<B> fmt::Debug for LeasedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeasedBody").finish_non_exhaustive()
    }
}
