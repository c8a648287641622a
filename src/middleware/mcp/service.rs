//! The service behind an `McpLayer`, and its future.

use std::fmt;
use std::future::{Future, Pending};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{Extensions, HeaderValue, Request, Response, request};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::middleware::future::ResponseFuture;
use crate::middleware::mcp::access::{ListAccess, McpPolicy};
use crate::middleware::mcp::body::McpBody;
use crate::middleware::mcp::request::{
    Denied, DeniedMessage, Head, Undecided, decide_body, decide_head, deny_cut_off, deny_too_large,
};
use crate::middleware::require::layer::read_rest;
use crate::middleware::response::body::{EmptyBody, RefusedRequest, RenderedBody};
use crate::verify::request::request_parts::RequestParts;

/// A service behind an [`McpLayer`](crate::mcp::McpLayer).
#[derive(Clone)]
#[must_use]
pub struct McpService<S> {
    inner: S,
    policy: Arc<McpPolicy>,
}

impl<S> McpService<S> {
    pub(super) const fn new(inner: S, policy: Arc<McpPolicy>) -> Self {
        Self { inner, policy }
    }
}

impl<S: fmt::Debug> fmt::Debug for McpService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for McpService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    ReqBody: Body<Data = Bytes> + From<Bytes> + Unpin + 'static,
{
    type Response = Response<McpBody<ResBody>>;
    type Error = S::Error;
    type Future = McpFuture<S, ReqBody, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let state = match decide_head(&self.policy, &mut request) {
            Ok(Head::Admitted { lists }) => {
                let filter = filter(lists, &self.policy, request.extensions());
                let future = self.inner.call(request);
                State::Inner { future, filter }
            }
            Ok(Head::NeedsBody(undecided)) => {
                // The one that was ready goes; a clone is made ready for the next request.
                let ready = self.inner.clone();
                let service = std::mem::replace(&mut self.inner, ready);
                let (parts, body) = request.into_parts();
                State::Reading {
                    reading: Some(Box::new(Reading {
                        service,
                        parts,
                        collected: Collected::default(),
                        body,
                        policy: Arc::clone(&self.policy),
                        undecided,
                    })),
                }
            }
            Err(denied) => State::denied(denied, request, false),
        };
        McpFuture { state }
    }
}

/// The filter of the answer, where it has one.
fn filter(
    lists: bool,
    policy: &Arc<McpPolicy>,
    extensions: &Extensions,
) -> Option<Box<ListAccess>> {
    lists.then(|| ListAccess::of(policy, extensions)).flatten()
}

type Refused<ResBody, E> =
    ResponseFuture<Pending<Result<Response<McpBody<ResBody>>, E>>, McpBody<ResBody>, E>;

