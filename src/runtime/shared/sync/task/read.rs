//! What a round reads: whether the streams are those of the last round, and their new entries.

use std::sync::Arc;
use std::time::Duration;

use super::{SyncTask, longest};
use crate::runtime::shared::store::redis::Connection;
use crate::runtime::shared::sync::failure::SyncFailure;
use crate::runtime::shared::sync::sync_stream::SyncStream;

/// A stream with more entries than this is not read to its end.
const MOST_ENTRIES: usize = 10_000_000;

/// A wall clock that falls this far behind the monotonic one was set back.
const SET_BACK: Duration = Duration::from_secs(60);

impl SyncTask {
    /// Starts from the beginning where a stream is another one or has lost messages, and after the
    /// wall clock was set back: entries that had ended may count again.
    pub(super) async fn compare(
        &mut self,
        store: &mut Connection,
        streams: &mut [SyncStream],
    ) -> Result<(), SyncFailure> {
        let shared = Arc::clone(&self.shared);
        let mut current = Vec::with_capacity(streams.len());
        for stream in &mut *streams {
            current.push(stream.epoch.current(&shared, store).await?);
        }
        let has_more_issuers = shared.take_more_issuers();
        self.longest_life = longest(&shared.token_lifetimes());
        let is_all_known = !has_more_issuers & !self.was_set_back();
        for (stream, current) in streams.iter_mut().zip(current) {
            let is_known = is_all_known
                && stream.epoch.is(&current)
                && current.last_id >= self.replica.cursor(stream.role)
                && match self.replica.anchor(stream.role, shared.clock.now()) {
                    Some(anchor) => store.holds(&current.key, anchor).await?,
                    None => true,
                };
            if !is_known {
                self.replica.restart(stream.role);
                stream.epoch.switch_to(current);
            }
        }
        Ok(())
    }

    /// Whether the wall clock was set back since the last round. Then the list's entries are pending
    /// again: those that were loaded as ended may be in force.
    fn was_set_back(&mut self) -> bool {
        let now = self.now();
        let was_set_back = self.last_reading.replace(now).is_some_and(|last| {
            let passed = now.monotonic.saturating_sub(last.monotonic);
            now.wall.saturating_add(SET_BACK) < last.wall.saturating_add(passed)
        });
        if was_set_back {
            for entry in self.shared.list.live() {
                self.shared.pending.push_present(entry);
            }
        }
        was_set_back
    }

    /// Reads a stream to its end.
    pub(super) async fn read(
        &mut self,
        store: &mut Connection,
        stream: &mut SyncStream,
    ) -> Result<(), SyncFailure> {
        let mut count = 0;
        while count < MOST_ENTRIES {
            let before = self.replica.cursor(stream.role);
            let most = stream.page.entries();
            let page = match store.read(stream.epoch.key(), before, most).await {
                Ok(page) => page,
                Err(error) => {
                    // The page may have been too large for the timeout or the connection.
                    stream.page.failed();
                    return Err(error.into());
                }
            };
            let (length, is_last) = (page.len(), page.len() < most);
            let bytes = page.iter().flat_map(|(_, sealed)| sealed).map(Vec::len);
            stream.page.page_read(length, bytes.sum());
            count += length;
            // An own withdrawal must not remove revocations that it did not know of. Before the
            // first read there are none, and entries that others know need not be written again.
            if self.has_read {
                self.drain_pending().await?;
            }
            for (at, sealed) in page {
                let message = sealed.and_then(|sealed| stream.open(&sealed));
                let age = stream.epoch.age_of(at);
                let until = self.needed_until(self.longest_life.saturating_sub(age));
                for update in self.replica.read(stream.role, at, message, until) {
                    self.apply(update, age);
                }
            }
            if is_last {
                return Ok(());
            }
            if self.replica.cursor(stream.role) <= before {
                break;
            }
        }
        Err(SyncFailure::Endless)
    }
}
