//! An entry of the list: what is revoked, until when, and which tokens it concerns.

use crate::model::ids::{ClientId, SubjectId};
use crate::model::revocation::{Revocation, RevocationKind};
use crate::model::time::UnixTime;
use crate::verify::claims::access_token::AccessToken;
use crate::verify::policy::issuer_policy::IssuerPolicy;

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

    /// Whether it concerns this token.
    pub(super) fn concerns(&self, token: &AccessToken, rules: &IssuerPolicy) -> bool {
        let revocation = &self.revocation;
        if revocation.issuer() != &*rules.realm {
            return false;
        }
        let id = revocation.id();
        let is_subject = || {
            subjects(token)
                .into_iter()
                .flatten()
                .any(|one| Some(one) == id)
        };
        let is_named = match revocation.kind() {
            RevocationKind::Token => token.id() == id,
            RevocationKind::Session => token.session_ids().any(|session| Some(session) == id),
            RevocationKind::Subject => is_subject(),
            RevocationKind::SubjectWithoutSession => {
                is_subject() && token.session_ids().next().is_none()
            }
            RevocationKind::Client => token.client_id().map(ClientId::as_str) == id,
            RevocationKind::Issuer => true,
        };
        // A token that does not state when it began counts as older than any moment.
        let is_early = revocation.before().is_none_or(|before| {
            let cut_off = before.saturating_add(rules.leeway);
            token.began_at().is_none_or(|began| began <= cut_off)
        });
        is_named && is_early
    }
}

/// The subjects that a token names: the configured one, and its `sub`.
pub(super) fn subjects(token: &AccessToken) -> [Option<&str>; 2] {
    let configured = token.subject().map(SubjectId::as_str);
    [configured, token.plain_subject()]
}
