//! Idle connections, kept for a moment.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use hyper::client::conn::http1::SendRequest;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::runtime::http::transport::server_origin::ServerOrigin;
use crate::runtime::util::current_runtime::boxed_task;

/// Look-ups come close together, so connections are kept for this long. Servers keep theirs longer,
/// so that none is closed while a request is on its way.
const IDLE_TIME: Duration = Duration::from_secs(1);

/// Idle connections that are kept for each origin.
const MOST_IDLE: usize = 32;

/// The sending half of a connection. The connection ends with it.
pub(super) type Sender = SendRequest<String>;

/// Idle connections by the origin that they lead to.
pub(super) struct ConnectionPool {
    idle_time: Duration,
    idle: Mutex<HashMap<ServerOrigin, Vec<IdleConnection>>>,
    /// Whether a task drops those that have been idle for too long.
    is_swept: AtomicBool,
}

struct IdleConnection {
    sender: Sender,
    since: Instant,
}

impl IdleConnection {
    fn is_usable(&self, idle_time: Duration) -> bool {
        !self.sender.is_closed() && self.since.elapsed() < idle_time
    }
}

impl Default for ConnectionPool {
    fn default() -> Self {
        Self::with_idle_time(IDLE_TIME)
    }
}

impl ConnectionPool {
    pub(super) fn with_idle_time(idle_time: Duration) -> Self {
        Self {
            idle_time,
            idle: Mutex::default(),
            is_swept: AtomicBool::new(false),
        }
    }

    /// The connection that was used last.
    pub(super) fn take(&self, origin: &ServerOrigin) -> Option<Sender> {
        let mut idle = self.idle();
        let connections = idle.get_mut(origin)?;
        while let Some(connection) = connections.pop() {
            if connection.is_usable(self.idle_time) {
                return Some(connection.sender);
            }
        }
        None
    }

    /// Takes a connection back as soon as it is ready for another request; one that its server closes, or
    /// that is not ready in time, is dropped.
    pub(super) fn give_back(self: Arc<Self>, origin: ServerOrigin, mut sender: Sender) {
        if sender.is_ready() {
            return self.keep(origin, sender);
        }
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        runtime.spawn(boxed_task(async move {
            let ready = tokio::time::timeout(self.idle_time, sender.ready()).await;
            if matches!(ready, Ok(Ok(()))) {
                self.keep(origin, sender);
            }
        }));
    }

    fn keep(self: Arc<Self>, origin: ServerOrigin, sender: Sender) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let since = Instant::now();
        let mut idle = self.idle();
        let connections = idle.entry(origin).or_default();
        if connections.len() < MOST_IDLE {
            connections.push(IdleConnection { sender, since });
        }
        if !self.is_swept.swap(true, Ordering::AcqRel) {
            let pool = Arc::downgrade(&self);
            let sweeper = Sweeper {
                pool,
                idle_time: self.idle_time,
                ended: false,
            };
            runtime.spawn(boxed_task(sweeper.run()));
        }
    }

    #[cfg(test)]
    pub(super) fn is_swept(&self) -> bool {
        self.is_swept.load(Ordering::Acquire)
    }

    #[cfg(test)]
    pub(super) fn count(&self, counts: impl Fn(&Sender) -> bool) -> usize {
        let idle = self.idle();
        let senders = idle.values().flatten().map(|connection| &connection.sender);
        senders.filter(|sender| counts(sender)).count()
    }

    fn idle(&self) -> MutexGuard<'_, HashMap<ServerOrigin, Vec<IdleConnection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops connections that have been idle for too long, as long as there are any.
struct Sweeper {
    pool: Weak<ConnectionPool>,
    idle_time: Duration,
    ended: bool,
}

impl Sweeper {
    async fn run(mut self) {
        loop {
            tokio::time::sleep(self.idle_time).await;
            let Some(pool) = self.pool.upgrade() else {
                return;
            };
            let mut idle = pool.idle();
            idle.retain(|_, connections| {
                connections.retain(|connection| connection.is_usable(pool.idle_time));
                !connections.is_empty()
            });
            if idle.is_empty() {
                // Under the lock: what is kept from now on starts another sweeper.
                pool.is_swept.store(false, Ordering::Release);
                self.ended = true;
                return;
            }
        }
    }
}

/// A runtime may end before the connections do.
impl Drop for Sweeper {
    fn drop(&mut self) {
        if let (false, Some(pool)) = (self.ended, self.pool.upgrade()) {
            pool.is_swept.store(false, Ordering::Release);
        }
    }
}
