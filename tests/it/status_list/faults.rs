//! Lists that are not what they must be, and servers that do not answer.

use std::time::Duration;

use portcullis::config::StatusListCheck;
use portcullis::test_util::{Endpoint, Fault, StatusListFault};

use super::{BAD_STATUS, Fixture, NO_LIST, SECOND, eventually, within_time};
use crate::support::Requests as _;

/// The verdict is an outage with this reason, and ends with the fault.
async fn is_outage(test: &Fixture, token: &str, reason: &str) {
    let response = test.app.get("/", token).await;
    assert_eq!(response.verdict(), NO_LIST, "{reason}");
    let retry_after = response.header("retry-after").expect("a time");
    assert!(["1", "2"].contains(&retry_after), "{retry_after}");
    let status = &test.server.status_list_status()[0];
    let error = status.last_error().expect("an error");
    assert!(error.contains(reason), "{error}");
    assert!(!status.is_usable());
    assert_eq!(status.failures(), 1);
    // During the backoff nothing is fetched.
    let fetches = test.fetches();
    assert_eq!(test.verdict(token).await, NO_LIST);
    assert_eq!(test.fetches(), fetches);
}

#[tokio::test]
async fn list_that_is_not_what_it_must_be_is_an_outage() {
    for (fault, reason) in [
        (StatusListFault::Bomb, "more than 2097152 bytes"),
        (StatusListFault::WrongIssuer, "`iss` is another issuer"),
        (StatusListFault::WrongSubject, "`sub` is not the address"),
        (StatusListFault::WrongType, "`typ` is not `statuslist+jwt`"),
        (StatusListFault::Expired, "expired"),
        (StatusListFault::NoIssueTime, "no `iat`"),
        (StatusListFault::WrongBits, "not 1, 2, 4 or 8"),
        (StatusListFault::Truncated, "cut off"),
        (StatusListFault::WrongKey, "signature"),
        (
            StatusListFault::AccessToken,
            "`typ` is not `statuslist+jwt`",
        ),
    ] {
        let test = Fixture::new(StatusListCheck::new()).await;
        test.list.fail_with(fault);
        let token = test.token(5);
        is_outage(&test, &token, reason).await;
        test.list.recover();
        test.clock.advance(SECOND * 2);
        assert_eq!(test.verdict(&token).await, "200", "{fault:?}");
    }
}

#[tokio::test]
async fn list_without_statuses_has_no_index() {
    let test = Fixture::new(StatusListCheck::new()).await;
    test.list.fail_with(StatusListFault::Short);
    assert_eq!(test.verdict(&test.token(0)).await, BAD_STATUS);
    test.list.recover();
    test.clock.advance(SECOND * 300);
    assert_eq!(test.verdict(&test.token(0)).await, "200");
}

#[tokio::test]
async fn claims_of_a_list_are_checked_one_by_one() {
    let test = Fixture::new(StatusListCheck::new()).await;
    let url = test.issuer.status_list_url("1");
    let list = || test.list.token(&url);
    for (list, reason) in [
        (list().claim("ttl", 0), "`ttl` is no positive number"),
        (list().claim("ttl", -5), "`ttl` is no positive number"),
        (list().claim("ttl", "300"), "`ttl` is no positive number"),
        (list().claim("exp", "never"), "claim"),
        (list().claim("iat", "now"), "claim"),
        (list().claim("iat", 1_u64 << 40), "not valid yet"),
        (list().claim("nbf", 1_u64 << 40), "not valid yet"),
        (list().without("sub"), "claim"),
        (list().claim("iss", 7), "claim"),
        (list().without("status_list"), "no `status_list` object"),
        (
            list().claim("status_list", "eNo"),
            "no `status_list` object",
        ),
        (list().without_header("typ"), "`typ`"),
        (list().header("typ", "at+jwt"), "`typ`"),
        (list().header("typ", "secevent+jwt"), "`typ`"),
        (list().header("typ", "logout+jwt"), "`typ`"),
    ] {
        let body = list.sign().into_bytes();
        let served = Fault::BodyOfType("application/statuslist+jwt".into(), body);
        test.issuer
            .break_endpoint_with(Endpoint::StatusList, served);
        let token = test.token(5);
        assert_eq!(test.verdict(&token).await, NO_LIST, "{reason}");
        let status = &test.server.status_list_status()[0];
        let error = status.last_error().expect("an error").to_owned();
        assert!(error.contains(reason), "{error} has no {reason}");
        test.clock.advance(SECOND * 70);
    }
    test.issuer.recover();
    assert_eq!(test.verdict(&test.token(5)).await, "200");
}

