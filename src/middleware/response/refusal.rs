//! What extractors refuse with.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, Uri};

use crate::middleware::response::body::{EmptyBody, MakeBody, RefusedRequest, RenderedBody};
use crate::middleware::response::challenge::ChallengeText;
use crate::middleware::response::respond::{ChallengePolicy, ReplyForm, respond};
use crate::model::error::rejection::{Rejection, RejectionKind};
use crate::verify::request::request_parts::RequestParts;

/// A [`Rejection`] and the way in which the layer that the request came through answers it:
/// its challenge, its renderer, and gRPC where the client speaks it.
///
/// In axum it is the rejection of every extractor of this library, and becomes the response of
/// the wire table, with the body of the layer's [`Renderer`](crate::layer::Renderer); an application
/// that wants another body on one route takes `Result<T, Refusal>` in its handler, builds its
/// own response and keeps the headers of [`to_response`](Self::to_response).
#[derive(Clone)]
pub struct Refusal {
    rejection: Rejection,
    policy: Option<Arc<ChallengePolicy>>,
    reply: ReplyForm,
    /// What the renderer sees of the request, where there is a renderer.
    request: Option<Arc<RequestHead>>,
}

/// A copy of a request's head. Boxed in a refusal, so that `Result<T, Refusal>` stays small.
pub(in crate::middleware) struct RequestHead {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl RequestHead {
    pub(in crate::middleware) fn of(request: RequestParts<'_>) -> Arc<Self> {
        Arc::new(Self {
            method: request.method.clone(),
            uri: request.uri.clone(),
            headers: request.headers.clone(),
        })
    }
}

impl Refusal {
    #[cfg_attr(not(feature = "axum"), allow(dead_code))]
    pub(crate) fn new(
        rejection: impl Into<Rejection>,
        policy: Arc<ChallengePolicy>,
        reply: ReplyForm,
    ) -> Self {
        Self {
            rejection: rejection.into(),
            policy: Some(policy),
            reply,
            request: None,
        }
    }

    /// Adds the request for the renderer, where the layer has one.
    #[cfg(feature = "axum")]
    #[must_use]
    pub(in crate::middleware) fn for_request(mut self, request: RequestParts<'_>) -> Self {
        let policy = self.policy.as_ref();
        if policy.is_some_and(|policy| policy.has_renderer()) {
            self.request = Some(RequestHead::of(request));
        }
        self
    }

    pub(in crate::middleware) fn with_request(mut self, request: Option<Arc<RequestHead>>) -> Self {
        self.request = request;
        self
    }

    /// No layer covers the route, so there is no challenge to make.
    #[cfg_attr(not(feature = "axum"), allow(dead_code))]
    pub(crate) const fn without_layer() -> Self {
        Self {
            rejection: Rejection::new(RejectionKind::NotAuthenticated),
            policy: None,
            reply: ReplyForm::PLAIN,
            request: None,
        }
    }

    /// Why the request was refused.
    #[must_use]
    pub const fn rejection(&self) -> &Rejection {
        &self.rejection
    }

    /// What kind of refusal this is.
    #[must_use]
    pub const fn kind(&self) -> RejectionKind {
        self.rejection.kind()
    }

    /// The response of the wire table, with an empty body and the kind in its extensions.
    #[must_use]
    pub fn to_response<B: Default>(&self) -> Response<B> {
        self.answer::<B, EmptyBody>()
    }

    /// The response of the wire table, with the body that the layer's
    /// [`Renderer`](crate::layer::Renderer) makes and the kind in its extensions. The body is empty
    /// where the layer has no renderer, where no layer covers the route, and in gRPC.
    #[must_use]
    pub fn to_rendered_response<B: From<Bytes>>(&self) -> Response<B> {
        self.answer::<B, RenderedBody>()
    }

    pub(in crate::middleware) fn answer<B, M: MakeBody<B>>(&self) -> Response<B> {
        let request = self.request.as_deref();
        let request =
            request.map(|head| RefusedRequest::new(&head.method, &head.uri, &head.headers));
        self.answer_to::<B, M>(request)
    }

    pub(in crate::middleware) fn answer_to<B, M: MakeBody<B>>(
        &self,
        request: Option<RefusedRequest<'_>>,
    ) -> Response<B> {
        let unlayered;
        let policy = if let Some(policy) = &self.policy {
            policy
        } else {
            unlayered = ChallengePolicy::new(ChallengeText::default(), None, None, None);
            &unlayered
        };
        respond::<B, M>(&self.rejection, policy, self.reply, request)
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Refusal").field(&self.rejection).finish()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rejection.fmt(f)
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.rejection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `clippy::result_large_err` begins at 128 bytes, also in applications.
    #[test]
    fn refusal_is_small_enough_for_results() {
        assert!(size_of::<Refusal>() < 128, "{}", size_of::<Refusal>());
    }
}
