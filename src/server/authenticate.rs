//! The decision on a request, in order, in one function.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, Version};

use crate::model::error::rejection::{Outage, Rejection, RejectionKind, TokenFault};
use crate::model::time::UnixTime;
use crate::runtime::cache::token_cache::Cached;
use crate::runtime::clock::Now;
use crate::runtime::revocation::list::{NotClean, RevocationCheck};
#[cfg(feature = "jwks")]
use crate::server::decide::introspected::IntrospectedIssuer;
#[cfg(feature = "jwks")]
use crate::server::decide::issuer_authority::PendingLookup;
use crate::server::decide::issuer_authority::{Interrupt, LookupResult};
use crate::server::decide::unknown_issuer::unknown_issuer;
use crate::server::decide::verified_request::VerifiedRequest;
use crate::server::resource_server::ResourceServer;
use crate::verify::claims::access_token::AccessToken;
use crate::verify::identity::resolve::identify;
use crate::verify::jose::jws::{Compact, Scratch, Unverified};
use crate::verify::request::credential::Credential;
use crate::verify::request::token_sources::TokenSources;

/// The outcome of [`ResourceServer::judge`].
pub(crate) enum Outcome {
    Admitted(Arc<Cached<VerifiedRequest>>),
    /// None of the layer's sources was sent.
    NothingSent,
    Refused(Rejection),
    /// Only the issuer knows; ask, wait a bounded time, and judge again.
    #[cfg(feature = "jwks")]
    Wait(PendingLookup),
}

impl ResourceServer {
    /// Judges a request. Synchronous and without I/O; without a lock, but where a key is unknown.
    ///
    /// In this order: the single credential; whether it was verified before, or whom to ask about
    /// it; its size and syntax; the issuer, whose rules and keys alone count from here; whether it
    /// says itself that it is over; the signature; the claims; who is calling. What may be
    /// remembered between requests happens in `verify`, what must not in `admit`.
    pub(crate) fn judge(
        &self,
        sources: &TokenSources,
        (method, version): (&Method, Version),
        headers: &HeaderMap,
        answered: Option<LookupResult>,
    ) -> Outcome {
        let credential = match Credential::find(sources, (method, version), headers) {
            Ok(Some(credential)) => credential,
            Ok(None) => return Outcome::NothingSent,
            Err(kind) => return Outcome::Refused(kind.into()),
        };
        let outcome = self.known_or_verified(credential, answered);
        match outcome {
            Ok(admission) => Outcome::Admitted(admission),
            Err(Interrupt::Refused(rejection)) => Outcome::Refused(rejection),
            #[cfg(feature = "jwks")]
            Err(Interrupt::Wait(question)) => Outcome::Wait(question),
        }
    }

    /// Both phases. What is remembered of a token spares it the first, and never the second.
    fn known_or_verified(
        &self,
        credential: Credential<'_>,
        answered: Option<LookupResult>,
    ) -> Result<Arc<Cached<VerifiedRequest>>, Interrupt> {
        let token = credential.as_bytes();
        // A look that a JWT ends early: each kind of token is looked for in its own place first.
        let has_dots = memchr::memchr(b'.', token).is_some();
        #[cfg(feature = "jwks")]
        if let Some(opaque) = self.opaque(|opaque| !has_dots && opaque.takes_undivided()) {
            return self.known_or_asked(opaque, token, answered);
        }
        if !has_dots {
            return Err(Compact::undivided(credential, self.0.max_token_bytes).into());
        }
        let digest = match &self.0.verified {
            // Before its bytes are looked at: a longer one is refused whatever it holds.
            Some(cache) if token.len() <= self.0.max_token_bytes => cache.digest(token),
            _ => None,
        };
        let known = self.0.verified.as_ref().zip(digest);
        let now = Now::of(&*self.0.clock);
        let wall = now.wall;
        if let Some(known) = known.and_then(|(cache, digest)| cache.find(digest, now)) {
            self.admit(&known, wall)?;
            return Ok(known);
        }
        // Nothing is remembered there but tokens that went there, so none is taken apart for it.
        #[cfg(feature = "jwks")]
        if let Some(known) = self
            .opaque(|_| true)
            .and_then(|opaque| opaque.known_jwt(token, now))
        {
            self.admit(&known, wall)?;
            return Ok(known);
        }
        #[cfg(feature = "jwks")]
        if let Some(opaque) = self.opaque(|opaque| opaque.takes(token)) {
            return self.known_or_asked(opaque, token, answered);
        }
        let mut verified = self.verify(credential, answered, wall)?;
        // Only who passes every check is remembered.
        self.admit(&verified, wall)?;
        if let Some((cache, digest)) = known {
            let bytes = verified.bytes();
            cache.keep(digest, &mut verified, bytes, now);
        }
        Ok(verified)
    }

