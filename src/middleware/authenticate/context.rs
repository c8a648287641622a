//! The entry of a layer in a request's extensions. Guards read it and never take it.

use std::sync::Arc;

use http::Extensions;
#[cfg(feature = "axum")]
use http::HeaderMap;

use crate::middleware::authenticate::layer_policy::LayerPolicy;
use crate::middleware::decision::DecisionCell;
use crate::middleware::response::refusal::Refusal;
use crate::middleware::response::refusal_cause::other_caller;
#[cfg(feature = "axum")]
use crate::middleware::response::refusal_cause::other_place;
use crate::middleware::response::refusal_log::{log_refusal_of, log_unlayered};
use crate::middleware::response::respond::ReplyForm;
use crate::middleware::response::scope_challenge::{DemandedScopes, add_kept_tokens};
use crate::model::decision::record::DecisionStage;
use crate::model::error::rejection::{Rejection, RejectionKind};
use crate::model::error::rejection_detail::RejectionDetail;
use crate::model::scope::{ScopeToken, add_tokens};
use crate::runtime::replay::proof_store::ProofFingerprint;
use crate::runtime::util::striped::StripedArcHandle;
use crate::server::decide::verified_request::SentRequest;
use crate::verify::claims::verified_token::AccessToken;
use crate::verify::identity::kinds::Identity;

/// The entry. The type is private, so an outer `Extension` layer of the application cannot forge
/// it.
#[derive(Clone)]
pub(crate) struct AuthContext {
    /// `None` under an optional layer, when nothing was sent.
    pub(in crate::middleware) verified: Option<SentRequest>,
    pub(in crate::middleware) policy: StripedArcHandle<LayerPolicy>,
    /// Whether the token is for another API context: a principal's, which this layer admits to
    /// workspaces and to nothing else.
    pub(in crate::middleware) other_context: bool,
    /// How refusals of this request are answered.
    pub(in crate::middleware) reply: ReplyForm,
    /// What the guards that the request has passed demanded.
    pub(in crate::middleware) demanded: DemandedScopes,
    /// The DPoP proof that the request has used up, for the layers inside.
    pub(in crate::middleware) used_proof: Option<ProofFingerprint>,
    /// Where something listens: guards note their refusals in it.
    pub(in crate::middleware) decision: Option<Arc<DecisionCell>>,
    /// Where nothing listens to this layer's server: the cell of the next layer outside, for those inside.
    pub(in crate::middleware) outer_decision: Option<Arc<DecisionCell>>,
}

impl AuthContext {
    /// The entry of the innermost layer.
    ///
    /// # Errors
    ///
    /// `NotAuthenticated` when no layer covers the route.
    pub(crate) fn of(extensions: &Extensions) -> Result<&Self, Refusal> {
        extensions.get::<Self>().ok_or_else(|| {
            let refusal = Refusal::without_layer();
            log_unlayered(refusal.rejection());
            refusal
        })
    }

    /// The verified request, for guards that need one of this layer's context.
    ///
    /// # Errors
    ///
    /// `MissingToken` under an optional layer, when nothing was sent; `WrongCaller` for a token of
    /// another context.
    pub(crate) fn required(&self) -> Result<&SentRequest, Refusal> {
        let verified = self.any_context()?;
        if self.other_context {
            let detail = other_caller("a caller of this layer's context", verified);
            let rejection = Rejection::wrong_caller("guest");
            return Err(self.refuse(rejection.with_detail(detail.with_setting("admit_principals"))));
        }
        Ok(verified)
    }

    /// The verified request of any context: for guards that do not grant access by themselves, and for the
    /// guard that looks up a principal's workspace.
    pub(crate) fn any_context(&self) -> Result<&SentRequest, Refusal> {
        self.verified
            .as_ref()
            .ok_or_else(|| self.refuse(RejectionKind::MissingToken))
    }

    /// Whether an optional layer let the request through without a token.
    #[cfg_attr(not(feature = "axum"), allow(dead_code))]
    pub(crate) const fn nothing_sent(&self) -> bool {
        self.verified.is_none()
    }

