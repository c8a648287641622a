//! What a group of routes demands beside a good token.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::middleware::authenticate::context::AuthContext;
use crate::middleware::future::{AfterResponse, Lent, ResponseFuture};
use crate::middleware::require::check::{check_caller, check_requirements};
use crate::middleware::response::body::{EmptyBody, MakeBody, RefusedRequest, RenderedBody};
use crate::middleware::response::drain_body::Reading;
#[cfg(feature = "jwks")]
use crate::middleware::response::drain_body::{ReadBounds, rest_of_incoming};
use crate::middleware::response::refusal::Refusal;
use crate::model::requirement::route_requirement::{Requirement, RouteRequirement};
use crate::model::scope::{ScopeRequirement, challenge_of};
use crate::verify::request::request_parts::RequestParts;

/// Refuses requests that do not meet `R`: a scope of [`scopes!`](crate::scopes), or whatever
/// [`requirements!`](crate::requirements) declares together. One refusal names all that a client can get.
///
/// It stands inside an [`AuthenticateLayer`](crate::AuthenticateLayer); without one every
/// request is answered 500. Under an optional layer a request without a token is refused with
/// 401. It only reads, so any number of them stack.
///
/// Its refusals have an empty body; see [`rendered`](Self::rendered) for others. In gRPC they
/// are answered as those of the layer outside.
///
/// A role that `R` demands is one of the issuer's roles claim here: the role of a workspace's user is
/// known where the path is read, which [`Authorized`](crate::extract::Authorized) does.
///
/// ```
/// use portcullis::layer::RequireLayer;
///
/// portcullis::scopes! { ReadOrders = "orders:read"; }
///
/// let layer = RequireLayer::of::<ReadOrders>();
/// # let _ = layer;
/// ```
#[must_use]
#[doc(alias("RequireScopeLayer", "require_scope", "authorize", "step_up"))]
pub struct RequireLayer<R, M = EmptyBody> {
    inside: Option<Arc<str>>,
    requirement: PhantomData<fn() -> (R, M)>,
}

impl RequireLayer<()> {
    /// The layer that demands `R`.
    pub fn of<R: Requirement>() -> RequireLayer<R> {
        RequireLayer {
            inside: None,
            requirement: PhantomData,
        }
    }
}

impl<R, M> RequireLayer<R, M> {
    /// What guards further inside demand, so that one 403 names all that a client lacks: this
    /// guard refuses before they are asked, and knows nothing of them. They name this guard's
    /// demand by themselves. It changes nothing about who gets in. Several settings add up.
    /// Default: none.
    pub fn challenge_scope<I: ScopeRequirement>(mut self) -> Self {
        let scope = challenge_of::<I>();
        self.inside = Some(match self.inside {
            Some(before) => format!("{before} {scope}").into(),
            None => scope.into(),
        });
        self
    }
}

impl<R> RequireLayer<R> {
    /// Gives refusals the body that the renderer of the layer outside makes; empty where that
    /// has none. The service's body type must be made of [`Bytes`](bytes::Bytes), such as
    /// axum's. Default: empty bodies, of any type with a default.
    pub fn rendered(self) -> RequireLayer<R, RenderedBody> {
        RequireLayer {
            inside: self.inside,
            requirement: PhantomData,
        }
    }
}

impl<R, M> Clone for RequireLayer<R, M> {
    fn clone(&self) -> Self {
        Self {
            inside: self.inside.clone(),
            requirement: PhantomData,
        }
    }
}

impl<R, M> fmt::Debug for RequireLayer<R, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequireLayer")
    }
}

impl<R, M, S> Layer<S> for RequireLayer<R, M> {
    type Service = Require<R, S, M>;

    fn layer(&self, inner: S) -> Require<R, S, M> {
        Require {
            inner,
            inside: self.inside.clone(),
            requirement: PhantomData,
        }
    }
}

/// A service behind a [`RequireLayer`].
#[must_use]
pub struct Require<R, S, M = EmptyBody> {
    inner: S,
    inside: Option<Arc<str>>,
    requirement: PhantomData<fn() -> (R, M)>,
}

impl<R, S: Clone, M> Clone for Require<R, S, M> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            inside: self.inside.clone(),
            requirement: PhantomData,
        }
    }
}

impl<R, S: fmt::Debug, M> fmt::Debug for Require<R, S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Require")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<R, S, M, ReqBody, ResBody> Service<Request<ReqBody>> for Require<R, S, M>
where
    R: Requirement,
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    M: MakeBody<ResBody>,
    ReqBody: 'static,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        match check::<R>(request.extensions_mut(), self.inside.as_deref()) {
            Ok(()) => ResponseFuture::inner(
                self.inner.call(request),
                Lent::default(),
                AfterResponse::default(),
            ),
            Err(refusal) if passes(request.extensions(), &refusal) => ResponseFuture::inner(
                self.inner.call(request),
                Lent::default(),
                AfterResponse::default(),
            ),
            Err(refusal) => {
                let seen = RefusedRequest::of(RequestParts::of(&request));
                let response = refusal.answer_to::<ResBody, M>(Some(seen));
                ResponseFuture::refused(response, read_rest(request))
            }
        }
    }
}

/// Reads the rest of the body of a refused request, where it is hyper's own; axum's comes back to
/// the layer outside.
#[cfg(feature = "jwks")]
pub(in crate::middleware) fn read_rest<B: 'static>(request: Request<B>) -> Option<Reading> {
    // Without a layer there are no settings; the refusal has said so already.
    let admitted = request.extensions().get::<AuthContext>();
    let bounds = admitted.map_or_else(ReadBounds::default, |it| it.policy.read_bounds);
    rest_of_incoming(request, bounds)
}

#[cfg(not(feature = "jwks"))]
pub(in crate::middleware) fn read_rest<B>(_: Request<B>) -> Option<Reading> {
    None
}

/// Whether the layer of the request only observes.
fn passes(extensions: &http::Extensions, refusal: &Refusal) -> bool {
    let context = extensions.get::<AuthContext>();
    context.is_some_and(|context| context.passes(refusal))
}

/// Whether the request meets `R`.
fn check<R: Requirement>(
    extensions: &mut http::Extensions,
    inside: Option<&str>,
) -> Result<(), Refusal> {
    let demand = const { &RouteRequirement::of::<R>() };
    check_requirements(extensions, std::iter::once(demand), inside)?;
    check_caller(extensions, std::iter::once(demand))
}
