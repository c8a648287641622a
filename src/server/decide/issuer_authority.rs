//! The policy and keys that one `iss` leads to, and the signature check with them.

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "jwks")]
use crate::logging;
use crate::model::algorithm::Algorithm;
#[cfg(feature = "jwks")]
use crate::model::decision::event::Event;
use crate::model::error::rejection::{Outage, Rejection, TokenFault};
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::model::error::token_error::TokenError;
use crate::runtime::cache::validity::{CacheValidity, Liveness};
#[cfg(feature = "jwks")]
use crate::runtime::clock::Deadline;
#[cfg(feature = "jwks")]
use crate::runtime::jwks::key_store::{KeySetGuard, Miss, NO_KEYS, RemoteKeys, WaitTicket};
#[cfg(feature = "jwks")]
use crate::runtime::jwks::wait_for_key::wait_for_key;
#[cfg(feature = "jwks")]
use crate::runtime::lookup::engine::LookupUnavailable;
use crate::runtime::util::striped::StripedName;
use crate::server::decide::decision::Decision;
#[cfg(feature = "jwks")]
use crate::server::decide::decision::PendingDecision;
#[cfg(feature = "status-list")]
use crate::server::decide::token_status::TokenStatusCheck;
use crate::verify::jose::jwk_set::KeySet;
#[cfg(feature = "jwks")]
use crate::verify::jose::jws::SuspendedToken;
use crate::verify::jose::jws::Unverified;
use crate::verify::jose::signature::{KeyProblem, Signed};
use crate::verify::policy::issuer_policy::IssuerPolicy;

/// The policy and keys that one `iss` leads to.
pub(in crate::server) struct IssuerAuthority {
    pub(in crate::server) rules: Arc<IssuerPolicy>,
    pub(in crate::server) keys: KeySource,
    /// It ends when the rules are replaced or the issuer is removed. Everything that was decided by
    /// these rules depends on it.
    pub(in crate::server) liveness: Liveness,
    /// The realm of the rules, as rejections hold it. Threads that refuse tokens at once would wait for the
    /// count of one copy (`cargo bench --bench scale`).
    pub(in crate::server) realm_copies: StripedName,
    /// How the status of its tokens is checked, where it is.
    #[cfg(feature = "status-list")]
    pub(in crate::server) status: Option<TokenStatusCheck>,
}

/// A source of keys. Clones are the same source.
#[derive(Clone)]
pub(in crate::server) enum KeySource {
    Static(Arc<StaticKeys>),
    /// The key sets of one issuer, at least one.
    #[cfg(feature = "jwks")]
    Remote(Arc<[Arc<RemoteKeys>]>),
}

/// Keys of the configuration, and whether an operator has dropped them since.
#[derive(Default)]
pub(in crate::server) struct StaticKeys {
    pub(in crate::server) keys: KeySet,
    liveness: Liveness,
}

impl StaticKeys {
    pub(in crate::server) const fn new(keys: KeySet, liveness: Liveness) -> Self {
        Self { keys, liveness }
    }

    /// It ends when an operator drops the keys.
    pub(in crate::server) const fn liveness(&self) -> &Liveness {
        &self.liveness
    }

    /// From now on they verify nothing, and cached tokens that they verified are invalid.
    #[cfg(feature = "jwks")]
    pub(in crate::server) fn drop_keys(&self) {
        // An introspected issuer may have none.
        if self.keys.len() > 0 {
            self.liveness.end();
        }
    }

    /// What a token depends on that they verify; `None` where they were dropped.
    pub(in crate::server) fn validity(&self) -> Option<CacheValidity> {
        let liveness = Some(self.liveness.clone()).filter(Liveness::is_live)?;
        Some(CacheValidity::while_live(liveness))
    }
}

/// Wait tickets, each with the place of its key set in the issuer's list.
#[cfg(feature = "jwks")]
type KeyTickets = Vec<(usize, WaitTicket)>;

/// No look-up is made without fetched key sets.
#[cfg(not(feature = "jwks"))]
type KeyTickets = Vec<std::convert::Infallible>;

