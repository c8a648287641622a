//! What a transmitter has sent and what became of it, since the server was built.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::time::UnixTime;
use crate::runtime::util::log_rate_limit::LogRateLimit;
use crate::verify::ssf::error_code::SetErrorCode;

/// The counters and the record of one transmitter.
#[derive(Default)]
pub(crate) struct SsfCounters {
    counts: [AtomicU64; 7],
    refused: [AtomicU64; SetErrorCode::ALL.len()],
    record: Mutex<SsfRecord>,
    pub(crate) warned_of_unmapped: LogRateLimit,
    pub(crate) warned_of_foreign: LogRateLimit,
    pub(crate) warned_of_refused: LogRateLimit,
    pub(crate) warned_of_failed: LogRateLimit,
    pub(crate) mapper_failed: LogRateLimit,
}

/// What is counted. Tokens: received, repeated, failed. Events: the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Counted {
    Received,
    Repeated,
    Failed,
    Applied,
    Ignored,
    Unmapped,
    Foreign,
}

/// What the transmitter has said last.
#[derive(Clone, Default)]
pub(crate) struct SsfRecord {
    /// When a token was accepted, by the server's clock.
    pub(crate) last_event: Option<UnixTime>,
    pub(crate) verification: Option<Verification>,
    pub(crate) stream: Option<StreamUpdate>,
}

/// A verification event (SSF 1.0 section 8.1.4.1).
#[derive(Clone)]
pub(crate) struct Verification {
    pub(crate) at: UnixTime,
    pub(crate) stream_id: Option<String>,
    pub(crate) state: Option<String>,
}

/// A stream-updated event (SSF 1.0 section 8.1.5).
#[derive(Clone)]
pub(crate) struct StreamUpdate {
    pub(crate) at: UnixTime,
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
}

impl SsfCounters {
    pub(crate) fn add(&self, what: Counted, count: u64) {
        if let Some(counter) = self.counts.get(what as usize) {
            counter.fetch_add(count, Ordering::Relaxed);
        }
    }

    pub(crate) fn get(&self, what: Counted) -> u64 {
        let counter = self.counts.get(what as usize);
        counter.map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    pub(crate) fn refuse(&self, code: SetErrorCode) {
        if let Some(counter) = self.refused.get(code as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The refusals of each code that has some.
    pub(crate) fn refused(&self) -> impl Iterator<Item = (SetErrorCode, u64)> + '_ {
        let all = SetErrorCode::ALL.into_iter().zip(&self.refused);
        all.map(|(code, counter)| (code, counter.load(Ordering::Relaxed)))
            .filter(|(_, count)| *count > 0)
    }

    pub(crate) fn record(&self) -> MutexGuard<'_, SsfRecord> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
