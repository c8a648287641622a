//! Clocks that are ahead, behind or jump: no instance loses a revocation by them, and none destroys
//! one for the others.

use std::time::Duration;

use portcullis::ResourceServer;
use portcullis::test_util::ManualClock;
use portcullis::time::{Clock as _, UnixTime};

use super::engine::Engine;
use super::{Instance, REVOKED, World, store};
use crate::support::API;

const HOUR: Duration = Duration::from_secs(3600);

/// An instance whose issuer's tokens live for an hour, by a clock of its own.
async fn instance(world: &World, url: &str, clock: &ManualClock) -> Instance {
    let server = ResourceServer::builder(API)
        .issuer(world.issuer.trusted().longest_token_life(HOUR))
        .clock(clock.clone())
        .shared_store(store(url));
    let server = server.build().expect("sound").connect().await;
    world.around(server.expect("a runtime"))
}

fn clock_at(secs: i64) -> ManualClock {
    ManualClock::at(UnixTime::from_secs(ManualClock::START.as_secs() + secs))
}

fn set(clock: &ManualClock, secs: i64) {
    clock.set_wall(UnixTime::from_secs(ManualClock::START.as_secs() + secs));
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn clock_ahead_at_the_start_loses_nothing_when_it_is_set_right() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let one = instance(&world, &engine.url(), &world.clock).await;
    one.revoke("stolen");
    one.synchronize().await;
    let wrong = clock_at(3 * 3600);
    let two = instance(&world, &engine.url(), &wrong).await;
    set(&wrong, 5);
    let [stolen, other] = ["stolen", "other"].map(|id| world.token(id));
    assert_eq!(two.verdict(&stolen).await, REVOKED, "at once");
    for _ in 0..3 {
        two.synchronize().await;
        one.synchronize().await;
        assert_eq!(two.verdict(&stolen).await, REVOKED);
        assert_eq!(two.verdict(&other).await, "200");
    }
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn clock_ahead_of_a_lone_instance_leaves_the_store_as_it_was() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let right = world.clock.clone();
    {
        let one = instance(&world, &engine.url(), &right).await;
        one.revoke("stolen");
        one.synchronize().await;
    }
    let wrong = clock_at(3 * 3600);
    let two = instance(&world, &engine.url(), &wrong).await;
    let stolen = world.token("stolen");
    wrong.advance(Duration::from_secs(61));
    two.synchronize().await;
    assert_eq!(engine.stream().await.len(), 1, "while it is ahead");
    set(&wrong, 70);
    two.synchronize().await;
    assert_eq!(two.verdict(&stolen).await, REVOKED);
    wrong.advance(Duration::from_secs(61));
    two.synchronize().await;
    assert_eq!(engine.stream().await.len(), 1);
    let three = instance(&world, &engine.url(), &right).await;
    assert_eq!(three.verdict(&stolen).await, REVOKED);
    // Its twin: when its time has passed by both clocks, it goes.
    wrong.advance(3 * HOUR);
    two.synchronize().await;
    assert_eq!(engine.stream().await.len(), 0);
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn clock_that_jumps_ahead_and_back_loses_nothing() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let clock = clock_at(0);
    let one = instance(&world, &engine.url(), &clock).await;
    one.revoke("stolen");
    one.synchronize().await;
    let stolen = world.token("stolen");
    set(&clock, 3 * 3600);
    clock.advance(Duration::from_secs(61));
    one.synchronize().await;
    assert_eq!(engine.stream().await.len(), 1);
    engine.say("FLUSHALL").await;
    one.synchronize().await;
    set(&clock, 61);
    one.synchronize().await;
    assert_eq!(one.verdict(&stolen).await, REVOKED);
    assert_eq!(engine.stream().await.len(), 1, "told again");
    drop(one);
    let two = instance(&world, &engine.url(), &clock).await;
    assert_eq!(two.verdict(&stolen).await, REVOKED);
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn clock_ahead_of_a_reader_ends_nothing_that_comes_while_it_is() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let one = instance(&world, &engine.url(), &world.clock).await;
    let wrong = clock_at(3 * 3600);
    let two = instance(&world, &engine.url(), &wrong).await;
    one.revoke("stolen");
    one.synchronize().await;
    two.synchronize().await;
    set(&wrong, 5);
    assert_eq!(two.verdict(&world.token("stolen")).await, REVOKED);
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn clock_behind_of_a_writer_is_known_to_a_reader() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    // Its entries have ended when others read them.
    let wrong = clock_at(-2 * 3600);
    let one = instance(&world, &engine.url(), &wrong).await;
    let two = instance(&world, &engine.url(), &world.clock).await;
    let [stolen, other] = ["stolen", "other"].map(|id| world.token(id));
    one.revoke("stolen");
    one.synchronize().await;
    two.synchronize().await;
    assert_eq!(two.verdict(&stolen).await, REVOKED);
    assert_eq!(two.verdict(&other).await, "200");
    let three = instance(&world, &engine.url(), &world.clock).await;
    assert_eq!(three.verdict(&stolen).await, REVOKED);
    set(&wrong, 0);
    assert_eq!(one.verdict(&stolen).await, REVOKED, "set right");
    world.clock.advance(HOUR + Duration::from_secs(61));
    assert_eq!(two.verdict(&stolen).await, "200", "a life has passed");
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn clock_in_1970_reads_what_was_revoked_and_keeps_it_when_set_right() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let one = instance(&world, &engine.url(), &world.clock).await;
    one.revoke("stolen");
    one.synchronize().await;
    let wrong = ManualClock::at(UnixTime::from_secs(0));
    let two = instance(&world, &engine.url(), &wrong).await;
    wrong.advance(Duration::from_secs(61));
    two.synchronize().await;
    assert_eq!(engine.stream().await.len(), 1);
    wrong.set_wall(world.clock.now());
    let stolen = world.token("stolen");
    assert_eq!(two.verdict(&stolen).await, REVOKED);
    // By the monotonic clock it holds no longer than tokens live.
    world.clock.advance(HOUR + Duration::from_secs(60));
    wrong.advance(HOUR);
    wrong.set_wall(world.clock.now());
    assert_eq!(two.verdict(&stolen).await, "200");
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn end_far_ahead_is_shared_as_it_is() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let one = instance(&world, &engine.url(), &world.clock).await;
    let far = world.clock.now().as_secs() + 500 * 24 * 3600;
    let name = world.issuer.issuer();
    let snapshot = format!(
        "{{\"revocations\":1,\"entries\":1}}\n{{\"issuer\":\"{name}\",\"token\":\"stolen\",\"end\":{far}}}\n"
    );
    assert_eq!(one.server.revocations().load(&snapshot), Ok(1));
    one.synchronize().await;
    let two = instance(&world, &engine.url(), &world.clock).await;
    assert_eq!(two.verdict(&world.token("stolen")).await, REVOKED);
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn entry_of_a_later_version_is_not_trimmed_before_its_tokens_end() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let clock = clock_at(0);
    let old = instance(&world, &engine.url(), &clock).await;
    let epoch = engine.key(":epoch").await;
    let stream = epoch.replace(":epoch", ":revocations");
    // What this version cannot open, it cannot tell the end of.
    let words: [&[u8]; 5] = [b"XADD", stream.as_bytes(), b"*", b"e", &[2; 100]];
    engine.run_command(&words).await;
    old.synchronize().await;
    for _ in 0..3 {
        clock.advance(Duration::from_secs(61));
        old.synchronize().await;
        assert_eq!(engine.stream().await.len(), 1);
    }
    clock.advance(2 * HOUR);
    old.synchronize().await;
    assert_eq!(engine.stream().await.len(), 0, "it cannot matter any more");
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn withdrawal_is_not_undone_by_a_snapshot_that_is_older() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let one = instance(&world, &engine.url(), &world.clock).await;
    one.revoke("a");
    one.synchronize().await;
    let stale = one.server.revocations().snapshot();
    one.withdraw("a");
    one.synchronize().await;
    let [a, b] = ["a", "b"].map(|id| world.token(id));

    let build = || {
        ResourceServer::builder(API)
            .issuer(world.issuer.trusted().longest_token_life(HOUR))
            .clock(world.clock.clone())
            .shared_store(store(&engine.url()))
            .build()
            .expect("sound")
    };
    let server = build();
    server.revocations().load(&stale).expect("a snapshot");
    let two = world.around(server.connect().await.expect("a runtime"));
    two.synchronize().await;
    one.synchronize().await;
    for instance in [&one, &two] {
        assert_eq!(instance.verdict(&a).await, "200");
    }
    // Loaded while it runs, it is no newer.
    two.server.revocations().load(&stale).expect("a snapshot");
    two.synchronize().await;
    assert_eq!(two.verdict(&a).await, "200");

    // Its twins: a snapshot of what was never withdrawn, and what was revoked again since.
    world.clock.advance(Duration::from_secs(1));
    one.revoke("a");
    one.revoke("b");
    one.synchronize().await;
    let fresh = one.server.revocations().snapshot();
    engine.say("FLUSHALL").await;
    let server = build();
    server.revocations().load(&fresh).expect("a snapshot");
    let three = world.around(server.connect().await.expect("a runtime"));
    two.synchronize().await;
    for instance in [&two, &three] {
        assert_eq!(instance.verdict(&a).await, REVOKED);
        assert_eq!(instance.verdict(&b).await, REVOKED);
    }
}
