//! What a lease depends on: the end of its token, the key that verified it, and the names by which it can
//! be revoked.

use std::sync::Arc;

use crate::model::revocation::{Revocation, RevocationKind};
use crate::model::time::UnixTime;
use crate::runtime::cache::validity::Liveness;
use crate::runtime::revocation::check::{NAMES, NamePlaces};
use crate::verify::policy::issuer_policy::IssuerPolicy;

/// What a lease depends on. It holds hashes of names under a secret of the process, and nothing else of
/// the token, so that the token's memory is free while the lease lasts.
#[derive(Debug)]
pub(crate) struct LeaseTerms {
    pub(crate) names: [u64; NAMES],
    /// A hash of the sender that the token is bound to; 0 where it is not bound.
    pub(crate) sender: u64,
    /// The end of the token, leeway included.
    pub(crate) until: UnixTime,
    /// The sign-in of the subject, or the issue of the token, as far as the token states it.
    pub(crate) began_at: Option<UnixTime>,
    pub(crate) has_session: bool,
    /// Of the key that verified the token.
    pub(crate) authority: Liveness,
    pub(crate) rules: Arc<IssuerPolicy>,
}

impl LeaseTerms {
    /// Whether a revocation, whose name has this hash, concerns the token: the rule of
    /// `verify::claims::revocation_rule` on hashes.
    pub(super) fn is_concerned_by(&self, hash: u64, revocation: &Revocation) -> bool {
        let kind = revocation.kind();
        let mut named = NamePlaces::of(kind).filter_map(|place| self.names.get(place));
        if !named.any(|name| *name == hash) {
            return false;
        }
        if kind == RevocationKind::SubjectWithoutSession && self.has_session {
            return false;
        }
        revocation.before().is_none_or(|before| {
            let cut_off = before.saturating_add(self.rules.leeway);
            self.began_at.is_none_or(|began| began <= cut_off)
        })
    }

    /// Whether both are of one caller: the same issuer, subject, client and sender.
    pub(crate) fn is_same_caller(&self, other: &Self) -> bool {
        let caller = |terms: &Self| {
            let mut places = NamePlaces::of_caller();
            std::array::from_fn::<_, { NamePlaces::CALLER }, _>(|_| {
                let name = places.next().and_then(|place| terms.names.get(place));
                name.copied().unwrap_or_default()
            })
        };
        caller(self) == caller(other) && self.sender == other.sender
    }
}
