//! The task that speaks with the store.
//!
//! 1. A round: is it the stream that we know, what has it for us, what have we for it, and once
//!    more, until both are at their end. A connection first asks what kind of store it is, and what
//!    it drops.
//! 2. Between rounds it waits, on a connection of its own, for the next place of the stream; or for
//!    a change here; or for a caller that asks.
//! 3. A store that refuses what is written, and a list that is full, are failures that the status
//!    tells; the task goes on reading and listening. Any other failure ends both connections. The
//!    next attempt begins after a pause by the server's clock, or as soon as a caller asks.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::runtime::jwks::key_store::NoRuntime;
use crate::runtime::revocation::timed_entry::{AFTERLIFE, ClockReading, MonotonicSpan};
use crate::runtime::shared::codec;
use crate::runtime::shared::redis::{Connection, Entry, StoreError, StreamId};
use crate::runtime::shared::replica::{ListUpdate, Replica, SyncMessage};
use crate::runtime::shared::stream_page::PageSize;
use crate::runtime::shared::sync::{
    RevocationSync, StoreKeys, SyncFailure, SyncState, Unsupported, check_eviction,
};
use crate::runtime::util::select::{Either, race};
use crate::verify::crypto::random::random_u128;

/// So long the store keeps us waiting for news before it is asked how it is; real time.
const LISTEN_TIME: Duration = Duration::from_secs(5);

/// Ten million entries: a stream without an end.
const MOST_ENTRIES: usize = 10_000_000;

/// Notices that are written at once.
const BATCH: usize = 256;

/// After so many changes other tasks of the thread have their turn.
const CHANGES_AT_ONCE: usize = 256;

/// After so many passes the stream was read to its end as often, though there is still news.
const MOST_PASSES: usize = 32;

/// What has ended is looked for this often.
const TIDYING: Duration = Duration::from_secs(60);

/// What has ended is forgotten this often: each time the whole ledger is gone through.
const FORGETTING: Duration = Duration::from_secs(600);

/// A wall clock that has lost as much against the monotonic one was set back.
const SET_BACK: Duration = Duration::from_secs(60);

/// A stream whose last place is so far ahead of the store's own clock was tampered with.
const FAR_AHEAD: Duration = Duration::from_secs(24 * 3600);

/// A stream is given up no more often than this.
const RENEWING: Duration = Duration::from_secs(60);

impl RevocationSync {
    /// Spawns the task on the current runtime, unless it runs already.
    pub(crate) fn start(&self) -> Result<(), NoRuntime> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| NoRuntime)?;
        if !self.hub.begin() {
            return Ok(());
        }
        let longest = self.hub.realms.values().max();
        let task = SyncTask {
            longest_life: longest.copied().unwrap_or_default(),
            stream: self.hub.keys.stream(b""),
            ledger: Replica::new(),
            page: PageSize::new(),
            wanted: 0,
            has_read: false,
            epoch: None,
            last_moment: None,
            store_millis: 0,
            may_ask_time: true,
            may_delete: true,
            tidied_at: self.hub.clock.monotonic(),
            forgot_at: self.hub.clock.monotonic(),
            renewed_at: None,
            hub: Arc::clone(&self.hub),
        };
        runtime.spawn(task.run(self.alive.subscribe()));
        if self.hub.has_patience() {
            let hub = Arc::clone(&self.hub);
            runtime.spawn(watch_patience(hub, self.alive.subscribe()));
        }
        Ok(())
    }
}

/// Sees to it that no token is found clean when the store was not heard of for too long.
async fn watch_patience(hub: Arc<SyncState>, mut alive: watch::Receiver<()>) {
    let mut progress = hub.progress.subscribe();
    let watching = async {
        loop {
            let end = hub.patience_ends();
            let due = async {
                match end {
                    Some(at) => hub.clock.sleep_until(at).await,
                    None => pending().await,
                }
            };
            race(due, progress.changed()).await;
            hub.lose_patience();
        }
    };
    let _: Either<Infallible, ()> = race(watching, closed(&mut alive)).await;
}

