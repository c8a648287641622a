//! Leases on verified requests.

use std::sync::Arc;
use std::time::Duration;

use crate::logging;
use crate::model::decision::event::Event;
use crate::model::decision::lease_end::LeaseEnd;
use crate::model::error::rejection::Rejection;
use crate::model::revocation::RevocationKind;
use crate::model::time::UnixTime;
use crate::runtime::lease::counters::LeaseCounts;
use crate::runtime::lease::table::LeaseRecord;
use crate::runtime::lease::terms::LeaseTerms;
use crate::server::decide::verified_request::{SentRequest, SharedRequest};
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
            began_at: token.began_at().unwrap_or(UnixTime::from_secs(i64::MIN)),
            has_session: token.session_ids().next().is_some(),
            authority: verified.authority().clone(),
            issuer: verified.issuer().clone(),
            #[cfg(feature = "status-list")]
            status: verified.status.clone(),
            #[cfg(feature = "status-list")]
            without_list_since: 0,
            // At most 5 minutes.
            leeway: u32::try_from(whole_seconds(rules.leeway)).unwrap_or(u32::MAX),
        }
    }

    /// Logs that a connection was upgraded that no lease ends, once a minute.
    pub(crate) fn report_unleased_upgrade(&self) {
        if self.0.unleased_upgrade.try_acquire(self.monotonic()) {
            logging::emit(Event::UpgradeWithoutLease);
        }
    }

    /// Checks a token that came without a request of its own, after look-ups where they are needed.
    pub(crate) async fn verify_bare_token(&self, token: &str) -> Result<SentRequest, Rejection> {
        let (sent, decision) = {
            let credential = Credential::bare(token.as_bytes())?;
            let decision = self.authenticate_credential(credential)?;
            (credential.to_sent(), decision)
        };
        let verified = decision.finish().await?;
        let verified = self.check_status(verified)?.finish().await?;
        Ok(SentRequest { verified, sent })
    }
}

/// As times add it.
fn whole_seconds(span: Duration) -> i64 {
    UnixTime::from_secs(0).saturating_add(span).as_secs()
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

    /// Leases that have ended with the `exp` of their token.
    #[must_use]
    pub const fn expired(&self) -> u64 {
        let [expired, ..] = self.0.ended;
        expired
    }

    /// Leases that a revocation has ended, of any kind.
    #[must_use]
    pub const fn revoked(&self) -> u64 {
        let [_, revoked, ..] = self.0.ended;
        revoked
    }

    /// Leases that have ended, by the stable name of the [reason](LeaseEnd::as_str), for metrics. A lease
    /// whose request was done before is none of them.
    pub fn ended(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
        let reasons = [
            LeaseEnd::Expired,
            LeaseEnd::Revoked(RevocationKind::Token),
            LeaseEnd::KeyRemoved,
            LeaseEnd::Status,
            LeaseEnd::Unavailable,
            LeaseEnd::IssuerReplaced,
        ];
        let names = reasons.map(LeaseEnd::as_str);
        names.into_iter().zip(self.0.ended)
    }
}