#[tokio::test]
async fn claims_that_a_list_may_leave_out() {
    for change in ["iss", "ttl", "exp", "typ"] {
        let test = Fixture::new(StatusListCheck::new()).await;
        let list = test.list.token(test.issuer.status_list_url("1"));
        let list = match change {
            "typ" => list.header("typ", "application/StatusList+JWT"),
            "ttl" => list.claim("ttl", 10.5),
            claim => list.without(claim),
        };
        let served = Fault::BodyOfType("text/plain".into(), list.sign().into_bytes());
        test.issuer
            .break_endpoint_with(Endpoint::StatusList, served);
        assert_eq!(test.verdict(&test.token(5)).await, "200", "{change}");
    }
}

#[tokio::test]
async fn server_of_lists_that_fails_is_an_outage() {
    let elsewhere = Fixture::new(StatusListCheck::new()).await;
    let target = elsewhere.issuer.status_list_url("1");
    let media_type = || "application/statuslist+jwt".to_owned();
    for (fault, reason) in [
        (Fault::Refuse, "broke off"),
        (Fault::Status(500), "answered 500"),
        (Fault::Status(404), "answered 404"),
        (Fault::Redirect(target), "redirects are not followed"),
        (Fault::CutBody, "broke off"),
        (
            Fault::BodyOfType(media_type(), b"no.jwt.".to_vec()),
            "the list at",
        ),
        (Fault::BodyOfType(media_type(), Vec::new()), "the list at"),
        (Fault::Body(vec![b'a'; 5 << 20]), "more than 4259840 bytes"),
    ] {
        let test = Fixture::new(StatusListCheck::new()).await;
        let token = test.token(5);
        test.issuer.break_endpoint_with(Endpoint::StatusList, fault);
        is_outage(&test, &token, reason).await;
        test.issuer.recover();
        test.clock.advance(SECOND * 2);
        assert_eq!(test.verdict(&token).await, "200", "{reason}");
    }
    assert_eq!(elsewhere.fetches(), 0);
}

#[tokio::test]
async fn server_of_lists_that_demands_a_pause_gets_one() {
    let test = Fixture::new(StatusListCheck::new()).await;
    let fault = Fault::TooManyRequests(SECOND * 30);
    test.issuer.break_endpoint_with(Endpoint::StatusList, fault);
    let token = test.token(5);
    let response = test.app.get("/", &token).await;
    assert_eq!(response.verdict(), NO_LIST);
    assert_eq!(response.header("retry-after"), Some("30"));
    test.issuer.recover();
    test.clock.advance(SECOND * 29);
    assert_eq!(test.verdict(&token).await, NO_LIST);
    assert_eq!(test.fetches(), 1);
    test.clock.advance(SECOND);
    assert_eq!(test.verdict(&token).await, "200");
}

#[tokio::test]
async fn last_known_list_is_used_for_the_time_of_the_setting_alone() {
    for (last_known, within, beyond) in [(0, 299, 1), (600, 899, 1)] {
        let check = StatusListCheck::new().last_known_for(Duration::from_secs(last_known));
        let test = Fixture::new(check).await;
        test.list.set(6, 1);
        let (good, bad) = (test.token(5), test.token(6));
        assert_eq!(test.verdict(&good).await, "200");
        test.issuer
            .break_endpoint_with(Endpoint::StatusList, Fault::Refuse);
        test.clock.advance(SECOND * within);
        // Both clocks count: the wall clock has whole seconds.
        assert_eq!(test.verdict(&good).await, "200", "{last_known}");
        assert_eq!(test.verdict(&bad).await, BAD_STATUS);
        let status = &test.server.status_list_status()[0];
        assert!(status.is_usable());
        assert_eq!(status.is_fresh(), last_known == 0);
        test.clock.advance(SECOND * beyond);
        assert_eq!(test.verdict(&good).await, NO_LIST);
        assert_eq!(test.verdict(&bad).await, NO_LIST);
        test.issuer.recover();
        test.clock.advance(SECOND * 70);
        assert_eq!(test.verdict(&good).await, "200");
    }
}

