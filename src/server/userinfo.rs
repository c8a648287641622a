//! The userinfo response about the user of a request.
//!
//! 1. A token goes only to the issuer that issued it, and only where its subject is a user.
//! 2. A response about another subject is an outage, and not the caller's fault.
//! 3. A bound token is sent nowhere: the endpoint would demand a proof by the client's key or the
//!    client's certificate (RFC 9449 section 7.1, RFC 8705 section 3), which only the client has.

use std::sync::Arc;
use std::time::Duration;

use crate::logging;
use crate::model::decision::event::Event;
use crate::model::error::rejection::{Outage, Rejection, RejectionKind, TokenFault, WiringFault};
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::runtime::cache::token_cache::Cached;
use crate::runtime::clock::Now;
use crate::server::compile::userinfo::{UserInfoLookup, UserInfoRefusal, UserInfoResult};
use crate::server::decide::verified_request::{SentRequest, VerifiedRequest};
use crate::server::resource_server::ResourceServer;
use crate::verify::claims::userinfo_response::{UserClaims, openid_subject};
use crate::verify::identity::kinds::Identity;
use crate::verify::request::credential::{Credential, is_b64token};

/// When a client may come again after a response that cannot be used.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// How often an issuer is asked anew since it was replaced meanwhile.
const MOST_RESTARTS: usize = 4;

impl ResourceServer {
    /// What a handler that wants userinfo needs.
    pub(crate) fn user_info_fault(&self) -> Option<WiringFault> {
        let has_none = self.0.registry.load().userinfo.is_empty();
        has_none.then_some(WiringFault::NoUserInfo)
    }

    /// Asks the userinfo endpoint of the token's issuer, with the token of the request.
    pub(crate) async fn user_info(
        &self,
        verified: &SentRequest,
        token: Credential<'_>,
    ) -> Result<Arc<Cached<UserClaims>>, Rejection> {
        let is_machine = matches!(verified.identity(), Identity::Client(_));
        let own = verified.access_token();
        let subject = openid_subject(&own).filter(|_| !is_machine);
        let subject = subject.ok_or(Rejection::wrong_caller("user_info"))?;
        let lookup = self.user_info_lookup(verified)?;
        if verified.token.is_bound() {
            return Err(bound_token());
        }
        // The layer has seen a b64token, so something behind it has replaced the field.
        let text = std::str::from_utf8(token.as_bytes())
            .ok()
            .filter(|text| is_b64token(text.as_bytes()))
            .ok_or(RejectionKind::Misconfigured(WiringFault::TokenRemoved))?;
        let mut lookup = lookup;
        let mut result = self.ask_user_info(&lookup, text, &subject).await;
        for _ in 0..MOST_RESTARTS {
            let newest = self.user_info_lookup(verified)?;
            if Arc::ptr_eq(&newest, &lookup) {
                break;
            }
            // The issuer was replaced meanwhile: what counts is what its newest rules say.
            lookup = newest;
            result = self.ask_user_info(&lookup, text, &subject).await;
        }
        if !Arc::ptr_eq(&self.user_info_lookup(verified)?, &lookup) {
            // It was replaced again and again; rules that are gone decide nothing.
            return Err(user_info_failed());
        }
        let handler = lookup.handler();
        match result? {
            // The keys that verified the response were dropped during the wait.
            UserInfoResult::Known(claims) if claims.has_lost_its_keys() => Err(user_info_failed()),
            UserInfoResult::Known(claims) => match claims.check(&own) {
                Ok(()) => Ok(claims),
                Err(fault) => {
                    let now = self.0.clock.monotonic();
                    if claims.first_report() && handler.unusable.try_acquire(now) {
                        logging::emit(Event::UserInfoUnusable {
                            issuer: verified.realm(),
                            error: &fault.to_string(),
                        });
                    }
                    Err(user_info_failed())
                }
            },
            UserInfoResult::Denied(UserInfoRefusal::BadToken) => Err(TokenFault::Inactive.into()),
            UserInfoResult::Denied(UserInfoRefusal::NothingToSee) => {
                Err(Rejection::wrong_caller("user_info"))
            }
        }
    }
}

impl ResourceServer {
    /// The look-up at the token's issuer, as it is configured now.
    fn user_info_lookup(&self, verified: &VerifiedRequest) -> Result<UserInfoLookup, Rejection> {
        let registry = self.0.registry.load();
        let lookup = registry.userinfo.get(verified.realm());
        lookup
            .map(Arc::clone)
            .ok_or(Rejection::wrong_caller("user_info"))
    }

    /// The response, of the cache or of the endpoint.
    async fn ask_user_info(
        &self,
        lookup: &UserInfoLookup,
        token: &str,
        subject: &str,
    ) -> Result<UserInfoResult, Rejection> {
        let handler = lookup.handler();
        let digest = handler.digest(token.as_bytes());
        let digest = digest.ok_or_else(user_info_failed)?;
        if let Some(result) = handler.find_cached(digest, Now::of(&*self.0.clock)) {
            return Ok(result);
        }
        let party = handler.digest_of_subject(subject);
        let ticket = lookup.look_up(digest, party, token)?;
        Ok(ticket.wait().await?)
    }
}

const fn user_info_failed() -> Rejection {
    Rejection::unavailable(Outage::UserInfoFailed, RETRY_AFTER)
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
