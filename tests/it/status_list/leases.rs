//! Leases on tokens whose status changes, or can no longer be known.

use std::time::Duration;

use portcullis::config::StatusListCheck;
use portcullis::error::TokenFault;
use portcullis::lease::{Lease, LeaseEnd, RenewalError};
use portcullis::test_util::{Endpoint, Fault};
use portcullis::{RejectionKind, ResourceServer};

use super::{Fixture, SECOND, within_time};
use crate::support::lease::lease_by;

async fn lease(server: &ResourceServer, token: &str) -> Lease {
    lease_by(server, token).await.expect("admitted")
}

#[tokio::test]
async fn a_lease_ends_when_a_new_list_has_another_status_and_keeps_its_list_fresh() {
    let test = Fixture::new(StatusListCheck::new()).await;
    let mut suspended = lease(&test.server, &test.token(1)).await;
    let good = lease(&test.server, &test.token(2)).await;
    // No request comes, and the list is fetched again all the same.
    for _ in 0..3 {
        test.refresh().await;
    }
    assert_eq!((suspended.end(), good.end()), (None, None));
    test.list.set(1, 2);
    test.refresh().await;
    assert_eq!(within_time(suspended.ended()).await, LeaseEnd::Status);
    assert_eq!(good.end(), None);
    let ended = test.server.lease_status().ended();
    let by_status: u64 = ended
        .filter_map(|(name, count)| (name == "status").then_some(count))
        .sum();
    assert_eq!(by_status, 1);
}

#[tokio::test]
async fn a_lease_is_not_renewed_by_a_token_of_a_bad_status() {
    let test = Fixture::new(StatusListCheck::new()).await;
    test.list.set(1, 1);
    let lease = lease(&test.server, &test.token(2)).await;
    let error = lease.renew(&test.token(1)).await.expect_err("revoked");
    let RenewalError::Refused(rejection) = error else {
        panic!("{error}");
    };
    let expected = RejectionKind::InvalidToken(TokenFault::Status);
    assert_eq!(rejection.kind(), expected);
    let _ = lease.renew(&test.token(3)).await.expect("the twin");
}

#[tokio::test]
async fn without_a_list_a_lease_goes_on_for_the_tolerance_and_then_ends() {
    let test = Fixture::new(StatusListCheck::new()).await;
    let token = test.issuer.token().expires_in(SECOND * 24 * 3600);
    let token = token.status(test.issuer.status_list_url("1"), 1).sign();
    let mut lease = lease(&test.server, &token).await;
    test.issuer
        .break_endpoint_with(Endpoint::StatusList, Fault::Status(500));
    // Until no request with the token is admitted any more.
    while test.verdict(&token).await == "200" {
        test.clock.advance(SECOND * 10);
        tokio::task::yield_now().await;
    }
    assert_eq!(test.verdict(&token).await, super::NO_LIST);
    assert_eq!(lease.end(), None);
    let mut waited = Duration::ZERO;
    let ends = async {
        while lease.end().is_none() {
            test.clock.advance(SECOND);
            waited += SECOND;
            tokio::task::yield_now().await;
        }
    };
    within_time(ends).await;
    assert_eq!(within_time(lease.ended()).await, LeaseEnd::Unavailable);
    assert!(waited >= SECOND * 20, "{waited:?}");
}

/// The list of the token that opened the lease does not matter any longer.
#[tokio::test]
async fn without_the_list_of_the_new_token_a_renewed_lease_ends_too() {
    let test = Fixture::new(StatusListCheck::new()).await;
    let day = SECOND * 24 * 3600;
    let plain = test.issuer.token().expires_in(day);
    let mut renewed = lease(&test.server, &plain.sign()).await;
    let other = lease(&test.server, &plain.sign()).await;
    let listed = plain.status(test.issuer.status_list_url("1"), 1);
    let _ = renewed.renew(&listed.sign()).await.expect("the same");
    test.issuer
        .break_endpoint_with(Endpoint::StatusList, Fault::Status(500));
    let ends = async {
        while renewed.end().is_none() {
            test.clock.advance(SECOND);
            tokio::task::yield_now().await;
        }
    };
    within_time(ends).await;
    assert_eq!(within_time(renewed.ended()).await, LeaseEnd::Unavailable);
    assert_eq!(other.end(), None);
}

#[tokio::test]
async fn a_lease_whose_list_was_evicted_has_it_fetched_again() {
    let test = Fixture::new(StatusListCheck::new().max_lists(1)).await;
    let token = |list: &str| test.token_of(list, 1);
    let mut lease = lease(&test.server, &token("1")).await;
    test.clock.advance(SECOND * 5);
    assert_eq!(test.verdict(&token("2")).await, "200");
    assert_eq!(test.fetches(), 2);
    let fetched = async {
        while test.fetches() < 3 && lease.end().is_none() {
            test.clock.advance(SECOND);
            tokio::task::yield_now().await;
        }
    };
    within_time(fetched).await;
    assert_eq!(lease.end(), None);
    let is_held = || {
        let lists = test.server.status_list_status();
        lists
            .iter()
            .any(|list| list.is_usable() && list.uri().ends_with('1'))
    };
    super::eventually(is_held).await;
    test.list.set(1, 1);
    test.refresh().await;
    assert_eq!(within_time(lease.ended()).await, LeaseEnd::Status);
}
