//! What is said where `connect()` was never called that loads keys and revocations.

use crate::model::error::rejection::{Outage, Rejection, RejectionKind, TokenFault};
use crate::runtime::revocation::list::RevocationCheckError;
use crate::server::decide::decision::Decision;
use crate::server::decide::issuer_authority::IssuerAuthority;
use crate::server::resource_server::ResourceServer;

impl ResourceServer {
    /// Where keys are missing that only `connect()` loads, and it was never called, says so: there
    /// is nothing to wait for.
    pub(in crate::server) fn check_connection<T>(
        &self,
        authority: &IssuerAuthority,
        decision: Result<Decision<T>, Rejection>,
    ) -> Result<Decision<T>, Rejection> {
        let is_missing = match &decision {
            Ok(Decision::Done(_)) => return decision,
            #[cfg(feature = "jwks")]
            Ok(Decision::Pending(_)) => true,
            Err(rejection) => matches!(rejection.kind(), RejectionKind::Unavailable(_)),
        };
        if is_missing && authority.keys.is_remote() && !self.0.connection.is_begun() {
            return Err(authority.rejection(self.0.connection.missing()));
        }
        decision
    }

    /// Whether `connect` was forgotten that would have loaded what was revoked before.
    #[cfg(feature = "jwks")]
    pub(in crate::server) fn is_waiting_for_connect(&self) -> bool {
        self.0.loading.is_some() && !self.0.connection.is_begun()
    }

    /// Without fetched keys there is no `connect`.
    #[cfg(not(feature = "jwks"))]
    #[allow(clippy::unused_self)]
    pub(in crate::server) const fn is_waiting_for_connect(&self) -> bool {
        false
    }

    /// The rejection of a token that the revocation list does not clear.
    pub(super) fn refusal(&self, error: RevocationCheckError) -> Rejection {
        match error {
            RevocationCheckError::Revoked => TokenFault::Revoked.into(),
            RevocationCheckError::Unknown if self.is_waiting_for_connect() => {
                self.0.connection.missing()
            }
            RevocationCheckError::Unknown => Outage::RevocationsNotLoaded.into(),
        }
    }
}
