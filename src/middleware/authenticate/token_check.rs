//! What a layer demands of a verified token.

use crate::middleware::authenticate::context::LayerPolicy;
use crate::model::error::rejection::{Rejection, TokenFault, WiringFault};
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::model::error::token_error::TokenError;
use crate::server::decide::verified_request::VerifiedRequest;

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
