//! The service that authenticates every request before the inner service sees it.
//!
//! 1. What an outer layer left in the extensions is removed first: the innermost layer decides. Only
//!    a proof that the outer layer has used up is not used up again.
//! 2. A refused request never reaches the inner service. A bounded rest of its body is read and
//!    thrown away, where the connection would be closed otherwise; see `drain_body`.
//! 3. The common case is decided inside `call`: no boxed future, no clone of the service.
//! 4. Only a decision that is pending has a boxed future, which waits a bounded time. It holds
//!    nothing that readiness reserved, and polls its own clone ready before it calls it.

use std::fmt;
use std::marker::PhantomData;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use crate::middleware::authenticate::authenticator::{
    Admitted, Authenticator, LayerOutcome, LayerStart, Refused,
};
#[cfg(feature = "axum")]
use crate::middleware::authenticate::axum_extensions::original_uri;
use crate::middleware::authenticate::layer_policy::LayerPolicy;
use crate::middleware::decision::DecisionSource;
#[cfg(feature = "jwks")]
use crate::middleware::future::rest_of_lent;
use crate::middleware::future::{Lent, ResponseFuture};
use crate::middleware::response::body::{EmptyBody, MakeBody, RefusedRequest};
use crate::middleware::response::drain_body::Reading;
#[cfg(feature = "jwks")]
use crate::middleware::response::drain_body::rest_of_incoming;
use crate::middleware::response::refusal_log::log_refusal;
use crate::middleware::response::respond::{ReplyForm, respond};
use crate::model::error::rejection::{Rejection, RejectionKind};
#[cfg(feature = "jwks")]
use crate::server::decide::decision::PendingDecision;
#[cfg(feature = "jwks")]
use crate::server::decide::sender::AuthenticatedRequest;
use crate::verify::request::credential::SentSchemes;
use crate::verify::request::request_parts::RequestParts;

/// A service behind an [`AuthenticateLayer`](crate::AuthenticateLayer).
#[derive(Clone)]
#[must_use]
pub struct Authenticate<S, M = EmptyBody> {
    inner: S,
    authenticator: Authenticator,
    body: PhantomData<fn() -> M>,
}

impl<S, M> Authenticate<S, M> {
    pub(in crate::middleware) fn new(inner: S, policy: LayerPolicy) -> Self {
        Self {
            inner,
            authenticator: Authenticator::new(policy),
            body: PhantomData,
        }
    }
}

impl<S: fmt::Debug, M> fmt::Debug for Authenticate<S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticate")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

/// What depends on the types of bodies.
impl Authenticator {
    /// What authentication reads of a request.
    #[inline]
    fn parts<'r, B>(&self, request: &'r Request<B>) -> RequestParts<'r> {
        let parts = RequestParts::of(request).at_resource(self.0.resource_place);
        #[cfg(feature = "axum")]
        let parts = parts.with_original_uri(original_uri);
        parts
    }

    /// Puts the client's certificate into the request, where a trusted proxy states it. Why the request is
    /// refused, where that is not possible.
    #[inline]
    fn read_certificate<B>(&self, request: &mut Request<B>) -> Option<Box<Rejection>> {
        let proxy = self.0.certificate_proxy.as_ref()?;
        // Such a layer answers every request alike.
        if self.0.setting_fault.is_some() {
            return None;
        }
        proxy.apply(request).err().map(Box::new)
    }

    /// Lends the request's body to the inner service, where its rest has to be read should a guard
    /// refuse.
    #[cfg(feature = "jwks")]
    #[inline]
    fn lend<B: 'static>(&self, request: &mut Request<B>) -> Lent {
        #[cfg(feature = "axum")]
        return crate::middleware::authenticate::lent_body::lend(request, self.0.read_bounds);
        #[cfg(not(feature = "axum"))]
        {
            let _ = request;
            None
        }
    }

    #[cfg(not(feature = "jwks"))]
    #[allow(clippy::unused_self)] // like its twin
    const fn lend<B>(&self, _: &mut Request<B>) -> Lent {}

    /// Reads the rest of a refused request's body, where it has to be read.
    #[cfg(feature = "jwks")]
    fn read_rest<B: 'static>(&self, request: Request<B>) -> Option<Reading> {
        let bounds = self.0.read_bounds;
        #[cfg(feature = "axum")]
        if crate::middleware::authenticate::lent_body::has_to_read_axum(&request, bounds) {
            return crate::middleware::authenticate::lent_body::rest_of_axum(
                request.into_body(),
                bounds,
            );
        }
        rest_of_incoming(request, bounds)
    }

    #[cfg(not(feature = "jwks"))]
    #[allow(clippy::unused_self)] // like its twin
    fn read_rest<B>(&self, _: Request<B>) -> Option<Reading> {
        None
    }

    fn refuse<B, M: MakeBody<B>, ReqBody>(
        &self,
        request: &Request<ReqBody>,
        refused: Refused,
        start: &LayerStart,
    ) -> Response<B> {
        let Refused {
            rejection,
            verified,
            ..
        } = refused;
        let rejection = &rejection;
        let request = RequestParts::of(request);
        log_refusal(rejection, &self.0.server);
        if let Some(decisions) = &self.0.decisions {
            DecisionSource::refuse(decisions, request, &start.decision, rejection, verified);
        }
        let reply = ReplyForm {
            protocol: self.protocol(request),
            schemes: match rejection.kind() {
                // No field of a scheme that is known here was sent.
                RejectionKind::MissingToken => SentSchemes::Other,
                _ => self.0.challenge.schemes_of(request.headers),
            },
        };
        let request = RefusedRequest::of(request);
        respond::<B, M>(rejection, &self.0.challenge, reply, Some(request))
    }
}

