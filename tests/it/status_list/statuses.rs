//! What the status of a token does to its requests.

use http::Request;
use portcullis::config::StatusListCheck;
use portcullis::test_util::{DpopKey, Endpoint, Fault};

use super::{BAD_STATUS, Fixture, NO_LIST, REFRESH, SECOND, eventually};
use crate::support::{API, Requests as _};

#[tokio::test]
async fn status_is_read_on_every_request_of_seen_and_unseen_tokens() {
    let test = Fixture::new(StatusListCheck::new()).await;
    let (seen, other) = (test.token(5), test.token(6));
    assert_eq!(test.verdict(&seen).await, "200");
    assert_eq!(test.verdict(&other).await, "200");
    test.list.set(5, 1);
    // The list that is held is fresh.
    assert_eq!(test.verdict(&seen).await, "200");
    assert_eq!(test.fetches(), 1);
    test.refresh().await;
    let unseen = test.token(5);
    for bad in [&seen, &seen, &unseen, &unseen] {
        assert_eq!(test.verdict(bad).await, BAD_STATUS);
    }
    assert_eq!(test.verdict(&other).await, "200");
    // A suspension that ends.
    test.list.set(5, 0);
    test.refresh().await;
    assert_eq!(test.verdict(&seen).await, "200");
    assert_eq!(test.fetches(), 3);
    let status = test.server.token_cache_status().expect("a cache");
    assert!(status.hits() >= 4, "{status:?}");
}

#[tokio::test]
async fn list_is_refreshed_before_it_ends_and_no_request_waits() {
    let test = Fixture::new(StatusListCheck::new()).await;
    let token = test.token(5);
    assert_eq!(test.verdict(&token).await, "200");
    test.list.set(5, 2);
    test.refresh().await;
    let status = &test.server.status_list_status()[0];
    assert!(status.is_usable() && status.is_fresh());
    assert_eq!((status.bits(), status.bytes()), (Some(2), 256));
    assert_eq!(status.uri(), test.issuer.status_list_url("1"));
    assert_eq!(status.issuer(), test.issuer.url());
    assert_eq!((status.failures(), status.last_error()), (0, None));
    let next = status.next_attempt().expect("a schedule");
    assert!((SECOND * 225..=REFRESH).contains(&next), "{next:?}");
    // The address of the list is down: the list that is held is read all the same.
    test.issuer
        .break_endpoint_with(Endpoint::StatusList, Fault::Refuse);
    assert_eq!(test.verdict(&token).await, BAD_STATUS);
}

#[tokio::test]
async fn statuses_that_the_settings_name_are_accepted() {
    let test = Fixture::new(StatusListCheck::new().accept_status(2).accept_status(255)).await;
    for (index, status) in [(1, 1), (2, 2), (3, 3), (4, 255), (5, 254), (6, 0)] {
        test.list.set(index, status);
    }
    for (index, expected) in [
        (1, BAD_STATUS),
        (2, "200"),
        (3, BAD_STATUS),
        (4, "200"),
        (5, BAD_STATUS),
        (6, "200"),
    ] {
        assert_eq!(test.verdict(&test.token(index)).await, expected, "{index}");
    }
    assert_eq!(test.fetches(), 1);
}

#[tokio::test]
async fn token_that_is_bad_otherwise_causes_no_fetch() {
    let test = Fixture::new(StatusListCheck::new()).await;
    let url = test.issuer.status_list_url("1");
    let token = || test.issuer.token().status(&url, 5);
    for bad in [
        token().sign_with_wrong_key(),
        token().expired().sign(),
        token().not_before_in(SECOND * 600).sign(),
        token().audience("https://other.example").sign(),
    ] {
        assert!(test.verdict(&bad).await.starts_with("401"));
    }
    assert_eq!(test.fetches(), 0);
    assert_eq!(test.verdict(&token().sign()).await, "200");
    assert_eq!(test.fetches(), 1);
}

