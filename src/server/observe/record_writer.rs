//! From a decision to its record, and on to `tracing` and to the sink.
//!
//! 1. A record is made only where something takes it.
//! 2. Of the request it has what [`DecisionRecord`] lists; subjects and actors as the setting says.

use std::sync::Arc;

use crate::logging;
use crate::model::decision::event::Event;
use crate::model::decision::record::{DecisionRecord, RecordedCaller, RecordedRefusal};
use crate::model::error::rejection::{Outage, Rejection};
use crate::model::error::rejection_detail::{Problem, RejectionDetail};
use crate::model::ids::{AccountId, ClientId, SubjectId, WorkspaceId};
use crate::runtime::clock::Clock;
#[cfg(feature = "jwks")]
use crate::runtime::decision_queue::{DecisionQueue, QueuePlace};
use crate::server::observe::request_decision::RequestDecision;
#[cfg(feature = "jwks")]
use crate::server::observe::settings::QueueFull;
use crate::server::observe::settings::{DecisionRecords, SubjectIds};
use crate::verify::crypto::key_derivation::{KeyedHasher, RootKey};
use crate::verify::crypto::random::random_bytes;

/// A place in the queue that an admitted request has, where the setting demands one.
#[derive(Default)]
pub(crate) struct RecordPlace {
    #[cfg(feature = "jwks")]
    queue: Option<QueuePlace>,
}

/// Writes the records of a server.
pub(crate) struct RecordWriter {
    subject_ids: SubjectIds,
    /// `None`: there is no randomness, and so no fingerprint.
    hashers: Option<Hashers>,
    clock: Arc<dyn Clock>,
    #[cfg(feature = "jwks")]
    queue: Option<DecisionQueue>,
    #[cfg(feature = "jwks")]
    full: QueueFull,
}

struct Hashers {
    tokens: KeyedHasher,
    subjects: KeyedHasher,
}

impl Hashers {
    fn new(key: Option<[u8; 32]>) -> Option<Self> {
        let key = key.or_else(random_bytes)?;
        let root = RootKey::new(&key, b"portcullis decision records");
        Some(Self {
            tokens: root.keyed_hasher("token")?,
            subjects: root.keyed_hasher("subject")?,
        })
    }
}

impl RecordWriter {
    pub(in crate::server) fn new(settings: &DecisionRecords, clock: &Arc<dyn Clock>) -> Self {
        Self {
            subject_ids: settings.subject_ids,
            hashers: Hashers::new(settings.given_key()),
            clock: Arc::clone(clock),
            #[cfg(feature = "jwks")]
            queue: settings
                .sink
                .as_ref()
                .map(|sink| DecisionQueue::new(Arc::clone(sink), settings.queue_capacity, clock)),
            #[cfg(feature = "jwks")]
            full: settings.when_queue_is_full,
        }
    }

    #[cfg(feature = "jwks")]
    pub(in crate::server) const fn queue(&self) -> Option<&DecisionQueue> {
        self.queue.as_ref()
    }

    #[cfg(feature = "jwks")]
    fn has_sink(&self) -> bool {
        self.queue.is_some()
    }

    #[cfg(not(feature = "jwks"))]
    #[allow(clippy::unused_self)]
    const fn has_sink(&self) -> bool {
        false
    }

    fn is_read(&self) -> bool {
        self.has_sink() || logging::wants_decisions()
    }

    /// The fingerprint of a token, where something reads records.
    pub(super) fn fingerprint(&self, token: &[u8]) -> Option<Box<str>> {
        let hashers = self.hashers.as_ref().filter(|_| self.is_read())?;
        Some(hexadecimal(&hashers.tokens.short_tag(token)))
    }

    /// A place in the queue, where the setting demands one.
    #[cfg(feature = "jwks")]
    pub(super) fn reserve(&self) -> Result<RecordPlace, Outage> {
        let queue = match &self.queue {
            Some(queue) if self.full == QueueFull::Refuse => {
                Some(queue.reserve().ok_or(Outage::RecordQueueFull)?)
            }
            _ => None,
        };
        Ok(RecordPlace { queue })
    }

    #[cfg(not(feature = "jwks"))]
    #[allow(clippy::unnecessary_wraps, clippy::unused_self)] // like its twin
    pub(super) fn reserve(&self) -> Result<RecordPlace, Outage> {
        Ok(RecordPlace {})
    }

    pub(super) fn write(&self, decision: &RequestDecision<'_>, place: RecordPlace) {
        if !self.is_read() {
            return;
        }
        let record = self.record(decision);
        if logging::wants_decisions() {
            logging::emit(Event::RequestDecided { record: &record });
        }
        #[cfg(feature = "jwks")]
        if let Some(queue) = &self.queue {
            queue.push(record, place.queue, decision.verified.is_some());
        }
        #[cfg(not(feature = "jwks"))]
        let RecordPlace {} = place;
    }

    fn record(&self, decision: &RequestDecision<'_>) -> DecisionRecord {
        let (token_id, fingerprint) = (decision.token_id(), decision.fingerprint);
        let issuer = decision.issuer();
        let subject = decision.subject().map(SubjectId::as_str);
        let actor = decision.actor();
        DecisionRecord {
            time: self.clock.now(),
            outcome: decision.outcome,
            stage: decision.stage,
            resource: (&**decision.resource).into(),
            revision: decision.revision,
            refusal: decision.rejection.map(refusal).unwrap_or_default(),
            caller: RecordedCaller {
                issuer: issuer.map(Into::into),
                caller: decision.caller(),
                subject: subject.and_then(|id| self.person(issuer.unwrap_or_default(), id)),
                client: decision.client().map(ClientId::as_str).map(Into::into),
                actor: actor.and_then(|(id, issuer)| self.person(issuer, id)),
                actor_issuer: actor.map(|(_, issuer)| issuer.into()),
                account: decision.account().map(AccountId::as_str).map(Into::into),
                workspace: decision
                    .workspace()
                    .map(WorkspaceId::as_str)
                    .map(Into::into),
                token_id: token_id.map(Into::into),
            },
            token_fingerprint: fingerprint.filter(|_| token_id.is_none()).map(Into::into),
            check_micros: decision
                .check_time
                .map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX)),
        }
    }

    /// The id of a person, as the setting says.
    fn person(&self, issuer: &str, id: &str) -> Option<Box<str>> {
        match self.subject_ids {
            SubjectIds::Plain => Some(id.into()),
            SubjectIds::Fingerprint => {
                // No issuer has a line feed in its name, so no two pairs have one text.
                let text = format!("{issuer}\n{id}");
                let hashers = self.hashers.as_ref()?;
                Some(hexadecimal(&hashers.subjects.short_tag(text.as_bytes())))
            }
            SubjectIds::Omitted => None,
        }
    }
}

fn refusal(rejection: &Rejection) -> RecordedRefusal {
    let detail = rejection.detail();
    RecordedRefusal {
        kind: Some(rejection.kind().as_str()),
        reason: rejection.cause(),
        claim: detail.and_then(RejectionDetail::claim).map(Into::into),
        problem: detail
            .and_then(RejectionDetail::problem)
            .map(Problem::as_str),
        setting: detail.and_then(RejectionDetail::setting),
        expected: detail.and_then(RejectionDetail::expected).map(Into::into),
        found: detail.and_then(RejectionDetail::found).map(Into::into),
    }
}

fn hexadecimal(bytes: &[u8]) -> Box<str> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |place: u8| DIGITS.get(usize::from(place)).copied().map(char::from);
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(digit).collect::<String>().into()
}
