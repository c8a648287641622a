//! Opaque tokens of `oidc-provider` and Authlib: introspected, revoked there and refused here.
//!
//! Where the two differ:
//!
//! 1. A machine's token has no `sub` at `oidc-provider`, so its bearer is a subject without a
//!    name; Authlib's server writes the client's id there, and the bearer is a client.
//! 2. `oidc-provider` calls refresh tokens active too, and says nothing of their kind. What keeps
//!    them out is that they are for no audience.
//! 3. Without a resource `oidc-provider` issues tokens without an audience, for its own userinfo.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use portcullis::config::ClientAuthentication;
use portcullis::extract::UserInfo;
use portcullis::{Identity, Issuer, ResourceServer, Scoped};

use super::house::{Foreign, clock, connected, json, names, post, posting, tell, text};
use super::oidc_provider::{machine, sign_in_with};
use crate::support::{Requests as _, TestApp};

portcullis::scopes! {
    Read = "missions/read";
    Write = "missions/write";
}

const OPAQUE: &str = "https://api.example.com/opaque";

/// How long a token that was seen may be used after its issuer has revoked it.
const CACHE_LIFE: Duration = Duration::from_secs(60);

#[derive(serde::Deserialize)]
struct Contact {
    email: String,
}

fn app(server: &ResourceServer) -> TestApp {
    TestApp::new(server)
        .route("/who", get(who))
        .route("/read", get(|_: Scoped<Read>| async {}))
        .route("/write", get(|_: Scoped<Write>| async {}))
}

/// The same, and a handler that asks for more.
fn telling(server: &ResourceServer) -> TestApp {
    let email = get(|UserInfo(contact): UserInfo<Contact>| async move { contact.email.clone() });
    let email = Router::new().route("/email", email);
    app(server).routes(email)
}

async fn who(identity: Identity) -> String {
    match identity {
        Identity::Client(client) => format!("client {}", client.id()),
        Identity::Subject(subject) => format!(
            "subject {} by {}",
            subject.id().map(ToString::to_string).unwrap_or_default(),
            subject
                .client()
                .map(ToString::to_string)
                .unwrap_or_default()
        ),
        other => format!("{other:?}"),
    }
}

fn ours() -> ClientAuthentication {
    ClientAuthentication::basic("api", "api: a secret, 100% of it")
}

