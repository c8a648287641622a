//! The explanation of a JWT, in the order of the decision on it: its form, its issuer, its key, its signature, its
//! claims.

use std::sync::Arc;

use crate::model::decision::explained_check::Check;
use crate::model::error::rejection::{Rejection, RejectionKind, TokenFault};
use crate::model::url::difference::UrlDifference;
use crate::runtime::cache::validity::{CacheValidity, Liveness};
use crate::runtime::clock::Now;
use crate::server::authenticate::verified_request;
use crate::server::decide::issuer_authority::IssuerAuthority;
use crate::server::decide::unknown_issuer::unknown_issuer;
use crate::server::decide::verified_request::SentRequest;
use crate::server::explain::explanation::{Conclusion, StandIn, Step};
use crate::server::explain::keys;
use crate::server::explain::record::Record;
use crate::server::explain::request::BEHIND_CLAIMS;
use crate::server::explain::times::{claimed_time, date_and_time};
use crate::server::explain::unread_payload::explain_unread_payload;
use crate::server::explain::verified::note_identity;
use crate::server::registry::Registry;
use crate::server::resource_server::ResourceServer;
use crate::verify::claims::spiffe_id::trust_domain;
use crate::verify::jose::jws::{Compact, Unverified};
use crate::verify::jose::scratch::Scratch;
use crate::verify::request::credential::Credential;

/// The checks of a JWT behind its issuer.
const BEHIND_ISSUER: [Check; 5] = [
    Check::Expiry,
    Check::Algorithm,
    Check::Key,
    Check::Signature,
    Check::Audience,
];

impl ResourceServer {
    /// Explains a JWT that is not introspected. The verified token, where it is one.
    pub(super) fn explain_jwt(
        &self,
        record: &mut Record,
        registry: &Registry,
        scratch: &mut Scratch,
        credential: Credential<'_>,
        now: Now,
    ) -> Option<SentRequest> {
        let Scratch { parts, members } = scratch;
        let most_bytes = self.0.max_token_bytes;
        let compact = match Compact::decode(credential, most_bytes, parts) {
            Ok(compact) => compact,
            Err(kind) => {
                refuse_form(record, kind, credential, most_bytes);
                return None;
            }
        };
        record.set_unverified(true);
        let unverified = match Unverified::read(&compact, members) {
            Ok(unverified) => unverified,
            Err(error) => {
                let rejection = Rejection::from(error);
                let light = self.foresee_unknown_key(registry, &compact, members, now.wall);
                if let Ok(Some(refusal)) = light {
                    explain_unread_payload(record, &rejection, refusal.rejection, &BEHIND_ISSUER);
                    return None;
                }
                let check = match rejection.kind() {
                    RejectionKind::InvalidToken(TokenFault::Algorithm) => Check::Algorithm,
                    _ => Check::Syntax,
                };
                record.refuse(check, rejection);
                record.skip(&[Check::Issuer], "the header is not acceptable");
                record.skip(&BEHIND_ISSUER, "the header is not acceptable");
                return None;
            }
        };
        record.push(Step::passed(Check::Syntax));
        let unverified = self.explain_trust_domain(record, registry, unverified)?;
        let found = self.explain_issuer(record, registry, &unverified);
        let Some((authority, stand_in)) = found else {
            record.skip(&BEHIND_ISSUER, "no rules are known for this issuer");
            return None;
        };
        let policy = &authority.rules;
        record.apply_rules_of(&policy.realm, stand_in);
        let is_expired = explain_expiry(record, authority, &unverified, now);
        if stand_in.is_some() {
            // Its keys are not this issuer's.
            let reason = "the issuer is not configured";
            record.skip(&[Check::Key, Check::Signature], reason);
            for inspected in unverified.inspect(policy) {
                record.inspect(inspected, &policy.realm);
            }
            record.skip(&BEHIND_CLAIMS, reason);
            return None;
        }
        let is_connected = self.0.connection.is_begun();
        let signed = match keys::check(record, authority, unverified, is_connected) {
            Ok(signed) => signed,
            Err(unverified) => {
                for inspected in unverified.inspect(policy) {
                    record.inspect(inspected, &policy.realm);
                }
                self.explain_clock(record, None, now);
                record.skip(&BEHIND_CLAIMS, "the signature is not verified");
                return None;
            }
        };
        record.set_unverified(false);
        // This decides; the single checks only tell.
        let unkept = CacheValidity::while_live(Liveness::default());
        let verified = verified_request(authority, &signed, unkept);
        let refused = verified.as_ref().err().cloned();
        if let Some(rejection) = &refused {
            record.conclude(Conclusion::Refused(rejection.clone().by(&policy.realm)));
        }
        let mut has_failed = false;
        for inspected in signed.inspect(policy) {
            has_failed |= inspected.outcome.is_err();
            record.inspect(inspected, &policy.realm);
        }
        match (verified, refused) {
            (Ok(verified), _) => {
                let verified = SentRequest::of(&verified, credential);
                self.explain_repeated(record, &verified, is_expired, now);
                note_identity(record, &verified);
                Some(verified)
            }
            (Err(_), Some(rejection)) if !has_failed => {
                let check = match rejection.kind() {
                    RejectionKind::InvalidToken(TokenFault::Status) => Check::StatusClaim,
                    _ => Check::Claims,
                };
                record.push(Step::failed(check, &rejection));
                record.skip(&BEHIND_CLAIMS, "a check of the claims failed");
                None
            }
            (Err(_), _) => {
                record.skip(&BEHIND_CLAIMS, "a check of the claims failed");
                None
            }
        }
    }

