//! The list of revocations, in memory.
//!
//! 1. Every request is checked, also with a token that was seen before. A check takes no lock. A clean
//!    result is cached with the list's version and is valid until an entry is added.
//! 2. An entry ends when no token that it concerns can outlive it, by the wall clock and by the
//!    monotonic clock.
//! 3. The list is bounded. An entry that does not fit is an error and evicts no entry that has not
//!    ended. Entries of other instances are added beyond the bound; then the list is incomplete until
//!    it is within its bound again.
//! 4. While the list is incomplete, no token is found clean. The same holds where a clock is set back
//!    to a time at which an entry was in force that was evicted since, and for the tokens of an issuer
//!    that was added, until its revocations are there.

mod check_token;

use std::sync::{Arc, OnceLock, PoisonError};

use crate::model::revocation::Revocation;
use crate::model::time::UnixTime;
use crate::runtime::clock::Clock;
use crate::runtime::revocation::check::NameHasher;
pub(crate) use crate::runtime::revocation::check::{RevocationCheck, RevocationCheckError};
use crate::runtime::revocation::early_eviction::EarlyEviction;
use crate::runtime::revocation::entry::RevocationEntry;
use crate::runtime::revocation::entry_map::EntryMap;
use crate::runtime::revocation::timed_entry::{ClockReading, MonotonicSpan, TimedEntry};
use crate::runtime::revocation::unloaded_issuers::UnloadedIssuers;
use crate::runtime::util::sync::{AtomicI64, AtomicU64, Mutex, MutexGuard, Ordering};

/// The version of an incomplete list.
const INCOMPLETE: u64 = u64::MAX;

/// The earliest end of an empty list.
const NEVER: UnixTime = UnixTime::from_secs(i64::MAX);

/// A change of the list, for the listener.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "redis"), allow(dead_code))]
pub(crate) enum Change {
    Added(RevocationEntry),
    /// Added from a snapshot, which may be older than a withdrawal.
    Loaded(RevocationEntry),
    Withdrawn(Revocation),
}

/// Is notified of every change made here, in order, under the list's lock: it must not wait and not
/// call the list.
pub(crate) type ChangeListener = Box<dyn Fn(Change) + Send + Sync>;

/// Is called with entries that were added, each with the hash of what it names, after they are published
/// and without a lock.
#[cfg(feature = "jwks")]
pub(in crate::runtime) type AdditionHook = Box<dyn Fn(&[(u64, RevocationEntry)]) + Send + Sync>;

/// The list is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListFull;

/// The list.
pub(crate) struct RevocationList {
    /// Grows with every addition, from 1, or `INCOMPLETE`.
    version: AtomicU64,
    /// From this second of the wall clock on the list is incomplete: its source was unreachable for
    /// too long. On a suspended machine the monotonic clock stands still.
    complete_until: AtomicI64,
    entries: EntryMap,
    hasher: NameHasher,
    most: usize,
    clock: Arc<dyn Clock>,
    early_evictions: EarlyEviction,
    unloaded: UnloadedIssuers,
    writer: Mutex<Writer>,
    listener: OnceLock<ChangeListener>,
    #[cfg(feature = "jwks")]
    on_added: OnceLock<AdditionHook>,
}

struct Writer {
    version: u64,
    /// Sources that have marked the list incomplete.
    incomplete: usize,
    /// Entries in the map.
    len: usize,
    /// No entry can be evicted before.
    earliest_end: UnixTime,
}

/// The hash of an entry, and the present entry about the same.
struct Place {
    hash: u64,
    present: Option<TimedEntry>,
}

impl Place {
    const fn is_empty(&self) -> bool {
        self.present.is_none()
    }
}

impl RevocationList {
    /// An empty list of at most so many entries.
    pub(crate) fn new(most: usize, clock: Arc<dyn Clock>) -> Self {
        Self {
            version: AtomicU64::new(1),
            complete_until: AtomicI64::new(i64::MAX),
            entries: EntryMap::new(),
            hasher: NameHasher::new(),
            most,
            clock,
            early_evictions: EarlyEviction::none(),
            unloaded: UnloadedIssuers::none(),
            writer: Mutex::new(Writer {
                version: 1,
                incomplete: 0,
                len: 0,
                earliest_end: NEVER,
            }),
            listener: OnceLock::new(),
            #[cfg(feature = "jwks")]
            on_added: OnceLock::new(),
        }
    }

