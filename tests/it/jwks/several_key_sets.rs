//! One issuer with several key sets: its keys are looked for in all of them, and each set fails,
//! recovers and grows old by itself.

use std::time::Duration;

use portcullis::status::KeySetState;
use portcullis::test_util::{Fault, ManualClock, MockIssuer, ServedIssuer};
use portcullis::{Algorithm, Issuer, ResourceServer};

use crate::support::{API, Requests as _, TestApp};

const NAME: &str = "https://t.b2clogin.example/g/v2.0/";

/// Two sets of one issuer: of the user flows, whose key is `key-1`, and of the custom policies,
/// whose key is `key-2`.
struct Sets {
    clock: ManualClock,
    flows: ServedIssuer,
    policies: ServedIssuer,
    server: ResourceServer,
    app: TestApp,
}

fn signer(clock: &ManualClock) -> MockIssuer {
    MockIssuer::named(NAME)
        .with_algorithms([Algorithm::ES256])
        .with_clock(clock.clone())
}

async fn sets() -> Sets {
    let clock = ManualClock::new();
    let (flows, policies) = (signer(&clock), signer(&clock));
    policies.rotate();
    policies.retire_old_keys();
    assert_ne!(flows.key_ids(), policies.key_ids());
    let (flows, policies) = (flows.serve().await, policies.serve().await);
    sets_of(clock, flows, policies).await
}

async fn sets_of(clock: ManualClock, flows: ServedIssuer, policies: ServedIssuer) -> Sets {
    let server = ResourceServer::builder(API)
        .issuer(
            Issuer::oidc(NAME)
                .key_set_url(flows.key_set_url())
                .key_set_url(policies.key_set_url()),
        )
        .clock(clock.clone())
        .build()
        .expect("sound")
        .connect()
        .await
        .expect("a runtime");
    let app = TestApp::new(&server);
    Sets {
        clock,
        flows,
        policies,
        server,
        app,
    }
}

impl Sets {
    fn states(&self) -> Vec<KeySetState> {
        let status = self.server.key_set_status();
        status
            .iter()
            .map(portcullis::status::KeySetStatus::state)
            .collect()
    }
}

#[tokio::test]
async fn key_set_url_given_twice_keeps_both_sets_and_each_has_a_status() {
    let sets = sets().await;
    assert_eq!(sets.app.verdict(&sets.flows.token().sign()).await, "200");
    assert_eq!(sets.app.verdict(&sets.policies.token().sign()).await, "200");
    assert_eq!(
        sets.app
            .verdict(&sets.flows.token().sign_with_wrong_key())
            .await,
        "401 invalid_token signature"
    );
    let status = sets.server.key_set_status();
    let addresses: Vec<_> = status
        .iter()
        .map(portcullis::status::KeySetStatus::address)
        .collect();
    let (one, two) = (sets.flows.key_set_url(), sets.policies.key_set_url());
    assert_eq!(addresses, [Some(&*one), Some(&*two)]);
    assert!(
        status
            .iter()
            .all(|one| one.issuer() == NAME && one.keys() == 1)
    );
    assert!(sets.server.ready());
}

#[tokio::test]
async fn key_set_that_is_down_leaves_the_keys_of_the_other_good() {
    let clock = ManualClock::new();
    let (flows, policies) = (signer(&clock), signer(&clock));
    policies.rotate();
    policies.retire_old_keys();
    let (flows, policies) = (flows.serve().await, policies.serve().await);
    policies.break_with(Fault::Status(500));
    let sets = sets_of(clock, flows, policies).await;
    assert_eq!(
        sets.states(),
        [KeySetState::Fresh, KeySetState::NeverLoaded]
    );
    assert!(!sets.server.ready());
    assert_eq!(sets.app.verdict(&sets.flows.token().sign()).await, "200");
    // The key may be in the set that is missing: an outage, and no denial.
    let missing = sets.policies.token().sign();
    assert!(sets.app.verdict(&missing).await.starts_with("503"));
    let unknown = sets.flows.token().sign_with_unknown_key();
    assert!(sets.app.verdict(&unknown).await.starts_with("503"));

    sets.policies.recover();
    sets.server.refresh_now().await.expect("both are up");
    assert_eq!(sets.app.verdict(&missing).await, "200");
    assert_eq!(sets.states(), [KeySetState::Fresh, KeySetState::Fresh]);
}

