//! The trait of those that are told of decisions, and of requests to issuers.

use std::sync::Arc;

use crate::model::decision::observation::{KeySetRefresh, RemoteCall};
use crate::server::observe::request_decision::RequestDecision;

/// Is told of every decision, for metrics and for audit of the application's own; given to
/// [`ResourceServerBuilder::observer`](crate::ResourceServerBuilder::observer).
///
/// It is called on the thread of the request: it must neither block nor wait. A panic of it is caught, and
/// changes nothing for the request. Every method has an empty default, and more may be added.
///
/// ```
/// use portcullis::observe::{Observer, RequestDecision};
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// #[derive(Default)]
/// struct Refusals(AtomicU64);
///
/// impl Observer for Refusals {
///     fn decided(&self, decision: &RequestDecision<'_>) {
///         if decision.rejection().is_some() {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
/// ```
pub trait Observer: Send + Sync + 'static {
    /// A request was decided. Called once for each request that passes a layer of the server, when the
    /// head of its response is known or its future is dropped. See
    /// [the manual](crate::manual::decisions#one-decision-for-each-request).
    fn decided(&self, decision: &RequestDecision<'_>) {
        let _ = decision;
    }

    /// An introspection or userinfo endpoint was asked, health checks included. Called on a task of this
    /// library.
    fn called(&self, call: &RemoteCall<'_>) {
        let _ = call;
    }

    /// A key set was fetched, or could not be. Called on a task of this library.
    fn refreshed(&self, refresh: &KeySetRefresh<'_>) {
        let _ = refresh;
    }
}

impl<O: Observer> Observer for Arc<O> {
    fn decided(&self, decision: &RequestDecision<'_>) {
        O::decided(self, decision);
    }

    fn called(&self, call: &RemoteCall<'_>) {
        O::called(self, call);
    }

    fn refreshed(&self, refresh: &KeySetRefresh<'_>) {
        O::refreshed(self, refresh);
    }
}
