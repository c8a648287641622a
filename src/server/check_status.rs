//! The check of a token's status in its status list, which every request repeats.

#[cfg(feature = "status-list")]
use std::sync::Arc;

use crate::model::error::rejection::Rejection;
#[cfg(feature = "status-list")]
use crate::runtime::clock::Now;
use crate::server::decide::decision::Decision;
#[cfg(feature = "status-list")]
use crate::server::decide::token_status;
use crate::server::decide::verified_request::SharedRequest;
use crate::server::resource_server::ResourceServer;

impl ResourceServer {
    /// Checks the status of a verified token in its status list.
    #[cfg(feature = "status-list")]
    #[allow(clippy::unused_self)] // like its twin
    pub(in crate::server) fn check_status(
        &self,
        verified: SharedRequest,
    ) -> Result<Decision<SharedRequest>, Rejection> {
        let Some(reference) = &verified.status else {
            return Ok(Decision::Done(verified));
        };
        let now = Now::of(&*self.0.clock);
        let by = |rejection: Rejection| rejection.by(verified.realm());
        match token_status::check(reference, now).map_err(by)? {
            Decision::Done(()) => Ok(Decision::Done(verified)),
            Decision::Pending(pending) => {
                let realm = Arc::clone(verified.realm());
                let pending = pending.map_err(move |rejection| rejection.by(&realm));
                let issuer = verified.issuer().clone();
                let pending = pending.by_rules_of(issuer);
                let pending = pending.and_then(move |()| Ok(Decision::Done(verified)));
                Ok(Decision::Pending(pending))
            }
        }
    }

    #[cfg(not(feature = "status-list"))]
    #[allow(clippy::unused_self, clippy::unnecessary_wraps)] // like its twin
    pub(in crate::server) fn check_status(
        &self,
        verified: SharedRequest,
    ) -> Result<Decision<SharedRequest>, Rejection> {
        Ok(Decision::Done(verified))
    }
}
