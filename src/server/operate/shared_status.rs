//! A server among others that share a store: how that sync, and steering it.

use std::fmt;
use std::time::Duration;

use crate::runtime::shared::sync::failure::SyncFailure;
use crate::runtime::shared::sync::state::SyncStatus;
use crate::server::resource_server::ResourceServer;

impl ResourceServer {
    /// The status of the shared store; `None` where none is configured.
    #[must_use]
    pub fn shared_store_status(&self) -> Option<SharedStoreStatus> {
        let shared = self.0.shared.as_ref()?;
        let (hits, misses, answer_error) = shared.answers.counters();
        Some(SharedStoreStatus {
            sync: shared.sharing.status(),
            answers: (hits, misses),
            answer_error: answer_error.map(|error| error.to_string()),
            proof_error: shared.proofs.last_error().map(|error| error.to_string()),
        })
    }

    /// Publishes what was revoked here and reads what others have revoked, now. When it has
    /// returned, everything that this instance had revoked is in the store, and everything that was in
    /// the store is known here. Synchronization by itself takes a moment: to be sure, call this after
    /// [`revoke`](crate::revocation::Revocations::revoke).
    ///
    /// # Errors
    ///
    /// [`SharedStoreError`] when the store cannot be queried, or none is configured. What is known
    /// here holds all the same, and goes to the store as soon as it answers.
    pub async fn synchronize(&self) -> Result<(), SharedStoreError> {
        let Some(shared) = &self.0.shared else {
            return Err(SharedStoreError {
                kind: SharedStoreErrorKind::NotConfigured,
                problem: "no shared store is configured".to_owned(),
            });
        };
        Ok(shared.sharing.synchronize().await?)
    }
}

/// Why the shared store cannot be queried. It names the store without user and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedStoreError {
    kind: SharedStoreErrorKind,
    problem: String,
}

/// The cause of a failed query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SharedStoreErrorKind {
    /// The server has no shared store.
    NotConfigured,
    /// The store evicts what it holds when its memory is full, or does not say whether it does.
    Eviction,
    /// The store is a Redis Sentinel or a node of a Redis Cluster.
    UnsupportedStore,
    /// The store did not answer, or its answer does not count. It may answer the next time.
    Failed,
}

impl SharedStoreError {
    /// The cause, for programs.
    #[must_use]
    pub const fn kind(&self) -> SharedStoreErrorKind {
        self.kind
    }
}

impl From<SyncFailure> for SharedStoreError {
    fn from(failure: SyncFailure) -> Self {
        Self {
            kind: match failure {
                SyncFailure::Eviction(_) => SharedStoreErrorKind::Eviction,
                SyncFailure::Unsupported(_) => SharedStoreErrorKind::UnsupportedStore,
                _ => SharedStoreErrorKind::Failed,
            },
            problem: failure.to_string(),
        }
    }
}

impl fmt::Display for SharedStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl std::error::Error for SharedStoreError {}

/// The status of a shared store at the time of the call.
///
/// All times are spans of the server's [`Clock`](crate::time::Clock).
#[derive(Clone, Debug)]
pub struct SharedStoreStatus {
    sync: SyncStatus,
    answers: (u64, u64),
    answer_error: Option<String>,
    proof_error: Option<String>,
}

impl SharedStoreStatus {
    /// Why the last look-up of a used DPoP proof failed; `None` where it succeeded or none was made.
    #[must_use]
    pub fn proof_error(&self) -> Option<&str> {
        self.proof_error.as_deref()
    }

    /// Whether the stream of revocations was read to its end at least once. Before, every token is
    /// answered 503.
    #[must_use]
    pub const fn is_loaded(&self) -> bool {
        self.sync.confirmed.is_some()
    }

    /// Whether tokens are answered 503 because of the store: before the first load, when it was
    /// silent for longer than [`refuse_after`](crate::config::SharedStore::refuse_after) allows, and while
    /// there are more revocations than
    /// [`most_revocations`](crate::ResourceServerBuilder::most_revocations).
    #[must_use]
    pub const fn is_refusing(&self) -> bool {
        self.sync.refuses
    }

    /// Time since the stream was last known to hold nothing new; absent before the first load.
    #[must_use]
    pub const fn confirmed(&self) -> Option<Duration> {
        self.sync.confirmed
    }

    /// How long the store has been failing; absent while it answers.
    #[must_use]
    pub const fn failing_since(&self) -> Option<Duration> {
        self.sync.failing_since
    }

    /// Attempts that have failed since the last success.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.sync.failures
    }

    /// Why the last attempt failed; absent when it succeeded. Names host and port of the store,
    /// never a password, a token or an id.
    #[must_use]
    pub fn last_error(&self) -> Option<String> {
        self.sync.last_error.as_ref().map(ToString::to_string)
    }

    /// Revocations and withdrawals that the store has not acknowledged: those of this instance, and with a
    /// [`previous_cluster_key`](crate::config::SharedStore::previous_cluster_key) those that are copied from one
    /// key's stream to the other's.
    #[must_use]
    pub const fn unwritten(&self) -> usize {
        self.sync.unwritten
    }

    /// How often this instance has given up the stream of revocations and begun another, since the
    /// server was built, because its last id was used or its key held another value. More than 0 means
    /// that another client with the store's password writes to these keys.
    #[must_use]
    pub const fn renewals(&self) -> u32 {
        self.sync.renewals
    }

    /// Questions about opaque tokens that the store answered, since the server was built.
    #[must_use]
    pub const fn answer_hits(&self) -> u64 {
        self.answers.0
    }

    /// Questions about opaque tokens that it did not answer.
    #[must_use]
    pub const fn answer_misses(&self) -> u64 {
        self.answers.1
    }

    /// The error of the last query about an opaque token; absent when it succeeded.
    #[must_use]
    pub fn answer_error(&self) -> Option<&str> {
        self.answer_error.as_deref()
    }
}
