//! Issuers that an instance gets while it runs, and what others have revoked of theirs before.

use std::time::Duration;

use portcullis::test_util::MockIssuer;
use portcullis::{Algorithm, ResourceServer};

use super::engine::Engine;
use super::{REVOKED, World, store};
use crate::support::API;

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn an_issuer_that_is_added_brings_its_revocations_from_the_store() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let there = world.instance(&engine.url()).await;
    there.revoke("stolen");
    there.synchronize().await;
    let first = MockIssuer::named("https://first.example").with_algorithms([Algorithm::ES256]);
    let first = first.with_clock(world.clock.clone());
    let server = world.build_with(store(&engine.url()), first.trusted());
    let here = world.around(server.connect().await.expect("a runtime"));
    let stolen = world.token("stolen");
    assert_eq!(
        here.verdict(&stolen).await,
        "401 invalid_token unknown_issuer"
    );
    let life = Duration::from_secs(101 * 3600);
    let both = ResourceServer::builder(API)
        .issuer(first.trusted())
        .issuer(world.issuer.trusted().longest_token_life(life))
        .shared_store(store(&engine.url()));
    here.server.replace(both).expect("sound");
    here.comes_to(&stolen, REVOKED).await;
    assert_eq!(here.verdict(&world.token("other")).await, "200");
    // Both tell each other from now on.
    here.revoke("second");
    there.comes_to(&world.token("second"), REVOKED).await;
}
