//! The look-ups that a request with a token would make, before its explanation.

use crate::model::error::rejection::Rejection;
use crate::runtime::clock::Now;
use crate::server::authenticate::{verified_request, with_scratch};
use crate::server::decide::decision::Decision;
use crate::server::decide::verified_request::SharedRequest;
use crate::server::explain::request::IntrospectedToken;
use crate::server::resource_server::ResourceServer;
use crate::verify::jose::jws::{Compact, Scratch, Unverified};
use crate::verify::request::credential::Credential;
use crate::verify::request::request_parts::RequestParts;
use crate::verify::request::token_sources::TokenSources;

impl ResourceServer {
    /// Asks the network as a request would: for keys, for the issuer's verdict, for a status list. What
    /// the issuer says of a token that it introspects; other results are in memory afterwards. The token
    /// is not kept, and the application's checks do not see it.
    pub(crate) fn look_up_for(
        &self,
        sources: &TokenSources,
        request: RequestParts<'_>,
    ) -> impl Future<Output = Option<IntrospectedToken>> + Send + use<> {
        let begun = Credential::find(sources, request)
            .ok()
            .flatten()
            .map(|credential| self.begin_lookups(credential));
        let server = self.clone();
        async move {
            match begun? {
                BegunLookups::Introspection(decision) => Some(match decision {
                    Ok(decision) => decision.finish().await,
                    Err(rejection) => Err(rejection),
                }),
                BegunLookups::Keys(decision) => {
                    if let Ok(verified) = decision.ok()?.finish().await {
                        // What it says is in memory now, or it failed, which the explanation sees too.
                        if let Ok(status) = server.check_status(verified) {
                            let _ = status.finish().await;
                        }
                    }
                    None
                }
            }
        }
    }

    fn begin_lookups(&self, credential: Credential<'_>) -> BegunLookups {
        let token = credential.as_bytes();
        let registry = self.0.registry.load();
        if let Some(issuer) = &registry.introspected {
            let is_for_it = if token.contains(&b'.') {
                issuer.takes(token)
            } else {
                issuer.takes_undivided()
            };
            if is_for_it {
                let now = Now::of(&*self.0.clock);
                return BegunLookups::Introspection(issuer.authenticate(token, now));
            }
        }
        let decision = with_scratch(|scratch| {
            let Scratch { parts, members } = scratch;
            let compact = Compact::decode(credential, self.0.max_token_bytes, parts)?;
            let unverified = Unverified::read(&compact, members)?;
            let domain = self.trust_domain_of(&registry, &unverified)?;
            let unverified = unverified.or_issued_by(domain.as_deref());
            let issuer = unverified.claimed_issuer().unwrap_or_default();
            match registry.authorities.get(issuer) {
                Some(authority) => authority.verify(unverified, verified_request),
                None => Err(unverified.no_issuer().into()),
            }
        });
        BegunLookups::Keys(decision)
    }
}

/// The first look-ups of a token, under way.
enum BegunLookups {
    Introspection(Result<Decision<SharedRequest>, Rejection>),
    /// Of keys, and of the status list after them.
    Keys(Result<Decision<SharedRequest>, Rejection>),
}
