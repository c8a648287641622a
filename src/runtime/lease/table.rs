//! The open leases of a server, and what ends them.
//!
//! 1. A lease ends once, for one reason, and wakes its own waiters alone.
//! 2. It is inserted first and checked afterwards; a revocation is published first and looked for among
//!    the leases afterwards, and so is the removal of a key. So one of both sees the other.
//! 3. One task for all leases watches the clock and the completeness of the list of revocations. It
//!    runs while the server has leases, and ends with it.
//! 4. A record is never dropped under the lock of its shard, which its drop takes.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::Notify;

use crate::model::decision::lease_end::LeaseEnd;
use crate::model::time::UnixTime;
use crate::runtime::clock::{Clock, Now};
use crate::runtime::lease::counters::{LeaseCounters, LeaseCounts};
use crate::runtime::lease::shard;
use crate::runtime::lease::terms::LeaseTerms;
use crate::runtime::lease::wakers::Wakers;
use crate::runtime::revocation::entry::RevocationEntry;
use crate::runtime::revocation::list::RevocationList;
use crate::runtime::util::current_runtime::{boxed_task, current_runtime};
use crate::runtime::util::select::race;

const SHARDS: usize = 16;

/// How often the task looks at the clock while there are leases.
const TICK: Duration = Duration::from_secs(1);

/// The same in the last second of a lease: the wall clock has whole seconds.
const LAST_TICK: Duration = Duration::from_millis(100);

type Shard = shard::Shard<LeaseRecord>;

/// How often the status lists of leases are looked at.
#[cfg(feature = "status-list")]
const STATUS_TICK: Duration = Duration::from_secs(10);

/// The open leases of a server.
pub(crate) struct LeaseTable {
    shards: [Mutex<Shard>; SHARDS],
    /// Where the next lease goes.
    next: AtomicUsize,
    counters: LeaseCounters,
    list: Arc<RevocationList>,
    clock: Arc<dyn Clock>,
    /// How long leases go on while the list of revocations is incomplete.
    outage_tolerance: Duration,
    is_watched: AtomicBool,
    /// Whether a lease with a status was ever opened.
    #[cfg(feature = "status-list")]
    has_status: AtomicBool,
    wake: Arc<Notify>,
}

/// A lease. Its handles share it; it leaves the table with the last of them.
pub(crate) struct LeaseRecord {
    table: Arc<LeaseTable>,
    shard: u8,
    slot: u32,
    /// Set under the lock of the shard.
    end: OnceLock<LeaseEnd>,
    terms: Mutex<LeaseTerms>,
    waiters: Mutex<Waiters>,
}

#[derive(Default)]
struct Waiters {
    last: u32,
    wakers: Wakers,
}

