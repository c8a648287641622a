//! Receiving one Security Event Token: verified, mapped and revoked, in this order.
//!
//! 1. A token is remembered, and counted as applied, after all its revocations are in force. A token whose
//!    event could not be stored is sent again, and then has its whole effect: revoking twice is revoking
//!    once.
//! 2. The issuer chooses the transmitter, before anything else is read. Its secret is compared before its
//!    signature is verified.
//! 3. What cannot be mapped is accepted, counted, and a warning at most once a minute.

use std::sync::Arc;

use crate::model::error::rejection::Rejection;
use crate::runtime::directory::within;
use crate::runtime::ssf::counters::Counted;
use crate::runtime::util::catch_panic::{catch_panic, catch_panic_of};
use crate::runtime::util::excerpt::excerpt;
use crate::server::decide::decision::Decision;
use crate::server::decide::ssf_transmitter::Transmitter;
use crate::server::operate::revocations::RevocationError;
use crate::server::operate::ssf::mapped::{Mapped, by_default, within_bounds};
pub(crate) use crate::server::operate::ssf::outcome::SetFailure;
use crate::server::operate::ssf::outcome::{
    Effects, MAX_SHOWN, RETRY_AFTER, note_stream, unverified,
};
use crate::server::resource_server::ResourceServer;
use crate::server::settings::ssf::EventEffect;
use crate::verify::crypto::secret::SecretHash;
use crate::verify::jose::jws::{Compact, Unverified};
use crate::verify::jose::scratch::Scratch;
use crate::verify::request::credential::Credential;
use crate::verify::ssf::error_code::SetErrorCode;
use crate::verify::ssf::event::SecurityEvent;
use crate::verify::ssf::event_token::{EventToken, EventTokenFault};
use crate::verify::ssf::event_type::EventType;

/// How a token came.
#[derive(Clone, Copy)]
pub(crate) enum SetSource<'s> {
    /// With the value of its `Authorization` field.
    Push(Option<&'s [u8]>),
    /// From the poll endpoint of the transmitter of this issuer, under this id.
    Poll(&'s str, &'s str),
}

/// What became of an accepted token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    New,
    /// It had its effect before.
    Repeated,
}

/// A signed token, checked or not.
type CheckedToken = Result<EventToken, EventTokenFault>;

impl ResourceServer {
    /// Whether some transmitter is configured.
    pub(crate) fn has_transmitters(&self) -> bool {
        !self.0.registry.load().transmitters.is_empty()
    }

    /// The most bytes of a token.
    pub(crate) fn max_set_bytes(&self) -> usize {
        self.0.max_token_bytes
    }

    /// Verifies a token, after look-ups of its key where they are needed, and revokes what its events
    /// name.
    pub(crate) async fn receive_set(
        &self,
        set: &[u8],
        source: SetSource<'_>,
    ) -> Result<Received, SetFailure> {
        let begun = self.begin_set(set, source);
        let (transmitter, decision) = match begun {
            Ok(begun) => begun,
            Err((transmitter, failure)) => {
                return Err(self.note_failure(transmitter.as_deref(), failure, false));
            }
        };
        transmitter.counters.add(Counted::Received, 1);
        let outcome = match decision {
            Ok(decision) => decision.finish().await,
            Err(rejection) => Err(rejection),
        };
        let token = match outcome {
            Ok(Ok(token)) => token,
            Ok(Err(fault)) => {
                let failure = SetFailure::Refused {
                    code: fault.code,
                    why: fault.to_string(),
                };
                return Err(self.note_failure(Some(&transmitter), failure, true));
            }
            Err(rejection) => {
                let failure = unverified(&rejection);
                return Err(self.note_failure(Some(&transmitter), failure, false));
            }
        };
        if let SetSource::Poll(_, id) = source {
            if token.id != id {
                let failure = SetFailure::Refused {
                    code: SetErrorCode::InvalidRequest,
                    why: "the `jti` differs from the one in `sets`".to_owned(),
                };
                return Err(self.note_failure(Some(&transmitter), failure, true));
            }
        }
        self.take_effect(&transmitter, &token)
            .await
            .map_err(|failure| self.note_failure(Some(&transmitter), failure, true))
    }

