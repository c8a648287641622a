//! The cached check of one token, and the hashes by which entries are found.

use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
#[cfg(feature = "jwks")]
use std::ops::Range;

use crate::model::ids::ClientId;
use crate::model::revocation::Revocation;
#[cfg(feature = "jwks")]
use crate::model::revocation::RevocationKind;
use crate::runtime::util::sync::{AtomicU64, Ordering};
#[cfg(feature = "jwks")]
use crate::verify::claims::actor::Actor;
use crate::verify::claims::revocation_rule::{actors, subjects};
use crate::verify::claims::verified_token::VerifiedToken;
use crate::verify::policy::issuer_policy::IssuerPolicy;

/// The ids of a token that are kept as hashes beside it: `jti`, `origin_jti`, `sid`, the configured
/// subject, `sub`, the client; and the issuer as a whole.
pub(super) const KEPT: usize = 7;

/// The ids of a token that a revocation can name: those, and in front of the subject the `sub` and the
/// `client_id` of the actor. The actor's are not kept: few tokens have one, and the others do not pay
/// for it in memory.
pub(in crate::runtime) const NAMES: usize = KEPT + 2;

/// Which of the names a revocation can name, or belong to the caller.
#[cfg(feature = "jwks")]
pub(in crate::runtime) struct NamePlaces;

#[cfg(feature = "jwks")]
impl NamePlaces {
    /// The names of a caller: actor, subject, `sub`, client, issuer.
    pub(in crate::runtime) const CALLER: usize = 6;

    /// The places of the names that a revocation of this kind can name.
    pub(in crate::runtime) fn of(kind: RevocationKind) -> Range<usize> {
        match kind {
            RevocationKind::Token => 0..1,
            RevocationKind::Session => 1..3,
            RevocationKind::Actor => 3..5,
            RevocationKind::Subject | RevocationKind::SubjectWithoutSession => 5..7,
            RevocationKind::Client => 7..8,
            RevocationKind::Issuer => 8..9,
        }
    }

    /// The places of the caller's names.
    pub(in crate::runtime) fn of_caller() -> Range<usize> {
        3..3 + Self::CALLER
    }
}

/// The cached result of checking one token; it is stored beside the verified token. What each request reads
/// comes first.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct RevocationCheck {
    /// The version of the list at which the token was found clean; valid until an entry is added.
    /// INVARIANT: only a clean result is cached, and only where no entry concerns the token that has
    /// merely ended, and none was evicted early: such an entry counts again when a clock is set back.
    /// So only an addition can make a clean token a revoked one, and every addition makes a new
    /// version.
    passed_at: AtomicU64,
    /// The hashes of the token's ids; 0 where there is none, and before they are made.
    hashes: [AtomicU64; KEPT],
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
    pub(super) fn hashes(&self, make: impl FnOnce() -> [u64; KEPT]) -> [u64; KEPT] {
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

    /// The hashes of all names of a token; 0 where it has none.
    pub(super) fn of_token(
        &self,
        check: &RevocationCheck,
        token: &VerifiedToken,
        rules: &IssuerPolicy,
    ) -> [u64; NAMES] {
        let kept = check.hashes(|| self.kept_of(token, rules));
        let [jti, origin, session, configured, plain, client, issuer] = kept;
        let [actor, actor_client] = self.of_actor(token, rules);
        [
            jti,
            origin,
            session,
            actor,
            actor_client,
            configured,
            plain,
            client,
            issuer,
        ]
    }

    fn kept_of(&self, token: &VerifiedToken, rules: &IssuerPolicy) -> [u64; KEPT] {
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

    /// Those of its actor; 0 where it has none.
    fn of_actor(&self, token: &VerifiedToken, rules: &IssuerPolicy) -> [u64; 2] {
        let names = actors(token);
        if names == [None, None] {
            return [0; 2];
        }
        let issuer = self.issuer(&rules.realm);
        names.map(|name| name.map_or(0, |name| of_id(issuer.clone(), name)))
    }

    /// The hash of the sender that a token is bound to, and of the issuer of its actor where that is not
    /// the token's; 0 where there is neither.
    #[cfg(feature = "jwks")]
    pub(super) fn beside_names(&self, token: &VerifiedToken) -> u64 {
        let bound = token.confirmation();
        let bound = bound.map(|bound| (bound.jwk_thumbprint(), bound.certificate_thumbprint()));
        let actor = token.actor();
        let foreign = actor.filter(|actor| !actor.is_of_the_tokens_issuer());
        let actor_issuer = foreign.map(Actor::issuer);
        if bound.is_none() && actor_issuer.is_none() {
            return 0;
        }
        self.0.hash_one((bound, actor_issuer)).max(1)
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
