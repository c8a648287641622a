use std::sync::atomic::{AtomicUsize, Ordering};

use metrics::{Key, KeyName, Metadata, Recorder, SharedString};

use super::*;
use crate::model::decision::record::{DecisionOutcome, DecisionStage};
use crate::model::error::rejection::TokenFault;

/// Counts how often a counter is asked for, and its increments.
#[derive(Default)]
struct Counted {
    asked: AtomicUsize,
    increments: Arc<Increments>,
}

#[derive(Default)]
struct Increments(AtomicUsize);

impl metrics::CounterFn for Increments {
    fn increment(&self, _: u64) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn absolute(&self, _: u64) {}
}

impl Recorder for Counted {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Counter::from_arc(Arc::clone(&self.increments))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> metrics::Gauge {
        metrics::Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// Each replacement of an issuer's rules gives it a name at another address.
#[test]
fn a_counter_is_kept_however_often_an_issuer_was_replaced() {
    let (recorder, metrics) = (Counted::default(), Metrics::new());
    let resource: Arc<str> = "https://api.example.com".into();
    let count = |issuer: &Arc<str>| {
        let rejection = Rejection::from(TokenFault::Expired).by(issuer);
        metrics.decided(&RequestDecision {
            outcome: DecisionOutcome::Refused,
            stage: DecisionStage::Layer,
            rejection: Some(&rejection),
            verified: None,
            resource: &resource,
            revision: 1,
            check_time: None,
            fingerprint: None,
        });
        recorder.asked.swap(0, Ordering::Relaxed)
    };
    metrics::with_local_recorder(&recorder, || {
        let replacements = 2 * MOST_HANDLES;
        for _ in 0..replacements {
            count(&"https://id.example.com".into());
        }
        let last: Arc<str> = "https://id.example.com".into();
        assert_eq!(count(&last), 1);
        assert_eq!(count(&last), 0, "the handle is kept");
        let counted = recorder.increments.0.load(Ordering::Relaxed);
        assert_eq!(counted, replacements + 2);
    });
}
