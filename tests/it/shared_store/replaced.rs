//! Issuers that an instance gets while it runs, and what others have revoked of theirs before.

use std::time::Duration;

use portcullis::test_util::MockIssuer;
use portcullis::{Algorithm, ResourceServer};

use super::engine::Engine;
use super::{Instance, REVOKED, UNKNOWN, World, store};
use crate::support::API;

/// What the tests begin with: the issuer of the world has a revoked token, and another instance trusts
/// another issuer alone.
struct Added {
    engine: Engine,
    world: World,
    there: Instance,
    first: MockIssuer,
    here: Instance,
}

impl Added {
    async fn new() -> Self {
        let engine = Engine::start(&[]).await;
        let world = World::new();
        let there = world.instance(&engine.url()).await;
        there.revoke("stolen");
        there.synchronize().await;
        let first = MockIssuer::named("https://first.example").with_algorithms([Algorithm::ES256]);
        let first = first.with_clock(world.clock.clone());
        let server = world.build_with(store(&engine.url()), first.trusted());
        let here = world.around(server.connect().await.expect("a runtime"));
        Self {
            engine,
            world,
            there,
            first,
            here,
        }
    }

    /// Trusts both.
    fn replace(&self) {
        let life = Duration::from_secs(101 * 3600);
        let both = ResourceServer::builder(API)
            .issuer(self.first.trusted())
            .issuer(self.world.issuer.trusted().longest_token_life(life))
            .shared_store(store(&self.engine.url()));
        self.here.server.replace(both).expect("sound");
    }
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn an_issuer_that_is_added_brings_its_revocations_from_the_store() {
    let added = Added::new().await;
    let (world, here, there) = (&added.world, &added.here, &added.there);
    let (stolen, other) = (world.token("stolen"), world.token("other"));
    let firsts = added.first.token().sign();
    assert_eq!(
        here.verdict(&stolen).await,
        "401 invalid_token unknown_issuer"
    );
    assert!(here.server.ready());
    added.replace();
    // The task has not run yet: only this issuer waits for it.
    assert!(!here.server.ready() && !here.server.revocations().is_loaded());
    assert_eq!(here.verdict(&stolen).await, UNKNOWN);
    assert_eq!(here.verdict(&other).await, UNKNOWN);
    assert_eq!(here.verdict(&firsts).await, "200");
    here.comes_to(&stolen, REVOKED).await;
    assert_eq!(here.verdict(&other).await, "200");
    assert_eq!(here.verdict(&firsts).await, "200");
    assert!(here.server.ready() && here.server.revocations().is_loaded());
    // Both tell each other from now on.
    here.revoke("second");
    there.comes_to(&world.token("second"), REVOKED).await;
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn an_issuer_that_is_added_while_the_store_is_down_has_the_revocations_read_before() {
    let mut added = Added::new().await;
    added.engine.kill().await;
    assert!(added.here.server.synchronize().await.is_err());
    added.replace();
    let (stolen, other) = (added.world.token("stolen"), added.world.token("other"));
    let firsts = added.first.token().sign();
    assert_eq!(added.here.verdict(&other).await, UNKNOWN);
    assert_eq!(added.here.verdict(&firsts).await, "200");
    added.here.comes_to(&stolen, REVOKED).await;
    assert_eq!(added.here.verdict(&other).await, "200");
    // Gone and back, in one go: what was revoked meanwhile is not forgotten.
    let one = || ResourceServer::builder(API).issuer(added.first.trusted());
    let url = added.engine.url();
    added
        .here
        .server
        .replace(one().shared_store(store(&url)))
        .expect("sound");
    assert!(added.here.server.ready());
    added.replace();
    assert_eq!(added.here.verdict(&other).await, UNKNOWN);
    added.here.comes_to(&other, "200").await;
    assert_eq!(added.here.verdict(&stolen).await, REVOKED);
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn an_issuer_that_is_added_before_the_store_answered_once_waits_like_the_others() {
    let mut engine = Engine::start(&[]).await;
    engine.kill().await;
    let world = World::new();
    let first = MockIssuer::named("https://first.example").with_algorithms([Algorithm::ES256]);
    let first = first.with_clock(world.clock.clone());
    let server = world.build_with(store(&engine.url()), first.trusted());
    let here = world.around(server.connect().await.expect("a runtime"));
    let added = Added {
        there: world.around(here.server.clone()),
        engine,
        world,
        first,
        here,
    };
    added.replace();
    let (other, firsts) = (added.world.token("other"), added.first.token().sign());
    assert!(added.here.server.synchronize().await.is_err());
    assert_eq!(added.here.verdict(&other).await, UNKNOWN);
    assert_eq!(added.here.verdict(&firsts).await, UNKNOWN);
    let mut added = added;
    added.engine.run().await;
    added.here.synchronize().await;
    assert_eq!(added.here.verdict(&other).await, "200");
    assert_eq!(added.here.verdict(&firsts).await, "200");
    assert!(added.here.server.ready());
}
