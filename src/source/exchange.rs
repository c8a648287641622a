//! The task that speaks with the store.
//!
//! 1. A round: is it the stream that we know, what has it for us, what have we for it, and once
//!    more, until both are at their end. A connection first asks what the store drops.
//! 2. Between rounds it waits, on a connection of its own, for the next place of the stream; or for
//!    a change here; or for somebody who asks.
//! 3. Any failure ends both connections. The next attempt begins after a pause by the server's
//!    clock, or as soon as somebody asks.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::jwks::NoRuntime;
use super::ledger::{Effect, Ledger, Notice};
use super::letter;
use super::race::{Either, race};
use super::revocation::Change;
use super::revoked::RevocationEntry;
use super::sharing::{Failure, Hub, Sharing, check_eviction};
use super::store::{Connection, Entry, StoreError};
use crate::model::time::UnixTime;
use crate::verify::crypto::random_u128;

/// So long the store keeps us waiting for news before it is asked how it is; real time.
const LISTEN_TIME: Duration = Duration::from_secs(5);

/// Entries of one page of the stream.
const PAGE: usize = 1000;

/// Ten million entries: a stream without an end.
const MOST_PAGES: usize = 10_000;

/// Notices that are written at once.
const BATCH: usize = 256;

/// Who still finds news after so many passes has at least read to the end as often.
const MOST_PASSES: usize = 32;

/// What has ended is kept for this long: clocks differ, and one that is set back brings back
/// tokens.
const AFTERLIFE: Duration = Duration::from_secs(3600);

/// No token lives longer, so no seal of ours ends later.
const LONGEST_LIFE: Duration = Duration::from_secs(400 * 24 * 3600);

/// What has ended is looked for this often.
const TIDYING: Duration = Duration::from_secs(60);

impl Sharing {
    /// Spawns the task on the current runtime, unless it runs already.
    pub(crate) fn start(&self) -> Result<(), NoRuntime> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| NoRuntime)?;
        if !self.hub.begin() {
            return Ok(());
        }
        let task = Task {
            hub: Arc::clone(&self.hub),
            ledger: Ledger::new(),
            untaken: Vec::new(),
            wanted: 0,
            has_read: false,
            epoch: None,
            tidied_at: self.hub.clock.monotonic(),
        };
        runtime.spawn(task.run(self.alive.subscribe()));
        if self.hub.has_patience() {
            let hub = Arc::clone(&self.hub);
            runtime.spawn(watch_patience(hub, self.alive.subscribe()));
        }
        Ok(())
    }
}

