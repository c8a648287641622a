//! Settings and requests that would widen what a client has, or keep alive what has ended.

use std::future::IntoFuture as _;
use std::time::Duration;

use http::StatusCode;
use portcullis::Algorithm;
use portcullis::test_util::{
    Accounts, AuthorizationServer, Endpoint, Fault, ManualClock, MockIssuer,
    ServedAuthorizationServer, TestClient, TestUser,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::support::{
    CALLBACK, authorization_url, basic, builder, code, encoded, get as open, http, payload, post,
    posting, redeem, refresh, send, served, signed_in,
};

/// Longer than anything here takes: a test that reaches it fails.
const LIMIT: Duration = Duration::from_secs(20);

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

async fn keycloak() -> ServedAuthorizationServer {
    let issuer = MockIssuer::keycloak("http://127.0.0.1:1", "main");
    AuthorizationServer::new(issuer.with_algorithms([Algorithm::ES256]))
        .serve()
        .await
        .expect("a free port")
}

#[tokio::test]
async fn fault_counts_at_the_paths_of_a_vendor_too() {
    let server = keycloak().await;
    let at = |path: &str| format!("{}/realms/main/{path}", server.url());
    let discovery = at(".well-known/openid-configuration");
    let key_set = at("protocol/openid-connect/certs");
    let device = format!("{}/device", server.url());
    for url in [&discovery, &key_set, &device] {
        assert_eq!(open(url).await.status, 200, "{url}");
    }
    assert_eq!(server.requests(Endpoint::Discovery), 1);
    assert_eq!(server.requests(Endpoint::KeySet), 1);
    server.break_endpoint_with(Endpoint::KeySet, Fault::Status(503));
    assert_eq!(open(&key_set).await.status, 503);
    assert_eq!(open(&discovery).await.status, 200);
    server.stop();
    for url in [&discovery, &key_set, &device] {
        assert!(http().get(url).send().await.is_err(), "{url}");
    }
    assert_eq!(open(&format!("{}/admin", server.url())).await.status, 200);
    server.restart();
    assert_eq!(open(&key_set).await.status, 200);
}

#[tokio::test]
async fn dropped_handle_ends_requests_that_hang_and_connections_without_one() {
    let server = served(&ManualClock::new()).await;
    let address = server.url().trim_start_matches("http://").to_owned();
    let mut silent = TcpStream::connect(&address).await.expect("a connection");
    let mut half = TcpStream::connect(&address).await.expect("a connection");
    half.write_all(b"POST /token HTTP/1.1\r\nHost: local")
        .await
        .expect("written");
    let mut body = TcpStream::connect(&address).await.expect("a connection");
    let head = "POST /token HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\
                Content-Type: application/x-www-form-urlencoded\r\n\r\ngrant_type";
    body.write_all(head.as_bytes()).await.expect("written");
    server.break_endpoint_with(Endpoint::Revocation, Fault::Hang);
    let hanging = tokio::spawn(
        http()
            .get(server.url_of(Endpoint::Revocation))
            .send()
            .into_future(),
    );
    while server.requests(Endpoint::Revocation) == 0 || server.requests(Endpoint::Token) == 0 {
        tokio::task::yield_now().await;
    }
    drop(server);
    let answer = timeout(LIMIT, hanging).await.expect("an end");
    assert!(answer.expect("no panic").is_err());
    for (name, connection) in [
        ("silent", &mut silent),
        ("half", &mut half),
        ("body", &mut body),
    ] {
        let mut rest = Vec::new();
        let ended = timeout(LIMIT, connection.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "{name}");
    }
}

/// Ends the session of these tokens, as an operator does.
async fn end_session(server: &ServedAuthorizationServer, sid: &Value) {
    let sid = sid.as_str().expect("a session");
    let url = format!("{}/admin/sessions/{sid}", server.url());
    assert_eq!(send(http().delete(url)).await.status, 204);
}

#[tokio::test]
async fn code_of_a_session_that_has_ended_is_good_no_more() {
    let server = served(&ManualClock::new()).await;
    let (ended, other) = (code(&server, &[]).await, code(&server, &[]).await);
    let sessions = format!("{}/admin/sessions", server.url());
    let all = open(&sessions).await.json();
    assert_eq!(all.as_array().map(Vec::len), Some(2));
    // Either one: the code of the session that is left is good.
    end_session(&server, &all[0]["sid"]).await;
    let answers = [
        redeem(&server, &ended, &[]).await.status,
        redeem(&server, &other, &[]).await.status,
    ];
    assert!(answers.contains(&StatusCode::OK), "{answers:?}");
    assert!(answers.contains(&StatusCode::BAD_REQUEST), "{answers:?}");
}

#[tokio::test]
async fn token_exchanged_for_an_id_token_ends_with_its_session_and_grant() {
    for by_session in [true, false] {
        let clock = ManualClock::new();
        let client = TestClient::confidential("both", "s3cret")
            .redirect_uri(CALLBACK)
            .grant_types(["authorization_code", "refresh_token", EXCHANGE]);
        let server = builder(&clock).client(client).serve().await.expect("up");
        let own = [("client_id", "both"), ("client_secret", "s3cret")];
        let code = code(&server, &[("client_id", "both")]).await;
        let tokens = redeem(&server, &code, &own).await.json();
        let id_token = tokens["id_token"].as_str().expect("an ID token");
        let fields = [
            own[0],
            own[1],
            ("grant_type", EXCHANGE),
            ("subject_token", id_token),
            ("subject_token_type", ID_TOKEN),
        ];
        let url = format!("{}/token", server.url());
        let token = post(&url, &fields).await.json()["access_token"].clone();
        assert!(super::support::is_active(&server, &token).await);
        if by_session {
            end_session(&server, &payload(&tokens["id_token"])["sid"]).await;
        } else {
            let refresh = tokens["refresh_token"].as_str().expect("a token");
            let fields = [own[0], own[1], ("token", refresh)];
            let revoked = post(&format!("{}/revoke", server.url()), &fields).await;
            assert_eq!(revoked.status, 200);
        }
        assert!(!super::support::is_active(&server, &token).await);
        assert_eq!(post(&url, &fields).await.error().0, 400);
    }
}

#[tokio::test]
async fn id_token_hint_of_no_session_signs_its_own_user_out_alone() {
    let server = served(&ManualClock::new()).await;
    let sign_in = async || {
        let url = authorization_url(&server, &[]);
        server.sign_in(&url, "user-1").await.expect("a redirect");
        let all = open(&format!("{}/admin/sessions", server.url())).await;
        let sid = all.json()[0]["sid"].as_str().expect("a session").to_owned();
        let port = server.url().rsplit(':').next().expect("a port").to_owned();
        format!("as_session_{port}={sid}")
    };
    let cookie = sign_in().await;
    let logout = async |hint: &str| {
        let query = encoded(&[("id_token_hint", hint)]);
        let url = format!("{}/logout?{query}", server.url());
        send(http().get(url).header("cookie", &cookie)).await
    };
    let sessions = async || server_sessions(&server).await;
    // As the device grant issues them: without `sid`.
    let hint = |subject: &str| {
        let token = server.id_token().client("spa").subject(subject);
        token.without("sid").sign()
    };
    let answer = logout(&hint("agent-1")).await;
    assert!(answer.body.contains("Sign out?"), "{answer:?}");
    assert_eq!(sessions().await, 1);
    // An introspection response is signed by the same key.
    let api = basic(
        MockIssuer::RESOURCE_SERVER_ID,
        MockIssuer::RESOURCE_SERVER_SECRET,
    );
    let told = posting(
        &format!("{}/introspect", server.url()),
        &[("token", "unknown")],
    )
    .header("authorization", api)
    .header("accept", "application/token-introspection+jwt");
    let told = send(told).await.body;
    assert_eq!(logout(&told).await.status, 400);
    assert_eq!(sessions().await, 1);
    let answer = logout(&hint("user-1")).await;
    assert!(answer.body.contains("You are signed out"), "{answer:?}");
    assert_eq!(sessions().await, 0);
}

async fn server_sessions(server: &ServedAuthorizationServer) -> usize {
    let all = open(&format!("{}/admin/sessions", server.url())).await;
    all.json().as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn resource_of_a_token_request_is_one_that_the_grant_reaches() {
    let clock = ManualClock::new();
    let client = TestClient::public("two")
        .redirect_uri(CALLBACK)
        .audiences(["https://a.example", "https://b.example"]);
    let server = builder(&clock).client(client).serve().await.expect("up");
    let own = |resource: &'static str| [("client_id", "two"), ("resource", resource)];
    // Without a resource in the authorization request, the grant reaches the first (RFC 8707 s2.2).
    for (asked, good) in [
        ("https://a.example", true),
        ("https://b.example", false),
        ("https://c.example", false),
    ] {
        let code = code(&server, &[("client_id", "two")]).await;
        let answer = redeem(&server, &code, &own(asked)).await;
        if good {
            assert_eq!(payload(&answer.json()["access_token"])["aud"], asked);
            let refresh = answer.json()["refresh_token"].clone();
            let fields = [
                ("client_id", "two"),
                ("grant_type", "refresh_token"),
                ("resource", asked),
                ("refresh_token", refresh.as_str().expect("text")),
            ];
            let url = format!("{}/token", server.url());
            assert_eq!(post(&url, &fields).await.status, 200);
        } else {
            assert_eq!(answer.error(), (400, "invalid_target".into()), "{asked}");
        }
    }
    let code = code(&server, &[("resource", MockIssuer::AUDIENCE)]).await;
    let answer = redeem(&server, &code, &[("resource", MockIssuer::AUDIENCE)]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn claims_of_an_account_cannot_be_those_of_the_token() {
    for name in ["exp", "active", "token_type", "aud", "events"] {
        let user = TestUser::new("a").claim(name, true);
        let started = AuthorizationServer::new(MockIssuer::new())
            .accounts(Accounts::none().user(user))
            .serve()
            .await;
        let error = started.expect_err(name).to_string();
        assert!(error.starts_with("`users[0].claims`"), "{error}");
        let client = TestClient::confidential("a", "b").claim(name, true);
        let started = AuthorizationServer::new(MockIssuer::new())
            .accounts(Accounts::none().client(client))
            .serve()
            .await;
        let error = started.expect_err(name).to_string();
        assert!(error.starts_with("`clients[0].claims`"), "{error}");
    }
    let user = TestUser::new("a").claim("enabled", true);
    let client = TestClient::confidential("a", "b").claim("sub", "machine-7");
    let accounts = Accounts::none().user(user).client(client);
    let issuer = MockIssuer::new().with_algorithms([Algorithm::ES256]);
    let server = AuthorizationServer::new(issuer).accounts(accounts).serve();
    assert!(server.await.is_ok());
}

#[tokio::test]
async fn client_that_could_never_authenticate_is_refused() {
    let server = served(&ManualClock::new()).await;
    let register = async |method: &str| {
        let metadata = json!({"redirect_uris": [CALLBACK], "token_endpoint_auth_method": method,
            "jwks": {"keys": []}});
        let request = http()
            .post(server.url_of(Endpoint::Registration))
            .header("content-type", "application/json")
            .body(metadata.to_string());
        send(request).await
    };
    assert_eq!(
        register("private_key_jwt").await.error(),
        (400, "invalid_client_metadata".into())
    );
    assert_eq!(register("client_secret_post").await.status, 201);
    let text =
        r#"{"clients": [{"id": "a", "token_endpoint_auth_method": "METHOD", "secret": "b"}]}"#;
    assert!(Accounts::from_json(&text.replace("METHOD", "private_key_jwt")).is_err());
    assert!(Accounts::from_json(&text.replace("METHOD", "client_secret_basic")).is_ok());
    let thumbprint = r#"{"clients": [{"id": "a", "certificate_thumbprint": "THUMB"}]}"#;
    let right = "A".repeat(43);
    let in_hex = "AB:CD".to_owned();
    assert!(Accounts::from_json(&thumbprint.replace("THUMB", &right)).is_ok());
    let error = Accounts::from_json(&thumbprint.replace("THUMB", &in_hex)).unwrap_err();
    assert!(error.to_string().contains("certificate_thumbprint"));
}

#[tokio::test]
async fn lifetime_of_any_length_is_kept() {
    let clock = ManualClock::new();
    for (access, refreshing) in [
        (Duration::from_secs(3600), Duration::ZERO),
        (Duration::from_secs(3600), Duration::from_secs(60)),
        (Duration::MAX, Duration::MAX),
    ] {
        let server = builder(&clock)
            .access_token_lifetime(access)
            .refresh_token_lifetime(refreshing)
            .serve()
            .await
            .expect("a free port");
        let code = code(&server, &[]).await;
        let answer = redeem(&server, &code, &[]).await;
        assert_eq!(answer.status, 200, "{access:?} {refreshing:?}: {answer:?}");
        clock.advance(Duration::from_secs(600));
        let tokens = answer.json();
        let bearer = format!("Bearer {}", tokens["access_token"].as_str().expect("text"));
        let about = http().get(server.url_of(Endpoint::UserInfo));
        let about = send(about.header("authorization", bearer)).await;
        assert_eq!(about.status, 200, "{access:?} {refreshing:?}");
        let again = refresh(&server, &tokens["refresh_token"], &[]).await;
        let good = refreshing > Duration::from_secs(600);
        assert_eq!(again.status == 200, good, "{again:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_many_exchange_at_once_is_good_once_and_refresh_too() {
    let server = std::sync::Arc::new(served(&ManualClock::new()).await);
    let many = async |fields: Vec<(&'static str, String)>| {
        let all = (0..16).map(|_| {
            let (server, fields) = (server.clone(), fields.clone());
            tokio::spawn(async move {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|(name, value)| (*name, &**value))
                    .collect();
                post(&server.url_of(Endpoint::Token), &fields).await
            })
        });
        let mut good = Vec::new();
        for answer in all.collect::<Vec<_>>() {
            let answer = answer.await.expect("no panic");
            if answer.status == 200 {
                good.push(answer.json());
            } else {
                assert_eq!(answer.error(), (400, "invalid_grant".into()));
            }
        }
        good
    };
    let text = ToString::to_string;
    let good = many(vec![
        ("grant_type", text("authorization_code")),
        ("client_id", text("spa")),
        ("redirect_uri", text(CALLBACK)),
        ("code", code(&server, &[]).await),
        ("code_verifier", text(super::support::VERIFIER)),
    ])
    .await;
    assert_eq!(good.len(), 1);
    // The second use has ended the tokens of the first.
    assert!(!super::support::is_active(&server, &good[0]["access_token"]).await);
    let tokens = signed_in(&server).await;
    let good = many(vec![
        ("grant_type", text("refresh_token")),
        ("client_id", text("spa")),
        (
            "refresh_token",
            tokens["refresh_token"].as_str().expect("text").to_owned(),
        ),
    ])
    .await;
    assert_eq!(good.len(), 1);
    assert!(!super::support::is_active(&server, &good[0]["access_token"]).await);
}
