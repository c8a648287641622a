//! What is checked after the token itself: its status, and its sender.

use super::with_scratch;
use crate::model::error::rejection::Rejection;
use crate::runtime::clock::Now;
use crate::runtime::replay::proof_store::ProofFingerprint;
use crate::server::decide::decision::Decision;
#[cfg(feature = "redis")]
use crate::server::decide::decision::PendingDecision;
#[cfg(feature = "redis")]
use crate::server::decide::sender::CheckedSender;
use crate::server::decide::sender::{self, AuthenticatedRequest, Sender};
use crate::server::decide::verified_request::SharedRequest;
use crate::server::resource_server::ResourceServer;
use crate::verify::dpop::proof::ClientKey;
use crate::verify::request::credential::Credential;
use crate::verify::request::request_parts::RequestParts;

impl ResourceServer {
    /// Checks the status of a verified token, and then the sender.
    pub(super) fn check_further(
        &self,
        verified: SharedRequest,
        sender: Sender,
        credential: Credential<'_>,
    ) -> Result<Decision<AuthenticatedRequest>, Rejection> {
        #[cfg(not(feature = "jwks"))]
        let _ = credential;
        match self.check_status(verified)? {
            Decision::Done(verified) => self.check_sender(verified, sender),
            #[cfg(feature = "jwks")]
            Decision::Pending(pending) => {
                let pending = self.restart_if_replaced(pending, credential);
                let server = self.clone();
                let pending = pending.and_then(move |v| server.check_sender(v, sender));
                Ok(Decision::Pending(pending))
            }
        }
    }

    /// What the request shows of its sender. `known` is the key that was kept with the token.
    #[inline(never)]
    pub(in crate::server) fn sender(
        &self,
        request: RequestParts<'_>,
        credential: Credential<'_>,
        used_proof: Option<ProofFingerprint>,
        known: Option<&ClientKey>,
    ) -> Sender {
        let rules = self.0.dpop.as_ref();
        let now = self.0.clock.now();
        with_scratch(|scratch| {
            Sender::of(request, credential, used_proof, rules, known, now, scratch)
        })
    }

    /// Checks the sender of a verified token, which uses its proof up.
    fn check_sender(
        &self,
        verified: SharedRequest,
        sender: Sender,
    ) -> Result<Decision<AuthenticatedRequest>, Rejection> {
        let now = Now::of(&*self.0.clock);
        let checked = sender::check(verified, sender, self.0.dpop.as_ref(), now)?;
        #[cfg(feature = "redis")]
        if let Some(pending) = self.look_up_shared(&checked) {
            return Ok(Decision::Pending(pending));
        }
        Ok(Decision::Done(checked.request))
    }

    /// Where instances share a store, the look-up of the proof there.
    #[cfg(feature = "redis")]
    fn look_up_shared(
        &self,
        checked: &CheckedSender,
    ) -> Option<PendingDecision<AuthenticatedRequest>> {
        let proof = checked.proof.as_ref()?;
        let rules = self.0.dpop.as_ref()?;
        let store = rules.store.as_ref()?;
        let proofs = &self.0.shared.as_ref()?.proofs;
        let id = (&proof.thumbprint, proof.id.as_bytes());
        let lookup = proofs.use_once(id, rules.proofs.longest_life());
        let request = checked.request.clone();
        let outcome = sender::check_shared(lookup, store.outage, request);
        Some(PendingDecision::new(outcome))
    }
}
