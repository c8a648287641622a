//! The checks of a verified token that each request repeats, without their effects.

use crate::model::decision::explained_check::Check;
use crate::model::error::rejection::{Outage, Rejection, TokenFault};
use crate::model::scope::ScopeToken;
use crate::runtime::clock::Now;
use crate::runtime::revocation::list::{RevocationCheck, RevocationCheckError};
use crate::server::decide::sender::{self, Sender};
#[cfg(feature = "status-list")]
use crate::server::decide::token_status::decided;
use crate::server::decide::verified_request::{SentRequest, VerifiedRequest};
use crate::server::explain::explanation::Step;
use crate::server::explain::record::Record;
use crate::server::explain::times::{claimed_time, date_and_time};
use crate::server::resource_server::ResourceServer;
use crate::verify::claims::inspection::shown;
use crate::verify::json::object::Object;

impl ResourceServer {
    /// The checks that each request repeats, in order. `is_expired`: a step says so already.
    pub(super) fn explain_repeated(
        &self,
        record: &mut Record,
        verified: &SentRequest,
        is_expired: bool,
        now: Now,
    ) {
        let policy = &verified.rules;
        let by = |rejection: Rejection| rejection.by(&policy.realm);
        self.explain_clock(record, Some(verified), now);
        let shown_now = date_and_time(now.wall);
        if verified.validity.is_over(now.wall) && !is_expired {
            let rejection = by(TokenFault::Expired.into());
            let end = verified.token.expires_at().to_string();
            let step = Step::failed(Check::Expiry, &rejection)
                .finding(&claimed_time(&end, now.wall))
                .expecting(format!("after {shown_now}"))
                .by_setting("leeway");
            record.refuse_at(step, rejection);
        }
        let about_begin = |step: Step| match shown_begin(verified, now) {
            Some(begin) => step.about("nbf").finding(&begin),
            None => step,
        };
        if verified.validity.has_begun(now.wall) {
            record.push(about_begin(Step::passed(Check::NotBefore)));
        } else {
            let rejection = by(TokenFault::NotYetValid.into());
            let step = Step::failed(Check::NotBefore, &rejection)
                .expecting(format!("at most {shown_now} and the leeway"))
                .by_setting("leeway");
            record.refuse_at(about_begin(step), rejection);
        }
        self.explain_revocation(record, verified, now);
        if !record.is_open() {
            // They are promised to see only tokens that pass everything else.
            let reason = "they see only tokens that pass everything else";
            record.skip(&[Check::ApplicationChecks], reason);
        } else if !self.0.checks.is_empty() {
            let token = verified.access_token();
            let mut checks = self.0.checks.iter();
            match checks.try_for_each(|check| check(&token)) {
                Ok(()) => record.push(Step::passed(Check::ApplicationChecks)),
                Err(objection) => {
                    let rejection = by(objection.into());
                    let step = Step::failed(Check::ApplicationChecks, &rejection);
                    record.refuse_at(step.by_setting("check"), rejection);
                }
            }
        }
    }

    /// Whether the wall clock can be believed.
    pub(super) fn explain_clock(
        &self,
        record: &mut Record,
        verified: Option<&VerifiedRequest>,
        now: Now,
    ) {
        match self.0.check_clock(now.wall) {
            Ok(()) => record.push(Step::passed(Check::Clock).finding(&date_and_time(now.wall))),
            Err(rejection) => {
                let step = Step::failed(Check::Clock, &rejection)
                    .finding(&date_and_time(now.wall))
                    .expecting(format!("{} or later", date_and_time(self.0.earliest)))
                    .by_setting("earliest_time");
                match verified {
                    Some(verified) => record.refuse_at(step, rejection.by(verified.realm())),
                    None => record.push(step),
                }
            }
        }
    }

