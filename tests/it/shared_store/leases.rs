//! Streams of one instance that end by what another instance revokes, and leases in an outage of the
//! store.

use std::time::Duration;

use portcullis::ResourceServer;
use portcullis::lease::{Lease, LeaseEnd};
use portcullis::revocation::{Revocation, RevocationKind};

use super::engine::{Engine, PATIENCE, Wire};
use super::processes::Other;
use super::{World, store};
use crate::support::API;
use crate::support::lease::lease_by;

async fn lease(server: &ResourceServer, token: &str) -> Lease {
    lease_by(server, token).await.expect("admitted")
}

async fn end_of(lease: &mut Lease) -> LeaseEnd {
    let ended = tokio::time::timeout(PATIENCE, lease.ended()).await;
    ended.expect("it ends in time")
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn what_one_instance_revokes_ends_the_leases_of_another() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let (here, there) = (
        world.instance(&engine.url()).await,
        world.instance(&engine.url()).await,
    );
    let mut stolen = lease(&there.server, &world.token("stolen")).await;
    let other = lease(&there.server, &world.token("other")).await;
    here.revoke("stolen");
    let expected = LeaseEnd::Revoked(RevocationKind::Token);
    assert_eq!(end_of(&mut stolen).await, expected);
    assert_eq!(other.end(), None);
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn what_another_process_revokes_ends_the_leases_of_this_one() {
    let engine = Engine::start(&[]).await;
    let world = World::on_real_time();
    let here = world.instance(&engine.url()).await;
    let mut other = Other::start(&world, &engine.url());
    let mut stolen = lease(&here.server, &world.token("stolen")).await;
    let spared = lease(&here.server, &world.token("other")).await;
    assert_eq!(other.tell("revoke stolen").await, "Ok(())");
    let expected = LeaseEnd::Revoked(RevocationKind::Token);
    assert_eq!(end_of(&mut stolen).await, expected);
    assert_eq!(spared.end(), None);
}

#[tokio::test]
#[ignore = "needs redis-server or valkey-server"]
async fn in_an_outage_of_the_store_leases_go_on_for_the_tolerance_and_then_end() {
    let engine = Engine::start(&[]).await;
    let world = World::new();
    let wire = Wire::to(&engine).await;
    let tolerance = Duration::from_secs(120);
    let silence = Duration::from_secs(60);
    let server = ResourceServer::builder(API)
        .issuer(world.issuer.trusted())
        .clock(world.clock.clone())
        .shared_store(store(&wire.url()).refuse_after(silence))
        .lease_outage_tolerance(tolerance);
    let server = server
        .build()
        .expect("sound")
        .connect()
        .await
        .expect("a runtime");
    let near = world.instance(&engine.url()).await;
    let mut known = lease(&server, &world.token("known")).await;
    let mut unknown = lease(&server, &world.token("unknown")).await;
    wire.cut();
    assert!(server.synchronize().await.is_err());
    near.revoke("unknown");
    // Refused is what is new; what is open goes on.
    world.clock.advance(silence + Duration::from_secs(2));
    assert!(!server.ready());
    world.clock.advance(Duration::from_secs(30));
    tokio::task::yield_now().await;
    assert_eq!((known.end(), unknown.end()), (None, None));
    // What this instance is told itself counts at once.
    let revocation = Revocation::token(&world.issuer.issuer(), "known");
    server.revocations().revoke(revocation).expect("room");
    let expected = LeaseEnd::Revoked(RevocationKind::Token);
    assert_eq!(end_of(&mut known).await, expected);
    let ends = async {
        while unknown.end().is_none() {
            world.clock.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
    };
    let ended = tokio::time::timeout(PATIENCE, ends).await;
    ended.expect("it ends by itself");
    assert_eq!(end_of(&mut unknown).await, LeaseEnd::Unavailable);
}
