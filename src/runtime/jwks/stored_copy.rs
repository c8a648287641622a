//! When the stored copy of a key set is read, used, written and removed.
//!
//! 1. It is read where no keys are loaded and a fetch fails, or takes three seconds.
//! 2. It replaces neither a set that was fetched, nor keys that an operator has dropped; a set that is
//!    fetched replaces it. No fetch of this process has confirmed it, so an unknown key causes one.
//! 3. Its age counts from the fetch of the instance that wrote it.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::logging;
use crate::model::decision::event::Event;
use crate::runtime::clock::{Clock, Now};
use crate::runtime::discovery::metadata::RefreshError;
use crate::runtime::jwks::copy_file::{CopyError, CopyFile};
use crate::runtime::jwks::fetch_key_set::{FetchMetadata, FetchedKeySet, KeySetSource};
use crate::runtime::jwks::key_set_liveness::KeySetLiveness;
use crate::runtime::jwks::key_store::RemoteKeys;
use crate::runtime::jwks::snapshot::Snapshot;
use crate::runtime::util::select::{Either, race};
use crate::verify::jose::jwk_set::KeySet;

/// How long a first fetch takes before a stored copy stands in, by the server's clock: within the five
/// seconds of `connect()`.
const SLOW_FETCH: Duration = Duration::from_secs(3);

/// The stored copy of a key set.
pub(super) struct StoredCopy<'t> {
    pub(super) keys: &'t Weak<RemoteKeys>,
    pub(super) source: &'t KeySetSource,
    pub(super) clock: &'t dyn Clock,
}

impl StoredCopy<'_> {
    /// Runs a fetch while no keys are loaded.
    pub(super) async fn bridge(
        &self,
        loading: impl Future<Output = Result<FetchedKeySet, RefreshError>>,
        now: Now,
    ) -> Result<FetchedKeySet, RefreshError> {
        let mut loading = pin!(loading);
        let slow = self
            .clock
            .sleep_until(now.monotonic.saturating_add(SLOW_FETCH));
        match race(loading.as_mut(), slow).await {
            Either::First(outcome) => {
                // A document of another issuer is a mistake in the configuration, and no outage.
                if matches!(outcome, Err(RefreshError::Failed(_))) {
                    self.read().await;
                }
                outcome
            }
            Either::Second(()) => {
                self.read().await;
                loading.await
            }
        }
    }

    async fn read(&self) {
        let now = Now::of(self.clock);
        let read = self.source.read_copy(now).await;
        let Some(keys) = self.keys.upgrade() else {
            return;
        };
        match read {
            Ok(Some((set, metadata, age))) => keys.use_copy(&set, metadata, now, age),
            Ok(None) => {}
            Err(error) => keys.report_copy(CopyAction::Read, &error),
        }
    }

    pub(super) async fn write(&self, fetch: u64, started: Now, metadata: &FetchMetadata) {
        let Some(file) = &self.source.config.copy else {
            return;
        };
        let (url, body) = metadata.parts();
        if let Err(error) = file.write(fetch, started, url, body).await {
            if let Some(keys) = self.keys.upgrade() {
                keys.report_copy(CopyAction::Write, &error);
            }
        }
    }
}

impl RemoteKeys {
    /// Removes the copy of keys that were dropped. Now, and not in a task: the process may be ended next.
    pub(super) fn remove_copy(&self, void: u64) {
        if let Some(copy) = &self.source.config.copy {
            if let Err(error) = copy.remove(void) {
                self.report_copy(CopyAction::Remove, &error);
            }
        }
    }

    /// Uses a stored copy of the keys until a fetch brings a set. Keys that are loaded, and keys that an
    /// operator has dropped, are not replaced by it.
    fn use_copy(&self, keys: &Arc<KeySet>, metadata: FetchMetadata, now: Now, age: Duration) {
        {
            let state = self.state();
            if self.current_set.load().is_some() || state.schedule.is_void() {
                return;
            }
            let limits = state.schedule.limits();
            let longest = self.source.config.copy.as_deref().map(CopyFile::max_age);
            let copy = Arc::new(Snapshot {
                liveness: KeySetLiveness::of(keys),
                keys: Arc::clone(keys),
                metadata: Arc::new(metadata),
                fetch: 0,
                confirmed: now,
                earlier: age,
                max_age: longest.map_or(limits.max_stale, |age| age.min(limits.max_stale)),
                refresh: Duration::ZERO,
            });
            self.current_set.replace(Some(&copy));
        }
        logging::emit(Event::KeySetCopyUsed {
            issuer: &self.source.config.issuer,
            keys: keys.len(),
            age,
        });
    }

    /// A copy was not read, written or removed.
    fn report_copy(&self, action: CopyAction, error: &CopyError) {
        self.copy_failures.fetch_add(1, Ordering::Relaxed);
        logging::emit(Event::KeySetCopyFailed {
            issuer: &self.source.config.issuer,
            action: action.as_str(),
            problem: error.as_str(),
            error: error.detail(),
        });
    }
}

/// What was tried with a stored copy.
#[derive(Clone, Copy, Debug)]
enum CopyAction {
    Read,
    Write,
    Remove,
}

impl CopyAction {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Remove => "remove",
        }
    }
}
