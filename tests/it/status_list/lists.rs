//! How many lists are fetched and held.

use portcullis::config::StatusListCheck;
use portcullis::test_util::{Endpoint, Fault, MockIssuer};
use portcullis::time::Clock as _;
use portcullis::{Issuer, ResourceServer};

use super::{BAD_STATUS, Fixture, REFRESH, SECOND, eventually, within_time};
use crate::support::{API, Requests as _, TestApp};

#[tokio::test]
async fn requests_share_one_fetch_and_their_number_is_bounded() {
    let test = Fixture::new(StatusListCheck::new()).await;
    test.issuer
        .break_endpoint_with(Endpoint::StatusList, Fault::Hang);
    let mut waiting = Vec::new();
    for index in 0..256 {
        let (app, token) = (test.app.clone(), test.token(index));
        waiting.push(tokio::spawn(async move { app.verdict(&token).await }));
    }
    test.issuer.await_requests(Endpoint::StatusList, 1).await;
    let mut later = test.verdict(&test.token(300)).await;
    // Not all of them may have begun.
    while later != "503 unavailable too_many_waiting" {
        tokio::task::yield_now().await;
        later = test.verdict(&test.token(300)).await;
    }
    test.issuer.recover();
    for one in waiting {
        let verdict = within_time(one).await.expect("no panic");
        assert_eq!(verdict, "200");
    }
    assert_eq!(test.fetches(), 1);
}

#[tokio::test]
async fn list_that_was_read_longest_ago_is_evicted() {
    let test = Fixture::new(StatusListCheck::new().max_lists(2)).await;
    let token = |list: &str| test.token_of(list, 1);
    let tokens = [token("a"), token("b"), token("c")];
    for token in &tokens[..2] {
        assert_eq!(test.verdict(token).await, "200");
        test.clock.advance(SECOND * 10);
    }
    assert_eq!(test.verdict(&tokens[0]).await, "200");
    assert_eq!(test.fetches(), 2);
    test.clock.advance(SECOND * 10);
    assert_eq!(test.verdict(&tokens[2]).await, "200");
    let held = || -> Vec<String> {
        let lists = test.server.status_list_status().into_iter();
        lists
            .map(|list| list.uri().rsplit('/').next().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(held(), ["a", "c"]);
    // Tokens of the list that was evicted are checked all the same, cached ones too.
    test.issuer.status_list("b").set(1, 1);
    assert_eq!(test.verdict(&tokens[1]).await, BAD_STATUS);
    assert_eq!(test.fetches(), 4);
    assert_eq!(held().len(), 2);
}

#[tokio::test]
async fn list_that_nothing_reads_is_dropped() {
    let test = Fixture::new(StatusListCheck::new()).await;
    let token = test.token(1);
    assert_eq!(test.verdict(&token).await, "200");
    test.refresh().await;
    test.refresh().await;
    assert_eq!(test.fetches(), 3);
    test.clock.advance(REFRESH);
    eventually(|| test.server.status_list_status().is_empty()).await;
    test.clock.advance(REFRESH);
    tokio::task::yield_now().await;
    assert_eq!(test.fetches(), 3);
    assert_eq!(test.verdict(&token).await, "200");
    assert_eq!(test.fetches(), 4);
}

#[tokio::test]
async fn ttl_counts_within_its_bounds() {
    let hour = SECOND * 3600;
    for (ttl, max_ttl, expected) in [
        (Some(SECOND), hour, SECOND * 10),
        (Some(SECOND * 100), hour, SECOND * 100),
        (Some(hour * 100), hour / 2, hour / 2),
        (None, hour, SECOND * 600),
        (None, SECOND * 10, SECOND * 10),
    ] {
        let test = Fixture::new(StatusListCheck::new().max_ttl(max_ttl)).await;
        test.list.set_ttl(ttl);
        let token = test.token(1);
        assert_eq!(test.verdict(&token).await, "200");
        test.issuer
            .break_endpoint_with(Endpoint::StatusList, Fault::Refuse);
        test.clock.advance(expected.saturating_sub(SECOND));
        assert_eq!(test.verdict(&token).await, "200", "{ttl:?}");
        test.clock.advance(SECOND);
        assert_eq!(test.verdict(&token).await, super::NO_LIST, "{ttl:?}");
    }
}

#[tokio::test]
async fn list_ends_by_the_wall_clock_of_a_machine_that_was_suspended() {
    let test = Fixture::new(StatusListCheck::new()).await;
    let token = test.token(5);
    assert_eq!(test.verdict(&token).await, "200");
    test.list.set(5, 1);
    let later = test.clock.now().saturating_add(SECOND * 300);
    test.clock.set_wall(later);
    assert_eq!(test.verdict(&token).await, BAD_STATUS);
    assert_eq!(test.fetches(), 2);
}

#[tokio::test]
async fn fetches_end_with_the_server() {
    let test = Fixture::new(StatusListCheck::new()).await;
    assert_eq!(test.verdict(&test.token(5)).await, "200");
    let (clock, issuer) = (test.clock.clone(), test.issuer);
    drop((test.server, test.app));
    for _ in 0..10 {
        clock.advance(REFRESH);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(issuer.requests(Endpoint::StatusList), 1);
}

#[tokio::test]
async fn list_of_an_issuer_that_is_removed_is_not_fetched_any_more() {
    let kept = Fixture::new(StatusListCheck::new()).await;
    let (token, other) = (kept.token(0), MockIssuer::named("https://other.example"));
    let again = |issuer: Issuer| ResourceServer::builder(API).issuer(issuer);
    let trusted = MockIssuer::trusted(&kept.issuer).status_list(StatusListCheck::new());
    let removed = again(trusted).clock(kept.clock.clone());
    let removed = removed.build().expect("sound");
    let app = TestApp::new(&removed);
    assert_eq!(kept.verdict(&token).await, "200");
    assert_eq!(app.verdict(&token).await, "200");
    kept.refresh().await;
    eventually(|| kept.fetches() == 4).await;
    assert_eq!(app.verdict(&token).await, "200");
    // Its tokens are remembered, and their lists with them.
    removed.replace(again(other.trusted())).expect("sound");
    let verdict = app.verdict(&token).await;
    assert_eq!(verdict, "401 invalid_token unknown_issuer");
    for fetches in 5..7 {
        assert_eq!(kept.verdict(&token).await, "200");
        kept.refresh().await;
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(kept.fetches(), fetches, "the other server's alone");
    }
}