    /// Adds an entry, or extends a present one. The listener is notified.
    pub(crate) fn add(&self, entry: RevocationEntry, span: MonotonicSpan) -> Result<(), ListFull> {
        let now = self.now();
        let mut writer = self.writer();
        let place = self.place_of(&entry);
        if place.is_empty() {
            self.ensure_capacity(&mut writer, now)?;
        }
        let hash = place.hash;
        let changed = self.put(&mut writer, place, TimedEntry::new(entry, span, now), now);
        self.publish(&writer);
        self.notify(changed.clone(), Change::Added);
        drop(writer);
        self.report_added(changed.map(|entry| (hash, entry)).as_slice());
        Ok(())
    }

    /// Adds the entries of a snapshot, as one change. Those that have ended by the wall clock only
    /// take the capacity that is left. On an error the entries added before it stay.
    pub(crate) fn load(
        &self,
        mut entries: Vec<(RevocationEntry, MonotonicSpan)>,
    ) -> Result<(), ListFull> {
        let now = self.now();
        let mut writer = self.writer();
        // Those with the latest end first.
        entries.sort_by_key(|(entry, _)| std::cmp::Reverse(entry.ends_at()));
        let more = entries.len().min(self.most);
        self.entries.reserve(more);
        let mut outcome = Ok(());
        let mut added = Vec::new();
        for (entry, span) in entries {
            let listed = TimedEntry::new(entry, span, now);
            let is_dormant = listed.was_dormant();
            let place = self.place_of(listed.entry());
            if place.is_empty() && writer.len >= self.most {
                if is_dormant {
                    self.early_evictions.record(&listed);
                    writer.version += 1;
                    continue;
                }
                if let Err(full) = self.ensure_capacity(&mut writer, now) {
                    outcome = Err(full);
                    continue;
                }
            }
            let hash = place.hash;
            let changed = self.put(&mut writer, place, listed, now);
            if !is_dormant {
                added.extend(changed.clone().map(|entry| (hash, entry)));
                self.notify(changed, Change::Loaded);
            }
        }
        self.publish(&writer);
        drop(writer);
        self.report_added(&added);
        outcome
    }

    /// Adds an entry of another instance: like `add`, without notifying the listener, and also over
    /// capacity; then the list is incomplete.
    #[cfg(feature = "redis")]
    pub(crate) fn add_remote(&self, entry: RevocationEntry, span: MonotonicSpan) {
        let now = self.now();
        let mut writer = self.writer();
        let place = self.place_of(&entry);
        if place.is_empty() {
            let _ = self.ensure_capacity(&mut writer, now);
        }
        let hash = place.hash;
        let changed = self.put(&mut writer, place, TimedEntry::new(entry, span, now), now);
        self.publish(&writer);
        drop(writer);
        self.report_added(changed.map(|entry| (hash, entry)).as_slice());
    }

    /// Whether the list is over capacity, after entries that have ended were evicted.
    #[cfg(feature = "redis")]
    pub(crate) fn is_overfull(&self) -> bool {
        let now = self.now();
        let mut writer = self.writer();
        if writer.len > self.most {
            let _ = self.ensure_capacity(&mut writer, now);
            self.publish(&writer);
        }
        writer.len > self.most
    }

    /// Removes the entry about the same, unless it has a later moment. The listener is notified.
    /// Whether it was there and in force.
    pub(crate) fn withdraw(&self, revocation: &Revocation) -> bool {
        let now = self.now();
        let mut writer = self.writer();
        let dropped = self.remove(&mut writer, revocation);
        self.publish(&writer);
        if let (Some(_), Some(listener)) = (&dropped, self.listener.get()) {
            listener(Change::Withdrawn(revocation.clone()));
        }
        dropped.is_some_and(|one| one.is_in_force(now.wall, || now.monotonic))
    }

