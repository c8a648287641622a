//! Members of the records of decisions.

use crate::server::config::place::Secret;
use crate::server::config::section::section;
use crate::server::config::setting::names;
#[cfg(feature = "jwks")]
use crate::server::observe::settings::QueueFull;
use crate::server::observe::settings::{DecisionRecords, SubjectIds};

section! {
    /// One record for each request that passes a layer, to the log and to the program's own sink. An
    /// empty table turns them on.
    DecisionRecordsTable makes DecisionRecords, or DecisionRecords::new;

    /// How subjects and actors stand in the records. Default: `plain`.
    one subject_ids: SubjectIdsName;
    /// The key of fingerprints: 32 bytes in base64, the same at all instances. Default: a random key.
    one fingerprint_key_base64: Secret;
    /// How many records wait for the program's sink: 1 to 1000000. Default: 8192.
    #[cfg(feature = "jwks")]
    one queue_capacity: usize;
    /// What happens when so many wait. Default: `drop_newest`.
    #[cfg(feature = "jwks")]
    one when_queue_is_full: QueueFullName;
}

names! {
    /// How subjects and actors stand in records.
    SubjectIdsName: SubjectIds {
        /// As the token states them.
        Plain = "plain" => SubjectIds::Plain,
        /// As a keyed hash.
        Fingerprint = "fingerprint" => SubjectIds::Fingerprint,
        /// Not at all.
        Omitted = "omitted" => SubjectIds::Omitted,
    }
}

#[cfg(feature = "jwks")]
names! {
    /// What happens to a record when the queue is full.
    QueueFullName: QueueFull {
        /// It is dropped and counted.
        DropNewest = "drop_newest" => QueueFull::DropNewest,
        /// A request that would be admitted is answered 503.
        Refuse = "refuse" => QueueFull::Refuse,
    }
}
