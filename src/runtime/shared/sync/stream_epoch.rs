//! Which stream is the current one.
//!
//! 1. A random epoch is stored beside the stream. Another epoch than before means that the store was
//!    wiped or restored: the stream is read from the start, and what it lacks is written again.
//! 2. A stream that accepts no more entries, because its largest id was used, is replaced: a
//!    new epoch names a new stream.

use std::sync::Arc;
use std::time::Duration;

use crate::runtime::shared::store::redis::Connection;
use crate::runtime::shared::store::stream::StreamId;
use crate::runtime::shared::sync::failure::SyncFailure;
use crate::runtime::shared::sync::state::SyncState;
use crate::runtime::shared::sync::store_keys::{KeyAccess, StoreKeys};
use crate::verify::crypto::random::random_u128;

/// A stream whose last id is further ahead of the store's clock than this was tampered with.
const FAR_AHEAD: Duration = Duration::from_secs(24 * 3600);

/// A stream is replaced at most once in this time.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(60);

/// The stream in use.
pub(super) struct StreamEpoch {
    access: Arc<KeyAccess>,
    /// `None` before the first connection.
    epoch: Option<Vec<u8>>,
    /// The stream's key.
    key: String,
    /// The store's clock when it was last read, or the last id of the stream.
    store_millis: u64,
    may_read_time: bool,
    renewed_at: Option<Duration>,
}

/// The stream that the store names now.
pub(super) struct CurrentStream {
    epoch: Vec<u8>,
    pub(super) key: String,
    pub(super) last_id: StreamId,
}

impl StreamEpoch {
    pub(super) fn new(access: &Arc<KeyAccess>) -> Self {
        Self {
            access: Arc::clone(access),
            epoch: None,
            key: access.keys.stream(b""),
            store_millis: 0,
            may_read_time: true,
            renewed_at: None,
        }
    }

    /// The key of the stream in use.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// How long ago the store has received the entry with this id, by its own clock.
    pub(super) const fn age_of(&self, at: StreamId) -> Duration {
        Duration::from_millis(self.store_millis.saturating_sub(at.millis()))
    }

    /// Whether it is the stream in use.
    pub(super) fn is(&self, current: &CurrentStream) -> bool {
        self.epoch.as_ref() == Some(&current.epoch)
    }

    /// Uses this stream from now on.
    pub(super) fn switch_to(&mut self, current: CurrentStream) {
        self.epoch = Some(current.epoch);
        self.key = current.key;
    }

    /// Reads which stream is the current one, and replaces it where it is broken.
    pub(super) async fn current(
        &mut self,
        shared: &SyncState,
        store: &mut Connection,
    ) -> Result<CurrentStream, SyncFailure> {
        let candidate = format!("{:032x}", random_u128().ok_or(SyncFailure::Crypto)?);
        let mut epoch = store
            .set_if_absent(&self.access.keys.epoch, &candidate)
            .await?;
        let mut key = self.access.keys.stream(&epoch);
        let last_id = if let Some(last_id) = self.last_id(store, &key).await? {
            last_id
        } else {
            epoch = self.renew(shared, store, &epoch).await?;
            key = self.access.keys.stream(&epoch);
            store.last_id(&key).await?
        };
        self.store_millis = self.store_millis.max(last_id.millis());
        Ok(CurrentStream {
            epoch,
            key,
            last_id,
        })
    }

    /// The last id of a stream; `None` where the stream is broken: it has given out its largest id,
    /// or one far ahead of the store's clock, or the key has another type.
    async fn last_id(
        &mut self,
        store: &mut Connection,
        stream: &str,
    ) -> Result<Option<StreamId>, SyncFailure> {
        let millis = if self.may_read_time {
            store.time().await?
        } else {
            None
        };
        self.may_read_time = millis.is_some();
        self.store_millis = millis.unwrap_or_default();
        let last = match store.last_id(stream).await {
            Ok(last) => last,
            Err(error) if error.is_wrong_type() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let far_ahead = u64::try_from(FAR_AHEAD.as_millis()).unwrap_or(u64::MAX);
        let is_ahead = millis.is_some_and(|now| last.millis() > now.saturating_add(far_ahead));
        Ok((!last.is_last() && !is_ahead).then_some(last))
    }

    /// Replaces the stream of an epoch, unless another instance has done so.
    async fn renew(
        &mut self,
        shared: &SyncState,
        store: &mut Connection,
        broken: &[u8],
    ) -> Result<Vec<u8>, SyncFailure> {
        let now = shared.clock.monotonic();
        let current = store.set_if_absent(&self.access.keys.epoch, "").await?;
        if current != broken {
            return Ok(current);
        }
        let is_early = |at: Duration| now < at.saturating_add(RENEWAL_INTERVAL);
        if self.renewed_at.is_some_and(is_early) {
            return Err(SyncFailure::Broken);
        }
        self.renewed_at = Some(now);
        let epoch = StoreKeys::renewed(random_u128().ok_or(SyncFailure::Crypto)?);
        store.set(&self.access.keys.epoch, &epoch).await?;
        shared.renewed();
        // Of several instances that replace it at once, the last one wins.
        Ok(store.set_if_absent(&self.access.keys.epoch, &epoch).await?)
    }
}
