//! How many leases are open, were opened, and have ended and why.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::model::decision::lease_end::LeaseEnd;

/// The counters of a table.
#[derive(Debug, Default)]
pub(super) struct LeaseCounters {
    open: AtomicUsize,
    opened: AtomicU64,
    ended: [AtomicU64; 6],
}

/// Leases since the server was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeaseCounts {
    pub(crate) open: usize,
    pub(crate) opened: u64,
    /// Expired, revoked, key removed, status, unavailable, issuer replaced.
    pub(crate) ended: [u64; 6],
}

impl LeaseCounters {
    /// Counts a lease that is opened. Whether no other one is open.
    pub(super) fn count_open(&self) -> bool {
        self.opened.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::SeqCst) == 0
    }

    /// Counts a lease that has ended for this reason.
    pub(super) fn count_end(&self, end: LeaseEnd) {
        let [
            expired,
            revoked,
            key_removed,
            status,
            unavailable,
            issuer_replaced,
        ] = &self.ended;
        let count = match end {
            LeaseEnd::Expired => expired,
            LeaseEnd::Revoked(_) => revoked,
            LeaseEnd::KeyRemoved => key_removed,
            LeaseEnd::Status => status,
            LeaseEnd::Unavailable => unavailable,
            LeaseEnd::IssuerReplaced => issuer_replaced,
        };
        count.fetch_add(1, Ordering::Relaxed);
        self.count_dropped();
    }

    /// Counts a lease whose handles are gone before it has ended.
    pub(super) fn count_dropped(&self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }

    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    pub(super) fn counts(&self) -> LeaseCounts {
        let ended = self.ended.each_ref();
        LeaseCounts {
            open: self.open(),
            opened: self.opened.load(Ordering::Relaxed),
            ended: ended.map(|count| count.load(Ordering::Relaxed)),
        }
    }
}
