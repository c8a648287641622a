//! Several layers on one request, which has one proof.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::middleware::map_request;
use axum::routing::get;
use http::Request;
use portcullis::binding::Dpop;
use portcullis::test_util::{DpopKey, ManualClock, MockIssuer};
use portcullis::{AccessToken, ResourceServer};

use crate::support::{API, Requests as _, builder};

const URL: &str = "https://api.example.com/orders";
const REPLAYED: &str = "401 invalid_dpop_proof proof_replayed";

struct Stage {
    issuer: MockIssuer,
    clock: ManualClock,
    key: DpopKey,
}

impl Stage {
    fn new() -> Self {
        let clock = ManualClock::new();
        Self {
            issuer: MockIssuer::new().with_clock(clock.clone()),
            key: DpopKey::generate().with_clock(clock.clone()),
            clock,
        }
    }

    fn server(&self, dpop: Dpop) -> ResourceServer {
        let server = builder(&self.issuer).clock(self.clock.clone()).dpop(dpop);
        server.build().expect("sound settings")
    }

    fn token(&self) -> String {
        let token = self.issuer.token().audience(API);
        token.bound_to_key(&self.key).sign()
    }
}

fn routes() -> Router {
    Router::new().route("/orders", get(async |_: AccessToken| {}))
}

async fn send(app: &Router, token: &str, proof: &str) -> String {
    let request = Request::get("/orders")
        .header("authorization", format!("DPoP {token}"))
        .header("dpop", proof);
    let request = request.body(Body::empty()).expect("a request");
    app.exchange(request).await.verdict()
}

#[tokio::test]
async fn a_request_passes_two_layers_of_one_server_with_one_proof_and_once() {
    let stage = Stage::new();
    let server = stage.server(Dpop::accepted());
    let twice = routes()
        .layer(server.authenticate())
        .layer(server.authenticate());
    let thrice = twice.clone().layer(server.authenticate());
    let once = routes().layer(server.authenticate());
    let token = stage.token();
    for app in [&twice, &thrice] {
        let proof = || stage.key.proof("GET", URL).access_token(&token).sign();
        let first = proof();
        assert_eq!(send(app, &token, &first).await, "200");
        assert_eq!(send(app, &token, &first).await, REPLAYED);
        assert_eq!(send(&once, &token, &first).await, REPLAYED);
        let second = proof();
        assert_eq!(send(&once, &token, &second).await, "200");
        assert_eq!(send(app, &token, &second).await, REPLAYED);
    }
}

/// Two layers of the server, and something between them that puts this proof into the place of the
/// client's.
fn with_proof_between(server: &ResourceServer, proof: String) -> Router {
    let between = map_request(move |mut request: Request<Body>| {
        let value = proof.parse().expect("a field");
        request.headers_mut().insert("dpop", value);
        async { request }
    });
    let inner = routes().layer(server.authenticate()).layer(between);
    inner.layer(server.authenticate())
}

#[tokio::test]
async fn an_inner_layer_checks_all_but_the_replay_of_the_outer_layers_proof() {
    let stage = Stage::new();
    let server = stage.server(Dpop::accepted());
    let token = stage.token();
    let proof = |method| stage.key.proof(method, URL).access_token(&token);
    let twin = proof("GET").id("same");
    for (between, expected) in [
        (twin.sign(), "200"),
        (twin.sign(), REPLAYED),
        (proof("POST").sign(), "401 invalid_dpop_proof proof_method"),
        (
            proof("GET").sign_with_wrong_key(),
            "401 invalid_dpop_proof proof_signature",
        ),
    ] {
        let app = with_proof_between(&server, between);
        let verdict = send(&app, &token, &proof("GET").sign()).await;
        assert_eq!(verdict, expected);
    }
}

#[tokio::test]
async fn layers_of_two_servers_record_a_proof_each() {
    let stage = Stage::new();
    let (outer, inner) = (
        stage.server(Dpop::accepted()),
        stage.server(Dpop::accepted()),
    );
    let app = routes()
        .layer(inner.authenticate())
        .layer(outer.authenticate());
    let token = stage.token();
    let proof = stage.key.proof("GET", URL).access_token(&token).sign();
    assert_eq!(send(&app, &token, &proof).await, "200");
    let once = routes().layer(inner.authenticate());
    assert_eq!(send(&once, &token, &proof).await, REPLAYED);
}

#[tokio::test]
async fn two_layers_answer_with_one_nonce() {
    let stage = Stage::new();
    let server = stage.server(Dpop::accepted().require_nonces());
    let app = routes()
        .layer(server.authenticate())
        .layer(server.authenticate());
    let token = stage.token();
    let request = |nonce: Option<&str>| {
        let proof = stage.key.proof("GET", URL);
        let proof = match nonce {
            Some(nonce) => proof.nonce(nonce),
            None => proof,
        };
        let request = Request::get("/orders")
            .body(Body::empty())
            .expect("a request");
        proof.authorize(request, &token)
    };
    let answer = app.exchange(request(None)).await;
    assert_eq!(answer.verdict(), "401 invalid_dpop_proof nonce_missing");
    let nonce = answer.header("dpop-nonce").expect("a nonce").to_owned();
    stage.clock.advance(Duration::from_secs(200));
    let answer = app.exchange(request(Some(&nonce))).await;
    assert_eq!(answer.verdict(), "200");
    assert_eq!(answer.headers.get_all("dpop-nonce").iter().count(), 1);
}
