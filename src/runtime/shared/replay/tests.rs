//! Tests of the shared check, with a store of the test's own: one that is faked in this process, and
//! `redis-server`.

mod fake_store;
mod redis_server;

use std::sync::Arc;
use std::time::Duration;

use fake_store::{FakeStore, Mode};
use redis_server::{Redis, say};
use tokio::net::TcpListener;

use super::{ProofRecords, SharedProofStore, SharedReplay};
use crate::runtime::shared::store::address::Address;
use crate::test_util::ManualClock;
use crate::verify::crypto::sealed::{ClusterKey, Purpose};

const LIFE: Duration = Duration::from_secs(360);
const KEY: [u8; 32] = *b"0123456789abcdef0123456789abcdef";
const JWK: [u8; 32] = [1; 32];
/// Long enough for a busy machine; nothing passes because of it.
const PATIENCE: Duration = Duration::from_secs(30);

fn records(key: [u8; 32], prefix: &str) -> ProofRecords {
    let sealed_box = ClusterKey::new(key).seals(Purpose::Proof);
    ProofRecords::new(sealed_box.expect("keys"), prefix.to_owned())
}

/// One instance.
struct Instance {
    clock: ManualClock,
    proofs: Arc<SharedProofStore>,
}

impl Instance {
    fn of(url: &str) -> Self {
        Self::with(url, KEY, "portcullis", PATIENCE)
    }

    fn with(url: &str, key: [u8; 32], namespace: &str, timeout: Duration) -> Self {
        Self::of_keys(url, records(key, namespace), None, timeout)
    }

    fn of_keys(
        url: &str,
        current: ProofRecords,
        previous: Option<ProofRecords>,
        timeout: Duration,
    ) -> Self {
        let clock = ManualClock::new();
        let proofs = SharedProofStore::new(
            Address::parse(url, false).expect("an address"),
            current,
            previous,
            Arc::new(clock.clone()),
            timeout,
        );
        Self {
            clock,
            proofs: Arc::new(proofs),
        }
    }

    async fn use_once(&self, jti: &str) -> SharedReplay {
        self.proofs.use_once((&JWK, jti.as_bytes()), LIFE).await
    }
}

#[tokio::test]
async fn a_proof_is_fresh_at_one_instance_and_a_replay_at_all_others() {
    let store = FakeStore::start().await;
    let (one, two) = (Instance::of(&store.url()), Instance::of(&store.url()));
    one.proofs.open().await;
    assert_eq!(one.use_once("a").await, SharedReplay::Fresh);
    assert_eq!(
        two.use_once("a").await,
        SharedReplay::Replayed,
        "it connects and waits"
    );
    assert_eq!(one.use_once("a").await, SharedReplay::Replayed);
    assert_eq!(two.use_once("b").await, SharedReplay::Fresh);
    let other_key = two.proofs.use_once((&[2; 32], b"a"), LIFE).await;
    assert_eq!(other_key, SharedReplay::Fresh);
    assert!(one.proofs.last_error().is_none());
}