/// Ends when the handle is gone.
async fn closed(alive: &mut watch::Receiver<()>) {
    while alive.changed().await.is_ok() {}
}

struct SyncTask {
    hub: Arc<SyncState>,
    ledger: Replica,
    /// The name of the present epoch's stream.
    stream: String,
    /// How long any revocation of our issuers lasts at most.
    longest_life: Duration,
    page: PageSize,
    /// What this attempt is the answer to.
    wanted: u64,
    /// Whether the stream was read to its end once.
    has_read: bool,
    epoch: Option<Vec<u8>>,
    last_moment: Option<ClockReading>,
    /// The store's clock when it was last asked, or the last place of the stream.
    store_millis: u64,
    may_ask_time: bool,
    may_delete: bool,
    tidied_at: Duration,
    forgot_at: Duration,
    renewed_at: Option<Duration>,
}

/// News, or the end of the time for them.
type StreamEntries = Pin<Box<dyn Future<Output = Result<Vec<Entry>, StoreError>> + Send>>;

impl SyncTask {
    async fn run(mut self, mut alive: watch::Receiver<()>) {
        // What was known before counts as revoked here, and a change that was noted is newer.
        for (number, entry) in self.hub.list.live().into_iter().enumerate() {
            self.hub.journal.push_present(entry);
            give_way(number).await;
        }
        let _: Either<Infallible, ()> = race(self.attempts(), closed(&mut alive)).await;
    }

    async fn attempts(&mut self) -> Infallible {
        loop {
            self.wanted = self.hub.wanted();
            let failure = match self.serve().await {
                Err(failure) => failure,
                Ok(never) => return never,
            };
            // However long the store is away, the journal is no longer than the list.
            let heard = if self.has_read {
                self.hear().await
            } else {
                Ok(())
            };
            let failure = heard.err().unwrap_or(failure);
            let pause = self.hub.fail(self.wanted, &failure, self.ledger.backlog());
            let until = self.hub.clock.monotonic().saturating_add(pause);
            let asked = self.hub.asked.notified();
            race(self.hub.clock.sleep_until(until), asked).await;
        }
    }

    async fn serve(&mut self) -> Result<Infallible, SyncFailure> {
        let hub = Arc::clone(&self.hub);
        let mut store = hub.address.connect().await?;
        check_mode(store.mode().await?.as_deref())?;
        check_eviction(store.eviction_policy().await?)?;
        let listener = hub.address.connect().await?;
        let mut news: Option<StreamEntries> = None;
        loop {
            self.wanted = hub.wanted();
            let refused = self.round(&mut store).await?;
            let full = || hub.list.is_overfull().then_some(SyncFailure::Full);
            match refused.or_else(full) {
                None => hub.confirm(self.wanted),
                Some(failure) => {
                    hub.fail(self.wanted, &failure, self.ledger.backlog());
                }
            }
            let mut listening = news.take().unwrap_or_else(|| self.listen(&listener));
            let here = race(hub.journal.written.notified(), hub.asked.notified());
            match race(&mut listening, here).await {
                // A stream that vanishes is told as an error. The round finds out.
                Either::First(Err(error)) if !error.is_refusal() => return Err(error.into()),
                Either::First(_) => {}
                Either::Second(_) => news = Some(listening),
            }
        }
    }

    /// Waits for the next place of the stream. What it holds is read in the round.
    fn listen(&self, listener: &Connection) -> StreamEntries {
        let (mut listener, after) = (listener.clone(), self.ledger.cursor());
        let stream = self.stream.clone();
        Box::pin(async move { listener.read(&stream, after, 1, Some(LISTEN_TIME)).await })
    }

