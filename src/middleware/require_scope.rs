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
use crate::model::rejection::Rejection;
use crate::model::scope::{ScopeRequirement, challenge_of, is_met};

/// Refuses requests whose token has not the scope that `R` demands.
///
/// It stands inside an [`AuthenticateLayer`](crate::AuthenticateLayer); without one every
/// request is answered 500. Under an optional layer a request without a token is refused with
/// 401. It only reads, so any number of them stack.
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
pub struct RequireScopeLayer<R>(PhantomData<fn() -> R>);

impl RequireScopeLayer<()> {
    /// The layer that demands `R`.
    pub fn of<R: ScopeRequirement>() -> RequireScopeLayer<R> {
        RequireScopeLayer(PhantomData)
    }
}

impl<R> Clone for RequireScopeLayer<R> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}

impl<R> fmt::Debug for RequireScopeLayer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequireScopeLayer")
    }
}

impl<R, S> Layer<S> for RequireScopeLayer<R> {
    type Service = RequireScope<R, S>;

    fn layer(&self, inner: S) -> RequireScope<R, S> {
        RequireScope {
            inner,
            requirement: PhantomData,
        }
    }
}

/// A service behind a [`RequireScopeLayer`].
#[must_use]
pub struct RequireScope<R, S> {
    inner: S,
    requirement: PhantomData<fn() -> R>,
}

impl<R, S: Clone> Clone for RequireScope<R, S> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            requirement: PhantomData,
        }
    }
}

impl<R, S: fmt::Debug> fmt::Debug for RequireScope<R, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireScope")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<R, S, ReqBody, ResBody> Service<Request<ReqBody>> for RequireScope<R, S>
where
    R: ScopeRequirement,
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Default,
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
            Err(refusal) => ResponseFuture::refused(refusal.to_response()),
        }
    }
}

/// Whether the request's token meets `R`.
pub(super) fn check<R: ScopeRequirement>(extensions: &http::Extensions) -> Result<(), Refusal> {
    let admitted = Admitted::of(extensions)?;
    let admission = admitted.required()?;
    if is_met::<R>(admission.token.scope()) {
        Ok(())
    } else {
        Err(admitted.refuse(Rejection::insufficient_scope(challenge_of::<R>().into())))
    }
}
