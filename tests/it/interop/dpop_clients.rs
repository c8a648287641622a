//! Real DPoP clients fetch from an API of this library: `oauth4webapi`, `openid-client` and
//! `requests-oauth2client`.
//!
//! 1. Each client makes its own key; the issuer is this library's.
//! 2. Both sides are recorded: what the client's library says, and each request as the API has
//!    answered it, with the schemes of the challenges and `+nonce` for a field `DPoP-Nonce`.
//!
//! Where they differ:
//!
//! 1. `oauth4webapi` throws where a nonce is demanded, and its user sends the request again;
//!    `openid-client` and `requests-oauth2client` do so themselves. All end with the same requests.
//! 2. `requests-oauth2client` takes each 401 that begins with `DPoP` for the demand for a nonce. A
//!    refused token it sends twice; it raises an error where there is no nonce, or the one it has.
//! 3. `requests-oauth2client` does not keep the nonce of a 200.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use http::HeaderMap;
use portcullis::binding::{Binding, Dpop};
use portcullis::test_util::{ManualClock, MockIssuer};
use portcullis::{AccessToken, RejectionKind, ResourceServer};
use serde_json::json;

use super::house::{Foreign, clock, serve_at, socket};
use crate::support::API;

type Log = Arc<Mutex<Vec<String>>>;

/// An API on loopback that records its answers.
struct Site {
    base: String,
    issuer: MockIssuer,
    log: Log,
}

impl Site {
    async fn start(dpop: Dpop, clock: &ManualClock) -> Self {
        let (socket, base) = socket().await;
        let issuer = MockIssuer::new().with_clock(clock.clone());
        let server = ResourceServer::builder(API)
            .public_origin(&*base)
            .issuer(issuer.trusted())
            .dpop(dpop)
            .require_binding(Binding::Dpop)
            .clock(clock.clone())
            .build()
            .expect("sound settings");
        let orders = Router::new()
            .route("/orders/{*rest}", get(|_: AccessToken| async {}))
            .layer(server.authenticate());
        let log = Log::default();
        let app = Router::new()
            .nest("/v1", orders)
            .layer(from_fn_with_state(Arc::clone(&log), record));
        serve_at(socket, app);
        Self { base, issuer, log }
    }

    /// A client's command for this API: `COMMAND: what the client says <- what the API answered`.
    async fn run(&self, client: &mut Foreign, verb: &str) -> String {
        // Unreserved and reserved characters in the percent-encoding of each library, and a query.
        let url = format!("{}/v1/orders/a%7eb%2fc?page=1", self.base);
        let said = client.command(&format!("{verb} {url}")).await;
        let seen = std::mem::take(&mut *self.log.lock().expect("no panic while held"));
        format!("{verb}: {said} <- {}", seen.join(", "))
    }

    /// Gives a client a token that is bound to its key.
    async fn admit(&self, client: &mut Foreign) {
        let token = self.issuer.token().audience(API);
        let token = token.claim("cnf", json!({"jkt": client.url()})).sign();
        client.command(&format!("token {token}")).await;
    }
}

async fn record(State(log): State<Log>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let mut words = vec![response.status().as_u16().to_string()];
    if let Some(kind) = response.extensions().get::<RejectionKind>() {
        words.extend(kind.fault().map(ToOwned::to_owned));
    }
    words.extend(schemes(response.headers()));
    if response.headers().contains_key("dpop-nonce") {
        words.push("+nonce".to_owned());
    }
    let line = words.join(" ");
    log.lock().expect("no panic while held").push(line);
    response
}

fn schemes(headers: &HeaderMap) -> impl Iterator<Item = String> {
    let challenges = headers.get_all("www-authenticate").iter();
    challenges.filter_map(|value| {
        let (scheme, _) = value.to_str().ok()?.split_once(' ')?;
        Some(scheme.to_owned())
    })
}

/// The difference between the machine's clock and the API's, which stands.
const DIFFERENCE: Duration = Duration::from_secs(300);

async fn without_nonces(client: &mut Foreign) -> Vec<String> {
    let site = Site::start(Dpop::accepted().max_future(DIFFERENCE), &clock()).await;
    site.admit(client).await;
    let mut lines = Vec::new();
    for verb in ["get", "get", "replay", "stolen", "bearer", "get"] {
        lines.push(site.run(client, verb).await);
    }
    lines
}

