//! Metrics for Prometheus: decisions, key sets, caches, records.
//!
//! ```sh
//! cargo run --example metrics_prometheus            # prints one scrape and ends
//! cargo run --example metrics_prometheus -- serve   # serves on loopback, with a request now and then
//! ```
//!
//! 1. The recorder is installed first: a counter belongs to the recorder that there was when it was made.
//! 2. `/metrics` has no layer of this library: serve it on an internal address.
//! 3. Buckets make histograms of the durations, as the dashboard `docs/grafana/portcullis.json` wants;
//!    without them the exporter writes summaries.

use std::error::Error;
use std::time::Duration;

use axum::body::Body;
use axum::{Router, routing::get};
use http::Request;
use http_body_util::BodyExt as _;
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use portcullis::observe::Metrics;
use portcullis::test_util::MockIssuer;
use portcullis::{Issuer, ResourceServer, Scoped};
use tower::ServiceExt as _;

portcullis::scopes! { ReadMissions = "missions/read"; }

/// Seconds, from a token's check in memory to an issuer that is slow.
const BUCKETS: [f64; 9] = [
    0.000_02, 0.000_05, 0.000_1, 0.000_5, 0.005, 0.05, 0.2, 1.0, 5.0,
];

/// A recorder whose durations are histograms.
pub(crate) fn recorder() -> Result<PrometheusRecorder, BuildError> {
    let durations = Matcher::Suffix("_duration_seconds".to_owned());
    let builder = PrometheusBuilder::new().set_buckets_for_metric(durations, &BUCKETS)?;
    Ok(builder.build_recorder())
}

/// The scrape: the server writes its gauges before each.
pub(crate) fn metrics_route(server: &ResourceServer, handle: PrometheusHandle) -> Router {
    let server = server.clone();
    let scrape = async move || {
        server.record_metrics();
        handle.render()
    };
    Router::new().route("/metrics", get(scrape))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let recorder = recorder()?;
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)?;

    let issuer = MockIssuer::new().serve().await; // in production: your provider
    let server = ResourceServer::builder("https://api.example.com")
        .issuer(Issuer::oidc(issuer.url()).key_set_url(issuer.key_set_url()))
        .observer(Metrics::new())
        .build()?
        .connect()
        .await?;
    let app = Router::new()
        .route("/missions", get(async |_: Scoped<ReadMissions>| "missions"))
        .route_layer(server.authenticate())
        .merge(metrics_route(&server, handle));

    let ask = async |path: &str, token: &str| {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        let response = app.clone().oneshot(request.body(Body::empty())?).await?;
        let body = response.into_body().collect().await?.to_bytes();
        Ok::<_, Box<dyn Error>>(String::from_utf8_lossy(&body).into_owned())
    };
    let token = issuer.token().audience("https://api.example.com");
    let good = token.clone().scope("missions/read").sign();
    for token in [
        &*good,
        &*good,
        &token.sign(),
        &token.clone().expired().sign(),
    ] {
        ask("/missions", token).await?;
    }
    let scrape = ask("/metrics", "").await?;
    println!("{scrape}");
    let admitted = scrape.lines().find(|line| {
        line.starts_with("portcullis_decisions_total{") && line.contains("\"admitted\"")
    });
    assert!(
        admitted.is_some_and(|line| line.ends_with(" 2")),
        "{scrape}"
    );

    if std::env::args().nth(1).as_deref() == Some("serve") {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:9464").await?;
        println!("http://{}/metrics", listener.local_addr()?);
        tokio::spawn(axum::serve(listener, app.clone()).into_future());
        loop {
            ask("/missions", &good).await?;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    Ok(())
}