/// Sees to it that nobody is found clean when the store was not heard of for too long.
async fn watch_patience(hub: Arc<Hub>, mut alive: watch::Receiver<()>) {
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

struct Task {
    hub: Arc<Hub>,
    ledger: Ledger,
    /// What the list had no room for.
    untaken: Vec<RevocationEntry>,
    /// What this attempt is the answer to.
    wanted: u64,
    /// Whether the stream was read to its end once.
    has_read: bool,
    epoch: Option<Vec<u8>>,
    tidied_at: Duration,
}

/// News, or the end of the time for them.
type News = Pin<Box<dyn Future<Output = Result<Vec<Entry>, StoreError>> + Send>>;

impl Task {
    async fn run(mut self, mut alive: watch::Receiver<()>) {
        // What was known before counts as revoked here, and whatever was noted is part of it.
        self.hub.journal.clear();
        for entry in self.hub.list.live(self.hub.clock.now()) {
            self.hub.journal.push(Change::Added((*entry).clone()));
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
            let pause = self.hub.fail(self.wanted, failure, self.ledger.backlog());
            let until = self.hub.clock.monotonic().saturating_add(pause);
            let asked = self.hub.asked.notified();
            race(self.hub.clock.sleep_until(until), asked).await;
        }
    }

    async fn serve(&mut self) -> Result<Infallible, Failure> {
        let hub = Arc::clone(&self.hub);
        let mut store = hub.address.connect().await?;
        check_eviction(store.eviction_policy().await?)?;
        let listener = hub.address.connect().await?;
        let mut news: Option<News> = None;
        loop {
            self.wanted = hub.wanted();
            let since = hub.clock.monotonic();
            self.round(&mut store).await?;
            hub.confirm(self.wanted, since);
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
    fn listen(&self, listener: &Connection) -> News {
        let (mut listener, after) = (listener.clone(), self.ledger.cursor());
        let stream = self.hub.keys.stream.clone();
        Box::pin(async move { listener.read(&stream, after, 1, Some(LISTEN_TIME)).await })
    }

    async fn round(&mut self, store: &mut Connection) -> Result<(), Failure> {
        for _ in 0..MOST_PASSES {
            self.compare(store).await?;
            self.read(store).await?;
            self.ledger.reached_end(self.hub.clock.now());
            if !self.write(store).await? {
                break;
            }
        }
        self.tidy(store).await
    }

    /// Reads from the start what is not the stream that was read before.
    async fn compare(&mut self, store: &mut Connection) -> Result<(), Failure> {
        let keys = &self.hub.keys;
        let candidate = format!("{:032x}", random_u128().ok_or(Failure::Crypto)?);
        let epoch = store.settle(&keys.epoch, &candidate).await?;
        let is_known = self.epoch.as_ref() == Some(&epoch)
            && store.last_place(&keys.stream).await? >= self.ledger.cursor()
            && match self.ledger.anchor(self.hub.clock.now()) {
                Some(anchor) => store.holds(&keys.stream, anchor).await?,
                None => true,
            };
        if !is_known {
            self.ledger.restart();
            self.epoch = Some(epoch);
        }
        Ok(())
    }

    async fn read(&mut self, store: &mut Connection) -> Result<(), Failure> {
        let hub = Arc::clone(&self.hub);
        for _ in 0..MOST_PAGES {
            let before = self.ledger.cursor();
            let page = store.read(&hub.keys.stream, before, PAGE, None).await?;
            let is_last = page.len() < PAGE;
            // A withdrawal from here must not take back what it knew nothing of. At first there is
            // nothing that it could, and what others know already need not be told again.
            if self.has_read {
                self.hear()?;
            }
            for (at, sealed) in page {
                let notice = sealed.and_then(|sealed| self.open(&sealed));
                for effect in self.ledger.read(at, notice) {
                    self.apply(effect);
                }
            }
            self.make_room()?;
            if is_last {
                self.has_read = true;
                return Ok(());
            }
            if self.ledger.cursor() <= before {
                break;
            }
        }
        Err(Failure::Endless)
    }

    fn open(&self, sealed: &[u8]) -> Option<Notice> {
        let now = self.hub.clock.now();
        let (text, end) = self.hub.seals.open(
            &[self.hub.keys.stream.as_bytes()],
            sealed,
            now.saturating_sub(AFTERLIFE),
            LONGEST_LIFE,
        )?;
        letter::read(&text, end)
    }

    fn apply(&mut self, effect: Effect) {
        let hub = &self.hub;
        match effect {
            Effect::TakeIn(entry) => {
                let is_ours = hub.realms.contains(entry.revocation().issuer());
                if is_ours && hub.list.take_in(entry.clone(), hub.clock.now()).is_err() {
                    self.untaken.push(entry);
                }
            }
            Effect::TakeOut(revocation) => {
                self.untaken
                    .retain(|entry| !entry.revocation().is_about_the_same(&revocation));
                // INVARIANT: what was revoked here meanwhile stays.
                let again = || hub.journal.revokes(&revocation);
                let now = hub.clock.now();
                hub.list.take_out(&revocation, now, again);
            }
        }
    }

    /// INVARIANT: nothing is confirmed while something does not fit into the list.
    fn make_room(&mut self) -> Result<(), Failure> {
        let (list, now) = (&self.hub.list, self.hub.clock.now());
        self.untaken
            .retain(|entry| now < entry.ends_at() && list.take_in(entry.clone(), now).is_err());
        if self.untaken.is_empty() {
            Ok(())
        } else {
            Err(Failure::Full)
        }
    }

    /// Enters into the ledger what was changed here.
    fn hear(&mut self) -> Result<(), Failure> {
        loop {
            let id = random_u128().ok_or(Failure::Crypto)?;
            match self.hub.journal.next() {
                None => return Ok(()),
                Some(Change::Added(entry)) if self.ledger.covers(&entry) => {}
                Some(Change::Added(entry)) => self.ledger.revoke(id, entry),
                Some(Change::Withdrawn(revocation)) => {
                    if let Some(effect) = self.ledger.withdraw(&revocation) {
                        self.apply(effect);
                    }
                }
            }
        }
    }

    /// Writes what is to be written. Whether there was anything.
    async fn write(&mut self, store: &mut Connection) -> Result<bool, Failure> {
        let hub = Arc::clone(&self.hub);
        let about = hub.keys.stream.as_bytes();
        self.hear()?;
        let mut wrote = false;
        while self.ledger.backlog() > 0 {
            let seal = |notice: &Notice| {
                let text = letter::write(notice);
                hub.seals.seal(&[about], notice.end(), text.as_bytes())
            };
            let sealed: Option<Vec<Vec<u8>>> = self.ledger.waiting(BATCH).map(seal).collect();
            let sealed = sealed.ok_or(Failure::Crypto)?;
            store.append(&hub.keys.stream, &sealed).await?;
            self.ledger.written(sealed.len());
            wrote = true;
        }
        Ok(wrote)
    }

    /// Drops what has ended, here and there.
    async fn tidy(&mut self, store: &mut Connection) -> Result<(), Failure> {
        let now = self.hub.clock.monotonic();
        if now < self.tidied_at.saturating_add(TIDYING) {
            return Ok(());
        }
        self.tidied_at = now;
        let then: UnixTime = self.hub.clock.now().saturating_sub(AFTERLIFE);
        self.ledger.forget(then);
        if let Some(first) = self.ledger.first_needed(then) {
            store.trim(&self.hub.keys.stream, first).await?;
        }
        Ok(())
    }
}

impl Drop for Task {
    /// Also when the runtime is shut down under the task.
    fn drop(&mut self) {
        self.hub.end();
    }
}