async fn with_nonces(client: &mut Foreign) -> Vec<String> {
    let seconds = Duration::from_secs;
    let clock = clock();
    let dpop = Dpop::accepted()
        .require_nonces()
        .nonce_lifetime(seconds(80))
        .max_future(DIFFERENCE);
    let site = Site::start(dpop, &clock).await;
    site.admit(client).await;
    let mut lines = Vec::new();
    for (wait, verb) in [
        (0, "get"),
        (0, "get"),
        // Past half of its life the nonce is renewed by a 200; then it ends.
        (60, "get"),
        (25, "get"),
        (0, "replay"),
        (0, "stolen"),
        (0, "stolen"),
        (0, "bearer"),
        (0, "get"),
    ] {
        clock.advance(seconds(wait));
        lines.push(site.run(client, verb).await);
    }
    lines
}

/// `oauth4webapi`, and `openid-client` on top of it.
const NODE: [&str; 6] = [
    "get: 200 <- 200",
    "get: 200 <- 200",
    "replay: 401 <- 401 proof_replayed DPoP",
    "stolen: 401 dpop=invalid_token <- 401 binding DPoP",
    "bearer: 401 bearer=invalid_token dpop=none <- 401 binding Bearer DPoP",
    "get: 200 <- 200",
];

const NODE_WITH_NONCES: [&str; 9] = [
    "get: 200 <- 401 nonce_missing DPoP +nonce, 200",
    "get: 200 <- 200",
    "get: 200 <- 200 +nonce",
    "get: 200 <- 200",
    "replay: 401 <- 401 proof_replayed DPoP +nonce",
    "stolen: 401 dpop=invalid_token <- 401 binding DPoP +nonce",
    "stolen: 401 dpop=invalid_token <- 401 binding DPoP +nonce",
    "bearer: 401 bearer=invalid_token dpop=none <- 401 binding Bearer DPoP +nonce",
    "get: 200 <- 200",
];

const PYTHON: [&str; 6] = [
    "get: 200 <- 200",
    "get: 200 <- 200",
    "replay: 401 <- 401 proof_replayed DPoP",
    "stolen: MissingDPoPNonce <- 401 binding DPoP",
    "bearer: 401 <- 401 binding Bearer DPoP",
    "get: 200 <- 200",
];

const PYTHON_WITH_NONCES: [&str; 9] = [
    "get: 200 <- 401 nonce_missing DPoP +nonce, 200",
    "get: 200 <- 200",
    "get: 200 <- 200 +nonce",
    "get: 200 <- 401 nonce DPoP +nonce, 200",
    "replay: 401 <- 401 proof_replayed DPoP +nonce",
    "stolen: 401 <- 401 binding DPoP +nonce, 401 binding DPoP +nonce",
    "stolen: RepeatedDPoPNonce <- 401 binding DPoP +nonce",
    "bearer: 401 <- 401 binding Bearer DPoP +nonce",
    "get: 200 <- 200",
];

#[tokio::test]
#[ignore = "needs dpop-clients from tests/interop/install"]
async fn dpop_clients_of_node_are_admitted_and_stolen_tokens_and_used_proofs_are_refused() {
    for library in ["oauth4webapi", "openid-client"] {
        let mut client = Foreign::dpop_client(library).await;
        assert_eq!(without_nonces(&mut client).await, NODE, "{library}");
        let mut client = Foreign::dpop_client(library).await;
        assert_eq!(
            with_nonces(&mut client).await,
            NODE_WITH_NONCES,
            "{library}"
        );
    }
}

#[tokio::test]
#[ignore = "needs requests-oauth2client from tests/interop/install"]
async fn requests_oauth2client_is_admitted_and_stolen_tokens_and_used_proofs_are_refused() {
    let mut client = Foreign::requests_oauth2client().await;
    assert_eq!(without_nonces(&mut client).await, PYTHON);
    let mut client = Foreign::requests_oauth2client().await;
    assert_eq!(with_nonces(&mut client).await, PYTHON_WITH_NONCES);
}
