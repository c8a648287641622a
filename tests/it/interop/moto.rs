//! `moto`, which keeps Cognito user pools in memory.
//!
//! Where its tokens differ from Cognito's own:
//!
//! 1. The header has `typ` = `JWT`; Cognito's has none.
//! 2. `iss` is Cognito's own, on AWS, wherever moto runs: so the key set's URL is set and
//!    [`Issuer::endpoint`] is not. The discovery document names the same `iss`.
//! 3. No `event_id` and no `version`.
//! 4. The refresh token is a UUID; Cognito's is encrypted.
//! 5. All pools share one key, `kid` = `dummy`, which is part of the package, and so is public.
//! 6. There are no triggers and no machine tokens, and access tokens have the scope
//!    `aws.cognito.signin.user.admin` and no other.

use std::time::Duration;

use portcullis::Issuer;
use serde_json::json;

use super::cognito::{Pool, app};
use super::house::{Foreign, clock, connected, names, opened};
use crate::support::Requests as _;

fn issuer(emulator: &Foreign, pool: &Pool<'_>) -> Issuer {
    let keys = format!("{}/{}/.well-known/jwks.json", emulator.url(), pool.id);
    Issuer::cognito("eu-west-1", &pool.id).key_set_url(keys)
}

#[tokio::test]
#[ignore = "needs moto from tests/interop/install"]
async fn of_what_a_user_of_a_pool_on_aws_gets_the_access_token_alone_is_admitted() {
    let emulator = Foreign::moto().await;
    let pool = Pool::of(&emulator).await;
    let client = pool.client().await;
    let user = pool.sign_in(&client).await;

    let (header, payload) = opened(&user.access);
    assert_eq!(
        header,
        json!({"alg": "RS256", "typ": "JWT", "kid": "dummy"})
    );
    assert_eq!(
        names(&payload),
        [
            "auth_time",
            "client_id",
            "cognito:groups",
            "exp",
            "iat",
            "iss",
            "jti",
            "origin_jti",
            "scope",
            "sub",
            "token_use",
            "username"
        ]
    );
    assert_eq!(
        payload["iss"],
        format!("https://cognito-idp.eu-west-1.amazonaws.com/{}", pool.id)
    );

    let clock = clock();
    let app = app(&connected(issuer(&emulator, &pool).client_id(&client), &clock).await);
    let kind = app.get("/kind", &user.access).await.body;
    assert_eq!(kind, format!("subject by {client}"));
    let name = app.get("/name", &user.access).await.body;
    assert_eq!(name, "alice@example.com");
    for (path, verdict) in [
        ("/staff", "200"),
        ("/admin", "403 wrong_caller"),
        ("/own", "200"),
        ("/read", "403 insufficient_scope"),
    ] {
        assert_eq!(
            app.get(path, &user.access).await.verdict(),
            verdict,
            "{path}"
        );
    }
    for (what, token, fault) in [
        ("ID token", &user.id, "token_use"),
        ("refresh token", &user.refresh, "malformed"),
    ] {
        assert_eq!(
            app.get("/", token).await.verdict(),
            format!("401 invalid_token {fault}"),
            "{what}"
        );
    }
    let renewed = pool.renew(&client, &user.refresh).await;
    assert_eq!(app.get("/", &renewed).await.verdict(), "200");

    clock.advance(Duration::from_secs(3600));
    assert_eq!(app.get("/", &user.access).await.verdict(), "200");
    clock.advance(Duration::from_secs(60));
    assert_eq!(
        app.get("/", &user.access).await.verdict(),
        "401 invalid_token expired"
    );
}

#[tokio::test]
#[ignore = "needs moto from tests/interop/install"]
async fn another_pool_and_another_client_are_strangers_although_all_share_a_key() {
    let emulator = Foreign::moto().await;
    let (pool, other) = (Pool::of(&emulator).await, Pool::of(&emulator).await);
    let (ours, theirs) = (pool.client().await, pool.client().await);
    let foreign = other.client().await;
    let issuer = issuer(&emulator, &pool)
        .client_id(&ours)
        .client_id(&foreign);
    let clock = clock();
    let app = app(&connected(issuer, &clock).await);
    for (token, verdict) in [
        (pool.sign_in(&ours).await.access, "200"),
        (
            pool.sign_in(&theirs).await.access,
            "401 invalid_token client_id",
        ),
        (
            other.sign_in(&foreign).await.access,
            "401 invalid_token unknown_issuer",
        ),
    ] {
        assert_eq!(app.get("/", &token).await.verdict(), verdict);
    }
}

#[tokio::test]
#[ignore = "needs moto from tests/interop/install"]
async fn the_pools_discovery_document_leads_to_the_same_keys() {
    let emulator = Foreign::moto().await;
    let pool = Pool::of(&emulator).await;
    let client = pool.client().await;
    let document = format!(
        "{}/{}/.well-known/openid-configuration",
        emulator.url(),
        pool.id
    );
    let issuer = Issuer::cognito("eu-west-1", &pool.id)
        .client_id(&client)
        .discovery_url(document);
    let app = app(&connected(issuer, &clock()).await);
    let user = pool.sign_in(&client).await;
    assert_eq!(app.get("/", &user.access).await.verdict(), "200");
    assert_eq!(
        app.get("/", &user.id).await.verdict(),
        "401 invalid_token token_use"
    );
}
