//! Instances that share a store: what one revokes the others refuse, whatever becomes of the store.

mod answers;
mod bounds;
mod clocks;
pub(crate) mod engine;
mod key_change;
mod leases;
mod processes;
mod proofs;
mod replaced;
mod tls;

use std::time::Duration;

use portcullis::config::SharedStore;
use portcullis::error::ConnectError;
use portcullis::revocation::Revocation;
use portcullis::test_util::{ManualClock, MockIssuer};
use portcullis::time::{Clock as _, SystemClock};
use portcullis::{Algorithm, Issuer, ResourceServer};

use crate::support::{API, Requests as _, TestApp};
use engine::{Engine, PATIENCE, Wire};

const REVOKED: &str = "401 invalid_token revoked";
const UNKNOWN: &str = "503 unavailable revocations_not_loaded";
const KEY: [u8; 32] = *b"a key of thirty-two bytes,shared";

/// What all instances of a test have in common.
struct World {
    /// What instances go by; tokens too.
    clock: ManualClock,
    issuer: MockIssuer,
}

/// One instance.
struct Instance {
    server: ResourceServer,
    app: TestApp,
    name: String,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::new();
        let issuer = MockIssuer::new()
            .with_algorithms([Algorithm::ES256])
            .with_clock(clock.clone());
        Self { clock, issuer }
    }

    /// One whose tokens are for the clock of the machine.
    fn on_real_time() -> Self {
        let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
        let clock = ManualClock::at(SystemClock::new().now());
        Self { clock, issuer }
    }

    fn token(&self, id: &str) -> String {
        let token = self.issuer.token().claim("jti", id);
        token.expires_in(Duration::from_secs(100 * 3600)).sign()
    }

    fn build(&self, store: SharedStore) -> ResourceServer {
        self.build_with(store, self.issuer.trusted())
    }

    fn build_with(&self, store: SharedStore, issuer: Issuer) -> ResourceServer {
        let builder = ResourceServer::builder(API)
            .issuer(issuer)
            .clock(self.clock.clone())
            .shared_store(store);
        builder.build().expect("sound")
    }

    /// An instance that has connected, or tried to.
    async fn instance(&self, url: &str) -> Instance {
        self.instance_of(store(url)).await
    }

    async fn instance_of(&self, store: SharedStore) -> Instance {
        let server = self.build(store).connect().await.expect("a runtime");
        self.around(server)
    }

    fn around(&self, server: ResourceServer) -> Instance {
        let app = TestApp::new(&server);
        let name = self.issuer.issuer();
        Instance { server, app, name }
    }
}

fn store(url: &str) -> SharedStore {
    SharedStore::redis(url).cluster_key(KEY)
}

impl Instance {
    fn revoke(&self, id: &str) {
        let revocation = Revocation::token(&self.name, id);
        self.server.revocations().revoke(revocation).expect("room");
    }

    fn withdraw(&self, id: &str) {
        let revocation = Revocation::token(&self.name, id);
        assert!(self.server.revocations().withdraw(&revocation));
    }

    async fn verdict(&self, token: &str) -> String {
        self.app.verdict(token).await
    }

    async fn synchronize(&self) {
        self.server.synchronize().await.expect("a store");
    }

    /// Waits for a verdict that comes by itself.
    async fn comes_to(&self, token: &str, verdict: &str) {
        let comes = async {
            while self.verdict(token).await != verdict {
                tokio::task::yield_now().await;
            }
        };
        let came = tokio::time::timeout(PATIENCE, comes).await;
        assert!(
            came.is_ok(),
            "{} and not {verdict}",
            self.verdict(token).await
        );
    }
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn an_actor_that_one_instance_revokes_acts_at_no_other() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let (here, there) = (
        world.instance(&engine.url()).await,
        world.instance(&engine.url()).await,
    );
    let user = || world.issuer.token();
    let (agents, users) = (user().actor("agent").sign(), user().sign());
    assert_eq!(there.verdict(&agents).await, "200");
    let revocation = Revocation::actor(&here.name, "agent", world.clock.now());
    here.server.revocations().revoke(revocation).expect("room");
    here.synchronize().await;
    there.synchronize().await;
    for instance in [&here, &there] {
        assert_eq!(instance.verdict(&agents).await, REVOKED);
        assert_eq!(instance.verdict(&users).await, "200");
    }
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn what_one_instance_revokes_the_others_refuse_and_what_it_withdraws_they_admit() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let (here, there) = (
        world.instance(&engine.url()).await,
        world.instance(&engine.url()).await,
    );
    let (stolen, other) = (world.token("stolen"), world.token("other"));
    for instance in [&here, &there] {
        assert_eq!(instance.verdict(&stolen).await, "200");
        assert_eq!(instance.verdict(&other).await, "200");
    }
    here.revoke("stolen");
    assert_eq!(here.verdict(&stolen).await, REVOKED, "at once");
    there.comes_to(&stolen, REVOKED).await;
    assert_eq!(there.verdict(&other).await, "200");

