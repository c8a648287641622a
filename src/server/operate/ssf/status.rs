//! The status of transmitters of security events, for operators.

use std::sync::Arc;
use std::time::Duration;

use crate::model::time::UnixTime;
use crate::runtime::jwks::key_store::KeySetStatus;
use crate::runtime::ssf::counters::{Counted, SsfCounters, SsfRecord};
use crate::runtime::ssf::poll_record::PollRecord;
use crate::server::decide::issuer_authority::KeySource;
use crate::server::decide::ssf_transmitter::Transmitter;
use crate::server::resource_server::ResourceServer;

impl ResourceServer {
    /// What the transmitters of security events have sent and what became of it, since the server was
    /// built, in this instance.
    #[must_use]
    pub fn ssf_status(&self) -> SsfStatus {
        let registry = self.0.registry.load();
        let now = self.0.clock.monotonic();
        let transmitters = registry.transmitters.iter();
        SsfStatus {
            transmitters: transmitters.map(|one| status_of(one, now)).collect(),
            refused: refused(&self.0.refused_sets),
        }
    }
}

/// The status of all transmitters, made by [`ResourceServer::ssf_status`].
#[derive(Clone, Debug)]
pub struct SsfStatus {
    transmitters: Vec<SsfTransmitterStatus>,
    refused: Vec<(&'static str, u64)>,
}

impl SsfStatus {
    /// Each transmitter, in the order of configuration.
    #[must_use]
    pub fn transmitters(&self) -> &[SsfTransmitterStatus] {
        &self.transmitters
    }

    /// The transmitter of this issuer identifier.
    #[must_use]
    pub fn transmitter(&self, issuer: &str) -> Option<&SsfTransmitterStatus> {
        let mut all = self.transmitters.iter();
        all.find(|one| *one.issuer == *issuer)
    }

    /// Tokens that cannot be read or name no configured transmitter, by the code of RFC 8935 section
    /// 2.4 with which they were refused; codes without a refusal are left out.
    #[must_use]
    pub fn refused(&self) -> &[(&'static str, u64)] {
        &self.refused
    }
}

/// What one transmitter has sent and what became of it.
///
/// Tokens (SETs): [`received`](Self::received), of which some were [`repeated`](Self::repeated),
/// [`refused`](Self::refused) or [`failed`](Self::failed). Events of the others:
/// [`applied`](Self::applied), [`ignored`](Self::ignored), [`unmapped`](Self::unmapped) or
/// [`foreign`](Self::foreign). An event of which a part ends nothing counts twice: as applied, and as
/// unmapped or foreign.
#[derive(Clone, Debug)]
pub struct SsfTransmitterStatus {
    issuer: Arc<str>,
    counts: Counts,
    refused: Vec<(&'static str, u64)>,
    remembered: usize,
    last_event: Option<UnixTime>,
    verification: Option<VerificationEvent>,
    stream: Option<StreamStatus>,
    keys: Vec<KeySetStatus>,
    poll: Option<PollStatus>,
}

#[derive(Clone, Copy, Debug)]
struct Counts {
    received: u64,
    applied: u64,
    repeated: u64,
    ignored: u64,
    unmapped: u64,
    foreign: u64,
    failed: u64,
}

impl SsfTransmitterStatus {
    /// The issuer identifier of the transmitter.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Tokens that came with this `iss`, from a sender that was accepted.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.counts.received
    }

    /// Events whose revocations are in force, and verification and stream-updated events.
    #[must_use]
    pub const fn applied(&self) -> u64 {
        self.counts.applied
    }

    /// Tokens that had taken effect before, and were acknowledged again.
    #[must_use]
    pub const fn repeated(&self) -> u64 {
        self.counts.repeated
    }

    /// Events whose type does nothing here, by the [table](crate::ssf::EventEffect) or a setting.
    #[must_use]
    pub const fn ignored(&self) -> u64 {
        self.counts.ignored
    }

    /// Events that mean a revocation, and whose subject, or the user in it, is absent or of a form
    /// that nothing maps.
    #[must_use]
    pub const fn unmapped(&self) -> u64 {
        self.counts.unmapped
    }

    /// Events whose subject, or a part of it, is of an issuer that the transmitter does not speak for.
    #[must_use]
    pub const fn foreign(&self) -> u64 {
        self.counts.foreign
    }

    /// Tokens that could not be judged or stored; the transmitter must send them again.
    #[must_use]
    pub const fn failed(&self) -> u64 {
        self.counts.failed
    }

