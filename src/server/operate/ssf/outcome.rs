//! What became of a Security Event Token: its failures and effects, counted and written down.

use std::time::Duration;

use crate::logging;
use crate::model::decision::event::Event;
use crate::model::error::rejection::{Rejection, RejectionKind, TokenFault};
use crate::model::time::UnixTime;
use crate::runtime::ssf::counters::{Counted, StreamUpdate, Verification};
use crate::runtime::util::excerpt::excerpt;
use crate::server::decide::ssf_transmitter::Transmitter;
use crate::server::resource_server::ResourceServer;
use crate::verify::ssf::error_code::SetErrorCode;
use crate::verify::ssf::event::SecurityEvent;
use crate::verify::ssf::event_type::EventType;
use crate::verify::ssf::subject::SubjectIdentifier;

/// The `Retry-After` of an event that could not be stored or mapped.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(30);

/// How much of a foreign text goes into an event or the status, in characters.
pub(super) const MAX_SHOWN: usize = 200;

/// Why a token has no effect.
#[derive(Debug)]
pub(crate) enum SetFailure {
    /// It never has one.
    Refused { code: SetErrorCode, why: String },
    /// It may have one when it is sent again.
    Unavailable { why: String, retry_after: Duration },
}

/// What the events of a token did.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) applied: u64,
    pub(super) ignored: u64,
    pub(super) unmapped: Vec<String>,
    pub(super) foreign: Vec<String>,
}

impl Effects {
    /// Counts them.
    pub(super) fn count(&self, transmitter: &Transmitter) {
        let counters = &transmitter.counters;
        counters.add(Counted::Applied, self.applied);
        counters.add(Counted::Ignored, self.ignored);
        counters.add(Counted::Unmapped, count(&self.unmapped));
        counters.add(Counted::Foreign, count(&self.foreign));
    }
}

impl ResourceServer {
    /// Counts a request whose token was not read.
    pub(crate) fn note_unread_set(&self, why: &str) {
        let failure = SetFailure::Refused {
            code: SetErrorCode::InvalidRequest,
            why: why.to_owned(),
        };
        let _ = self.note_failure(None, failure, false);
    }

    pub(super) fn warn_of_unmapped(&self, transmitter: &Transmitter, effects: &Effects) {
        let counters = &transmitter.counters;
        let now = self.0.clock.monotonic();
        for (found, limit, is_foreign) in [
            (&effects.unmapped, &counters.warned_of_unmapped, false),
            (&effects.foreign, &counters.warned_of_foreign, true),
        ] {
            let Some(event_type) = found.first() else {
                continue;
            };
            if limit.try_acquire(now) {
                logging::emit(Event::SecurityEventUnmapped {
                    transmitter: &transmitter.issuer,
                    event_type,
                    is_foreign,
                });
            }
        }
    }

    /// Counts a failure and writes it down.
    pub(super) fn note_failure(
        &self,
        transmitter: Option<&Transmitter>,
        failure: SetFailure,
        is_verified: bool,
    ) -> SetFailure {
        let now = self.0.clock.monotonic();
        let issuer = transmitter.map(|one| &*one.issuer);
        match (&failure, transmitter) {
            (SetFailure::Refused { code, why }, transmitter) => {
                let is_warning = if let Some(one) = transmitter {
                    one.counters.refuse(*code);
                    is_verified && one.counters.warned_of_refused.try_acquire(now)
                } else {
                    self.0.refused_sets.refuse(*code);
                    false
                };
                let code = code.as_str();
                logging::emit(Event::SecurityEventRefused {
                    transmitter: issuer,
                    code,
                    why,
                    is_warning,
                });
            }
            (SetFailure::Unavailable { why, .. }, transmitter) => {
                let is_due = transmitter.is_none_or(|one| {
                    one.counters.add(Counted::Failed, 1);
                    one.counters.warned_of_failed.try_acquire(now)
                });
                if is_due {
                    let transmitter = issuer;
                    logging::emit(Event::SecurityEventUnavailable { transmitter, why });
                }
            }
        }
        failure
    }
}

fn count(all: &[String]) -> u64 {
    u64::try_from(all.len()).unwrap_or(u64::MAX)
}

/// Remembers what an event says of its stream.
pub(super) fn note_stream(transmitter: &Transmitter, event: &SecurityEvent, at: UnixTime) {
    let text = |name| event.text(name).map(|text| excerpt(&text, MAX_SHOWN));
    if *event.event_type() == EventType::VERIFICATION {
        let stream_id = match event.subject() {
            Some(SubjectIdentifier::Opaque { id }) => Some(id.clone()),
            _ => None,
        };
        transmitter.counters.record().verification = Some(Verification {
            at,
            stream_id,
            // As it was sent: the application compares it.
            state: event.text("state"),
        });
    } else if *event.event_type() == EventType::STREAM_UPDATED {
        let status = text("status").unwrap_or_default();
        logging::emit(Event::StreamUpdated {
            transmitter: &transmitter.issuer,
            status: &status,
        });
        transmitter.counters.record().stream = Some(StreamUpdate {
            at,
            status,
            reason: text("reason"),
        });
    }
}

/// What a token that no key has verified is refused for.
pub(super) fn unverified(rejection: &Rejection) -> SetFailure {
    let why = rejection.to_string();
    if let Some(retry_after) = rejection.retry_after() {
        return SetFailure::Unavailable { why, retry_after };
    }
    let code = match rejection.kind() {
        RejectionKind::InvalidToken(
            TokenFault::UnknownKey
            | TokenFault::ForeignKey
            | TokenFault::AmbiguousKey
            | TokenFault::Signature
            | TokenFault::Algorithm,
        ) => SetErrorCode::InvalidKey,
        RejectionKind::InvalidToken(TokenFault::UnknownIssuer) => SetErrorCode::InvalidIssuer,
        RejectionKind::Unavailable(_) => {
            return SetFailure::Unavailable {
                why,
                retry_after: RETRY_AFTER,
            };
        }
        _ => SetErrorCode::InvalidRequest,
    };
    SetFailure::Refused { code, why }
}
