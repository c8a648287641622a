//! Metrics of decisions and of requests to issuers, by the facade `metrics`.
//!
//! 1. A request takes no lock and makes no label: the handle of its counter is found in a table that is
//!    only read, once there is an entry.
//! 2. Values of labels come from the configuration and from enums of this library. An issuer of a tenant
//!    family may be one of very many, so their number is bounded.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use metrics::{Counter, Histogram, Unit, counter, describe_counter, describe_histogram, histogram};

use crate::model::decision::observation::{KeySetRefresh, RemoteCall};
use crate::model::error::rejection::Rejection;
use crate::runtime::util::concurrent_map::ConcurrentMap;
use crate::server::decide::verified_request::VerifiedRequest;
use crate::server::observe::observer::Observer;
use crate::server::observe::request_decision::RequestDecision;

/// Issuers that have labels of their own; further ones are counted as [`OTHER`].
const MOST_ISSUERS: usize = 1_000;

/// Counters whose handles are kept. With one more all are forgotten, and found in the recorder again: each
/// replacement of an issuer leaves handles that are never used again.
const MOST_HANDLES: usize = 16_384;

/// The label of issuers beyond the bound.
pub(in crate::server) const OTHER: &str = "other";

/// Counts decisions and requests to issuers with the facade [`metrics`](https://docs.rs/metrics): an
/// [`Observer`] for [`ResourceServerBuilder::observer`](crate::ResourceServerBuilder::observer).
///
/// Install the recorder, such as that of `metrics-exporter-prometheus`, before the server takes requests:
/// the handle of a counter belongs to the recorder that there was when it was made.
/// [`ResourceServer::record_metrics`](crate::ResourceServer::record_metrics) writes the gauges. The names
/// and labels are listed in [the manual](crate::manual::metrics).
///
/// ```
/// use portcullis::observe::Metrics;
/// use portcullis::{Issuer, ResourceServer};
///
/// let server = ResourceServer::builder("https://api.example.com")
///     .issuer(Issuer::oidc("https://id.example.com"))
///     .observer(Metrics::new())
///     .build()?;
/// server.record_metrics(); // before each scrape, or every few seconds
/// # Ok::<(), portcullis::ConfigError>(())
/// ```
#[doc(alias("prometheus", "opentelemetry", "statsd"))]
pub struct Metrics {
    decisions: ConcurrentMap<DecisionCounter>,
    /// Read and written where a handle is made.
    made: Mutex<Made>,
}

/// What was made so far.
#[derive(Default)]
struct Made {
    handles: usize,
    issuers: HashSet<Arc<str>>,
}

/// The counter of one kind of decision, and the times of its checks.
struct DecisionCounter {
    key: DecisionKey,
    counter: Counter,
    check_times: Histogram,
    /// Keeps the addresses in the key from being used again.
    _labels: (Option<Arc<str>>, Arc<str>),
}

/// Addresses of names in place of the names: two addresses of one name lead to the same counter.
#[derive(Clone, Copy, PartialEq, Eq)]
struct DecisionKey {
    outcome: &'static str,
    stage: &'static str,
    reason: &'static str,
    issuer: usize,
    resource: usize,
}

impl DecisionKey {
    fn of(decision: &RequestDecision<'_>, issuer: Option<&Arc<str>>) -> Self {
        Self {
            outcome: decision.outcome().as_str(),
            stage: decision.stage().as_str(),
            reason: decision.reason(),
            issuer: issuer.map_or(0, address),
            resource: address(decision.resource),
        }
    }

    fn is(&self, other: &Self) -> bool {
        let same = |one: &'static str, other: &'static str| std::ptr::eq(one, other);
        self.issuer == other.issuer
            && self.resource == other.resource
            && same(self.reason, other.reason)
            && same(self.outcome, other.outcome)
            && same(self.stage, other.stage)
    }

    fn hash(&self) -> u64 {
        let parts = [
            self.outcome.as_ptr().addr(),
            self.stage.as_ptr().addr(),
            self.reason.as_ptr().addr(),
            self.issuer,
            self.resource,
        ];
        parts.iter().fold(0, |hash: u64, part| {
            let mixed = (hash.rotate_left(5) ^ *part as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            mixed ^ (mixed >> 29)
        })
    }
}

fn address(name: &Arc<str>) -> usize {
    Arc::as_ptr(name).cast::<u8>().addr()
}

impl DecisionCounter {
    #[inline]
    fn count(&self, decision: &RequestDecision<'_>) {
        self.counter.increment(1);
        if let Some(time) = decision.check_time() {
            self.check_times.record(time);
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Counters without a value yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            decisions: ConcurrentMap::new(),
            made: Mutex::default(),
        }
    }

