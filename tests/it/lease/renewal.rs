//! A lease is extended by another token of the same caller, and by no other.

use std::time::Duration;

use portcullis::RejectionKind;
use portcullis::error::TokenFault;
use portcullis::lease::{LeaseEnd, RenewalError};
use portcullis::revocation::Revocation;
use portcullis::test_util::MockIssuer;

use super::{World, end_of, lease};
use crate::support::API;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_renewed_lease_depends_on_the_new_token_alone() {
    let world = World::new();
    let server = world.server();
    let issuer = world.issuer.issuer();
    let first = world.token("alice").claim("jti", "1").expires_in(MINUTE);
    let mut lease = lease(&server, &first.sign()).await;
    let second = world
        .token("alice")
        .claim("jti", "2")
        .expires_in(10 * MINUTE);
    let renewed = lease.renew(&second.sign()).await.expect("the same caller");
    assert_eq!(renewed.id(), Some("2"));
    server
        .revocations()
        .revoke(Revocation::token(&issuer, "1"))
        .expect("known");
    world.clock.advance(5 * MINUTE);
    tokio::task::yield_now().await;
    assert_eq!(lease.end(), None);
    server
        .revocations()
        .revoke(Revocation::token(&issuer, "2"))
        .expect("known");
    assert!(matches!(end_of(&mut lease).await, LeaseEnd::Revoked(_)));
    let third = world.token("alice").claim("jti", "3").sign();
    let error = lease.renew(&third).await.expect_err("it has ended");
    assert!(matches!(error, RenewalError::Ended(LeaseEnd::Revoked(_))));
    assert_eq!(server.lease_status().open(), 0);
}

#[tokio::test]
async fn a_renewed_lease_expires_with_the_new_token() {
    let world = World::new();
    let server = world.server();
    let first = world.token("alice").expires_in(10 * MINUTE);
    let mut lease = lease(&server, &first.sign()).await;
    // Also where it expires earlier.
    let second = world.token("alice").expires_in(MINUTE);
    let _ = lease.renew(&second.sign()).await.expect("the same caller");
    world.clock.advance(2 * MINUTE);
    assert_eq!(end_of(&mut lease).await, LeaseEnd::Expired);
}

#[tokio::test]
async fn a_lease_is_not_renewed_by_the_token_of_another() {
    let world = World::new();
    let namesake = MockIssuer::named("https://other.example.com").with_clock(world.clock.clone());
    let server = world
        .builder()
        .issuer(namesake.trusted())
        .build()
        .expect("sound");
    let token = world.token("alice").client("app").expires_in(MINUTE);
    let lease = lease(&server, &token.sign()).await;
    let key = portcullis::test_util::DpopKey::generate();
    for other in [
        token.clone().subject("bob"),
        token.clone().client("other"),
        token.clone().without("client_id"),
        namesake
            .token()
            .audience(API)
            .subject("alice")
            .client("app"),
        token.clone().bound_to_key(&key),
    ] {
        let error = lease.renew(&other.sign()).await.expect_err("another");
        assert!(matches!(error, RenewalError::OtherCaller), "{error}");
    }
    for (bad, fault) in [
        (token.clone().expired().sign(), TokenFault::Expired),
        (
            token.clone().audience("https://else.example").sign(),
            TokenFault::Audience,
        ),
        (token.tampered_signature(), TokenFault::Signature),
        ("garbage".to_owned(), TokenFault::Malformed),
    ] {
        let error = lease.renew(&bad).await.expect_err("bad");
        let RenewalError::Refused(rejection) = error else {
            panic!("{error}");
        };
        assert_eq!(rejection.kind(), RejectionKind::InvalidToken(fault));
    }
    assert!(lease.renew("").await.is_err());
    // The twin, and what was there is there still.
    assert_eq!(lease.end(), None);
    let _ = lease.renew(&token.sign()).await.expect("the same caller");
}
