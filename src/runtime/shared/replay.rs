//! Used DPoP proofs that instances share through the store (RFC 9449 section 11.1).
//!
//! 1. One round trip: `SET key 1 NX PX ttl` records a proof and says whether it was recorded before.
//!    The store runs commands one after another, so of several instances exactly one sees a proof as
//!    fresh.
//! 2. The key is a keyed digest of the thumbprint and the `jti`. The store learns neither, and cannot
//!    test a guess.
//! 3. A record expires after the life of a proof and the largest difference between the clocks of
//!    instances. The time to live is relative, so the store's clock does not matter.
//! 4. Any failure of the store is [`SharedReplay::Down`], and the caller decides whether to refuse. Where
//!    the reply is lost the store may have recorded the proof, which is a replay from then on.
//! 5. With a previous cluster key a proof is recorded under both keys, one after the other, and is fresh where
//!    both records are new. All instances with both keys record in the same order, whichever is the
//!    current one: so of those that get a proof at once exactly one accepts it, as with one key.
//! 6. What the store forgets is fresh again: a restart without persistence, a failover that loses writes.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::runtime::clock::Clock;
use crate::runtime::shared::store::address::Address;
use crate::runtime::shared::store::redis::{Connection, StoreError};
use crate::runtime::shared::store::request_connection::RequestConnection;
use crate::verify::crypto::sealed::SealedBox;

/// The largest difference between the clocks of instances.
const SKEW: Duration = Duration::from_secs(30);

/// Whether a proof was used before at any instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SharedReplay {
    /// The proof is used for the first time, and is recorded now.
    Fresh,
    /// The proof was used before.
    Replayed,
    /// The store gave no answer in time, or refused the command.
    Down,
}

/// The records of one cluster key.
pub(crate) struct ProofRecords {
    sealed_box: SealedBox,
    prefix: String,
}

impl ProofRecords {
    /// Records below keys of this prefix.
    pub(crate) const fn new(sealed_box: SealedBox, prefix: String) -> Self {
        Self { sealed_box, prefix }
    }

    fn key(&self, thumbprint: &[u8; 32], jti: &[u8]) -> String {
        let name = self.sealed_box.name(&[thumbprint, jti]);
        format!("{}:proof:{name}", self.prefix)
    }
}

/// The used proofs in the store.
pub(crate) struct SharedProofStore {
    connection: RequestConnection,
    /// In the order in which a proof is recorded.
    first: ProofRecords,
    second: Option<ProofRecords>,
}

impl SharedProofStore {
    /// The records of an instance's keys. A check ends after `timeout`.
    pub(crate) fn new(
        address: Address,
        current: ProofRecords,
        previous: Option<ProofRecords>,
        clock: Arc<dyn Clock>,
        timeout: Duration,
    ) -> Self {
        // INVARIANT: the order does not depend on which of the keys is the current one.
        let (first, second) = match previous {
            Some(previous) if previous.prefix < current.prefix => (previous, Some(current)),
            previous => (current, previous),
        };
        Self {
            connection: RequestConnection::new(address, clock, timeout).reconnecting_at_once(),
            first,
            second,
        }
    }

    /// Connects, so that the first check finds a connection.
    pub(crate) async fn open(&self) {
        self.connection.open().await;
    }

    /// Records a proof, unless an instance has recorded it before.
    ///
    /// * `proof`: the thumbprint of the key and the `jti`.
    /// * `life`: the upper bound of the time for which a proof that arrives now can be valid.
    pub(crate) fn use_once(
        self: &Arc<Self>,
        (thumbprint, jti): (&[u8; 32], &[u8]),
        life: Duration,
    ) -> impl Future<Output = SharedReplay> + Send + use<> {
        let key = self.first.key(thumbprint, jti);
        let second = self.second.as_ref();
        let second = second.map(|records| records.key(thumbprint, jti));
        let store = Arc::clone(self);
        let life = life.saturating_add(SKEW);
        async move {
            let record = async |mut connection: Connection, time: Duration| {
                let start = Instant::now();
                let is_new = connection.record(&key, life, time).await?;
                match second {
                    // INVARIANT: a replay is not recorded under the second key. A third instance could be
                    // refused by it that is the first one under the first key.
                    Some(second) if is_new => {
                        let rest = time.saturating_sub(start.elapsed());
                        connection.record(&second, life, rest).await
                    }
                    _ => Ok(is_new),
                }
            };
            match store.connection.run(record).await {
                Some(true) => SharedReplay::Fresh,
                Some(false) => SharedReplay::Replayed,
                None => SharedReplay::Down,
            }
        }
    }

    /// Why the last check failed. `None` where it succeeded.
    pub(crate) fn last_error(&self) -> Option<StoreError> {
        self.connection.last_error()
    }
}

#[cfg(feature = "test-util")]
#[cfg(test)]
mod tests;
