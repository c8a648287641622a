//! Members of answers about tokens and users: what is empty is absent, and which words mark an
//! access token.

use axum::routing::get;
use portcullis::config::TokenInformation;
use portcullis::test_util::ManualClock;
use portcullis::{AccessToken, Issuer};
use serde_json::{Value, json};

use crate::support::endpoint::{Endpoint, json as answer};
use crate::support::introspection::{AS, TOKEN, app, good, issuer, server};
use crate::support::{Requests as _, TestApp};

/// The good answer with this member set, to `null` as well.
fn but(member: &str, value: Value) -> Value {
    let mut answer = good();
    answer[member] = value;
    answer
}

/// What becomes of one token of which the endpoint says this.
async fn reply_to(said: Value, settings: impl FnOnce(Issuer) -> Issuer) -> (String, String) {
    let endpoint = Endpoint::saying(said).await;
    let server = server(settings(issuer(&endpoint)), &ManualClock::new());
    let reply = app(&server).get("/", TOKEN).await;
    (reply.verdict(), reply.body)
}

async fn verdict_on(said: Value) -> String {
    reply_to(said, |issuer| issuer).await.0
}

#[tokio::test]
async fn optional_members_that_are_empty_are_absent() {
    for member in [
        "sub",
        "iss",
        "scope",
        "token_type",
        "nbf",
        "iat",
        "jti",
        "client_id",
        "username",
        "cnf",
        "nonce",
        "at_hash",
        "c_hash",
        "events",
        "token_use",
        "typ",
        "sid",
        "origin_jti",
        "type",
        "auth_time",
        "roles",
        "groups",
    ] {
        for empty in [json!(null), json!(""), json!([])] {
            let expected = match (member, &empty) {
                // A mistake in it must not make a bound token a bearer token.
                ("cnf", Value::String(_) | Value::Array(_)) => "401 invalid_token binding",
                _ => "200",
            };
            let found = verdict_on(but(member, empty.clone())).await;
            assert_eq!(found, expected, "{member}: {empty}");
        }
    }
}

#[tokio::test]
async fn all_optional_members_may_be_null_at_once() {
    let said = json!({
        "active": true, "client_id": "c", "exp": 4_102_444_800_i64, "iat": 1, "iss": AS,
        "aud": crate::support::API, "sub": null, "scope": "read", "token_type": "Bearer",
        "nbf": null, "jti": null, "cnf": null,
    });
    let (verdict, body) = reply_to(said, |issuer| issuer).await;
    assert_eq!((&*verdict, &*body), ("200", &*format!("subject  of {AS}")));
}

#[tokio::test]
async fn members_that_decide_are_never_absent_by_being_null() {
    for (member, value, expected) in [
        (
            "active",
            json!(null),
            "503 unavailable introspection_failed",
        ),
        ("active", json!(""), "503 unavailable introspection_failed"),
        ("active", json!([]), "503 unavailable introspection_failed"),
        ("exp", json!(null), "401 invalid_token claims"),
        ("exp", json!(""), "401 invalid_token claims"),
        ("exp", json!([]), "401 invalid_token claims"),
        // Demanded: missing, and the refusal says so.
        ("aud", json!(null), "401 invalid_token audience"),
        ("aud", json!(""), "401 invalid_token audience"),
        ("aud", json!([]), "401 invalid_token audience"),
        // Of another type, and not empty: as before.
        ("sub", json!(7), "401 invalid_token claims"),
        ("sub", json!({}), "401 invalid_token claims"),
        ("nbf", json!("now"), "401 invalid_token claims"),
        ("aud", json!([""]), "401 invalid_token audience"),
        ("cnf", json!({}), "401 invalid_token binding"),
        ("at_hash", json!("x"), "401 invalid_token token_use"),
        ("token_use", json!(7), "401 invalid_token token_use"),
    ] {
        let found = verdict_on(but(member, value.clone())).await;
        assert_eq!(found, expected, "{member}: {value}");
    }
}

#[tokio::test]
async fn audience_that_is_empty_is_one_that_is_not_stated() {
    for (aud, expected) in [
        (json!(null), "200"),
        (json!(""), "200"),
        // An empty list is a statement.
        (json!([]), "401 invalid_token audience"),
        (json!("https://other.example"), "401 invalid_token audience"),
        (json!([7]), "401 invalid_token audience"),
    ] {
        let said = but("aud", aud.clone());
        let (found, _) = reply_to(said, Issuer::audience_where_stated).await;
        assert_eq!(found, expected, "{aud}");
    }
}

#[tokio::test]
async fn client_that_is_demanded_is_not_there_where_it_is_empty() {
    for (client, expected) in [
        (json!("web"), "200"),
        (json!(null), "401 invalid_token client_id"),
        (json!(""), "401 invalid_token client_id"),
    ] {
        let said = but("client_id", client.clone());
        let (found, _) = reply_to(said, |issuer| issuer.client_id("web")).await;
        assert_eq!(found, expected, "{client}");
    }
    for (value, expected) in [
        (json!("acme"), "200"),
        (json!(null), "401 invalid_token required_value"),
        (json!(""), "401 invalid_token required_value"),
    ] {
        let said = but("org", value.clone());
        let (found, _) = reply_to(said, |issuer| issuer.require_claim("org", "acme")).await;
        assert_eq!(found, expected, "{value}");
    }
}

