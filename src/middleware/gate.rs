//! The service that judges every request's token before the inner service sees it.
//!
//! 1. What an earlier layer left is removed first; the innermost layer speaks.
//! 2. A refused request never reaches the inner service, and its body is never read.
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

use super::admitted::{Admitted, LayerPolicy};
#[cfg(feature = "tracing")]
use super::challenge::nobody_listens;
use super::challenge::{respond, trace_refused};
use super::dialect::Dialect;
use super::future::ResponseFuture;
use super::render::{EmptyBody, MakeBody};
use crate::model::rejection::{Rejection, RejectionKind, WiringFault};
use crate::server::Judgement;
use crate::server::admission::Admission;
use crate::server::authority::Answered;

/// A service behind an [`AuthenticateLayer`](crate::AuthenticateLayer).
#[derive(Clone)]
#[must_use]
pub struct Authenticate<S, M = EmptyBody> {
    inner: S,
    gate: Gate,
    body: PhantomData<fn() -> M>,
}

impl<S, M> Authenticate<S, M> {
    pub(super) fn new(inner: S, policy: LayerPolicy) -> Self {
        Self {
            inner,
            gate: Gate(Arc::new(policy)),
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
struct Gate(Arc<LayerPolicy>);

impl Gate {
    fn judge<B>(&self, request: &Request<B>, answered: Option<Answered>) -> Judgement {
        let (method, headers) = (request.method(), request.headers());
        let sources = &self.0.sources;
        self.0.server.judge(sources, method, headers, answered)
    }

    /// How this request is answered, should it be refused here or further inside.
    fn dialect<B>(&self, request: &Request<B>) -> Dialect {
        if self.0.grpc {
            Dialect::of(request.headers())
        } else {
            Dialect::Http
        }
    }

    /// Lets the request through with what is known about it, or says why not.
    fn decide<B>(
        &self,
        request: &mut Request<B>,
        dialect: Dialect,
        judgement: Judgement,
    ) -> Decision {
        let mut is_guest = false;
        let admission = match judgement {
            Judgement::Admitted(admission) => {
                if !admission.is_for(self.0.context.as_deref()) {
                    if !(self.0.admits.principals && admission.is_principal()) {
                        return Decision::Refuse(self.wrong_context().by(admission.realm()));
                    }
                    is_guest = true;
                }
                Some(admission)
            }
            Judgement::NothingSent if self.0.admits.nothing_sent => None,
            Judgement::NothingSent => {
                return Decision::Refuse(RejectionKind::MissingToken.into());
            }
            Judgement::Refused(rejection) => return Decision::Refuse(rejection),
            #[cfg(feature = "jwks")]
            Judgement::Wait(question) => return Decision::Ask(question),
        };
        trace_admitted(admission.as_deref().map(|known| &**known));
        request.extensions_mut().insert(Admitted {
            admission,
            policy: Arc::clone(&self.0),
            is_guest,
            dialect,
        });
        Decision::Pass
    }

    /// A token of one context is never good for another, unless the layer's is a slip.
    fn wrong_context(&self) -> Rejection {
        match self.0.wiring_fault {
            Some(fault @ WiringFault::UnknownContext) => fault.into(),
            _ => Rejection::wrong_caller("context"),
        }
    }

    fn refuse<B, M: MakeBody<B>>(&self, rejection: &Rejection, dialect: Dialect) -> Response<B> {
        trace_refused(rejection);
        respond::<B, M>(rejection, &self.0.challenge, dialect)
    }
}

enum Decision {
    Pass,
    Refuse(Rejection),
    #[cfg(feature = "jwks")]
    Ask(crate::server::authority::Question),
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
        request.extensions_mut().remove::<Admitted>();
        let dialect = self.gate.dialect(&request);
        let judgement = self.gate.judge(&request, None);
        match self.gate.decide(&mut request, dialect, judgement) {
            Decision::Pass => ResponseFuture::inner(self.inner.call(request)),
            Decision::Refuse(rejection) => {
                ResponseFuture::refused(self.gate.refuse::<ResBody, M>(&rejection, dialect))
            }
            #[cfg(feature = "jwks")]
            Decision::Ask(question) => {
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
    gate: Gate,
    mut inner: S,
    mut request: Request<ReqBody>,
    mut question: crate::server::authority::Question,
) -> Result<Response<ResBody>, S::Error>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    M: MakeBody<ResBody>,
{
    let dialect = gate.dialect(&request);
    for _ in 0..MOST_QUESTIONS {
        let answered = question.wait().await;
        let judgement = gate.judge(&request, Some(answered));
        match gate.decide(&mut request, dialect, judgement) {
            Decision::Pass => {
                std::future::poll_fn(|cx| inner.poll_ready(cx)).await?;
                return inner.call(request).await;
            }
            Decision::Refuse(rejection) => {
                return Ok(gate.refuse::<ResBody, M>(&rejection, dialect));
            }
            Decision::Ask(next) => question = next,
        }
    }
    Ok(gate.refuse::<ResBody, M>(&crate::server::waited_enough(), dialect))
}

#[cfg(feature = "tracing")]
fn trace_admitted(admission: Option<&Admission>) {
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
const fn trace_admitted(_: Option<&Admission>) {}
