//! What issuers said of tokens, shared among instances.
//!
//! 1. It spares the issuer a question and is never needed: whatever goes wrong with the store is a
//!    miss, and after a failure the store is left alone for a while.
//! 2. An answer is kept as it came, under seal, bound to the issuer, to the rules by which it was
//!    asked for and to the token. Whoever finds it judges it by its own rules, as if it had come
//!    from the issuer at the time when it did.
//! 3. An answer ends when it would have ended where it was received, or earlier where it is found.
//! 4. The store learns a keyed digest in place of the token.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::model::time::UnixTime;
use crate::runtime::clock::Clock;
use crate::runtime::shared::store::address::Address;
use crate::runtime::shared::store::redis::{Connection, StoreError};
use crate::runtime::util::backoff::Backoff;
use crate::verify::crypto::sealed::{SealedBox, joined};

/// After a failure the store is left alone for this long, and after each further one for twice as
/// long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Clocks of instances differ by as much.
const SKEW: Duration = Duration::from_secs(30);

/// No answer is remembered longer, so no seal of ours ends later.
const LONGEST_LIFE: Duration = Duration::from_secs(300 + 30);

/// The time at which an answer was asked for, before its text.
const TIME_BYTES: usize = 8;

/// A question to an issuer.
#[derive(Clone, Copy)]
struct SharedQuery<'a> {
    issuer: &'a [u8],
    /// Everything that decides how the issuer is asked, and as whom.
    policy: &'a [u8],
    token: &'a [u8],
}

/// What an issuer said, and when it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::runtime) struct SharedResponse {
    pub(in crate::runtime) text: Vec<u8>,
    pub(in crate::runtime) asked_at: UnixTime,
}

/// The answers of one issuer, asked in one way.
pub(crate) struct IssuerCache {
    answers: Arc<SharedIntrospectionCache>,
    issuer: Arc<str>,
    policy: Vec<u8>,
    /// How long an answer is good here.
    life: Duration,
}

impl IssuerCache {
    /// `policy` is everything that decides how the issuer is asked, and as whom.
    pub(crate) fn new(
        answers: &Arc<SharedIntrospectionCache>,
        issuer: &Arc<str>,
        policy: &[&[u8]],
        life: Duration,
    ) -> Self {
        Self {
            answers: Arc::clone(answers),
            issuer: Arc::clone(issuer),
            policy: joined(policy),
            life,
        }
    }

    /// What another instance was told of this token.
    pub(in crate::runtime) async fn find(&self, token: &str) -> Option<SharedResponse> {
        self.answers.get(self.question(token), self.life).await
    }

    /// Tells the others what the issuer said of this token, and until when it is good.
    pub(in crate::runtime) async fn keep(
        &self,
        token: &str,
        heard: &SharedResponse,
        end: UnixTime,
    ) {
        self.answers.put(self.question(token), heard, end).await;
    }

    fn question<'a>(&'a self, token: &'a str) -> SharedQuery<'a> {
        SharedQuery {
            issuer: self.issuer.as_bytes(),
            policy: &self.policy,
            token: token.as_bytes(),
        }
    }
}

/// The answers in the store.
pub(crate) struct SharedIntrospectionCache {
    address: Address,
    seals: SealedBox,
    prefix: String,
    clock: Arc<dyn Clock>,
    patience: Duration,
    link: Arc<Mutex<ConnectionState>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

struct ConnectionState {
    connection: Option<Connection>,
    connecting: bool,
    backoff: Backoff,
    /// By the monotonic clock.
    not_before: Duration,
    last_error: Option<StoreError>,
}

impl ConnectionState {
    fn new() -> Self {
        Self {
            connection: None,
            connecting: false,
            backoff: Backoff::new(FIRST_PAUSE, LONGEST_PAUSE),
            not_before: Duration::ZERO,
            last_error: None,
        }
    }

    fn opened(&mut self, outcome: Result<Connection, StoreError>, now: Duration) {
        self.connecting = false;
        match outcome {
            Ok(connection) => self.connection = Some(connection),
            Err(error) => self.failed(error, now),
        }
    }

    fn failed(&mut self, error: StoreError, now: Duration) {
        self.connection = None;
        self.not_before = now.saturating_add(self.backoff.failed());
        self.last_error = Some(error);
    }