    /// What the store has refused to write, if anything; what could be read was.
    async fn round(&mut self, store: &mut Connection) -> Result<Option<SyncFailure>, SyncFailure> {
        let mut refused = None;
        for _ in 0..MOST_PASSES {
            let since = self.hub.clock.monotonic();
            self.compare(store).await?;
            self.read(store).await?;
            self.ledger.reached_end(self.hub.clock.now());
            self.hub.heard(since);
            match self.write(store).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(failure) if failure.is_refusal() => {
                    // The stream may have come to its end since it was looked at.
                    if !store.last_place(&self.stream).await?.is_last() {
                        refused = Some(failure);
                        break;
                    }
                }
                Err(failure) => return Err(failure),
            }
        }
        // Also where nothing can be written: what is dropped makes room.
        match self.tidy(store).await {
            Err(failure) if failure.is_refusal() => refused = refused.or(Some(failure)),
            outcome => outcome?,
        }
        Ok(refused)
    }

    /// Reads from the start what is not the stream that was read before, and again when the wall
    /// clock was set back: what had ended may count again.
    async fn compare(&mut self, store: &mut Connection) -> Result<(), SyncFailure> {
        let hub = Arc::clone(&self.hub);
        let candidate = format!("{:032x}", random_u128().ok_or(SyncFailure::Crypto)?);
        let mut epoch = store.settle(&hub.keys.epoch, &candidate).await?;
        let mut stream = hub.keys.stream(&epoch);
        let last = if let Some(last) = self.last_place(store, &stream).await? {
            last
        } else {
            epoch = self.renew(store, &epoch).await?;
            stream = hub.keys.stream(&epoch);
            store.last_place(&stream).await?
        };
        self.store_millis = self.store_millis.max(last.millis());
        let is_known = self.epoch.as_ref() == Some(&epoch)
            && !self.was_set_back()
            && last >= self.ledger.cursor()
            && match self.ledger.anchor(hub.clock.now()) {
                Some(anchor) => store.holds(&stream, anchor).await?,
                None => true,
            };
        if !is_known {
            self.ledger.restart();
            self.epoch = Some(epoch);
            self.stream = stream;
        }
        Ok(())
    }

    /// The last place of a stream; `None` where it is to be given up: it has given out its last id,
    /// one that the store's clock is years away from, or is no stream at all.
    async fn last_place(
        &mut self,
        store: &mut Connection,
        stream: &str,
    ) -> Result<Option<StreamId>, SyncFailure> {
        let millis = if self.may_ask_time {
            store.time().await?
        } else {
            None
        };
        self.may_ask_time = millis.is_some();
        self.store_millis = millis.unwrap_or_default();
        let last = match store.last_place(stream).await {
            Ok(last) => last,
            Err(error) if error.is_wrong_type() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let far_ahead = u64::try_from(FAR_AHEAD.as_millis()).unwrap_or(u64::MAX);
        let is_ahead = millis.is_some_and(|now| last.millis() > now.saturating_add(far_ahead));
        Ok((!last.is_last() && !is_ahead).then_some(last))
    }

    /// Gives up the stream of an epoch, unless another instance has.
    async fn renew(
        &mut self,
        store: &mut Connection,
        broken: &[u8],
    ) -> Result<Vec<u8>, SyncFailure> {
        let hub = Arc::clone(&self.hub);
        let now = hub.clock.monotonic();
        let settled = store.settle(&hub.keys.epoch, "").await?;
        if settled != broken {
            return Ok(settled);
        }
        let is_early = |at: Duration| now < at.saturating_add(RENEWING);
        if self.renewed_at.is_some_and(is_early) {
            return Err(SyncFailure::Broken);
        }
        self.renewed_at = Some(now);
        let epoch = StoreKeys::renewed(random_u128().ok_or(SyncFailure::Crypto)?);
        store.set(&hub.keys.epoch, &epoch).await?;
        hub.renewed();
        // Of several instances that have found out at once, the last counts.
        Ok(store.settle(&hub.keys.epoch, &epoch).await?)
    }

    /// Whether the wall clock was set back since it was last looked at. Then the list is told again
    /// as well: what was loaded as ended may be in force.
    fn was_set_back(&mut self) -> bool {
        let now = self.now();
        let was_set_back = self.last_moment.replace(now).is_some_and(|last| {
            let passed = now.monotonic.saturating_sub(last.monotonic);
            now.wall.saturating_add(SET_BACK) < last.wall.saturating_add(passed)
        });
        if was_set_back {
            for entry in self.hub.list.live() {
                self.hub.journal.push_present(entry);
            }
        }
        was_set_back
    }

    async fn read(&mut self, store: &mut Connection) -> Result<(), SyncFailure> {
        let mut count = 0;
        while count < MOST_ENTRIES {
            let before = self.ledger.cursor();
            let most = self.page.entries();
            let page = match store.read(&self.stream, before, most, None).await {
                Ok(page) => page,
                Err(error) => {
                    // It may have been too large for the time or the connection.
                    self.page.failed();
                    return Err(error.into());
                }
            };
            let (length, is_last) = (page.len(), page.len() < most);
            let bytes = page.iter().flat_map(|(_, sealed)| sealed).map(Vec::len);
            self.page.came(length, bytes.sum());
            count += length;
            // A withdrawal from here must not take back what it knew nothing of. At first there is
            // nothing that it could, and what others know already need not be told again.
            if self.has_read {
                self.hear().await?;
            }
            for (at, sealed) in page {
                let notice = sealed.and_then(|sealed| self.open(&sealed));
                let age = self.age_of(at);
                let until = self.needed_until(self.longest_life.saturating_sub(age));
                for effect in self.ledger.read(at, notice, until) {
                    self.apply(effect, age);
                }
            }
            if is_last {
                self.has_read = true;
                return Ok(());
            }
            if self.ledger.cursor() <= before {
                break;
            }
        }
        Err(SyncFailure::Endless)
    }

    /// Opened whenever it ends: by which clock, the ledger and the list judge.
    fn open(&self, sealed: &[u8]) -> Option<SyncMessage> {
        let about: &[&[u8]] = &[self.stream.as_bytes()];
        let (text, end) = self.hub.seals.open_whenever(about, sealed)?;
        codec::read(&text, end)
    }

    /// How long the store has held what lies at this place, by its own clock, as far as we know it.
    const fn age_of(&self, at: StreamId) -> Duration {
        Duration::from_millis(self.store_millis.saturating_sub(at.millis()))
    }

    /// When what tokens can outlive for so long need not be known any more.
    fn needed_until(&self, left: Duration) -> Duration {
        let now = self.hub.clock.monotonic();
        now.saturating_add(left).saturating_add(AFTERLIFE)
    }

    fn apply(&mut self, effect: ListUpdate, age: Duration) {
        let hub = &self.hub;
        match effect {
            ListUpdate::TakeIn(entry) => {
                let Some(life) = hub.realms.get(entry.revocation().issuer()) else {
                    return;
                };
                let (wall, end) = (hub.clock.now(), entry.ends_at());
                let rest = life.saturating_sub(age);
                if wall < end {
                    hub.list
                        .take_in(entry, MonotonicSpan::until(end, wall, *life));
                } else if !rest.is_zero() || wall < end.saturating_add(AFTERLIFE) {
                    // It has ended by our clock, and the store has held it for less than tokens
                    // live: the clock of one of us is wrong, so it holds for the rest of that.
                    hub.list.take_in(entry, MonotonicSpan::lasting(rest));
                }
            }
            ListUpdate::TakeOut(revocation) => {
                // INVARIANT: what was revoked here meanwhile stays.
                let again = || hub.journal.revokes(&revocation);
                hub.list.take_out(&revocation, again);
            }
        }
    }

    /// Enters into the ledger what was changed here.
    async fn hear(&mut self) -> Result<(), SyncFailure> {
        let mut number = 0;
        while let Some(changes) = self.hub.journal.next() {
            let until = self.needed_until(self.longest_life);
            let effect = changes
                .withdrawn
                .and_then(|revocation| self.ledger.withdraw(&revocation, until));
            match (changes.added, effect) {
                (None, Some(effect)) => self.apply(effect, Duration::ZERO),
                (Some(added), _) if self.ledger.covers(&added.entry) => {}
                (Some(added), _) if added.is_loaded && self.ledger.has_withdrawn(&added.entry) => {
                    // The snapshot is older than the withdrawal.
                    let revocation = added.entry.revocation();
                    if !self.ledger.revokes(revocation) {
                        self.apply(ListUpdate::TakeOut(revocation.clone()), Duration::ZERO);
                    }
                }
                (Some(added), _) => {
                    let fresh = random_u128().ok_or(SyncFailure::Crypto)?;
                    self.ledger.revoke(fresh, &added.entry, until);
                }
                (None, None) => {}
            }
            number += 1;
            give_way(number).await;
        }
        Ok(())
    }

    /// Writes what is to be written. Whether there was anything.
    async fn write(&mut self, store: &mut Connection) -> Result<bool, SyncFailure> {
        let hub = Arc::clone(&self.hub);
        self.hear().await?;
        let mut wrote = false;
        while self.ledger.backlog() > 0 {
            let about: &[&[u8]] = &[self.stream.as_bytes()];
            let seal = |notice: &SyncMessage| {
                let text = codec::write(notice);
                hub.seals.seal(about, notice.end(), text.as_bytes())
            };
            let batch = self.ledger.waiting(BATCH);
            let sealed: Option<Vec<Vec<u8>>> = batch.notices.iter().map(seal).collect();
            let sealed = sealed.ok_or(SyncFailure::Crypto)?;
            if !sealed.is_empty() {
                store.append(&self.stream, &sealed).await?;
                wrote = true;
            }
            self.ledger.written(batch.taken);
        }
        Ok(wrote)
    }

    /// Drops what has ended or was replaced, here and there.
    async fn tidy(&mut self, store: &mut Connection) -> Result<(), SyncFailure> {
        let now = self.now();
        if now.monotonic < self.tidied_at.saturating_add(TIDYING) {
            return Ok(());
        }
        self.tidied_at = now.monotonic;
        if now.monotonic >= self.forgot_at.saturating_add(FORGETTING) {
            self.forgot_at = now.monotonic;
            self.ledger.forget(now);
        }
        if let Some(first) = self.ledger.first_needed(now) {
            store.trim(&self.stream, first).await?;
        }
        while self.may_delete {
            let places = self.ledger.take_replaced(BATCH);
            if places.is_empty() {
                break;
            }
            match store.delete(&self.stream, &places).await {
                Ok(()) => {}
                // It is a command that the store's user may not have.
                Err(error) if error.is_refusal() => self.may_delete = false,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn now(&self) -> ClockReading {
        ClockReading {
            wall: self.hub.clock.now(),
            monotonic: self.hub.clock.monotonic(),
        }
    }
}

impl Drop for SyncTask {
    /// Also when the runtime is shut down under the task.
    fn drop(&mut self) {
        self.hub.end();
    }
}

/// Lets other tasks of the thread have their turn, every now and then.
async fn give_way(number: usize) {
    if number % CHANGES_AT_ONCE == CHANGES_AT_ONCE - 1 {
        tokio::task::yield_now().await;
    }
}

/// Whether a server of this kind holds all keys.
fn check_mode(mode: Option<&str>) -> Result<(), SyncFailure> {
    match mode {
        Some("sentinel") => Err(SyncFailure::Unsupported(Unsupported::Sentinel)),
        Some("cluster") => Err(SyncFailure::Unsupported(Unsupported::Cluster)),
        _ => Ok(()),
    }
}
