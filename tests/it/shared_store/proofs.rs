//! Used DPoP proofs that instances share: each is good at one instance, and an outage of the store is
//! decided by the setting.

use std::time::Duration;

use axum::Router;
use portcullis::ResourceServer;
use portcullis::binding::{Dpop, ReplayStoreOutage};
use portcullis::config::SharedStore;
use portcullis::test_util::{DpopKey, ManualClock};
use serde_json::json;
use tokio::time::timeout;

use super::engine::{Engine, PATIENCE};
use super::processes::Other;
use super::{Instance, World, store};
use crate::support::endpoint::Endpoint;
use crate::support::introspection::{TOKEN, builder, issuer, with};
use crate::support::{API, Requests as _, TestApp, TestResponse};

const URL: &str = "https://api.example.com/";
pub(super) const REPLAYED: &str = "401 invalid_dpop_proof proof_replayed";
const DOWN: &str = "503 unavailable replay_store_down";

/// A client with a bound token.
pub(super) struct Client {
    key: DpopKey,
    token: String,
}

impl Client {
    pub(super) fn of(world: &World) -> Self {
        let key = DpopKey::generate().with_clock(world.clock.clone());
        let token = world.issuer.token().audience(API).bound_to_key(&key);
        let token = token.expires_in(Duration::from_secs(100 * 3600)).sign();
        Self { key, token }
    }

    pub(super) fn proof(&self) -> String {
        let proof = self.key.proof("GET", URL);
        proof.access_token(&self.token).sign()
    }

    async fn reply(&self, app: &Router, proof: &str) -> TestResponse {
        let authorization = format!("DPoP {}", self.token);
        let fields = [("authorization", &*authorization), ("dpop", proof)];
        app.send("/", &fields).await
    }

    pub(super) async fn verdict(&self, instance: &Instance, proof: &str) -> String {
        self.reply(&instance.app, proof).await.verdict()
    }

    /// Waits until a new proof is recorded after an outage.
    async fn comes_back(&self, world: &World, instance: &Instance) {
        let comes_back = async {
            loop {
                let verdict = self.verdict(instance, &self.proof()).await;
                let status = instance.server.shared_store_status().expect("a store");
                if status.proof_error().is_none() {
                    assert_eq!(verdict, "200");
                    return;
                }
                // The backoff.
                world.clock.advance(Duration::from_secs(31));
            }
        };
        timeout(PATIENCE, comes_back).await.expect("it comes back");
    }
}

/// A store with the time that a busy machine needs.
pub(super) fn patient(url: &str) -> SharedStore {
    store(url).answer_timeout(Duration::from_secs(2))
}

impl World {
    /// An instance that falls back on its own store.
    async fn lenient(&self, store: SharedStore) -> Instance {
        let server = ResourceServer::builder(API)
            .issuer(self.issuer.trusted())
            .clock(self.clock.clone())
            .dpop(Dpop::accepted().when_store_is_down(ReplayStoreOutage::UseLocalStore))
            .shared_store(store);
        let server = server.build().expect("sound settings");
        self.around(server.connect().await.expect("a runtime"))
    }
}

