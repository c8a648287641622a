//! The cached check of one token, and the hashes by which entries are found.

use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};

use crate::model::ids::ClientId;
use crate::model::revocation::Revocation;
use crate::runtime::util::sync::{AtomicU64, Ordering};
use crate::verify::claims::access_token::AccessToken;
use crate::verify::claims::revocation_rule::{actors, subjects};
use crate::verify::policy::issuer_policy::IssuerPolicy;

/// The ids of a token that a revocation can name: `jti`, `origin_jti`, `sid`, the configured
/// subject, `sub`, the client; and the issuer as a whole. Those of an actor are not kept.
pub(super) const NAMES: usize = 7;

/// The cached result of checking one token; it is stored beside the verified token.
#[derive(Debug, Default)]
pub(crate) struct RevocationCheck {
    /// The version of the list at which the token was found clean; valid until an entry is added.
    /// INVARIANT: only a clean result is cached, and only where no entry concerns the token that has
    /// merely ended, and none was evicted early: such an entry counts again when a clock is set back.
    /// So only an addition can make a clean token a revoked one, and every addition makes a new
    /// version.
    passed_at: AtomicU64,
    /// The hashes of the token's ids; 0 where there is none, and before they are made.
    hashes: [AtomicU64; NAMES],
}

impl RevocationCheck {
    /// Whether the token was found clean at this version.
    #[inline]
    pub(super) fn has_passed_at(&self, version: u64) -> bool {
        self.passed_at.load(Ordering::Relaxed) == version
    }

    /// Caches a clean result.
    pub(super) fn mark_passed(&self, version: u64) {
        self.passed_at.store(version, Ordering::Relaxed);
    }

    /// The hashes of the token's ids, made once.
    pub(super) fn hashes(&self, make: impl FnOnce() -> [u64; NAMES]) -> [u64; NAMES] {
        let [.., whole] = &self.hashes;
        // INVARIANT: every token has the last hash, which is stored last: where it is set, all are.
        if whole.load(Ordering::Acquire) != 0 {
            return self
                .hashes
                .each_ref()
                .map(|hash| hash.load(Ordering::Relaxed));
        }
        let hashes = make();
        for (place, hash) in self.hashes.iter().zip(hashes) {
            place.store(hash, Ordering::Release);
        }
        hashes
    }
}

/// Why a token was not found clean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RevocationCheckError {
    Revoked,
    /// It is not on the list, and the list is incomplete.
    Unknown,
}

/// Hashes of an issuer and an id, under a secret of this list.
pub(super) struct NameHasher(RandomState);

impl NameHasher {
    pub(super) fn new() -> Self {
        Self(RandomState::new())
    }

    /// The hash of what a revocation names.
    pub(super) fn of_revocation(&self, revocation: &Revocation) -> u64 {
        let id = revocation.id().unwrap_or_default();
        of_id(self.issuer(revocation.issuer()), id)
    }

    /// The hashes of a token's ids; 0 where it has none.
    pub(super) fn of_token(&self, token: &AccessToken, rules: &IssuerPolicy) -> [u64; NAMES] {
        let [origin, session] = token.sessions();
        let [configured, plain] = subjects(token);
        let client = token.client_id().map(ClientId::as_str);
        let names = [
            token.id(),
            origin,
            session,
            configured,
            plain,
            client,
            Some(""),
        ];
        let issuer = self.issuer(&rules.realm);
        names.map(|name| name.map_or(0, |name| of_id(issuer.clone(), name)))
    }

    /// The hashes of a token's actor; 0 where it has none. They are not kept: few tokens have an actor,
    /// and the others shall not pay for it in memory.
    pub(super) fn of_actor(&self, token: &AccessToken, rules: &IssuerPolicy) -> [u64; 2] {
        let names = actors(token);
        if names == [None, None] {
            return [0; 2];
        }
        let issuer = self.issuer(&rules.realm);
        names.map(|name| name.map_or(0, |name| of_id(issuer.clone(), name)))
    }

    fn issuer(&self, issuer: &str) -> DefaultHasher {
        let mut hasher = self.0.build_hasher();
        issuer.hash(&mut hasher);
        hasher
    }
}

fn of_id(mut issuer: DefaultHasher, id: &str) -> u64 {
    id.hash(&mut issuer);
    // 0 stands for an absent id.
    issuer.finish().max(1)
}
