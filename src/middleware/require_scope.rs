//! A scope demanded of a group of routes.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::middleware::authenticate::context::AuthContext;
use crate::middleware::future::{Lent, ResponseFuture};
use crate::middleware::response::body::{EmptyBody, MakeBody, RefusedRequest, RenderedBody};
use crate::middleware::response::drain_body::Reading;
#[cfg(feature = "jwks")]
use crate::middleware::response::drain_body::{ReadBounds, rest_of_incoming};
use crate::middleware::response::refusal::Refusal;
use crate::middleware::response::refusal_cause::lacking_scope;
use crate::model::error::rejection::Rejection;
use crate::model::scope::{ScopeMatch, ScopeRequirement, challenge_of, meets, tokens_of};
use crate::verify::request::request_parts::RequestParts;

/// Refuses requests whose token has neither the scope that `R` demands nor one of its roles.
///
/// It stands inside an [`AuthenticateLayer`](crate::AuthenticateLayer); without one every
/// request is answered 500. Under an optional layer a request without a token is refused with
/// 401. It only reads, so any number of them stack.
///
/// Its refusals have an empty body; see [`rendered`](Self::rendered) for others. In gRPC they
/// are answered as those of the layer outside.
///
/// ```
/// use portcullis::layer::RequireScopeLayer;
///
/// portcullis::scopes! { ReadOrders = "orders:read"; }
///
/// let layer = RequireScopeLayer::of::<ReadOrders>();
/// # let _ = layer;
/// ```
#[must_use]
pub struct RequireScopeLayer<R, M = EmptyBody> {
    inside: Option<Arc<str>>,
    requirement: PhantomData<fn() -> (R, M)>,
}

impl RequireScopeLayer<()> {
    /// The layer that demands `R`.
    pub fn of<R: ScopeRequirement>() -> RequireScopeLayer<R> {
        RequireScopeLayer {
            inside: None,
            requirement: PhantomData,
        }
    }
}

impl<R, M> RequireScopeLayer<R, M> {
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

impl<R> RequireScopeLayer<R> {
    /// Gives refusals the body that the renderer of the layer outside makes; empty where that
    /// has none. The service's body type must be made of [`Bytes`](bytes::Bytes), such as
    /// axum's. Default: empty bodies, of any type with a default.
    pub fn rendered(self) -> RequireScopeLayer<R, RenderedBody> {
        RequireScopeLayer {
            inside: self.inside,
            requirement: PhantomData,
        }
    }
}

impl<R, M> Clone for RequireScopeLayer<R, M> {
    fn clone(&self) -> Self {
        Self {
            inside: self.inside.clone(),
            requirement: PhantomData,
        }
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
            inside: self.inside.clone(),
            requirement: PhantomData,
        }
    }
}

/// A service behind a [`RequireScopeLayer`].
#[must_use]
pub struct RequireScope<R, S, M = EmptyBody> {
    inner: S,
    inside: Option<Arc<str>>,
    requirement: PhantomData<fn() -> (R, M)>,
}

impl<R, S: Clone, M> Clone for RequireScope<R, S, M> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            inside: self.inside.clone(),
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
            Ok(()) => ResponseFuture::inner(self.inner.call(request), Lent::default(), None),
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

/// Whether the request's token meets `R`. A guard that refuses names what `inside` says too.
pub(super) fn check<R: ScopeRequirement>(
    extensions: &mut http::Extensions,
    inside: Option<&str>,
) -> Result<(), Refusal> {
    let Some(admitted) = extensions.get_mut::<AuthContext>() else {
        return AuthContext::of(extensions).map(|_| ());
    };
    let token = &admitted.any_context()?.token;
    match meets::<R>(token.scope(), token.roles()) {
        Some(ScopeMatch::Scope(scope)) => admitted.demanded.add(scope),
        Some(ScopeMatch::Role) => {}
        None => return Err(refuse::<R>(admitted, inside)),
    }
    Ok(())
}

#[cold]
fn refuse<R: ScopeRequirement>(admitted: &AuthContext, inside: Option<&str>) -> Refusal {
    let refusals = admitted.policy.server.refusals();
    // Clients of another route may hold another alternative.
    tokens_of::<R>().for_each(|token| refusals.remember_scope(token));
    let scope = match inside {
        Some(inside) => format!("{} {inside}", challenge_of::<R>()).into(),
        None => challenge_of::<R>().into(),
    };
    let mut rejection = Rejection::insufficient_scope(scope);
    if let Some(verified) = &admitted.verified {
        rejection = rejection.with_detail(lacking_scope::<R>(verified));
    }
    admitted.refuse(rejection)
}
