//! The list in memory and clocks that are wrong: what was revoked stays so until both clocks agree
//! that its time is over.

use std::time::Duration;

use portcullis::error::RevocationError;
use portcullis::revocation::{Revocation, Revocations};
use portcullis::test_util::{ManualClock, MockIssuer};
use portcullis::time::UnixTime;
use portcullis::{Algorithm, ResourceServer, ResourceServerBuilder};

use crate::support::{API, Requests as _, TestApp};

const REVOKED: &str = "401 invalid_token revoked";
const UNKNOWN: &str = "503 unavailable revocations_not_loaded";
const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);

struct Site {
    clock: ManualClock,
    issuer: MockIssuer,
    app: TestApp,
    list: Revocations,
    server: ResourceServer,
}

impl Site {
    fn at(
        secs: i64,
        settings: impl FnOnce(ResourceServerBuilder) -> ResourceServerBuilder,
    ) -> Self {
        let start = UnixTime::from_secs(ManualClock::START.as_secs() + secs);
        let clock = ManualClock::at(start);
        let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
        let builder = ResourceServer::builder(API)
            .issuer(issuer.trusted().longest_token_life(HOUR))
            .clock(clock.clone());
        let server = settings(builder).build().expect("sound");
        let app = TestApp::new(&server);
        let list = server.revocations();
        Self {
            clock,
            issuer,
            app,
            list,
            server,
        }
    }

    fn new() -> Self {
        Self::at(0, |builder| builder)
    }

    fn set(&self, secs: i64) {
        let wall = ManualClock::START.as_secs() + secs;
        self.clock.set_wall(UnixTime::from_secs(wall));
    }

    /// One that ends long after all revocations.
    fn token(&self, id: &str) -> String {
        let end = ManualClock::START.as_secs() + 1_000_000;
        let token = self.issuer.token().claim("jti", id).claim("exp", end);
        token.claim("iat", ManualClock::START.as_secs()).sign()
    }

    fn revocation(&self, id: &str) -> Revocation {
        Revocation::token(&self.issuer.issuer(), id)
    }

    fn revoke(&self, id: &str) {
        self.list.revoke(self.revocation(id)).expect("room");
    }
}

#[tokio::test]
async fn revoked_while_the_clock_is_behind_is_revoked_when_it_is_set_right() {
    let site = Site::at(-2 * 3600, |builder| builder);
    let token = site.token("1");
    site.revoke("1");
    assert_eq!(site.app.verdict(&token).await, REVOKED);
    site.set(0);
    assert_eq!(site.app.verdict(&token).await, REVOKED);
    assert_eq!(site.list.list().len(), 1);
    site.clock.advance(HOUR + 59 * SECOND);
    assert_eq!(site.app.verdict(&token).await, REVOKED);
    site.clock.advance(SECOND);
    assert_eq!(site.app.verdict(&token).await, "200", "a life has passed");
    assert!(site.list.list().is_empty());
}

#[tokio::test]
async fn revoked_is_no_less_so_while_the_clock_is_ahead() {
    let site = Site::new();
    let token = site.token("1");
    site.revoke("1");
    site.set(25 * 3600);
    assert_eq!(site.app.verdict(&token).await, REVOKED);
    site.set(1);
    assert_eq!(site.app.verdict(&token).await, REVOKED);
}

#[tokio::test]
async fn clean_result_is_not_remembered_where_an_entry_has_merely_ended() {
    let site = Site::new();
    let (token, other) = (site.token("1"), site.token("2"));
    site.revoke("1");
    assert_eq!(site.app.verdict(&token).await, REVOKED);
    site.clock.advance(HOUR + 60 * SECOND);
    for _ in 0..2 {
        assert_eq!(site.app.verdict(&token).await, "200", "it lives too long");
        assert_eq!(site.app.verdict(&other).await, "200");
    }
    site.set(1);
    assert_eq!(site.app.verdict(&token).await, REVOKED);
    assert_eq!(site.app.verdict(&other).await, "200", "the accepted twin");
    site.clock.advance(HOUR + 60 * SECOND);
    assert_eq!(site.app.verdict(&token).await, "200");
}

