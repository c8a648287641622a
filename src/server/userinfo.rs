//! The userinfo response about the user of a request.
//!
//! 1. A token goes only to the issuer that issued it, and only where its subject is a user.
//! 2. A response about another subject is an outage, and not the caller's fault.
//! 3. A bound token is sent nowhere: the endpoint would demand a proof by the client's key or the
//!    client's certificate (RFC 9449 section 7.1, RFC 8705 section 3), which only the client has.

use std::sync::Arc;
use std::time::Duration;

use crate::logging;
use crate::model::error::rejection::{Outage, Rejection, RejectionKind, TokenFault, WiringFault};
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::model::event::Event;
use crate::runtime::cache::token_cache::Cached;
use crate::runtime::clock::Now;
use crate::server::compile::userinfo::{UserInfoRefusal, UserInfoResult};
use crate::server::decide::verified_request::VerifiedRequest;
use crate::server::resource_server::ResourceServer;
use crate::verify::claims::userinfo_response::{UserClaims, openid_subject};
use crate::verify::identity::kinds::Identity;
use crate::verify::request::credential::{Credential, is_b64token};

/// When a client may come again after a response that cannot be used.
const RETRY_AFTER: Duration = Duration::from_secs(10);

impl ResourceServer {
    /// What a handler that wants userinfo needs.
    pub(crate) fn user_info_fault(&self) -> Option<WiringFault> {
        let has_none = self.0.registry.load().userinfo.is_empty();
        has_none.then_some(WiringFault::NoUserInfo)
    }

    /// Asks the userinfo endpoint of the token's issuer, with the token of the request.
    pub(crate) async fn user_info(
        &self,
        verified: &VerifiedRequest,
        token: Credential<'_>,
    ) -> Result<Arc<Cached<UserClaims>>, Rejection> {
        let lookup = self
            .0
            .registry
            .load()
            .userinfo
            .get(verified.realm())
            .map(Arc::clone);
        let is_machine = matches!(verified.identity(), Identity::Client(_));
        let subject = openid_subject(&verified.token).filter(|_| !is_machine);
        let (lookup, subject) = lookup
            .zip(subject)
            .ok_or(Rejection::wrong_caller("user_info"))?;
        if verified.token.is_bound() {
            return Err(bound_token());
        }
        // The layer has seen a b64token, so something behind it has replaced the field.
        let text = std::str::from_utf8(token.as_bytes())
            .ok()
            .filter(|text| is_b64token(text.as_bytes()))
            .ok_or(RejectionKind::Misconfigured(WiringFault::TokenRemoved))?;
        let failed = || Rejection::unavailable(Outage::UserInfoFailed, RETRY_AFTER);
        let handler = lookup.handler();
        let digest = handler.digest(text.as_bytes()).ok_or_else(failed)?;
        let result = if let Some(result) = handler.find_cached(digest, Now::of(&*self.0.clock)) {
            result
        } else {
            let party = handler.digest_of_subject(&subject);
            let ticket = lookup.look_up(digest, party, text)?;
            ticket.wait().await?
        };
        match result {
            // The keys that verified the response were dropped during the wait.
            UserInfoResult::Known(claims) if claims.has_lost_its_keys() => Err(failed()),
            UserInfoResult::Known(claims) => match claims.check(&verified.token) {
                Ok(()) => Ok(claims),
                Err(fault) => {
                    let now = self.0.clock.monotonic();
                    if claims.first_report() && handler.unusable.try_acquire(now) {
                        logging::emit(Event::UserInfoUnusable {
                            issuer: verified.realm(),
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

/// The token of the request is bound to its client.
#[cold]
fn bound_token() -> Rejection {
    let detail = RejectionDetail::new()
        .with_claim("cnf")
        .with_problem(Problem::Differs)
        .with_setting("userinfo")
        .with_expected("a bearer token")
        .with_found("a bound token");
    Rejection::unavailable(Outage::UserInfoFailed, RETRY_AFTER).with_detail(detail)
}
