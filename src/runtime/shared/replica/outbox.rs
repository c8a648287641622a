//! The outbox: own messages that the store has not acknowledged, in their order.

use std::collections::{HashSet, VecDeque};

use crate::runtime::shared::replica::message::Lineage;

/// An own message. Its content is read from the replica when it is written, so that several changes
/// of one lineage become one message.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum OwnMessage {
    Revoked(Lineage),
    Withdrawn(Lineage),
}

impl OwnMessage {
    const fn lineage(self) -> Lineage {
        match self {
            Self::Revoked(lineage) | Self::Withdrawn(lineage) => lineage,
        }
    }
}

/// A queue without duplicates.
#[derive(Default)]
pub(super) struct Outbox {
    queue: VecDeque<OwnMessage>,
    queued: HashSet<OwnMessage>,
}

impl Outbox {
    /// Appends a message, unless it waits already.
    pub(super) fn push(&mut self, own: OwnMessage) {
        if self.queued.insert(own) {
            self.queue.push_back(own);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// The first messages, at most so many.
    pub(super) fn first(&self, most: usize) -> impl Iterator<Item = OwnMessage> {
        self.queue.iter().take(most).copied()
    }

    /// Removes the first messages: the store has acknowledged them.
    pub(super) fn acknowledged(&mut self, count: usize) {
        for own in self.queue.drain(..count.min(self.queue.len())) {
            self.queued.remove(&own);
        }
    }

    /// Removes the messages of lineages that are not known any more.
    pub(super) fn retain(&mut self, is_known: impl Fn(Lineage) -> bool) {
        self.queue.retain(|own| is_known(own.lineage()));
        self.queued.retain(|own| is_known(own.lineage()));
    }
}
