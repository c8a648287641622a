//! A change of the cluster key, one instance after another: what one instance revokes all refuse, whichever
//! of the keys each has.

use std::time::Duration;

use portcullis::ResourceServer;
use portcullis::config::SharedStore;
use portcullis::test_util::ManualClock;
use portcullis::time::Clock as _;

use super::engine::Engine;
use super::proofs::{Client, REPLAYED};
use super::{Instance, KEY, REVOKED, UNKNOWN, World, store};
use crate::support::introspection::TOKEN;
use crate::support::{API, Requests as _};

const NEW: [u8; 32] = *b"the other key of thirty-two byte";

/// With the old key alone.
fn old(url: &str) -> SharedStore {
    super::proofs::patient(url)
}

/// With both, as all instances are after the first step.
fn both(url: &str) -> SharedStore {
    new(url).previous_cluster_key(KEY)
}

/// With the new key alone.
fn new(url: &str) -> SharedStore {
    SharedStore::redis(url)
        .cluster_key(NEW)
        .answer_timeout(Duration::from_secs(2))
}

async fn settled(instances: &[&Instance]) {
    // What one has copied the others read in the second turn.
    for _ in 0..2 {
        for instance in instances {
            instance.synchronize().await;
        }
    }
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn previous_cluster_key_keeps_revocations_alike_through_a_change() {
    let engine = Engine::start(&[]).await;
    let url = engine.url();
    let world = World::new();
    let first = world.instance_of(old(&url)).await;
    first.revoke("before");
    first.revoke("withdrawn");
    first.synchronize().await;
    let token = |id: &str| world.token(id);

    // The first step: the next instance has both keys, the others the old one.
    let second = world.instance_of(both(&url)).await;
    for id in ["before", "withdrawn"] {
        let verdict = second.verdict(&token(id)).await;
        assert_eq!(verdict, REVOKED, "{id} is known at the start");
    }
    first.revoke("by the old key");
    second.comes_to(&token("by the old key"), REVOKED).await;
    second.revoke("by both keys");
    first.comes_to(&token("by both keys"), REVOKED).await;
    second.withdraw("withdrawn");
    first.comes_to(&token("withdrawn"), "200").await;
    let third = world.instance_of(both(&url)).await;
    settled(&[&first, &second, &third]).await;
    drop(first);

    // The second step: all have both keys, and the next one has the new key alone.
    let fourth = world.instance_of(new(&url)).await;
    for id in ["before", "by the old key", "by both keys"] {
        let verdict = fourth.verdict(&token(id)).await;
        assert_eq!(verdict, REVOKED, "{id} is known at the start");
    }
    for id in ["withdrawn", "good"] {
        assert_eq!(fourth.verdict(&token(id)).await, "200", "{id}");
    }
    fourth.revoke("by the new key");
    third.comes_to(&token("by the new key"), REVOKED).await;
    third.revoke("by both keys later");
    fourth.comes_to(&token("by both keys later"), REVOKED).await;
    third.withdraw("before");
    fourth.comes_to(&token("before"), "200").await;
    assert_eq!(
        second
            .server
            .shared_store_status()
            .expect("one")
            .unwritten(),
        0
    );
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn previous_cluster_key_is_counted_as_unwritten_while_entries_are_copied() {
    const MANY: usize = 20_000;
    let engine = Engine::start(&[]).await;
    let url = engine.url();
    let world = World::new();
    let first = world.instance_of(old(&url)).await;
    for number in 0..MANY {
        first.revoke(&format!("token {number}"));
    }
    first.synchronize().await;
    let second = world.build(both(&url));
    let connecting = tokio::spawn({
        let second = second.clone();
        async move { second.connect().await.expect("a runtime") }
    });
    // What the manual waits for before the second step.
    let is_done = || {
        let status = second.shared_store_status().expect("one");
        second.ready() && status.unwritten() == 0 && status.failing_since().is_none()
    };
    let waited = async {
        while !is_done() {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(super::engine::PATIENCE, waited).await;
    waited.expect("all is copied at last");
    for key in engine.say("KEYS *:revocations").await {
        let entries = engine.say(&format!("XLEN {key}")).await;
        assert_eq!(entries, [MANY.to_string()], "{key}");
    }
    let third = world.instance_of(new(&url)).await;
    let last = world.token(&format!("token {}", MANY - 1));
    assert_eq!(third.verdict(&last).await, REVOKED);
    connecting.await.expect("no panic");
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn previous_cluster_key_copies_what_has_ended_by_a_clock_that_is_ahead() {
    let engine = Engine::start(&[]).await;
    let url = engine.url();
    let world = World::new();
    let hour = Duration::from_secs(3600);
    let on = async |store, clock: &ManualClock| {
        let issuer = world.issuer.trusted().longest_token_life(hour);
        let server = ResourceServer::builder(API)
            .issuer(issuer)
            .clock(clock.clone())
            .shared_store(store)
            .build();
        let server = server.expect("sound").connect().await;
        world.around(server.expect("a runtime"))
    };
    let right = &world.clock;
    let first = on(old(&url), right).await;
    for id in ["stolen", "withdrawn"] {
        first.revoke(id);
    }
    first.synchronize().await;
    first.withdraw("withdrawn");
    first.synchronize().await;
    drop(first);
    let ahead = ManualClock::at(right.now().saturating_add(3 * hour));
    let second = on(both(&url), &ahead).await;
    second.synchronize().await;
    drop(second);
    let third = on(new(&url), right).await;
    assert_eq!(third.verdict(&world.token("stolen")).await, REVOKED);
    for good in ["withdrawn", "good"] {
        assert_eq!(third.verdict(&world.token(good)).await, "200", "{good}");
    }
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn previous_cluster_key_brings_both_streams_back_after_the_store_was_wiped() {
    let engine = Engine::start(&[]).await;
    let url = engine.url();
    let world = World::new();
    let first = world.instance_of(old(&url)).await;
    let second = world.instance_of(both(&url)).await;
    first.revoke("stolen");
    settled(&[&first, &second]).await;
    drop(first);
    engine.say("FLUSHALL").await;
    second.synchronize().await;
    let stolen = world.token("stolen");
    for store in [old(&url), both(&url), new(&url)] {
        let fresh = world.instance_of(store).await;
        assert_eq!(fresh.verdict(&stolen).await, REVOKED);
    }
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn previous_cluster_key_whose_stream_cannot_be_read_lets_no_instance_start() {
    let engine = Engine::start(&[]).await;
    let url = engine.url();
    let world = World::new();
    let alone = world.instance_of(new(&url)).await;
    let prefix = engine.key(":epoch").await.replace(":epoch", ":*");
    engine
        .say(&format!("ACL SETUSER narrow on >password ~{prefix} +@all"))
        .await;
    let narrow = format!("redis://narrow:password@127.0.0.1:{}", engine.port);
    let token = world.token("unknown");
    let instance = world.instance_of(both(&narrow)).await;
    assert!(!instance.server.ready());
    assert_eq!(instance.verdict(&token).await, UNKNOWN);
    let twin = world.instance_of(new(&narrow)).await;
    assert_eq!(twin.verdict(&token).await, "200");
    drop(alone);
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn previous_cluster_key_counts_a_proof_once_at_neighbouring_steps() {
    let engine = Engine::start(&[]).await;
    let url = engine.url();
    let world = World::new();
    let client = Client::of(&world);
    let first = world.instance_of(old(&url)).await;
    let second = world.instance_of(both(&url)).await;
    let third = world.instance_of(new(&url)).await;
    for (name, one, other) in [
        ("old, both", &first, &second),
        ("both, old", &second, &first),
        ("both, new", &second, &third),
        ("new, both", &third, &second),
    ] {
        let proof = client.proof();
        assert_eq!(client.verdict(one, &proof).await, "200", "{name}");
        assert_eq!(client.verdict(other, &proof).await, REPLAYED, "{name}");
    }
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn previous_cluster_key_opens_no_introspection_response() {
    use super::answers::{Asker, holds};
    use crate::support::endpoint::Endpoint;
    use crate::support::introspection::{good, issuer};
    let engine = Engine::start(&[]).await;
    let clock = ManualClock::new();
    let endpoint = Endpoint::saying(good()).await;
    let url = engine.url();
    let asker = |store| Asker::new(&clock, issuer(&endpoint), store);
    let first = asker(store(&url)).await;
    assert_eq!(first.app.verdict(TOKEN).await, "200");
    holds(&engine, 1).await;
    let second = asker(both(&url)).await;
    assert_eq!(second.app.verdict(TOKEN).await, "200");
    assert_eq!(endpoint.questions().len(), 2, "the issuer is asked again");
    holds(&engine, 2).await;
    let third = asker(new(&url)).await;
    assert_eq!(third.app.verdict(TOKEN).await, "200");
    assert_eq!(
        endpoint.questions().len(),
        2,
        "the twin: of the current key"
    );
}
