//! Metrics by OpenTelemetry: an observer that writes to a meter, and gauges that are read at each export.
//!
//! ```sh
//! cargo run --manifest-path examples/opentelemetry/Cargo.toml
//! ```
//!
//! It exports by OTLP over HTTP to a collector of its own on loopback, and prints what arrived there. In
//! production the endpoint is your collector's.

use std::error::Error;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter, MeterProvider as _};
use opentelemetry_otlp::{MetricExporter, Protocol, WithExportConfig as _};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use portcullis::observe::{KeySetRefresh, Observer, RemoteCall, RequestDecision};
use portcullis::test_util::MockIssuer;
use portcullis::{AccessToken, Issuer, ResourceServer};
use serde_json::Value;
use tokio::net::TcpListener;

/// Writes what happens to instruments of a meter. Attributes are names of the configuration and of the
/// library alone: their number is bounded.
struct Instruments {
    decisions: Counter<u64>,
    checks: Histogram<f64>,
    calls: Histogram<f64>,
    refreshes: Counter<u64>,
}

impl Instruments {
    fn new(meter: &Meter) -> Self {
        let seconds = |name| meter.f64_histogram(name).with_unit("s").build();
        Self {
            decisions: meter.u64_counter("portcullis.decisions").build(),
            checks: seconds("portcullis.token_check.duration"),
            calls: seconds("portcullis.issuer_request.duration"),
            refreshes: meter.u64_counter("portcullis.key_set.refreshes").build(),
        }
    }
}

impl Observer for Instruments {
    fn decided(&self, decision: &RequestDecision<'_>) {
        let outcome = KeyValue::new("outcome", decision.outcome().as_str());
        let issuer = KeyValue::new("issuer", decision.issuer().unwrap_or_default().to_owned());
        if let Some(time) = decision.check_time() {
            self.checks
                .record(time.as_secs_f64(), &[outcome.clone(), issuer.clone()]);
        }
        self.decisions.add(
            1,
            &[
                outcome,
                issuer,
                KeyValue::new("stage", decision.stage().as_str()),
                KeyValue::new("reason", decision.reason()),
                KeyValue::new("resource", decision.resource().to_owned()),
            ],
        );
    }

    fn called(&self, call: &RemoteCall<'_>) {
        let outcome = call.failure().map_or("answered", |outage| outage.as_str());
        let attributes = [
            KeyValue::new("endpoint", call.endpoint()),
            KeyValue::new("outcome", outcome),
            KeyValue::new("issuer", call.issuer().to_owned()),
        ];
        self.calls
            .record(call.duration().as_secs_f64(), &attributes);
    }

    fn refreshed(&self, refresh: &KeySetRefresh<'_>) {
        let outcome = if refresh.is_failed() { "failed" } else { "fetched" };
        let attributes = [
            KeyValue::new("outcome", outcome),
            KeyValue::new("issuer", refresh.issuer().to_owned()),
        ];
        self.refreshes.add(1, &attributes);
    }
}

/// Gauges, read from the server at each export.
fn observe_state(meter: &Meter, server: &ResourceServer) {
    let sets = server.clone();
    meter
        .f64_observable_gauge("portcullis.key_set.age")
        .with_unit("s")
        .with_callback(move |gauge| {
            for set in sets.key_set_status() {
                let age = set.age().map_or(f64::INFINITY, |age| age.as_secs_f64());
                gauge.observe(age, &[KeyValue::new("issuer", set.issuer().to_owned())]);
            }
        })
        .build();
    let ready = server.clone();
    meter
        .u64_observable_gauge("portcullis.ready")
        .with_callback(move |gauge| gauge.observe(u64::from(ready.ready()), &[]))
        .build();
}

/// What the collector received.
type Received = Arc<Mutex<Vec<Value>>>;

async fn collect(State(received): State<Received>, Json(export): Json<Value>) -> Json<Value> {
    received.lock().expect("no panic").push(export);
    Json(serde_json::json!({}))
}

/// Serves on loopback, and says where.
async fn serve(routes: Router) -> Result<String, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(axum::serve(listener, routes).into_future());
    Ok(format!("http://{address}"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let received = Received::default();
    let collector = Router::new().route("/v1/metrics", post(collect));
    let collector = serve(collector.with_state(received.clone())).await?;
    let endpoint = format!("{collector}/v1/metrics");
    // The exporter's client blocks, and so it is made and used outside of the runtime's threads.
    let exporter = tokio::task::spawn_blocking(move || {
        MetricExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpJson)
            .with_endpoint(endpoint)
            .build()
    });
    let provider = SdkMeterProvider::builder()
        .with_periodic_exporter(exporter.await??)
        .build();
    let meter = provider.meter("portcullis");

    let issuer = MockIssuer::new().serve().await; // in production: your provider
    let server = ResourceServer::builder("https://api.example.com")
        .issuer(Issuer::oidc(issuer.url()).key_set_url(issuer.key_set_url()))
        .observer(Instruments::new(&meter))
        .build()?
        .connect()
        .await?;
    observe_state(&meter, &server);
    let api = Router::new()
        .route("/", get(async |_: AccessToken| "in"))
        .route_layer(server.authenticate());
    let api = serve(api).await?;
    let token = issuer.token().audience("https://api.example.com");
    for token in [token.sign(), token.clone().expired().sign()] {
        let request = reqwest::Client::new().get(&api);
        let answer = request.header("authorization", format!("Bearer {token}"));
        println!("{}", answer.send().await?.status());
    }
    let export = provider.clone();
    tokio::task::spawn_blocking(move || export.force_flush()).await??;

    let exports = received.lock().expect("no panic").clone();
    let text = serde_json::to_string_pretty(&exports)?;
    println!("{text}");
    for name in [
        "portcullis.decisions",
        "portcullis.token_check.duration",
        "portcullis.key_set.age",
        "portcullis.ready",
    ] {
        assert!(text.contains(&format!("\"{name}\"")), "no {name} arrived");
    }
    tokio::task::spawn_blocking(move || provider.shutdown()).await??;
    Ok(())
}