/// A look-up of a key in the issuer's key sets that are refreshed now.
#[cfg(feature = "jwks")]
pub(in crate::server) struct KeyLookup {
    sets: Arc<[Arc<RemoteKeys>]>,
    /// The `kid`, where the token names one.
    id: Option<Box<str>>,
    /// For some of the sets.
    tickets: KeyTickets,
}

#[cfg(feature = "jwks")]
impl KeyLookup {
    /// Waits until the sets are refreshed or one of them has the key, within a bounded time.
    async fn wait(self) -> KeyTickets {
        let Self { sets, id, tickets } = self;
        let waiting = tickets.iter();
        let waiting = waiting.filter_map(|(set, ticket)| Some((sets.get(*set)?, ticket)));
        wait_for_key(id.as_deref(), waiting).await;
        tickets
    }
}

/// The outcome of a signature check that refuses nothing.
enum SignatureCheck<'c> {
    /// The signed token, and what the check depends on.
    Verified(Signed<'c>, CacheValidity),
    /// The key is unknown, and the key sets are refreshed.
    #[cfg(feature = "jwks")]
    Pending(Unverified<'c>, KeyLookup),
}

#[cfg(feature = "jwks")]
impl From<LookupUnavailable> for Rejection {
    fn from(unavailable: LookupUnavailable) -> Self {
        Self::unavailable(unavailable.outage, unavailable.retry_after)
    }
}

impl IssuerAuthority {
    /// The rejection of a token by these rules: it names the issuer.
    pub(in crate::server) fn rejection(&self, rejection: impl Into<Rejection>) -> Rejection {
        rejection
            .into()
            .by(self.realm_copies.own(&self.rules.realm))
    }

    /// Verifies the token's signature, now or after a look-up of its key, and hands the signed
    /// token to `then`. A rejection names the issuer.
    pub(in crate::server) fn verify<T: Send + 'static>(
        self: &Arc<Self>,
        unverified: Unverified<'_>,
        then: impl FnOnce(&Self, &Signed<'_>, CacheValidity) -> Result<T, Rejection> + Send + 'static,
    ) -> Result<Decision<T>, Rejection> {
        let check = self.keys.check(unverified, &self.rules, KeyTickets::new());
        let decision = match check {
            Ok(SignatureCheck::Verified(signed, validity)) => {
                let validity = validity.by_rules_of(self.liveness.clone());
                then(self, &signed, validity).map(Decision::Done)
            }
            #[cfg(feature = "jwks")]
            Ok(SignatureCheck::Pending(unverified, lookup)) => {
                let token = unverified.suspend();
                let pending = Arc::clone(self).verify_after(lookup, token, then);
                Ok(Decision::Pending(pending))
            }
            Err(rejection) => Err(rejection),
        };
        decision.map_err(|rejection| self.rejection(rejection))
    }

    /// Goes on with a suspended token when the look-up has ended.
    #[cfg(feature = "jwks")]
    fn verify_after<T: Send + 'static>(
        self: Arc<Self>,
        lookup: KeyLookup,
        token: SuspendedToken,
        then: impl FnOnce(&Self, &Signed<'_>, CacheValidity) -> Result<T, Rejection> + Send + 'static,
    ) -> PendingDecision<T> {
        let liveness = self.liveness.clone();
        let pending = PendingDecision::new(async move {
            let tickets = lookup.wait().await;
            let resumed = token.resume(|unverified| {
                match self.keys.check(unverified, &self.rules, tickets)? {
                    SignatureCheck::Verified(signed, validity) => {
                        let validity = validity.by_rules_of(self.liveness.clone());
                        then(&self, &signed, validity).map(Resumed::Done)
                    }
                    SignatureCheck::Pending(_, lookup) => Ok(Resumed::Again(lookup, then)),
                }
            });
            match resumed {
                Ok(Resumed::Done(value)) => Ok(Decision::Done(value)),
                Ok(Resumed::Again(lookup, then)) => {
                    let pending = self.verify_after(lookup, token, then);
                    Ok(Decision::Pending(pending))
                }
                Err(rejection) => Err(self.rejection(rejection)),
            }
        });
        pending.by_rules_of(liveness)
    }
}

/// What became of a suspended token.
#[cfg(feature = "jwks")]
enum Resumed<T, F> {
    Done(T),
    /// Another look-up, and what comes after it.
    Again(KeyLookup, F),
}

impl KeySource {
    pub(in crate::server) const fn is_remote(&self) -> bool {
        match self {
            Self::Static(_) => false,
            #[cfg(feature = "jwks")]
            Self::Remote(_) => true,
        }
    }

    /// Whether both are the same keys, with the same liveness.
    pub(in crate::server) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Static(one), Self::Static(other)) => one.liveness.is(&other.liveness),
            #[cfg(feature = "jwks")]
            (Self::Remote(one), Self::Remote(other)) => {
                let mut pairs = one.iter().zip(&**other);
                one.len() == other.len() && pairs.all(|(one, other)| Arc::ptr_eq(one, other))
            }
            #[cfg(feature = "jwks")]
            _ => false,
        }
    }

    pub(in crate::server) fn ready(&self) -> bool {
        match self {
            Self::Static(keys) => keys.validity().is_some(),
            #[cfg(feature = "jwks")]
            Self::Remote(sets) => sets.iter().all(|keys| keys.ready()),
        }
    }

    /// Verifies the signature with this issuer's keys. `tickets` are those of a look-up that the
    /// token has waited for.
    #[cfg_attr(not(feature = "jwks"), allow(clippy::needless_pass_by_value))]
    fn check<'c>(
        &self,
        unverified: Unverified<'c>,
        rules: &IssuerPolicy,
        tickets: KeyTickets,
    ) -> Result<SignatureCheck<'c>, Rejection> {
        // RFC 8725 s3.1: what the issuer may not use is not worth a look at the keys.
        if !rules.algorithms.contains(unverified.algorithm()) {
            return Err(not_allowed(unverified.algorithm(), rules).into());
        }
        match self {
            // Static keys are never looked up, so there are no tickets.
            Self::Static(fixed) => {
                let _ = tickets;
                // Nothing can be verified by keys that were dropped, which is not the caller's fault.
                let validity = fixed.validity().ok_or(DROPPED)?;
                Signed::verify(unverified, &[&fixed.keys])
                    .map(|signed| SignatureCheck::Verified(signed, validity))
                    .map_err(|(problem, _)| final_fault(&problem).into())
            }
            #[cfg(feature = "jwks")]
            Self::Remote(sets) => match &**sets {
                [only] => check_remote(sets, &[only.current().ok()], unverified, rules, tickets),
                all => {
                    let loaded: Vec<_> = all.iter().map(|keys| keys.current().ok()).collect();
                    check_remote(sets, &loaded, unverified, rules, tickets)
                }
            },
        }
    }
}

