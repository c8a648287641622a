//! The stream of one cluster key, as the task uses it: which it is, its seals, and the size of a page.

use std::sync::Arc;

use crate::runtime::shared::replica::codec;
use crate::runtime::shared::replica::key_role::KeyRole;
use crate::runtime::shared::replica::message::SyncMessage;
use crate::runtime::shared::sync::state::SyncState;
use crate::runtime::shared::sync::store_keys::KeyAccess;
use crate::runtime::shared::sync::stream_epoch::StreamEpoch;
use crate::runtime::shared::sync::stream_page::PageSize;

/// The stream of one key.
pub(super) struct SyncStream {
    pub(super) role: KeyRole,
    pub(super) epoch: StreamEpoch,
    pub(super) page: PageSize,
    access: Arc<KeyAccess>,
}

impl SyncStream {
    /// The streams of all keys of an instance.
    pub(super) fn of(shared: &SyncState) -> Vec<Self> {
        let stream = |(role, access): (KeyRole, &Arc<KeyAccess>)| Self {
            role,
            epoch: StreamEpoch::new(access),
            page: PageSize::new(),
            access: Arc::clone(access),
        };
        shared.accesses().map(stream).collect()
    }

    /// Decrypts a message, also one that has ended: the replica and the list judge that by two
    /// clocks.
    pub(super) fn open(&self, sealed: &[u8]) -> Option<SyncMessage> {
        let about: &[&[u8]] = &[self.epoch.key().as_bytes()];
        let (text, end) = self.access.seals.open_whenever(about, sealed)?;
        codec::read(&text, end)
    }

    /// A message as the stream gets it. `None` where the system gives no randomness.
    pub(super) fn seal(&self, message: &SyncMessage) -> Option<Vec<u8>> {
        let about: &[&[u8]] = &[self.epoch.key().as_bytes()];
        let text = codec::write(message);
        let seals = &self.access.seals;
        seals.seal(about, message.end(), text.as_bytes())
    }
}