#[tokio::test]
async fn proof_is_not_used_up_by_a_token_of_a_bad_status() {
    let test = Fixture::new(StatusListCheck::new()).await;
    test.list.set_ttl(Some(SECOND * 10));
    test.list.set(5, 2);
    let key = DpopKey::generate().with_clock(test.clock.clone());
    let url = test.issuer.status_list_url("1");
    let token = test.issuer.token().status(url, 5).bound_to_key(&key).sign();
    let target = format!("{API}/");
    let proof = key.proof("GET", &target).access_token(&token).sign();
    let request = || {
        Request::get("/")
            .header("authorization", format!("DPoP {token}"))
            .header("dpop", &proof)
            .body(axum::body::Body::empty())
            .expect("a request")
    };
    assert_eq!(test.app.exchange(request()).await.verdict(), BAD_STATUS);
    test.list.set(5, 0);
    test.clock.advance(SECOND * 10);
    assert_eq!(test.app.exchange(request()).await.verdict(), "200");
    assert_eq!(
        test.app.exchange(request()).await.verdict(),
        "401 invalid_dpop_proof proof_replayed"
    );
}

#[tokio::test]
async fn index_beyond_the_list_is_refused() {
    let test = Fixture::new(StatusListCheck::new()).await;
    test.list.set_length(10);
    // Two bits each: the third byte has room for two more.
    assert_eq!(test.verdict(&test.token(11)).await, "200");
    for index in [12, 1 << 20, u64::MAX] {
        assert_eq!(test.verdict(&test.token(index)).await, BAD_STATUS);
    }
    // The list was issued after those tokens, so a newer list would say the same.
    assert_eq!(test.fetches(), 1);
}

#[tokio::test]
async fn newer_token_beyond_the_list_causes_one_fetch_in_the_cooldown() {
    let test = Fixture::new(StatusListCheck::new()).await;
    test.list.set_length(12);
    assert_eq!(test.verdict(&test.token(5)).await, "200");
    test.clock.advance(SECOND * 40);
    test.list.set_length(24);
    let grown = test.token(20);
    assert_eq!(test.verdict(&grown).await, "200");
    assert_eq!(test.fetches(), 2);
    test.clock.advance(SECOND * 10);
    let beyond = test.token(30);
    let response = test.app.get("/", &beyond).await;
    assert_eq!(response.verdict(), NO_LIST);
    assert_eq!(response.header("retry-after"), Some("20"));
    assert_eq!(test.fetches(), 2);
    test.clock.advance(SECOND * 20);
    assert_eq!(test.verdict(&beyond).await, BAD_STATUS);
    assert_eq!(test.fetches(), 3);
}

#[tokio::test]
async fn list_ends_with_the_key_that_verified_it() {
    use portcullis::test_util::{ManualClock, MockIssuer};
    use portcullis::{Algorithm, ResourceServer};

    let clock = ManualClock::new();
    let issuer = MockIssuer::new()
        .with_algorithms([Algorithm::ES256])
        .with_clock(clock.clone());
    let issuer = issuer.serve().await;
    let server = ResourceServer::builder(API)
        .issuer(issuer.trusted().status_list(StatusListCheck::new()))
        .clock(clock.clone())
        .build()
        .expect("sound settings");
    let server = server.connect().await.expect("up");
    let app = crate::support::TestApp::new(&server);
    let token = issuer.token().status(issuer.status_list_url("1"), 5).sign();
    assert_eq!(app.verdict(&token).await, "200");
    assert_eq!(issuer.requests(Endpoint::StatusList), 1);
    let keys = server.issuer_keys(issuer.url()).expect("an issuer");
    keys.drop_keys();
    assert!(!server.status_list_status()[0].is_usable());
    eventually(|| server.ready()).await;
    assert_eq!(app.verdict(&token).await, "200");
    assert_eq!(issuer.requests(Endpoint::StatusList), 2);
}
