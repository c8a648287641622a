//! What is known of the stream of one cluster key: how far it was read, which messages it holds, and
//! which it is to get.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::model::time::UnixTime;
use crate::runtime::shared::replica::message::{Lineage, SyncMessage, lineage_of, serial_of};
use crate::runtime::shared::replica::outbox::Outbox;
use crate::runtime::shared::store::stream::StreamId;

/// The end of a message that could not be read.
pub(super) const LONG_AGO: UnixTime = UnixTime::from_secs(i64::MIN);

/// The record of one stream.
pub(super) struct StreamRecord {
    pub(super) outbox: Outbox,
    /// The ids that were read, and until when each message is needed.
    pub(super) places: VecDeque<StreamPlace>,
    pub(super) cursor: StreamId,
    /// While the stream is read from the start: what it holds.
    pub(super) seen: Option<HashMap<Lineage, HighestSerials>>,
}

/// The highest serial numbers that the stream holds of a lineage.
#[derive(Clone, Copy, Default)]
pub(super) struct HighestSerials {
    pub(super) revoked: Option<u32>,
    pub(super) withdrawn: Option<u32>,
}

/// A message of the stream that was read.
pub(super) struct StreamPlace {
    pub(super) at: StreamId,
    pub(super) end: UnixTime,
    /// By the monotonic clock.
    pub(super) until: Duration,
    pub(super) what: MessageBody,
}

#[derive(Clone, Copy)]
pub(super) enum MessageBody {
    /// A message that could not be decrypted: it has another key or another version.
    Unknown,
    One(Lineage),
    Several,
}

impl MessageBody {
    fn of(message: Option<&SyncMessage>) -> Self {
        match message {
            None => Self::Unknown,
            Some(SyncMessage::Revoked(id, _)) => Self::One(lineage_of(*id)),
            Some(SyncMessage::Withdrawn(ids, _)) => match ids[..] {
                [id] => Self::One(lineage_of(id)),
                _ => Self::Several,
            },
        }
    }
}

impl Default for StreamRecord {
    fn default() -> Self {
        Self {
            outbox: Outbox::default(),
            places: VecDeque::new(),
            cursor: StreamId::START,
            seen: Some(HashMap::new()),
        }
    }
}

impl StreamRecord {
    /// Moves the cursor behind a message.
    pub(super) fn pass(&mut self, at: StreamId, message: Option<&SyncMessage>, until: Duration) {
        self.cursor = at;
        if let Some(message) = message {
            self.note_seen(message);
        }
        self.places.push_back(StreamPlace {
            at,
            end: message.map_or(LONG_AGO, SyncMessage::end),
            until,
            what: MessageBody::of(message),
        });
    }

    fn note_seen(&mut self, message: &SyncMessage) {
        let Some(seen) = &mut self.seen else {
            return;
        };
        match message {
            SyncMessage::Revoked(id, _) => {
                let seen = seen.entry(lineage_of(*id)).or_default();
                seen.revoked = seen.revoked.max(Some(serial_of(*id)));
            }
            SyncMessage::Withdrawn(ids, _) => {
                for id in ids {
                    let seen = seen.entry(lineage_of(*id)).or_default();
                    seen.withdrawn = seen.withdrawn.max(Some(serial_of(*id)));
                }
            }
        }
    }

    /// The stream is read from the start.
    pub(super) fn restart(&mut self) {
        self.cursor = StreamId::START;
        self.places.clear();
        self.seen = Some(HashMap::new());
    }
}