    fn explain_revocation(&self, record: &mut Record, verified: &VerifiedRequest, now: Now) {
        // A check of its own, so that the token's is as it was.
        let check = RevocationCheck::default();
        let policy = &verified.rules;
        let list = &self.0.revocations;
        let rejection: Rejection = match list.check(&check, &verified.token, policy, now.wall) {
            Ok(()) => return record.push(Step::passed(Check::Revocation)),
            Err(RevocationCheckError::Revoked) => TokenFault::Revoked.into(),
            Err(RevocationCheckError::Unknown) if self.is_waiting_for_connect() => {
                Outage::NotConnected.into()
            }
            Err(RevocationCheckError::Unknown) => Outage::RevocationsNotLoaded.into(),
        };
        record.refuse(Check::Revocation, rejection.by(&policy.realm));
    }

    /// The status of a verified token in its status list, as far as a list is held.
    #[cfg(feature = "status-list")]
    #[allow(clippy::unused_self)] // like its twin
    pub(super) fn explain_status(
        &self,
        record: &mut Record,
        verified: &VerifiedRequest,
        looked_up: Option<Result<(), Rejection>>,
        now: Now,
    ) {
        let Some(reference) = &verified.status else {
            return;
        };
        match decided(reference.peek(now)).or(looked_up) {
            Some(Ok(())) => record.push(Step::passed(Check::Status)),
            Some(Err(rejection)) => record.refuse(Check::Status, rejection.by(verified.realm())),
            None => record.await_lookup(
                Check::Status,
                "no status list is held that may be used; a request with this token causes a fetch",
            ),
        }
    }

    #[cfg(not(feature = "status-list"))]
    #[allow(clippy::unused_self)] // like its twin
    pub(super) fn explain_status(
        &self,
        _: &mut Record,
        _: &VerifiedRequest,
        _: Option<Result<(), Rejection>>,
        _: Now,
    ) {
    }

    /// The sender: demanded bindings, and the proof or the certificate.
    pub(super) fn explain_sender(
        &self,
        record: &mut Record,
        verified: &VerifiedRequest,
        sender: Sender,
        now: Now,
    ) {
        let required = verified.rules.required_bindings;
        let found = verified.token.binding_name();
        match verified.token.check_bindings(required) {
            Ok(()) if required.is_none() => {}
            Ok(()) => record.push(Step::passed(Check::RequiredBinding).finding(found)),
            Err(error) => {
                let rejection = Rejection::from(error).by(verified.realm());
                let step = Step::failed(Check::RequiredBinding, &rejection).finding(found);
                record.refuse_at(step, rejection);
                let reason = "the token lacks a binding that is demanded";
                return record.skip(&[Check::Sender], reason);
            }
        }
        match sender::foresee(verified, sender, self.0.dpop.as_ref(), now) {
            Ok(()) => record.push(Step::passed(Check::Sender).finding(found)),
            Err(rejection) => record.refuse(Check::Sender, rejection),
        }
        #[cfg(feature = "redis")]
        if self.0.shared.is_some() && found.starts_with("dpop") && record.is_open() {
            let note = "the shared store of used proofs is not asked";
            record.push(Step::noted(Check::Sender).because(note));
        }
    }
}

/// What a verified token says at `nbf`.
fn shown_begin(verified: &SentRequest, now: Now) -> Option<String> {
    let payload = verified.payload()?;
    let claims = Object::parse_str(&payload).ok()?;
    let begin = claims.get("nbf").map(shown)?;
    Some(claimed_time(&begin, now.wall))
}

/// Who calls, and which evidence of a tenant is missing.
pub(super) fn note_identity(record: &mut Record, verified: &SentRequest) {
    let scope: Vec<&str> = verified
        .token
        .scope()
        .iter()
        .map(ScopeToken::as_str)
        .collect();
    let kind = verified.caller_kind();
    let found = format!("{kind}; scope `{}`", scope.join(" "));
    let mut step = Step::noted(Check::Identity);
    // Without tenant rules the application has no guard that needs a tenant.
    let has_tenants = verified.rules.tenant.is_some();
    if let Some(detail) = verified.lacking_evidence().filter(|_| has_tenants) {
        let rejection = Rejection::new(crate::model::error::rejection::RejectionKind::NoTenant);
        let reason = "a guard that needs a tenant refuses this caller with 403 `no_tenant`";
        step = step
            .because(reason)
            .detailed(&rejection.with_detail(detail));
    }
    record.push(step.finding(&found));
}
