//! Why revocations are not shared.

use std::fmt;

use crate::runtime::shared::store::redis::StoreError;
use crate::runtime::util::excerpt::excerpt;

/// The eviction policy that a store must have.
const NO_EVICTION: &str = "noeviction";

/// Why an attempt to synchronize failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SyncFailure {
    Store(StoreError),
    Eviction(Option<String>),
    /// The store is not a single primary.
    Unsupported(Unsupported),
    /// There are more revocations than `most_revocations`.
    Full,
    /// The stream accepts no more entries, and was replaced less than a minute ago.
    Broken,
    /// The stream does not end.
    Endless,
    /// The system gives no randomness.
    Crypto,
    /// The task does not run.
    Ended,
}

/// Servers that cannot be used in place of a single primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsupported {
    Sentinel,
    Cluster,
}

impl SyncFailure {
    /// Whether the store replied with an error: the connection is still usable.
    pub(super) const fn is_refusal(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_refusal())
    }
}

impl From<StoreError> for SyncFailure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for SyncFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => write!(f, "the shared store {error}"),
            Self::Eviction(Some(policy)) => write!(
                f,
                "the shared store drops revocations when its memory is full: set `maxmemory-policy` from `{policy}` to `noeviction`"
            ),
            Self::Eviction(None) => f.write_str(
                "the shared store does not say what it drops when its memory is full; allow `INFO` or `CONFIG GET`",
            ),
            Self::Unsupported(Unsupported::Sentinel) => f.write_str(
                "the address of the shared store is that of a Redis Sentinel, which holds no data: give the address of the primary, or one that always leads to it",
            ),
            Self::Unsupported(Unsupported::Cluster) => f.write_str(
                "the shared store is a node of a Redis Cluster, which is not supported: use a single primary without cluster mode",
            ),
            Self::Broken => f.write_str(
                "the stream in the shared store takes no more entries, and a new one was begun less than a minute ago; who else may write there?",
            ),
            Self::Full => f.write_str(
                "there are more revocations in the shared store than this server has room for",
            ),
            Self::Endless => f.write_str("the stream in the shared store does not end"),
            Self::Crypto => f.write_str("the system gives no randomness"),
            Self::Ended => f.write_str("the task that keeps revocations alike is not running"),
        }
    }
}

/// Refuses a store that evicts keys when its memory is full.
pub(super) fn check_eviction(policy: Option<String>) -> Result<(), SyncFailure> {
    match policy {
        Some(policy) if policy == NO_EVICTION => Ok(()),
        Some(policy) => Err(SyncFailure::Eviction(Some(excerpt(&policy, 40)))),
        None => Err(SyncFailure::Eviction(None)),
    }
}

/// Refuses a server that does not hold all keys.
pub(super) fn check_mode(mode: Option<&str>) -> Result<(), SyncFailure> {
    match mode {
        Some("sentinel") => Err(SyncFailure::Unsupported(Unsupported::Sentinel)),
        Some("cluster") => Err(SyncFailure::Unsupported(Unsupported::Cluster)),
        _ => Ok(()),
    }
}
