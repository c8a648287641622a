//! What a layer decides about a request. Nothing here depends on a service or a body, so that it is compiled
//! once, however many services the layer covers.

use std::sync::Arc;

use http::Extensions;

use crate::logging;
use crate::middleware::authenticate::context::AuthContext;
use crate::middleware::authenticate::layer_policy::LayerPolicy;
use crate::middleware::decision::{DecisionCell, DecisionGuard, DecisionSource, DecisionStart};
use crate::middleware::future::AfterResponse;
use crate::middleware::response::grpc::ResponseProtocol;
use crate::middleware::response::refusal_log::log_refusal;
use crate::middleware::response::respond::ReplyForm;
use crate::middleware::response::scope_challenge::DemandedScopes;
use crate::model::decision::event::Event;
use crate::model::error::rejection::{Rejection, RejectionKind};
use crate::runtime::replay::proof_store::ProofFingerprint;
use crate::runtime::util::striped::StripedArc;
use crate::server::decide::decision::Decision;
#[cfg(feature = "jwks")]
use crate::server::decide::decision::PendingDecision;
use crate::server::decide::sender::AuthenticatedRequest;
use crate::server::decide::verified_request::{SentRequest, SharedRequest, VerifiedRequest};
use crate::server::resource_server::ResourceServer;
use crate::verify::request::credential::SentSchemes;
use crate::verify::request::request_parts::RequestParts;

/// The server, and what this layer adds to it.
#[derive(Clone)]
pub(super) struct Authenticator(pub(super) Arc<StripedArc<LayerPolicy>>);

/// What is known before a layer looks at a request.
pub(super) struct LayerStart {
    /// The DPoP proof that an outer layer has used up: it is no replay here.
    used_proof: Option<ProofFingerprint>,
    pub(super) decision: DecisionStart,
}

/// What a layer does with a request.
pub(super) enum LayerOutcome {
    Admitted(Admitted),
    Refused(Refused),
    #[cfg(feature = "jwks")]
    Pending(PendingDecision<Option<AuthenticatedRequest>>),
}

/// A request that goes on: its entry, and what is to be done with the response.
pub(super) struct Admitted {
    pub(super) context: AuthContext,
    pub(super) after: AfterResponse,
}

/// A request that a layer refuses, and its token where that is good.
pub(super) struct Refused {
    pub(super) rejection: Rejection,
    pub(super) verified: Option<SharedRequest>,
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

impl Authenticator {
    pub(super) fn new(policy: LayerPolicy) -> Self {
        Self(Arc::new(StripedArc::new(policy)))
    }

    /// Removes what an outer layer left: the innermost layer decides.
    #[inline]
    pub(super) fn start(&self, extensions: &mut Extensions) -> LayerStart {
        let outer = extensions.remove::<AuthContext>();
        let (used_proof, outer) = outer.map_or((None, None), |outer| {
            (outer.used_proof, outer.decision.or(outer.outer_decision))
        });
        if self.0.decisions.is_some() {
            DecisionStart::forget_checks();
        }
        LayerStart {
            used_proof,
            decision: DecisionStart::inside(outer),
        }
    }

    /// Decides about a request. `fault` refuses it before its token is looked at.
    pub(super) fn decide(
        &self,
        request: RequestParts<'_>,
        fault: Option<Box<Rejection>>,
        start: &mut LayerStart,
    ) -> LayerOutcome {
        let policy: &LayerPolicy = &self.0;
        let outcome = match (policy.setting_fault, fault) {
            (None, None) => {
                let server = &policy.server;
                server.authenticate_request(&policy.sources, request, start.used_proof)
            }
            (Some(fault), _) => Err(fault.rejection()),
            (None, Some(fault)) => Err(*fault),
        };
        if policy.decisions.is_some() {
            start.decision.note_check();
        }
        let refused = match outcome {
            Ok(Decision::Done(authenticated)) => match self.admit(request, authenticated, start) {
                Ok(admitted) => return LayerOutcome::Admitted(admitted),
                Err(refused) => refused,
            },
            #[cfg(feature = "jwks")]
            Ok(Decision::Pending(pending)) => return LayerOutcome::Pending(pending),
            Err(rejection) => rejection.into(),
        };
        match self.pass_or_refuse(request, refused, start) {
            Ok(admitted) => LayerOutcome::Admitted(admitted),
            Err(refused) => LayerOutcome::Refused(refused),
        }
    }

    /// The same for a request whose token was looked up.
    #[cfg(feature = "jwks")]
    pub(super) fn conclude(
        &self,
        request: RequestParts<'_>,
        outcome: Result<Option<AuthenticatedRequest>, Rejection>,
        start: &LayerStart,
    ) -> Result<Admitted, Refused> {
        let admitted = outcome
            .map_err(Refused::from)
            .and_then(|authenticated| self.admit(request, authenticated, start));
        admitted.or_else(|refused| self.pass_or_refuse(request, refused, start))
    }

