//! Floor 4: the house itself. `judge` is the whole request, in order, in one function.

pub(crate) mod mistake;

mod family;

pub(crate) mod issuer;

mod supply;

mod identifiers;

pub(crate) mod authority;

pub(crate) mod admission;

mod compile;

mod keys;

mod assemble;

pub(crate) mod state;

#[cfg(feature = "axum")]
mod entry;

pub(crate) mod builder;

pub(crate) mod revocations;

#[cfg(feature = "axum")]
pub(crate) mod logout;

#[cfg(feature = "jwks")]
pub(crate) mod load;

#[cfg(feature = "jwks")]
pub(crate) mod operate;

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method};

use crate::model::rejection::{Outage, Rejection, RejectionKind, TokenFault};
use crate::source::revocation::{Standing, Unclean};
use crate::source::verified::Basis;
use crate::verify::claims::AccessToken;
use crate::verify::credential::Credential;
use crate::verify::identify::identify;
use crate::verify::jws::{Compact, Room, Unverified};
use crate::verify::sources::Sources;
use admission::Admission;
#[cfg(feature = "jwks")]
use authority::Question;
use authority::{Answered, Stop};
use state::ResourceServer;

/// The outcome of [`ResourceServer::judge`].
pub(crate) enum Judgement {
    Admitted(Arc<Admission>),
    /// None of the layer's sources was sent.
    NothingSent,
    Refused(Rejection),
    /// Only the issuer knows; ask, wait a bounded time, and judge again.
    #[cfg(feature = "jwks")]
    Wait(Question),
}

impl ResourceServer {
    /// Judges a request. Synchronous and without I/O; without a lock, but where a key is unknown.
    ///
    /// In this order: the single credential; whether it was verified before; its size and syntax; the issuer, whose rules and
    /// keys alone count from here; the signature; the claims; who is calling. What may be
    /// remembered between requests happens in `verify`, what must not in `admit`.
    pub(crate) fn judge(
        &self,
        sources: &Sources,
        method: &Method,
        headers: &HeaderMap,
        answered: Option<Answered>,
    ) -> Judgement {
        let credential = match Credential::find(sources, method, headers) {
            Ok(Some(credential)) => credential,
            Ok(None) => return Judgement::NothingSent,
            Err(kind) => return Judgement::Refused(kind.into()),
        };
        let outcome = self.known_or_verified(credential, answered);
        match outcome {
            Ok(admission) => Judgement::Admitted(admission),
            Err(Stop::Refused(rejection)) => Judgement::Refused(rejection),
            #[cfg(feature = "jwks")]
            Err(Stop::Wait(question)) => Judgement::Wait(question),
        }
    }

    /// Both phases. What is remembered of a token spares it the first, and never the second.
    fn known_or_verified(
        &self,
        credential: Credential<'_>,
        answered: Option<Answered>,
    ) -> Result<Arc<Admission>, Stop> {
        let token = credential.as_bytes();
        let digest = match &self.0.verified {
            // Before its bytes are looked at: a longer one is refused whatever it holds.
            Some(cache) if token.len() <= self.0.max_token_bytes => cache.digest(token),
            _ => None,
        };
        let (Some(cache), Some(digest)) = (&self.0.verified, digest) else {
            let (admission, _) = self.verify(credential, answered)?;
            return self.admit(admission);
        };
        let now = self.0.clock.monotonic();
        if let Some(admission) = cache.find(digest, now) {
            return self.admit(admission);
        }
        let (admission, basis) = self.verify(credential, answered)?;
        // Only who passes every check is remembered.
        let admission = self.admit(admission)?;
        cache.keep(digest, &admission, basis, admission.bytes(), now);
        Ok(admission)
    }

    /// Phase one: everything about a token that stays true while its key and our rules do.
    fn verify(
        &self,
        credential: Credential<'_>,
        answered: Option<Answered>,
    ) -> Result<(Arc<Admission>, Basis), Stop> {
        with_room(|room| self.verify_in(room, credential, answered))
    }

    fn verify_in(
        &self,
        room: &mut Room,
        credential: Credential<'_>,
        answered: Option<Answered>,
    ) -> Result<(Arc<Admission>, Basis), Stop> {
        let Room { parts, members } = room;
        let compact = Compact::decode(credential, self.0.max_token_bytes, parts)?;
        let unverified = Unverified::read(&compact, members)?;
        // RFC 8725 s3.8: the issuer chooses rules and keys, by exact comparison. An unknown
        // one causes no request.
        let issuer = unverified.claimed_issuer().ok_or(TokenFault::Claims)?;
        let authority = self
            .0
            .authorities
            .get(&*issuer)
            .ok_or(TokenFault::UnknownIssuer)?;
        let rules = &*authority.rules;
        authority
            .keys
            .check(unverified, rules, answered)
            .and_then(|(signed, basis)| {
                let token = AccessToken::check(&signed, rules)?;
                let identified = identify(&token, &signed.claims(), rules);
                let rules = Arc::clone(&authority.rules);
                let admission = Admission {
                    token,
                    identified,
                    rules,
                    standing: Standing::default(),
                };
                Ok((Arc::new(admission), basis))
            })
            .map_err(|stop| stop.by(&rules.realm))
    }

    /// Phase two: what is decided anew on every request.
    fn admit(&self, admission: Arc<Admission>) -> Result<Arc<Admission>, Stop> {
        let now = self.0.clock.now();
        let rules = &admission.rules;
        let stop = |rejection: Rejection| Stop::from(rejection).by(&rules.realm);
        admission
            .token
            .check_time(now, rules.leeway)
            .map_err(|fault| stop(fault.into()))?;
        self.0
            .revocations
            .check(&admission.standing, &admission.token, rules, now)
            .map_err(|unclean| stop(refusal(unclean)))?;
        // Last: the application's own checks see tokens that are good in all else, and no other.
        for check in &self.0.checks {
            check(&admission.token).map_err(|objection| stop(objection.into()))?;
        }
        Ok(admission)
    }
}

/// Lends the thread's room for tokens.
fn with_room<T>(work: impl FnOnce(&mut Room) -> T) -> T {
    thread_local! {
        static ROOM: Cell<Room> = Cell::default();
    }
    let mut room = ROOM.try_with(Cell::take).unwrap_or_default();
    let outcome = work(&mut room);
    if room.is_modest() {
        // A thread that is ending needs none any more.
        let _ = ROOM.try_with(|place| place.set(room));
    }
    outcome
}

/// What is answered when a token is not found clean.
const fn refusal(unclean: Unclean) -> Rejection {
    match unclean {
        Unclean::Revoked => Rejection::new(RejectionKind::InvalidToken(TokenFault::Revoked)),
        Unclean::Unknown => {
            Rejection::unavailable(Outage::RevocationsNotLoaded, Duration::from_secs(1))
        }
    }
}

/// What is answered when a request has waited as often as it may.
#[cfg(feature = "jwks")]
pub(crate) const fn waited_enough() -> Rejection {
    Rejection::unavailable(Outage::KeyUnconfirmed, Duration::from_secs(1))
}
