//! Loading what was revoked before this process began.
//!
//! 1. Until it has been loaded once, the server is not ready, and tokens that are not known to be
//!    revoked are answered 503: memory ends at a restart, and a revocation must not.
//! 2. An attempt has a bounded time; after one that failed another follows, later and later.
//! 3. After issuers were added it is loaded anew: what was loaded of them before was left out. Their tokens
//!    are answered 503 until then, and no others.
//! 4. The task holds no handle between attempts: it ends with the last one.

use std::fmt;
use std::future::Future;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;

use crate::logging;
use crate::model::decision::event::Event;
use crate::runtime::clock::Clock;
use crate::runtime::directory::LookupError;
use crate::runtime::revocation::unloaded_issuers::RevocationSource;
use crate::runtime::util::backoff::Backoff;
use crate::runtime::util::current_runtime::boxed_task;
use crate::runtime::util::excerpt::excerpt;
use crate::runtime::util::select::{Either, race};
use crate::server::builder::server_builder::ResourceServerBuilder;
use crate::server::operate::revocations::Revocations;
use crate::server::resource_server::{ResourceServer, ServerState};

/// How long one attempt may take, by the server's clock.
const LOAD_TIMEOUT: Duration = Duration::from_secs(30);

/// The pause after the first attempt that failed; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Brings what was revoked before this process began; supplied by the application, with
/// [`ResourceServerBuilder::load_revocations`]. [`revocation_loader_fn`] makes one of a closure.
///
/// ```
/// use portcullis::revocation::{RevocationLoader, Revocations};
/// use portcullis::tenant::LookupError;
///
/// struct File; // a table of your database, say
///
/// impl RevocationLoader for File {
///     async fn load(&self, revocations: Revocations) -> Result<(), LookupError> {
///         let snapshot = std::fs::read_to_string("revocations.jsonl")?;
///         revocations.load(&snapshot)?;
///         Ok(())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` brings no revocations",
    note = "implement `RevocationLoader`, or wrap a closure: `revocation_loader_fn(|revocations: Revocations| async move {{ .. Ok(()) }})`"
)]
pub trait RevocationLoader: Send + Sync + 'static {
    /// Adds everything that is still revoked, with [`Revocations::load`] or
    /// [`Revocations::revoke`]. It may be called again after it has failed, and is called again after
    /// [`replace`](ResourceServer::replace) has added issuers, so adding must not mind what is there already.
    ///
    /// # Errors
    ///
    /// Whatever kept it from knowing. What was added until then stays.
    fn load(
        &self,
        revocations: Revocations,
    ) -> impl Future<Output = Result<(), LookupError>> + Send;
}

impl<L: RevocationLoader> RevocationLoader for Arc<L> {
    fn load(
        &self,
        revocations: Revocations,
    ) -> impl Future<Output = Result<(), LookupError>> + Send {
        L::load(self, revocations)
    }
}

/// Makes a [`RevocationLoader`] of a closure or an `async fn`.
///
/// ```
/// use portcullis::revocation::{Revocations, revocation_loader_fn};
///
/// let loader = revocation_loader_fn(|revocations: Revocations| async move {
///     revocations.load(&std::fs::read_to_string("revocations.jsonl")?)?;
///     Ok(())
/// });
/// # let _ = loader;
/// ```
pub fn revocation_loader_fn<F, A>(closure: F) -> RevocationLoaderFn<F>
where
    F: Fn(Revocations) -> A + Send + Sync + 'static,
    A: Future<Output = Result<(), LookupError>> + Send,
{
    RevocationLoaderFn(closure)
}

/// A loader that calls a closure; made by [`revocation_loader_fn`].
#[derive(Clone, Copy)]
pub struct RevocationLoaderFn<F>(F);

impl<F> fmt::Debug for RevocationLoaderFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationLoaderFn").finish_non_exhaustive()
    }
}

impl<F, A> RevocationLoader for RevocationLoaderFn<F>
where
    F: Fn(Revocations) -> A + Send + Sync + 'static,
    A: Future<Output = Result<(), LookupError>> + Send,
{
    async fn load(&self, revocations: Revocations) -> Result<(), LookupError> {
        (self.0)(revocations).await
    }
}

impl ResourceServerBuilder {
    /// Where [`connect()`](ResourceServer::connect) gets what was revoked before this process began.
    /// Until that has succeeded once, the server is not [`ready`](ResourceServer::ready), and every
    /// token that is not known to be revoked is answered 503. An attempt may take 30 s by the
    /// server's clock; after one that failed the next follows in 1 s, then later and later, up to
    /// 60 s. It is called again, in the same way, after a [`replace`](ResourceServer::replace) that adds
    /// issuers: until that has succeeded their tokens are answered 503, and no others. Without `connect()`
    /// nothing is ever loaded. Default: nothing is loaded, and a restart
    /// forgets what was revoked; see [the manual](crate::manual::revocation).
    pub fn load_revocations(mut self, loader: impl RevocationLoader) -> Self {
        self.once.set_opaque("load_revocations");
        let loader = Arc::new(loader);
        self.load = Some(Box::new(move |server| {
            let loader = Arc::clone(&loader);
            Box::pin(async move { loader.load(Revocations::of(server)).await })
        }));
        self
    }
}

