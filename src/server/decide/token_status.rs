//! The status of a token in its Token Status List, on every request
//! (draft-ietf-oauth-status-list-21 section 8.3).
//!
//! 1. It is checked after everything else about the token, so that no bad token causes a fetch, and
//!    before the sender, so that a proof is not used up by a token of a bad status.
//! 2. A token that is cached holds its reference; the status itself is never cached with it.

use std::sync::Arc;

use crate::model::error::rejection::{Rejection, TokenFault};
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::model::error::token_error::TokenError;
use crate::model::time::UnixTime;
use crate::runtime::clock::Now;
use crate::runtime::status_list::lists::StatusLists;
use crate::runtime::status_list::reference::{ListUnavailable, StatusReading, StatusReference};
use crate::server::decide::decision::{Decision, PendingDecision};
use crate::verify::json::object::Object;
use crate::verify::status_list::claim::{StatusClaim, StatusClaimRules};

/// What an issuer's tokens must say about their status, and its lists.
pub(in crate::server) struct TokenStatusCheck {
    pub(in crate::server) rules: StatusClaimRules,
    pub(in crate::server) lists: Arc<StatusLists>,
}

impl TokenStatusCheck {
    /// The reference of a token; `None` where it has none and needs none.
    pub(in crate::server) fn reference(
        &self,
        claims: &Object<'_>,
        issued_at: Option<UnixTime>,
    ) -> Result<Option<StatusReference>, TokenError> {
        let claim = StatusClaim::read(claims, &self.rules)?;
        let reference = claim
            .map(|claim| StatusReference::new(&self.lists, &claim.uri, claim.index, issued_at));
        Ok(reference)
    }
}

/// Checks a token's status. Where no list is held it is pending.
pub(in crate::server) fn check(
    reference: &StatusReference,
    now: Now,
) -> Result<Decision<()>, Rejection> {
    let reading = reference.read(now);
    if let Some(outcome) = decided(reading) {
        return outcome.map(Decision::Done);
    }
    let ticket = reference.look_up(reading, now)?;
    let reference = reference.clone();
    Ok(Decision::Pending(PendingDecision::new(async move {
        let reading = reference.wait(ticket).await?;
        match decided(reading) {
            Some(outcome) => outcome.map(Decision::Done),
            // INVARIANT: a wait that ends well decides.
            None => Err(index_beyond()),
        }
    })))
}

/// What a reading means; `None` where only a newer list tells.
pub(in crate::server) fn decided(reading: StatusReading) -> Option<Result<(), Rejection>> {
    match reading {
        StatusReading::Accepted => Some(Ok(())),
        StatusReading::NotAccepted(status) => Some(Err(not_accepted(status))),
        StatusReading::IndexBeyond { is_final: true } => Some(Err(index_beyond())),
        StatusReading::IndexBeyond { is_final: false } | StatusReading::Unknown => None,
    }
}

#[cold]
fn not_accepted(status: u8) -> Rejection {
    // Section 7.1.
    let found = match status {
        1 => "1 (INVALID)".into(),
        2 => "2 (SUSPENDED)".into(),
        other => other.to_string(),
    };
    let detail = RejectionDetail::new()
        .with_claim("status.status_list")
        .with_problem(Problem::Differs)
        .with_setting("accept_status")
        .with_expected("an accepted status in the list")
        .with_found(found);
    Rejection::from(TokenFault::Status).with_detail(detail)
}

#[cold]
fn index_beyond() -> Rejection {
    let detail = RejectionDetail::new()
        .with_claim("status.status_list.idx")
        .with_problem(Problem::Differs)
        .with_expected("an index within the list");
    Rejection::from(TokenFault::Status).with_detail(detail)
}

impl From<ListUnavailable> for Rejection {
    fn from(unavailable: ListUnavailable) -> Self {
        Self::unavailable(unavailable.outage, unavailable.retry_after)
    }
}