    /// Removes an entry that another instance has withdrawn: like `withdraw`, without notifying the
    /// listener, unless `is_kept` returns true, which is called under the list's lock.
    #[cfg(feature = "redis")]
    pub(crate) fn remove_remote(&self, revocation: &Revocation, is_kept: impl FnOnce() -> bool) {
        let mut writer = self.writer();
        if !is_kept() {
            self.remove(&mut writer, revocation);
            self.publish(&writer);
        }
    }

    /// The entries that are in force.
    pub(crate) fn live(&self) -> Vec<RevocationEntry> {
        let now = self.now();
        self.entries(|listed| listed.is_in_force(now.wall, || now.monotonic))
    }

    /// The entries of a snapshot: those in force, and those that only the wall clock has ended, since
    /// it may be ahead.
    pub(crate) fn worth_keeping(&self) -> Vec<RevocationEntry> {
        let now = self.now();
        self.entries(|listed| {
            let in_force = listed.is_in_force(now.wall, || now.monotonic);
            in_force || (listed.was_dormant() && !listed.is_over(now))
        })
    }

    fn entries(&self, is_wanted: impl Fn(&TimedEntry) -> bool) -> Vec<RevocationEntry> {
        let mut wanted = Vec::new();
        self.entries.for_each(|listed| {
            if is_wanted(listed) {
                wanted.push(listed.entry().clone());
            }
        });
        wanted
    }

    /// Entries, some of which may have ended.
    pub(crate) fn len(&self) -> usize {
        self.writer().len
    }

    /// The capacity.
    pub(crate) const fn most(&self) -> usize {
        self.most
    }

    /// Marks the list incomplete, until [`mark_complete`](Self::mark_complete) was called as often.
    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    pub(crate) fn mark_incomplete(&self) {
        let mut writer = self.writer();
        writer.incomplete += 1;
        self.publish(&writer);
    }

    /// Takes back one [`mark_incomplete`](Self::mark_incomplete).
    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    pub(crate) fn mark_complete(&self) {
        let mut writer = self.writer();
        writer.incomplete = writer.incomplete.saturating_sub(1);
        self.publish(&writer);
    }

    /// The issuers that were added and whose revocations are not here yet.
    #[cfg_attr(not(feature = "jwks"), allow(dead_code))]
    pub(crate) const fn unloaded(&self) -> &UnloadedIssuers {
        &self.unloaded
    }

    /// Whether the list is complete, as far as is known, for every issuer.
    pub(crate) fn is_complete_for_all(&self) -> bool {
        self.is_complete() && !self.unloaded.has_some()
    }

    /// Whether the list is complete, as far as is known, except for issuers that were added.
    pub(crate) fn is_complete(&self) -> bool {
        let now = self.now();
        self.version.load(Ordering::Acquire) != INCOMPLETE
            && !self.is_silent(now.wall)
            && !self.early_evictions.would_count(now.wall, || now.monotonic)
    }

    /// The list is complete before this second of the wall clock, unless it is confirmed again.
    #[cfg(feature = "redis")]
    pub(crate) fn complete_until(&self, end: UnixTime) {
        self.complete_until.store(end.as_secs(), Ordering::Relaxed);
    }

    /// Whether the list's source was unreachable for too long, by the wall clock.
    pub(crate) fn is_silent(&self, now: UnixTime) -> bool {
        now.as_secs() >= self.complete_until.load(Ordering::Relaxed)
    }

    /// Sets the listener; the first call counts.
    #[cfg(feature = "redis")]
    pub(crate) fn listen(&self, listener: ChangeListener) {
        let _ = self.listener.set(listener);
    }

    /// Sets the hook; the first call counts.
    #[cfg(feature = "jwks")]
    pub(in crate::runtime) fn on_added(&self, hook: AdditionHook) {
        let _ = self.on_added.set(hook);
    }

    fn place_of(&self, entry: &RevocationEntry) -> Place {
        let hash = self.hasher.of_revocation(entry.revocation());
        let is_it = |one: &TimedEntry| one.entry().is_about_the_same(entry);
        Place {
            hash,
            present: self.entries.find(hash, is_it),
        }
    }

