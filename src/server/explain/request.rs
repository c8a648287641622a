//! The explanation of a request, in the order of the decision on it; see
//! [`authenticate`](crate::server::authenticate).
//!
//! 1. Nothing changes: no cache, no counter, no used proof, no fetch. Look-ups are said to be pending.
//! 2. A check that failed does not end it where the ones behind it have something to look at. The
//!    first failure in the order of the decision is the conclusion.
//! 3. Without a good signature the claims are inspected, and marked as unverified. They become no
//!    token, so that nothing that takes one sees them.

use crate::model::decision::explained_check::Check;
#[cfg(feature = "jwks")]
use crate::model::error::rejection::{Outage, RejectionKind};
use crate::model::error::rejection::{Rejection, TokenFault};
use crate::runtime::clock::Now;
use crate::runtime::replay::proof_store::ProofFingerprint;
use crate::server::authenticate::with_scratch;
#[cfg(feature = "jwks")]
use crate::server::decide::introspected::IntrospectedIssuer;
use crate::server::decide::verified_request::{SentRequest, SharedRequest};
use crate::server::explain::explanation::Step;
use crate::server::explain::record::Record;
#[cfg(feature = "jwks")]
use crate::server::explain::verified::note_identity;
use crate::server::resource_server::ResourceServer;
use crate::verify::jose::jws::Compact;
use crate::verify::request::credential::Credential;
use crate::verify::request::request_parts::RequestParts;
use crate::verify::request::token_sources::TokenSources;

/// What look-ups have said of a token.
#[derive(Default)]
#[cfg_attr(not(feature = "jwks"), allow(dead_code))]
pub(crate) struct LookedUp {
    /// Where only the issuer can verify the token.
    pub(crate) introspected: Option<Result<SharedRequest, Rejection>>,
    /// Of its status list; an error where there is none, or the status is not accepted.
    pub(crate) status: Option<Result<(), Rejection>>,
}

/// The checks behind the claims, which take a verified token.
pub(super) const BEHIND_CLAIMS: [Check; 4] = [
    Check::NotBefore,
    Check::Revocation,
    Check::ApplicationChecks,
    Check::Sender,
];

impl ResourceServer {
    /// Explains the decision on a request up to the layer's own demands. The verified token, where there
    /// is one; `None` without a conclusion means that nothing was sent.
    pub(crate) fn explain_request(
        &self,
        record: &mut Record,
        sources: &TokenSources,
        request: RequestParts<'_>,
        used_proof: Option<ProofFingerprint>,
        looked_up: LookedUp,
    ) -> Option<SentRequest> {
        let credential = match Credential::find(sources, request) {
            Ok(Some(credential)) => credential,
            Ok(None) => {
                let step = Step::passed(Check::Credential);
                record.push(step.finding("nothing was sent"));
                return None;
            }
            Err(kind) => {
                record.refuse(Check::Credential, kind.into());
                record.skip(&[Check::Form], "there is no single credential");
                return None;
            }
        };
        let token = credential.as_bytes();
        let scheme = if credential.is_dpop() {
            "DPoP"
        } else {
            "Bearer"
        };
        let found = format!("{scheme}, {} bytes", token.len());
        record.push(Step::passed(Check::Credential).finding(&found));
        if credential.is_dpop() && self.0.dpop.is_none() {
            let rejection = Rejection::from(TokenFault::Scheme);
            let step = Step::failed(Check::Scheme, &rejection)
                .because("DPoP is off, or no public origin is known")
                .by_setting("public_origin");
            record.refuse_at(step, rejection);
        }
        let now = Now::of(&*self.0.clock);
        let verified = self.explain_token(record, credential, looked_up.introspected, now);
        if let Some(verified) = &verified {
            self.explain_status(record, verified, looked_up.status, now);
            let known = verified.client_key.get().map(|key| &**key);
            let sender = self.sender(request, credential, used_proof, known);
            self.explain_sender(record, verified, sender, now);
        } else if credential.is_dpop() {
            // The proof can be checked beside a bad token, except for its key.
            let sender = self.sender(request, credential, used_proof, None);
            if let Some(rejection) = sender.proof_fault() {
                record.refuse(Check::Sender, rejection.clone());
            }
        }
        verified
    }

    fn explain_token(
        &self,
        record: &mut Record,
        credential: Credential<'_>,
        looked_up: Option<Result<SharedRequest, Rejection>>,
        now: Now,
    ) -> Option<SentRequest> {
        let token = credential.as_bytes();
        let registry = self.0.registry.load();
        let has_dots = token.contains(&b'.');
        #[cfg(feature = "jwks")]
        if let Some(issuer) = &registry.introspected {
            let is_for_it = if has_dots {
                issuer.takes(token)
            } else {
                issuer.takes_undivided()
            };
            if is_for_it {
                return self.explain_introspection(record, issuer, credential, looked_up, now);
            }
        }
        let _ = looked_up;
        if !has_dots {
            let rejection = Compact::undivided(credential, self.0.max_token_bytes);
            record.refuse(Check::Form, rejection);
            record.skip(&[Check::Syntax, Check::Issuer], "the token is no JWT");
            return None;
        }
        record.push(Step::passed(Check::Form).finding("a JWT, which is verified here"));
        with_scratch(|scratch| self.explain_jwt(record, &registry, scratch, credential, now))
    }

    #[cfg(feature = "jwks")]
    fn explain_introspection(
        &self,
        record: &mut Record,
        issuer: &IntrospectedIssuer,
        credential: Credential<'_>,
        looked_up: Option<Result<SharedRequest, Rejection>>,
        now: Now,
    ) -> Option<SentRequest> {
        let token = credential.as_bytes();
        let name = issuer.endpoint().issuer();
        record.apply_rules_of(name, None);
        let form = Step::passed(Check::Form);
        record.push(form.finding("a token that its issuer introspects"));
        let is_remote = issuer
            .signer()
            .is_some_and(|signer| signer.keys.is_remote());
        match looked_up.or_else(|| issuer.foresee(token, now)) {
            Some(Ok(verified)) => {
                let verified = SentRequest::of(&verified, credential);
                record.push(Step::passed(Check::Introspection).finding("active"));
                self.explain_repeated(record, &verified, false, now);
                note_identity(record, &verified);
                return Some(verified);
            }
            Some(Err(rejection)) => {
                let mut step = Step::failed(Check::Introspection, &rejection);
                let error = issuer.status().last_error().map(ToOwned::to_owned);
                let is_outage = matches!(rejection.kind(), RejectionKind::Unavailable(_));
                if let Some(error) = error.filter(|_| is_outage) {
                    step = step.because(format!("{rejection}; {error}"));
                }
                record.refuse_at(step, rejection);
            }
            None if is_remote && !self.0.connection.is_begun() => {
                let outage = Rejection::from(Outage::NotConnected);
                record.refuse(Check::Introspection, outage.by(name));
            }
            None => {
                let mut reason =
                    "no response is cached; a request with this token asks the endpoint".to_owned();
                let status = issuer.status();
                if let Some(error) = status.last_error().filter(|_| status.is_failing()) {
                    reason = format!("{reason}, which fails: {error}");
                }
                record.await_lookup(Check::Introspection, reason);
            }
        }
        record.skip(&BEHIND_CLAIMS, "there is no verified token");
        None
    }
}
