//! The look-ups that a request with a token would make, before its explanation.

use crate::model::error::rejection::Rejection;
use crate::runtime::clock::Now;
use crate::server::authenticate::{verified_request, with_scratch};
use crate::server::decide::decision::Decision;
use crate::server::decide::verified_request::SharedRequest;
use crate::server::explain::request::LookedUp;
use crate::server::resource_server::ResourceServer;
use crate::verify::jose::jws::{Compact, Unverified};
use crate::verify::jose::scratch::Scratch;
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
    ) -> impl Future<Output = LookedUp> + Send + use<> {
        let begun = Credential::find(sources, request)
            .ok()
            .flatten()
            .map(|credential| self.begin_lookups(credential));
        let server = self.clone();
        async move {
            let mut said = LookedUp::default();
            // Of keys, what is fetched is in memory then, or the explanation sees why it is not.
            let verified = match begun {
                None | Some(BegunLookups::Keys(Err(_))) => return said,
                Some(BegunLookups::Introspection(decision)) => {
                    let verified = finished(decision).await;
                    said.introspected = Some(verified.clone());
                    verified
                }
                Some(BegunLookups::Keys(decision)) => finished(decision).await,
            };
            if let Ok(verified) = verified {
                let status = finished(server.check_status(verified)).await;
                said.status = Some(status.map(drop));
            }
            said
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

async fn finished<T: Send + 'static>(
    decision: Result<Decision<T>, Rejection>,
) -> Result<T, Rejection> {
    decision?.finish().await
}

/// The first look-ups of a token, under way.
enum BegunLookups {
    Introspection(Result<Decision<SharedRequest>, Rejection>),
    /// Of keys, and of the status list after them.
    Keys(Result<Decision<SharedRequest>, Rejection>),
}
