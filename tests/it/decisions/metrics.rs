//! Metrics, as a scrape of the example's exporter has them; and the dashboard and the manual, which name
//! those that there are.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use axum::Router;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use portcullis::extract::UserInfo;
use portcullis::observe::{DecisionRecord, DecisionRecords, DecisionSink, Metrics, SinkError};
use portcullis::test_util::{Endpoint, Fault, MockIssuer};
use portcullis::{AccessToken, Issuer, ResourceServer, Scoped};

use crate::support::{API, Requests as _, TestApp, builder};

#[path = "../../../examples/metrics_prometheus.rs"]
#[allow(dead_code)]
pub(super) mod example;

portcullis::scopes! { Write = "missions/write"; }

/// What is counted on this thread, while the guard lives.
macro_rules! recording {
    ($handle:ident, $guard:ident) => {
        let recorder = example::recorder().expect("sound buckets");
        let $handle: PrometheusHandle = recorder.handle();
        let $guard = metrics::set_default_local_recorder(&recorder);
    };
}

/// A scrape over HTTP, as Prometheus makes it.
async fn scrape(server: &ResourceServer, handle: &PrometheusHandle) -> String {
    let routes: Router = example::metrics_route(server, handle.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let address = listener.local_addr().expect("an address");
    let served = tokio::spawn(axum::serve(listener, routes).into_future());
    let page = reqwest::get(format!("http://{address}/metrics"))
        .await
        .expect("a response");
    let text = page.text().await.expect("text");
    served.abort();
    text
}

/// The value of a sample, by its name and some of its labels.
fn sample(scrape: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let mut lines = scrape.lines().filter(|line| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
            && labels.iter().all(|label| line.contains(label))
    });
    let line = lines.next()?;
    assert!(
        lines.next().is_none(),
        "two samples of {name} {labels:?}: {scrape}"
    );
    line.rsplit(' ').next()?.parse().ok()
}

#[tokio::test]
async fn metrics_count_decisions_by_outcome_stage_reason_issuer_and_resource() {
    recording!(handle, _guard);
    let issuer = MockIssuer::new();
    let server = builder(&issuer).observer(Metrics::new()).build();
    let server = server.expect("sound settings");
    let app = TestApp::behind(server.authenticate())
        .route("/", get(async |_: AccessToken| {}))
        .route("/scope", get(async |_: Scoped<Write>| {}));
    let token = issuer.token().sign();
    for _ in 0..3 {
        assert_eq!(app.verdict(&token).await, "200");
    }
    let refused = app.get("/scope", &token).await;
    assert_eq!(refused.verdict(), "403 insufficient_scope");
    for _ in 0..2 {
        let expired = issuer.token().expired().sign();
        assert_eq!(app.verdict(&expired).await, "401 invalid_token expired");
    }
    let unknown = issuer.token().issuer("https://evil.example").sign();
    assert_eq!(
        app.verdict(&unknown).await,
        "401 invalid_token unknown_issuer"
    );
    let text = scrape(&server, &handle).await;
    let of_issuer = format!("issuer=\"{}\"", issuer.issuer());
    let count = |labels: &[&str]| sample(&text, "portcullis_decisions_total", labels);
    let admitted = [
        "outcome=\"admitted\"",
        "stage=\"layer\"",
        "reason=\"\"",
        &of_issuer,
    ];
    assert_eq!(count(&admitted), Some(3.0));
    let resource = format!("resource=\"{API}\"");
    let scope = [
        "outcome=\"refused\"",
        "stage=\"guard\"",
        "reason=\"insufficient_scope\"",
        &resource,
    ];
    assert_eq!(count(&scope), Some(1.0));
    assert_eq!(count(&["reason=\"expired\"", &of_issuer]), Some(2.0));
    assert_eq!(
        count(&["reason=\"unknown_issuer\"", "issuer=\"\""]),
        Some(1.0)
    );
    assert!(
        !text.contains("evil"),
        "no label comes from a request: {text}"
    );
    let checks = "portcullis_token_check_duration_seconds_count";
    assert_eq!(
        sample(&text, checks, &["outcome=\"admitted\"", &of_issuer]),
        Some(1.0)
    );
    assert_eq!(
        sample(&text, "portcullis_token_cache_entries", &[]),
        Some(1.0)
    );
    assert_eq!(
        sample(&text, "portcullis_token_cache_hits_total", &[]),
        Some(3.0)
    );
    assert_eq!(sample(&text, "portcullis_ready", &[]), Some(1.0));
}

struct Nowhere;

impl DecisionSink for Nowhere {
    async fn record(&self, _: DecisionRecord) -> Result<(), SinkError> {
        Ok(())
    }
}

