//! A real Prometheus, which scrapes a server and answers each query of the dashboard; and the picture of
//! the manual, which is drawn from its answers.
//!
//! `PORTCULLIS_DASHBOARD_PICTURE=docs/pictures/dashboard.svg` runs for longer and writes that picture.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::routing::get;
use portcullis::binding::Dpop;
use portcullis::config::SharedStore;
use portcullis::extract::UserInfo;
use portcullis::observe::{DecisionRecord, DecisionRecords, DecisionSink, Metrics, SinkError};
use portcullis::revocation::Revocation;
use portcullis::test_util::{Endpoint, Fault, MockIssuer, ServedIssuer};
use portcullis::time::{Clock as _, SystemClock};
use portcullis::{Issuer, ResourceServer, Scoped};
use serde_json::Value;

use super::metrics::example;
use crate::shared_store::engine::Engine;
use crate::support::{API, Requests as _, TestApp};

portcullis::scopes! { Write = "missions/write"; }

/// How long Prometheus may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// What Grafana puts in place of its variables: all jobs, and an interval of several scrapes.
const VARIABLES: [(&str, &str); 2] = [("$job", ".+"), ("$__rate_interval", "3s")];

/// A Prometheus on loopback, whose data go with it.
struct Prometheus {
    child: Child,
    folder: PathBuf,
    url: String,
    client: reqwest::Client,
}

