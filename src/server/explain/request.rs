//! The explanation of a request, in the order of the decision on it; see
//! [`authenticate`](crate::server::authenticate).
//!
//! 1. Nothing changes: no cache, no counter, no used proof, no fetch. Look-ups are said to be pending.
//! 2. A check that failed does not end it where the ones behind it have something to look at. The
//!    first failure in the order of the decision is the conclusion.
//! 3. Without a good signature the claims are inspected, and marked as unverified. They become no
//!    token, so that nothing that takes one sees them.

use crate::model::decision::explained_check::Check;
#[cfg(feature = "jwks")]
use crate::model::error::rejection::Outage;
use crate::model::error::rejection::{Rejection, RejectionKind, TokenFault};
use crate::model::url::difference::UrlDifference;
use crate::runtime::cache::validity::{CacheValidity, Liveness};
use crate::runtime::clock::Now;
use crate::runtime::replay::proof_store::ProofFingerprint;
use crate::server::authenticate::{verified_request, with_scratch};
#[cfg(feature = "jwks")]
use crate::server::decide::introspected::IntrospectedIssuer;
use crate::server::decide::issuer_authority::IssuerAuthority;
use crate::server::decide::unknown_issuer::unknown_issuer;
use crate::server::decide::verified_request::{SentRequest, SharedRequest};
use crate::server::explain::explanation::{Conclusion, StandIn, Step};
use crate::server::explain::keys;
use crate::server::explain::record::Record;
use crate::server::explain::times::{claimed_time, date_and_time};
use crate::server::explain::unread_payload::explain_unread_payload;
use crate::server::explain::verified::note_identity;
use crate::server::registry::Registry;
use crate::server::resource_server::ResourceServer;
use crate::verify::claims::spiffe_id::trust_domain;
use crate::verify::jose::jws::{Compact, Unverified};
use crate::verify::jose::scratch::Scratch;
use crate::verify::request::credential::Credential;
use crate::verify::request::request_parts::RequestParts;
use crate::verify::request::token_sources::TokenSources;

/// What look-ups have said of a token.
#[derive(Default)]
#[cfg_attr(not(feature = "jwks"), allow(dead_code))]
pub(crate) struct LookedUp {
    /// Where only the issuer can verify the token.
    pub(crate) introspected: Option<Result<SharedRequest, Rejection>>,
    /// Of its status list; an error where there is none, or the status is not accepted.
    pub(crate) status: Option<Result<(), Rejection>>,
}

/// The checks behind the claims, which take a verified token.
const BEHIND_CLAIMS: [Check; 4] = [
    Check::NotBefore,
    Check::Revocation,
    Check::ApplicationChecks,
    Check::Sender,
];

/// The checks of a JWT behind its issuer.
const BEHIND_ISSUER: [Check; 5] = [
    Check::Expiry,
    Check::Algorithm,
    Check::Key,
    Check::Signature,
    Check::Audience,
];

impl ResourceServer {
    /// Explains the decision on a request up to the layer's own demands. The verified token, where there
    /// is one; `None` without a conclusion means that nothing was sent.
    pub(crate) fn explain_request(
        &self,
        record: &mut Record,
        sources: &TokenSources,
        request: RequestParts<'_>,
        used_proof: Option<ProofFingerprint>,
        looked_up: LookedUp,
    ) -> Option<SentRequest> {
        let credential = match Credential::find(sources, request) {
            Ok(Some(credential)) => credential,
            Ok(None) => {
                let step = Step::passed(Check::Credential);
                record.push(step.finding("nothing was sent"));
                return None;
            }
            Err(kind) => {
                record.refuse(Check::Credential, kind.into());
                record.skip(&[Check::Form], "there is no single credential");
                return None;
            }
        };
        let token = credential.as_bytes();
        let scheme = if credential.is_dpop() {
            "DPoP"
        } else {
            "Bearer"
        };
        let found = format!("{scheme}, {} bytes", token.len());
        record.push(Step::passed(Check::Credential).finding(&found));
        if credential.is_dpop() && self.0.dpop.is_none() {
            let rejection = Rejection::from(TokenFault::Scheme);
            let step = Step::failed(Check::Scheme, &rejection)
                .because("DPoP is off, or no public origin is known")
                .by_setting("public_origin");
            record.refuse_at(step, rejection);
        }
        let now = Now::of(&*self.0.clock);
        let verified = self.explain_token(record, credential, looked_up.introspected, now);
        if let Some(verified) = &verified {
            self.explain_status(record, verified, looked_up.status, now);
            let known = verified.client_key.get().map(|key| &**key);
            let sender = self.sender(request, credential, used_proof, known);
            self.explain_sender(record, verified, sender, now);
        } else if credential.is_dpop() {
            // The proof can be checked beside a bad token, except for its key.
            let sender = self.sender(request, credential, used_proof, None);
            if let Some(rejection) = sender.proof_fault() {
                record.refuse(Check::Sender, rejection.clone());
            }
        }
        verified
    }

