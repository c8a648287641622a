//! The signature check: the only way from `Unverified` to `Signed`
//! (RFC 7515 section 5.2, RFC 9068 section 4).
//!
//! 1. The caller has compared the algorithm with the issuer's allow list. A key is prepared for
//!    allowed algorithms only, so a token with another one finds no key.
//! 2. Only keys of the token's issuer are tried, each for the algorithm that it was prepared for; at
//!    most four.
//! 3. A bad signature under the key that `kid` names is final. Where the set does not have that key,
//!    it may be outdated: the caller may fetch it again.

use crate::model::error::rejection::TokenFault;
use crate::verify::jose::jwk_set::{KeyPlace, KeySet, Selection, select};
use crate::verify::jose::jws::Unverified;
use crate::verify::json::object::Object;

/// A token with a verified signature. Its claims are not checked yet.
pub(crate) struct Signed<'c> {
    token: Unverified<'c>,
    /// The place of the key that verified it.
    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    place: KeyPlace,
    /// Whether the `kid` of the token selected the keys.
    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    is_named: bool,
}

/// Why no key verified a token.
#[derive(Debug)]
pub(crate) enum KeyProblem {
    /// Final: no newer key set changes the result.
    Fault(TokenFault),
    /// The set does not have a key with the token's `kid`.
    UnknownKey,
    /// The token has no `kid`, and no key that fits verifies it.
    NoKeyVerifies,
}

impl<'c> Signed<'c> {
    /// Verifies the signature with the keys of all sets of the issuer.
    // A failed token goes back by value: boxing it would allocate for every unknown key.
    #[allow(clippy::result_large_err)]
    pub(crate) fn verify(
        unverified: Unverified<'c>,
        sets: &[&KeySet],
    ) -> Result<Self, (KeyProblem, Unverified<'c>)> {
        match Self::check(&unverified, sets) {
            Ok((place, is_named)) => Ok(Self {
                token: unverified,
                place,
                is_named,
            }),
            Err(problem) => Err((problem, unverified)),
        }
    }

    fn check(token: &Unverified<'_>, sets: &[&KeySet]) -> Result<(KeyPlace, bool), KeyProblem> {
        // INVARIANT: the issuer is there; the caller has found the policy and the keys by it.
        let issuer = token.claimed_issuer().unwrap_or_default();
        match select(sets, token.key_id(), token.algorithm(), issuer) {
            Selection::Keys {
                candidates,
                certain,
            } => {
                let verified = token.signature().decoded(|signature| {
                    let mut candidates = candidates.into_iter().flatten();
                    let verifier =
                        candidates.find(|(_, key)| key.verifies(token.signing_input(), signature));
                    verifier.map(|(place, _)| place)
                });
                let verified = verified.map_err(KeyProblem::Fault)?;
                match (verified, certain, token.key_id()) {
                    (Some(place), _, _) => Ok((place, certain)),
                    (None, true, _) => Err(KeyProblem::Fault(TokenFault::Signature)),
                    (None, false, Some(_)) => Err(KeyProblem::UnknownKey),
                    (None, false, None) => Err(KeyProblem::NoKeyVerifies),
                }
            }
            Selection::UnknownKey if token.key_id().is_none() => Err(KeyProblem::NoKeyVerifies),
            Selection::UnknownKey => Err(KeyProblem::UnknownKey),
            Selection::Unfit => Err(KeyProblem::Fault(TokenFault::Algorithm)),
            Selection::Foreign => Err(KeyProblem::Fault(TokenFault::ForeignKey)),
            Selection::TooMany => Err(KeyProblem::Fault(TokenFault::AmbiguousKey)),
        }
    }

    /// The place of the key that verified it.
    #[cfg(feature = "jwks")]
    pub(crate) const fn key_place(&self) -> KeyPlace {
        self.place
    }

    /// The `kid` that selected the keys; `None` where every key that fits was tried.
    #[cfg(feature = "jwks")]
    pub(crate) fn named_key(&self) -> Option<&str> {
        self.token.key_id().filter(|_| self.is_named)
    }

    /// The `kid` of the token.
    pub(crate) fn key_id(&self) -> Option<&str> {
        self.token.key_id()
    }

    pub(in crate::verify) const fn header(&self) -> &Object<'c> {
        self.token.header()
    }

    pub(crate) const fn claims(&self) -> &Object<'c> {
        self.token.payload()
    }

    /// The `iss` by which the policy was found.
    pub(in crate::verify) fn issuer(&self) -> &str {
        self.token.claimed_issuer().unwrap_or_default()
    }
}
