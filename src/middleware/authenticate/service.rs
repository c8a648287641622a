//! The service that judges every request's token before the inner service sees it.
//!
//! 1. What an earlier layer left is removed first; the innermost layer speaks.
//! 2. A refused request never reaches the inner service. Of its body a bounded rest is read and
//!    thrown away, where the connection would be closed otherwise; see `unread_body`.
//! 3. The common case is decided inside `call`: no boxed future, no clone of the service.
//! 4. Only when the issuer must be asked, a boxed future waits a bounded time and judges again,
//!    at most twice. It holds nothing that readiness reserved, and polls its own clone ready
//!    before it calls it.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use crate::middleware::authenticate::context::{AuthContext, LayerPolicy};
#[cfg(feature = "jwks")]
use crate::middleware::future::rest_of_lent;
use crate::middleware::future::{Lent, ResponseFuture};
use crate::middleware::response::body::{EmptyBody, MakeBody};
#[cfg(feature = "tracing")]
use crate::middleware::response::challenge::nobody_listens;
use crate::middleware::response::challenge::respond;
use crate::middleware::response::drain_body::Reading;
#[cfg(feature = "jwks")]
use crate::middleware::response::drain_body::rest_of_incoming;
use crate::middleware::response::grpc::ResponseProtocol;
use crate::middleware::response::refusal_log::trace_refused;
use crate::middleware::response::scope_challenge::DemandedScopes;
use crate::model::error::rejection::{Rejection, RejectionKind, WiringFault};
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::runtime::util::striped::StripedArc;
use crate::server::authenticate::Outcome;
use crate::server::decide::issuer_authority::LookupResult;
use crate::server::decide::verified_request::VerifiedRequest;

/// A service behind an [`AuthenticateLayer`](crate::AuthenticateLayer).
#[derive(Clone)]
#[must_use]
pub struct Authenticate<S, M = EmptyBody> {
    inner: S,
    gate: Authenticator,
    body: PhantomData<fn() -> M>,
}

