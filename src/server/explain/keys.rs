//! The keys and the signature of a token, without a look-up.

#[cfg(feature = "jwks")]
use std::time::Duration;

use crate::model::decision::explained_check::Check;
#[cfg(feature = "jwks")]
use crate::model::error::rejection::Outage;
use crate::model::error::rejection::{Rejection, RejectionKind, TokenFault};
#[cfg(feature = "jwks")]
use crate::runtime::jwks::key_store::{ForeseenMiss, KeySetGuard, NO_KEYS, RemoteKeys};
use crate::server::decide::issuer_authority::{
    DROPPED, IssuerAuthority, KeySource, final_fault, not_allowed,
};
#[cfg(feature = "jwks")]
use crate::server::explain::explanation::Conclusion;
use crate::server::explain::explanation::Step;
use crate::server::explain::record::Record;
use crate::verify::jose::jwk_set::KeySet;
use crate::verify::jose::jws::Unverified;
use crate::verify::jose::signature::{KeyProblem, Signed};

/// Most ids of keys that a step names.
const MOST_IDS: usize = 10;

/// A token after the check of its signature: signed, or not.
pub(super) type CheckedSignature<'c> = Result<Signed<'c>, Unverified<'c>>;

/// Checks algorithm, key and signature.
#[cfg_attr(not(feature = "jwks"), allow(unused_variables))]
#[allow(clippy::result_large_err)] // as in `Signed::verify`
pub(super) fn check<'c>(
    record: &mut Record,
    authority: &IssuerAuthority,
    unverified: Unverified<'c>,
    is_connected: bool,
) -> CheckedSignature<'c> {
    let rules = &authority.rules;
    let algorithm = unverified.algorithm();
    if rules.algorithms.contains(algorithm) {
        record.push(
            Step::passed(Check::Algorithm)
                .about("alg")
                .finding(algorithm.as_str()),
        );
    } else {
        let rejection = Rejection::from(not_allowed(algorithm, rules)).by(&rules.realm);
        record.refuse(Check::Algorithm, rejection);
    }
    match &authority.keys {
        KeySource::Static(fixed) => {
            if fixed.validity().is_none() {
                let step =
                    Step::failed(Check::Key, &DROPPED).because("an operator has dropped the keys");
                record.refuse_at(step, DROPPED.by(&rules.realm));
                record.skip(&[Check::Signature], "there are no keys");
                return Err(unverified);
            }
            let (problem, unverified) = match Signed::verify(unverified, &[&fixed.keys]) {
                Ok(signed) => return Ok(accept(record, signed)),
                Err(failed) => failed,
            };
            let ids = ids(std::iter::once(&fixed.keys));
            let rejection = Rejection::from(final_fault(&problem)).by(&rules.realm);
            refuse(record, &problem, &unverified, rejection, &ids);
            Err(unverified)
        }
        #[cfg(feature = "jwks")]
        KeySource::Remote(sets) => {
            let loaded: Vec<_> = sets.iter().map(|keys| keys.current().ok()).collect();
            let held: Vec<&KeySet> = loaded
                .iter()
                .map(|set| set.as_ref().map_or(&*NO_KEYS, |set| set))
                .collect();
            let (problem, unverified) = match Signed::verify(unverified, &held) {
                Ok(signed) => return Ok(accept(record, signed)),
                Err(failed) => failed,
            };
            let foreseen = foresee(sets, &loaded, &unverified, &problem);
            let ids = ids(held.iter().copied());
            match foreseen {
                Foreseen::Refused(rejection) => {
                    let rejection = rejection.by(&rules.realm);
                    refuse(record, &problem, &unverified, rejection, &ids);
                }
                // Without `connect()` there is nothing to wait for.
                Foreseen::Unavailable(_) | Foreseen::Pending if !is_connected => {
                    let outage = Rejection::from(Outage::NotConnected).by(&rules.realm);
                    record.refuse(Check::Key, outage);
                    record.skip(&[Check::Signature], "there are no keys");
                }
                Foreseen::Unavailable(rejection) => {
                    let rejection = rejection.by(&rules.realm);
                    let mut step = Step::failed(Check::Key, &rejection).expecting(ids);
                    if let Some(error) = sets
                        .iter()
                        .find_map(|keys| keys.status().last_error().map(ToOwned::to_owned))
                    {
                        step = step.because(format!("{rejection}; {error}"));
                    }
                    if let Some(id) = unverified.key_id() {
                        step = step.about("kid").finding(id);
                    }
                    record.refuse_at(step, rejection);
                    record.skip(&[Check::Signature], "there are no keys");
                }
                Foreseen::Pending => {
                    let reason = "no loaded key fits; a request with this token causes a fetch of the key set";
                    let mut step = Step::pending(Check::Key, reason).expecting(ids);
                    if let Some(id) = unverified.key_id() {
                        step = step.about("kid").finding(id);
                    }
                    record.push(step);
                    record.conclude(Conclusion::Pending);
                    record.skip(&[Check::Signature], "the key is not loaded");
                }
            }
            Err(unverified)
        }
    }
}