impl ResourceServer {
    /// Starts the task that loads, unless it runs or has loaded. `None` when nothing is to be
    /// loaded; otherwise a receiver of the number of attempts. Must be called inside a runtime.
    pub(in crate::server) fn start_loading(&self) -> Option<watch::Receiver<u64>> {
        let loading = self.0.loading.as_ref()?;
        let attempts = loading.attempts.subscribe();
        if !loading.is_done() && !loading.running.swap(true, Ordering::AcqRel) {
            let task = Task {
                server: Arc::downgrade(&self.0),
                clock: Arc::clone(&self.0.clock),
                gone: attempts.clone(),
            };
            tokio::spawn(boxed_task(task.run()));
        }
        Some(attempts)
    }
}

impl ServerState {
    /// The loader has brought everything, also of the issuers that were added up to this ticket.
    fn loaded(&self, up_to: u64) {
        let Some(loading) = &self.loading else {
            return;
        };
        let unloaded = self.revocations.unloaded();
        unloaded.loaded(RevocationSource::Loader, up_to);
        loading.done.fetch_max(up_to, Ordering::AcqRel);
        if !loading.has_loaded.swap(true, Ordering::AcqRel) {
            self.revocations.mark_complete();
        }
    }
}

struct Task {
    server: Weak<ServerState>,
    clock: Arc<dyn Clock>,
    gone: watch::Receiver<u64>,
}

impl Task {
    async fn run(mut self) {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        while let Some(state) = self.server.upgrade() {
            // INVARIANT: read before the attempt, which leaves out the issuers that are added later.
            let wanted = state.loading.as_ref();
            let wanted = wanted.map_or(0, |loading| loading.wanted.load(Ordering::Acquire));
            let outcome = attempt(ResourceServer(state), &*self.clock).await;
            let Some(state) = self.server.upgrade() else {
                return;
            };
            let has_failed = outcome.is_err();
            let pause = backoff.failed();
            match outcome {
                Ok(()) => {
                    backoff.reset();
                    state.loaded(wanted);
                }
                Err(error) => announce_failure(&error, pause),
            }
            let Some(loading) = &state.loading else {
                return;
            };
            loading.attempts.send_modify(|count| *count += 1);
            if !has_failed {
                // Issuers that are added from here on start another task; until here, this one goes on.
                loading.running.swap(false, Ordering::AcqRel);
                if loading.is_done() || loading.running.swap(true, Ordering::AcqRel) {
                    self.server = Weak::new();
                    return;
                }
                continue;
            }
            drop(state);
            let next = self.clock.monotonic().saturating_add(pause);
            let gone = async { while self.gone.changed().await.is_ok() {} };
            if let Either::Second(()) = race(self.clock.sleep_until(next), gone).await {
                return;
            }
        }
    }
}

impl Drop for Task {
    /// The runtime was shut down under us: another one may start a new task.
    fn drop(&mut self) {
        // A task that has ended by itself has no server any more.
        if let Some(state) = self.server.upgrade() {
            if let Some(loading) = &state.loading {
                loading.running.store(false, Ordering::Release);
            }
        }
    }
}

/// One attempt, in a task of its own: the application's code may panic.
async fn attempt(server: ResourceServer, clock: &dyn Clock) -> Result<(), LookupError> {
    let end = clock.monotonic().saturating_add(LOAD_TIMEOUT);
    let mut loading = tokio::spawn(async move {
        match &server.0.loading {
            Some(loading) => (loading.load)(server.clone()).await,
            None => Ok(()),
        }
    });
    match race(&mut loading, clock.sleep_until(end)).await {
        Either::First(Ok(outcome)) => outcome,
        Either::First(Err(error)) => Err(error.into()),
        Either::Second(()) => {
            loading.abort();
            Err("it did not end in time".into())
        }
    }
}

/// Longest text of an error that goes into an event, in characters.
const MAX_ERROR_CHARS: usize = 160;

fn announce_failure(error: &LookupError, again_in: Duration) {
    if !logging::is_enabled() {
        return;
    }
    // Escaped and cut, since it may quote anything.
    let text = excerpt(&error.to_string(), MAX_ERROR_CHARS);
    logging::emit(Event::RevocationsNotLoaded {
        error: &text,
        again_in,
    });
}
