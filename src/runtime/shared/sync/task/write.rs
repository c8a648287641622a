//! What a round writes: pending changes, the messages of a stream's outbox, and what is trimmed.

use std::time::Duration;

use super::{SyncTask, yield_now_and_then};
use crate::runtime::shared::replica::message::ListUpdate;
use crate::runtime::shared::store::redis::Connection;
use crate::runtime::shared::sync::failure::SyncFailure;
use crate::runtime::shared::sync::sync_stream::SyncStream;
use crate::verify::crypto::random::random_u128;

/// Messages that are appended at once.
const BATCH: usize = 256;

/// How often the stream is trimmed.
const TRIM_INTERVAL: Duration = Duration::from_secs(60);

/// How often the replica is swept, which visits every record.
const SWEEP_INTERVAL: Duration = Duration::from_secs(600);

impl SyncTask {
    /// Moves the pending changes into the replica.
    pub(super) async fn drain_pending(&mut self) -> Result<(), SyncFailure> {
        let mut number = 0;
        while let Some(changes) = self.shared.pending.next() {
            let until = self.needed_until(self.longest_life);
            let update = changes
                .withdrawn
                .and_then(|revocation| self.replica.withdraw(&revocation, until));
            match (changes.added, update) {
                (None, Some(update)) => self.apply(update, Duration::ZERO),
                (Some(added), _) if self.replica.covers(&added.entry) => {}
                (Some(added), _) if added.is_loaded && self.replica.has_withdrawn(&added.entry) => {
                    // The snapshot is older than the withdrawal.
                    let revocation = added.entry.revocation();
                    if !self.replica.revokes(revocation) {
                        self.apply(ListUpdate::Remove(revocation.clone()), Duration::ZERO);
                    }
                }
                (Some(added), _) => {
                    let fresh = random_u128().ok_or(SyncFailure::Crypto)?;
                    self.replica.revoke(fresh, &added.entry, until);
                }
                (None, None) => {}
            }
            number += 1;
            self.shared.set_backlog(self.replica.backlog());
            yield_now_and_then(number).await;
        }
        Ok(())
    }

    /// Appends the messages of a stream's outbox. Whether there were any.
    pub(super) async fn write(
        &mut self,
        store: &mut Connection,
        stream: &SyncStream,
    ) -> Result<bool, SyncFailure> {
        let mut wrote = false;
        while self.replica.backlog_of(stream.role) > 0 {
            let batch = self.replica.waiting(stream.role, BATCH);
            let messages = batch.messages.iter();
            let sealed: Option<Vec<Vec<u8>>> = messages.map(|one| stream.seal(one)).collect();
            let sealed = sealed.ok_or(SyncFailure::Crypto)?;
            if !sealed.is_empty() {
                store.append(stream.epoch.key(), &sealed).await?;
                wrote = true;
            }
            self.replica.acknowledged(stream.role, batch.taken);
            self.shared.set_backlog(self.replica.backlog());
        }
        Ok(wrote)
    }

    /// Trims the streams and sweeps the replica: what has ended or was replaced goes.
    pub(super) async fn trim(
        &mut self,
        store: &mut Connection,
        streams: &[SyncStream],
    ) -> Result<(), SyncFailure> {
        let now = self.now();
        if now.monotonic < self.trimmed_at.saturating_add(TRIM_INTERVAL) {
            return Ok(());
        }
        self.trimmed_at = now.monotonic;
        if now.monotonic >= self.swept_at.saturating_add(SWEEP_INTERVAL) {
            self.swept_at = now.monotonic;
            self.replica.forget(now);
        }
        for stream in streams {
            if let Some(first) = self.replica.first_needed(stream.role, now) {
                store.trim(stream.epoch.key(), first).await?;
            }
            while self.may_delete {
                let places = self.replica.take_replaced(stream.role, BATCH);
                if places.is_empty() {
                    break;
                }
                match store.delete(stream.epoch.key(), &places).await {
                    Ok(()) => {}
                    // The ACL of the store's user may lack `XDEL`.
                    Err(error) if error.is_refusal() => self.may_delete = false,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}
