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
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use crate::logging;
#[cfg(feature = "axum")]
use crate::middleware::authenticate::axum_extensions::original_uri;
use crate::middleware::authenticate::context::{AuthContext, LayerPolicy};
use crate::middleware::decision::{
    DecisionCell, DecisionFacts, DecisionGuard, DecisionSource, DecisionStart,
};
#[cfg(feature = "jwks")]
use crate::middleware::future::rest_of_lent;
use crate::middleware::future::{AfterResponse, Lent, ResponseFuture};
use crate::middleware::response::body::{EmptyBody, MakeBody, RefusedRequest};
use crate::middleware::response::challenge::{ReplyForm, respond};
use crate::middleware::response::drain_body::Reading;
#[cfg(feature = "jwks")]
use crate::middleware::response::drain_body::rest_of_incoming;
use crate::middleware::response::grpc::ResponseProtocol;
use crate::middleware::response::refusal_log::log_refusal;
use crate::middleware::response::scope_challenge::DemandedScopes;
use crate::model::error::rejection::{Rejection, RejectionKind};
use crate::model::event::Event;
use crate::runtime::replay::proof_store::ProofFingerprint;
use crate::runtime::util::striped::StripedArc;
use crate::server::decide::decision::Decision;
#[cfg(feature = "jwks")]
use crate::server::decide::decision::PendingDecision;
use crate::server::decide::sender::AuthenticatedRequest;
use crate::server::decide::verified_request::{SharedRequest, VerifiedRequest};
use crate::server::resource_server::ResourceServer;
use crate::verify::request::credential::{Credential, SentSchemes};
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
            authenticator: Authenticator(Arc::new(StripedArc::new(policy))),
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
    fn authenticate<B>(
        &self,
        request: &mut Request<B>,
        used_proof: Option<ProofFingerprint>,
    ) -> Result<Decision<Option<AuthenticatedRequest>>, Rejection> {
        if let Some(fault) = self.0.setting_fault {
            return Err(fault.rejection());
        }
        if let Some(proxy) = &self.0.certificate_proxy {
            proxy.apply(request)?;
        }
        let parts = RequestParts::of(request).at_resource(self.0.resource_place);
        #[cfg(feature = "axum")]
        let parts = parts.with_original_uri(original_uri);
        let server = &self.0.server;
        server.authenticate_request(&self.0.sources, parts, used_proof)
    }

    /// How this request is answered, should it be refused here or further inside.
    fn protocol<B>(&self, request: &Request<B>) -> ResponseProtocol {
        if self.0.grpc {
            ResponseProtocol::of(request.headers())
        } else {
            ResponseProtocol::Http
        }
    }

    /// The check of a verified token by this layer. Whether it is a principal's, which this layer
    /// admits to workspaces alone.
    fn check(&self, verified: Option<&VerifiedRequest>) -> Result<bool, Rejection> {
        let Some(verified) = verified else {
            return if self.0.admits.nothing_sent {
                Ok(false)
            } else {
                Err(RejectionKind::MissingToken.into())
            };
        };
        self.0.check_resource(verified)?;
        let is_of_context = verified.is_for(self.0.context.as_deref());
        if !(is_of_context || self.0.admits.principals && verified.is_principal()) {
            return Err(self.0.wrong_context().by(verified.realm()));
        }
        self.0.check_binding(verified)?;
        Ok(!is_of_context)
    }

    /// Puts the result of authentication into the extensions, where this layer admits it. Returns what
    /// is to be done with the response.
    fn admit<B>(
        &self,
        request: &mut Request<B>,
        protocol: ResponseProtocol,
        authenticated: Option<AuthenticatedRequest>,
        start: &DecisionStart,
    ) -> Result<AfterResponse, Refused> {
        let (verified, dpop) = match authenticated {
            Some(AuthenticatedRequest { verified, dpop }) => (Some(verified), dpop),
            None => (None, None),
        };
        let schemes = match (&verified, &dpop) {
            (Some(_), Some(_)) => SentSchemes::Dpop,
            (Some(_), None) => SentSchemes::Bearer,
            (None, _) => SentSchemes::Other,
        };
        let other_context = match self.check(verified.as_deref().map(|verified| &**verified)) {
            Ok(other_context) => other_context,
            Err(rejection) => {
                return Err(Refused {
                    rejection,
                    verified,
                    used_proof: dpop.and_then(|dpop| dpop.used_proof),
                });
            }
        };
        log_admitted(
            &self.0.server,
            verified.as_deref().map(|verified| &**verified),
        );
        let decision = self.open_decision(request, start, verified.as_ref(), None)?;
        request.extensions_mut().insert(AuthContext {
            verified,
            policy: self.0.share(),
            other_context,
            reply: ReplyForm { protocol, schemes },
            demanded: DemandedScopes::default(),
            used_proof: dpop.as_ref().and_then(|dpop| dpop.used_proof),
            outer_decision: start.outer_behind(decision.as_ref()),
            decision: decision.clone(),
        });
        Ok(AfterResponse {
            nonce: dpop.and_then(|dpop| dpop.fresh_nonce),
            decision: decision.map(DecisionGuard),
        })
    }

    /// Lets a request go on that is refused, as one where nothing was sent: this layer only observes. The
    /// token is told of in its decision alone.
    fn pass<B>(
        &self,
        request: &mut Request<B>,
        protocol: ResponseProtocol,
        refused: &Refused,
        start: &DecisionStart,
    ) -> Result<AfterResponse, Refused> {
        let Refused {
            rejection,
            verified,
            used_proof,
        } = refused;
        log_refusal(rejection, &self.0.server);
        let decision = self.open_decision(request, start, verified.as_ref(), Some(rejection))?;
        let schemes = SentSchemes::of(request.headers());
        request.extensions_mut().insert(AuthContext {
            verified: None,
            policy: self.0.share(),
            other_context: false,
            reply: ReplyForm { protocol, schemes },
            demanded: DemandedScopes::default(),
            used_proof: *used_proof,
            outer_decision: start.outer_behind(decision.as_ref()),
            decision: decision.clone(),
        });
        Ok(AfterResponse {
            nonce: None,
            decision: decision.map(DecisionGuard),
        })
    }

    /// Decides about a refusal: it goes on, or is the answer.
    fn admit_or_pass<B>(
        &self,
        request: &mut Request<B>,
        protocol: ResponseProtocol,
        outcome: Result<Option<AuthenticatedRequest>, Rejection>,
        start: &DecisionStart,
    ) -> Result<AfterResponse, Refused> {
        let refused = match outcome {
            Ok(authenticated) => match self.admit(request, protocol, authenticated, start) {
                Ok(after) => return Ok(after),
                Err(refused) => refused,
            },
            Err(rejection) => rejection.into(),
        };
        if self.0.observes(&refused.rejection) {
            return self.pass(request, protocol, &refused, start);
        }
        Err(refused)
    }

    /// The cell of a request that goes on, where something listens.
    #[inline]
    fn open_decision<B>(
        &self,
        request: &Request<B>,
        start: &DecisionStart,
        verified: Option<&SharedRequest>,
        passed: Option<&Rejection>,
    ) -> Result<Option<Arc<DecisionCell>>, Refused> {
        let Some(decisions) = &self.0.decisions else {
            return Ok(None);
        };
        let facts = self.facts(decisions, request, start, verified.cloned());
        match DecisionCell::open(decisions.share(), start, facts, passed) {
            Ok(cell) => Ok(Some(cell)),
            Err(outage) => Err(Refused {
                rejection: outage.into(),
                verified: verified.cloned(),
                used_proof: None,
            }),
        }
    }

    fn facts<B>(
        &self,
        decisions: &DecisionSource,
        request: &Request<B>,
        start: &DecisionStart,
        verified: Option<SharedRequest>,
    ) -> DecisionFacts {
        // Not before something wants it: the id is memory that nothing else of a layer reads.
        let is_unnamed = || verified.as_ref().is_none_or(|it| it.token.id().is_none());
        let wants_fingerprint = decisions.server.listeners().wants_fingerprints() && is_unnamed();
        DecisionFacts {
            fingerprint: wants_fingerprint
                .then(|| self.fingerprint(decisions, request))
                .flatten(),
            check_time: start.check_time(),
            verified,
        }
    }

    fn fingerprint<B>(&self, decisions: &DecisionSource, request: &Request<B>) -> Option<Box<str>> {
        let credential = Credential::find(&self.0.sources, RequestParts::of(request));
        decisions.fingerprint(credential.ok()??.as_bytes())
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
        protocol: ResponseProtocol,
        start: &DecisionStart,
    ) -> Response<B> {
        let Refused {
            rejection,
            verified,
            ..
        } = refused;
        let rejection = &rejection;
        log_refusal(rejection, &self.0.server);
        if let Some(decisions) = &self.0.decisions {
            let facts = self.facts(decisions, request, start, verified);
            DecisionSource::refuse(decisions, start, rejection, facts);
        }
        let reply = ReplyForm {
            protocol,
            schemes: match rejection.kind() {
                // No field of a scheme that is known here was sent.
                RejectionKind::MissingToken => SentSchemes::Other,
                _ => self.0.challenge.schemes_of(request.headers()),
            },
        };
        let request = RefusedRequest::of(RequestParts::of(request));
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
        // The innermost layer decides, so what an outer layer left is removed. A proof that it used up
        // is no replay here.
        let outer = request.extensions_mut().remove::<AuthContext>();
        let (used_proof, outer) = outer.map_or((None, None), |outer| {
            (outer.used_proof, outer.decision.or(outer.outer_decision))
        });
        let authenticator = &self.authenticator;
        let listens = authenticator.0.decisions.is_some();
        let mut start = DecisionStart {
            outer,
            ..DecisionStart::default()
        };
        if listens {
            DecisionStart::forget_checks();
        }
        let protocol = authenticator.protocol(&request);
        let outcome = authenticator.authenticate(&mut request, used_proof);
        if listens {
            start.note_check();
        }
        let outcome = match outcome {
            Ok(Decision::Done(authenticated)) => Ok(authenticated),
            #[cfg(feature = "jwks")]
            Ok(Decision::Pending(pending)) => {
                // A pending request gives up what readiness reserved, such as a permit of a
                // concurrency limit: invalid tokens could otherwise use up all permits. A clone of the
                // service is polled ready after the wait.
                let later = self.inner.clone();
                self.inner = later.clone();
                let authenticator = self.authenticator.clone();
                let pending = finish::<S, M, _, _>(authenticator, later, request, pending, start);
                return ResponseFuture::pending(Box::pin(pending));
            }
            Err(rejection) => Err(rejection),
        };
        match authenticator.admit_or_pass(&mut request, protocol, outcome, &start) {
            Ok(after) => {
                let lent = authenticator.lend(&mut request);
                ResponseFuture::inner(self.inner.call(request), lent, after)
            }
            Err(refused) => {
                let response =
                    authenticator.refuse::<ResBody, M, _>(&request, refused, protocol, &start);
                ResponseFuture::refused(response, authenticator.read_rest(request))
            }
        }
    }
}