/// The provider, asked in either way.
fn provider_issuers(provider: &Foreign) -> [(&'static str, Issuer); 2] {
    let issuer = || {
        Issuer::introspection_discovered(provider.url())
            .client_authentication(ours())
            .audience(OPAQUE)
    };
    [("plain", issuer()), ("signed", issuer().signed_answers())]
}

#[tokio::test]
#[ignore = "needs oidc-provider from tests/interop/install"]
async fn opaque_tokens_of_oidc_provider_are_introspected_and_end_where_they_are_revoked() {
    let provider = Foreign::oidc_provider(0).await;
    let revocation = format!("{}/token/revocation", provider.url());
    for (way, issuer) in provider_issuers(&provider) {
        let clock = clock();
        let app = app(&connected(issuer, &clock).await);
        let token = machine(&provider, OPAQUE).await;
        assert_eq!(token.matches('.').count(), 0);
        assert_eq!(app.get("/read", &token).await.verdict(), "200", "{way}");
        assert_eq!(app.get("/who", &token).await.body, "subject  by machine");
        assert_eq!(
            app.get("/write", &token).await.verdict(),
            "403 insufficient_scope"
        );
        assert_eq!(
            app.get("/read", "none-of-theirs").await.verdict(),
            "401 invalid_token inactive",
            "{way}"
        );

        let tokens = sign_in_with("app", &provider, "alice", Some(OPAQUE)).await;
        let (users, refresh) = (
            text(&tokens, "access_token"),
            text(&tokens, "refresh_token"),
        );
        assert_eq!(app.get("/who", &users).await.body, "subject alice by app");
        assert_eq!(
            app.get("/read", &refresh).await.verdict(),
            "401 invalid_token audience",
            "{way}: a refresh token"
        );
        let id = text(&tokens, "id_token");
        assert_eq!(
            app.get("/read", &id).await.verdict(),
            "401 invalid_token unknown_issuer",
            "{way}: a JWT goes nowhere"
        );

        let secret = [
            ("client_id", "machine"),
            ("client_secret", "machine-secret"),
        ];
        tell(&revocation, &[&secret[..], &[("token", &token)]].concat()).await;
        tell(&revocation, &[("client_id", "app"), ("token", &users)]).await;
        for token in [&token, &users] {
            assert_eq!(app.get("/read", token).await.verdict(), "200", "{way}");
        }
        clock.advance(CACHE_LIFE);
        for token in [&token, &users] {
            assert_eq!(
                app.get("/read", token).await.verdict(),
                "401 invalid_token inactive",
                "{way}"
            );
        }
    }
}

#[tokio::test]
#[ignore = "needs oidc-provider from tests/interop/install"]
async fn what_oidc_provider_says_of_a_token_has_these_members() {
    let provider = Foreign::oidc_provider(0).await;
    let token = machine(&provider, OPAQUE).await;
    let url = format!("{}/token/introspection", provider.url());
    // RFC 6749 s2.3.1: the secret is encoded before it is put into the field.
    let ask = |token: &str| {
        posting(&url, &[("token", token)])
            .basic_auth("api", Some("api%3A+a+secret%2C+100%25+of+it"))
    };
    assert_eq!(
        names(&json(ask(&token)).await),
        [
            "active",
            "aud",
            "client_id",
            "exp",
            "iat",
            "iss",
            "scope",
            "token_type"
        ]
    );
    let tokens = sign_in_with("app", &provider, "alice", Some(OPAQUE)).await;
    let refresh = json(ask(&text(&tokens, "refresh_token"))).await;
    assert_eq!(refresh["active"], true);
    assert!(refresh.get("token_type").is_none() && refresh.get("aud").is_none());
}

#[tokio::test]
#[ignore = "needs oidc-provider from tests/interop/install"]
async fn an_endpoint_that_does_not_know_us_is_an_outage() {
    let provider = Foreign::oidc_provider(0).await;
    let token = machine(&provider, OPAQUE).await;
    let issuer = |secret| {
        Issuer::introspection_discovered(provider.url())
            .client_authentication(ClientAuthentication::basic("api", secret))
            .audience(OPAQUE)
    };
    let known = app(&connected(issuer("api: a secret, 100% of it"), &clock()).await);
    assert_eq!(known.get("/read", &token).await.verdict(), "200");
    let unknown = app(&connected(issuer("another"), &clock()).await);
    let answer = unknown.get("/read", &token).await;
    assert_eq!(answer.verdict(), "503 unavailable introspection_refused_us");
    assert!(answer.header("retry-after").is_some());
}

#[tokio::test]
#[ignore = "needs oidc-provider from tests/interop/install"]
async fn oidc_provider_tells_the_users_address_to_who_asks_for_it() {
    let provider = Foreign::oidc_provider(0).await;
    // Its userinfo is for tokens without an audience alone.
    let issuer = Issuer::introspection_discovered(provider.url())
        .client_authentication(ours())
        .audience_where_stated()
        .signed_answers() // and so its keys are known, for userinfo that is signed
        .discover_userinfo();
    let clock = clock();
    let app = telling(&connected(issuer, &clock).await);
    for client in ["app", "app-signed"] {
        let tokens = sign_in_with(client, &provider, "alice", None).await;
        let token = text(&tokens, "access_token");
        let answer = app.get("/email", &token).await;
        assert_eq!(
            (answer.verdict(), answer.body),
            ("200".into(), "alice@example.com".into()),
            "{client}"
        );
    }
    let elsewhere = sign_in_with("app", &provider, "alice", Some(OPAQUE)).await;
    assert_eq!(
        app.get("/email", &text(&elsewhere, "access_token"))
            .await
            .verdict(),
        "401 invalid_token audience"
    );
}

#[tokio::test]
#[ignore = "needs Authlib from tests/interop/install"]
async fn opaque_tokens_of_authlib_are_introspected_and_end_where_they_are_revoked() {
    let server = Foreign::authlib().await;
    let at = |path: &str| format!("{}{path}", server.url());
    let issuer = Issuer::introspected(at("/introspect"))
        .client_authentication(ClientAuthentication::basic("api", "api-secret"))
        .userinfo(at("/userinfo"));
    let clock = clock();
    let app = telling(&connected(issuer, &clock).await);

    let grant = [
        ("grant_type", "client_credentials"),
        ("scope", "missions/read"),
    ];
    let request = posting(&at("/token"), &grant).basic_auth("machine", Some("machine-secret"));
    let machines = text(&json(request).await, "access_token");
    let app_secret = [("client_id", "app"), ("client_secret", "app-secret")];
    let password = [
        ("grant_type", "password"),
        ("username", "alice"),
        ("password", "of no secrecy"),
        ("scope", "missions/read missions/write"),
    ];
    let users = post(&at("/token"), &[&app_secret[..], &password].concat()).await;
    let users = text(&users, "access_token");

    for (token, path, expected, body) in [
        (&machines, "/who", "200", "client machine"),
        (&machines, "/read", "200", ""),
        (&machines, "/write", "403 insufficient_scope", ""),
        (&machines, "/email", "403 wrong_caller", ""),
        (&users, "/who", "200", "subject alice by app"),
        (&users, "/write", "200", ""),
        (&users, "/email", "200", "alice@example.com"),
    ] {
        let answer = app.get(path, token).await;
        assert_eq!(
            (answer.verdict(), answer.body),
            (expected.into(), body.into()),
            "{path}"
        );
    }
    assert_eq!(
        app.get("/read", "none-of-theirs").await.verdict(),
        "401 invalid_token inactive"
    );

    tell(
        &at("/revoke"),
        &[&app_secret[..], &[("token", &users)]].concat(),
    )
    .await;
    assert_eq!(app.get("/read", &users).await.verdict(), "200");
    clock.advance(CACHE_LIFE);
    assert_eq!(
        app.get("/read", &users).await.verdict(),
        "401 invalid_token inactive"
    );
    assert_eq!(app.get("/read", &machines).await.verdict(), "200");
}