/// An algorithm that the issuer may not use. Its name is one of ours.
#[cold]
pub(in crate::server) fn not_allowed(found: Algorithm, rules: &IssuerPolicy) -> TokenError {
    let detail = RejectionDetail::new()
        .with_claim("alg")
        .with_problem(Problem::Differs)
        .with_setting("algorithms")
        .with_expected(rules.algorithms.names(" | "))
        .with_found(found.as_str());
    TokenError::new(TokenFault::Algorithm, detail)
}

/// The rejection for static keys that an operator has dropped.
pub(in crate::server) const DROPPED: Rejection =
    Rejection::unavailable(Outage::KeysNotLoaded, Duration::from_secs(60));

/// Verifies the signature with the sets that are loaded. `loaded` has a place for each set.
///
/// 1. The key is selected from all of them at once.
/// 2. Where a set is missing, only a good signature is final: the missing set may have the token's
///    key, even under an id that another set has too.
#[cfg(feature = "jwks")]
fn check_remote<'c>(
    sets: &Arc<[Arc<RemoteKeys>]>,
    loaded: &[Option<KeySetGuard>],
    unverified: Unverified<'c>,
    rules: &IssuerPolicy,
    tickets: KeyTickets,
) -> Result<SignatureCheck<'c>, Rejection> {
    fn keys(set: Option<&KeySetGuard>) -> &KeySet {
        set.map_or(&NO_KEYS, |loaded| loaded)
    }
    let verified = match loaded {
        [only] => Signed::verify(unverified, &[keys(only.as_ref())]),
        all => {
            let all: Vec<&KeySet> = all.iter().map(|set| keys(set.as_ref())).collect();
            Signed::verify(unverified, &all)
        }
    };
    let (problem, unverified) = match verified {
        Ok(signed) => {
            let place = signed.key_place();
            let set = loaded.get(place.set).and_then(Option::as_ref);
            // INVARIANT: the key is in a set that is loaded.
            let validity = set.map_or(
                CacheValidity::until(Deadline::PASSED, Liveness::default()),
                |loaded| loaded.validity(signed.named_key(), place.index),
            );
            return Ok(SignatureCheck::Verified(signed, validity));
        }
        Err(failed) => failed,
    };
    match problem {
        KeyProblem::Fault(fault) if loaded.iter().all(Option::is_some) => Err(fault.into()),
        problem => {
            let lookup = look_up(sets, loaded, rules, &unverified, &problem, tickets)?;
            Ok(SignatureCheck::Pending(unverified, lookup))
        }
    }
}

