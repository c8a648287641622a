//! Changes of the list that the replica does not have yet, coalesced.
//!
//! Of each revoked thing it holds the last withdrawal and the revocation after it. So its length is
//! bounded by the number of things, however often one of them changes while the store is down.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::model::revocation::Revocation;
use crate::runtime::revocation::entry::RevocationEntry;
use crate::runtime::revocation::list::Change;

/// The changes, in the order in which their things first changed.
#[derive(Default)]
pub(in crate::runtime::shared) struct PendingChanges {
    waiting: Mutex<Coalesced>,
    /// Notified of each change.
    pub(in crate::runtime::shared) changed: Notify,
}

#[derive(Default)]
struct Coalesced {
    order: VecDeque<Revocation>,
    /// By what is revoked, without the moment.
    changes: HashMap<Revocation, ChangeBatch>,
}

/// The changes of one thing: first a withdrawal, then a revocation; or one of the two.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::runtime::shared) struct ChangeBatch {
    pub(in crate::runtime::shared) withdrawn: Option<Revocation>,
    pub(in crate::runtime::shared) added: Option<Addition>,
}

/// A revocation as the list has it now.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::runtime::shared) struct Addition {
    pub(in crate::runtime::shared) entry: RevocationEntry,
    /// Whether it is only from a snapshot.
    pub(in crate::runtime::shared) is_loaded: bool,
}

impl PendingChanges {
    pub(in crate::runtime::shared) fn push(&self, change: Change) {
        self.note(change);
        self.changed.notify_one();
    }

    /// An entry that the list holds already; a pending change of the same thing is newer.
    pub(in crate::runtime::shared) fn push_present(&self, entry: RevocationEntry) {
        let mut waiting = self.waiting();
        let key = entry.revocation().without_moment();
        if !waiting.changes.contains_key(&key) {
            waiting.about(key).added = Some(Addition {
                entry,
                is_loaded: false,
            });
        }
    }

    /// Takes out the changes of the thing that has waited longest.
    pub(in crate::runtime::shared) fn next(&self) -> Option<ChangeBatch> {
        let mut waiting = self.waiting();
        let key = waiting.order.pop_front()?;
        waiting.changes.remove(&key)
    }

    /// Whether a pending revocation is about the same.
    pub(in crate::runtime::shared) fn revokes(&self, revocation: &Revocation) -> bool {
        let waiting = self.waiting();
        let changes = waiting.changes.get(&revocation.without_moment());
        changes.is_some_and(|changes| changes.added.is_some())
    }

    /// How many things have changed.
    pub(in crate::runtime::shared) fn len(&self) -> usize {
        self.waiting().order.len()
    }

    fn note(&self, change: Change) {
        let mut waiting = self.waiting();
        match change {
            Change::Added(entry) => {
                let changes = waiting.about(entry.revocation().without_moment());
                // The entry as the list has it now covers the earlier ones.
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

    fn waiting(&self) -> MutexGuard<'_, Coalesced> {
        // Poisoning is harmless: each change under the lock is complete or has not begun.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Coalesced {
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
    fn pending_changes_are_bounded_by_the_number_of_things() {
        let pending = PendingChanges::default();
        for before in 0..31_000 {
            pending.push(Change::Added(entry(subject(before))));
        }
        pending.push(Change::Added(entry(Revocation::token(ISSUER, "t"))));
        assert_eq!(pending.len(), 2);
        assert!(pending.revokes(&subject(0)));
        let last = pending.next().expect("the subject");
        assert_eq!(
            last.added.expect("an entry").entry.revocation(),
            &subject(30_999)
        );
        assert!(!pending.revokes(&subject(0)), "the replica has it");
        assert!(pending.next().is_some() && pending.next().is_none());
    }

    #[test]
    fn a_withdrawal_takes_along_what_was_revoked_before_it() {
        let pending = PendingChanges::default();
        for _ in 0..3 {
            pending.push(Change::Added(entry(subject(5))));
            pending.push(Change::Withdrawn(subject(5)));
        }
        pending.push(Change::Withdrawn(subject(3)));
        assert_eq!(pending.len(), 1);
        assert!(!pending.revokes(&subject(5)));
        pending.push(Change::Added(entry(subject(9))));
        let changes = pending.next().expect("the subject");
        assert_eq!(changes.withdrawn, Some(subject(5)), "the later moment");
        assert_eq!(changes.added.expect("an entry").entry, entry(subject(9)));
    }

    #[test]
    fn what_was_loaded_is_so_until_it_is_revoked_here() {
        let pending = PendingChanges::default();
        let token = || entry(Revocation::token(ISSUER, "t"));
        pending.push(Change::Loaded(token()));
        pending.push_present(token());
        pending.push(Change::Loaded(token()));
        assert!(
            pending
                .next()
                .and_then(|one| one.added)
                .expect("it")
                .is_loaded
        );
        pending.push(Change::Added(token()));
        pending.push(Change::Loaded(token()));
        assert!(
            !pending
                .next()
                .and_then(|one| one.added)
                .expect("it")
                .is_loaded
        );
        pending.push(Change::Withdrawn(Revocation::token(ISSUER, "t")));
        pending.push_present(token());
        assert!(pending.next().expect("it").added.is_none(), "it is newer");
    }
}