impl<S, M> Authenticate<S, M> {
    pub(in crate::middleware) fn new(inner: S, policy: LayerPolicy) -> Self {
        Self {
            inner,
            gate: Authenticator(Arc::new(StripedArc::new(policy))),
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

/// The server, and what this layer adds to it.
#[derive(Clone)]
struct Authenticator(Arc<StripedArc<LayerPolicy>>);

impl Authenticator {
    fn judge<B>(&self, request: &Request<B>, answered: Option<LookupResult>) -> Outcome {
        if let Some(fault) = self.0.setting_fault {
            return Outcome::Refused(fault.rejection());
        }
        let (method, headers) = (request.method(), request.headers());
        let sources = &self.0.sources;
        self.0
            .server
            .judge(sources, (method, request.version()), headers, answered)
    }

    /// How this request is answered, should it be refused here or further inside.
    fn dialect<B>(&self, request: &Request<B>) -> ResponseProtocol {
        if self.0.grpc {
            ResponseProtocol::of(request.headers())
        } else {
            ResponseProtocol::Http
        }
    }

    /// Lets the request through with what is known about it, or says why not.
    fn decide<B>(
        &self,
        request: &mut Request<B>,
        dialect: ResponseProtocol,
        judgement: Outcome,
    ) -> ServiceOutcome {
        let mut is_guest = false;
        let admission = match judgement {
            Outcome::Admitted(admission) => {
                if !admission.is_for(self.0.context.as_deref()) {
                    if !(self.0.admits.principals && admission.is_principal()) {
                        return ServiceOutcome::Refuse(self.wrong_context().by(admission.realm()));
                    }
                    is_guest = true;
                }
                Some(admission)
            }
            Outcome::NothingSent if self.0.admits.nothing_sent => None,
            Outcome::NothingSent => {
                return ServiceOutcome::Refuse(RejectionKind::MissingToken.into());
            }
            Outcome::Refused(rejection) => return ServiceOutcome::Refuse(rejection),
            #[cfg(feature = "jwks")]
            Outcome::Wait(question) => return ServiceOutcome::Ask(question),
        };
        trace_admitted(admission.as_deref().map(|known| &**known));
        request.extensions_mut().insert(AuthContext {
            admission,
            policy: self.0.share(),
            is_guest,
            dialect,
            demanded: DemandedScopes::default(),
        });
        ServiceOutcome::Pass
    }

    /// A token of one context is never good for another, unless the layer's is a slip.
    fn wrong_context(&self) -> Rejection {
        if let Some(fault @ WiringFault::UnknownContext) = self.0.wiring_fault {
            return fault.into();
        }
        let expected = self.0.context.as_deref().unwrap_or_default();
        let detail = RejectionDetail::new()
            .with_setting("context")
            .with_problem(Problem::Differs)
            .with_expected(expected.to_owned());
        Rejection::wrong_caller("context").with_detail(detail)
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

    fn refuse<B, M: MakeBody<B>>(
        &self,
        rejection: &Rejection,
        dialect: ResponseProtocol,
    ) -> Response<B> {
        trace_refused(rejection, &self.0.server);
        respond::<B, M>(rejection, &self.0.challenge, dialect)
    }
}

enum ServiceOutcome {
    Pass,
    Refuse(Rejection),
    #[cfg(feature = "jwks")]
    Ask(crate::server::decide::issuer_authority::PendingLookup),
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
        // An outer layer's verdict is not ours.
        request.extensions_mut().remove::<AuthContext>();
        let dialect = self.gate.dialect(&request);
        let judgement = self.gate.judge(&request, None);
        match self.gate.decide(&mut request, dialect, judgement) {
            ServiceOutcome::Pass => {
                let lent = self.gate.lend(&mut request);
                ResponseFuture::inner(self.inner.call(request), lent)
            }
            ServiceOutcome::Refuse(rejection) => {
                let response = self.gate.refuse::<ResBody, M>(&rejection, dialect);
                ResponseFuture::refused(response, self.gate.read_rest(request))
            }
            #[cfg(feature = "jwks")]
            ServiceOutcome::Ask(question) => {
                // Who waits for an issuer must not hold what readiness reserved, such as a place
                // under a concurrency limit: strangers could keep everybody out. The instance
                // that was polled ready is let go, and a clone is polled ready after the wait.
                let later = self.inner.clone();
                self.inner = later.clone();
                let gate = self.gate.clone();
                ResponseFuture::asking(Box::pin(ask::<S, M, _, _>(gate, later, request, question)))
            }
        }
    }
}

/// How often a request may wait for the issuer before it is answered 503.
#[cfg(feature = "jwks")]
const MOST_QUESTIONS: usize = 2;

/// The slow path: waits for the issuer, then judges again.
#[cfg(feature = "jwks")]
async fn ask<S, M, ReqBody, ResBody>(
    gate: Authenticator,
    mut inner: S,
    mut request: Request<ReqBody>,
    mut question: crate::server::decide::issuer_authority::PendingLookup,
) -> Result<(Response<ResBody>, Option<Reading>), S::Error>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ReqBody: 'static,
    M: MakeBody<ResBody>,
{
    let dialect = gate.dialect(&request);
    for _ in 0..MOST_QUESTIONS {
        let answered = question.wait().await;
        let judgement = gate.judge(&request, Some(answered));
        match gate.decide(&mut request, dialect, judgement) {
            ServiceOutcome::Pass => {
                std::future::poll_fn(|cx| inner.poll_ready(cx)).await?;
                let lent = gate.lend(&mut request);
                let response = inner.call(request).await?;
                let rest = rest_of_lent(&response, lent);
                return Ok((response, rest));
            }
            ServiceOutcome::Refuse(rejection) => {
                let response = gate.refuse::<ResBody, M>(&rejection, dialect);
                return Ok((response, gate.read_rest(request)));
            }
            ServiceOutcome::Ask(next) => question = next,
        }
    }
    let response =
        gate.refuse::<ResBody, M>(&crate::server::authenticate::waited_enough(), dialect);
    Ok((response, gate.read_rest(request)))
}

#[cfg(feature = "tracing")]
fn trace_admitted(admission: Option<&VerifiedRequest>) {
    if nobody_listens() {
        return;
    }
    let Some(admission) = admission else {
        tracing::trace!("no token was sent; the layer is optional");
        return;
    };
    let (issuer, caller) = (admission.token.issuer(), admission.caller_kind());
    // A span that the application declared with these fields gets them filled.
    tracing::Span::current()
        .record("auth.issuer", issuer)
        .record("auth.caller", caller);
    tracing::trace!(issuer, caller, "token admitted");
}

#[cfg(not(feature = "tracing"))]
const fn trace_admitted(_: Option<&VerifiedRequest>) {}