#[tokio::test]
async fn key_set_that_grows_too_old_ends_its_own_keys_alone() {
    let clock = ManualClock::new();
    let (flows, policies) = (signer(&clock), signer(&clock));
    policies.rotate();
    policies.retire_old_keys();
    let (flows, policies) = (flows.serve().await, policies.serve().await);
    let server = ResourceServer::builder(API)
        .issuer(
            Issuer::oidc(NAME)
                .key_set_url(flows.key_set_url())
                .key_set_url(policies.key_set_url())
                .refresh_interval(Duration::from_secs(60))
                .max_staleness(Duration::from_secs(75)),
        )
        .clock(clock.clone())
        .build()
        .expect("sound")
        .connect()
        .await
        .expect("a runtime");
    let app = TestApp::new(&server);
    let verdict = async |token: &str| app.get("/", token).await.verdict();
    let (flow, policy) = (flows.token().sign(), policies.token().sign());
    assert_eq!(verdict(&flow).await, "200");
    assert_eq!(verdict(&policy).await, "200");
    policies.break_with(Fault::Status(500));
    clock.advance(Duration::from_secs(76));
    server.refresh_now().await.expect_err("one is down");
    assert_eq!(verdict(&flow).await, "200");
    assert_eq!(verdict(&policy).await, "503 unavailable keys_too_stale");
    policies.recover();
    server.refresh_now().await.expect("both are up");
    assert_eq!(verdict(&policy).await, "200");
}

#[tokio::test]
async fn unknown_kid_is_unknown_when_every_set_has_confirmed_it() {
    let sets = sets().await;
    let unknown = sets.flows.token().key_id("stranger").sign();
    assert_eq!(
        sets.app.verdict(&unknown).await,
        "401 invalid_token unknown_key"
    );
    assert_eq!((sets.flows.fetches(), sets.policies.fetches()), (2, 2));
    // Each set has a cooldown of its own, and both are in it.
    let other = sets.flows.token().key_id("other").sign();
    assert_eq!(
        sets.app.verdict(&other).await,
        "503 unavailable key_unconfirmed"
    );
    assert_eq!((sets.flows.fetches(), sets.policies.fetches()), (2, 2));

    // One of them cannot confirm it any more.
    sets.clock.advance(Duration::from_secs(31));
    sets.policies.break_with(Fault::Status(500));
    assert!(sets.app.verdict(&unknown).await.starts_with("503"));
    assert_eq!(sets.app.verdict(&sets.flows.token().sign()).await, "200");
}

#[tokio::test]
async fn kid_of_a_rotated_key_is_found_while_the_other_set_hangs() {
    let sets = sets().await;
    sets.flows.break_with(Fault::Hang);
    sets.policies.rotate();
    // Within the time that a request waits: the set that answers has the key.
    assert_eq!(sets.app.verdict(&sets.policies.token().sign()).await, "200");
    assert_eq!(sets.app.verdict(&sets.flows.token().sign()).await, "200");
    sets.flows.recover();
}

#[tokio::test]
async fn same_kid_in_two_sets_is_two_keys_and_either_verifies() {
    let clock = ManualClock::new();
    let (old, new) = (signer(&clock), signer(&clock));
    assert_eq!(old.key_ids(), new.key_ids(), "both servers say `key-1`");
    let (old, new) = (old.serve().await, new.serve().await);
    new.break_with(Fault::Status(500));
    let sets = sets_of(clock, old, new).await;
    let token = sets.policies.token().sign();
    assert_eq!(sets.app.verdict(&sets.flows.token().sign()).await, "200");
    // The set that is there has a key of this id, and another one may have it too.
    assert!(sets.app.verdict(&token).await.starts_with("503"));
    sets.policies.recover();
    sets.server.refresh_now().await.expect("both are up");
    assert_eq!(sets.app.verdict(&token).await, "200");
    assert_eq!(sets.app.verdict(&sets.flows.token().sign()).await, "200");
    assert_eq!(
        sets.app
            .verdict(&sets.flows.token().sign_with_wrong_key())
            .await,
        "401 invalid_token signature"
    );
}

