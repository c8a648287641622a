//! A token that its issuer is asked about.

use crate::model::error::rejection::Rejection;
use crate::runtime::clock::Now;
use crate::server::decide::decision::Decision;
use crate::server::decide::introspected::IntrospectedIssuer;
use crate::server::decide::verified_request::SharedRequest;
use crate::server::observe::check_time;
use crate::server::resource_server::ResourceServer;
use crate::verify::request::credential::Credential;

impl ResourceServer {
    /// Both phases for a token that only its issuer can verify: its response is phase one.
    pub(super) fn introspect(
        &self,
        issuer: &IntrospectedIssuer,
        credential: Credential<'_>,
    ) -> Result<Decision<SharedRequest>, Rejection> {
        let now = Now::of(&*self.0.clock);
        let mut decision = issuer.authenticate(credential.as_bytes(), now);
        if matches!(decision, Ok(Decision::Pending(_))) && self.0.listeners.is_on() {
            check_time::begin();
        }
        if let Some(authority) = issuer.signer() {
            decision = self.check_connection(authority, decision);
        }
        let decision = decision?;
        self.accept(decision, credential, None, now)
    }
}