impl<S, M, ReqBody, ResBody> Service<Request<ReqBody>> for Authenticate<S, M>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    ReqBody: Send + 'static,
    M: MakeBody<ResBody> + 'static,
    ResBody: 'static,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let authenticator = &self.authenticator;
        let mut start = authenticator.start(request.extensions_mut());
        let fault = authenticator.read_certificate(&mut request);
        match authenticator.decide(authenticator.parts(&request), fault, &mut start) {
            LayerOutcome::Admitted(Admitted { context, after }) => {
                request.extensions_mut().insert(context);
                let lent = authenticator.lend(&mut request);
                ResponseFuture::inner(self.inner.call(request), lent, after)
            }
            LayerOutcome::Refused(refused) => {
                let response = authenticator.refuse::<ResBody, M, _>(&request, refused, &start);
                ResponseFuture::refused(response, authenticator.read_rest(request))
            }
            #[cfg(feature = "jwks")]
            LayerOutcome::Pending(pending) => {
                // A pending request gives up what readiness reserved, such as a permit of a
                // concurrency limit: invalid tokens could otherwise use up all permits. A clone of the
                // service is polled ready after the wait.
                let later = self.inner.clone();
                self.inner = later.clone();
                let authenticator = self.authenticator.clone();
                let pending = finish::<S, M, _, _>(authenticator, later, request, pending, start);
                ResponseFuture::pending(Box::pin(pending))
            }
        }
    }
}

/// The slow path: waits for the look-up, and then goes on with the request.
#[cfg(feature = "jwks")]
async fn finish<S, M, ReqBody, ResBody>(
    authenticator: Authenticator,
    mut inner: S,
    mut request: Request<ReqBody>,
    pending: PendingDecision<Option<AuthenticatedRequest>>,
    start: LayerStart,
) -> Result<(Response<ResBody>, Option<Reading>), S::Error>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ReqBody: 'static,
    M: MakeBody<ResBody>,
{
    let outcome = pending.finish().await;
    let parts = authenticator.parts(&request);
    let Admitted { context, after } = match authenticator.conclude(parts, outcome, &start) {
        Ok(admitted) => admitted,
        Err(refused) => {
            let response = authenticator.refuse::<ResBody, M, _>(&request, refused, &start);
            return Ok((response, authenticator.read_rest(request)));
        }
    };
    request.extensions_mut().insert(context);
    drop(start);
    std::future::poll_fn(|cx| inner.poll_ready(cx)).await?;
    let lent = authenticator.lend(&mut request);
    let mut response = inner.call(request).await?;
    after.apply(&mut response);
    let rest = rest_of_lent(&response, lent);
    Ok((response, rest))
}
