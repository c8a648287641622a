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
//! 2. `requests-oauth2client` takes each 401 that begins with `DPoP` for the demand for a nonce: it
//!    sends a stolen token twice where nonces are demanded, and raises an error where not.
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

    /// A client's command for this API, the client's answer, and the API's answers.
    async fn run(&self, client: &mut Foreign, verb: &str) -> (String, Vec<String>) {
        // Unreserved and reserved characters in the percent-encoding of each library, and a query.
        let url = format!("{}/v1/orders/a%7eb%2fc?page=1", self.base);
        let said = client.command(&format!("{verb} {url}")).await;
        let seen = std::mem::take(&mut *self.log.lock().expect("no panic while held"));
        (said, seen)
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

/// What a client's own library says, by situation; the status where it says no more.
struct Manners {
    replayed_without_nonces: &'static str,
    stolen: &'static str,
    stolen_without_nonces: &'static str,
    as_bearer: &'static str,
    sends_stolen_twice: bool,
    keeps_nonce_of_200: bool,
}

const OF_PANVA: Manners = Manners {
    replayed_without_nonces: "401",
    stolen: "401 dpop=invalid_token bearer=none",
    stolen_without_nonces: "401 dpop=invalid_token bearer=none",
    as_bearer: "401 bearer=invalid_token dpop=invalid_token",
    sends_stolen_twice: false,
    keeps_nonce_of_200: true,
};

const OF_PYTHON: Manners = Manners {
    replayed_without_nonces: "401",
    stolen: "401",
    stolen_without_nonces: "MissingDPoPNonce",
    as_bearer: "401",
    sends_stolen_twice: true,
    keeps_nonce_of_200: false,
};

#[tokio::test]
#[ignore = "needs dpop-clients, requests-oauth2client from tests/interop/install"]
async fn dpop_clients_are_admitted_and_their_stolen_and_used_proofs_are_not() {
    for (name, manners) in [
        ("oauth4webapi", OF_PANVA),
        ("openid-client", OF_PANVA),
        ("requests-oauth2client", OF_PYTHON),
    ] {
        let client = match name {
            "requests-oauth2client" => Foreign::requests_oauth2client().await,
            library => Foreign::dpop_client(library).await,
        };
        println!("{name}");
        without_nonces(client, &manners).await;
        let client = match name {
            "requests-oauth2client" => Foreign::requests_oauth2client().await,
            library => Foreign::dpop_client(library).await,
        };
        with_nonces(client, &manners).await;
    }
}

async fn without_nonces(mut client: Foreign, manners: &Manners) {
    let clock = clock();
    let site = Site::start(Dpop::accepted().max_future(MINUTES), &clock).await;
    site.admit(&mut client).await;
    for (verb, said, seen) in [
        ("get", "200", "200"),
        ("get", "200", "200"),
        (
            "replay",
            manners.replayed_without_nonces,
            "401 replayed DPoP Bearer",
        ),
        (
            "stolen",
            manners.stolen_without_nonces,
            "401 binding DPoP Bearer",
        ),
        ("bearer", manners.as_bearer, "401 binding Bearer DPoP"),
        ("get", "200", "200"),
    ] {
        let (found, log) = site.run(&mut client, verb).await;
        println!("  {verb}: {found}, {log:?}");
        assert_eq!((&*found, log), (said, vec![seen.to_owned()]), "{verb}");
    }
}

/// The difference between the machine's clock and the API's, which stands.
const MINUTES: Duration = Duration::from_secs(300);

async fn with_nonces(mut client: Foreign, manners: &Manners) {
    let seconds = Duration::from_secs;
    let clock = clock();
    let dpop = Dpop::accepted()
        .require_nonces()
        .nonce_lifetime(seconds(100))
        .max_future(MINUTES);
    let site = Site::start(dpop, &clock).await;
    site.admit(&mut client).await;
    let renewed: &[&str] = match manners.keeps_nonce_of_200 {
        true => &["200"],
        false => &["401 nonce DPoP Bearer +nonce", "200"],
    };
    let stolen: &[&str] = match manners.sends_stolen_twice {
        true => &["401 binding DPoP Bearer +nonce"; 2],
        false => &["401 binding DPoP Bearer +nonce"],
    };
    let steps: [(u64, &str, &str, &[&str]); 7] = [
        (
            0,
            "get",
            "200",
            &["401 nonce_missing DPoP Bearer +nonce", "200"],
        ),
        (0, "get", "200", &["200"]),
        // Past half of its life the nonce is renewed by a 200, then it ends.
        (60, "get", "200", &["200 +nonce"]),
        (50, "get", "200", renewed),
        (0, "replay", "401", &["401 replayed DPoP Bearer +nonce"]),
        (0, "stolen", manners.stolen, stolen),
        (0, "bearer", manners.as_bearer, &["401 binding Bearer DPoP"]),
    ];
    for (wait, verb, said, seen) in steps {
        clock.advance(seconds(wait));
        let (found, log) = site.run(&mut client, verb).await;
        println!("  with nonces, {verb}: {found}, {log:?}");
        let seen: Vec<String> = seen.iter().map(ToString::to_string).collect();
        assert_eq!((&*found, log), (said, seen), "{verb}");
    }
    let (found, log) = site.run(&mut client, "get").await;
    assert_eq!(
        (&*found, log),
        ("200", vec!["200".to_owned()]),
        "at the end"
    );
}
