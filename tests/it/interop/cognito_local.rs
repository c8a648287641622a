//! `cognito-local`, an emulator of Cognito user pools.
//!
//! Where its tokens differ from Cognito's own:
//!
//! 1. The header has `typ` = `JWT`; Cognito's has none.
//! 2. `iss` is `http://<host>:<port>/<pool>`, as it was started, and the pool's region is
//!    `local`. Its discovery document names `http://localhost:9229` whatever was started, so
//!    discovery fails and the key set's URL is the way.
//! 3. No `version` and no `origin_jti`. `username` is the `sub` where users sign in by e-mail.
//! 4. The refresh token is a JWT under the same key, without `kid` and `token_use`; Cognito's is
//!    encrypted.
//! 5. All pools share one key, which is part of the package, and so is public.
//! 6. Triggers add claims to ID tokens only; there are no machine tokens, and access tokens have
//!    the scope `aws.cognito.signin.user.admin` and no other.

use std::time::Duration;

use portcullis::Issuer;
use portcullis::error::ConnectError;
use serde_json::json;

use super::cognito::{Pool, app};
use super::house::{Foreign, builder, clock, connected, names, opened};
use crate::support::Requests as _;

#[tokio::test]
#[ignore = "needs cognito-local from tests/interop/install"]
async fn of_what_a_user_of_an_emulated_pool_gets_the_access_token_alone_is_admitted() {
    let emulator = Foreign::cognito_local().await;
    let pool = Pool::of(&emulator).await;
    let client = pool.client().await;
    let user = pool.sign_in(&client).await;

    let (header, payload) = opened(&user.access);
    assert_eq!(
        header,
        json!({"alg": "RS256", "typ": "JWT", "kid": "CognitoLocal"})
    );
    assert_eq!(
        names(&payload),
        [
            "auth_time",
            "client_id",
            "cognito:groups",
            "event_id",
            "exp",
            "iat",
            "iss",
            "jti",
            "scope",
            "sub",
            "token_use",
            "username"
        ]
    );
    assert_eq!(payload["iss"], format!("{}/{}", emulator.url(), pool.id));

    let clock = clock();
    let issuer = Issuer::cognito("local", &pool.id)
        .client_id(&client)
        .endpoint(emulator.url());
    let app = app(&connected(issuer, &clock).await);
    let kind = app.get("/kind", &user.access).await.body;
    assert_eq!(kind, format!("subject by {client}"));
    let name = app.get("/name", &user.access).await.body;
    assert_eq!(name, payload["sub"], "they sign in by e-mail");
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
        ("refresh token", &user.refresh, "token_use"),
    ] {
        assert_eq!(
            app.get("/", token).await.verdict(),
            format!("401 invalid_token {fault}"),
            "{what}"
        );
    }
    let renewed = pool.renew(&client, &user.refresh).await;
    assert_eq!(app.get("/", &renewed).await.verdict(), "200");

    clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(app.get("/", &user.access).await.verdict(), "200");
    clock.advance(Duration::from_secs(60));
    assert_eq!(
        app.get("/", &user.access).await.verdict(),
        "401 invalid_token expired"
    );
}

#[tokio::test]
#[ignore = "needs cognito-local from tests/interop/install"]
async fn another_pool_and_another_client_of_the_same_emulator_are_strangers() {
    let emulator = Foreign::cognito_local().await;
    let (pool, other) = (Pool::of(&emulator).await, Pool::of(&emulator).await);
    let (ours, theirs) = (pool.client().await, pool.client().await);
    let foreign = other.client().await;
    let clock = clock();
    let issuer = Issuer::cognito("local", &pool.id)
        .client_id(&ours)
        .client_id(&foreign)
        .endpoint(emulator.url());
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
#[ignore = "needs cognito-local from tests/interop/install"]
async fn an_emulators_wrong_discovery_document_is_found_and_its_key_set_works() {
    let emulator = Foreign::cognito_local().await;
    let pool = Pool::of(&emulator).await;
    let client = pool.client().await;
    let token = pool.sign_in(&client).await.access;
    let clock = clock();
    let url = format!("{}/{}", emulator.url(), pool.id);
    let issuer = Issuer::cognito("local", &pool.id)
        .client_id(&client)
        .endpoint(emulator.url());
    let discovered = issuer
        .clone()
        .discovery_url(format!("{url}/.well-known/openid-configuration"));
    let refused = builder(discovered, &clock)
        .build()
        .expect("sound")
        .connect()
        .await;
    match refused {
        Err(ConnectError::IssuerMismatch { found, .. }) => {
            assert_eq!(found, format!("http://localhost:9229/{}", pool.id));
        }
        other => panic!("{other:?}"),
    }
    let by_url = issuer.key_set_url(format!("{url}/.well-known/jwks.json"));
    let app = app(&connected(by_url, &clock).await);
    assert_eq!(app.get("/", &token).await.verdict(), "200");
}