    /// Makes the handle of a counter, and keeps it.
    #[cold]
    fn make(&self, key: DecisionKey, decision: &RequestDecision<'_>, issuer: Option<Arc<str>>) {
        describe();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let label = match &issuer {
            None => Arc::from(""),
            Some(issuer) => made.label(issuer),
        };
        let made_counter = DecisionCounter {
            counter: counter!(
                "portcullis_decisions_total",
                "outcome" => key.outcome,
                "stage" => key.stage,
                "reason" => key.reason,
                "issuer" => Arc::clone(&label),
                "resource" => Arc::clone(decision.resource)
            ),
            check_times: histogram!(
                "portcullis_token_check_duration_seconds",
                "outcome" => key.outcome,
                "issuer" => label
            ),
            key,
            _labels: (issuer, Arc::clone(decision.resource)),
        };
        made_counter.count(decision);
        if made.handles == MOST_HANDLES {
            self.forget_handles();
            made.handles = 0;
        }
        made.handles += 1;
        self.decisions.insert(key.hash(), made_counter);
    }

    fn forget_handles(&self) {
        let mut hashes = Vec::with_capacity(MOST_HANDLES);
        self.decisions.for_each(|hash, _| hashes.push(hash));
        for hash in hashes {
            self.decisions.remove(hash);
        }
    }

    fn label(&self, issuer: &str) -> Arc<str> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.label(issuer)
    }
}

impl Made {
    /// The value of the label of an issuer.
    fn label(&mut self, issuer: &str) -> Arc<str> {
        if let Some(known) = self.issuers.get(issuer) {
            return Arc::clone(known);
        }
        if self.issuers.len() >= MOST_ISSUERS {
            return OTHER.into();
        }
        let label: Arc<str> = issuer.into();
        self.issuers.insert(Arc::clone(&label));
        label
    }
}

impl Observer for Metrics {
    fn decided(&self, decision: &RequestDecision<'_>) {
        // Only a refusal has an issuer of its own to be counted.
        let refused_by = match decision.verified {
            Some(_) => None,
            None => decision.rejection.and_then(Rejection::shared_issuer),
        };
        let issuer = decision.verified.map(VerifiedRequest::realm);
        let issuer = issuer.or(refused_by.as_ref());
        let key = DecisionKey::of(decision, issuer);
        let counted = self.decisions.find([key.hash()], |entry| {
            entry.key.is(&key).then(|| entry.count(decision))
        });
        if counted.is_none() {
            self.make(key, decision, issuer.cloned());
        }
    }

    fn called(&self, call: &RemoteCall<'_>) {
        histogram!(
            "portcullis_issuer_request_duration_seconds",
            "endpoint" => call.endpoint(),
            "outcome" => call.failure().map_or("answered", |outage| outage.as_str()),
            "issuer" => self.label(call.issuer())
        )
        .record(call.duration());
    }

    fn refreshed(&self, refresh: &KeySetRefresh<'_>) {
        let outcome = match (refresh.is_failed(), refresh.is_changed()) {
            (true, _) => "failed",
            (false, true) => "changed",
            (false, false) => "unchanged",
        };
        counter!(
            "portcullis_key_set_refreshes_total",
            "outcome" => outcome,
            "issuer" => self.label(refresh.issuer())
        )
        .increment(1);
    }
}

/// Describes the metrics of this file to the recorder.
fn describe() {
    describe_counter!(
        "portcullis_decisions_total",
        Unit::Count,
        "Requests, by what was decided about them"
    );
    describe_histogram!(
        "portcullis_token_check_duration_seconds",
        Unit::Seconds,
        "Time of the check of a token that was not in the cache, look-ups included"
    );
    describe_histogram!(
        "portcullis_issuer_request_duration_seconds",
        Unit::Seconds,
        "Time of requests to introspection and userinfo endpoints"
    );
    describe_counter!(
        "portcullis_key_set_refreshes_total",
        Unit::Count,
        "Fetches of key sets"
    );
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