#[tokio::test]
async fn token_without_kid_finds_its_key_in_any_set_and_four_are_tried_in_all() {
    let sets = sets().await;
    let nameless = |issuer: &MockIssuer| issuer.token().without_header("kid").sign();
    assert_eq!(sets.app.verdict(&nameless(&sets.flows)).await, "200");
    assert_eq!(sets.app.verdict(&nameless(&sets.policies)).await, "200");
    // Three keys in one set and two in the other: more than four, whichever set they are in.
    sets.flows.rotate();
    sets.flows.rotate();
    sets.policies.rotate();
    sets.server.refresh_now().await.expect("both are up");
    assert_eq!(
        sets.app.verdict(&nameless(&sets.flows)).await,
        "401 invalid_token ambiguous_key"
    );
}

#[tokio::test]
async fn dropped_keys_are_those_of_every_set() {
    let sets = sets().await;
    let (flow, policy) = (sets.flows.token().sign(), sets.policies.token().sign());
    assert_eq!(sets.app.verdict(&flow).await, "200");
    assert_eq!(sets.app.verdict(&policy).await, "200");
    sets.flows.break_with(Fault::Status(500));
    sets.policies.break_with(Fault::Status(500));
    let keys = sets.server.issuer_keys(NAME).expect("configured");
    keys.drop_keys();
    assert!(sets.app.verdict(&flow).await.starts_with("503"));
    assert!(sets.app.verdict(&policy).await.starts_with("503"));
    sets.policies.recover();
    keys.refresh_now().await.expect_err("one is still down");
    assert!(sets.app.verdict(&flow).await.starts_with("503"));
    assert_eq!(sets.app.verdict(&policy).await, "200");
}

#[tokio::test]
async fn dropped_static_keys_verify_nothing_any_more_and_remembered_tokens_end() {
    let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
    let other = MockIssuer::named("https://other.test").with_algorithms([Algorithm::ES256]);
    let server = ResourceServer::builder(API)
        .issuer(issuer.trusted())
        .issuer(other.trusted())
        .build()
        .expect("sound");
    let app = TestApp::new(&server);
    let (seen, new) = (
        issuer.token().sign(),
        issuer.token().subject("user-2").sign(),
    );
    assert_eq!(app.get("/", &seen).await.verdict(), "200");
    assert!(server.ready());
    let keys = server.issuer_keys(&issuer.issuer()).expect("configured");
    keys.drop_keys();
    for token in [&seen, &new] {
        assert_eq!(
            app.get("/", token).await.verdict(),
            "503 unavailable keys_not_loaded"
        );
    }
    assert!(!server.ready());
    assert_eq!(
        app.get("/", &other.token().sign()).await.verdict(),
        "200",
        "another issuer's are another's"
    );
}

#[test]
fn key_set_urls_are_at_most_eight_and_each_is_an_address() {
    let with = |count: usize| {
        let issuer = (0..count).fold(Issuer::oidc(NAME), |issuer, set| {
            issuer.key_set_url(format!("https://id.example.com/{set}/keys"))
        });
        ResourceServer::builder(API).issuer(issuer).build()
    };
    assert!(with(8).is_ok());
    assert_eq!(with(9).expect_err("nine").setting(), "key_set_url");
    let plain = Issuer::oidc(NAME)
        .key_set_url("https://id.example.com/keys")
        .key_set_url("http://id.example.com/keys");
    let refused = ResourceServer::builder(API).issuer(plain).build();
    assert_eq!(refused.expect_err("plain http").setting(), "key_set_url");
    // The same address twice is one set.
    let same = Issuer::oidc(NAME)
        .key_set_url("https://id.example.com/keys")
        .key_set_url("https://id.example.com/keys");
    let built = ResourceServer::builder(API).issuer(same).build();
    assert_eq!(built.expect("sound").key_set_status().len(), 1);
}