    /// Reads what selects the transmitter, and begins the verification. The error has the transmitter
    /// where it is known.
    #[allow(clippy::type_complexity)]
    fn begin_set(
        &self,
        set: &[u8],
        source: SetSource<'_>,
    ) -> Result<
        (Arc<Transmitter>, Result<Decision<CheckedToken>, Rejection>),
        (Option<Arc<Transmitter>>, SetFailure),
    > {
        let unread = |rejection: Rejection| (None, unverified(&rejection));
        let Scratch { parts, members } = &mut Scratch::default();
        let credential = Credential::bare(set).map_err(|kind| unread(kind.into()))?;
        let compact = Compact::decode(credential, self.0.max_token_bytes, parts)
            .map_err(|kind| unread(kind.into()))?;
        let unsigned = Unverified::read(&compact, members).map_err(|error| unread(error.into()))?;
        let issuer = unsigned
            .claimed_issuer()
            .ok_or_else(|| unread(unsigned.no_issuer().into()))?;
        let transmitter = {
            let registry = self.0.registry.load();
            let mut all = registry.transmitters.iter();
            all.find(|one| *one.issuer == *issuer).cloned()
        };
        let refused = |transmitter, code, why: &str| {
            let why = why.to_owned();
            (transmitter, SetFailure::Refused { code, why })
        };
        let Some(transmitter) = transmitter else {
            let why = "the issuer is no transmitter of this receiver";
            return Err(refused(None, SetErrorCode::InvalidIssuer, why));
        };
        match source {
            SetSource::Poll(polled, _) if *polled != *transmitter.issuer => {
                let why = "the issuer is not the transmitter that was polled";
                return Err(refused(Some(transmitter), SetErrorCode::InvalidIssuer, why));
            }
            SetSource::Push(shown) => {
                if let Err((code, why)) = self.check_sender_of_set(&transmitter, shown) {
                    return Err(refused(Some(transmitter), code, why));
                }
            }
            SetSource::Poll(..) => {}
        }
        let decision = self.verify_set(&transmitter, unsigned);
        Ok((transmitter, decision))
    }

    /// RFC 8935 s2.4: a sender that is not known, and one that may not send this token.
    fn check_sender_of_set(
        &self,
        transmitter: &Transmitter,
        shown: Option<&[u8]>,
    ) -> Result<(), (SetErrorCode, &'static str)> {
        if transmitter.push_secrets.is_empty() {
            return Ok(());
        }
        let Some(shown) = shown.map(SecretHash::of) else {
            return Err((
                SetErrorCode::AuthenticationFailed,
                "the request has no `Authorization`, or more than one",
            ));
        };
        if transmitter.accepts(&shown) {
            return Ok(());
        }
        let registry = self.0.registry.load();
        let all = registry.transmitters.iter();
        if all.fold(false, |found, other| found | other.accepts(&shown)) {
            return Err((
                SetErrorCode::AccessDenied,
                "the `Authorization` is that of another transmitter",
            ));
        }
        Err((
            SetErrorCode::AuthenticationFailed,
            "the `Authorization` is not the agreed one",
        ))
    }

    fn verify_set(
        &self,
        transmitter: &Arc<Transmitter>,
        unsigned: Unverified<'_>,
    ) -> Result<Decision<CheckedToken>, Rejection> {
        let (server, own) = (self.clone(), Arc::clone(transmitter));
        let authority = &transmitter.authority;
        let decision = authority.verify(unsigned, move |authority, signed, _| {
            let now = server.0.clock.now();
            server.0.check_clock(now)?;
            let leeway = authority.rules.leeway;
            Ok(EventToken::check(signed, &own.audiences, leeway, now))
        });
        self.check_connection(authority, decision)
    }

