//! How a fetch of keys ended, told to the operator.

use std::sync::Arc;

use crate::logging;
use crate::model::event::Event;
use crate::runtime::discovery::metadata::RefreshError;
use crate::verify::jose::jwk_set::KeySet;

/// A set of odd entries is one sight, and not a line for each.
const MOST_NAMED: usize = 20;

/// How a flight ended, to be told.
pub(in crate::runtime) enum RefreshEvent {
    Keys { keys: Arc<KeySet>, changed: bool },
    Error(RefreshError),
}

impl RefreshEvent {
    pub(in crate::runtime) fn announce(&self, issuer: &str) {
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