/// A server that uses what has metrics, and requests that make each of them appear.
async fn everything(handle: &PrometheusHandle) -> String {
    let (issuer, opaque) = (
        MockIssuer::new(),
        MockIssuer::named("https://opaque.example"),
    );
    let (issuer, opaque) = (issuer.serve().await, opaque.serve().await);
    let server = ResourceServer::builder(API)
        .issuer(Issuer::oidc(issuer.url()).key_set_url(issuer.key_set_url()))
        .issuer(
            opaque
                .introspected()
                .userinfo(opaque.url_of(Endpoint::UserInfo)),
        )
        .observer(Metrics::new())
        .decision_records(DecisionRecords::new().sink(Nowhere))
        .build()
        .expect("sound settings")
        .connect()
        .await
        .expect("a runtime");
    let now = portcullis::time::SystemClock::new();
    let until =
        portcullis::time::Clock::now(&now).saturating_add(std::time::Duration::from_secs(60));
    let observing = server.authenticate().danger().observe_only_until(until);
    let app = TestApp::behind(observing)
        .route("/", get(async || {}))
        .route("/user", get(async |_: UserInfo<serde_json::Value>| {}));
    assert_eq!(
        app.verdict(&issuer.token().audience(API).sign()).await,
        "200"
    );
    assert_eq!(app.verdict("bad.token.here").await, "200");
    let token = opaque.token().subject("alice").audience(API);
    assert_eq!(app.verdict(&token.issue()).await, "200");
    let _ = app.get("/user", &token.issue()).await;
    opaque.break_with(Fault::Status(500));
    assert_eq!(app.verdict(&token.issue()).await, "200");
    server.flush_decision_records().await;
    scrape(&server, handle).await
}

#[tokio::test]
async fn metrics_have_the_state_of_key_sets_endpoints_and_queues() {
    recording!(handle, _guard);
    let text = everything(&handle).await;
    for (name, labels, value) in [
        ("portcullis_key_set_usable", &["issuer=\"http"][..], 1.0),
        (
            "portcullis_key_set_refreshes_total",
            &["outcome=\"changed\""],
            1.0,
        ),
        (
            "portcullis_issuer_request_duration_seconds_count",
            &["outcome=\"introspection_failed\""],
            1.0,
        ),
        (
            "portcullis_issuer_request_failures_total",
            &["endpoint=\"introspection\""],
            1.0,
        ),
        ("portcullis_observe_only", &[], 1.0),
        (
            "portcullis_decision_records_total",
            &["outcome=\"written\""],
            5.0,
        ),
        (
            "portcullis_decision_records_total",
            &["outcome=\"dropped\""],
            0.0,
        ),
    ] {
        assert_eq!(sample(&text, name, labels), Some(value), "{name}: {text}");
    }
}

#[tokio::test]
async fn metrics_say_that_a_resource_is_open_while_one_of_its_layers_observes() {
    let now = portcullis::time::SystemClock::new();
    let now = portcullis::time::Clock::now(&now);
    let later = now.saturating_add(std::time::Duration::from_secs(3600));
    let past = portcullis::time::UnixTime::from_secs(1_000_000_000);
    for (first, second, is_open) in [(later, past, 1.0), (past, later, 1.0), (past, past, 0.0)] {
        recording!(handle, _guard);
        let server = builder(&MockIssuer::new()).build().expect("sound settings");
        let layer = |until| server.authenticate().danger().observe_only_until(until);
        let _layers = (layer(first), layer(second));
        let text = scrape(&server, &handle).await;
        let value = |name| sample(&text, name, &[&format!("resource=\"{API}\"")]);
        assert_eq!(value("portcullis_observe_only"), Some(is_open), "{text}");
        let until = value("portcullis_observe_only_until_seconds").expect("a sample");
        let expected = first.max(second).as_secs().to_string();
        assert_eq!(until.to_string(), expected);
    }
}

/// The names of metrics in a text.
fn names(text: &str) -> BTreeSet<String> {
    let is_part = |one: char| one.is_ascii_lowercase() || one == '_';
    let starts = text.match_indices("portcullis_").map(|(at, _)| at);
    let names = starts.map(|at| text[at..].chars().take_while(|one| is_part(*one)).collect());
    names.collect()
}

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join(path)).expect(path)
}

/// The names that the source writes.
fn written() -> BTreeSet<String> {
    names(&(read("src/server/observe/metrics.rs") + &read("src/server/record_metrics.rs")))
}

#[test]
fn metrics_of_the_manual_are_those_that_are_written() {
    assert_eq!(names(&read("src/manual/metrics.md")), written());
}

/// Only a server with a shared store, status lists or a store of proofs has these.
const NOT_IN_THE_SCRAPE: [&str; 3] = [
    "portcullis_shared_store_",
    "portcullis_status_lists",
    "portcullis_replay_store_",
];

#[tokio::test]
async fn metrics_of_every_query_of_the_dashboard_are_in_a_scrape() {
    recording!(handle, _guard);
    let text = everything(&handle).await;
    let scraped: BTreeSet<String> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(names)
        .collect();
    let written = written();
    let dashboard: serde_json::Value =
        serde_json::from_str(&read("docs/grafana/portcullis.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut queries = 0;
    for target in panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array())
        .flatten()
    {
        let query = target["expr"].as_str().expect("a query");
        let used = names(query);
        assert!(!used.is_empty(), "{query}");
        for name in used {
            let plain = name
                .trim_end_matches("_bucket")
                .trim_end_matches("_count")
                .trim_end_matches("_sum");
            assert!(written.contains(plain), "{query}: nothing writes {plain}");
            let is_elsewhere = NOT_IN_THE_SCRAPE
                .iter()
                .any(|prefix| name.starts_with(prefix));
            assert!(
                is_elsewhere || scraped.contains(&name),
                "{query}: no {name} in {text}"
            );
        }
        queries += 1;
    }
    assert!(queries >= 15, "{queries} queries");
}