#[tokio::test]
async fn load_while_the_clock_is_ahead_keeps_what_seems_to_have_ended() {
    let before = Site::new();
    before.revoke("1");
    let snapshot = before.list.snapshot();
    let site = Site::at(2 * 3600, |builder| builder);
    let name = before.issuer.issuer();
    let snapshot = snapshot.replace(&name, &site.issuer.issuer());
    assert_eq!(site.list.load(&snapshot), Ok(0), "none is in force");
    let (token, other) = (site.token("1"), site.token("2"));
    assert_eq!(site.app.verdict(&token).await, "200");
    assert!(site.list.list().is_empty());
    // Also through another snapshot.
    let again = Site::at(2 * 3600, |builder| builder);
    let copy = site.list.snapshot();
    let copy = copy.replace(&site.issuer.issuer(), &again.issuer.issuer());
    assert_eq!(again.list.load(&copy), Ok(0));
    for site in [&site, &again] {
        site.set(5);
        assert_eq!(site.app.verdict(&site.token("1")).await, REVOKED);
        assert_eq!(site.app.verdict(&site.token("2")).await, "200");
        assert_eq!(site.list.list().len(), 1);
    }
    assert_eq!(site.app.verdict(&token).await, REVOKED);
    assert_eq!(site.app.verdict(&other).await, "200");
}

#[tokio::test]
async fn load_of_more_than_there_is_room_for_admits_nothing_when_the_clock_goes_back() {
    let before = Site::new();
    for id in ["1", "2", "3"] {
        before.revoke(id);
    }
    let snapshot = before.list.snapshot();
    let site = Site::at(2 * 3600, |builder| builder.most_revocations(2));
    let snapshot = snapshot.replace(&before.issuer.issuer(), &site.issuer.issuer());
    assert_eq!(
        site.list.load(&snapshot),
        Ok(0),
        "what has ended is no error"
    );
    site.revoke("new");
    let (new, other) = (site.token("new"), site.token("other"));
    assert_eq!(
        site.app.verdict(&new).await,
        REVOKED,
        "it has the place of one"
    );
    assert_eq!(site.app.verdict(&other).await, "200");
    site.set(5);
    assert_eq!(site.app.verdict(&other).await, UNKNOWN);
    assert!(!site.server.ready());
    for id in ["1", "2", "3"] {
        assert_ne!(site.app.verdict(&site.token(id)).await, "200", "{id}");
    }
    site.set(2 * 3600);
    assert_eq!(site.app.verdict(&other).await, "200");
    assert!(site.server.ready());
}

#[tokio::test]
async fn full_list_gives_up_nothing_that_a_clock_may_still_need_without_saying_so() {
    let site = Site::at(-3 * 3600, |builder| builder.most_revocations(1));
    site.revoke("1");
    let full = site.list.revoke(site.revocation("2"));
    assert!(matches!(full, Err(RevocationError::Full { .. })));
    // By the wall clock alone its time is over, and its place is taken.
    site.set(0);
    let (first, second, other) = (site.token("1"), site.token("2"), site.token("3"));
    assert_eq!(site.app.verdict(&first).await, REVOKED);
    site.revoke("2");
    assert_eq!(site.app.verdict(&second).await, REVOKED);
    assert_eq!(site.app.verdict(&first).await, UNKNOWN);
    assert_eq!(site.app.verdict(&other).await, UNKNOWN);
    site.clock.advance(HOUR + 60 * SECOND);
    assert_eq!(site.app.verdict(&other).await, "200", "a life has passed");
}

#[tokio::test]
async fn withdrawal_while_the_clock_is_ahead_is_one_when_it_is_set_right() {
    let site = Site::new();
    let token = site.token("1");
    site.revoke("1");
    site.set(25 * 3600);
    assert!(site.list.withdraw(&site.revocation("1")));
    site.set(1);
    assert_eq!(site.app.verdict(&token).await, "200");
    assert!(!site.list.withdraw(&site.revocation("1")), "once");
}
