//! A decision that may stop at a look-up: it is done, or it is pending and a value that goes on.
//!
//! 1. Waiting is no error: a decision fails with a [`Rejection`], and a pending one has not failed.
//! 2. A pending decision owns what was decided so far. After the look-up it goes on from there, so
//!    nothing is parsed, digested or consumed twice.
//! 3. The number of look-ups is bounded here, for requests, logout tokens and signed responses
//!    alike.

#[cfg(feature = "jwks")]
use std::future::Future;
#[cfg(feature = "jwks")]
use std::pin::Pin;
#[cfg(feature = "jwks")]
use std::time::Duration;

#[cfg(feature = "jwks")]
use crate::model::error::rejection::Outage;
use crate::model::error::rejection::Rejection;
#[cfg(feature = "jwks")]
use crate::runtime::cache::validity::Liveness;

/// How often one decision waits for a look-up: twice for a key, once for a status list, and once for the
/// shared store of used proofs.
#[cfg(feature = "jwks")]
const MOST_LOOKUPS: usize = 4;

/// How far a decision has come.
pub(crate) enum Decision<T> {
    Done(T),
    /// It waits for a key or for the issuer's verdict on the token.
    #[cfg(feature = "jwks")]
    Pending(PendingDecision<T>),
}

impl<T: Send + 'static> Decision<T> {
    /// Goes on with the result, now or after the look-up.
    pub(in crate::server) fn then<U: Send + 'static>(
        self,
        go_on: impl FnOnce(T) -> Result<U, Rejection> + Send + 'static,
    ) -> Result<Decision<U>, Rejection> {
        match self {
            Self::Done(value) => go_on(value).map(Decision::Done),
            #[cfg(feature = "jwks")]
            Self::Pending(pending) => Ok(Decision::Pending(pending.then(go_on))),
        }
    }

    /// The result, after the look-ups that it takes.
    #[cfg_attr(not(feature = "jwks"), allow(clippy::unused_async))]
    #[cfg_attr(not(any(feature = "axum", feature = "jwks")), allow(dead_code))]
    pub(crate) async fn finish(self) -> Result<T, Rejection> {
        match self {
            Self::Done(value) => Ok(value),
            #[cfg(feature = "jwks")]
            Self::Pending(pending) => pending.finish().await,
        }
    }
}

/// A decision that waits for a look-up, and then goes on.
#[cfg(feature = "jwks")]
#[must_use]
pub(crate) struct PendingDecision<T> {
    lookup: Pin<Box<dyn Future<Output = Result<Decision<T>, Rejection>> + Send>>,
    /// The liveness of the issuer by whose rules it is decided, where one is known.
    issuer: Option<Liveness>,
}

#[cfg(feature = "jwks")]
impl<T: Send + 'static> PendingDecision<T> {
    /// `lookup` waits once, and its output is the decision's next step.
    pub(in crate::server) fn new(
        lookup: impl Future<Output = Result<Decision<T>, Rejection>> + Send + 'static,
    ) -> Self {
        Self {
            lookup: Box::pin(lookup),
            issuer: None,
        }
    }

    /// The same, decided by the rules of the issuer with this liveness.
    pub(in crate::server) fn by_rules_of(self, issuer: Liveness) -> Self {
        Self {
            issuer: Some(issuer),
            ..self
        }
    }

    /// It ends where the rules by which this is decided are replaced.
    pub(in crate::server) fn issuer(&self) -> Option<&Liveness> {
        self.issuer.as_ref()
    }

    /// Another decision by the same rules.
    fn with<U>(
        issuer: Option<Liveness>,
        lookup: impl Future<Output = Result<Decision<U>, Rejection>> + Send + 'static,
    ) -> PendingDecision<U> {
        PendingDecision {
            lookup: Box::pin(lookup),
            issuer,
        }
    }

    /// Goes on with the result, which may need another look-up.
    pub(in crate::server) fn and_then<U: Send + 'static>(
        self,
        go_on: impl FnOnce(T) -> Result<Decision<U>, Rejection> + Send + 'static,
    ) -> PendingDecision<U> {
        let Self { lookup, issuer } = self;
        Self::with(issuer, async move {
            match lookup.await? {
                Decision::Done(value) => go_on(value),
                Decision::Pending(next) => Ok(Decision::Pending(next.and_then(go_on))),
            }
        })
    }

    /// Changes a rejection.
    #[cfg(feature = "status-list")]
    pub(in crate::server) fn map_err(
        self,
        change: impl FnOnce(Rejection) -> Rejection + Send + 'static,
    ) -> Self {
        let Self { lookup, issuer } = self;
        Self::with(issuer, async move {
            match lookup.await {
                Ok(Decision::Pending(next)) => Ok(Decision::Pending(next.map_err(change))),
                outcome => outcome.map_err(change),
            }
        })
    }

    fn then<U: Send + 'static>(
        self,
        go_on: impl FnOnce(T) -> Result<U, Rejection> + Send + 'static,
    ) -> PendingDecision<U> {
        let Self { lookup, issuer } = self;
        Self::with(issuer, async move { lookup.await?.then(go_on) })
    }

    /// Waits for at most [`MOST_LOOKUPS`] look-ups.
    ///
    /// # Errors
    ///
    /// What the decision says, or [`Outage::KeyUnconfirmed`] when it is still pending after them.
    pub(crate) async fn finish(self) -> Result<T, Rejection> {
        let mut pending = self;
        for _ in 0..MOST_LOOKUPS {
            match pending.lookup.await? {
                Decision::Done(value) => return Ok(value),
                Decision::Pending(next) => pending = next,
            }
        }
        Err(retries_exhausted())
    }
}

#[cfg(feature = "jwks")]
const fn retries_exhausted() -> Rejection {
    Rejection::unavailable(Outage::KeyUnconfirmed, Duration::from_secs(1))
}

#[cfg(all(test, feature = "jwks"))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::model::error::rejection::RejectionKind;

    /// A decision that is done after so many look-ups.
    fn after(lookups: usize, waited: &Arc<AtomicUsize>) -> Decision<&'static str> {
        if lookups == 0 {
            return Decision::Done("done");
        }
        let waited = Arc::clone(waited);
        Decision::Pending(PendingDecision::new(async move {
            waited.fetch_add(1, Ordering::Relaxed);
            Ok(after(lookups - 1, &waited))
        }))
    }

    #[tokio::test]
    async fn a_pending_decision_waits_for_a_bounded_number_of_lookups() {
        for lookups in 0..=MOST_LOOKUPS + 2 {
            let waited = Arc::default();
            let step = after(lookups, &waited).then(|value| Ok((value, "then")));
            let outcome = step.expect("no refusal").finish().await;
            if lookups <= MOST_LOOKUPS {
                assert_eq!(outcome, Ok(("done", "then")));
            } else {
                let kind = outcome.map_err(|rejection| rejection.kind());
                let expected = RejectionKind::Unavailable(Outage::KeyUnconfirmed);
                assert_eq!(kind, Err(expected));
            }
            let waited = waited.load(Ordering::Relaxed);
            assert_eq!(waited, lookups.min(MOST_LOOKUPS));
        }
    }
}