/// What a key problem means when no newer key set can come.
pub(in crate::server) const fn final_fault(problem: &KeyProblem) -> TokenFault {
    match problem {
        KeyProblem::Fault(fault) => *fault,
        KeyProblem::UnknownKey => TokenFault::UnknownKey,
        KeyProblem::NoKeyVerifies => TokenFault::Signature,
    }
}

/// Looks the key up in each of the issuer's sets that may have it, within the cooldowns of their
/// schedules. The key is unknown only where all of them say so.
#[cfg(feature = "jwks")]
fn look_up(
    sets: &Arc<[Arc<RemoteKeys>]>,
    loaded: &[Option<KeySetGuard>],
    rules: &IssuerPolicy,
    unverified: &Unverified<'_>,
    problem: &KeyProblem,
    mut passed: KeyTickets,
) -> Result<KeyLookup, Rejection> {
    let id = unverified.key_id();
    if let Some(id) = id {
        // Escaped, since the id is a stranger's text.
        let (issuer, key) = (&rules.realm, &id.escape_debug());
        logging::emit(Event::KeyNotFound { issuer, key });
    }
    let is_fault = matches!(problem, KeyProblem::Fault(_));
    let mut tickets = Vec::new();
    let mut unavailable: Option<(Duration, Outage)> = None;
    for (place, (keys, loaded)) in sets.iter().zip(loaded).enumerate() {
        if is_fault && loaded.is_some() {
            continue; // What this set says is final.
        }
        let ticket = passed.iter().position(|(set, _)| *set == place);
        let ticket = ticket.map(|at| passed.swap_remove(at).1);
        match keys.miss(loaded.as_ref().map(KeySetGuard::searched), id, ticket) {
            Miss::Unknown => {}
            Miss::Wait(ticket) => tickets.push((place, ticket)),
            Miss::Unavailable {
                outage,
                retry_after,
            } => {
                let longest = unavailable.filter(|(other, _)| *other >= retry_after);
                unavailable = longest.or(Some((retry_after, outage)));
            }
        }
    }
    if !tickets.is_empty() {
        return Ok(KeyLookup {
            sets: Arc::clone(sets),
            id: id.map(Into::into),
            tickets,
        });
    }
    if let Some((retry_after, outage)) = unavailable {
        return Err(Rejection::unavailable(outage, retry_after));
    }
    if loaded.iter().flatten().any(|keys| keys.is_cut()) {
        // The key may be one that was not read, which is our limit and not the caller's fault.
        let retry_after = Duration::from_secs(60);
        return Err(Rejection::unavailable(Outage::KeysNotRead, retry_after));
    }
    Err(final_fault(problem).into())
}
