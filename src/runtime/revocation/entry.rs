//! An entry of the list: what is revoked, and until when.

use crate::model::revocation::Revocation;
use crate::model::time::UnixTime;

/// A revocation that is in force, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationEntry {
    revocation: Revocation,
    end: UnixTime,
}

impl RevocationEntry {
    pub(crate) const fn new(revocation: Revocation, end: UnixTime) -> Self {
        Self { revocation, end }
    }

    /// What is revoked.
    #[must_use]
    pub const fn revocation(&self) -> &Revocation {
        &self.revocation
    }

    /// When the entry ends: by then every token that it concerns has expired.
    #[must_use]
    pub const fn ends_at(&self) -> UnixTime {
        self.end
    }

    pub(in crate::runtime) fn is_about_the_same(&self, other: &Self) -> bool {
        self.revocation.is_about_the_same(&other.revocation)
    }

    /// The union of both, which are about the same: the later moment and the later end.
    pub(in crate::runtime) fn joined(&self, other: &Self) -> Self {
        let before = other.revocation.before();
        Self {
            revocation: self.revocation.clone().until_later(before),
            end: self.end.max(other.end),
        }
    }
}