impl LeaseTable {
    /// An empty table, which hears of additions to the list from now on.
    pub(crate) fn new(
        list: &Arc<RevocationList>,
        clock: Arc<dyn Clock>,
        outage_tolerance: Duration,
    ) -> Arc<Self> {
        let table = Arc::new(Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            next: AtomicUsize::new(0),
            counters: LeaseCounters::default(),
            list: Arc::clone(list),
            clock,
            outage_tolerance,
            is_watched: AtomicBool::new(false),
            #[cfg(feature = "status-list")]
            has_status: AtomicBool::new(false),
            wake: Arc::default(),
        });
        let hearing = Arc::downgrade(&table);
        table.list.on_added(Box::new(move |added| {
            if let Some(table) = hearing.upgrade() {
                table.end_revoked(added);
            }
        }));
        table
    }

    /// Opens a lease, which may have ended already.
    pub(crate) fn open(self: &Arc<Self>, terms: LeaseTerms) -> Arc<LeaseRecord> {
        let place = self.next.fetch_add(1, Ordering::Relaxed) % SHARDS;
        let until = terms.until;
        self.note_status(&terms);
        // Before the lease can end.
        let is_first = self.counters.count_open();
        let record = self.shard(place).insert(terms, |slot, terms| {
            Arc::new(LeaseRecord {
                table: Arc::clone(self),
                shard: u8::try_from(place).unwrap_or_default(),
                slot,
                end: OnceLock::new(),
                terms: Mutex::new(terms),
                waiters: Mutex::default(),
            })
        });
        if !self.watch(until, is_first) {
            record.end_if(|_| Some(LeaseEnd::Unavailable));
        }
        record.check();
        record
    }

    /// Ends the leases whose key was removed; called after keys were removed.
    pub(crate) fn end_without_key(&self) {
        self.end_each(Shard::all, |terms| {
            let is_key_removed = !terms.authority.is_live() && terms.issuer.is_live();
            is_key_removed.then_some(LeaseEnd::KeyRemoved)
        });
    }

    /// Ends the leases whose issuer was removed, or has other rules.
    pub(crate) fn end_of_replaced_issuers(&self) {
        self.end_each(Shard::all, |terms| {
            (!terms.issuer.is_live()).then_some(LeaseEnd::IssuerReplaced)
        });
    }

    /// Ends the leases whose status is no longer accepted; called after a status list was replaced.
    #[cfg(feature = "status-list")]
    pub(crate) fn end_by_status(&self) {
        self.end_each(Shard::all, |terms| {
            terms.has_bad_status().then_some(LeaseEnd::Status)
        });
    }

    /// The leases now, and since the table was made.
    pub(crate) fn counts(&self) -> LeaseCounts {
        self.counters.counts()
    }

    fn end_revoked(&self, added: &[(u64, RevocationEntry)]) {
        for (hash, entry) in added {
            let revocation = entry.revocation();
            self.end_each(
                |shard| shard.candidates(*hash, revocation),
                |terms| {
                    let is_concerned = terms.is_concerned_by(*hash, revocation);
                    is_concerned.then_some(LeaseEnd::Revoked(revocation.kind()))
                },
            );
        }
    }

    fn end_expired(&self, now: UnixTime) {
        self.end_each(
            |shard| shard.due(now),
            |terms| (terms.until <= now).then_some(LeaseEnd::Expired),
        );
    }

    /// Ends those of the selected leases for which a reason is found.
    fn end_each(
        &self,
        select: impl Fn(&Shard) -> Vec<Arc<LeaseRecord>>,
        reason: impl Fn(&mut LeaseTerms) -> Option<LeaseEnd>,
    ) {
        for place in 0..SHARDS {
            let selected = select(&self.shard(place));
            for record in selected {
                record.end_if(&reason);
            }
        }
    }

    fn shard(&self, place: usize) -> MutexGuard<'_, Shard> {
        let [first, ..] = &self.shards;
        let shard = self.shards.get(place).unwrap_or(first);
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that statuses are to be looked at, where the lease has one.
    #[cfg(feature = "status-list")]
    fn note_status(&self, terms: &LeaseTerms) {
        if terms.status.is_some() {
            self.has_status.store(true, Ordering::Relaxed);
        }
    }

    #[cfg(not(feature = "status-list"))]
    #[allow(clippy::unused_self)] // like its twin
    const fn note_status(&self, _: &LeaseTerms) {}

    /// Wakes what waits for the end of a lease, though none has ended.
    fn wake_waiters(&self) {
        for place in 0..SHARDS {
            let records = self.shard(place).all();
            for record in records {
                record.wake_waiters();
            }
        }
    }

    /// Sees to it that the task runs, and looks at the clock before this time. False where no runtime is
    /// there.
    fn watch(self: &Arc<Self>, until: UnixTime, is_first: bool) -> bool {
        if !self.is_watched.swap(true, Ordering::SeqCst) {
            let Ok(runtime) = current_runtime() else {
                self.is_watched.store(false, Ordering::SeqCst);
                return false;
            };
            runtime.spawn(boxed_task(Watch::over(self).run()));
            // A runtime that is shut down drops the task at once.
            if !self.is_watched.load(Ordering::SeqCst) {
                return false;
            }
        }
        let is_soon = until <= self.clock.now().saturating_add(TICK);
        if is_soon || is_first {
            self.wake.notify_one();
        }
        true
    }
}

