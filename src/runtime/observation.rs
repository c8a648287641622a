//! Who is told of requests to issuers. Set once, after the server is built.

use std::sync::{Arc, OnceLock};

use crate::model::decision::observation::{KeySetRefresh, RemoteCall};

/// Is told of requests to issuers.
pub(crate) trait RuntimeObserver: Send + Sync {
    fn called(&self, call: &RemoteCall<'_>);
    fn refreshed(&self, refresh: &KeySetRefresh<'_>);
}

/// The observer of a key set or of an endpoint, where there is one.
#[derive(Default)]
pub(crate) struct ObserverCell(OnceLock<Arc<dyn RuntimeObserver>>);

impl ObserverCell {
    /// The first call counts.
    pub(crate) fn set(&self, observer: Arc<dyn RuntimeObserver>) {
        let _ = self.0.set(observer);
    }

    pub(crate) fn get(&self) -> Option<&dyn RuntimeObserver> {
        self.0.get().map(|observer| &**observer)
    }
}
