//! What was changed here and is not yet in the ledger.
//!
//! Coalesced: of each thing the last withdrawal and what was revoked after it. So it is no longer
//! than there are things, whatever happens to one of them while the store is down.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::model::revocation::Revocation;
use crate::runtime::revocation::entry::RevocationEntry;
use crate::runtime::revocation::list::Change;

/// The changes that wait, in the order in which their things first changed.
#[derive(Default)]
pub(in crate::runtime) struct PendingChanges {
    waiting: Mutex<PendingChange>,
    pub(in crate::runtime) written: Notify,
}

#[derive(Default)]
struct PendingChange {
    order: VecDeque<Revocation>,
    /// By what they are about, without the moment.
    changes: HashMap<Revocation, ChangeBatch>,
}

/// What happened to one thing: first it was withdrawn, then revoked; or one of the two.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::runtime) struct ChangeBatch {
    pub(in crate::runtime) withdrawn: Option<Revocation>,
    pub(in crate::runtime) added: Option<Addition>,
}

/// A revocation as the list now has it.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::runtime) struct Addition {
    pub(in crate::runtime) entry: RevocationEntry,
    /// Whether it is from a snapshot and nothing else.
    pub(in crate::runtime) is_loaded: bool,
}

impl PendingChanges {
    pub(in crate::runtime) fn push(&self, change: Change) {
        self.note(change);
        self.written.notify_one();
    }

    /// What the list holds already: a change that waits is newer.
    pub(in crate::runtime) fn push_present(&self, entry: RevocationEntry) {
        let mut waiting = self.waiting();
        let key = entry.revocation().without_moment();
        if !waiting.changes.contains_key(&key) {
            waiting.about(key).added = Some(Addition {
                entry,
                is_loaded: false,
            });
        }
    }

    /// The changes of the thing that has waited longest.
    pub(in crate::runtime) fn next(&self) -> Option<ChangeBatch> {
        let mut waiting = self.waiting();
        let key = waiting.order.pop_front()?;
        waiting.changes.remove(&key)
    }

    /// Whether the same was revoked here, and the ledger does not know yet.
    pub(in crate::runtime) fn revokes(&self, revocation: &Revocation) -> bool {
        let waiting = self.waiting();
        let changes = waiting.changes.get(&revocation.without_moment());
        changes.is_some_and(|changes| changes.added.is_some())
    }

    /// How many things have changed.
    pub(in crate::runtime) fn len(&self) -> usize {
        self.waiting().order.len()
    }

    fn note(&self, change: Change) {
        let mut waiting = self.waiting();
        match change {
            Change::Added(entry) => {
                let changes = waiting.about(entry.revocation().without_moment());
                // The list tells what it has now, which covers what it has told before.
                changes.added = Some(Addition {
                    entry,
                    is_loaded: false,
                });
            }
            Change::Loaded(entry) => {
                let changes = waiting.about(entry.revocation().without_moment());
                let is_loaded = changes.added.as_ref().is_none_or(|added| added.is_loaded);
                changes.added = Some(Addition { entry, is_loaded });
            }
            Change::Withdrawn(revocation) => {
                let changes = waiting.about(revocation.without_moment());
                let earlier = changes.withdrawn.as_ref();
                let before = earlier.and_then(Revocation::before);
                changes.withdrawn = Some(revocation.until_later(before));
                changes.added = None;
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, PendingChange> {
        // Nothing that is done under the lock leaves it half done.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PendingChange {
    fn about(&mut self, key: Revocation) -> &mut ChangeBatch {
        let order = &mut self.order;
        self.changes.entry(key).or_insert_with_key(|key| {
            order.push_back(key.clone());
            ChangeBatch::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::UnixTime;

    const ISSUER: &str = "https://a.example";

    fn subject(before: i64) -> Revocation {
        Revocation::subject(ISSUER, "s", UnixTime::from_secs(before))
    }

    fn entry(revocation: Revocation) -> RevocationEntry {
        RevocationEntry::new(revocation, UnixTime::from_secs(1_800_000_000))
    }

    #[test]
    fn a_journal_is_as_long_as_there_are_things() {
        let journal = PendingChanges::default();
        for before in 0..31_000 {
            journal.push(Change::Added(entry(subject(before))));
        }
        journal.push(Change::Added(entry(Revocation::token(ISSUER, "t"))));
        assert_eq!(journal.len(), 2);
        assert!(journal.revokes(&subject(0)));
        let last = journal.next().expect("the subject");
        assert_eq!(
            last.added.expect("an entry").entry.revocation(),
            &subject(30_999)
        );
        assert!(!journal.revokes(&subject(0)), "the ledger has it");
        assert!(journal.next().is_some() && journal.next().is_none());
    }

    #[test]
    fn a_withdrawal_takes_along_what_was_revoked_before_it() {
        let journal = PendingChanges::default();
        for _ in 0..3 {
            journal.push(Change::Added(entry(subject(5))));
            journal.push(Change::Withdrawn(subject(5)));
        }
        journal.push(Change::Withdrawn(subject(3)));
        assert_eq!(journal.len(), 1);
        assert!(!journal.revokes(&subject(5)));
        journal.push(Change::Added(entry(subject(9))));
        let changes = journal.next().expect("the subject");
        assert_eq!(changes.withdrawn, Some(subject(5)), "the later moment");
        assert_eq!(changes.added.expect("an entry").entry, entry(subject(9)));
    }

    #[test]
    fn what_was_loaded_is_so_until_it_is_revoked_here() {
        let journal = PendingChanges::default();
        let token = || entry(Revocation::token(ISSUER, "t"));
        journal.push(Change::Loaded(token()));
        journal.push_present(token());
        journal.push(Change::Loaded(token()));
        assert!(
            journal
                .next()
                .and_then(|one| one.added)
                .expect("it")
                .is_loaded
        );
        journal.push(Change::Added(token()));
        journal.push(Change::Loaded(token()));
        assert!(
            !journal
                .next()
                .and_then(|one| one.added)
                .expect("it")
                .is_loaded
        );
        journal.push(Change::Withdrawn(Revocation::token(ISSUER, "t")));
        journal.push_present(token());
        assert!(journal.next().expect("it").added.is_none(), "it is newer");
    }
}