#[tokio::test]
async fn one_command_records_a_keyed_digest_for_the_life_of_a_proof_and_the_skew_of_clocks() {
    let store = FakeStore::start().await;
    let instance = Instance::of(&store.url());
    assert_eq!(instance.use_once("secret-jti").await, SharedReplay::Fresh);
    let sets = store.sets();
    let [set] = &sets[..] else {
        panic!("one round trip: {sets:?}");
    };
    let digest = set[0]
        .strip_prefix("portcullis:proof:")
        .expect("the prefix");
    assert!(digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(set[1..], ["1", "NX", "PX", "390000"]);
}

#[tokio::test]
async fn clusters_with_another_key_or_namespace_share_no_proofs() {
    let store = FakeStore::start().await;
    let one = Instance::of(&store.url());
    assert_eq!(one.use_once("a").await, SharedReplay::Fresh);
    let other_key = Instance::with(&store.url(), [7; 32], "portcullis", PATIENCE);
    assert_eq!(other_key.use_once("a").await, SharedReplay::Fresh);
    let other_namespace = Instance::with(&store.url(), KEY, "other", PATIENCE);
    assert_eq!(other_namespace.use_once("a").await, SharedReplay::Fresh);
    let same = Instance::of(&store.url());
    assert_eq!(same.use_once("a").await, SharedReplay::Replayed, "the twin");
}

/// Instances with each set of keys that a change of the key passes: the old one alone, both in either
/// order, the new one alone.
fn instances_of_a_key_change(url: &str) -> [Instance; 4] {
    let old = || records(KEY, "portcullis:old");
    let new = || records([7; 32], "portcullis:new");
    [
        (old(), None),
        (old(), Some(new())),
        (new(), Some(old())),
        (new(), None),
    ]
    .map(|(current, previous)| Instance::of_keys(url, current, previous, PATIENCE))
}

#[tokio::test]
async fn cluster_key_change_counts_a_proof_once_at_neighbouring_steps() {
    let store = FakeStore::start().await;
    let [old, both, swapped, new] = instances_of_a_key_change(&store.url());
    for (number, (first, second)) in [
        (&old, &both),
        (&both, &old),
        (&old, &swapped),
        (&swapped, &old),
        (&both, &swapped),
        (&swapped, &both),
        (&both, &new),
        (&swapped, &new),
        (&new, &both),
        (&new, &swapped),
    ]
    .into_iter()
    .enumerate()
    {
        let jti = number.to_string();
        assert_eq!(first.use_once(&jti).await, SharedReplay::Fresh, "{number}");
        let again = second.use_once(&jti).await;
        assert_eq!(again, SharedReplay::Replayed, "{number}");
    }
    // Instances with one key each, and not the same, share nothing: no procedure has both at a time.
    assert_eq!(old.use_once("a").await, SharedReplay::Fresh);
    assert_eq!(new.use_once("a").await, SharedReplay::Fresh);
}

#[tokio::test]
async fn cluster_key_change_accepts_one_of_checks_of_a_proof_at_once() {
    let store = FakeStore::start().await;
    let [old, both, swapped, _] = instances_of_a_key_change(&store.url());
    for jti in 0..20_u8 {
        let checks = [&old, &both, &swapped, &both, &swapped, &old];
        let checks = checks.map(|one| tokio::spawn(one.proofs.use_once((&JWK, &[jti]), LIFE)));
        let mut fresh = 0;
        for check in checks {
            fresh += usize::from(check.await.expect("no panic") == SharedReplay::Fresh);
        }
        assert_eq!(fresh, 1);
    }
}

#[tokio::test]
async fn of_checks_of_one_proof_at_once_one_is_fresh() {
    let store = FakeStore::start().await;
    let instances: Vec<Instance> = (0..4).map(|_| Instance::of(&store.url())).collect();
    let checks = (0..40).map(|at| instances[at % 4].proofs.use_once((&JWK, b"a"), LIFE));
    let checks: Vec<_> = checks.map(tokio::spawn).collect();
    let mut fresh = 0;
    for check in checks {
        match check.await.expect("no panic") {
            SharedReplay::Fresh => fresh += 1,
            SharedReplay::Replayed => {}
            SharedReplay::Down => panic!("all wait for the connection"),
        }
    }
    assert_eq!(fresh, 1);
}

#[tokio::test]
async fn a_lost_connection_is_down_once_and_the_next_check_reconnects() {
    let store = FakeStore::start().await;
    let instance = Instance::of(&store.url());
    assert_eq!(instance.use_once("a").await, SharedReplay::Fresh);
    store.turn(Mode::HangsUp);
    assert_eq!(instance.use_once("b").await, SharedReplay::Down);
    assert!(instance.proofs.last_error().is_some());
    store.turn(Mode::Answers);
    assert_eq!(instance.use_once("b").await, SharedReplay::Fresh);
    assert_eq!(instance.use_once("a").await, SharedReplay::Replayed);
    assert!(instance.proofs.last_error().is_none());
}

#[tokio::test]
async fn a_store_that_does_not_reply_is_down_after_the_timeout_and_is_left_alone_for_a_while() {
    let store = FakeStore::start().await;
    let brief = Duration::from_millis(50);
    let instance = Instance::with(&store.url(), KEY, "portcullis", brief);
    instance.proofs.open().await;
    store.turn(Mode::Silent);
    assert_eq!(instance.use_once("a").await, SharedReplay::Down);
    let asked = store.sets().len();
    assert_eq!(
        instance.use_once("a").await,
        SharedReplay::Down,
        "the backoff"
    );
    assert_eq!(store.sets().len(), asked, "no command");
    store.turn(Mode::Answers);
    let fresh = async {
        // A busy machine may need more than the timeout.
        while instance.use_once("b").await == SharedReplay::Down {
            instance.clock.advance(Duration::from_secs(31));
        }
    };
    tokio::time::timeout(PATIENCE, fresh)
        .await
        .expect("it comes back");
    assert!(instance.proofs.last_error().is_none());
}

#[tokio::test]
async fn a_refusal_and_an_unexpected_reply_are_down_until_the_backoff_is_over() {
    for mode in [Mode::Refuses, Mode::Nonsense] {
        let store = FakeStore::start().await;
        let instance = Instance::of(&store.url());
        instance.proofs.open().await;
        store.turn(mode);
        assert_eq!(instance.use_once("a").await, SharedReplay::Down);
        store.turn(Mode::Answers);
        assert_eq!(
            instance.use_once("a").await,
            SharedReplay::Down,
            "the backoff"
        );
        instance.clock.advance(Duration::from_secs(1));
        assert_eq!(instance.use_once("a").await, SharedReplay::Fresh);
    }
}

#[tokio::test]
async fn without_a_store_each_check_is_down_and_the_error_names_host_and_port() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let instance = Instance::of(&format!("redis://:secret@127.0.0.1:{port}"));
    for _ in 0..3 {
        assert_eq!(instance.use_once("a").await, SharedReplay::Down);
    }
    let error = instance.proofs.last_error().expect("an error").to_string();
    assert!(error.contains(&port.to_string()), "{error}");
    assert!(!error.contains("secret"), "{error}");
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn redis_records_a_proof_once_and_forgets_it_by_itself() {
    let redis = Redis::start(&[]);
    let (one, two) = (Instance::of(&redis.url()), Instance::of(&redis.url()));
    assert_eq!(one.use_once("a").await, SharedReplay::Fresh);
    assert_eq!(two.use_once("a").await, SharedReplay::Replayed);
    let keys = say(redis.port, "KEYS *");
    let key = keys
        .lines()
        .find(|line| line.contains(":proof:"))
        .expect("a key");
    let left = say(redis.port, &format!("PTTL {key}"));
    let left = left
        .lines()
        .next()
        .and_then(|line| line.get(1..)?.parse().ok());
    let left: u64 = left.expect("milliseconds");
    assert!((1..=390_000).contains(&left), "{left}");
    let brief = one.proofs.use_once((&JWK, b"b"), Duration::ZERO).await;
    assert_eq!(brief, SharedReplay::Fresh);
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn a_restart_without_persistence_forgets_proofs_and_one_with_it_does_not() {
    let persistent = ["--appendonly", "yes", "--appendfsync", "always"];
    for (settings, after) in [
        (&[][..], SharedReplay::Fresh),
        (&persistent[..], SharedReplay::Replayed),
    ] {
        let mut redis = Redis::start(settings);
        let instance = Instance::of(&redis.url());
        assert_eq!(instance.use_once("a").await, SharedReplay::Fresh);
        redis.kill();
        assert_eq!(instance.use_once("b").await, SharedReplay::Down);
        redis.restart();
        instance.clock.advance(Duration::from_secs(31));
        let fresh = instance.use_once("b").await;
        let error = instance.proofs.last_error();
        assert_eq!(fresh, SharedReplay::Fresh, "{error:?}");
        assert_eq!(instance.use_once("a").await, after);
    }
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn a_replica_is_down_until_it_is_the_primary_and_holds_what_was_replicated() {
    let (primary, replica) = (Redis::start(&[]), Redis::start(&[]));
    say(
        replica.port,
        &format!("REPLICAOF 127.0.0.1 {}", primary.port),
    );
    let (before, after) = (Instance::of(&primary.url()), Instance::of(&replica.url()));
    assert_eq!(before.use_once("a").await, SharedReplay::Fresh);
    let replicated = async {
        while !say(replica.port, "DBSIZE").starts_with(":1") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, replicated)
        .await
        .expect("a replica");
    assert_eq!(
        after.use_once("b").await,
        SharedReplay::Down,
        "it takes no writes"
    );
    drop(primary);
    say(replica.port, "REPLICAOF NO ONE");
    after.clock.advance(Duration::from_secs(1));
    assert_eq!(after.use_once("a").await, SharedReplay::Replayed);
    assert_eq!(after.use_once("b").await, SharedReplay::Fresh);
}
