//! What one `iss` leads to: rules and keys, and the signature check with them.

use std::sync::Arc;
use std::time::Duration;

use crate::model::algorithm::Algorithm;
use crate::model::error::rejection::{Outage, Rejection, TokenFault};
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::model::error::token_error::TokenError;
#[cfg(feature = "jwks")]
use crate::runtime::cache::token_cache::TokenDigest;
use crate::runtime::cache::validity::{CacheValidity, Liveness};
#[cfg(feature = "jwks")]
use crate::runtime::clock::Deadline;
#[cfg(feature = "jwks")]
use crate::runtime::jwks::key_store::{KeySetGuard, Miss, NO_KEYS, RemoteKeys, WaitTicket};
#[cfg(feature = "jwks")]
use crate::runtime::jwks::wait_for_key::wait_for_key;
#[cfg(feature = "jwks")]
use crate::runtime::lookup::engine::{self, LookupUnavailable};
#[cfg(feature = "jwks")]
use crate::server::decide::lookup_result::IntrospectionVerdict;
use crate::verify::jose::jwk_set::KeySet;
use crate::verify::jose::jws::Unverified;
use crate::verify::jose::signature::{KeyProblem, Signed};
use crate::verify::policy::issuer_policy::IssuerPolicy;

/// What one `iss` leads to.
pub(in crate::server) struct IssuerAuthority {
    pub(in crate::server) rules: Arc<IssuerPolicy>,
    pub(in crate::server) keys: KeySource,
    /// What its answers about tokens and users depend on that no key has verified.
    #[cfg(feature = "jwks")]
    pub(in crate::server) liveness: Liveness,
}

/// A source of keys. Clones are the same source.
#[derive(Clone)]
pub(in crate::server) enum KeySource {
    Static(Arc<StaticKeys>),
    /// The key sets of one issuer, at least one.
    #[cfg(feature = "jwks")]
    Remote(Arc<[Arc<RemoteKeys>]>),
}

/// Keys that were given, and whether an operator has dropped them since.
#[derive(Default)]
pub(in crate::server) struct StaticKeys {
    keys: KeySet,
    liveness: Liveness,
}

impl StaticKeys {
    pub(in crate::server) fn new(keys: KeySet) -> Self {
        Self {
            keys,
            liveness: Liveness::default(),
        }
    }

    /// From now on they verify nothing, and no cached token that they have verified is valid.
    #[cfg(feature = "jwks")]
    pub(in crate::server) fn drop_keys(&self) {
        // An issuer that is asked about its tokens may have none.
        if self.keys.len() > 0 {
            self.liveness.end();
        }
    }

    /// What a token depends on that they verify; `None` where they were dropped.
    fn validity(&self) -> Option<CacheValidity> {
        let liveness = Some(self.liveness.clone()).filter(Liveness::is_live)?;
        Some(CacheValidity::while_live(liveness))
    }
}

/// Places among those who wait for key sets, each with the place of its set.
#[cfg(feature = "jwks")]
pub(crate) type LookupTickets = Vec<(usize, WaitTicket)>;

/// What must be known before a request can be judged.
#[cfg(feature = "jwks")]
pub(crate) enum PendingLookup {
    /// A key of the issuer.
    Key {
        sets: Arc<[Arc<RemoteKeys>]>,
        /// The one that is wanted, where the token names it.
        id: Option<Box<str>>,
        /// For some of the sets.
        tickets: LookupTickets,
    },
    /// The issuer's word on this very token.
    Token {
        digest: TokenDigest,
        ticket: engine::LookupTicket<IntrospectionVerdict>,
    },
}

/// A question that was asked and waited for.
#[cfg(feature = "jwks")]
pub(crate) enum LookupResult {
    Key(LookupTickets),
    Token(TokenDigest, Result<IntrospectionVerdict, LookupUnavailable>),
}

#[cfg(feature = "jwks")]
impl PendingLookup {
    pub(crate) async fn wait(self) -> LookupResult {
        match self {
            Self::Key { sets, id, tickets } => {
                let waiting = tickets.iter();
                let waiting = waiting.filter_map(|(set, ticket)| Some((sets.get(*set)?, ticket)));
                wait_for_key(id.as_deref(), waiting).await;
                LookupResult::Key(tickets)
            }
            Self::Token { digest, ticket } => LookupResult::Token(digest, ticket.wait().await),
        }
    }
}

/// Without fetched key sets nothing is ever waited for.
#[cfg(not(feature = "jwks"))]
pub(crate) enum LookupResult {}

/// Why a token could not be verified.
pub(in crate::server) enum Interrupt {
    Refused(Rejection),
    #[cfg(feature = "jwks")]
    Wait(PendingLookup),
}

impl Interrupt {
    /// Names the issuer whose rules stopped the token.
    pub(in crate::server) fn by(self, issuer: &Arc<str>) -> Self {
        match self {
            Self::Refused(rejection) => Self::Refused(rejection.by(issuer)),
            #[cfg(feature = "jwks")]
            Self::Wait(question) => Self::Wait(question),
        }
    }
}

impl<F: Into<Rejection>> From<F> for Interrupt {
    fn from(fault: F) -> Self {
        Self::Refused(fault.into())
    }
}

#[cfg(feature = "jwks")]
impl From<LookupUnavailable> for Rejection {
    fn from(not_asked: LookupUnavailable) -> Self {
        Self::unavailable(not_asked.outage, not_asked.retry_after)
    }
}