impl LeaseRecord {
    /// Why it ended; `None` while it is open.
    pub(crate) fn end(&self) -> Option<LeaseEnd> {
        self.end.get().copied()
    }

    /// The end of the token, leeway included.
    pub(crate) fn until(&self) -> UnixTime {
        self.terms().until
    }

    /// A number for a handle that waits.
    pub(crate) fn new_waiter(&self) -> u32 {
        let mut waiters = self.waiters();
        waiters.last = waiters.last.wrapping_add(1);
        waiters.last
    }

    /// Ready when the lease has ended; otherwise this waiter is woken then.
    pub(crate) fn poll_end(&self, waiter: u32, context: &Context<'_>) -> Poll<LeaseEnd> {
        if let Some(end) = self.end() {
            return Poll::Ready(end);
        }
        self.set_waker(waiter, context.waker());
        // The task that watches the clock is gone with its runtime: this one's takes over. Wakers are
        // taken after that is noted.
        if !self.table.is_watched.load(Ordering::SeqCst) && !self.table.watch(self.until(), true) {
            self.end_if(|_| Some(LeaseEnd::Unavailable));
        }
        // Wakers are taken after the end is set.
        self.end().map_or(Poll::Pending, Poll::Ready)
    }

    fn set_waker(&self, waiter: u32, waker: &Waker) {
        let new = waker.clone();
        let mut waiters = self.waiters();
        let replaced = waiters.wakers.set(waiter, new);
        // Not under the lock: a waker may own a handle of this lease.
        drop(waiters);
        drop(replaced);
    }

    /// The handle of this waiter is gone.
    pub(crate) fn forget_waiter(&self, waiter: u32) {
        let mut waiters = self.waiters();
        let forgotten = waiters.wakers.remove(waiter);
        // Not under the lock: a waker may own a handle of this lease.
        drop(waiters);
        drop(forgotten);
    }

    fn wake_waiters(&self) {
        let wakers = std::mem::take(&mut self.waiters().wakers);
        wakers.wake();
    }

    /// Replaces what it depends on by that of another token of the same caller.
    ///
    /// # Errors
    ///
    /// Gives the terms back where they are of another caller; nothing is changed then.
    pub(crate) fn renew(&self, terms: LeaseTerms) -> Result<Option<LeaseEnd>, NotTheCaller> {
        let until = terms.until;
        self.table.note_status(&terms);
        {
            let mut shard = self.table.shard(self.shard.into());
            let mut own = self.terms();
            if !own.is_same_caller(&terms) {
                return Err(NotTheCaller);
            }
            if let Some(end) = self.end() {
                return Ok(Some(end));
            }
            shard.remove_index(self.slot, &own);
            shard.index(self.slot, &terms);
            *own = terms;
        }
        self.table.watch(until, false);
        self.check();
        Ok(self.end())
    }

    /// What may have ended it while it was inserted.
    fn check(&self) {
        let table = &self.table;
        let now = table.clock.now();
        let names = self.terms().names;
        self.end_if(|terms| {
            if terms.until <= now {
                return Some(LeaseEnd::Expired);
            }
            if !terms.issuer.is_live() {
                return Some(LeaseEnd::IssuerReplaced);
            }
            if !terms.authority.is_live() {
                return Some(LeaseEnd::KeyRemoved);
            }
            if terms.has_bad_status() {
                return Some(LeaseEnd::Status);
            }
            let concerns = |hash, revocation: &_| terms.is_concerned_by(hash, revocation);
            let revoked = table.list.find_revoking(names, concerns);
            revoked.map(LeaseEnd::Revoked)
        });
    }

    /// Ends it, where a reason is found.
    fn end_if(&self, reason: impl FnOnce(&mut LeaseTerms) -> Option<LeaseEnd>) {
        {
            let mut shard = self.table.shard(self.shard.into());
            if self.end().is_some() {
                return;
            }
            let mut terms = self.terms();
            let Some(end) = reason(&mut terms) else {
                return;
            };
            // Before it can be seen that it has ended.
            self.table.counters.count_end(end);
            let _ = self.end.set(end);
            shard.remove_index(self.slot, &terms);
        }
        self.wake_waiters();
    }

