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
use crate::middleware::future::{Lent, ResponseFuture};
#[cfg(feature = "jwks")]
use crate::middleware::future::{add_nonce, rest_of_lent};
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
use crate::server::decide::verified_request::VerifiedRequest;
use crate::server::resource_server::ResourceServer;
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

    /// Puts the result of authentication into the extensions, where this layer admits it. Returns a
    /// nonce for the response where one is due.
    fn admit<B>(
        &self,
        request: &mut Request<B>,
        protocol: ResponseProtocol,
        authenticated: Option<AuthenticatedRequest>,
    ) -> Result<Option<Box<str>>, Rejection> {
        let mut other_context = false;
        let (verified, dpop) = match authenticated {
            Some(AuthenticatedRequest { verified, dpop }) => (Some(verified), dpop),
            None => (None, None),
        };
        let schemes = match (&verified, &dpop) {
            (Some(_), Some(_)) => SentSchemes::Dpop,
            (Some(_), None) => SentSchemes::Bearer,
            (None, _) => SentSchemes::Other,
        };
        if let Some(verified) = &verified {
            self.0.check_resource(verified)?;
        }
        match &verified {
            Some(verified) if !verified.is_for(self.0.context.as_deref()) => {
                if !(self.0.admits.principals && verified.is_principal()) {
                    return Err(self.0.wrong_context().by(verified.realm()));
                }
                other_context = true;
            }
            Some(_) => {}
            None if self.0.admits.nothing_sent => {}
            None => return Err(RejectionKind::MissingToken.into()),
        }
        if let Some(verified) = &verified {
            self.0.check_binding(verified)?;
        }
        log_admitted(
            &self.0.server,
            verified.as_deref().map(|verified| &**verified),
        );
        request.extensions_mut().insert(AuthContext {
            verified,
            policy: self.0.share(),
            other_context,
            reply: ReplyForm { protocol, schemes },
            demanded: DemandedScopes::default(),
            used_proof: dpop.as_ref().and_then(|dpop| dpop.used_proof),
        });
        Ok(dpop.and_then(|dpop| dpop.fresh_nonce))
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
        rejection: &Rejection,
        protocol: ResponseProtocol,
    ) -> Response<B> {
        log_refusal(rejection, &self.0.server);
        let reply = ReplyForm {
            protocol,
            schemes: SentSchemes::of(request.headers()),
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
        let used_proof = outer.and_then(|outer| outer.used_proof);
        let protocol = self.authenticator.protocol(&request);
        let admitted = match self.authenticator.authenticate(&mut request, used_proof) {
            Ok(Decision::Done(verified)) => {
                self.authenticator.admit(&mut request, protocol, verified)
            }
            #[cfg(feature = "jwks")]
            Ok(Decision::Pending(pending)) => {
                // A pending request gives up what readiness reserved, such as a permit of a
                // concurrency limit: invalid tokens could otherwise use up all permits. A clone of the
                // service is polled ready after the wait.
                let later = self.inner.clone();
                self.inner = later.clone();
                let authenticator = self.authenticator.clone();
                let pending = finish::<S, M, _, _>(authenticator, later, request, pending);
                return ResponseFuture::pending(Box::pin(pending));
            }
            Err(rejection) => Err(rejection),
        };
        match admitted {
            Ok(nonce) => {
                let lent = self.authenticator.lend(&mut request);
                ResponseFuture::inner(self.inner.call(request), lent, nonce)
            }
            Err(rejection) => {
                let response = self
                    .authenticator
                    .refuse::<ResBody, M, _>(&request, &rejection, protocol);
                ResponseFuture::refused(response, self.authenticator.read_rest(request))
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
) -> Result<(Response<ResBody>, Option<Reading>), S::Error>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ReqBody: 'static,
    M: MakeBody<ResBody>,
{
    let protocol = authenticator.protocol(&request);
    let outcome = pending.finish().await;
    let admitted =
        outcome.and_then(|verified| authenticator.admit(&mut request, protocol, verified));
    let nonce = match admitted {
        Ok(nonce) => nonce,
        Err(rejection) => {
            let response = authenticator.refuse::<ResBody, M, _>(&request, &rejection, protocol);
            return Ok((response, authenticator.read_rest(request)));
        }
    };
    std::future::poll_fn(|cx| inner.poll_ready(cx)).await?;
    let lent = authenticator.lend(&mut request);
    let mut response = inner.call(request).await?;
    if let Some(nonce) = nonce {
        add_nonce(&mut response, &nonce);
    }
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