fn accept<'c>(record: &mut Record, signed: Signed<'c>) -> Signed<'c> {
    let mut key = Step::passed(Check::Key);
    if let Some(id) = signed.key_id() {
        key = key.about("kid").finding(id);
    }
    record.push(key);
    record.push(Step::passed(Check::Signature));
    signed
}

/// A final fault of the key, or of the signature.
fn refuse(
    record: &mut Record,
    problem: &KeyProblem,
    unverified: &Unverified<'_>,
    rejection: Rejection,
    ids: &str,
) {
    let check = match rejection.kind() {
        RejectionKind::InvalidToken(TokenFault::Signature | TokenFault::Malformed) => {
            Check::Signature
        }
        _ => Check::Key,
    };
    let reason = match problem {
        KeyProblem::Fault(_) => rejection.to_string(),
        KeyProblem::UnknownKey => {
            "the issuer's key set has no key of this id: another environment, or a key that was rotated out".to_owned()
        }
        KeyProblem::NoKeyVerifies => {
            "the token names no key, and none that fits verifies it".to_owned()
        }
    };
    if check == Check::Signature {
        record.push(Step::passed(Check::Key));
    }
    let mut step = Step::failed(check, &rejection)
        .because(reason)
        .expecting(ids);
    if let Some(id) = unverified.key_id() {
        step = step.about("kid").finding(id);
    }
    record.refuse_at(step, rejection);
    if check == Check::Key {
        record.skip(&[Check::Signature], "no key fits");
    }
}

/// The ids of the keys, the first few of many.
fn ids<'k>(sets: impl Iterator<Item = &'k KeySet>) -> String {
    let mut ids: Vec<String> = sets
        .flat_map(KeySet::ids)
        .map(|id| id.escape_debug().to_string())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let more = ids.len().saturating_sub(MOST_IDS);
    ids.truncate(MOST_IDS);
    match (ids.is_empty(), more) {
        (true, _) => "a key; none with an id is loaded".to_owned(),
        (false, 0) => ids.join(" | "),
        (false, more) => format!("{} | and {more} more", ids.join(" | ")),
    }
}

/// What a request would get.
#[cfg(feature = "jwks")]
enum Foreseen {
    Refused(Rejection),
    Unavailable(Rejection),
    Pending,
}

/// What the look-up of a key would say, by the rules of
/// [`issuer_authority`](crate::server::decide::issuer_authority).
#[cfg(feature = "jwks")]
fn foresee(
    sets: &[std::sync::Arc<RemoteKeys>],
    loaded: &[Option<KeySetGuard>],
    unverified: &Unverified<'_>,
    problem: &KeyProblem,
) -> Foreseen {
    let is_fault = matches!(problem, KeyProblem::Fault(_));
    if is_fault && loaded.iter().all(Option::is_some) {
        return Foreseen::Refused(final_fault(problem).into());
    }
    let mut unavailable: Option<(Duration, Outage)> = None;
    for (keys, loaded) in sets.iter().zip(loaded) {
        if is_fault && loaded.is_some() {
            continue; // What this set says is final.
        }
        let searched = loaded.as_ref().map(KeySetGuard::searched);
        match keys.foresee_miss(searched, unverified.key_id()) {
            ForeseenMiss::Unknown => {}
            ForeseenMiss::Wait => return Foreseen::Pending,
            ForeseenMiss::Unavailable {
                outage,
                retry_after,
            } => {
                let longest = unavailable.filter(|(other, _)| *other >= retry_after);
                unavailable = longest.or(Some((retry_after, outage)));
            }
        }
    }
    if let Some((retry_after, outage)) = unavailable {
        return Foreseen::Unavailable(Rejection::unavailable(outage, retry_after));
    }
    if loaded.iter().flatten().any(|keys| keys.is_cut()) {
        let wait = Duration::from_secs(60);
        return Foreseen::Unavailable(Rejection::unavailable(Outage::KeysNotRead, wait));
    }
    Foreseen::Refused(final_fault(problem).into())
}
