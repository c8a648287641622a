//! Deciding anew, where the rules of the issuer are replaced while the decision waits.

use std::time::Duration;

use crate::model::error::rejection::{Outage, Rejection};
use crate::server::decide::decision::{Decision, PendingDecision};
use crate::server::decide::verified_request::SharedRequest;
use crate::server::resource_server::ResourceServer;
use crate::verify::request::credential::Credential;

/// How often a decision that waits is begun anew, each time since its issuer was replaced meanwhile.
const MOST_RESTARTS: usize = 16;

/// For a request whose issuer was replaced more often than that.
const RETRY_SOON: Duration = Duration::from_secs(1);

impl ResourceServer {
    /// Decides anew, by the newest rules, where the rules of the issuer are replaced while the decision
    /// waits; so a replacement never costs a request its answer.
    pub(super) fn restart_if_replaced(
        &self,
        pending: PendingDecision<SharedRequest>,
        credential: Credential<'_>,
    ) -> PendingDecision<SharedRequest> {
        let (server, token) = (self.clone(), credential.into_owned());
        PendingDecision::new(async move {
            let mut pending = pending;
            for _ in 0..=MOST_RESTARTS {
                let issuer = pending.issuer().cloned();
                let outcome = pending.finish().await;
                if issuer.is_none_or(|issuer| issuer.is_live()) {
                    return outcome.map(Decision::Done);
                }
                let decision = match server.decide_credential(token.borrow())? {
                    Decision::Done(verified) => server.check_status(verified)?,
                    Decision::Pending(next) => {
                        let server = server.clone();
                        Decision::Pending(next.and_then(move |v| server.check_status(v)))
                    }
                };
                match decision {
                    Decision::Done(verified) => return Ok(Decision::Done(verified)),
                    Decision::Pending(next) => pending = next,
                }
            }
            // Rules that are gone decide nothing.
            Err(Rejection::unavailable(Outage::KeyUnconfirmed, RETRY_SOON))
        })
    }
}