    /// Makes the effect of every event, then remembers and counts the token.
    async fn take_effect(
        &self,
        transmitter: &Transmitter,
        token: &EventToken,
    ) -> Result<Received, SetFailure> {
        let counters = &transmitter.counters;
        if transmitter.seen.contains(&token.id) {
            counters.add(Counted::Repeated, 1);
            return Ok(Received::Repeated);
        }
        let mut effects = Effects::default();
        for event in &token.events {
            self.apply(transmitter, event, &mut effects).await?;
        }
        // Another delivery of the same token may have ended first.
        if !transmitter.seen.insert(&token.id) {
            counters.add(Counted::Repeated, 1);
            return Ok(Received::Repeated);
        }
        let now = self.0.clock.now();
        counters.record().last_event = Some(now);
        effects.count(transmitter);
        self.warn_of_unmapped(transmitter, &effects);
        for event in &token.events {
            note_stream(transmitter, event, now);
            for hook in &transmitter.hooks {
                // The token is remembered already: a panic here would lose the event for the others.
                let _ = catch_panic(|| hook(event));
            }
        }
        Ok(Received::New)
    }

    async fn apply(
        &self,
        transmitter: &Transmitter,
        event: &SecurityEvent,
        effects: &mut Effects,
    ) -> Result<(), SetFailure> {
        let event_type = event.event_type();
        if [EventType::VERIFICATION, EventType::STREAM_UPDATED].contains(event_type) {
            effects.applied += 1;
            return Ok(());
        }
        let effect = transmitter.effect_of(event_type);
        let is_decrease = || event.text("change_direction").as_deref() == Some("decrease");
        let is_ignored = match effect {
            EventEffect::Ignore => true,
            EventEffect::RevokeSessionIfDecreased => !is_decrease(),
            EventEffect::RevokeSession | EventEffect::RevokeSubject => false,
        };
        if is_ignored {
            effects.ignored += 1;
            return Ok(());
        }
        let mapped = self.map(transmitter, event, effect).await?;
        let shown = || excerpt(event_type.as_str(), MAX_SHOWN);
        if mapped.is_unmapped {
            effects.unmapped.push(shown());
        }
        if mapped.is_foreign {
            effects.foreign.push(shown());
        }
        if !mapped.revocations.is_empty() {
            effects.applied += 1;
        }
        for revocation in mapped.revocations {
            self.revoke_for(event, revocation)?;
        }
        Ok(())
    }

    /// The application's map, or else the default table.
    async fn map(
        &self,
        transmitter: &Transmitter,
        event: &SecurityEvent,
        effect: EventEffect,
    ) -> Result<Mapped, SetFailure> {
        let Some(mapper) = &transmitter.mapper else {
            return Ok(by_default(transmitter, event, effect));
        };
        let limit = self.0.outside.lookup_timeout;
        let failed = &transmitter.counters.mapper_failed;
        let lookup = Box::pin(async {
            let answer = catch_panic_of(async { mapper.map(event).await }).await;
            answer.unwrap_or_else(|| Err("the map of subjects panics".into()))
        });
        match within(limit, &*self.0.clock, failed, lookup).await {
            Ok(Some(all)) => Ok(within_bounds(transmitter, all)),
            Ok(None) => Ok(by_default(transmitter, event, effect)),
            Err(outage) => Err(SetFailure::Unavailable {
                why: outage.to_string(),
                retry_after: RETRY_AFTER,
            }),
        }
    }

    fn revoke_for(
        &self,
        event: &SecurityEvent,
        revocation: crate::model::revocation::Revocation,
    ) -> Result<(), SetFailure> {
        // As of a time of the event's own, so that the same event again changes nothing. A session is
        // revoked for as long as its tokens live from the issue of the event.
        let moment = event.occurred_at().max(event.issued_at());
        let revoked = self.revocations().revoke_as_of(revocation, moment);
        revoked.map_err(|error: RevocationError| SetFailure::Unavailable {
            why: error.to_string(),
            retry_after: RETRY_AFTER,
        })
    }
}
