//! The log events of a fetch of keys.

use std::sync::Arc;

use crate::runtime::discovery::metadata::RefreshError;
use crate::verify::jose::jwk_set::KeySet;

/// The most unusable entries that are logged one by one.
#[cfg(feature = "tracing")]
const MOST_NAMED: usize = 20;

/// How a fetch ended.
#[cfg_attr(not(feature = "tracing"), allow(dead_code))]
pub(super) enum RefreshEvent {
    Keys { keys: Arc<KeySet>, changed: bool },
    Error(RefreshError),
}

impl RefreshEvent {
    #[cfg(feature = "tracing")]
    pub(super) fn announce(&self, issuer: &str) {
        let (keys, changed) = match self {
            Self::Error(error) => {
                tracing::warn!(issuer, error = %error, "the key set could not be refreshed");
                return;
            }
            Self::Keys { keys, changed } => (keys, *changed),
        };
        let skipped = keys.skipped().len();
        tracing::debug!(
            issuer,
            keys = keys.len(),
            skipped,
            changed,
            "the key set is fresh"
        );
        if changed {
            let notable = keys.skipped().iter().filter(|one| one.is_notable());
            for skipped in notable.take(MOST_NAMED) {
                let (index, reason) = (skipped.index(), skipped.reason());
                tracing::warn!(
                    issuer,
                    index,
                    reason,
                    "an entry of the key set cannot be used"
                );
            }
        }
    }

    #[cfg(not(feature = "tracing"))]
    #[allow(clippy::unused_self)]
    pub(super) fn announce(&self, _: &str) {}
}
