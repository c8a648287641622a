//! Introspection responses that instances share through the store.
//!
//! 1. The cache is optional: any failure of the store is a miss, and is followed by a backoff.
//! 2. A response is stored as received, encrypted, and bound to the issuer, to the settings of the
//!    request and to the token. The instance that finds it interprets it by its own settings, as if
//!    the issuer had sent it at the time when it did.
//! 3. A response ends when it would have ended where it was received, or earlier where it is found.
//! 4. The store gets a keyed digest in place of the token.

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

/// Bounds of the backoff.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The largest difference between the clocks of instances.
const SKEW: Duration = Duration::from_secs(30);

/// The longest life of a stored response.
const LONGEST_LIFE: Duration = Duration::from_secs(300 + 30);

/// The time of the request, in front of the text.
const TIME_BYTES: usize = 8;

/// The identity of a stored response.
#[derive(Clone, Copy)]
struct SharedQuery<'a> {
    issuer: &'a [u8],
    /// Every setting that the response depends on.
    cache_scope: &'a [u8],
    token: &'a [u8],
}

/// A response, and the time of its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::runtime) struct SharedResponse {
    pub(in crate::runtime) text: Vec<u8>,
    pub(in crate::runtime) requested_at: UnixTime,
}

/// The part of the cache for one issuer and one set of settings.
pub(crate) struct IssuerCache {
    answers: Arc<SharedIntrospectionCache>,
    issuer: Arc<str>,
    cache_scope: Vec<u8>,
    /// How long this instance uses a response.
    life: Duration,
}

impl IssuerCache {
    /// `cache_scope` is every setting that the response depends on: the form of the request, and by
    /// which client.
    pub(crate) fn new(
        answers: &Arc<SharedIntrospectionCache>,
        issuer: &Arc<str>,
        cache_scope: &[&[u8]],
        life: Duration,
    ) -> Self {
        Self {
            answers: Arc::clone(answers),
            issuer: Arc::clone(issuer),
            cache_scope: joined(cache_scope),
            life,
        }
    }

    /// The response that another instance has received for this token.
    pub(in crate::runtime) async fn find(&self, token: &str) -> Option<SharedResponse> {
        self.answers.get(self.query(token), self.life).await
    }

    /// Stores a response until its end.
    pub(in crate::runtime) async fn keep(
        &self,
        token: &str,
        response: &SharedResponse,
        end: UnixTime,
    ) {
        self.answers.put(self.query(token), response, end).await;
    }

    fn query<'a>(&'a self, token: &'a str) -> SharedQuery<'a> {
        SharedQuery {
            issuer: self.issuer.as_bytes(),
            cache_scope: &self.cache_scope,
            token: token.as_bytes(),
        }
    }
}

