//! A scope demanded of a group of routes.

use std::fmt;
use std::marker::PhantomData;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::admitted::Admitted;
use super::future::ResponseFuture;
use super::refusal::Refusal;
use super::render::{EmptyBody, MakeBody, RenderedBody};
use crate::model::rejection::Rejection;
use crate::model::scope::{ScopeRequirement, challenge_of, is_met};

/// Refuses requests whose token has not the scope that `R` demands.
///
/// It stands inside an [`AuthenticateLayer`](crate::AuthenticateLayer); without one every
/// request is answered 500. Under an optional layer a request without a token is refused with
/// 401. It only reads, so any number of them stack.
///
/// Its refusals have an empty body; see [`rendered`](Self::rendered) for others. In gRPC they
/// are answered as those of the layer outside.
///
/// ```
/// use portcullis::RequireScopeLayer;
///
/// portcullis::scopes! { ReadOrders = "orders:read"; }
///
/// let layer = RequireScopeLayer::of::<ReadOrders>();
/// # let _ = layer;
/// ```
#[must_use]
pub struct RequireScopeLayer<R, M = EmptyBody>(PhantomData<fn() -> (R, M)>);

impl RequireScopeLayer<()> {
    /// The layer that demands `R`.
    pub fn of<R: ScopeRequirement>() -> RequireScopeLayer<R> {
        RequireScopeLayer(PhantomData)
    }
}

impl<R> RequireScopeLayer<R> {
    /// Gives refusals the body that the renderer of the layer outside makes; empty where that
    /// has none. The service's body type must be made of [`Bytes`](bytes::Bytes), such as
    /// axum's. Default: empty bodies, of any type with a default.
    pub fn rendered(self) -> RequireScopeLayer<R, RenderedBody> {
        RequireScopeLayer(PhantomData)
    }
}

impl<R, M> Clone for RequireScopeLayer<R, M> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}

impl<R, M> fmt::Debug for RequireScopeLayer<R, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequireScopeLayer")
    }
}

impl<R, M, S> Layer<S> for RequireScopeLayer<R, M> {
    type Service = RequireScope<R, S, M>;

    fn layer(&self, inner: S) -> RequireScope<R, S, M> {
        RequireScope {
            inner,
            requirement: PhantomData,
        }
    }
}

/// A service behind a [`RequireScopeLayer`].
#[must_use]
pub struct RequireScope<R, S, M = EmptyBody> {
    inner: S,
    requirement: PhantomData<fn() -> (R, M)>,
}

impl<R, S: Clone, M> Clone for RequireScope<R, S, M> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            requirement: PhantomData,
        }
    }
}

impl<R, S: fmt::Debug, M> fmt::Debug for RequireScope<R, S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireScope")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<R, S, M, ReqBody, ResBody> Service<Request<ReqBody>> for RequireScope<R, S, M>
where
    R: ScopeRequirement,
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    M: MakeBody<ResBody>,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        match check::<R>(request.extensions()) {
            Ok(()) => ResponseFuture::inner(self.inner.call(request)),
            Err(refusal) => ResponseFuture::refused(refusal.answer::<ResBody, M>()),
        }
    }
}

/// Whether the request's token meets `R`.
pub(super) fn check<R: ScopeRequirement>(extensions: &http::Extensions) -> Result<(), Refusal> {
    let admitted = Admitted::of(extensions)?;
    let admission = admitted.guests_too()?;
    if is_met::<R>(admission.token.scope()) {
        Ok(())
    } else {
        Err(admitted.refuse(Rejection::insufficient_scope(challenge_of::<R>().into())))
    }
}
