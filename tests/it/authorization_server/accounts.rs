//! Users and clients from a file: what is read, and where a mistake is.

use portcullis::test_util::{
    Accounts, AuthorizationServer, AuthorizationServerError, ManualClock, MockIssuer, TestClient,
    TestUser,
};

use super::support::{builder, code, payload, redeem};

const TEXT: &str = r#"{
  "users": [
    {"subject": "alice", "name": "Alice", "kind": "editor", "claims": {"role": "editor"}},
    {"subject": "bob"}
  ],
  "clients": [
    {"id": "web", "secret": "s", "redirect_uris": ["https://app.example/cb"], "scopes": ["openid"]},
    {
      "id": "spa",
      "redirect_uris": ["http://localhost/cb"],
      "grant_types": ["authorization_code"]
    }
  ]
}"#;

fn mistake(text: &str) -> (String, usize, String) {
    match Accounts::from_json(text) {
        Err(AuthorizationServerError::Accounts {
            path,
            line,
            problem,
            ..
        }) => (path, line.expect("a line"), problem),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn accounts_of_a_file_sign_in() {
    let clock = ManualClock::new();
    let accounts = Accounts::from_json(TEXT).expect("no mistake");
    let server = builder(&clock)
        .accounts(accounts)
        .serve()
        .await
        .expect("a free port");
    let uri = ("redirect_uri", "http://localhost:1/cb");
    let url = super::support::authorization_url(&server, &[uri]);
    let back = server.sign_in(&url, "alice").await.expect("a redirect");
    let code_of_alice = super::support::parameter(&back, "code").expect("a code");
    let tokens = redeem(&server, &code_of_alice, &[uri]).await.json();
    assert_eq!(payload(&tokens["access_token"])["role"], "editor");
    assert!(
        tokens.get("refresh_token").is_none(),
        "the client may not refresh"
    );
    assert!(
        server.sign_in(&url, "user-1").await.is_err(),
        "no prepared user is left"
    );
}

#[test]
fn accounts_with_a_mistake_are_refused_with_its_place() {
    for (from, to, path, line, problem) in [
        (
            r#""kind""#,
            r#""kid""#,
            "users[0].kid",
            3,
            "unknown field `kid`",
        ),
        (r#""bob""#, "7", "users[1].subject", 4, "invalid type"),
        (
            r#""bob""#,
            r#""alice""#,
            "users[1].subject",
            4,
            "`alice` stands there twice",
        ),
        (
            r#"{"role""#,
            r#"{"iss""#,
            "users[0].claims",
            3,
            "the claim `iss`",
        ),
        (r#""users""#, r#""user""#, "user", 2, "unknown field `user`"),
        (r#""s""#, r#""""#, "clients[0].secret", 7, "empty"),
        (
            "https://app",
            "http://app",
            "clients[0].redirect_uris",
            7,
            "not on loopback",
        ),
        (
            r#"["openid"]"#,
            r#"["a b"]"#,
            "clients[0].scopes",
            7,
            "`a b` is no scope token",
        ),
        (
            r#""spa""#,
            r#""web""#,
            "clients[1].id",
            9,
            "`web` stands there twice",
        ),
        (
            r#""authorization_code""#,
            r#""password""#,
            "clients[1].grant_types",
            11,
            "`password` is none of",
        ),
        (
            r#""authorization_code""#,
            r#""client_credentials""#,
            "clients[1].grant_types",
            11,
            "public client",
        ),
        (
            r#""id": "spa","#,
            "",
            "clients[1]",
            12,
            "missing field `id`",
        ),
        (
            r#"["authorization_code"]"#,
            r#"["authorization_code""#,
            "clients[1].grant_types",
            12,
            "expected",
        ),
    ] {
        let text = TEXT.replacen(from, to, 1);
        assert_ne!(text, TEXT);
        let (found, at, what) = mistake(&text);
        assert!(found.starts_with(path), "{to}: {found}: {what}");
        assert_eq!(at, line, "{to}: {what}");
        assert!(what.contains(problem), "{to}: {what}");
    }
    assert!(Accounts::from_json(TEXT).is_ok());
    assert!(toml::from_str::<Accounts>("[[users]]\nsubject = \"alice\"\n").is_ok());
    let error = toml::from_str::<Accounts>("[[users]]\nsubject = \"alice\"\nage = 7\n")
        .expect_err("a mistake");
    assert!(error.to_string().contains("line 3"), "{error}");
}

#[tokio::test]
async fn accounts_of_code_are_checked_at_the_start() {
    for (client, path) in [
        (
            TestClient::public("a").redirect_uri("http://app.example/"),
            "clients[0].redirect_uris",
        ),
        (
            TestClient::public("a").grant_types(["implicit"]),
            "clients[0].grant_types",
        ),
        (
            TestClient::public("a").token_endpoint_auth_method("x"),
            "clients[0].token_endpoint_auth_method",
        ),
        (TestClient::confidential("a", ""), "clients[0].secret"),
    ] {
        let accounts = Accounts::none().client(client);
        let server = AuthorizationServer::new(MockIssuer::new()).accounts(accounts);
        let error = server.serve().await.expect_err("a mistake");
        assert!(
            error.to_string().starts_with(&format!("`{path}`: ")),
            "{error}"
        );
    }
    let accounts = Accounts::none().user(TestUser::new("a").claim("exp", 1));
    let error = AuthorizationServer::new(MockIssuer::new())
        .accounts(accounts)
        .serve()
        .await;
    assert!(error.expect_err("a mistake").to_string().contains("`exp`"));
    let secret = TestClient::confidential("web", "hidden-secret");
    assert!(
        !format!("{secret:?} {:?}", Accounts::none().client(secret.clone())).contains("hidden")
    );
    let clock = ManualClock::new();
    let server = builder(&clock).serve().await.expect("a free port");
    assert!(!code(&server, &[]).await.is_empty());
}

#[test]
fn error_about_accounts_shows_no_secret() {
    for secret in ["12345678", "true", "98.76", "[\"hunter2\"]"] {
        let text = format!(r#"{{"clients": [{{"id": "web", "secret": {secret}}}]}}"#);
        let error = Accounts::from_json(&text).expect_err(secret).to_string();
        assert!(error.contains("`clients[0].secret`"), "{error}");
        let shown = secret.trim_matches(['[', ']', '"']);
        assert!(!error.contains(shown), "{error}");
    }
    let text = r#"{"clients": [{"id": "web", "redirect_uris": 5}]}"#;
    let error = Accounts::from_json(text).expect_err("a number").to_string();
    assert!(error.contains('5'), "{error}");
}

#[test]
fn backchannel_logout_uri_can_be_called() {
    for (uri, good) in [
        ("https://app.example/logout", true),
        ("http://127.0.0.1:5173/logout", true),
        ("com.example.app:/logout", false),
    ] {
        let text = format!(r#"{{"clients": [{{"id": "a", "backchannel_logout_uri": "{uri}"}}]}}"#);
        assert_eq!(Accounts::from_json(&text).is_ok(), good, "{uri}");
    }
}
