//! The connection of commands that requests wait for: opened in the background, with a backoff after a
//! failure and one timeout for each command.
//!
//! 1. One task opens the connection, so a canceled request does not interrupt it.
//! 2. A failed command closes the connection. The next one is opened after a backoff, by the first
//!    request that needs it. During the backoff a request gets no connection, and does not wait.
//! 3. With [`RequestConnection::reconnecting_at_once`] the backoff starts with the second failure in a
//!    row: after a lost connection or a late reply, the next request reconnects at once.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::runtime::clock::Clock;
use crate::runtime::shared::store::address::Address;
use crate::runtime::shared::store::redis::{Connection, StoreError};
use crate::runtime::util::backoff::Backoff;

/// Bounds of the backoff.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The connection, and its backoff.
pub(crate) struct RequestConnection {
    address: Address,
    clock: Arc<dyn Clock>,
    timeout: Duration,
    state: Arc<Mutex<ConnectionState>>,
    /// Notifies when an attempt to connect has ended.
    attempt_ended: Arc<Notify>,
}

struct ConnectionState {
    connection: Option<Connection>,
    connecting: bool,
    backoff: Backoff,
    /// Whether the first failure after a success has no pause.
    reconnects_at_once: bool,
    /// Whether the last command succeeded.
    has_worked: bool,
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
            reconnects_at_once: false,
            has_worked: false,
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
        // A store that refuses a command would refuse it again on another connection.
        let is_first = std::mem::take(&mut self.has_worked) && !error.is_refusal();
        let pause = if is_first && self.reconnects_at_once {
            Duration::ZERO
        } else {
            self.backoff.failed()
        };
        self.not_before = now.saturating_add(pause);
        self.last_error = Some(error);
    }

    fn worked(&mut self) {
        self.backoff.reset();
        self.has_worked = true;
        self.last_error = None;
    }
}

impl RequestConnection {
    /// A connection that is not open yet. A command ends after `timeout`, in real time.
    pub(crate) fn new(address: Address, clock: Arc<dyn Clock>, timeout: Duration) -> Self {
        Self {
            address,
            clock,
            timeout,
            state: Arc::new(Mutex::new(ConnectionState::new())),
            attempt_ended: Arc::new(Notify::new()),
        }
    }

    /// Without a pause after the first failure in a row, except where the store refuses a command.
    pub(crate) fn reconnecting_at_once(self) -> Self {
        lock(&self.state).reconnects_at_once = true;
        self
    }

    /// Connects, so that the first command finds a connection.
    pub(crate) async fn open(&self) {
        if self.may_connect() {
            // The task records the outcome itself.
            let _ = self.connect().await;
        }
    }

    /// The open connection. Without one, a connection is opened in the background, and this request does
    /// not wait for it.
    pub(crate) fn now(&self) -> Option<Connection> {
        let connection = lock(&self.state).connection.clone();
        if connection.is_none() && self.may_connect() {
            drop(self.connect());
        }
        connection
    }

    /// The outcome of a command on the open connection. Without one, the request waits while it is opened,
    /// for the timeout of a command at most, and for the command in the rest of that time. `None` where
    /// the store is down.
    pub(crate) async fn run<T, F>(
        &self,
        command: impl FnOnce(Connection, Duration) -> F,
    ) -> Option<T>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let start = Instant::now();
        let connection = match self.now() {
            Some(connection) => connection,
            None => tokio::time::timeout(self.timeout, self.opened())
                .await
                .ok()??,
        };
        let rest = self.timeout.saturating_sub(start.elapsed());
        self.noted(command(connection, rest).await)
    }

    /// The connection after the attempt that is under way. `None` where there is no attempt.
    async fn opened(&self) -> Option<Connection> {
        let mut ended = std::pin::pin!(self.attempt_ended.notified());
        // From here on no end is missed.
        ended.as_mut().enable();
        {
            let state = lock(&self.state);
            if state.connection.is_some() || !state.connecting {
                return state.connection.clone();
            }
        }
        ended.await;
        lock(&self.state).connection.clone()
    }

    /// The time for one command.
    pub(crate) const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Records the outcome of a command: a success ends the backoff, a failure closes the connection.
    pub(crate) fn noted<T>(&self, outcome: Result<T, StoreError>) -> Option<T> {
        match outcome {
            Ok(value) => {
                lock(&self.state).worked();
                Some(value)
            }
            Err(error) => {
                let now = self.clock.monotonic();
                let mut state = lock(&self.state);
                // Of the commands that fail with one connection, one counts.
                if state.connection.is_some() {
                    state.failed(error, now);
                }
                None
            }
        }
    }

    /// Why the last command failed. `None` where it succeeded.
    pub(crate) fn last_error(&self) -> Option<StoreError> {
        lock(&self.state).last_error.clone()
    }

    /// Connects in a task of its own, so that a canceled request does not interrupt it.
    fn connect(&self) -> JoinHandle<()> {
        let (address, state) = (self.address.clone(), Arc::clone(&self.state));
        let (clock, attempt_ended) = (Arc::clone(&self.clock), Arc::clone(&self.attempt_ended));
        tokio::spawn(async move {
            let outcome = Connection::open(&address).await;
            // The clock is the application's code: not under the lock.
            let now = clock.monotonic();
            lock(&state).opened(outcome, now);
            attempt_ended.notify_waiters();
        })
    }

    fn may_connect(&self) -> bool {
        let now = self.clock.monotonic();
        let mut state = lock(&self.state);
        let is_due = now >= state.not_before;
        let may = state.connection.is_none() && !state.connecting && is_due;
        state.connecting |= may;
        may
    }
}

fn lock(state: &Mutex<ConnectionState>) -> MutexGuard<'_, ConnectionState> {
    // Poisoning is harmless: each change under the lock is complete or has not begun.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
