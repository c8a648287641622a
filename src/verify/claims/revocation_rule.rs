//! Which tokens a revocation concerns. A pure rule; the list of revocations and its times are in
//! `runtime`.
//!
//! 1. A revocation concerns tokens of its own issuer only.
//! 2. It names a token, a session, a subject, a client, an actor or the whole issuer. Ids are compared
//!    byte for byte.
//! 3. A revocation with a time concerns tokens that began up to that time, leeway included. A token
//!    that does not state when it began is concerned.

use crate::model::ids::{ClientId, SubjectId};
use crate::model::revocation::{Revocation, RevocationKind};
use crate::verify::claims::actor::Actor;
use crate::verify::claims::verified_token::VerifiedToken;
use crate::verify::policy::issuer_policy::IssuerPolicy;

/// Whether `revocation` concerns `token`, which `policy` has accepted.
pub(crate) fn concerns(
    revocation: &Revocation,
    token: &VerifiedToken,
    policy: &IssuerPolicy,
) -> bool {
    if revocation.issuer() != &*policy.realm {
        return false;
    }
    let id = revocation.id();
    let is_subject = || {
        let named = subjects(token);
        named.into_iter().flatten().any(|one| Some(one) == id)
    };
    let is_named = match revocation.kind() {
        RevocationKind::Token => token.id() == id,
        RevocationKind::Session => token.session_ids().any(|session| Some(session) == id),
        RevocationKind::Subject => is_subject(),
        RevocationKind::SubjectWithoutSession => {
            is_subject() && token.session_ids().next().is_none()
        }
        RevocationKind::Client => token.client_id().map(ClientId::as_str) == id,
        RevocationKind::Actor => {
            let named = actors(token);
            named.into_iter().flatten().any(|one| Some(one) == id)
        }
        RevocationKind::Issuer => true,
    };
    let is_early = revocation.before().is_none_or(|before| {
        let cut_off = before.saturating_add(policy.leeway);
        token.began_at().is_none_or(|began| began <= cut_off)
    });
    is_named && is_early
}

/// The subjects that a token names: the configured one, and its `sub`.
pub(crate) fn subjects(token: &VerifiedToken) -> [Option<&str>; 2] {
    let configured = token.subject().map(SubjectId::as_str);
    [configured, token.plain_subject()]
}

/// The names of the outermost actor: `sub` and `client_id`. Those of earlier actors decide nothing.
pub(crate) fn actors(token: &VerifiedToken) -> [Option<&str>; 2] {
    let actor = token.actor();
    [
        actor.and_then(Actor::subject),
        actor.and_then(Actor::client_id),
    ]
}