    fn terms(&self) -> MutexGuard<'_, LeaseTerms> {
        self.terms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiters(&self) -> MutexGuard<'_, Waiters> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for LeaseRecord {
    fn drop(&mut self) {
        if self.end().is_none() {
            self.table.counters.count_dropped();
        }
        let mut shard = self.table.shard(self.shard.into());
        shard.remove(self.slot, &self.terms());
    }
}

/// The terms are of another issuer, subject, client, actor or sender.
#[derive(Debug)]
pub(crate) struct NotTheCaller;

/// The task that ends leases by the clock.
struct Watch {
    table: Weak<LeaseTable>,
    clock: Arc<dyn Clock>,
    wake: Arc<Notify>,
    /// Since when the list is incomplete, by the monotonic clock.
    incomplete_since: Option<Duration>,
    #[cfg(feature = "status-list")]
    next_status_look: Duration,
}

/// When the task looks again.
enum NextLook {
    /// At this time of the monotonic clock, or when it is woken.
    At(Duration),
    /// There are no leases.
    WhenWoken,
}

impl Watch {
    fn over(table: &Arc<LeaseTable>) -> Self {
        Self {
            table: Arc::downgrade(table),
            clock: Arc::clone(&table.clock),
            wake: Arc::clone(&table.wake),
            incomplete_since: None,
            #[cfg(feature = "status-list")]
            next_status_look: Duration::ZERO,
        }
    }

    async fn run(mut self) {
        while let Some(next) = self.look() {
            let woken = self.wake.notified();
            match next {
                NextLook::At(at) => {
                    race(self.clock.sleep_until(at), woken).await;
                }
                NextLook::WhenWoken => woken.await,
            }
        }
    }

    /// Ends what is over. When to look again; `None` where the table is gone.
    fn look(&mut self) -> Option<NextLook> {
        let table = self.table.upgrade()?;
        let now = Now::of(&*self.clock);
        table.end_expired(now.wall);
        if table.list.is_complete() {
            self.incomplete_since = None;
        } else {
            let since = *self.incomplete_since.get_or_insert(now.monotonic);
            if now.monotonic.saturating_sub(since) >= table.outage_tolerance {
                table.end_each(Shard::all, |_| Some(LeaseEnd::Unavailable));
            }
        }
        #[cfg(feature = "status-list")]
        self.look_at_status(&table, now.monotonic);
        if table.counters.open() == 0 {
            self.incomplete_since = None;
            return Some(NextLook::WhenWoken);
        }
        let ends = (0..SHARDS).filter_map(|place| table.shard(place).first_end());
        let is_soon = ends.min() <= Some(now.wall.saturating_add(TICK));
        let pause = if is_soon { LAST_TICK } else { TICK };
        Some(NextLook::At(now.monotonic.saturating_add(pause)))
    }
}

#[cfg(feature = "status-list")]
impl Watch {
    /// Ends the leases for which no status list could be had for too long. Each look at a list keeps it
    /// fresh.
    fn look_at_status(&mut self, table: &LeaseTable, now: Duration) {
        if !table.has_status.load(Ordering::Relaxed) || now < self.next_status_look {
            return;
        }
        self.next_status_look = now.saturating_add(STATUS_TICK);
        table.end_each(Shard::all, |terms| {
            let lacks_list = terms.lacks_list_for(table.outage_tolerance, now);
            lacks_list.then_some(LeaseEnd::Unavailable)
        });
    }
}

impl Drop for Watch {
    /// Also where the runtime is shut down: the leases of another one start another task.
    fn drop(&mut self) {
        if let Some(table) = self.table.upgrade() {
            table.is_watched.store(false, Ordering::SeqCst);
            // What waits on another runtime starts another task.
            table.wake_waiters();
        }
    }
}

impl Drop for LeaseTable {
    fn drop(&mut self) {
        self.wake.notify_one();
    }
}