pin_project! {
    /// The future of [`McpService`].
    pub struct McpFuture<S, ReqBody, ResBody>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        state: State<S, S::Future, ReqBody, ResBody, S::Error>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, F, ReqBody, ResBody, E> {
        Inner { #[pin] future: F, filter: Option<Box<ListAccess>> },
        // In a box, like the next: the future stays small where the service answers.
        Refused { future: Pin<Box<Refused<ResBody, E>>> },
        Reading { reading: Option<Box<Reading<S, ReqBody>>> },
    }
}

struct Reading<S, ReqBody> {
    service: S,
    parts: request::Parts,
    body: ReqBody,
    collected: Collected,
    policy: Arc<McpPolicy>,
    undecided: Undecided,
}

/// What has been read of a body. One frame stays as it is.
#[derive(Default)]
struct Collected {
    first: Bytes,
    all: BytesMut,
}

enum CollectFault {
    TooLarge,
    CutOff,
}

impl Collected {
    fn poll<B: Body<Data = Bytes> + Unpin>(
        &mut self,
        body: &mut B,
        limit: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Bytes, CollectFault>> {
        let hint = body.size_hint();
        let is_too_large = |bytes: u64| usize::try_from(bytes).is_ok_and(|it| it > limit);
        if is_too_large(hint.lower()) {
            return Poll::Ready(Err(CollectFault::TooLarge));
        }
        loop {
            match ready!(Pin::new(&mut *body).poll_frame(cx)) {
                None => break,
                Some(Err(_)) => return Poll::Ready(Err(CollectFault::CutOff)),
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else {
                        continue; // trailers say nothing in this protocol
                    };
                    let read = self.first.len() + self.all.len();
                    if data.remaining() > limit.saturating_sub(read) {
                        return Poll::Ready(Err(CollectFault::TooLarge));
                    }
                    self.add(data);
                }
            }
        }
        Poll::Ready(Ok(if self.all.is_empty() {
            std::mem::take(&mut self.first)
        } else {
            std::mem::take(&mut self.all).freeze()
        }))
    }

    fn add(&mut self, data: Bytes) {
        if self.all.is_empty() && self.first.is_empty() {
            self.first = data;
        } else {
            let first = std::mem::take(&mut self.first);
            self.all.extend_from_slice(&first);
            self.all.extend_from_slice(&data);
        }
    }
}

impl<S, F, ReqBody: 'static, ResBody, E> State<S, F, ReqBody, ResBody, E> {
    /// The answer to a denied request. Where its body was read to the end, nothing is left to read.
    fn denied(denied: Denied, request: Request<ReqBody>, is_read: bool) -> Self {
        let response = match denied {
            Denied::Refused(refusal) => {
                let seen = RefusedRequest::of(RequestParts::of(&request));
                refusal.answer_to::<McpBody<ResBody>, RenderedBody>(Some(seen))
            }
            Denied::Fault(denied) => {
                let DeniedMessage {
                    status,
                    fault,
                    refusal,
                } = *denied;
                let mut response = refusal.answer_to::<McpBody<ResBody>, EmptyBody>(None);
                *response.status_mut() = status;
                // About the message and not about the token.
                response.headers_mut().remove(WWW_AUTHENTICATE);
                let json = HeaderValue::from_static("application/json");
                response.headers_mut().insert(CONTENT_TYPE, json);
                *response.body_mut() = Bytes::from(fault.to_json()).into();
                response
            }
        };
        let rest = if is_read { None } else { read_rest(request) };
        Self::Refused {
            future: Box::pin(ResponseFuture::refused(response, rest)),
        }
    }
}

impl<S, ReqBody, ResBody> Future for McpFuture<S, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ReqBody: Body<Data = Bytes> + From<Bytes> + Unpin + 'static,
{
    type Output = Result<Response<McpBody<ResBody>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProjection::Inner { future, filter } => {
                    let response = ready!(future.poll(cx))?;
                    return Poll::Ready(Ok(match filter.take() {
                        Some(access) => McpBody::filtered(response, access),
                        None => response.map(McpBody::inner),
                    }));
                }
                StateProjection::Refused { future } => return future.as_mut().poll(cx),
                StateProjection::Reading { reading } => {
                    let Some(open) = reading else {
                        return Poll::Pending; // never: the state is replaced at once
                    };
                    let limit = open.policy.max_body_bytes;
                    let collected = ready!(open.collected.poll(&mut open.body, limit, cx));
                    let Some(read) = reading.take() else {
                        return Poll::Pending;
                    };
                    read.decide(collected)
                }
            };
            state.set(next);
        }
    }
}

impl<S, ReqBody: 'static> Reading<S, ReqBody> {
    /// The body has been read, or cannot be.
    fn decide<ResBody>(
        self,
        collected: Result<Bytes, CollectFault>,
    ) -> State<S, S::Future, ReqBody, ResBody, S::Error>
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>>,
        ReqBody: From<Bytes>,
    {
        let Self {
            mut service,
            mut parts,
            body,
            policy,
            undecided,
            ..
        } = self;
        let bytes = match collected {
            Ok(bytes) => bytes,
            Err(fault) => {
                let denied = match fault {
                    CollectFault::TooLarge => deny_too_large(&parts.extensions),
                    CollectFault::CutOff => deny_cut_off(&parts.extensions),
                };
                return State::denied(denied, Request::from_parts(parts, body), false);
            }
        };
        let (headers, extensions) = (&parts.headers, &mut parts.extensions);
        match decide_body(&policy, undecided, headers, extensions, &bytes) {
            Ok(lists) => {
                let filter = filter(lists, &policy, &parts.extensions);
                let future = service.call(Request::from_parts(parts, ReqBody::from(bytes)));
                State::Inner { future, filter }
            }
            Err(denied) => State::denied(denied, Request::from_parts(parts, body), true),
        }
    }
}

impl<S, ReqBody, ResBody> fmt::Debug for McpFuture<S, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpFuture").finish_non_exhaustive()
    }
}
