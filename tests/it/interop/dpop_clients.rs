//! Real DPoP clients fetch from an API of this library: `oauth4webapi`, `openid-client` and
//! `requests-oauth2client`.
//!
//! 1. Each client makes its own key. The issuer is this library's, or `oidc-provider`, from which the
//!    client gets its token itself.
//! 2. Both sides are recorded: what the client's library says, and each request as the API has
//!    answered it, with the schemes of the challenges and `+nonce` for a field `DPoP-Nonce`.
//!
//! Where they differ:
//!
//! 1. `oauth4webapi` throws where a nonce is demanded, and its user sends the request again;
//!    `openid-client` and `requests-oauth2client` do so themselves. All end with the same requests.
//! 2. `requests-oauth2client` takes each 401 that begins with `DPoP` for the demand for a nonce. A
//!    refused token it sends twice; it raises an error where there is no nonce, or the one it has.
//! 3. `requests-oauth2client` does not keep the nonce of a 200, and sends the last nonce of an API to
//!    every server, the authorization server included.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use http::HeaderMap;
use portcullis::binding::{Binding, Dpop};
use portcullis::test_util::{AuthorizationServer, ManualClock, MockIssuer, TestClient};
use portcullis::{AccessToken, Algorithm, Issuer, RejectionKind};
use serde_json::json;

use super::house::{Foreign, builder, clock, serve_at, socket};
use super::opaque::{OPAQUE, ours};
use crate::support::API;

type Log = Arc<Mutex<Vec<String>>>;

/// An API on loopback that records its answers.
struct Site {
    base: String,
    log: Log,
}

impl Site {
    async fn start(issuer: Issuer, dpop: Dpop, clock: &ManualClock) -> Self {
        let (socket, base) = socket().await;
        let server = builder(issuer, clock)
            .public_origin(&*base)
            // A machine's clock runs on while the API's stands.
            .dpop(dpop.max_future(Duration::from_secs(300)))
            .require_binding(Binding::Dpop)
            .build()
            .expect("sound settings")
            .connect()
            .await
            .expect("the issuer is up");
        let orders = Router::new()
            .route("/orders/{*rest}", get(|_: AccessToken| async {}))
            .layer(server.authenticate());
        let log = Log::default();
        let app = Router::new()
            .nest("/v1", orders)
            .layer(from_fn_with_state(Arc::clone(&log), record));
        serve_at(socket, app);
        Self { base, log }
    }

    /// A client's command for this API: `COMMAND: what the client says <- what the API answered`.
    async fn run(&self, client: &mut Foreign, verb: &str) -> String {
        // Unreserved and reserved characters in the percent-encoding of each library, and a query.
        let url = format!("{}/v1/orders/a%7eb%2fc?page=1", self.base);
        let said = client.command(&format!("{verb} {url}")).await;
        let seen = std::mem::take(&mut *self.log.lock().expect("no panic while held"));
        format!("{verb}: {said} <- {}", seen.join(", "))
    }
}

/// Gives a client a token of this issuer that is bound to the client's key.
async fn admit(client: &mut Foreign, issuer: &MockIssuer) {
    let token = issuer.token().audience(API);
    let token = token.claim("cnf", json!({"jkt": client.url()})).sign();
    client.command(&format!("token {token}")).await;
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

async fn without_nonces(client: &mut Foreign) -> Vec<String> {
    let clock = clock();
    let issuer = MockIssuer::new().with_clock(clock.clone());
    let site = Site::start(issuer.trusted(), Dpop::accepted(), &clock).await;
    admit(client, &issuer).await;
    let mut lines = Vec::new();
    for verb in ["get", "get", "replay", "stolen", "bearer", "get"] {
        lines.push(site.run(client, verb).await);
    }
    lines
}

async fn with_nonces(client: &mut Foreign) -> Vec<String> {
    let seconds = Duration::from_secs;
    let clock = clock();
    let issuer = MockIssuer::new().with_clock(clock.clone());
    let dpop = Dpop::accepted()
        .require_nonces()
        .nonce_lifetime(seconds(80));
    let site = Site::start(issuer.trusted(), dpop, &clock).await;
    admit(client, &issuer).await;
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

#[tokio::test]
#[ignore = "needs dpop-clients, oidc-provider, requests-oauth2client from tests/interop/install"]
async fn clients_are_admitted_with_the_bound_tokens_that_they_get_from_oidc_provider() {
    let provider = Foreign::oidc_provider(0).await;
    let opaque = Issuer::introspection_discovered(provider.url())
        .client_authentication(ours())
        .audience(OPAQUE);
    let clock = clock();
    let dpop = || Dpop::accepted().require_nonces();
    let sites = [
        (
            API,
            Site::start(Issuer::rfc9068(provider.url()), dpop(), &clock).await,
        ),
        (OPAQUE, Site::start(opaque, dpop(), &clock).await),
    ];
    for library in ["oauth4webapi", "openid-client", "requests-oauth2client"] {
        for (resource, site) in &sites {
            let mut client = match library {
                "requests-oauth2client" => Foreign::requests_oauth2client().await,
                library => Foreign::dpop_client(library).await,
            };
            let grant = format!("grant {} {resource}", provider.url());
            // The clients of Node write it in small letters.
            let token_type = client.command(&grant).await;
            assert!(token_type.eq_ignore_ascii_case("DPoP"), "{token_type}");
            for (verb, seen) in [
                ("get", "200 <- 401 nonce_missing DPoP +nonce, 200"),
                ("get", "200 <- 200"),
                ("stolen", "<- 401 binding DPoP +nonce"),
            ] {
                let line = site.run(&mut client, verb).await;
                assert!(line.contains(seen), "{library}, {resource}: {line}");
            }
        }
    }
}

#[tokio::test]
#[ignore = "needs dpop-clients, requests-oauth2client from tests/interop/install"]
async fn clients_are_admitted_with_the_bound_tokens_of_the_development_server() {
    let clock = clock();
    for (library, nonces) in [
        ("oauth4webapi", false), // With nonces, to send the request again is left to its user.
        ("openid-client", false),
        ("openid-client", true),
        ("requests-oauth2client", false),
        ("requests-oauth2client", true),
    ] {
        let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
        let machine = TestClient::confidential("machine", "machine-secret").audiences([API]);
        let server = AuthorizationServer::new(issuer).client(machine);
        let server = if nonces { server.dpop_nonces() } else { server };
        let server = server.serve().await.expect("a free port");
        let site = Site::start(server.trusted(), Dpop::accepted(), &clock).await;
        let mut client = match library {
            "requests-oauth2client" => Foreign::requests_oauth2client().await,
            library => Foreign::dpop_client(library).await,
        };
        let grant = format!("grant {} {API}", server.url());
        let token_type = client.command(&grant).await;
        assert!(
            token_type.eq_ignore_ascii_case("DPoP"),
            "{library}: {token_type}"
        );
        for (verb, seen) in [("get", "200 <- 200"), ("stolen", "<- 401 binding DPoP")] {
            let line = site.run(&mut client, verb).await;
            assert!(line.contains(seen), "{library}: {line}");
        }
    }
}