impl Prometheus {
    /// One that scrapes this address.
    async fn scraping(address: &str) -> Self {
        let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/interop/prometheus");
        assert!(
            home.join("installed").exists(),
            "this test needs prometheus, which is not installed; run `tests/interop/install`"
        );
        let folder = env::temp_dir().join(format!("portcullis-prometheus-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let settings = format!(
            "global: {{ scrape_interval: 200ms, scrape_timeout: 200ms }}\n\
             scrape_configs:\n  - job_name: portcullis\n    static_configs: [{{ targets: ['{address}'] }}]\n"
        );
        fs::write(folder.join("prometheus.yml"), settings).expect("a file");
        loop {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
            let port = listener.local_addr().expect("an address").port();
            drop(listener);
            let child = Command::new(home.join("usr/bin/prometheus"))
                .arg(format!(
                    "--config.file={}",
                    folder.join("prometheus.yml").display()
                ))
                .arg(format!(
                    "--storage.tsdb.path={}",
                    folder.join("data").display()
                ))
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .current_dir(&folder)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            let mut prometheus = Self {
                child: child.expect("a process"),
                folder: folder.clone(),
                url: format!("http://127.0.0.1:{port}"),
                client: reqwest::Client::builder()
                    .no_proxy()
                    .build()
                    .expect("a client"),
            };
            // Another program may have taken the port that was free.
            if prometheus.is_up().await {
                return prometheus;
            }
            fs::create_dir_all(&folder).expect("a folder");
        }
    }

    async fn is_up(&mut self) -> bool {
        let end = Instant::now() + PATIENCE;
        while self.child.try_wait().expect("a child").is_none() {
            let ready = self
                .client
                .get(format!("{}/-/ready", self.url))
                .send()
                .await;
            if ready.is_ok_and(|response| response.status().is_success()) {
                return true;
            }
            assert!(Instant::now() < end, "Prometheus does not start");
            tokio::task::yield_now().await;
        }
        false
    }

    /// The series that a query gives now.
    async fn query(&self, query: &str) -> Vec<Value> {
        let url = format!("{}/api/v1/query", self.url);
        let url = reqwest::Url::parse_with_params(&url, [("query", query)]).expect("a URL");
        let response = self.client.get(url).send().await.expect("a response");
        let text = response.text().await.expect("text");
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(answer["status"], "success", "{query}: {text}");
        answer["data"]["result"].as_array().expect("series").clone()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

struct Nowhere;

impl DecisionSink for Nowhere {
    async fn record(&self, _: DecisionRecord) -> Result<(), SinkError> {
        Ok(())
    }
}

/// A server that uses everything that has a panel.
struct Site {
    server: ResourceServer,
    enforced: TestApp,
    observed: TestApp,
    issuer: ServedIssuer,
    opaque: ServedIssuer,
}

impl Site {
    async fn new(store: &Engine) -> Self {
        let opaque = MockIssuer::named("https://opaque.example");
        let (issuer, opaque) = (MockIssuer::new().serve().await, opaque.serve().await);
        let key_set = Issuer::oidc(issuer.url()).key_set_url(issuer.key_set_url());
        let introspected = opaque
            .introspected()
            .userinfo(opaque.url_of(Endpoint::UserInfo));
        let server = ResourceServer::builder(API)
            .issuer(key_set)
            .issuer(introspected)
            .dpop(Dpop::accepted())
            .shared_store(
                SharedStore::redis(store.url()).cluster_key(*b"a key of thirty-two bytes,shared"),
            )
            .observer(Metrics::new())
            .decision_records(DecisionRecords::new().sink(Nowhere));
        let server = server.build().expect("sound settings");
        let server = server.connect().await.expect("a runtime");
        let routed = |app: TestApp| {
            app.route("/", get(async || {}))
                .route("/write", get(async |_: Scoped<Write>| {}))
                .route("/user", get(async |_: UserInfo<Value>| {}))
        };
        let until = SystemClock::new()
            .now()
            .saturating_add(Duration::from_secs(3600));
        let observing = server.authenticate().danger().observe_only_until(until);
        Self {
            enforced: routed(TestApp::behind(server.authenticate())),
            observed: routed(TestApp::behind(observing)),
            server,
            issuer,
            opaque,
        }
    }

    /// Requests of each outcome, in shares that change with `number`.
    async fn requests(&self, number: u32) {
        let token = self.issuer.token().audience(API);
        let seen = token.clone().subject("seen").sign();
        for _ in 0..=number % 7 {
            assert_eq!(self.enforced.verdict(&seen).await, "200");
        }
        let new = token.clone().scope("missions/write").sign();
        assert_eq!(self.enforced.get("/write", &new).await.verdict(), "200");
        assert_eq!(
            self.enforced.get("/write", &seen).await.verdict(),
            "403 insufficient_scope"
        );
        let expired = token.clone().expired().sign();
        assert_eq!(
            self.enforced.verdict(&expired).await,
            "401 invalid_token expired"
        );
        let revoked = format!("revoked {number}");
        let revocation = Revocation::token(self.issuer.url(), &revoked);
        self.server.revocations().revoke(revocation).expect("room");
        let revoked = token.claim("jti", revoked.as_str()).sign();
        assert_eq!(
            self.enforced.verdict(&revoked).await,
            "401 invalid_token revoked"
        );
        assert_eq!(self.observed.verdict(&revoked).await, "200");
        // Its circuit breaker opens for a while.
        let opaque = self.opaque.token().subject("alice").audience(API);
        if number % 16 == 12 {
            self.opaque.break_with(Fault::Status(500));
        }
        for path in ["/", "/user"] {
            let _ = self.enforced.get(path, &opaque.issue()).await;
        }
        self.opaque.recover();
    }
}

/// Title and query of each query of the dashboard.
fn queries() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/grafana/portcullis.json")).expect("a file");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut queries = Vec::new();
    for panel in panels {
        let title = panel["title"].as_str().expect("a title");
        for target in panel["targets"].as_array().into_iter().flatten() {
            let mut query = target["expr"].as_str().expect("a query").to_owned();
            for (variable, value) in VARIABLES {
                query = query.replace(variable, value);
            }
            queries.push((title.to_owned(), query));
        }
    }
    queries
}

#[tokio::test]
#[ignore = "needs prometheus from tests/interop/install, python3, and redis-server"]
async fn metrics_of_every_query_of_the_dashboard_are_series_of_a_real_prometheus() {
    let recorder = example::recorder().expect("sound buckets");
    let handle = recorder.handle();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let store = Engine::start(&[]).await;
    let site = Site::new(&store).await;
    let routes = example::metrics_route(&site.server, handle);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    tokio::spawn(axum::serve(listener, routes).into_future());
    let prometheus = Prometheus::scraping(&address).await;

    let picture = env::var_os("PORTCULLIS_DASHBOARD_PICTURE").map(PathBuf::from);
    let longest = Duration::from_secs(if picture.is_some() { 40 } else { 0 });
    let queries = queries();
    assert!(queries.len() >= 24, "{queries:?}");
    let begun = Instant::now();
    let mut number = 0;
    loop {
        site.requests(number).await;
        number += 1;
        let mut missing = Vec::new();
        for (title, query) in &queries {
            if prometheus.query(query).await.is_empty() {
                missing.push((title, query));
            }
        }
        if missing.is_empty() && begun.elapsed() >= longest {
            break;
        }
        assert!(
            begun.elapsed() < PATIENCE + longest,
            "no series of {missing:?}"
        );
    }
    // What the queries give is what was counted.
    let refused = r#"sum(portcullis_decisions_total{outcome="refused"})"#;
    let first = &prometheus.query(refused).await[0]["value"][1];
    let first: f64 = first
        .as_str()
        .and_then(|text| text.parse().ok())
        .expect("a number");
    assert!(first >= 1.0, "{first}");
    // Its twin: a query of a metric that nothing writes parses, and gives nothing.
    assert!(
        prometheus
            .query("portcullis_nothing_total")
            .await
            .is_empty()
    );

    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let drawn = picture.map_or(prometheus.folder.join("drawn.svg"), |path| root.join(path));
    let seconds = begun.elapsed().as_secs().max(2).to_string();
    let render = Command::new("python3")
        .arg(root.join("docs/grafana/render"))
        .args([&*prometheus.url, &seconds])
        .arg(&drawn)
        .output()
        .expect("python3");
    assert!(render.status.success(), "{render:?}");
    let svg = fs::read_to_string(drawn).expect("a picture");
    for (title, _) in queries {
        let title = title.replace('&', "&amp;");
        assert!(svg.contains(&title), "{title}");
    }
    assert!(svg.matches("<path").count() >= 20 && svg.ends_with("</svg>\n"));
}
