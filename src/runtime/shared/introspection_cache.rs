//! Introspection responses that instances share through the store.
//!
//! 1. The cache is optional: any failure of the store is a miss, and is followed by a backoff.
//! 2. A response is stored as received, encrypted, and bound to the issuer, to the settings of the
//!    request and to the token. The instance that finds it interprets it by its own settings, as if
//!    the issuer had sent it at the time when it did.
//! 3. A response ends when it would have ended where it was received, or earlier where it is found.
//! 4. The store gets a keyed digest in place of the token.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::model::time::UnixTime;
use crate::runtime::clock::Clock;
use crate::runtime::shared::store::address::Address;
use crate::runtime::shared::store::redis::StoreError;
use crate::runtime::shared::store::request_connection::RequestConnection;
use crate::verify::crypto::sealed::{SealedBox, joined};

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
    connection: RequestConnection,
    sealed_box: SealedBox,
    prefix: String,
    clock: Arc<dyn Clock>,
    hits: AtomicU64,
    misses: AtomicU64,
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
            connection: RequestConnection::new(address, Arc::clone(&clock), timeout),
            sealed_box,
            prefix,
            clock,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// Connects, so that the first look-up finds a connection.
    pub(crate) async fn open(&self) {
        self.connection.open().await;
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
        let mut connection = self.connection.now()?;
        let timeout = self.connection.timeout();
        let outcome = connection.get(&self.key(&name), timeout).await;
        let sealed = self.connection.noted(outcome)??;
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
        let Some(mut connection) = self.connection.now().filter(|_| !life.is_zero()) else {
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
            let timeout = self.connection.timeout();
            let outcome = connection.put(&key, &sealed, life, timeout).await;
            self.connection.noted(outcome);
        }
    }

    /// Hits, misses, and why the store failed last.
    pub(crate) fn counters(&self) -> (u64, u64, Option<StoreError>) {
        let (hits, misses) = (&self.hits, &self.misses);
        (
            hits.load(Ordering::Relaxed),
            misses.load(Ordering::Relaxed),
            self.connection.last_error(),
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
}

fn context<'a>(query: SharedQuery<'a>, name: &'a str) -> [&'a [u8]; 3] {
    [query.issuer, query.cache_scope, name.as_bytes()]
}
