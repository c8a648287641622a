//! Token Status Lists (draft-ietf-oauth-status-list-21): the status of tokens on every request.

mod claims;
mod faults;
mod lists;
mod settings;
mod statuses;

use std::future::Future;
use std::time::Duration;

use portcullis::config::StatusListCheck;
use portcullis::status::StatusListStatus;
use portcullis::test_util::{Endpoint, ManualClock, MockIssuer, MockStatusList, ServedIssuer};
use portcullis::{Algorithm, Issuer, ResourceServer};

use crate::support::{API, Requests as _, TestApp};

const SECOND: Duration = Duration::from_secs(1);

/// A list of five minutes is fetched again by then.
const REFRESH: Duration = Duration::from_secs(255);

/// The verdict where no list can be had.
const NO_LIST: &str = "503 unavailable status_list_unavailable";

/// The verdict on a status that is not accepted.
const BAD_STATUS: &str = "401 invalid_token status";

/// An issuer whose list `1` a server checks.
struct Fixture {
    clock: ManualClock,
    issuer: ServedIssuer,
    list: MockStatusList,
    server: ResourceServer,
    app: TestApp,
}

impl Fixture {
    async fn new(check: StatusListCheck) -> Self {
        Self::with(|issuer| issuer.status_list(check)).await
    }

    /// The issuer's keys are static.
    async fn with(settings: impl FnOnce(Issuer) -> Issuer) -> Self {
        let clock = ManualClock::new();
        let issuer = MockIssuer::new()
            .with_algorithms([Algorithm::ES256])
            .with_clock(clock.clone());
        let issuer = issuer.serve().await;
        let trusted = MockIssuer::trusted(&issuer);
        let server = ResourceServer::builder(API)
            .issuer(settings(trusted))
            .clock(clock.clone())
            .build()
            .expect("sound settings");
        Self {
            app: TestApp::new(&server),
            list: issuer.status_list("1"),
            clock,
            issuer,
            server,
        }
    }

    /// A new token with this entry of the list.
    fn token(&self, index: u64) -> String {
        self.token_of("1", index)
    }

    fn token_of(&self, list: &str, index: u64) -> String {
        let url = self.issuer.status_list_url(list);
        self.issuer.token().status(url, index).sign()
    }

    async fn verdict(&self, token: &str) -> String {
        self.app.verdict(token).await
    }

    fn fetches(&self) -> usize {
        self.issuer.requests(Endpoint::StatusList)
    }

    /// Moves the clock to the next refresh, and waits until the list is replaced.
    async fn refresh(&self) {
        let fetches = self.fetches();
        self.clock.advance(REFRESH);
        self.issuer
            .await_requests(Endpoint::StatusList, fetches + 1)
            .await;
        let is_young = || {
            let lists = self.server.status_list_status();
            let ages = lists.iter().map(StatusListStatus::age);
            lists.len() == 1 && ages.flatten().all(|age| age < SECOND)
        };
        eventually(is_young).await;
    }
}

/// Waits for what a background task does, without time.
async fn eventually(is_done: impl Fn() -> bool) {
    within_time(async {
        while !is_done() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

async fn within_time<T>(work: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(20);
    tokio::time::timeout(limit, work).await.expect("in time")
}
