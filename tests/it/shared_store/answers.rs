//! What an issuer said of an opaque token, told to one instance and known to the others.

use std::time::Duration;

use portcullis::config::SharedStore;
use portcullis::revocation::Revocation;
use portcullis::test_util::ManualClock;
use portcullis::time::{Clock as _, UnixTime};
use portcullis::{Issuer, ResourceServer};
use serde_json::json;

use super::engine::{Engine, PATIENCE, Wire};
use super::{REVOKED, store};
use crate::support::endpoint::{Endpoint, json as says};
use crate::support::introspection::{AS, TOKEN, builder, good, issuer, with};
use crate::support::{Requests as _, TestApp};

const INACTIVE: &str = "401 invalid_token inactive";

/// One instance that asks the endpoint about opaque tokens.
pub(super) struct Asker {
    server: ResourceServer,
    pub(super) app: TestApp,
}

impl Asker {
    pub(super) async fn new(clock: &ManualClock, issuer: Issuer, store: SharedStore) -> Self {
        let server = builder(issuer, clock).shared_store(store).build();
        let server = server.expect("sound").connect().await.expect("a runtime");
        let app = TestApp::new(&server);
        Self { server, app }
    }

    fn hits(&self) -> u64 {
        self.server
            .shared_store_status()
            .expect("a store")
            .answer_hits()
    }
}

