//! The issuer of a token that names none: the trust domain of its subject.

use std::sync::Arc;

use crate::model::error::rejection::Rejection;
use crate::server::decide::issuer_authority::IssuerAuthority;
use crate::server::decide::unknown_issuer::unknown_issuer;
use crate::server::registry::Registry;
use crate::server::resource_server::ResourceServer;
use crate::verify::claims::spiffe_id::trust_domain;
use crate::verify::jose::jws::Unverified;
use crate::verify::policy::issuer_policy::Profile;

impl ResourceServer {
    /// The issuer of a workload's token without `iss`: the trust domain of its subject, where that is
    /// configured (SPIFFE JWT-SVID section 3).
    ///
    /// # Errors
    ///
    /// The trust domain is not configured, and others are.
    #[cold]
    pub(in crate::server) fn trust_domain_of(
        &self,
        registry: &Registry,
        unverified: &Unverified<'_>,
    ) -> Result<Option<String>, Rejection> {
        let is_spiffe =
            |authority: &Arc<IssuerAuthority>| authority.rules.profile == Profile::Spiffe;
        let subject = unverified.subject_without_issuer();
        let Some(domain) = subject.as_deref().and_then(trust_domain) else {
            return Ok(None);
        };
        if registry.authorities.get(domain).is_some_and(is_spiffe) {
            return Ok(Some(domain.to_owned()));
        }
        if registry.authorities.values().any(is_spiffe) {
            return Err(unknown_issuer(domain, self.0.shows_unknown_issuers).into());
        }
        Ok(None)
    }
}