    fn explain_token(
        &self,
        record: &mut Record,
        credential: Credential<'_>,
        looked_up: Option<Result<SharedRequest, Rejection>>,
        now: Now,
    ) -> Option<SentRequest> {
        let token = credential.as_bytes();
        let registry = self.0.registry.load();
        let has_dots = token.contains(&b'.');
        #[cfg(feature = "jwks")]
        if let Some(issuer) = &registry.introspected {
            let is_for_it = if has_dots {
                issuer.takes(token)
            } else {
                issuer.takes_undivided()
            };
            if is_for_it {
                return self.explain_introspection(record, issuer, credential, looked_up, now);
            }
        }
        let _ = looked_up;
        if !has_dots {
            let rejection = Compact::undivided(credential, self.0.max_token_bytes);
            record.refuse(Check::Form, rejection);
            record.skip(&[Check::Syntax, Check::Issuer], "the token is no JWT");
            return None;
        }
        record.push(Step::passed(Check::Form).finding("a JWT, which is verified here"));
        with_scratch(|scratch| self.explain_jwt(record, &registry, scratch, credential, now))
    }

    #[cfg(feature = "jwks")]
    fn explain_introspection(
        &self,
        record: &mut Record,
        issuer: &IntrospectedIssuer,
        credential: Credential<'_>,
        looked_up: Option<Result<SharedRequest, Rejection>>,
        now: Now,
    ) -> Option<SentRequest> {
        let token = credential.as_bytes();
        let name = issuer.endpoint().issuer();
        record.apply_rules_of(name, None);
        let form = Step::passed(Check::Form);
        record.push(form.finding("a token that its issuer introspects"));
        let is_remote = issuer
            .signer()
            .is_some_and(|signer| signer.keys.is_remote());
        match looked_up.or_else(|| issuer.foresee(token, now)) {
            Some(Ok(verified)) => {
                let verified = SentRequest::of(&verified, credential);
                record.push(Step::passed(Check::Introspection).finding("active"));
                self.explain_repeated(record, &verified, false, now);
                note_identity(record, &verified);
                return Some(verified);
            }
            Some(Err(rejection)) => {
                let mut step = Step::failed(Check::Introspection, &rejection);
                let error = issuer.status().last_error().map(ToOwned::to_owned);
                let is_outage = matches!(rejection.kind(), RejectionKind::Unavailable(_));
                if let Some(error) = error.filter(|_| is_outage) {
                    step = step.because(format!("{rejection}; {error}"));
                }
                record.refuse_at(step, rejection);
            }
            None if is_remote && !self.0.connection.is_begun() => {
                let outage = Rejection::from(Outage::NotConnected);
                record.refuse(Check::Introspection, outage.by(name));
            }
            None => {
                let mut reason =
                    "no response is cached; a request with this token asks the endpoint".to_owned();
                let status = issuer.status();
                if let Some(error) = status.last_error().filter(|_| status.is_failing()) {
                    reason = format!("{reason}, which fails: {error}");
                }
                record.await_lookup(Check::Introspection, reason);
            }
        }
        record.skip(&BEHIND_CLAIMS, "there is no verified token");
        None
    }

    fn explain_jwt(
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
    ) -> Option<(&'r std::sync::Arc<IssuerAuthority>, Option<StandIn>)> {
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
fn only(registry: &Registry) -> Option<(&std::sync::Arc<IssuerAuthority>, Option<StandIn>)> {
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
