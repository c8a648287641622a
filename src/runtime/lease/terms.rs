//! What a lease depends on: the end of its token, the key that verified it, and the names by which it can
//! be revoked.

use std::time::Duration;

use crate::model::revocation::{Revocation, RevocationKind};
use crate::model::time::UnixTime;
use crate::runtime::cache::validity::Liveness;
use crate::runtime::revocation::check::{NAMES, NamePlaces};
#[cfg(feature = "status-list")]
use crate::runtime::status_list::reference::StatusReference;

/// What a lease depends on. It holds hashes of names under a secret of the process, and nothing else of
/// the token, so that the token's memory is free while the lease lasts.
#[derive(Debug)]
pub(crate) struct LeaseTerms {
    pub(crate) names: [u64; NAMES],
    /// A hash of what tells callers apart beside the names; 0 where there is nothing.
    pub(crate) beside_names: u64,
    /// The end of the token, leeway included.
    pub(crate) until: UnixTime,
    /// The sign-in of the subject, or the issue of the token; the earliest time where the token states
    /// neither.
    pub(crate) began_at: UnixTime,
    pub(crate) has_session: bool,
    /// Of the key that verified the token.
    pub(crate) authority: Liveness,
    /// Of the issuer by whose rules the token was accepted.
    pub(crate) issuer: Liveness,
    /// Of the issuer, in seconds.
    pub(crate) leeway: u32,
    /// The entry in a status list, where one is checked.
    #[cfg(feature = "status-list")]
    pub(crate) status: Option<StatusReference>,
    /// Since which second of the monotonic clock no list is held that may be used; 0: one is.
    #[cfg(feature = "status-list")]
    pub(crate) without_list_since: u32,
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
            let leeway = Duration::from_secs(self.leeway.into());
            self.began_at <= before.saturating_add(leeway)
        })
    }

    /// Whether the list has a status that is not accepted. It counts as a read: the list is kept fresh.
    #[cfg(feature = "status-list")]
    pub(super) fn has_bad_status(&self) -> bool {
        let status = self.status.as_ref();
        status.is_some_and(|status| status.current() == Some(false))
    }

    /// Whether no list that may be used has been held for longer than this. It has to be asked again and
    /// again.
    #[cfg(feature = "status-list")]
    pub(super) fn lacks_list_for(&mut self, tolerance: Duration, now: Duration) -> bool {
        let status = self.status.as_ref();
        // A list that was evicted, or whose key was removed, is fetched again without a request.
        if status.is_none_or(|status| !status.lacks_list()) {
            self.without_list_since = 0;
            return false;
        }
        let now = u32::try_from(now.as_secs()).unwrap_or(u32::MAX).max(1);
        if self.without_list_since == 0 {
            self.without_list_since = now;
        }
        let span = now.saturating_sub(self.without_list_since);
        u64::from(span) >= tolerance.as_secs()
    }

    #[cfg(not(feature = "status-list"))]
    #[allow(clippy::unused_self)] // like its twin
    pub(super) const fn has_bad_status(&self) -> bool {
        false
    }

    /// Whether both are of one caller: the same issuer, subject, client, actor and sender.
    pub(crate) fn is_same_caller(&self, other: &Self) -> bool {
        let caller = |terms: &Self| {
            let mut places = NamePlaces::of_caller();
            std::array::from_fn::<_, { NamePlaces::CALLER }, _>(|_| {
                let name = places.next().and_then(|place| terms.names.get(place));
                name.copied().unwrap_or_default()
            })
        };
        caller(self) == caller(other) && self.beside_names == other.beside_names
    }
}