    /// The issuer that is asked about tokens, where there is one and it is asked about these.
    #[cfg(feature = "jwks")]
    fn opaque(
        &self,
        takes: impl FnOnce(&IntrospectedIssuer) -> bool,
    ) -> Option<&IntrospectedIssuer> {
        self.0.opaque.as_ref().filter(|opaque| takes(opaque))
    }

    /// Both phases, for a token that only its issuer can judge. The issuer's word is phase one.
    #[cfg(feature = "jwks")]
    fn known_or_asked(
        &self,
        opaque: &IntrospectedIssuer,
        token: &[u8],
        answered: Option<LookupResult>,
    ) -> Result<Arc<Cached<VerifiedRequest>>, Interrupt> {
        let now = Now::of(&*self.0.clock);
        let known = opaque.judge(token, answered, now)?;
        self.admit(&known, now.wall)?;
        Ok(known)
    }

    /// Phase one: everything about a token that stays true while its key and our rules do.
    fn verify(
        &self,
        credential: Credential<'_>,
        answered: Option<LookupResult>,
        now: UnixTime,
    ) -> Result<Arc<Cached<VerifiedRequest>>, Interrupt> {
        with_room(|room| self.verify_in(room, credential, answered, now))
    }

    fn verify_in(
        &self,
        room: &mut Scratch,
        credential: Credential<'_>,
        answered: Option<LookupResult>,
        now: UnixTime,
    ) -> Result<Arc<Cached<VerifiedRequest>>, Interrupt> {
        let Scratch { parts, members } = room;
        let compact = Compact::decode(credential, self.0.max_token_bytes, parts)?;
        let unverified = Unverified::read(&compact, members)?;
        // RFC 8725 s3.8: the issuer chooses rules and keys, by exact comparison. An unknown
        // one causes no request.
        let issuer = unverified
            .claimed_issuer()
            .ok_or_else(|| unverified.no_issuer())?;
        let authority = self
            .0
            .authorities
            .get(issuer)
            .ok_or_else(|| unknown_issuer(issuer, self.0.shows_unknown_issuers))?;
        let rules = &*authority.rules;
        // No signature makes it good, and none has to be checked to say so.
        if unverified.is_over(now, rules.leeway) {
            return Err(Interrupt::from(TokenFault::Expired).by(&rules.realm));
        }
        authority
            .keys
            .check(unverified, rules, answered)
            .and_then(|(signed, basis)| {
                let token = AccessToken::check(&signed, rules)?;
                let identified = identify(&token, &signed.claims(), rules);
                let rules = Arc::clone(&authority.rules);
                let admission = VerifiedRequest {
                    validity: token.validity(rules.leeway),
                    token,
                    identified,
                    rules,
                    standing: RevocationCheck::default(),
                };
                Ok(Arc::new(Cached::unkept(admission, basis)))
            })
            .map_err(|stop| stop.by(&rules.realm))
    }

    /// Phase two: what is decided anew on every request.
    fn admit(&self, admission: &VerifiedRequest, now: UnixTime) -> Result<(), Interrupt> {
        let rules = &admission.rules;
        let stop = |rejection: Rejection| Interrupt::from(rejection).by(&rules.realm);
        // A clock that is not set would make every token good that has ever been signed. Before
        // the token's own times, which nobody can judge then.
        self.0.check_clock(now).map_err(stop)?;
        admission
            .validity
            .check(now)
            .map_err(|fault| stop(fault.into()))?;
        self.0
            .revocations
            .check(&admission.standing, &admission.token, rules, now)
            .map_err(|unclean| stop(refusal(unclean)))?;
        // Last: the application's own checks see tokens that are good in all else, and no other.
        for check in &self.0.checks {
            check(&admission.token).map_err(|objection| stop(objection.into()))?;
        }
        Ok(())
    }
}

/// Lends the thread's room for tokens.
fn with_room<T>(work: impl FnOnce(&mut Scratch) -> T) -> T {
    thread_local! {
        static ROOM: Cell<Scratch> = Cell::default();
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
const fn refusal(unclean: NotClean) -> Rejection {
    match unclean {
        NotClean::Revoked => Rejection::new(RejectionKind::InvalidToken(TokenFault::Revoked)),
        NotClean::Unknown => {
            Rejection::unavailable(Outage::RevocationsNotLoaded, Duration::from_secs(1))
        }
    }
}

/// What is answered when a request has waited as often as it may.
#[cfg(feature = "jwks")]
pub(crate) const fn waited_enough() -> Rejection {
    Rejection::unavailable(Outage::KeyUnconfirmed, Duration::from_secs(1))
}