/// How often the store was to record a key.
async fn records(engine: &Engine) -> u64 {
    let statistics = engine.say("INFO commandstats").await.join("\n");
    let calls = statistics.lines().find_map(|line| {
        let (calls, _) = line.strip_prefix("cmdstat_set:calls=")?.split_once(',')?;
        calls.parse().ok()
    });
    calls.unwrap_or_default()
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn a_proof_that_one_instance_accepted_is_a_replay_at_the_others() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let (one, two) = (
        world.instance_of(patient(&engine.url())).await,
        world.instance_of(patient(&engine.url())).await,
    );
    let client = Client::of(&world);
    let (first, second) = (client.proof(), client.proof());
    assert_eq!(client.verdict(&one, &first).await, "200");
    assert_eq!(client.verdict(&two, &first).await, REPLAYED);
    assert_eq!(client.verdict(&one, &first).await, REPLAYED);
    assert_eq!(client.verdict(&two, &second).await, "200");
    assert_eq!(client.verdict(&one, &second).await, REPLAYED);
    // Another cluster shares nothing with these.
    let apart = patient(&engine.url()).namespace("staging");
    let apart = world.instance_of(apart).await;
    assert_eq!(client.verdict(&apart, &first).await, "200");
    let status = one.server.shared_store_status().expect("a store");
    assert_eq!(status.proof_error(), None);
    // The store knows neither the key nor the proof.
    let everything = engine.everything().await;
    let thumbprint = client.key.thumbprint();
    let mut windows = everything.windows(thumbprint.len());
    assert!(!windows.any(|bytes| bytes == thumbprint.as_bytes()));
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn a_store_that_is_down_refuses_bound_tokens_or_leaves_them_to_each_instance() {
    let mut engine = Engine::start(&[]).await;
    let world = World::new();
    let strict = world.instance_of(patient(&engine.url())).await;
    let (one, two) = (
        world.lenient(patient(&engine.url())).await,
        world.lenient(patient(&engine.url())).await,
    );
    let client = Client::of(&world);
    let before = client.proof();
    assert_eq!(client.verdict(&strict, &before).await, "200");
    engine.kill().await;

    let refused = client.reply(&strict.app, &client.proof()).await;
    assert_eq!(refused.verdict(), DOWN);
    assert!(refused.header("retry-after").is_some());
    assert_eq!(refused.header("www-authenticate"), None);
    let status = strict.server.shared_store_status().expect("a store");
    let error = status.proof_error().expect("an error");
    assert!(error.contains(&engine.port.to_string()), "{error}");
    assert_eq!(strict.verdict(&world.token("bearer")).await, "200");
    assert_eq!(client.verdict(&strict, &before).await, REPLAYED);

    let proof = client.proof();
    for instance in [&one, &two] {
        assert_eq!(client.verdict(instance, &proof).await, "200");
        assert_eq!(client.verdict(instance, &proof).await, REPLAYED);
    }

    engine.run().await;
    for instance in [&strict, &one, &two] {
        client.comes_back(&world, instance).await;
    }
    let after = client.proof();
    assert_eq!(client.verdict(&one, &after).await, "200");
    for instance in [&strict, &two] {
        assert_eq!(client.verdict(instance, &after).await, REPLAYED);
    }
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn a_store_that_hangs_is_down_after_the_timeout() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let brief = || store(&engine.url()).answer_timeout(Duration::from_millis(5));
    let strict = world.instance_of(brief()).await;
    let lenient = world.lenient(brief()).await;
    let client = Client::of(&world);
    // It answers no command for as long as this test can last.
    engine.say("CLIENT PAUSE 600000 ALL").await;
    for _ in 0..3 {
        let refused = client.reply(&strict.app, &client.proof()).await;
        assert_eq!(refused.verdict(), DOWN);
        assert!(refused.header("retry-after").is_some());
        assert_eq!(client.verdict(&lenient, &client.proof()).await, "200");
    }
    assert_eq!(strict.verdict(&world.token("bearer")).await, "200");
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn of_two_processes_that_get_one_proof_at_once_one_accepts_it() {
    let engine = Engine::start(&[]).await;
    let world = World::on_real_time();
    let client = Client::of(&world);
    let mut one = Other::start(&world, &engine.url());
    let mut two = Other::start(&world, &engine.url());
    for _ in 0..50 {
        let line = format!("prove {} {}", client.token, client.proof());
        let (first, second) = tokio::join!(one.tell(&line), two.tell(&line));
        let mut verdicts = [first, second];
        verdicts.sort();
        assert_eq!(verdicts, ["200", REPLAYED]);
        assert_eq!(one.tell(&line).await, REPLAYED, "afterwards");
    }
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn a_replica_is_down_until_it_is_promoted_and_knows_the_replicated_proofs() {
    let (mut primary, replica) = (Engine::start(&[]).await, Engine::start(&[]).await);
    let world = World::new();
    let client = Client::of(&world);
    let before = world.instance_of(patient(&primary.url())).await;
    let after = world.instance_of(patient(&replica.url())).await;
    let follow = format!("REPLICAOF 127.0.0.1 {}", primary.port);
    replica.say(&follow).await;
    let used = client.proof();
    assert_eq!(client.verdict(&before, &used).await, "200");
    let replicated = async {
        while replica.say("KEYS *:proof:*").await.len() != 1 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, replicated).await.expect("a replica");
    assert_eq!(client.verdict(&after, &client.proof()).await, DOWN);
    primary.kill().await;
    replica.say("REPLICAOF NO ONE").await;
    client.comes_back(&world, &after).await;
    assert_eq!(replica.say("KEYS *:proof:*").await.len(), 2);
    // Made anew with the same id, since time has passed.
    let id = |at: &str| {
        client
            .key
            .proof("GET", URL)
            .id(at)
            .access_token(&client.token)
            .sign()
    };
    assert_eq!(client.verdict(&after, &id("a")).await, "200");
    assert_eq!(client.verdict(&after, &id("a")).await, REPLAYED);
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn an_opaque_token_waits_for_introspection_and_then_for_the_store() {
    let engine = Engine::start(&[]).await;
    let clock = ManualClock::new();
    let key = DpopKey::generate().with_clock(clock.clone());
    let mut response = with("cnf", json!({"jkt": key.thumbprint()}));
    response["token_type"] = "DPoP".into();
    let endpoint = Endpoint::saying(response).await;
    let mut apps = Vec::new();
    for _ in 0..2 {
        let server = builder(issuer(&endpoint), &clock).shared_store(patient(&engine.url()));
        let server = server.build().expect("sound settings");
        let server = server.connect().await.expect("a runtime");
        apps.push(TestApp::new(&server));
    }
    let client = Client {
        key,
        token: TOKEN.to_owned(),
    };
    let proof = client.proof();
    assert_eq!(client.reply(&apps[0], &proof).await.verdict(), "200");
    assert_eq!(client.reply(&apps[1], &proof).await.verdict(), REPLAYED);
    assert_eq!(
        client.reply(&apps[1], &client.proof()).await.verdict(),
        "200"
    );
    let bearer = apps[1].verdict(TOKEN).await;
    assert_eq!(bearer, "401 invalid_token binding");
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn only_a_good_and_fresh_proof_costs_a_round_trip() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let one = world.instance_of(patient(&engine.url())).await;
    let client = Client::of(&world);
    let bearer = world.token("bearer");
    let before = records(&engine).await;
    for _ in 0..20 {
        assert_eq!(one.verdict(&bearer).await, "200");
    }
    let forged = client.key.proof("GET", URL).access_token(&client.token);
    let verdict = client.verdict(&one, &forged.sign_with_wrong_key()).await;
    assert_eq!(verdict, "401 invalid_dpop_proof proof_signature");
    assert_eq!(
        one.verdict(&client.token).await,
        "401 invalid_token binding"
    );
    assert_eq!(records(&engine).await, before);
    let proof = client.proof();
    assert_eq!(client.verdict(&one, &proof).await, "200");
    assert_eq!(records(&engine).await, before + 1);
    // A replay at the same instance is known there.
    assert_eq!(client.verdict(&one, &proof).await, REPLAYED);
    assert_eq!(records(&engine).await, before + 1);
    // Two layers of one server use one proof once.
    let twice = inside(&one.app, &one);
    let proof = client.proof();
    assert_eq!(client.reply(&twice, &proof).await.verdict(), "200");
    assert_eq!(client.reply(&twice, &proof).await.verdict(), REPLAYED);
    assert_eq!(records(&engine).await, before + 2);
}

/// The application behind another layer, of this instance.
fn inside(app: &Router, instance: &Instance) -> Router {
    app.clone().layer(instance.server.authenticate())
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn two_servers_that_share_a_store_use_a_proof_twice_on_one_request() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let outer = world.instance_of(patient(&engine.url())).await;
    let inner = world.instance_of(patient(&engine.url())).await;
    let client = Client::of(&world);
    let nested = inside(&inner.app, &outer);
    let reply = client.reply(&nested, &client.proof()).await;
    assert_eq!(reply.verdict(), REPLAYED);
    // Servers that do not share one record a proof each.
    let apart = patient(&engine.url()).namespace("apart");
    let apart = world.instance_of(apart).await;
    let nested = inside(&apart.app, &outer);
    let reply = client.reply(&nested, &client.proof()).await;
    assert_eq!(reply.verdict(), "200");
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn the_proof_of_a_request_that_is_dropped_while_the_store_is_asked_is_used_up() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let one = world.instance_of(patient(&engine.url())).await;
    let client = Client::of(&world);
    engine.say("CLIENT PAUSE 600000 WRITE").await;
    let proof = client.proof();
    // The first poll sends the command, and then the client is gone.
    let dropped = timeout(Duration::ZERO, client.verdict(&one, &proof)).await;
    assert!(dropped.is_err(), "the store does not answer");
    engine.say("CLIENT UNPAUSE").await;
    assert_eq!(client.verdict(&one, &proof).await, REPLAYED);
    assert_eq!(client.verdict(&one, &client.proof()).await, "200");
}