    /// A refusal of a caller of another kind than the one that the guard is for.
    #[cfg(feature = "axum")]
    pub(crate) fn refuse_caller(
        &self,
        rejection: impl Into<Rejection>,
        expected: &'static str,
    ) -> Refusal {
        let rejection = rejection.into();
        match &self.verified {
            Some(verified) if rejection.detail().is_none() => {
                self.refuse(rejection.with_detail(other_caller(expected, verified)))
            }
            _ => self.refuse(rejection),
        }
    }

    /// A refusal by what the path names: `WrongTenant` gets the parameter that differs.
    #[cfg(feature = "axum")]
    pub(crate) fn refuse_place(
        &self,
        rejection: impl Into<Rejection>,
        expected: &'static str,
        parameter: &str,
    ) -> Refusal {
        let rejection = rejection.into();
        match (&self.verified, rejection.kind()) {
            (Some(verified), RejectionKind::WrongTenant) if rejection.detail().is_none() => {
                self.refuse(rejection.with_detail(other_place(parameter, verified)))
            }
            (_, RejectionKind::WrongCaller | RejectionKind::NoTenant) => {
                self.refuse_caller(rejection, expected)
            }
            _ => self.refuse(rejection),
        }
    }

    /// A guard's refusal, with this layer's challenge.
    pub(crate) fn refuse(&self, rejection: impl Into<Rejection>) -> Refusal {
        self.refuse_in(DecisionStage::Guard, rejection)
    }

    /// A refusal of this stage, with this layer's challenge.
    pub(in crate::middleware) fn refuse_in(
        &self,
        stage: DecisionStage,
        rejection: impl Into<Rejection>,
    ) -> Refusal {
        let rejection = self.with_all_scopes(rejection.into());
        let rejection = match &self.verified {
            Some(verified) => explained(rejection, verified).by(verified.realm()),
            None => rejection,
        };
        let verified = self.verified.as_deref().map(|verified| &**verified);
        log_refusal_of(&rejection, &self.policy.server, verified);
        if let Some(decision) = &self.decision {
            decision.note(stage, &rejection);
        }
        Refusal::new(rejection, Arc::clone(&self.policy.challenge), self.reply)
    }

    /// A challenge for more than this token names all that the client needs as far as it is known, and
    /// what it has: clients that request exactly the scope of the last challenge would lose the rest. A
    /// 401 makes the client begin a session, so it names the scope of one too.
    fn with_all_scopes(&self, rejection: Rejection) -> Rejection {
        let begins_session = match rejection.kind() {
            RejectionKind::InsufficientScope => false,
            RejectionKind::InsufficientUserAuthentication => true,
            _ => rejection.names_requirement(),
        };
        let required = rejection.required_scope().unwrap_or_default();
        if required.is_empty() && !begins_session {
            return rejection;
        }
        let session = self.policy.challenge.session_scope();
        let mut tokens = Vec::new();
        add_tokens(&mut tokens, required);
        let refusals = self.policy.server.refusals();
        if !required.is_empty() {
            refusals.remember_scope(required);
        }
        let Some(verified) = &self.verified else {
            add_tokens(&mut tokens, session);
            let scope = tokens.join(" ");
            return rejection.with_scope(&scope);
        };
        for token in self.demanded.tokens() {
            let held = verified.held_scope_for(token).unwrap_or(token);
            add_tokens(&mut tokens, held);
        }
        if begins_session {
            add_tokens(&mut tokens, session);
        }
        let held = verified.token.scope();
        let learned = refusals.known_scopes(held.iter().map(ScopeToken::as_str));
        let hierarchy = verified.rules.scope_hierarchy.as_deref();
        let is_known = |token: &str| {
            self.policy.known_scope.contains(&token)
                || learned.contains(&token)
                || hierarchy.is_some_and(|hierarchy| hierarchy.has(token))
        };
        let kept = held
            .iter()
            .map(ScopeToken::as_str)
            .filter(|token| is_known(token));
        add_kept_tokens(&mut tokens, kept);
        let scope = tokens.join(" ");
        rejection.with_scope(&scope)
    }

