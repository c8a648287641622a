//! What a round changes in the list: the messages of the replica, each for as long as it is in force.

use std::time::Duration;

use super::SyncTask;
use crate::runtime::revocation::timed_entry::{MonotonicSpan, RETENTION_AFTER_END};
use crate::runtime::revocation::unloaded_issuers::RevocationSource;
use crate::runtime::shared::replica::message::ListUpdate;
use crate::runtime::shared::store::stream::StreamId;
use crate::runtime::shared::sync::sync_stream::SyncStream;

impl SyncTask {
    pub(super) fn apply(&mut self, update: ListUpdate, age: Duration) {
        let shared = &self.shared;
        match update {
            ListUpdate::Add(entry) => {
                let lifetimes = shared.token_lifetimes();
                let Some(life) = lifetimes.get(entry.revocation().issuer()) else {
                    return;
                };
                let (wall, end) = (shared.clock.now(), entry.ends_at());
                let rest = life.saturating_sub(age);
                if wall < end {
                    shared
                        .list
                        .add_remote(entry, MonotonicSpan::until(end, wall, *life));
                } else if !rest.is_zero() || wall < end.saturating_add(RETENTION_AFTER_END) {
                    // It has ended by this clock, although the store has held it for less than
                    // tokens live: one of the clocks is wrong, so it is in force for the rest.
                    shared.list.add_remote(entry, MonotonicSpan::lasting(rest));
                }
            }
            ListUpdate::Remove(revocation) => {
                // INVARIANT: an entry that was revoked here meanwhile stays.
                let again = || shared.pending.revokes(&revocation);
                shared.list.remove_remote(&revocation, again);
            }
        }
    }

    /// Applies to the list what the replica holds of issuers that were added: messages about issuers that
    /// are not configured are in it too. So it needs no store, once all streams were read to their ends.
    pub(super) fn apply_added(&mut self, streams: &[SyncStream]) {
        let source = RevocationSource::Store;
        let waiting = self.shared.list.unloaded().waiting_for(source);
        let Some((ticket, issuers)) = waiting.filter(|_| self.has_read) else {
            return;
        };
        for (entry, places) in self.replica.of_issuers(&issuers) {
            let age = |stream: &SyncStream| {
                let at = *places.get(stream.role);
                (at != StreamId::START).then(|| stream.epoch.age_of(at))
            };
            // A message that was copied to the second stream is older than its place there.
            let age = streams.iter().filter_map(age).max();
            self.apply(ListUpdate::Add(entry), age.unwrap_or_default());
        }
        self.shared.list.unloaded().loaded(source, ticket);
    }
}
