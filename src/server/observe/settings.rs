//! The settings of decision records.

use std::fmt;
#[cfg(feature = "jwks")]
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::model::repeated_settings::RepeatedSettings;
#[cfg(feature = "jwks")]
use crate::runtime::decision_queue::{DecisionSink, DynDecisionSink};
use crate::server::settings::error::{ConfigError, Mistakes, check_once};

/// How subjects and actors stand in decision records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SubjectIds {
    /// As the token states them.
    Plain,
    /// As 32 hexadecimal digits of HMAC-SHA-256 over issuer and id, under a key that is derived from
    /// [`fingerprint_key`](DecisionRecords::fingerprint_key): equal for one subject, and no way back.
    Fingerprint,
    /// Not at all.
    Omitted,
}

/// What happens to a record when the queue of the sink is full.
#[cfg(feature = "jwks")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QueueFull {
    /// The new record is dropped, and counted in
    /// [`DecisionQueueStatus::dropped`](crate::observe::DecisionQueueStatus::dropped).
    DropNewest,
    /// A request that would be admitted is answered 503
    /// [`RecordQueueFull`](crate::error::Outage::RecordQueueFull) before the inner service runs: nothing
    /// is done that is not recorded. A request that is refused anyway keeps its answer, and its record is
    /// dropped and counted: refusals of strangers cost no admitted request its record.
    Refuse,
}

/// Writes one record for each request that passes a layer; given to
/// [`ResourceServerBuilder::decision_records`](crate::ResourceServerBuilder::decision_records).
///
/// Each record is an event of `tracing`, at level `info` with the target `portcullis::decision`, and goes to
/// the [`sink`](Self::sink) where there is one.
///
/// ```
/// use portcullis::observe::{DecisionRecords, SubjectIds};
/// use portcullis::{Issuer, ResourceServer};
///
/// let server = ResourceServer::builder("https://api.example.com")
///     .issuer(Issuer::oidc("https://id.example.com"))
///     .decision_records(DecisionRecords::new().subject_ids(SubjectIds::Omitted))
///     .build()?;
/// # let _ = server;
/// # Ok::<(), portcullis::ConfigError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct DecisionRecords {
    pub(in crate::server) subject_ids: SubjectIds,
    fingerprint_key: Option<FingerprintKey>,
    #[cfg(feature = "jwks")]
    pub(in crate::server) sink: Option<Arc<dyn DynDecisionSink>>,
    #[cfg(feature = "jwks")]
    pub(in crate::server) queue_capacity: usize,
    #[cfg(feature = "jwks")]
    pub(in crate::server) when_queue_is_full: QueueFull,
    once: RepeatedSettings,
}

/// The key of fingerprints, in the form in which it was given.
#[derive(Clone)]
enum FingerprintKey {
    Bytes([u8; 32]),
    Text(String),
}

impl FingerprintKey {
    fn bytes(&self) -> Option<[u8; 32]> {
        match self {
            Self::Bytes(bytes) => Some(*bytes),
            Self::Text(text) => STANDARD.decode(text).ok()?.try_into().ok(),
        }
    }
}

impl Default for DecisionRecords {
    fn default() -> Self {
        Self::new()
    }
}

impl DecisionRecords {
    /// Records to `tracing` alone, with subjects as the tokens state them.
    pub fn new() -> Self {
        Self {
            subject_ids: SubjectIds::Plain,
            fingerprint_key: None,
            #[cfg(feature = "jwks")]
            sink: None,
            #[cfg(feature = "jwks")]
            queue_capacity: 8_192,
            #[cfg(feature = "jwks")]
            when_queue_is_full: QueueFull::DropNewest,
            once: RepeatedSettings::default(),
        }
    }

    /// How subjects and actors stand in the records. Clients, accounts and workspaces stand there in any
    /// case: they are no people. Default: [`SubjectIds::Plain`], since a record is for audit.
    #[doc(alias("privacy", "gdpr", "pseudonym"))]
    pub fn subject_ids(mut self, ids: SubjectIds) -> Self {
        self.once.set("subject_ids", &ids);
        self.subject_ids = ids;
        self
    }

