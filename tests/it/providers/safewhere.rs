//! Safewhere Identify: an OpenID Provider with URN claims and a path in its issuer.

use axum::routing::get;
use portcullis::extract::UserInfo;
use portcullis::test_util::{Endpoint, MockIssuer, TokenBuilder};
use portcullis::{AccessToken, Algorithm, Claims, InRole, Issuer, ResourceServer, roles};
use serde_json::json;

use crate::support::{Requests as _, TestApp, trusting};

roles! { pub Administrator = "Administrator"; }

const ISSUER: &str = "https://identify.example.com/runtime/oauth2";
const ROLE: &str = "urn:anyid:role";
const USER: &str = "urn:internal:userid";

#[derive(serde::Deserialize)]
struct Internal {
    #[serde(rename = "urn:internal:userid")]
    user: String,
}

fn identify() -> MockIssuer {
    MockIssuer::named(ISSUER).with_algorithms([Algorithm::ES256])
}

fn settings(issuer: Issuer) -> Issuer {
    issuer.roles_claim(ROLE).lone_roles_and_groups()
}

fn app(issuer: Issuer) -> TestApp {
    let server = trusting([settings(issuer)]);
    router(&server)
}

fn router(server: &ResourceServer) -> TestApp {
    TestApp::new(server)
        .route("/admin", get(|_: InRole<Administrator>| async {}))
        .route(
            "/user",
            get(|claims: Claims<Internal>| async move { claims.0.user.clone() }),
        )
}

/// An access token as version 5.17 and later write it.
fn access(identify: &MockIssuer) -> TokenBuilder {
    identify
        .token()
        .header("typ", "at+jwt")
        .claim(USER, "4711")
        .claim(ROLE, "Administrator")
}

#[tokio::test]
async fn access_tokens_of_newer_and_older_versions_are_admitted() {
    let identify = identify();
    let app = app(identify.trusted());
    for typ in ["at+jwt", "JWT"] {
        let token = access(&identify).header("typ", typ).sign();
        assert_eq!(app.get("/", &token).await.verdict(), "200", "{typ}");
        assert_eq!(app.get("/user", &token).await.body, "4711", "{typ}");
    }
    let other = access(&identify).audience("https://other.example.com");
    assert_eq!(
        app.get("/", &other.sign()).await.verdict(),
        "401 invalid_token audience"
    );
}

#[tokio::test]
async fn roles_reach_the_guard_as_a_string_and_as_an_array() {
    let identify = identify();
    let app = app(identify.trusted());
    for (roles, status) in [
        (json!("Administrator"), 200),
        (json!(["Reader", "Administrator"]), 200),
        (json!("Reader"), 403),
        (json!(["Reader"]), 403),
        (json!([]), 403),
    ] {
        let token = access(&identify).claim(ROLE, &roles).sign();
        assert_eq!(app.get("/admin", &token).await.status, status, "{roles}");
    }
    let token = access(&identify).without(ROLE).sign();
    assert_eq!(app.get("/admin", &token).await.status, 403);
}

#[tokio::test]
async fn the_internal_user_id_can_be_the_subject() {
    let identify = identify();
    let server = trusting([settings(identify.trusted()).subject_claim(USER)]);
    let app = TestApp::behind(server.authenticate()).route(
        "/",
        get(|token: AccessToken| async move {
            token.subject().map(ToString::to_string).unwrap_or_default()
        }),
    );
    let token = access(&identify);
    assert_eq!(app.get("/", &token.clone().sign()).await.body, "4711");
    let list = token.claim(USER, ["4711"]).sign();
    assert_eq!(
        app.get("/", &list).await.verdict(),
        "401 invalid_token claims"
    );
}

#[tokio::test]
async fn an_id_token_is_refused() {
    let identify = identify();
    let app = app(identify.trusted());
    let access = access(&identify).sign();
    assert_eq!(app.get("/", &access).await.verdict(), "200");
    assert_eq!(
        app.get("/", &identify.id_token().sign()).await.verdict(),
        "401 invalid_token token_use"
    );
    // Without any other mark its audience gives it away.
    let plain = identify.id_token().without("at_hash").sign();
    assert_eq!(
        app.get("/", &plain).await.verdict(),
        "401 invalid_token audience"
    );
}

#[tokio::test]
async fn the_issuer_counts_with_its_path_and_without_a_slash_more() {
    let identify = identify();
    let app = app(identify.trusted());
    for (issuer, expected) in [
        (ISSUER, "200"),
        (
            "https://identify.example.com",
            "401 invalid_token unknown_issuer",
        ),
        (
            "https://identify.example.com/runtime/oauth2/",
            "401 invalid_token unknown_issuer",
        ),
        (
            "https://identify.example.com/runtime",
            "401 invalid_token unknown_issuer",
        ),
    ] {
        let token = access(&identify).issuer(issuer).sign();
        assert_eq!(app.get("/", &token).await.verdict(), expected, "{issuer}");
    }
}

#[tokio::test]
async fn an_entity_id_that_is_no_url_has_its_keys_at_an_address_of_their_own() {
    let entity = "urn:example:identify";
    let identify = MockIssuer::named(entity).with_algorithms([Algorithm::ES256]);
    let served = identify.serve().await;
    let server = trusting([settings(
        Issuer::oidc(entity).key_set_url(served.key_set_url()),
    )])
    .connect()
    .await
    .expect("a runtime");
    let app = router(&server);
    let token = access(&identify);
    assert_eq!(app.get("/", &token.clone().sign()).await.verdict(), "200");
    let other = token.issuer("urn:example:Identify").sign();
    assert_eq!(
        app.get("/", &other).await.verdict(),
        "401 invalid_token unknown_issuer"
    );
}

#[derive(serde::Deserialize)]
struct Contact {
    #[serde(rename = "urn:internal:email")]
    email: String,
}

#[tokio::test]
async fn claims_that_are_not_in_the_token_come_from_userinfo_on_demand() {
    let identify = identify();
    identify.set_user_info("4711", json!({"urn:internal:email": "anna@example.com"}));
    let identify = identify.serve().await;
    let issuer = identify
        .trusted()
        .userinfo(identify.url_of(Endpoint::UserInfo));
    let server = trusting([settings(issuer)])
        .connect()
        .await
        .expect("the issuer is the one that was configured");
    let app = router(&server).route(
        "/email",
        get(|contact: UserInfo<Contact>| async move { contact.email.clone() }),
    );
    let token = access(&identify).subject("4711").sign();
    assert_eq!(app.get("/user", &token).await.verdict(), "200");
    assert_eq!(identify.requests(Endpoint::UserInfo), 0);
    for _ in 0..2 {
        let answer = app.get("/email", &token).await;
        assert_eq!(answer.verdict(), "200");
        assert_eq!(answer.body, "anna@example.com");
    }
    assert_eq!(identify.requests(Endpoint::UserInfo), 1);
    // Another one's answer is no answer.
    identify.set_user_info(
        "4712",
        json!({"sub": "4711", "urn:internal:email": "x@example.com"}),
    );
    let other = access(&identify).subject("4712").sign();
    assert_eq!(
        app.get("/email", &other).await.verdict(),
        "503 unavailable user_info_failed"
    );
}
