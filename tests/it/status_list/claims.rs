//! The `status` claim of tokens, and which lists it may name.

use portcullis::config::StatusListCheck;
use serde_json::{Value, json};

use super::{BAD_STATUS, Fixture};

const REFUSED: &str = "401 invalid_token claims";

fn claim_of(test: &Fixture, status: &Value) -> String {
    test.issuer.token().claim("status", status).sign()
}

#[tokio::test]
async fn malformed_status_is_refused_and_fetches_nothing() {
    let test = Fixture::new(StatusListCheck::new()).await;
    let uri = test.issuer.status_list_url("1");
    for status in [
        json!(null),
        json!("active"),
        json!(true),
        json!([]),
        json!({}),
        json!({"status_list": null}),
        json!({"status_list": {}}),
        json!({"status_list": {"idx": 0}}),
        json!({"status_list": {"uri": uri}}),
        json!({"status_list": {"idx": -1, "uri": uri}}),
        json!({"status_list": {"idx": 1.5, "uri": uri}}),
        json!({"status_list": {"idx": "1", "uri": uri}}),
        json!({"status_list": {"idx": 1, "uri": 1}}),
        json!({"status_list": {"idx": 1, "uri": ""}}),
        json!({"status_list": {"idx": 1, "uri": "urn:example:list"}}),
        json!({"status_list": {"idx": 1, "uri": format!("{uri}#1")}}),
        json!({"status_list": {"idx": 1, "uri": "http://other.example/statuslists/1"}}),
    ] {
        let verdict = test.verdict(&claim_of(&test, &status)).await;
        assert_eq!(verdict, REFUSED, "{status}");
    }
    assert_eq!(test.fetches(), 0);
    let sound = json!({"status_list": {"idx": 1, "uri": uri, "other": 7}, "other": {}});
    assert_eq!(test.verdict(&claim_of(&test, &sound)).await, "200");
}

#[tokio::test]
async fn status_is_checked_where_the_issuer_has_the_setting_alone() {
    let without = Fixture::with(|issuer| issuer).await;
    let uri = without.issuer.status_list_url("1");
    without.list.set(5, 1);
    for status in [
        json!("active"),
        json!({"status_list": {"idx": 5, "uri": uri}}),
    ] {
        assert_eq!(without.verdict(&claim_of(&without, &status)).await, "200");
    }
    assert_eq!(without.fetches(), 0);
    let with = Fixture::new(StatusListCheck::new()).await;
    with.list.set(5, 1);
    assert_eq!(with.verdict(&with.token(5)).await, BAD_STATUS);
}

#[tokio::test]
async fn token_without_a_list_is_refused_where_one_is_required() {
    let test = Fixture::new(StatusListCheck::new()).await;
    let required = Fixture::new(StatusListCheck::new().required()).await;
    for (fixture, expected) in [(&test, "200"), (&required, REFUSED)] {
        let plain = fixture.issuer.token().sign();
        let other = claim_of(fixture, &json!({"other": {"id": 1}}));
        for token in [plain, other] {
            assert_eq!(fixture.verdict(&token).await, expected);
        }
        assert_eq!(fixture.verdict(&fixture.token(1)).await, "200");
    }
}

#[tokio::test]
async fn list_is_fetched_from_a_configured_place_alone() {
    let elsewhere = Fixture::new(StatusListCheck::new()).await;
    let foreign = elsewhere.issuer.status_list_url("1");
    let test = Fixture::new(StatusListCheck::new()).await;
    let token = |test: &Fixture, uri: &str| test.issuer.token().status(uri, 1).sign();
    assert_eq!(test.verdict(&token(&test, &foreign)).await, REFUSED);
    assert_eq!(elsewhere.fetches(), 0);
    // The place of the issuer is replaced by those that are named.
    let prefix = foreign.trim_end_matches('1').to_owned();
    let test = Fixture::new(StatusListCheck::new().uri_prefix(prefix.clone())).await;
    let own = test.issuer.status_list_url("1");
    assert_eq!(test.verdict(&token(&test, &own)).await, REFUSED);
    assert_eq!(test.fetches(), 0);
    for outside in ["../jwks.json", "%2E%2e/jwks.json", "./../jwks.json"] {
        let uri = format!("{prefix}{outside}");
        assert_eq!(test.verdict(&token(&test, &uri)).await, REFUSED, "{uri}");
    }
    // The list there is another issuer's, and so it is of no use.
    let verdict = test.verdict(&token(&test, &foreign)).await;
    assert_eq!(verdict, super::NO_LIST);
    assert_eq!(elsewhere.fetches(), 1);
    let status = &test.server.status_list_status()[0];
    let error = status.last_error().expect("an error");
    assert!(error.contains("signature"), "{error}");
}

#[tokio::test]
async fn list_token_is_no_access_token() {
    let test = Fixture::new(StatusListCheck::new()).await;
    let list = test.list.token(test.issuer.status_list_url("1"));
    let list = list.claim("aud", crate::support::API);
    assert_eq!(
        test.verdict(&list.sign()).await,
        "401 invalid_token token_type"
    );
}