    /// The token with its issuer, where that is the trust domain of its subject.
    fn explain_trust_domain<'c>(
        &self,
        record: &mut Record,
        registry: &Registry,
        unverified: Unverified<'c>,
    ) -> Option<Unverified<'c>> {
        match self.trust_domain_of(registry, &unverified) {
            Ok(domain) => Some(unverified.or_issued_by(domain.as_deref())),
            Err(rejection) => {
                let step = Step::failed(Check::Issuer, &rejection).by_setting("issuer");
                let subject = unverified.subject_without_issuer();
                let found = subject.as_deref().and_then(trust_domain);
                let step = step.about("sub").finding(found.unwrap_or_default());
                record.refuse_at(step, rejection);
                record.skip(&BEHIND_ISSUER, "no rules are known for this trust domain");
                None
            }
        }
    }

    /// The authority of the token's issuer; or, where that is not configured, of one in its place.
    fn explain_issuer<'r>(
        &self,
        record: &mut Record,
        registry: &'r Registry,
        unverified: &Unverified<'_>,
    ) -> Option<(&'r Arc<IssuerAuthority>, Option<StandIn>)> {
        let Some(issuer) = unverified.claimed_issuer() else {
            let rejection = Rejection::from(unverified.no_issuer());
            let step = Step::failed(Check::Issuer, &rejection).by_setting("issuer");
            record.refuse_at(step, rejection);
            return only(registry);
        };
        if let Some(authority) = registry.authorities.get(issuer) {
            record.push(Step::passed(Check::Issuer).about("iss").finding(issuer));
            return Some((authority, None));
        }
        let rejection = Rejection::from(unknown_issuer(issuer, self.0.shows_unknown_issuers));
        let mut step = Step::failed(Check::Issuer, &rejection)
            .about("iss")
            .finding(issuer)
            .by_setting("issuer");
        let alike = registry
            .authorities
            .iter()
            .filter_map(|(name, authority)| {
                Some((UrlDifference::of(name, issuer)?, name, authority))
            })
            .min_by(|(one, name, _), (other, name_of_other, _)| {
                (one, name).cmp(&(other, name_of_other))
            });
        let mut nearest = None;
        if let Some((difference, name, authority)) = alike {
            step = step.expecting(&**name);
            if difference == UrlDifference::Several {
                nearest = only(registry);
            } else {
                let words = difference.words();
                step = step.because(format!("{rejection}; a configured one differs in {words}"));
                nearest = Some((authority, Some(StandIn::MostAlike)));
            }
        }
        record.refuse_at(step, rejection);
        nearest
    }
}

/// The token is too long, or has no form of a token.
fn refuse_form(
    record: &mut Record,
    kind: RejectionKind,
    credential: Credential<'_>,
    most_bytes: usize,
) {
    let rejection = Rejection::from(kind);
    if kind == TokenFault::TooLarge.into() {
        let step = Step::failed(Check::Length, &rejection)
            .finding(&credential.as_bytes().len().to_string())
            .expecting(format!("at most {most_bytes} bytes"))
            .by_setting("max_token_bytes");
        record.refuse_at(step, rejection);
    } else {
        record.refuse(Check::Syntax, rejection);
    }
    record.skip(&[Check::Issuer], "the token cannot be read");
    record.skip(&BEHIND_ISSUER, "the token cannot be read");
}

/// The one authority of a server that has only one.
fn only(registry: &Registry) -> Option<(&Arc<IssuerAuthority>, Option<StandIn>)> {
    let mut all = registry.authorities.values();
    let one = all.next().filter(|_| all.next().is_none());
    one.map(|authority| (authority, Some(StandIn::Only)))
}

/// Whether the token says that it has expired.
fn explain_expiry(
    record: &mut Record,
    authority: &IssuerAuthority,
    unverified: &Unverified<'_>,
    now: Now,
) -> bool {
    let policy = &authority.rules;
    let is_over = unverified.is_over(now.wall, policy.leeway);
    let end = unverified.shown_claim("exp");
    let step = if is_over {
        let rejection = Rejection::from(TokenFault::Expired).by(&policy.realm);
        let step = Step::failed(Check::Expiry, &rejection)
            .expecting(format!(
                "after {} less the leeway of {} s",
                date_and_time(now.wall),
                policy.leeway.as_secs()
            ))
            .by_setting("leeway");
        record.conclude(Conclusion::Refused(rejection));
        step
    } else {
        Step::passed(Check::Expiry)
    };
    let step = step.about("exp");
    record.push(match end {
        Some(end) => step.finding(&claimed_time(&end, now.wall)),
        None => step,
    });
    is_over
}
