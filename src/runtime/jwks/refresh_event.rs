//! The log events of a fetch of keys.

use std::sync::Arc;

use crate::logging;
use crate::model::decision::event::Event;
use crate::model::decision::observation::KeySetRefresh;
use crate::runtime::discovery::metadata::RefreshError;
use crate::runtime::observation::RuntimeObserver;
use crate::verify::jose::jwk_set::KeySet;

/// The most unusable entries that are logged one by one.
const MOST_NAMED: usize = 20;

/// How a fetch ended.
pub(super) enum RefreshEvent {
    Keys { keys: Arc<KeySet>, changed: bool },
    Error(RefreshError),
}

impl RefreshEvent {
    fn seen_by_observers<'r>(&'r self, issuer: &'r str) -> KeySetRefresh<'r> {
        match self {
            Self::Error(error) => KeySetRefresh {
                issuer,
                keys: 0,
                skipped: 0,
                is_changed: false,
                error: Some(error),
            },
            Self::Keys { keys, changed } => KeySetRefresh {
                issuer,
                keys: keys.len(),
                skipped: keys.skipped().len(),
                is_changed: *changed,
                error: None,
            },
        }
    }

    pub(super) fn announce(&self, issuer: &str, observer: Option<&dyn RuntimeObserver>) {
        if let Some(observer) = observer {
            observer.refreshed(&self.seen_by_observers(issuer));
        }
        let (keys, changed) = match self {
            Self::Error(error) => {
                return logging::emit(Event::KeySetNotRefreshed { issuer, error });
            }
            Self::Keys { keys, changed } => (keys, *changed),
        };
        logging::emit(Event::KeySetRefreshed {
            issuer,
            keys: keys.len(),
            skipped: keys.skipped().len(),
            changed,
        });
        if changed {
            let notable = keys.skipped().iter().filter(|one| one.is_notable());
            for skipped in notable.take(MOST_NAMED) {
                logging::emit(Event::KeySkipped {
                    issuer,
                    index: skipped.index(),
                    reason: skipped.reason(),
                    is_fetched: true,
                });
            }
        }
    }
}