#[tokio::test]
async fn members_inside_of_others_are_absent_too_where_they_are_empty() {
    for (inner, expected) in [
        (json!({"sub": null}), "subject  of"),
        (json!({"sub": ""}), "subject  of"),
        (json!(null), "subject  of"),
        (json!({"sub": "user-2"}), "subject user-2 of"),
    ] {
        let settings = |issuer: Issuer| issuer.subject_claim(["user", "sub"]);
        let (verdict, body) = reply_to(but("user", inner.clone()), settings).await;
        assert_eq!(verdict, "200", "{inner}");
        assert!(body.starts_with(expected), "{inner}: {body}");
    }
}

#[tokio::test]
async fn token_information_has_the_same_rule() {
    let dialect = || TokenInformation::field("ticket").lifetime_claim("ttl");
    for (said, expected) in [
        (json!({"user": "admin", "ttl": 25, "scope": null}), "200"),
        (
            json!({"user": null, "ttl": 25, "exp": 4_102_444_800_i64}),
            "200",
        ),
        (
            json!({"user": "admin", "ttl": null}),
            "401 invalid_token claims",
        ),
        (
            json!({"user": "admin", "ttl": 25, "exp": null}),
            "401 invalid_token claims",
        ),
    ] {
        let endpoint = Endpoint::saying(said.clone()).await;
        let service = portcullis::presets::axway(endpoint.url())
            .introspection_timeout(std::time::Duration::from_secs(30))
            .token_dialect(dialect())
            .subject_claim("user");
        let server = server(service, &ManualClock::new());
        assert_eq!(app(&server).verdict(TOKEN).await, expected, "{said}");
    }
}

#[tokio::test]
async fn custom_claims_read_the_answer_as_it_came() {
    #[derive(serde::Deserialize)]
    struct Whole {
        plan: Option<String>,
        tags: Vec<String>,
    }
    let mut said = good();
    said["plan"] = Value::Null;
    said["tags"] = json!([]);
    let endpoint = Endpoint::saying(said).await;
    let server = server(issuer(&endpoint), &ManualClock::new());
    let whole = |token: AccessToken| async move {
        let whole = token.claims::<Whole>().expect("it fits");
        format!("{:?} {:?}", whole.plan, whole.tags)
    };
    let app = TestApp::behind(server.authenticate()).route("/", get(whole));
    assert_eq!(app.get("/", TOKEN).await.body, "None []");
}

#[tokio::test]
async fn userinfo_without_a_subject_is_none_and_other_members_are_the_applications() {
    use portcullis::extract::UserInfo;
    use portcullis::test_util::MockIssuer;

    #[derive(serde::Deserialize)]
    struct Contact {
        email: Option<String>,
    }
    let clock = ManualClock::new();
    let mock = MockIssuer::new().with_clock(clock.clone());
    let endpoint = Endpoint::saying(json!({})).await;
    let server = portcullis::ResourceServer::builder(crate::support::API)
        .issuer(mock.trusted().userinfo(endpoint.url()))
        .clock(clock.clone())
        .build()
        .expect("sound");
    let app = TestApp::behind(server.authenticate()).route(
        "/",
        get(|contact: UserInfo<Contact>| async move { format!("{:?}", contact.email) }),
    );
    for (number, (said, expected)) in [
        (json!({"sub": "alice", "email": null}), "200"),
        (json!({"sub": null}), "503 unavailable user_info_failed"),
        (json!({"sub": ""}), "503 unavailable user_info_failed"),
        (json!({"sub": []}), "503 unavailable user_info_failed"),
        (json!({}), "503 unavailable user_info_failed"),
    ]
    .into_iter()
    .enumerate()
    {
        let shown = said.to_string();
        endpoint.turn(move |_| answer(200, &said));
        let token = mock.token().subject("alice").claim("number", number).sign();
        assert_eq!(app.get("/", &token).await.verdict(), expected, "{shown}");
    }
}

#[tokio::test]
async fn words_for_an_access_token_are_those_of_several_vendors() {
    for (member, value, expected) in [
        ("token_use", "access_token", "200"),
        ("token_use", "access", "200"),
        ("token_use", "refresh_token", "401 invalid_token token_use"),
        ("token_use", "refresh", "401 invalid_token token_use"),
        ("token_use", "id_token", "401 invalid_token token_use"),
        ("token_use", "id", "401 invalid_token token_use"),
        ("token_use", "something", "401 invalid_token token_use"),
        ("token_type", "access_token", "200"),
        ("token_type", "Bearer", "200"),
        ("token_type", "refresh_token", "401 invalid_token token_use"),
        ("token_type", "id_token", "401 invalid_token token_use"),
        ("token_type", "mac", "401 invalid_token token_use"),
    ] {
        let found = verdict_on(but(member, value.into())).await;
        assert_eq!(found, expected, "{member}: {value}");
    }
    // As Ory Hydra writes them.
    let mut hydra = good();
    hydra["token_use"] = "access_token".into();
    hydra["sub"] = "web".into();
    let (verdict, body) = reply_to(hydra, |issuer| issuer).await;
    assert_eq!(verdict, "200");
    assert!(body.starts_with("client web"), "{body}");
}