/// Waits until the store holds so many answers: requests do not wait for the write.
pub(super) async fn holds(engine: &Engine, answers: usize) -> Vec<String> {
    let held = async {
        loop {
            let keys = engine.say("KEYS *:answer:*").await;
            if keys.len() == answers {
                return keys;
            }
        }
    };
    tokio::time::timeout(PATIENCE, held)
        .await
        .expect("the answers")
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn what_one_instance_was_told_spares_the_others_the_question() {
    let engine = Engine::start(&[]).await;
    let (clock, endpoint) = (ManualClock::new(), Endpoint::saying(good()).await);
    let new = || Asker::new(&clock, issuer(&endpoint), store(&engine.url()));
    let (one, two) = (new().await, new().await);
    assert_eq!(one.app.verdict(TOKEN).await, "200");
    let keys = holds(&engine, 1).await;
    assert_eq!(two.app.verdict(TOKEN).await, "200");
    assert_eq!(endpoint.questions().len(), 1, "asked once");
    assert_eq!((one.hits(), two.hits()), (0, 1));
    assert_eq!(two.app.verdict("another").await, "200");
    assert_eq!(
        endpoint.questions().len(),
        2,
        "another token is another question"
    );

    // It ends in the store by itself, and holds nothing in the clear.
    let left = engine.say(&format!("PTTL {}", keys[0])).await;
    let left: u64 = left[0].parse().expect("milliseconds");
    assert!((1..=60_000).contains(&left), "{left}");
    let everything = engine.everything().await;
    for secret in [TOKEN, "user-1", AS, "orders:read", "s3cr3t"] {
        let mut windows = everything.windows(secret.len());
        assert!(!windows.any(|bytes| bytes == secret.as_bytes()), "{secret}");
    }
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn an_answer_ends_for_all_when_it_ends_for_the_first() {
    let engine = Engine::start(&[]).await;
    let (clock, endpoint) = (ManualClock::new(), Endpoint::saying(good()).await);
    let new = || Asker::new(&clock, issuer(&endpoint), store(&engine.url()));
    let (one, two) = (new().await, new().await);
    assert_eq!(one.app.verdict(TOKEN).await, "200");
    holds(&engine, 1).await;
    endpoint.turn(|_| says(200, &json!({"active": false})));
    clock.advance(Duration::from_secs(50));
    assert_eq!(two.app.verdict(TOKEN).await, "200", "as old as it is");
    clock.advance(Duration::from_secs(9));
    assert_eq!(two.app.verdict(TOKEN).await, "200");
    clock.advance(Duration::from_secs(2));
    assert_eq!(two.app.verdict(TOKEN).await, INACTIVE, "its minute is over");
    assert_eq!(one.app.verdict(TOKEN).await, INACTIVE);
    assert_eq!(endpoint.questions().len(), 3);
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn whoever_believes_answers_for_a_shorter_time_believes_those_of_others_no_longer() {
    let engine = Engine::start(&[]).await;
    let (clock, endpoint) = (ManualClock::new(), Endpoint::saying(good()).await);
    let one = Asker::new(&clock, issuer(&endpoint), store(&engine.url())).await;
    let brief = issuer(&endpoint).introspection_cache_life(Duration::from_secs(10));
    let two = Asker::new(&clock, brief, store(&engine.url())).await;
    let forgetful = issuer(&endpoint).without_introspection_cache();
    let three = Asker::new(&clock, forgetful, store(&engine.url())).await;
    assert_eq!(one.app.verdict(TOKEN).await, "200");
    holds(&engine, 1).await;
    clock.advance(Duration::from_secs(9));
    assert_eq!(two.app.verdict(TOKEN).await, "200");
    assert_eq!(endpoint.questions().len(), 1);
    clock.advance(Duration::from_secs(2));
    assert_eq!(two.app.verdict(TOKEN).await, "200");
    assert_eq!(endpoint.questions().len(), 2, "asked anew");
    assert_eq!(three.app.verdict(TOKEN).await, "200");
    assert_eq!(endpoint.questions().len(), 3, "who remembers nothing asks");
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn a_refusal_is_shared_with_nobody() {
    let engine = Engine::start(&[]).await;
    let clock = ManualClock::new();
    let endpoint = Endpoint::saying(json!({"active": false})).await;
    let new = || Asker::new(&clock, issuer(&endpoint), store(&engine.url()));
    let (one, two) = (new().await, new().await);
    assert_eq!(one.app.verdict(TOKEN).await, INACTIVE);
    endpoint.turn(|_| says(200, &with("aud", json!("https://else.example"))));
    assert_ne!(one.app.verdict("other").await, "200");
    endpoint.turn(|_| says(200, &good()));
    assert_eq!(two.app.verdict(TOKEN).await, "200");
    holds(&engine, 1).await;
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn each_instance_holds_an_answer_against_its_own_rules() {
    let engine = Engine::start(&[]).await;
    let (clock, endpoint) = (ManualClock::new(), Endpoint::saying(good()).await);
    let one = Asker::new(&clock, issuer(&endpoint), store(&engine.url())).await;
    let strict = issuer(&endpoint).require_claim("tier", "gold");
    let two = Asker::new(&clock, strict, store(&engine.url())).await;
    assert_eq!(one.app.verdict(TOKEN).await, "200");
    holds(&engine, 1).await;
    assert_eq!(
        two.app.verdict(TOKEN).await,
        "401 invalid_token required_value"
    );
    // And what is revoked stays revoked, whichever instance vouches for it.
    let three = Asker::new(&clock, issuer(&endpoint), store(&engine.url())).await;
    let revocation = Revocation::subject(AS, "user-1", clock.now());
    one.server.revocations().revoke(revocation).expect("room");
    one.server.synchronize().await.expect("a store");
    three.server.synchronize().await.expect("a store");
    assert_eq!(three.app.verdict(TOKEN).await, REVOKED);
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn servers_that_ask_as_somebody_else_or_for_another_api_share_no_answer() {
    let engine = Engine::start(&[]).await;
    let (clock, endpoint) = (ManualClock::new(), Endpoint::saying(good()).await);
    let url = engine.url();
    let one = Asker::new(&clock, issuer(&endpoint), store(&url)).await;
    assert_eq!(one.app.verdict(TOKEN).await, "200");
    holds(&engine, 1).await;
    let basic = portcullis::config::ClientAuthentication::basic;
    let other_client = Issuer::introspected(endpoint.url())
        .identified_as(AS)
        .client_authentication(basic("billing-api", "s3cr3t"));
    let other_name = Issuer::introspected(endpoint.url())
        .identified_as("https://as.example/")
        .client_authentication(basic("orders-api", "s3cr3t"));
    let mut asked = 1;
    for stranger in [
        Asker::new(&clock, other_client, store(&url)).await,
        Asker::new(&clock, other_name, store(&url)).await,
        Asker::new(&clock, issuer(&endpoint), store(&url).namespace("staging")).await,
    ] {
        let _ = stranger.app.verdict(TOKEN).await;
        asked += 1;
        assert_eq!((endpoint.questions().len(), stranger.hits()), (asked, 0));
    }
    let twin = Asker::new(&clock, issuer(&endpoint), store(&url)).await;
    assert_eq!(twin.app.verdict(TOKEN).await, "200");
    assert_eq!((endpoint.questions().len(), twin.hits()), (asked, 1));
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn what_is_altered_or_stands_under_another_tokens_name_is_not_there() {
    let engine = Engine::start(&[]).await;
    let (clock, endpoint) = (ManualClock::new(), Endpoint::saying(good()).await);
    let new = || Asker::new(&clock, issuer(&endpoint), store(&engine.url()));
    let (one, two) = (new().await, new().await);
    assert_eq!(one.app.verdict(TOKEN).await, "200");
    let good_one = holds(&engine, 1).await.remove(0);
    endpoint.turn(|_| says(200, &json!({"active": false})));
    // The answer about the good token, under the name that belongs to a bad one.
    endpoint.turn(|_| says(200, &with("sub", json!("user-2"))));
    assert_eq!(one.app.verdict("bad").await, "200");
    let both = holds(&engine, 2).await;
    let bad_one = both
        .iter()
        .find(|key| **key != good_one)
        .expect("the other");
    endpoint.turn(|_| says(200, &json!({"active": false})));
    let sealed = engine
        .run_command(&[b"GET", good_one.as_bytes()])
        .await
        .remove(0);
    engine
        .run_command(&[b"SET", bad_one.as_bytes(), &sealed])
        .await;
    assert_eq!(two.app.verdict("bad").await, INACTIVE, "asked");
    // One bit, anywhere.
    for at in [0, 5, 9, 30, sealed.len() - 1] {
        let three = new().await;
        let mut altered = sealed.clone();
        altered[at] ^= 1;
        engine
            .run_command(&[b"SET", good_one.as_bytes(), &altered])
            .await;
        assert_eq!(three.app.verdict(TOKEN).await, INACTIVE, "byte {at}");
    }
    // A revocation is no answer, though one key sealed both.
    let revocation = Revocation::token(AS, "some");
    one.server.revocations().revoke(revocation).expect("room");
    one.server.synchronize().await.expect("a store");
    let (_, notice) = engine.stream().await.remove(0);
    engine
        .run_command(&[b"SET", good_one.as_bytes(), &notice])
        .await;
    assert_eq!(new().await.app.verdict(TOKEN).await, INACTIVE);
    engine
        .run_command(&[b"SET", good_one.as_bytes(), &sealed])
        .await;
    assert_eq!(
        new().await.app.verdict(TOKEN).await,
        "200",
        "the accepted twin"
    );
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn an_old_answer_that_is_played_back_has_ended() {
    let engine = Engine::start(&[]).await;
    let (clock, endpoint) = (ManualClock::new(), Endpoint::saying(good()).await);
    let new = || Asker::new(&clock, issuer(&endpoint), store(&engine.url()));
    assert_eq!(new().await.app.verdict(TOKEN).await, "200");
    let key = holds(&engine, 1).await.remove(0);
    let sealed = engine
        .run_command(&[b"GET", key.as_bytes()])
        .await
        .remove(0);
    endpoint.turn(|_| says(200, &json!({"active": false})));
    clock.advance(Duration::from_secs(61));
    engine.run_command(&[b"SET", key.as_bytes(), &sealed]).await;
    assert_eq!(new().await.app.verdict(TOKEN).await, INACTIVE);
    // A clock that stands still does not see the end; one that is behind does not believe it.
    clock.set_wall(UnixTime::from_secs(clock.now().as_secs() - 61 - 3600));
    assert_eq!(new().await.app.verdict(TOKEN).await, INACTIVE);
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn without_the_store_the_issuer_is_asked_and_nobody_waits_for_long() {
    let mut engine = Engine::start(&[]).await;
    let (clock, endpoint) = (ManualClock::new(), Endpoint::saying(good()).await);
    let wire = Wire::to(&engine).await;
    let one = Asker::new(&clock, issuer(&endpoint), store(&wire.url())).await;
    assert_eq!(one.app.verdict("first").await, "200");
    wire.cut();
    engine.kill().await;
    for (asked, token) in ["second", "third", "fourth"].into_iter().enumerate() {
        assert_eq!(one.app.verdict(token).await, "200", "{token}");
        assert_eq!(endpoint.questions().len(), asked + 2);
    }
    let status = one.server.shared_store_status().expect("a store");
    assert!(status.answer_error().is_some(), "{status:?}");
    assert_eq!(status.answer_misses(), 4);
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn a_store_that_is_silent_costs_no_more_than_its_time() {
    let engine = Engine::start(&[]).await;
    let (clock, endpoint) = (ManualClock::new(), Endpoint::saying(good()).await);
    let patient = store(&engine.url()).answer_timeout(Duration::from_millis(5));
    let one = Asker::new(&clock, issuer(&endpoint), patient).await;
    // It answers no request for as long as this test can last.
    engine.say("CLIENT PAUSE 600000 ALL").await;
    assert_eq!(one.app.verdict(TOKEN).await, "200");
    assert_eq!(endpoint.questions().len(), 1);
    let status = one.server.shared_store_status().expect("a store");
    assert!(status.answer_error().expect("late").contains("in time"));
}