    /// Inserts an entry or extends the present one. The entry for the listener; `None` where it says
    /// nothing new. INVARIANT: the list is not full.
    fn put(
        &self,
        writer: &mut Writer,
        place: Place,
        listed: TimedEntry,
        now: ClockReading,
    ) -> Option<RevocationEntry> {
        let Place { hash, present } = place;
        let next = match &present {
            Some(present) if !self.is_replaced(present, &listed, now) => present.joined(&listed),
            _ => listed,
        };
        if present.as_ref() == Some(&next) {
            return None;
        }
        writer.earliest_end = writer.earliest_end.min(next.replaceable_at());
        writer.len += usize::from(present.is_none());
        let is_changed = present.is_none_or(|present| present.entry() != next.entry());
        let entry = next.entry().clone();
        self.entries.insert(hash, next);
        // An entry that only lasts longer concerns no token that was found clean.
        writer.version += u64::from(is_changed);
        is_changed.then_some(entry)
    }

    /// Whether a new entry replaces the present one instead of extending it: the present one has
    /// ended, and its moment is later.
    fn is_replaced(&self, present: &TimedEntry, new: &TimedEntry, now: ClockReading) -> bool {
        let in_force = present.is_in_force(now.wall, || now.monotonic);
        let before = |listed: &TimedEntry| listed.entry().revocation().before();
        let is_replaced = !in_force && before(present) > before(new);
        // A new version follows.
        if is_replaced {
            self.early_evictions.record(present);
        }
        is_replaced
    }

    /// Evicts where the list is full: first entries that have ended by both clocks, then those that
    /// only the wall clock has ended. Tokens that the latter concern are unknown from then on.
    fn ensure_capacity(&self, writer: &mut Writer, now: ClockReading) -> Result<(), ListFull> {
        let has_capacity = |writer: &Writer| writer.len < self.most;
        if !has_capacity(writer) && now.wall >= writer.earliest_end {
            writer.len -= self.entries.retain(|listed| !listed.is_over(now));
            if !has_capacity(writer) {
                writer.version += 1;
                writer.len -= self.entries.retain(|listed| {
                    let is_kept = now.wall < listed.replaceable_at();
                    if !is_kept {
                        self.early_evictions.record(listed);
                    }
                    is_kept
                });
            }
            let mut earliest = NEVER;
            self.entries
                .for_each(|listed| earliest = earliest.min(listed.replaceable_at()));
            writer.earliest_end = earliest;
        }
        if has_capacity(writer) {
            Ok(())
        } else {
            Err(ListFull)
        }
    }

    fn remove(&self, writer: &mut Writer, revocation: &Revocation) -> Option<TimedEntry> {
        let hash = self.hasher.of_revocation(revocation);
        let is_meant = |listed: &TimedEntry| {
            listed.entry().revocation().is_about_the_same(revocation)
                && listed.entry().revocation().before() <= revocation.before()
        };
        let found = self.entries.find(hash, is_meant)?;
        self.entries.remove(hash, is_meant);
        writer.len -= 1;
        Some(found)
    }

    /// Publishes the version. INVARIANT: after its entries.
    fn publish(&self, writer: &Writer) {
        let version = if writer.incomplete > 0 || writer.len > self.most {
            INCOMPLETE
        } else {
            writer.version
        };
        self.version.store(version, Ordering::Release);
    }

    fn notify(&self, changed: Option<RevocationEntry>, change: fn(RevocationEntry) -> Change) {
        if let (Some(listener), Some(entry)) = (self.listener.get(), changed) {
            listener(change(entry));
        }
    }

    /// Reports additions to the hook. INVARIANT: after their version is published, so that a hook that
    /// does not know a token yet leaves it to a check that sees them.
    fn report_added(&self, added: &[(u64, RevocationEntry)]) {
        #[cfg(feature = "jwks")]
        if let (Some(hook), false) = (self.on_added.get(), added.is_empty()) {
            hook(added);
        }
        #[cfg(not(feature = "jwks"))]
        let _ = added;
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // Poisoning is harmless: the bookkeeping under the lock does not panic.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> ClockReading {
        ClockReading {
            wall: self.clock.now(),
            monotonic: self.clock.monotonic(),
        }
    }
}

#[cfg(portcullis_loom)]
#[cfg(test)]
mod loom_tests;