    /// Tokens that were refused for good, by the code of RFC 8935 section 2.4, such as
    /// `invalid_audience`; codes without a refusal are left out.
    #[must_use]
    pub fn refused(&self) -> &[(&'static str, u64)] {
        &self.refused
    }

    /// The ids of tokens that are remembered.
    #[must_use]
    pub const fn remembered(&self) -> usize {
        self.remembered
    }

    /// When a token was accepted last, repeated ones aside.
    #[must_use]
    pub const fn last_event(&self) -> Option<UnixTime> {
        self.last_event
    }

    /// The last verification event.
    #[must_use]
    pub const fn verification(&self) -> Option<&VerificationEvent> {
        self.verification.as_ref()
    }

    /// The status of the stream, as the last stream-updated event states it.
    #[must_use]
    pub const fn stream(&self) -> Option<&StreamStatus> {
        self.stream.as_ref()
    }

    /// The key sets that are fetched; empty where keys are static.
    #[must_use]
    pub fn keys(&self) -> &[KeySetStatus] {
        &self.keys
    }

    /// How polling goes; absent where the transmitter is not polled.
    #[must_use]
    pub const fn poll(&self) -> Option<&PollStatus> {
        self.poll.as_ref()
    }
}

/// A verification event (SSF 1.0 section 8.1.4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerificationEvent {
    at: UnixTime,
    stream_id: Option<String>,
    state: Option<String>,
}

impl VerificationEvent {
    /// When it came.
    #[must_use]
    pub const fn received_at(&self) -> UnixTime {
        self.at
    }

    /// The stream that it verifies, where it is stated.
    #[must_use]
    pub fn stream_id(&self) -> Option<&str> {
        self.stream_id.as_deref()
    }

    /// The `state` of the request for the verification; compare it with yours.
    #[must_use]
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }
}

/// What a transmitter says of its stream (SSF 1.0 section 8.1.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamStatus {
    at: UnixTime,
    status: String,
    reason: Option<String>,
}

impl StreamStatus {
    /// When the transmitter said so.
    #[must_use]
    pub const fn received_at(&self) -> UnixTime {
        self.at
    }

    /// `enabled`, `paused` or `disabled`; another text is escaped and cut to 200 characters.
    #[must_use]
    pub fn status(&self) -> &str {
        &self.status
    }

    /// Why, where it is stated; escaped and cut to 200 characters.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

/// How the polling of a transmitter goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollStatus {
    polls: u64,
    failures: u32,
    last_success: Option<UnixTime>,
    last_error: Option<String>,
    next: Option<Duration>,
}

impl PollStatus {
    /// Requests that were made.
    #[must_use]
    pub const fn polls(&self) -> u64 {
        self.polls
    }

    /// Failures since the last success.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// When a request succeeded last.
    #[must_use]
    pub const fn last_success(&self) -> Option<UnixTime> {
        self.last_success
    }

    /// Why the last request failed; absent after a success.
    #[must_use]
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// The time until the next request; absent while one is under way, and before
    /// [`connect()`](ResourceServer::connect).
    #[must_use]
    pub const fn next_in(&self) -> Option<Duration> {
        self.next
    }
}

fn refused(counters: &SsfCounters) -> Vec<(&'static str, u64)> {
    let all = counters.refused();
    all.map(|(code, count)| (code.as_str(), count)).collect()
}

fn status_of(transmitter: &Transmitter, now: Duration) -> SsfTransmitterStatus {
    let counters = &transmitter.counters;
    let SsfRecord {
        last_event,
        verification,
        stream,
    } = counters.record().clone();
    SsfTransmitterStatus {
        issuer: Arc::clone(&transmitter.issuer),
        counts: Counts {
            received: counters.get(Counted::Received),
            applied: counters.get(Counted::Applied),
            repeated: counters.get(Counted::Repeated),
            ignored: counters.get(Counted::Ignored),
            unmapped: counters.get(Counted::Unmapped),
            foreign: counters.get(Counted::Foreign),
            failed: counters.get(Counted::Failed),
        },
        refused: refused(counters),
        remembered: transmitter.seen.len(),
        last_event,
        verification: verification.map(|one| VerificationEvent {
            at: one.at,
            stream_id: one.stream_id,
            state: one.state,
        }),
        stream: stream.map(|one| StreamStatus {
            at: one.at,
            status: one.status,
            reason: one.reason,
        }),
        keys: match &transmitter.authority.keys {
            KeySource::Static(_) => Vec::new(),
            KeySource::Remote(sets) => sets.iter().map(|keys| keys.status()).collect(),
        },
        poll: transmitter.polling.as_ref().map(|polling| {
            let PollRecord {
                polls,
                failures,
                last_success,
                last_error,
                next,
            } = polling.record().clone();
            PollStatus {
                polls,
                failures,
                last_success,
                last_error,
                next: next.map(|next| next.saturating_sub(now)),
            }
        }),
    }
}