#[tokio::test]
async fn last_known_list_is_not_used_after_its_expiry() {
    let check = StatusListCheck::new().last_known_for(SECOND * 3600);
    let test = Fixture::new(check).await;
    test.list.set_life(Some(SECOND * 400));
    let token = test.token(5);
    assert_eq!(test.verdict(&token).await, "200");
    test.issuer
        .break_endpoint_with(Endpoint::StatusList, Fault::Refuse);
    // The leeway of the issuer's clock is 30 s.
    test.clock.advance(SECOND * 429);
    assert_eq!(test.verdict(&token).await, "200");
    test.clock.advance(SECOND);
    assert_eq!(test.verdict(&token).await, NO_LIST);
}

#[tokio::test]
async fn list_that_was_issued_earlier_does_not_replace_the_one_that_is_held() {
    let test = Fixture::new(StatusListCheck::new()).await;
    let url = test.issuer.status_list_url("1");
    let old = test.list.token(&url).sign().into_bytes();
    test.clock.advance(SECOND * 100);
    test.list.set(5, 1);
    let token = test.token(5);
    assert_eq!(test.verdict(&token).await, BAD_STATUS);
    let replay = Fault::BodyOfType("application/statuslist+jwt".into(), old);
    test.issuer
        .break_endpoint_with(Endpoint::StatusList, replay);
    test.clock.advance(SECOND * 255);
    let is_failing = || test.server.status_list_status()[0].failures() > 0;
    eventually(is_failing).await;
    let status = &test.server.status_list_status()[0];
    let error = status.last_error().expect("an error");
    assert!(error.contains("issued before"), "{error}");
    assert_eq!(test.verdict(&token).await, BAD_STATUS);
    test.clock.advance(SECOND * 45);
    assert_eq!(test.verdict(&token).await, NO_LIST);
}

#[tokio::test]
async fn wait_for_a_list_ends_with_its_time() {
    let test = Fixture::new(StatusListCheck::new()).await;
    test.issuer
        .break_endpoint_with(Endpoint::StatusList, Fault::Hang);
    let token = test.token(5);
    let waiting = {
        let (app, token) = (test.app.clone(), token.clone());
        tokio::spawn(async move { app.verdict(&token).await })
    };
    test.issuer.await_requests(Endpoint::StatusList, 1).await;
    test.clock.advance(SECOND * 2);
    let verdict = within_time(waiting).await.expect("no panic");
    assert_eq!(verdict, NO_LIST);
    test.issuer.recover();
    eventually(|| test.server.status_list_status()[0].is_usable()).await;
    assert_eq!(test.verdict(&token).await, "200");
    assert_eq!(test.fetches(), 1);
}

#[tokio::test]
async fn list_that_was_issued_earlier_does_not_replace_one_that_was_evicted() {
    let test = Fixture::new(StatusListCheck::new().max_lists(1)).await;
    let url = test.issuer.status_list_url("1");
    let old = test.list.token(&url).sign().into_bytes();
    test.clock.advance(SECOND * 100);
    test.list.set(5, 1);
    let token = test.token(5);
    assert_eq!(test.verdict(&token).await, BAD_STATUS);
    let good = test.token(6);
    assert_eq!(test.verdict(&good).await, "200");
    test.clock.advance(SECOND * 10);
    assert_eq!(test.verdict(&test.token_of("2", 1)).await, "200");
    let replay = Fault::BodyOfType("application/statuslist+jwt".into(), old);
    test.issuer
        .break_endpoint_with(Endpoint::StatusList, replay);
    assert_eq!(test.verdict(&good).await, NO_LIST);
    test.issuer.recover();
    test.clock.advance(SECOND * 60);
    assert_eq!(test.verdict(&good).await, "200", "the twin");
}