    /// The key of fingerprints, 32 random bytes: the same key at every instance and after a restart makes
    /// them comparable. Default: random at every start, since a key in the program is no secret.
    pub fn fingerprint_key(mut self, key: [u8; 32]) -> Self {
        self.once.set("fingerprint_key", &key);
        self.fingerprint_key = Some(FingerprintKey::Bytes(key));
        self
    }

    /// The same in base64, as `openssl rand -base64 32` writes it.
    pub fn fingerprint_key_base64(mut self, key: impl Into<String>) -> Self {
        let key = key.into();
        self.once.set("fingerprint_key", &key);
        self.fingerprint_key = Some(FingerprintKey::Text(key));
        self
    }

    /// The key of fingerprints, where one was given that is sound.
    pub(in crate::server) fn given_key(&self) -> Option<[u8; 32]> {
        self.fingerprint_key.as_ref()?.bytes()
    }

    /// What is set beside the sink, for comparison: it holds the key and is never shown. `None` where the
    /// records have a sink, which is code: they are not compared.
    pub(in crate::server) fn identity(&self) -> Option<impl fmt::Debug + use<>> {
        #[cfg(feature = "jwks")]
        let queue = (self.queue_capacity, self.when_queue_is_full);
        #[cfg(not(feature = "jwks"))]
        let queue = ();
        (!self.has_sink()).then(|| (self.subject_ids, self.given_key(), queue))
    }

    /// Whether the records have a sink.
    #[cfg_attr(not(feature = "jwks"), allow(clippy::unused_self))] // like its twin
    pub(in crate::server) const fn has_sink(&self) -> bool {
        #[cfg(feature = "jwks")]
        return self.sink.is_some();
        #[cfg(not(feature = "jwks"))]
        false
    }

    fn check_twice(&self) -> Result<(), ConfigError> {
        check_once(&self.once)
    }

    /// Checks the settings.
    pub(in crate::server) fn check(&self) -> Result<(), ConfigError> {
        let mut mistakes = Mistakes::default();
        mistakes.collect(self.check_twice());
        if self.fingerprint_key.is_some() && self.given_key().is_none() {
            mistakes.add(ConfigError::new(
                "fingerprint_key",
                "it is not 32 bytes in base64; make one with `openssl rand -base64 32`",
            ));
        }
        if self.given_key() == Some([0; 32]) {
            mistakes.add(ConfigError::out_of_bounds(
                "fingerprint_key",
                "it is all zeros; give 32 random bytes",
            ));
        }
        #[cfg(feature = "jwks")]
        if !(1..=1_000_000).contains(&self.queue_capacity) {
            mistakes.add(ConfigError::out_of_bounds(
                "queue_capacity",
                "it must be 1 to 1000000",
            ));
        }
        mistakes.into_result()
    }
}

#[cfg(feature = "jwks")]
impl DecisionRecords {
    /// Where the records go beside `tracing`, such as a database or a message broker. Requests do not wait
    /// for it: a task takes the records from a queue, in their order, one at a time. Default: none.
    #[doc(alias("audit_log", "siem", "kafka"))]
    pub fn sink(mut self, sink: impl DecisionSink) -> Self {
        self.once.set_opaque("sink");
        self.sink = Some(Arc::new(sink));
        self
    }

    /// How many records the queue of the sink holds, 1 to 1,000,000. Requests without a good token take at
    /// most half of them, rounded up, so that strangers displace no record of a caller. Default: 8,192, a few MiB, and some
    /// seconds of a busy instance.
    pub fn queue_capacity(mut self, records: usize) -> Self {
        self.once.set("queue_capacity", &records);
        self.queue_capacity = records;
        self
    }

    /// What happens when the queue is full. Default: [`QueueFull::DropNewest`], since a slow sink should
    /// not stop the API.
    pub fn when_queue_is_full(mut self, full: QueueFull) -> Self {
        self.once.set("when_queue_is_full", &full);
        self.when_queue_is_full = full;
        self
    }
}

impl fmt::Debug for DecisionRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecisionRecords")
            .field("subject_ids", &self.subject_ids)
            .finish_non_exhaustive()
    }
}
