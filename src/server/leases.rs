//! Leases on verified requests.

use std::sync::Arc;

use crate::model::error::rejection::Rejection;
use crate::model::lease_end::LeaseEnd;
use crate::runtime::lease::table::{LeaseCounts, LeaseRecord};
use crate::runtime::lease::terms::LeaseTerms;
use crate::server::decide::verified_request::SharedRequest;
use crate::server::resource_server::ResourceServer;
use crate::verify::request::credential::Credential;

impl ResourceServer {
    /// The leases that are open now, and how many have ended and why.
    #[must_use]
    pub fn lease_status(&self) -> LeaseStatus {
        LeaseStatus(self.0.leases.counts())
    }

    /// Opens a lease on a verified request.
    pub(crate) fn open_lease(&self, verified: &SharedRequest) -> Arc<LeaseRecord> {
        self.0.leases.open(self.lease_terms(verified))
    }

    pub(crate) fn lease_terms(&self, verified: &SharedRequest) -> LeaseTerms {
        let (token, rules) = (&verified.token, &verified.rules);
        let list = &self.0.revocations;
        let (names, beside_names) = list.names_of(&verified.revocation_check, token, rules);
        LeaseTerms {
            names,
            beside_names,
            until: verified.validity.until(),
            began_at: token.began_at(),
            has_session: token.session_ids().next().is_some(),
            authority: verified.authority().clone(),
            #[cfg(feature = "status-list")]
            status: verified.status.clone(),
            #[cfg(feature = "status-list")]
            without_list_since: 0,
            rules: Arc::clone(rules),
        }
    }

    /// Checks a token that came without a request of its own, after look-ups where they are needed.
    pub(crate) async fn verify_bare_token(&self, token: &str) -> Result<SharedRequest, Rejection> {
        let decision = {
            let credential = Credential::bare(token.as_bytes())?;
            self.authenticate_credential(credential)?
        };
        let verified = decision.finish().await?;
        self.check_status(verified)?.finish().await
    }
}

/// The leases of a server since it was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseStatus(LeaseCounts);

impl LeaseStatus {
    /// Leases that are open now.
    #[must_use]
    pub const fn open(&self) -> usize {
        self.0.open
    }

    /// Leases that were opened.
    #[must_use]
    pub const fn opened(&self) -> u64 {
        self.0.opened
    }

    /// Leases that have ended for this reason, whichever kind of revocation it was. A lease whose
    /// request was done before is none of them.
    #[must_use]
    pub const fn ended(&self, reason: LeaseEnd) -> u64 {
        let [expired, revoked, key_removed, status, unavailable] = self.0.ended;
        match reason {
            LeaseEnd::Expired => expired,
            LeaseEnd::Revoked(_) => revoked,
            LeaseEnd::KeyRemoved => key_removed,
            LeaseEnd::Status => status,
            LeaseEnd::Unavailable => unavailable,
        }
    }
}
