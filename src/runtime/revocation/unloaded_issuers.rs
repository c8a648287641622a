//! Issuers that were added while the server runs, and whose revocations are not all in the list yet.
//!
//! 1. An issuer is here before the first token of its new rules is checked, so no check of such a token
//!    was found clean before. Checks that have passed read nothing of this.
//! 2. Each addition has a ticket. A source that has brought everything up to a ticket takes out the
//!    issuers up to it, and not those that were added meanwhile.

use std::sync::{Arc, PoisonError};

use crate::runtime::util::sync::{AtomicBool, Mutex, MutexGuard, Ordering};

/// What brings revocations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "redis"), allow(dead_code))]
pub(crate) enum RevocationSource {
    /// The stream in the shared store.
    Store,
    /// The application's loader.
    Loader,
}

/// The issuers.
pub(crate) struct UnloadedIssuers {
    has_some: AtomicBool,
    waiting: Mutex<WaitingIssuers>,
}

struct WaitingIssuers {
    latest: u64,
    issuers: Vec<WaitingIssuer>,
}

struct WaitingIssuer {
    source: RevocationSource,
    ticket: u64,
    issuer: Arc<str>,
}

#[cfg_attr(not(feature = "jwks"), allow(dead_code))]
impl UnloadedIssuers {
    pub(super) fn none() -> Self {
        Self {
            has_some: AtomicBool::new(false),
            waiting: Mutex::new(WaitingIssuers {
                latest: 0,
                issuers: Vec::new(),
            }),
        }
    }

    /// Whether tokens of this issuer cannot be found clean.
    pub(super) fn contains(&self, issuer: &str) -> bool {
        self.has_some()
            && self
                .waiting()
                .issuers
                .iter()
                .any(|one| &*one.issuer == issuer)
    }

    /// Whether there are any.
    pub(crate) fn has_some(&self) -> bool {
        self.has_some.load(Ordering::Acquire)
    }

    /// The revocations of these issuers are missing until this source has brought them. The ticket of
    /// the addition.
    pub(crate) fn add(
        &self,
        source: RevocationSource,
        issuers: impl IntoIterator<Item = Arc<str>>,
    ) -> u64 {
        let mut waiting = self.waiting();
        waiting.latest += 1;
        let ticket = waiting.latest;
        let issuers = issuers.into_iter().map(|issuer| WaitingIssuer {
            source,
            ticket,
            issuer,
        });
        waiting.issuers.extend(issuers);
        self.publish(&waiting);
        ticket
    }

    /// Forgets the issuers that are no longer configured.
    pub(crate) fn retain(&self, is_configured: impl Fn(&str) -> bool) {
        let mut waiting = self.waiting();
        waiting.issuers.retain(|one| is_configured(&one.issuer));
        self.publish(&waiting);
    }

    /// The issuers that wait for this source, and the ticket to take them out by. `None`: there are none.
    #[cfg(feature = "redis")]
    pub(crate) fn waiting_for(&self, source: RevocationSource) -> Option<(u64, Vec<Arc<str>>)> {
        if !self.has_some() {
            return None;
        }
        let waiting = self.waiting();
        let mine = waiting.issuers.iter().filter(|one| one.source == source);
        let issuers: Vec<_> = mine.map(|one| Arc::clone(&one.issuer)).collect();
        (!issuers.is_empty()).then_some((waiting.latest, issuers))
    }

    /// The source has brought everything of the issuers up to this ticket.
    pub(crate) fn loaded(&self, source: RevocationSource, up_to: u64) {
        let mut waiting = self.waiting();
        waiting
            .issuers
            .retain(|one| one.source != source || one.ticket > up_to);
        self.publish(&waiting);
    }

    fn publish(&self, waiting: &WaitingIssuers) {
        let has_some = !waiting.issuers.is_empty();
        self.has_some.store(has_some, Ordering::Release);
    }

    fn waiting(&self) -> MutexGuard<'_, WaitingIssuers> {
        // Poisoning is harmless: the bookkeeping under the lock does not panic.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, not(portcullis_loom)))]
mod tests {
    use super::*;

    #[test]
    fn issuers_wait_for_their_source_and_for_their_ticket() {
        let unloaded = UnloadedIssuers::none();
        assert!(!unloaded.contains("a"));
        let first = unloaded.add(RevocationSource::Loader, [Arc::from("a")]);
        unloaded.add(RevocationSource::Store, [Arc::from("a")]);
        let later = unloaded.add(RevocationSource::Loader, [Arc::from("b")]);
        unloaded.loaded(RevocationSource::Loader, first);
        assert!(unloaded.contains("a") && unloaded.contains("b") && !unloaded.contains("c"));
        unloaded.loaded(RevocationSource::Store, later);
        assert!(!unloaded.contains("a") && unloaded.contains("b"));
        unloaded.add(RevocationSource::Loader, [Arc::from("b")]);
        unloaded.loaded(RevocationSource::Loader, later);
        assert!(unloaded.contains("b"), "it was added anew");
        unloaded.retain(|issuer| issuer != "b");
        assert!(!unloaded.has_some());
    }
}