    /// Whether the request goes on although a guard has just refused it: its layer only observes.
    pub(in crate::middleware) fn passes(&self, refusal: &Refusal) -> bool {
        let passes = self.policy.observes(refusal.rejection());
        if let (true, Some(decision)) = (passes, &self.decision) {
            decision.pass();
        }
        passes
    }

    /// What a tenant guard checks before it looks at the caller.
    #[cfg_attr(not(feature = "axum"), allow(dead_code))]
    pub(crate) fn check_wiring(&self) -> Result<(), Refusal> {
        match self.policy.wiring_fault {
            Some(fault) => Err(self.refuse(fault)),
            None => Ok(()),
        }
    }

    /// The verified request, for a tenant guard without delegation: a request with the header field
    /// that the issuer's policy reads asks for more than this guard gives, and is refused.
    #[cfg(feature = "axum")]
    pub(crate) fn for_tenant_guard(&self, headers: &HeaderMap) -> Result<&SentRequest, Refusal> {
        self.for_workspace_guard(headers)?;
        self.required()
    }

    /// The same in any context, for the guard that looks up a principal's workspace.
    #[cfg(feature = "axum")]
    pub(crate) fn for_workspace_guard(&self, headers: &HeaderMap) -> Result<&SentRequest, Refusal> {
        self.check_wiring()?;
        let verified = self.any_context()?;
        if verified.invokes_delegation(headers) {
            let detail = RejectionDetail::new()
                .with_setting("delegation")
                .with_expected("no header field that names a user, or the extractor `Delegation`")
                .with_found("the header field that `delegation()` reads");
            return Err(self.refuse(Rejection::wrong_caller("delegation").with_detail(detail)));
        }
        Ok(verified)
    }

    #[cfg(feature = "axum")]
    pub(crate) fn policy(&self) -> &LayerPolicy {
        &self.policy
    }
}

/// Adds the evidence that the caller lacks, where the refusal is about the kind of caller. Where
/// none is lacking, the guard's own detail stays.
fn explained(rejection: Rejection, verified: &SentRequest) -> Rejection {
    match (rejection.kind(), rejection.cause()) {
        (RejectionKind::NoTenant, _) | (RejectionKind::WrongCaller, Some("caller")) => {}
        _ => return rejection,
    }
    match (verified.lacking_evidence(), rejection.detail()) {
        (Some(evidence), _) => rejection.with_detail(evidence),
        (None, Some(_)) => rejection,
        (None, None) => {
            let kind = RejectionDetail::new().with_found(verified.caller_kind());
            rejection.with_detail(kind)
        }
    }
}

impl AccessToken {
    /// The token of a request that came through an [`AuthenticateLayer`](crate::AuthenticateLayer),
    /// for services without axum.
    ///
    /// # Errors
    ///
    /// * [`RejectionKind::NotAuthenticated`]: no layer covers the service.
    /// * [`RejectionKind::MissingToken`]: the layer is optional, and nothing was sent.
    /// * [`RejectionKind::WrongCaller`]: a principal, where the layer admits them to workspaces.
    pub fn of(extensions: &Extensions) -> Result<Self, Refusal> {
        Ok(AuthContext::of(extensions)?.required()?.access_token())
    }
}

impl Identity {
    /// Who is calling, for services without axum. The errors are those of [`AccessToken::of`].
    ///
    /// # Errors
    ///
    /// * [`RejectionKind::NotAuthenticated`]: no layer covers the service.
    /// * [`RejectionKind::MissingToken`]: the layer is optional, and nothing was sent.
    /// * [`RejectionKind::WrongCaller`]: a principal, where the layer admits them to workspaces.
    pub fn of(extensions: &Extensions) -> Result<Self, Refusal> {
        Ok(AuthContext::of(extensions)?.required()?.identity().clone())
    }
}
