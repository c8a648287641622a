//! The gauges, and the counters that the server keeps itself, as metrics.

use std::collections::HashMap;
#[cfg(feature = "redis")]
use std::time::Duration;

use metrics::{counter, gauge};

use crate::model::time::UnixTime;
use crate::server::resource_server::ResourceServer;

impl ResourceServer {
    /// Writes the state of this server to the recorder of the facade `metrics`: gauges, and counters that
    /// the server keeps anyway. Call it before each scrape, or every few seconds; it takes some
    /// microseconds and waits for nothing. The names and labels are listed in
    /// [the manual](crate::manual::metrics). Decisions are counted by
    /// [`Metrics`](crate::observe::Metrics).
    pub fn record_metrics(&self) {
        gauge!("portcullis_ready").set(flag(self.ready()));
        gauge!("portcullis_configuration_revision").set(number(self.revision()));
        let revocations = self.revocations();
        gauge!("portcullis_revocations").set(count(revocations.len()));
        gauge!("portcullis_revocations_capacity").set(count(revocations.capacity()));
        gauge!("portcullis_revocations_loaded").set(flag(revocations.is_loaded()));
        if let Some(cache) = self.token_cache_status() {
            gauge!("portcullis_token_cache_entries").set(count(cache.entries()));
            gauge!("portcullis_token_cache_bytes").set(count(cache.bytes()));
            counter!("portcullis_token_cache_hits_total").absolute(cache.hits());
            counter!("portcullis_token_cache_misses_total").absolute(cache.misses());
            counter!("portcullis_token_cache_evictions_total").absolute(cache.evictions());
        }
        if let Some(store) = self.replay_store_status() {
            gauge!("portcullis_replay_store_entries").set(count(store.entries()));
            gauge!("portcullis_replay_store_capacity").set(count(store.capacity()));
        }
        self.record_observing();
        #[cfg(feature = "jwks")]
        self.record_issuers();
        #[cfg(feature = "jwks")]
        self.record_queue_and_leases();
        #[cfg(feature = "redis")]
        self.record_shared_store();
        #[cfg(feature = "status-list")]
        self.record_status_lists();
    }

    /// A resource is open as long as one of its layers observes: the latest end counts.
    fn record_observing(&self) {
        let mut latest: HashMap<String, (bool, UnixTime)> = HashMap::new();
        for layer in self.observe_only_status() {
            let state = (layer.is_observing(), layer.until());
            let seen = latest.entry(layer.resource().to_owned()).or_insert(state);
            *seen = state.max(*seen);
        }
        for (resource, (is_observing, until)) in latest {
            gauge!("portcullis_observe_only_until_seconds", "resource" => resource.clone())
                .set(seconds_of(until.as_secs()));
            gauge!("portcullis_observe_only", "resource" => resource).set(flag(is_observing));
        }
    }

    #[cfg(feature = "jwks")]
    fn record_issuers(&self) {
        for set in self.key_set_status() {
            let labels = [
                ("issuer", set.issuer().to_owned()),
                ("address", set.address().unwrap_or("discovered").to_owned()),
            ];
            gauge!("portcullis_key_set_usable", &labels).set(flag(set.state().is_usable()));
            gauge!("portcullis_key_set_fresh", &labels).set(flag(set.state().as_str() == "fresh"));
            gauge!("portcullis_key_set_from_copy", &labels)
                .set(flag(set.state().as_str() == "from_copy"));
            counter!("portcullis_key_set_copy_failures_total", &labels)
                .absolute(set.copy_failures());
            gauge!("portcullis_key_set_keys", &labels).set(count(set.keys()));
            gauge!("portcullis_key_set_skipped_keys", &labels).set(count(set.skipped().len()));
            gauge!("portcullis_key_set_consecutive_failures", &labels)
                .set(f64::from(set.failures()));
            // Without keys there is no age, and an alert on it must not be silenced by a low one.
            let age = set.age().map_or(f64::INFINITY, |age| age.as_secs_f64());
            gauge!("portcullis_key_set_age_seconds", &labels).set(age);
        }
        for (endpoint, status) in self.endpoint_statuses() {
            let labels = [
                ("endpoint", endpoint.to_owned()),
                ("issuer", status.issuer().to_owned()),
            ];
            counter!("portcullis_issuer_requests_total", &labels).absolute(status.calls());
            counter!("portcullis_issuer_request_failures_total", &labels)
                .absolute(status.failures());
            gauge!("portcullis_issuer_request_breaker_open", &labels)
                .set(flag(status.is_breaker_open()));
            gauge!("portcullis_issuer_requests_in_flight", &labels).set(count(status.in_flight()));
            gauge!("portcullis_answer_cache_entries", &labels).set(count(status.remembered()));
            counter!("portcullis_answer_cache_hits_total", &labels).absolute(status.hits());
            counter!("portcullis_answer_cache_misses_total", &labels).absolute(status.misses());
            counter!("portcullis_answer_cache_evictions_total", &labels)
                .absolute(status.evictions());
        }
    }

    #[cfg(feature = "jwks")]
    fn record_queue_and_leases(&self) {
        let leases = self.lease_status();
        gauge!("portcullis_leases_open").set(count(leases.open()));
        counter!("portcullis_leases_opened_total").absolute(leases.opened());
        for (reason, ended) in leases.ended() {
            counter!("portcullis_leases_ended_total", "reason" => reason).absolute(ended);
        }
        if let Some(queue) = self.decision_records_status() {
            gauge!("portcullis_decision_queue_records").set(count(queue.queued()));
            gauge!("portcullis_decision_queue_capacity").set(count(queue.capacity()));
            for (outcome, records) in [
                ("written", queue.written()),
                ("failed", queue.failed()),
                ("dropped", queue.dropped()),
            ] {
                counter!("portcullis_decision_records_total", "outcome" => outcome)
                    .absolute(records);
            }
        }
    }

    #[cfg(feature = "redis")]
    fn record_shared_store(&self) {
        let Some(store) = self.shared_store_status() else {
            return;
        };
        let seconds = |span: Option<Duration>| span.unwrap_or_default().as_secs_f64();
        let lag = store
            .confirmed()
            .map_or(f64::INFINITY, |lag| lag.as_secs_f64());
        gauge!("portcullis_shared_store_lag_seconds").set(lag);
        gauge!("portcullis_shared_store_failing_seconds").set(seconds(store.failing_since()));
        gauge!("portcullis_shared_store_refusing").set(flag(store.is_refusing()));
        gauge!("portcullis_shared_store_unwritten").set(count(store.unwritten()));
    }

    #[cfg(feature = "status-list")]
    fn record_status_lists(&self) {
        let lists = self.status_list_status();
        gauge!("portcullis_status_lists").set(count(lists.len()));
        let usable = lists.iter().filter(|list| list.is_usable()).count();
        gauge!("portcullis_status_lists_usable").set(count(usable));
    }
}

fn flag(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

#[allow(clippy::cast_precision_loss)] // exact up to 2^53
fn count(number: usize) -> f64 {
    number as f64
}

#[allow(clippy::cast_precision_loss)] // exact up to 2^53
fn number(of: u64) -> f64 {
    of as f64
}

#[allow(clippy::cast_precision_loss)] // exact up to 2^53
fn seconds_of(time: i64) -> f64 {
    time as f64
}
