//! What the issuer tells about the user of a request.
//!
//! 1. A token goes to the issuer that vouches for it, and nobody is asked about who is no user.
//! 2. An answer about somebody else is no answer, and not the caller's fault.

use std::sync::Arc;
use std::time::Duration;

use crate::logging;
use crate::model::error::rejection::{Outage, Rejection, RejectionKind, TokenFault, WiringFault};
use crate::model::event::Event;
use crate::runtime::cache::token_cache::Cached;
use crate::runtime::clock::Now;
use crate::server::compile::userinfo::{UserInfoRefusal, UserInfoResult};
use crate::server::decide::verified_request::VerifiedRequest;
use crate::server::resource_server::ResourceServer;
use crate::verify::claims::userinfo_response::{UserClaims, openid_subject};
use crate::verify::identity::kinds::Identity;
use crate::verify::request::credential::{Credential, is_b64token};

/// An issuer that speaks of somebody else may come to its senses.
const RETRY_AFTER: Duration = Duration::from_secs(10);

impl ResourceServer {
    /// What a handler that wants userinfo needs.
    pub(crate) fn user_info_fault(&self) -> Option<WiringFault> {
        let has_none = self.0.registry.load().userinfo.is_empty();
        has_none.then_some(WiringFault::NoUserInfo)
    }

    /// Asks the token's issuer about its user, with the token that the request came with.
    pub(crate) async fn user_info(
        &self,
        admission: &VerifiedRequest,
        token: Credential<'_>,
    ) -> Result<Arc<Cached<UserClaims>>, Rejection> {
        let asks = self
            .0
            .registry
            .load()
            .userinfo
            .get(admission.realm())
            .map(Arc::clone);
        let is_machine = matches!(admission.identity(), Identity::Client(_));
        let subject = openid_subject(&admission.token).filter(|_| !is_machine);
        let (asks, subject) = asks
            .zip(subject)
            .ok_or(Rejection::wrong_caller("user_info"))?;
        // It passed the layer; something behind that has put another one in its place.
        let text = std::str::from_utf8(token.as_bytes())
            .ok()
            .filter(|text| is_b64token(text.as_bytes()))
            .ok_or(RejectionKind::Misconfigured(WiringFault::TokenRemoved))?;
        let failed = || Rejection::unavailable(Outage::UserInfoFailed, RETRY_AFTER);
        let teller = asks.handler();
        let digest = teller.digest(text.as_bytes()).ok_or_else(failed)?;
        let told = if let Some(told) = teller.find_cached(digest, Now::of(&*self.0.clock)) {
            told
        } else {
            let party = teller.digest_of_subject(&subject);
            let ticket = asks.look_up(digest, party, text)?;
            ticket.wait().await?
        };
        match told {
            // The keys went while the request waited for what they had verified.
            UserInfoResult::Known(claims) if claims.has_lost_its_keys() => Err(failed()),
            UserInfoResult::Known(claims) => match claims.check(&admission.token) {
                Ok(()) => Ok(claims),
                Err(fault) => {
                    let now = self.0.clock.monotonic();
                    if claims.is_news() && teller.unusable.grants(now) {
                        logging::emit(Event::UserInfoUnusable {
                            issuer: admission.realm(),
                            error: &fault.to_string(),
                        });
                    }
                    Err(failed())
                }
            },
            UserInfoResult::Denied(UserInfoRefusal::BadToken) => Err(TokenFault::Inactive.into()),
            UserInfoResult::Denied(UserInfoRefusal::NothingToSee) => {
                Err(Rejection::wrong_caller("user_info"))
            }
        }
    }
}
