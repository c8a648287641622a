//! Requests with bound tokens in other forms: many at once, before the key is known, over HTTP/2.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::any;
use http::{Method, Request, Version};
use portcullis::test_util::{DpopKey, ManualClock, MockIssuer};
use portcullis::{AccessToken, ResourceServer};
use tokio::sync::Barrier;

use crate::support::{API, Requests as _, builder};

const URL: &str = "https://api.example.com/orders";
const REPLAYED: &str = "401 invalid_dpop_proof proof_replayed";

fn app(server: &ResourceServer) -> Router {
    Router::new()
        .route("/orders", any(async |_: AccessToken| {}))
        .layer(server.authenticate())
}

fn request(token: &str, proof: &str) -> Request<Body> {
    let request = Request::get("/orders")
        .header("authorization", format!("DPoP {token}"))
        .header("dpop", proof);
    request.body(Body::empty()).expect("a request")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_requests_with_one_proof_at_once_one_is_accepted() {
    const AT_ONCE: usize = 50;
    let issuer = MockIssuer::new();
    let key = DpopKey::generate();
    let server = builder(&issuer).build().expect("sound settings");
    let app = app(&server);
    let token = issuer.token().audience(API).bound_to_key(&key).sign();
    for round in 0..10 {
        let proof = key.proof("GET", URL).access_token(&token).sign();
        let (start, accepted) = (
            Arc::new(Barrier::new(AT_ONCE)),
            Arc::new(AtomicUsize::new(0)),
        );
        let tasks = (0..AT_ONCE).map(|_| {
            let (app, request) = (app.clone(), request(&token, &proof));
            let (start, accepted) = (Arc::clone(&start), Arc::clone(&accepted));
            tokio::spawn(async move {
                start.wait().await;
                match &*app.exchange(request).await.verdict() {
                    "200" => {
                        accepted.fetch_add(1, Ordering::Relaxed);
                    }
                    refused => assert_eq!(refused, REPLAYED),
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("no panic");
        }
        assert_eq!(accepted.load(Ordering::Relaxed), 1, "round {round}");
    }
}

#[tokio::test]
async fn a_bound_token_whose_key_is_fetched_first_needs_its_proof_too() {
    let clock = ManualClock::new();
    let key = DpopKey::generate().with_clock(clock.clone());
    let thief = DpopKey::generate().with_clock(clock.clone());
    let issuer = MockIssuer::new().with_clock(clock.clone());
    let served = issuer.serve().await;
    let server = ResourceServer::builder(API).issuer(served.trusted());
    let server = server.clock(clock.clone()).build().expect("sound settings");
    let server = server.connect().await.expect("a runtime");
    let app = app(&server);
    issuer.rotate();
    let token = issuer.token().audience(API).bound_to_key(&key).sign();
    let fetches = served.fetches();
    let by_thief = thief.proof("GET", URL).access_token(&token).sign();
    let verdict = app.exchange(request(&token, &by_thief)).await.verdict();
    assert_eq!(verdict, "401 invalid_token binding");
    assert_eq!(served.fetches(), fetches + 1);
    // Both wait for one fetch, with one proof.
    clock.advance(Duration::from_secs(3600));
    server.refresh_now().await.expect("the issuer is up");
    issuer.rotate();
    let token = issuer.token().audience(API).bound_to_key(&key).sign();
    let fetches = served.fetches();
    let proof = key.proof("GET", URL).access_token(&token).sign();
    let (one, two) = tokio::join!(
        app.exchange(request(&token, &proof)),
        app.exchange(request(&token, &proof))
    );
    let mut verdicts = [one.verdict(), two.verdict()];
    verdicts.sort();
    assert_eq!(verdicts, ["200", REPLAYED]);
    assert_eq!(served.fetches(), fetches + 1);
}

/// An API, and a request to it of this method and version.
struct Stage {
    key: DpopKey,
    token: String,
    app: Router,
}

impl Stage {
    fn new() -> Self {
        let issuer = MockIssuer::new();
        let key = DpopKey::generate();
        Self {
            token: issuer.token().audience(API).bound_to_key(&key).sign(),
            app: app(&builder(&issuer).build().expect("sound settings")),
            key,
        }
    }

    async fn verdict(
        &self,
        (method, version, uri): (Method, Version, &str),
        fields: &[(&str, &str)],
        (htm, htu): (&str, &str),
    ) -> String {
        let mut request = Request::builder().method(method).version(version).uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).expect("a request");
        let request = self.key.proof(htm, htu).authorize(request, &self.token);
        self.app.exchange(request).await.verdict()
    }
}

const WRONG_URI: &str = "401 invalid_dpop_proof proof_uri";
const WRONG_METHOD: &str = "401 invalid_dpop_proof proof_method";

#[tokio::test]
async fn the_authority_of_an_http2_request_is_not_believed() {
    let stage = Stage::new();
    for uri in [
        URL,
        "https://evil.example/orders",
        "http://evil.example:8080/orders",
    ] {
        let evil = "https://evil.example/orders";
        for (htu, expected) in [(URL, "200"), (evil, WRONG_URI)] {
            let way = (Method::GET, Version::HTTP_2, uri);
            let verdict = stage.verdict(way, &[], ("GET", htu)).await;
            assert_eq!(verdict, expected, "{uri} {htu}");
        }
    }
}

#[tokio::test]
async fn a_request_that_opens_a_websocket_may_have_a_uri_of_its_scheme() {
    let stage = Stage::new();
    let wss = "wss://api.example.com/orders";
    let version = [("sec-websocket-version", "13")];
    let upgrade = [("upgrade", "websocket"), ("connection", "upgrade")];
    let h2 = || {
        (
            Method::CONNECT,
            Version::HTTP_2,
            "https://evil.example/orders",
        )
    };
    let h1 = || (Method::GET, Version::HTTP_11, "/orders");
    for (way, fields, proven, expected) in [
        (h2(), &version[..], ("CONNECT", URL), "200"),
        (h2(), &version, ("CONNECT", wss), "200"),
        (
            h2(),
            &version,
            ("CONNECT", "ws://api.example.com/orders"),
            WRONG_URI,
        ),
        (
            h2(),
            &version,
            ("CONNECT", "wss://evil.example/orders"),
            WRONG_URI,
        ),
        (h2(), &version, ("GET", wss), WRONG_METHOD),
        (h1(), &upgrade, ("GET", URL), "200"),
        (h1(), &upgrade, ("GET", wss), "200"),
        (
            h1(),
            &upgrade,
            ("GET", "ws://api.example.com/orders"),
            WRONG_URI,
        ),
        // Without the fields that open one the scheme is another.
        (h2(), &[], ("CONNECT", URL), "200"),
        (h2(), &[], ("CONNECT", wss), WRONG_URI),
        (h1(), &[], ("GET", wss), WRONG_URI),
    ] {
        let told = format!("{way:?} {proven:?}");
        let verdict = stage.verdict(way, fields, proven).await;
        assert_eq!(verdict, expected, "{told}");
    }
}