/// A request that a layer refuses, and its token where that is good.
struct Refused {
    rejection: Rejection,
    verified: Option<SharedRequest>,
    /// The DPoP proof that it has used up.
    used_proof: Option<ProofFingerprint>,
}

impl From<Rejection> for Refused {
    fn from(rejection: Rejection) -> Self {
        Self {
            rejection,
            verified: None,
            used_proof: None,
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
    start: DecisionStart,
) -> Result<(Response<ResBody>, Option<Reading>), S::Error>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ReqBody: 'static,
    M: MakeBody<ResBody>,
{
    let protocol = authenticator.protocol(&request);
    let outcome = pending.finish().await;
    let admitted = authenticator.admit_or_pass(&mut request, protocol, outcome, &start);
    let after = match admitted {
        Ok(after) => after,
        Err(refused) => {
            let response =
                authenticator.refuse::<ResBody, M, _>(&request, refused, protocol, &start);
            return Ok((response, authenticator.read_rest(request)));
        }
    };
    drop(start);
    std::future::poll_fn(|cx| inner.poll_ready(cx)).await?;
    let lent = authenticator.lend(&mut request);
    let mut response = inner.call(request).await?;
    after.apply(&mut response);
    let rest = rest_of_lent(&response, lent);
    Ok((response, rest))
}

fn log_admitted(server: &ResourceServer, verified: Option<&VerifiedRequest>) {
    if !logging::is_enabled() {
        return;
    }
    logging::emit(match verified {
        Some(verified) => Event::TokenAdmitted {
            issuer: verified.token.issuer(),
            caller: verified.caller_kind(),
            binding: verified.token.binding_name(),
            names: server.logs_callers().then(|| verified.caller_names()),
        },
        None => Event::NothingSent,
    });
}