    /// A refusal is the answer, unless this layer only observes.
    fn pass_or_refuse(
        &self,
        request: RequestParts<'_>,
        refused: Refused,
        start: &LayerStart,
    ) -> Result<Admitted, Refused> {
        if self.0.observes(&refused.rejection) {
            return self.pass(request, &refused, start);
        }
        Err(refused)
    }

    /// How a request is answered, should it be refused here or further inside.
    #[inline]
    pub(super) fn protocol(&self, request: RequestParts<'_>) -> ResponseProtocol {
        if self.0.grpc {
            ResponseProtocol::of(request.headers)
        } else {
            ResponseProtocol::Http
        }
    }

    /// The check of a verified token by this layer. Whether it is a principal's, which this layer
    /// admits to workspaces alone.
    #[inline]
    fn check(&self, verified: Option<&VerifiedRequest>) -> Result<bool, Rejection> {
        let policy: &LayerPolicy = &self.0;
        let Some(verified) = verified else {
            return if policy.admits.nothing_sent {
                Ok(false)
            } else {
                Err(RejectionKind::MissingToken.into())
            };
        };
        policy.check_resource(verified)?;
        let is_of_context = verified.is_for(policy.context.as_deref());
        if !(is_of_context || policy.admits.principals && verified.is_principal()) {
            return Err(policy.wrong_context().by(verified.realm()));
        }
        policy.check_binding(verified)?;
        Ok(!is_of_context)
    }

    /// Admits an authenticated request, where this layer does.
    #[inline]
    fn admit(
        &self,
        request: RequestParts<'_>,
        authenticated: Option<AuthenticatedRequest>,
        start: &LayerStart,
    ) -> Result<Admitted, Refused> {
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
                    verified: verified.map(SentRequest::into_shared),
                    used_proof: dpop.and_then(|dpop| dpop.used_proof),
                });
            }
        };
        if logging::is_enabled() {
            let verified = verified.as_deref().map(|verified| &**verified);
            log_admitted(&self.0.server, verified);
        }
        let shared = verified.as_ref().map(SentRequest::shared);
        let decision = self.open_decision(request, start, shared, None)?;
        let (used_proof, nonce) = match dpop {
            Some(dpop) => (dpop.used_proof, dpop.fresh_nonce),
            None => (None, None),
        };
        Ok(Admitted {
            context: AuthContext {
                verified,
                policy: self.0.share(),
                other_context,
                reply: ReplyForm {
                    protocol: self.protocol(request),
                    schemes,
                },
                demanded: DemandedScopes::default(),
                used_proof,
                outer_decision: start.decision.outer_behind(decision.as_ref()),
                decision: decision.clone(),
            },
            after: AfterResponse {
                nonce,
                decision: decision.map(DecisionGuard),
            },
        })
    }

    /// Lets a request go on that is refused, as one where nothing was sent: this layer only observes. The
    /// token is told of in its decision alone.
    #[cold]
    fn pass(
        &self,
        request: RequestParts<'_>,
        refused: &Refused,
        start: &LayerStart,
    ) -> Result<Admitted, Refused> {
        let Refused {
            rejection,
            verified,
            used_proof,
        } = refused;
        log_refusal(rejection, &self.0.server);
        let decision = self.open_decision(request, start, verified.as_ref(), Some(rejection))?;
        Ok(Admitted {
            context: AuthContext {
                verified: None,
                policy: self.0.share(),
                other_context: false,
                reply: ReplyForm {
                    protocol: self.protocol(request),
                    schemes: SentSchemes::of(request.headers),
                },
                demanded: DemandedScopes::default(),
                used_proof: *used_proof,
                outer_decision: start.decision.outer_behind(decision.as_ref()),
                decision: decision.clone(),
            },
            after: AfterResponse {
                nonce: None,
                decision: decision.map(DecisionGuard),
            },
        })
    }

    /// The cell of a request that goes on, where something listens.
    #[inline]
    fn open_decision(
        &self,
        request: RequestParts<'_>,
        start: &LayerStart,
        verified: Option<&SharedRequest>,
        passed: Option<&Rejection>,
    ) -> Result<Option<Arc<DecisionCell>>, Refused> {
        match &self.0.decisions {
            None => Ok(None),
            Some(decisions) => Self::open_listened(decisions, request, start, verified, passed),
        }
    }

    #[inline(never)] // a part of its own, so that it costs nothing where nothing listens
    fn open_listened(
        decisions: &StripedArc<DecisionSource>,
        request: RequestParts<'_>,
        start: &LayerStart,
        verified: Option<&SharedRequest>,
        passed: Option<&Rejection>,
    ) -> Result<Option<Arc<DecisionCell>>, Refused> {
        match DecisionSource::open(decisions, request, &start.decision, verified, passed) {
            Ok(cell) => Ok(Some(cell)),
            Err(outage) => Err(Refused {
                rejection: outage.into(),
                verified: verified.cloned(),
                used_proof: None,
            }),
        }
    }
}

#[cold]
fn log_admitted(server: &ResourceServer, verified: Option<&VerifiedRequest>) {
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