/// The cache in the store.
pub(crate) struct SharedIntrospectionCache {
    address: Address,
    sealed_box: SealedBox,
    prefix: String,
    clock: Arc<dyn Clock>,
    timeout: Duration,
    connection_state: Arc<Mutex<ConnectionState>>,
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
    /// A cache below keys of this prefix. A look-up ends after `timeout`.
    pub(crate) fn new(
        address: Address,
        sealed_box: SealedBox,
        prefix: String,
        clock: Arc<dyn Clock>,
        timeout: Duration,
    ) -> Self {
        Self {
            address,
            sealed_box,
            prefix,
            clock,
            timeout,
            connection_state: Arc::new(Mutex::new(ConnectionState::new())),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// Connects, so that the first look-up finds a connection.
    pub(crate) async fn open(&self) {
        if self.may_connect() {
            // The task records the outcome itself.
            let _ = self.connect().await;
        }
    }

    async fn get(&self, query: SharedQuery<'_>, life: Duration) -> Option<SharedResponse> {
        let found = self.look_up(query, life).await;
        let counter = if found.is_some() {
            &self.hits
        } else {
            &self.misses
        };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    async fn look_up(&self, query: SharedQuery<'_>, life: Duration) -> Option<SharedResponse> {
        let name = self.name(query);
        let mut connection = self.connection()?;
        let outcome = connection.get(&self.key(&name), self.timeout).await;
        let sealed = self.noted(outcome)??;
        let now = self.clock.now();
        let context = context(query, &name);
        let (opened, _) = self.sealed_box.open(&context, &sealed, now, LONGEST_LIFE)?;
        let (time, text) = opened.split_first_chunk::<TIME_BYTES>()?;
        let requested_at = UnixTime::from_secs(i64::from_be_bytes(*time));
        // A response from a clock that is far ahead would last too long.
        let is_good =
            requested_at <= now.saturating_add(SKEW) && now < requested_at.saturating_add(life);
        is_good.then(|| SharedResponse {
            text: text.to_vec(),
            requested_at,
        })
    }

    async fn put(&self, query: SharedQuery<'_>, response: &SharedResponse, end: UnixTime) {
        let left = end.as_secs().saturating_sub(self.clock.now().as_secs());
        let life = Duration::from_secs(u64::try_from(left).unwrap_or_default());
        let Some(mut connection) = self.connection().filter(|_| !life.is_zero()) else {
            return;
        };
        let name = self.name(query);
        let text = [
            &response.requested_at.as_secs().to_be_bytes()[..],
            &response.text,
        ]
        .concat();
        if let Some(sealed) = self.sealed_box.seal(&context(query, &name), end, &text) {
            let key = self.key(&name);
            let outcome = connection.put(&key, &sealed, life, self.timeout).await;
            self.noted(outcome);
        }
    }

    /// Hits, misses, and why the store failed last.
    pub(crate) fn counters(&self) -> (u64, u64, Option<StoreError>) {
        let (hits, misses) = (&self.hits, &self.misses);
        (
            hits.load(Ordering::Relaxed),
            misses.load(Ordering::Relaxed),
            lock(&self.connection_state).last_error.clone(),
        )
    }

    fn name(&self, query: SharedQuery<'_>) -> String {
        let SharedQuery {
            issuer,
            cache_scope,
            token,
        } = query;
        self.sealed_box.name(&[issuer, cache_scope, token])
    }

    fn key(&self, name: &str) -> String {
        format!("{}:answer:{name}", self.prefix)
    }

    /// The connection. Where there is none, one is opened in the background, and this look-up misses.
    fn connection(&self) -> Option<Connection> {
        let connection = lock(&self.connection_state).connection.clone();
        if connection.is_none() && self.may_connect() {
            drop(self.connect());
        }
        connection
    }

    /// Connects in a task of its own, so that a cancelled request does not interrupt it.
    fn connect(&self) -> JoinHandle<()> {
        let (address, connection_state) =
            (self.address.clone(), Arc::clone(&self.connection_state));
        let clock = Arc::clone(&self.clock);
        tokio::spawn(async move {
            let outcome = Connection::open(&address).await;
            // The clock is the application's code: not under the lock.
            let now = clock.monotonic();
            lock(&connection_state).opened(outcome, now);
        })
    }

    fn may_connect(&self) -> bool {
        let now = self.clock.monotonic();
        let mut connection_state = lock(&self.connection_state);
        let is_due = now >= connection_state.not_before;
        let may = connection_state.connection.is_none() && !connection_state.connecting && is_due;
        connection_state.connecting |= may;
        may
    }

    fn noted<T>(&self, outcome: Result<T, StoreError>) -> Option<T> {
        match outcome {
            Ok(value) => {
                lock(&self.connection_state).worked();
                Some(value)
            }
            Err(error) => {
                let now = self.clock.monotonic();
                let mut connection_state = lock(&self.connection_state);
                // Of the look-ups that fail with one connection, one counts.
                if connection_state.connection.is_some() {
                    connection_state.failed(error, now);
                }
                None
            }
        }
    }
}

fn context<'a>(query: SharedQuery<'a>, name: &'a str) -> [&'a [u8]; 3] {
    [query.issuer, query.cache_scope, name.as_bytes()]
}

fn lock(connection_state: &Mutex<ConnectionState>) -> MutexGuard<'_, ConnectionState> {
    // Poisoning is harmless: each change under the lock is complete or has not begun.
    connection_state
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}