impl KeySource {
    pub(in crate::server) fn ready(&self) -> bool {
        match self {
            Self::Static(keys) => keys.validity().is_some(),
            #[cfg(feature = "jwks")]
            Self::Remote(sets) => sets.iter().all(|keys| keys.ready()),
        }
    }

    /// Verifies the signature with this issuer's keys, and says what that stands on.
    #[cfg_attr(not(feature = "jwks"), allow(clippy::needless_pass_by_value))]
    pub(in crate::server) fn check<'c>(
        &self,
        unverified: Unverified<'c>,
        rules: &IssuerPolicy,
        answered: Option<LookupResult>,
    ) -> Result<(Signed<'c>, CacheValidity), Interrupt> {
        // RFC 8725 s3.1: the one comparison with the issuer's allow list, before any key is looked
        // at and before a key set is fetched.
        if !rules.algorithms.contains(unverified.algorithm()) {
            return Err(not_allowed(unverified.algorithm(), rules).into());
        }
        match self {
            // Static keys cause no questions, so there is no answer to look at.
            Self::Static(fixed) => {
                let _ = answered;
                // Nothing can be judged by keys that were dropped, which is not the caller's fault.
                let basis = fixed.validity().ok_or(DROPPED)?;
                Signed::verify(unverified, &[&fixed.keys])
                    .map(|signed| (signed, basis))
                    .map_err(|(problem, _)| final_fault(&problem).into())
            }
            #[cfg(feature = "jwks")]
            Self::Remote(sets) => match &**sets {
                [only] => check_remote(sets, &[only.current().ok()], unverified, rules, answered),
                all => {
                    let loaded: Vec<_> = all.iter().map(|keys| keys.current().ok()).collect();
                    check_remote(sets, &loaded, unverified, rules, answered)
                }
            },
        }
    }
}

/// An algorithm that the issuer may not use. Its name is one of ours.
#[cold]
fn not_allowed(found: Algorithm, rules: &IssuerPolicy) -> TokenError {
    let allowed: Vec<&str> = Algorithm::all()
        .filter(|algorithm| rules.algorithms.contains(*algorithm))
        .map(Algorithm::as_str)
        .collect();
    let detail = RejectionDetail::new()
        .with_claim("alg")
        .with_problem(Problem::Differs)
        .with_setting("algorithms")
        .with_expected(allowed.join(" | "))
        .with_found(found.as_str());
    TokenError::new(TokenFault::Algorithm, detail)
}

/// What is answered for static keys that an operator has dropped.
const DROPPED: Rejection = Rejection::unavailable(Outage::KeysNotLoaded, Duration::from_secs(60));

/// Verifies the signature with the sets that are loaded. `loaded` has a place for each set.
///
/// 1. A key is looked for in all of them at once.
/// 2. Where a set is missing, nothing is final but a good signature: the token's key may be there,
///    even one that another set has under the same id.
#[cfg(feature = "jwks")]
fn check_remote<'c>(
    sets: &Arc<[Arc<RemoteKeys>]>,
    loaded: &[Option<KeySetGuard>],
    unverified: Unverified<'c>,
    rules: &IssuerPolicy,
    answered: Option<LookupResult>,
) -> Result<(Signed<'c>, CacheValidity), Interrupt> {
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
            let set = loaded.get(signed.set()).and_then(Option::as_ref);
            // INVARIANT: the key is in a set that is loaded.
            let basis = set.map_or(
                CacheValidity::until(Deadline::PASSED, Liveness::default()),
                |loaded| loaded.validity(signed.named_key()),
            );
            return Ok((signed, basis));
        }
        Err(failed) => failed,
    };
    match problem {
        KeyProblem::Fault(fault) if loaded.iter().all(Option::is_some) => Err(fault.into()),
        problem => Err(ask(sets, loaded, rules, &unverified, &problem, answered)),
    }
}

/// What a key problem means when no newer key set can come.
const fn final_fault(problem: &KeyProblem) -> TokenFault {
    match problem {
        KeyProblem::Fault(fault) => *fault,
        KeyProblem::UnknownKey => TokenFault::UnknownKey,
        KeyProblem::NoKeyVerifies => TokenFault::Signature,
    }
}

/// Whether the issuer may be asked, must not be, or has answered already: for each of its sets that
/// may have the key. It is unknown only where all of them say so.
#[cfg(feature = "jwks")]
#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
fn ask(
    sets: &Arc<[Arc<RemoteKeys>]>,
    loaded: &[Option<KeySetGuard>],
    rules: &IssuerPolicy,
    unverified: &Unverified<'_>,
    problem: &KeyProblem,
    answered: Option<LookupResult>,
) -> Interrupt {
    let id = unverified.key_id();
    #[cfg(feature = "tracing")]
    if let Some(id) = id {
        // Escaped: the id is a stranger's text.
        tracing::debug!(issuer = %rules.realm, key = %id.escape_debug(), "key not found");
    }
    let mut passed = match answered {
        Some(LookupResult::Key(tickets)) => tickets,
        Some(LookupResult::Token(..)) | None => Vec::new(),
    };
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
        return Interrupt::Wait(PendingLookup::Key {
            sets: Arc::clone(sets),
            id: id.map(Into::into),
            tickets,
        });
    }
    if let Some((retry_after, outage)) = unavailable {
        return Rejection::unavailable(outage, retry_after).into();
    }
    if loaded.iter().flatten().any(|keys| keys.is_cut()) {
        // The key may be one that was not read, which is our limit and not the caller's fault.
        return Rejection::unavailable(Outage::KeysNotRead, Duration::from_secs(60)).into();
    }
    final_fault(problem).into()
}
