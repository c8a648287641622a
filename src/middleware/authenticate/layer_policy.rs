//! What a layer was configured with.

use std::sync::Arc;

use crate::middleware::authenticate::client_certificate::CertificateProxy;
use crate::middleware::decision::DecisionSource;
use crate::middleware::response::drain_body::ReadBounds;
use crate::middleware::response::respond::ChallengePolicy;
use crate::model::error::rejection::{Rejection, RejectionKind, TokenFault, WiringFault};
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::model::error::token_error::TokenError;
use crate::model::requirement::binding::RequiredBindings;
use crate::model::requirement::resource_set::ResourceSet;
use crate::runtime::util::striped::StripedArc;
use crate::server::decide::verified_request::VerifiedRequest;
use crate::server::observe::observe_only::ObserveOnly;
use crate::server::resource_server::ResourceServer;
use crate::server::settings::path_parameters::PathParameters;
use crate::verify::request::token_sources::TokenSources;

/// What a layer admits beside good tokens of its own context.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AdmissionRules {
    /// Principals, whose tokens are for the portal's context.
    pub(in crate::middleware) principals: bool,
    /// Requests without any token.
    pub(in crate::middleware) nothing_sent: bool,
}

/// What a layer was configured with.
pub(crate) struct LayerPolicy {
    pub(in crate::middleware) challenge: Arc<ChallengePolicy>,
    pub(in crate::middleware) context: Option<Arc<str>>,
    pub(in crate::middleware) server: ResourceServer,
    pub(in crate::middleware) admits: AdmissionRules,
    /// What tenant guards answer under this layer, for every caller.
    pub(in crate::middleware) wiring_fault: Option<WiringFault>,
    /// The bindings that these routes demand, beside the server and the issuer.
    pub(in crate::middleware) required_bindings: RequiredBindings,
    /// The resource of these routes.
    pub(in crate::middleware) resource: ResourceSet,
    pub(in crate::middleware) resource_place: usize,
    /// Whether clients that speak gRPC are answered in it.
    pub(in crate::middleware) grpc: bool,
    pub(in crate::middleware) sources: TokenSources,
    /// The proxy whose header field describes the client's certificate.
    pub(in crate::middleware) certificate_proxy: Option<CertificateProxy>,
    /// The route parameters that address a tenant.
    #[cfg_attr(not(feature = "axum"), allow(dead_code))]
    pub(in crate::middleware) path: PathParameters,
    /// Tokens of scopes that a 403 names where the token has them.
    pub(in crate::middleware) known_scope: Vec<&'static str>,
    /// How much of a refused request's body is read.
    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    pub(in crate::middleware) read_bounds: ReadBounds,
    /// A setting of the layer that cannot be used as it was given: every request is answered 500.
    pub(in crate::middleware) setting_fault: Option<SettingFault>,
    /// `None` where nothing listens to decisions.
    pub(in crate::middleware) decisions: Option<StripedArc<DecisionSource>>,
    /// Where refusals go on, until a day.
    pub(in crate::middleware) observe_only: Option<Arc<ObserveOnly>>,
}

/// A setting of a layer that cannot be used as it was given. A layer has no `build()` to refuse it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SettingFault {
    /// The name of its method.
    pub(in crate::middleware) setting: &'static str,
    /// `Contradicts`: given twice, with different values.
    pub(in crate::middleware) problem: Problem,
}

impl LayerPolicy {
    /// Whether a refusal of a request goes on now. A mistake in the wiring never does.
    pub(in crate::middleware) fn observes(&self, rejection: &Rejection) -> bool {
        let Some(observe_only) = &self.observe_only else {
            return false;
        };
        let is_wiring = matches!(
            rejection.kind(),
            RejectionKind::Misconfigured(_) | RejectionKind::NotAuthenticated
        );
        if is_wiring || !observe_only.observes(self.server.wall_clock()) {
            return false;
        }
        observe_only.pass(|| self.server.monotonic());
        true
    }
}

impl SettingFault {
    pub(in crate::middleware) fn rejection(self) -> Rejection {
        let detail = RejectionDetail::new()
            .with_setting(self.setting)
            .with_problem(self.problem);
        Rejection::from(WiringFault::LayerSetting).with_detail(detail)
    }
}

/// What a layer demands of a verified token.
impl LayerPolicy {
    /// All of it, for a token that comes without a request of its own.
    #[cfg(feature = "jwks")]
    pub(in crate::middleware) fn check_token(
        &self,
        verified: &VerifiedRequest,
    ) -> Result<(), Rejection> {
        self.check_resource(verified)?;
        let is_principal = self.admits.principals && verified.is_principal();
        if !verified.is_for(self.context.as_deref()) && !is_principal {
            return Err(self.wrong_context().by(verified.realm()));
        }
        self.check_binding(verified)
    }

    /// A token of one resource is never good for another.
    #[inline]
    pub(in crate::middleware) fn check_resource(
        &self,
        verified: &VerifiedRequest,
    ) -> Result<(), Rejection> {
        if verified.resources.meets(self.resource) {
            return Ok(());
        }
        Err(self.other_resource(verified))
    }

    #[cold]
    fn other_resource(&self, verified: &VerifiedRequest) -> Rejection {
        let detail = RejectionDetail::new()
            .with_claim(verified.audience_claim())
            .with_problem(Problem::Differs)
            .with_setting("resource")
            .with_expected(self.server.names_of(self.resource))
            .with_found(self.server.names_of(verified.resources));
        let error = TokenError::new(TokenFault::Audience, detail);
        Rejection::from(error).by(verified.realm())
    }

    /// What the layer demands beside the server and the issuer.
    #[inline]
    pub(in crate::middleware) fn check_binding(
        &self,
        verified: &VerifiedRequest,
    ) -> Result<(), Rejection> {
        let required = self.required_bindings;
        if required.is_none() {
            return Ok(());
        }
        let checked = verified.token.check_bindings(required);
        checked.map_err(|error| Rejection::from(error).by(verified.realm()))
    }

    /// A token of one context is never good for another, unless the layer's is a slip.
    pub(in crate::middleware) fn wrong_context(&self) -> Rejection {
        if let Some(fault @ WiringFault::UnknownContext) = self.wiring_fault {
            return fault.into();
        }
        let expected = self.context.as_deref().unwrap_or_default();
        let detail = RejectionDetail::new()
            .with_setting("context")
            .with_problem(Problem::Differs)
            .with_expected(expected.to_owned());
        Rejection::wrong_caller("context").with_detail(detail)
    }
}