    fn worked(&mut self) {
        self.backoff.reset();
        self.last_error = None;
    }
}

impl SharedIntrospectionCache {
    /// Answers below names of this prefix; a look-up waits for this long.
    pub(crate) fn new(
        address: Address,
        seals: SealedBox,
        prefix: String,
        clock: Arc<dyn Clock>,
        patience: Duration,
    ) -> Self {
        Self {
            address,
            seals,
            prefix,
            clock,
            patience,
            link: Arc::new(Mutex::new(ConnectionState::new())),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// Connects, so that the first question need not go without.
    pub(crate) async fn open(&self) {
        if self.may_connect() {
            // It ends by itself, and whether it succeeds is no concern of whoever waits.
            let _ = self.connect().await;
        }
    }

    async fn get(&self, question: SharedQuery<'_>, life: Duration) -> Option<SharedResponse> {
        let found = self.look_up(question, life).await;
        let counter = if found.is_some() {
            &self.hits
        } else {
            &self.misses
        };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    async fn look_up(&self, question: SharedQuery<'_>, life: Duration) -> Option<SharedResponse> {
        let name = self.name(question);
        let mut connection = self.connection()?;
        let outcome = connection.get(&self.key(&name), self.patience).await;
        let sealed = self.noted(outcome)??;
        let now = self.clock.now();
        let about = about(question, &name);
        let (opened, _) = self.seals.open(&about, &sealed, now, LONGEST_LIFE)?;
        let (time, text) = opened.split_first_chunk::<TIME_BYTES>()?;
        let asked_at = UnixTime::from_secs(i64::from_be_bytes(*time));
        // Its times are counted from then: one from a clock that is far ahead would last longer.
        let is_good = asked_at <= now.saturating_add(SKEW) && now < asked_at.saturating_add(life);
        is_good.then(|| SharedResponse {
            text: text.to_vec(),
            asked_at,
        })
    }

    async fn put(&self, question: SharedQuery<'_>, heard: &SharedResponse, end: UnixTime) {
        let left = end.as_secs().saturating_sub(self.clock.now().as_secs());
        let life = Duration::from_secs(u64::try_from(left).unwrap_or_default());
        let Some(mut connection) = self.connection().filter(|_| !life.is_zero()) else {
            return;
        };
        let name = self.name(question);
        let text = [&heard.asked_at.as_secs().to_be_bytes()[..], &heard.text].concat();
        if let Some(sealed) = self.seals.seal(&about(question, &name), end, &text) {
            let key = self.key(&name);
            let outcome = connection.put(&key, &sealed, life, self.patience).await;
            self.noted(outcome);
        }
    }

    /// Looks that found an answer, looks that did not, and why the store failed last.
    pub(crate) fn fares(&self) -> (u64, u64, Option<StoreError>) {
        let (hits, misses) = (&self.hits, &self.misses);
        (
            hits.load(Ordering::Relaxed),
            misses.load(Ordering::Relaxed),
            lock(&self.link).last_error.clone(),
        )
    }

    fn name(&self, question: SharedQuery<'_>) -> String {
        let SharedQuery {
            issuer,
            policy,
            token,
        } = question;
        self.seals.name(&[issuer, policy, token])
    }

    fn key(&self, name: &str) -> String {
        format!("{}:answer:{name}", self.prefix)
    }

    /// The connection. Where there is none, one is opened, and this question goes without.
    fn connection(&self) -> Option<Connection> {
        let connection = lock(&self.link).connection.clone();
        if connection.is_none() && self.may_connect() {
            drop(self.connect());
        }
        connection
    }

    /// In a task of its own: nobody who goes away leaves it half done.
    fn connect(&self) -> JoinHandle<()> {
        let (address, link) = (self.address.clone(), Arc::clone(&self.link));
        let clock = Arc::clone(&self.clock);
        tokio::spawn(async move {
            let outcome = Connection::open(&address).await;
            // A clock is the application's code, which runs under no lock of ours.
            let now = clock.monotonic();
            lock(&link).opened(outcome, now);
        })
    }

    fn may_connect(&self) -> bool {
        let now = self.clock.monotonic();
        let mut link = lock(&self.link);
        let is_due = now >= link.not_before;
        let may = link.connection.is_none() && !link.connecting && is_due;
        link.connecting |= may;
        may
    }

    fn noted<T>(&self, outcome: Result<T, StoreError>) -> Option<T> {
        match outcome {
            Ok(value) => {
                lock(&self.link).worked();
                Some(value)
            }
            Err(error) => {
                let now = self.clock.monotonic();
                let mut link = lock(&self.link);
                // Of many that fail with one connection, one counts.
                if link.connection.is_some() {
                    link.failed(error, now);
                }
                None
            }
        }
    }
}

fn about<'a>(question: SharedQuery<'a>, name: &'a str) -> [&'a [u8]; 3] {
    [question.issuer, question.policy, name.as_bytes()]
}

fn lock(link: &Mutex<ConnectionState>) -> MutexGuard<'_, ConnectionState> {
    // Nothing that is done under the lock leaves it half done.
    link.lock().unwrap_or_else(PoisonError::into_inner)
}