    there.withdraw("stolen");
    here.comes_to(&stolen, "200").await;
    assert_eq!(there.verdict(&stolen).await, "200");

    here.revoke("stolen");
    here.synchronize().await;
    there.synchronize().await;
    assert_eq!(there.verdict(&stolen).await, REVOKED, "revoked again");
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn an_instance_knows_what_was_revoked_before_it_admits_anybody() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let first = world.instance(&engine.url()).await;
    first.revoke("stolen");
    first.synchronize().await;

    let second = world.around(world.build(store(&engine.url())));
    let (stolen, other) = (world.token("stolen"), world.token("other"));
    assert!(!second.server.ready());
    assert_eq!(second.verdict(&other).await, UNKNOWN, "not connected");
    let status = second.server.shared_store_status().expect("a store");
    assert!(status.is_refusing() && !status.is_loaded());

    second.server.clone().connect().await.expect("a runtime");
    assert!(second.server.ready());
    assert_eq!(second.verdict(&stolen).await, REVOKED);
    assert_eq!(second.verdict(&other).await, "200");
    let status = second.server.shared_store_status().expect("a store");
    assert!(!status.is_refusing() && status.is_loaded());
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn what_several_instances_have_loaded_is_in_the_store_once() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let first = world.instance(&engine.url()).await;
    first.revoke("stolen");
    first.revoke("other");
    let snapshot = first.server.revocations().snapshot();
    for _ in 0..3 {
        let server = world.build(store(&engine.url()));
        assert_eq!(server.revocations().load(&snapshot), Ok(2));
        let instance = world.around(server.connect().await.expect("a runtime"));
        instance.synchronize().await;
        assert_eq!(engine.stream().await.len(), 2);
    }
    // Its twin: what no instance has shared yet is shared.
    let server = world.build(store(&engine.url()).namespace("fresh"));
    server.revocations().load(&snapshot).expect("a snapshot");
    server
        .connect()
        .await
        .expect("a runtime")
        .synchronize()
        .await
        .expect("a store");
    let fresh = world
        .instance_of(store(&engine.url()).namespace("fresh"))
        .await;
    assert_eq!(fresh.verdict(&world.token("stolen")).await, REVOKED);
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn without_a_store_a_new_instance_admits_nobody_until_there_is_one() {
    let mut engine = Engine::start(&[]).await;
    engine.kill().await;
    let world = World::new();
    let instance = world.instance(&engine.url()).await;
    let (stolen, other) = (world.token("stolen"), world.token("other"));
    assert_eq!(instance.verdict(&other).await, UNKNOWN);
    instance.revoke("stolen");
    assert_eq!(
        instance.verdict(&stolen).await,
        REVOKED,
        "what is known is known"
    );
    let status = instance.server.shared_store_status().expect("a store");
    assert!(!status.is_loaded() && status.failures() > 0, "{status:?}");
    assert_eq!(status.unwritten(), 1);
    let error = status.last_error().expect("an error");
    assert!(error.contains(&engine.port.to_string()), "{error}");

    engine.run().await;
    instance.synchronize().await;
    assert!(instance.server.ready());
    assert_eq!(instance.verdict(&other).await, "200");
    assert_eq!(instance.verdict(&stolen).await, REVOKED);
    let status = instance.server.shared_store_status().expect("a store");
    assert!(status.failing_since().is_none() && status.last_error().is_none());
    assert_eq!(status.unwritten(), 0);
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn an_instance_that_was_cut_off_catches_up_in_both_directions() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let wire = Wire::to(&engine).await;
    let (near, far) = (
        world.instance(&engine.url()).await,
        world.instance(&wire.url()).await,
    );
    let ids = ["before", "near", "far"];
    let [before, by_near, by_far] = ids.map(|id| world.token(id));
    near.revoke("before");
    near.synchronize().await;
    far.synchronize().await;

    wire.cut();
    assert!(far.server.synchronize().await.is_err());
    near.revoke("near");
    far.revoke("far");
    near.synchronize().await;
    assert!(far.server.ready(), "it goes on with what it knows");
    assert_eq!(far.verdict(&before).await, REVOKED);
    assert_eq!(far.verdict(&by_far).await, REVOKED);
    assert_eq!(far.verdict(&by_near).await, "200", "it cannot know");
    assert_eq!(near.verdict(&by_far).await, "200", "it cannot know");
    let status = far.server.shared_store_status().expect("a store");
    assert!(status.failing_since().is_some() && status.unwritten() == 1);

    wire.mend();
    far.synchronize().await;
    near.synchronize().await;
    for instance in [&near, &far] {
        for token in [&before, &by_near, &by_far] {
            assert_eq!(instance.verdict(token).await, REVOKED);
        }
    }
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn a_mended_wire_is_used_again_when_the_pause_is_over() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let wire = Wire::to(&engine).await;
    let (near, far) = (
        world.instance(&engine.url()).await,
        world.instance(&wire.url()).await,
    );
    wire.cut();
    assert!(far.server.synchronize().await.is_err());
    near.revoke("stolen");
    near.synchronize().await;
    wire.mend();
    let stolen = world.token("stolen");
    let comes = async {
        while far.verdict(&stolen).await != REVOKED {
            // Nobody asks; only time passes.
            world.clock.advance_to_next_sleeper();
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, comes)
        .await
        .expect("it comes back by itself");
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn a_store_that_comes_back_empty_is_told_again_by_those_who_know() {
    let mut engine = Engine::start(&[]).await;
    let world = World::new();
    let (one, two) = (
        world.instance(&engine.url()).await,
        world.instance(&engine.url()).await,
    );
    one.revoke("stolen");
    one.revoke("forgiven");
    one.synchronize().await;
    two.synchronize().await;
    two.withdraw("forgiven");
    two.synchronize().await;
    one.synchronize().await;
    let [stolen, forgiven, late] = ["stolen", "forgiven", "late"].map(|id| world.token(id));

    engine.kill().await;
    assert!(one.server.synchronize().await.is_err());
    one.revoke("late");
    for instance in [&one, &two] {
        assert_eq!(instance.verdict(&stolen).await, REVOKED, "in the outage");
    }
    engine.run().await;
    two.synchronize().await;
    one.synchronize().await;
    two.synchronize().await;
    let three = world.instance(&engine.url()).await;
    for (name, instance) in [("one", &one), ("two", &two), ("three", &three)] {
        assert_eq!(instance.verdict(&stolen).await, REVOKED, "{name}");
        assert_eq!(instance.verdict(&late).await, REVOKED, "{name}");
        assert_eq!(instance.verdict(&forgiven).await, "200", "{name}");
    }
    // What both knew is not there once for each.
    let entries = engine.stream().await;
    assert_eq!(entries.len(), 3, "stolen, late, and the withdrawal");
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn a_store_that_was_wiped_or_lost_its_end_under_the_connection_is_told_again() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let one = world.instance(&engine.url()).await;
    let [stolen, lost] = ["stolen", "lost"].map(|id| world.token(id));
    one.revoke("stolen");
    one.synchronize().await;
    engine.say("FLUSHALL").await;
    one.synchronize().await;
    let two = world.instance(&engine.url()).await;
    assert_eq!(two.verdict(&stolen).await, REVOKED, "wiped");

    // A failover to a replica that had not seen the last entry.
    one.revoke("lost");
    one.synchronize().await;
    let (last, _) = engine.stream().await.pop().expect("an entry");
    let key = engine.key(":revocations").await;
    engine.say(&format!("XDEL {key} {last}")).await;
    one.synchronize().await;
    let three = world.instance(&engine.url()).await;
    assert_eq!(three.verdict(&lost).await, REVOKED, "lost its end");

    // A stream whose clock is behind: what comes is before our cursor.
    engine.say(&format!("DEL {key}")).await;
    let words: [&[u8]; 5] = [b"XADD", key.as_bytes(), b"1-1", b"e", b"nothing"];
    engine.run_command(&words).await;
    for instance in [&one, &two, &three] {
        instance.synchronize().await;
    }
    let four = world.instance(&engine.url()).await;
    assert_eq!(four.verdict(&stolen).await, REVOKED);
    assert_eq!(four.verdict(&lost).await, REVOKED);
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn what_a_store_forges_alters_or_plays_back_changes_nothing() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let one = world.instance(&engine.url()).await;
    let [stolen, other] = ["stolen", "other"].map(|id| world.token(id));
    one.revoke("stolen");
    one.synchronize().await;
    one.withdraw("stolen");
    one.synchronize().await;
    let entries = engine.stream().await;
    assert_eq!(entries.len(), 2);
    one.revoke("stolen");
    one.synchronize().await;

    let key = engine.key(":revocations").await;
    let add = async |field: &[u8], bytes: &[u8]| {
        let words: [&[u8]; 5] = [b"XADD", key.as_bytes(), b"*", field, bytes];
        engine.run_command(&words).await;
    };
    // The withdrawal, played back after the same was revoked again.
    let (revocation, withdrawal) = (&entries[0].1, &entries[1].1);
    add(b"e", withdrawal).await;
    add(b"e", withdrawal).await;
    for at in [0, 8, 9, 20, 30, withdrawal.len() - 1] {
        let mut altered = withdrawal.clone();
        altered[at] ^= 1;
        add(b"e", &altered).await;
    }
    add(b"e", b"").await;
    add(b"e", &[1; 4096]).await;
    add(b"x", withdrawal).await;
    // The revocation that was withdrawn, played back: it stays withdrawn.
    add(b"e", revocation).await;
    one.synchronize().await;
    let two = world.instance(&engine.url()).await;
    for instance in [&one, &two] {
        assert_eq!(instance.verdict(&stolen).await, REVOKED);
        assert_eq!(instance.verdict(&other).await, "200");
        assert_eq!(instance.server.revocations().len(), 1);
    }
    // Its accepted twin: without the last revocation the one that was withdrawn is not in force.
    one.withdraw("stolen");
    one.synchronize().await;
    two.synchronize().await;
    assert_eq!(two.verdict(&stolen).await, "200");
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn clusters_with_other_keys_or_namespaces_share_nothing() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let url = engine.url();
    let one = world.instance(&url).await;
    let strangers = [
        SharedStore::redis(&url).cluster_key(*b"another key of thirty-two bytes."),
        store(&url).namespace("staging"),
    ];
    let mut instances = Vec::new();
    for stranger in strangers {
        instances.push(world.instance_of(stranger).await);
    }
    one.revoke("stolen");
    one.synchronize().await;
    let stolen = world.token("stolen");
    for instance in &instances {
        instance.synchronize().await;
        assert_eq!(instance.verdict(&stolen).await, "200");
    }
    let twin = world.instance_of(store(&url).namespace("portcullis")).await;
    assert_eq!(twin.verdict(&stolen).await, REVOKED, "the accepted twin");
    // Sealed for one stream, it does not open in another.
    let (_, sealed) = {
        let key = engine.say("KEYS portcullis:*:revocations").await;
        let words: [&[u8]; 4] = [b"XRANGE", key[0].as_bytes(), b"-", b"+"];
        let parts = engine.run_command(&words).await;
        (parts[0].clone(), parts[2].clone())
    };
    let staging = engine.say("KEYS staging:*:epoch").await[0].replace(":epoch", ":revocations");
    let words: [&[u8]; 5] = [b"XADD", staging.as_bytes(), b"*", b"e", &sealed];
    engine.run_command(&words).await;
    instances[1].synchronize().await;
    assert_eq!(instances[1].verdict(&stolen).await, "200");
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn the_store_learns_neither_ids_nor_issuers() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let one = world.instance(&engine.url()).await;
    let name = world.issuer.issuer();
    one.revoke("an-id-that-is-a-secret");
    let revocations = one.server.revocations();
    let now = world.clock.now();
    for revocation in [
        Revocation::subject(&name, "a-subject-of-the-issuer", now),
        Revocation::session(&name, "a-session-of-the-issuer"),
    ] {
        revocations.revoke(revocation).expect("room");
    }
    one.synchronize().await;
    assert_eq!(engine.stream().await.len(), 3);
    let everything = engine.everything().await;
    for secret in [
        "an-id-that",
        "a-subject-of",
        "a-session-of",
        &name,
        "a key of thirty",
    ] {
        let is_there = everything
            .windows(secret.len())
            .any(|bytes| bytes == secret.as_bytes());
        assert!(!is_there, "{secret}");
    }
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn a_store_that_drops_what_it_holds_is_refused_at_the_start() {
    let world = World::new();
    for policy in ["allkeys-lru", "volatile-ttl", "allkeys-random"] {
        let engine = Engine::start(&["--maxmemory-policy", policy]).await;
        let outcome = world.build(store(&engine.url())).connect().await;
        let error = outcome.map(|_| ()).expect_err(policy);
        assert!(matches!(error, ConnectError::Eviction { .. }), "{error:?}");
        let told = error.to_string();
        assert!(
            told.contains(policy) && told.contains("noeviction"),
            "{told}"
        );
    }
    let twin = Engine::start(&["--maxmemory-policy", "noeviction", "--maxmemory", "50mb"]).await;
    let instance = world.instance(&twin.url()).await;
    assert!(instance.server.ready());
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn a_store_that_begins_to_drop_things_is_an_outage() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let wire = Wire::to(&engine).await;
    let instance = world.instance(&wire.url()).await;
    engine.say("CONFIG SET maxmemory-policy allkeys-lfu").await;
    wire.cut();
    assert!(instance.server.synchronize().await.is_err());
    wire.mend();
    let error = instance.server.synchronize().await.expect_err("an outage");
    assert!(error.to_string().contains("allkeys-lfu"), "{error}");
    engine.say("CONFIG SET maxmemory-policy noeviction").await;
    instance.synchronize().await;
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn a_store_that_hides_what_it_drops_is_asked_another_way_or_refused() {
    let engine = Engine::start(&["--rename-command", "CONFIG", ""]).await;
    let world = World::new();
    assert!(
        world.instance(&engine.url()).await.server.ready(),
        "INFO tells"
    );

    let engine = Engine::start(&[]).await;
    engine
        .say("ACL SETUSER api on >secret ~* +@all -info")
        .await;
    let url = format!("redis://api:secret@127.0.0.1:{}", engine.port);
    assert!(world.instance(&url).await.server.ready(), "CONFIG tells");

    engine.say("ACL SETUSER api -config").await;
    let outcome = world.build(store(&url)).connect().await;
    let error = outcome.map(|_| ()).expect_err("no instance answers");
    assert!(matches!(error, ConnectError::Eviction { .. }), "{error:?}");
    assert!(!error.to_string().contains("secret"), "{error}");
}

/// The line of the manual.
#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn a_user_of_the_store_needs_no_more_than_the_manual_says() {
    let engine = Engine::start(&[]).await;
    let manual = include_str!("../../../src/manual/clustering.md");
    let line = manual.lines().find(|line| line.starts_with("ACL SETUSER"));
    engine.say(line.expect("the line")).await;
    let world = World::new();
    let url = format!("redis://api:password@127.0.0.1:{}", engine.port);
    let (one, two) = (world.instance(&url).await, world.instance(&url).await);
    one.revoke("stolen");
    one.synchronize().await;
    two.synchronize().await;
    assert_eq!(two.verdict(&world.token("stolen")).await, REVOKED);
    world.clock.advance(Duration::from_secs(48 * 3600));
    one.synchronize().await;
    assert_eq!(engine.stream().await.len(), 0, "trimmed");
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn a_wrong_password_is_an_outage_that_does_not_show_it() {
    let engine = Engine::start(&["--requirepass", "right"]).await;
    let world = World::new();
    let url = |password: &str| format!("redis://:{password}@127.0.0.1:{}", engine.port);
    let instance = world.instance(&url("wrong-one")).await;
    let status = instance.server.shared_store_status().expect("a store");
    let told = format!("{status:?} {:?}", status.last_error());
    assert!(!status.is_loaded() && !told.contains("wrong-one"), "{told}");
    assert!(
        world.instance(&url("right")).await.server.ready(),
        "the accepted twin"
    );
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn where_that_is_asked_for_a_store_that_is_silent_for_too_long_stops_everybody() {
    let mut engine = Engine::start(&[]).await;
    let world = World::new();
    let limit = Duration::from_secs(60);
    let strict = world
        .instance_of(store(&engine.url()).refuse_after(limit))
        .await;
    let lenient = world.instance(&engine.url()).await;
    let (stolen, other) = (world.token("stolen"), world.token("other"));
    strict.revoke("stolen");
    strict.synchronize().await;
    engine.kill().await;
    assert!(strict.server.synchronize().await.is_err());
    assert!(lenient.server.synchronize().await.is_err());
    world.clock.advance(Duration::from_secs(59));
    assert_eq!(strict.verdict(&other).await, "200");
    world.clock.advance(Duration::from_secs(2));
    strict.comes_to(&other, UNKNOWN).await;
    assert_eq!(strict.verdict(&stolen).await, REVOKED);
    assert!(!strict.server.ready());
    assert!(
        strict
            .server
            .shared_store_status()
            .expect("a store")
            .is_refusing()
    );
    assert_eq!(lenient.verdict(&other).await, "200");

    engine.run().await;
    strict.synchronize().await;
    assert_eq!(strict.verdict(&other).await, "200");
    assert!(strict.server.ready());
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn silence_of_the_store_counts_by_the_wall_clock_of_a_machine_that_was_suspended() {
    let mut engine = Engine::start(&[]).await;
    let world = World::new();
    let limit = Duration::from_secs(60);
    let strict = world
        .instance_of(store(&engine.url()).refuse_after(limit))
        .await;
    let other = world.token("other");
    let begin = world.clock.now();
    engine.kill().await;
    world.clock.set_wall(begin.saturating_add(limit / 2));
    assert_eq!(strict.verdict(&other).await, "200");
    // The monotonic clock stands still.
    world.clock.set_wall(begin.saturating_add(limit * 2));
    assert_eq!(strict.verdict(&other).await, UNKNOWN);
    assert!(!strict.server.ready());
    engine.run().await;
    strict.synchronize().await;
    assert_eq!(strict.verdict(&other).await, "200");
    assert!(strict.server.ready());
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn what_has_ended_leaves_the_stream_and_nothing_else_does() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let issuer = || {
        world
            .issuer
            .trusted()
            .longest_token_life(Duration::from_secs(3600))
    };
    let server = world.build_with(store(&engine.url()), issuer());
    let one = world.around(server.connect().await.expect("a runtime"));
    one.revoke("early");
    one.synchronize().await;
    world.clock.advance(Duration::from_secs(1800));
    one.revoke("late");
    one.synchronize().await;
    assert_eq!(engine.stream().await.len(), 2);
    // The end of the first, and the hour for which it is kept.
    world.clock.advance(Duration::from_secs(1800 + 3600 + 300));
    one.synchronize().await;
    assert_eq!(engine.stream().await.len(), 1);
    world.clock.advance(Duration::from_secs(3600));
    one.synchronize().await;
    assert_eq!(engine.stream().await.len(), 0);
    // An empty stream is not one that was lost.
    one.revoke("again");
    one.synchronize().await;
    assert_eq!(engine.stream().await.len(), 1);
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn revocations_of_an_issuer_that_an_instance_does_not_have_pass_through_it() {
    let mut engine = Engine::start(&[]).await;
    let world = World::new();
    let one = world.instance(&engine.url()).await;
    let other = Issuer::oidc("https://else.example").key_set(world.issuer.key_set());
    let server = world.build_with(store(&engine.url()), other);
    let stranger = server.connect().await.expect("a runtime");
    one.revoke("stolen");
    one.synchronize().await;
    stranger.synchronize().await.expect("a store");
    assert_eq!(stranger.revocations().len(), 0);
    drop(one);
    engine.kill().await;
    engine.run().await;
    stranger.synchronize().await.expect("a store");
    let two = world.instance(&engine.url()).await;
    assert_eq!(
        two.verdict(&world.token("stolen")).await,
        REVOKED,
        "told by a stranger"
    );
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn an_instance_without_room_for_all_is_not_ready() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let one = world.instance(&engine.url()).await;
    for id in ["a", "b", "c"] {
        one.revoke(id);
    }
    one.synchronize().await;
    let builder = ResourceServer::builder(API)
        .issuer(world.issuer.trusted())
        .clock(world.clock.clone())
        .most_revocations(2)
        .shared_store(store(&engine.url()));
    let small = builder
        .build()
        .expect("sound")
        .connect()
        .await
        .expect("a runtime");
    assert!(!small.ready());
    let error = small.synchronize().await.expect_err("no room");
    assert!(error.to_string().contains("room"), "{error}");
    one.withdraw("b");
    one.synchronize().await;
    small.synchronize().await.expect("room");
    assert!(small.ready());
}

#[test]
fn mistakes_are_found_before_anything_is_asked() {
    let world = World::new();
    let mistake = |store: SharedStore| {
        let builder = ResourceServer::builder(API).issuer(world.issuer.trusted());
        let error = builder
            .shared_store(store)
            .build()
            .map(|_| ())
            .expect_err("a mistake");
        assert_eq!(error.setting(), "shared_store");
        error.to_string()
    };
    let url = "rediss://someone:secret@cache.example.com";
    let sound = || SharedStore::redis(url).cluster_key(KEY);
    let builder = ResourceServer::builder(API).issuer(world.issuer.trusted());
    assert!(
        builder.shared_store(sound()).build().is_ok(),
        "the accepted twin"
    );
    for (store, word) in [
        (SharedStore::redis(url), "missing"),
        (SharedStore::redis(url).cluster_key([7; 32]), "repeated"),
        (
            SharedStore::redis(url).cluster_key_base64("c2hvcnQ="),
            "32 bytes",
        ),
        (SharedStore::redis(url).cluster_key_base64("?"), "32 bytes"),
        (
            sound().previous_cluster_key(KEY),
            "the previous cluster key is the cluster key",
        ),
        (
            sound().previous_cluster_key([7; 32]),
            "the previous cluster key is one byte repeated",
        ),
        (
            sound().previous_cluster_key_base64("c2hvcnQ="),
            "the previous cluster key is not 32 bytes",
        ),
        (sound().namespace(""), "namespace"),
        (sound().namespace("a b"), "namespace"),
        (
            sound().refuse_after(Duration::from_secs(14)),
            "refuse_after",
        ),
        (
            sound().answer_timeout(Duration::from_secs(3)),
            "answer_timeout",
        ),
        (
            SharedStore::redis("redis://x:secret@cache.example.com").cluster_key(KEY),
            "rediss",
        ),
        (
            SharedStore::redis("https://cache.example.com").cluster_key(KEY),
            "url",
        ),
        (
            SharedStore::redis("rediss://x:secret@h#insecure").cluster_key(KEY),
            "fragment",
        ),
    ] {
        let told = mistake(store);
        assert!(told.contains(word) && !told.contains("secret"), "{told}");
    }
    let changing = sound().previous_cluster_key(*b"another key of thirty-two bytes.");
    let builder = ResourceServer::builder(API).issuer(world.issuer.trusted());
    assert!(builder.shared_store(changing).build().is_ok());
    let plain = SharedStore::redis("redis://cache.example.com").cluster_key(KEY);
    let builder = ResourceServer::builder(API).issuer(world.issuer.trusted());
    assert!(
        builder
            .shared_store(plain.danger().plain_redis())
            .build()
            .is_ok()
    );
}

#[test]
fn neither_password_nor_key_is_shown() {
    let store = SharedStore::redis("rediss://someone:secret@cache.example.com").cluster_key(KEY);
    let store = store.previous_cluster_key(*b"thirty-two bytes of an older key");
    let told = format!("{store:?} {:?}", store.clone().danger());
    assert!(told.contains("cache.example.com"), "{told}");
    for secret in ["secret", "someone", "thirty-two", "97, 32"] {
        assert!(!told.contains(secret), "{told}");
    }
}

#[tokio::test]
async fn who_shares_nothing_is_told_so() {
    let server = ResourceServer::builder(API).issuer(World::new().issuer.trusted());
    let server = server.build().expect("sound");
    assert!(server.shared_store_status().is_none());
    assert!(server.synchronize().await.is_err());
}
