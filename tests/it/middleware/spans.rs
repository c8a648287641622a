//! Events: what operators read, and that no token, claim or key stands in it.

use axum::Router;
use axum::routing::get;
use portcullis::test_util::MockIssuer;
use portcullis::{AccessToken, Identity, Issuer, ResourceServer, TenantClaims, WorkspaceAccess};

use crate::support::logs::Logs;
use crate::support::{API, Requests as _, TestApp, trusting};

#[tokio::test]
async fn events_name_kind_fault_and_issuer_and_no_secret() {
    let logs = Logs::default();
    let _listening = logs.listen();

    let issuer = MockIssuer::new();
    let served = issuer.serve().await;
    let server = trusting([served.trusted().tenant_claims(TenantClaims::aworld())])
        .connect()
        .await
        .expect("up");
    let app = TestApp::behind(server.authenticate().context("app"))
        .route("/", get(|_: AccessToken| async {}))
        .route(
            "/debug",
            get(|token: AccessToken, who: Identity| async move { format!("{token:?} {who:?}") }),
        )
        .route(
            "/workspaces/{workspace_id}",
            get(|access: WorkspaceAccess| async move { format!("{access:?}") }),
        );
    let user = issuer.aworld_user().claim("secret", "s3cr3t-claim");
    let tokens = [
        user.sign(),
        user.clone().expired().sign(),
        user.tampered_payload(),
        user.clone().key_id("evil\r\n\u{1b}[31mkey").sign(),
        issuer.refresh_token(),
    ];
    let mut shown = String::new();
    {
        let span = tracing::info_span!(
            "request",
            auth.issuer = tracing::field::Empty,
            auth.caller = tracing::field::Empty,
            auth.binding = tracing::field::Empty,
            auth.refusal = tracing::field::Empty
        );
        let _entered = span.enter();
        shown.push_str(&app.get("/", &tokens[0]).await.body);
        shown.push_str(&app.get("/", &tokens[1]).await.body);
    }
    for token in &tokens {
        for path in ["/", "/debug", "/workspaces/acme-prod", "/workspaces/other"] {
            shown.push_str(&app.get(path, token).await.body);
        }
    }
    app.send("/", &[("authorization", "Basic c2VjcmV0")]).await;
    let text = logs.text();
    for expected in [
        "token admitted",
        "caller=user",
        "auth.caller=user",
        "auth.binding=none",
        "kind=invalid_token fault=expired",
        "issuer=http",
        "auth.refusal=invalid_token",
        "kind=wrong_tenant",
        "kind=missing_token",
        "the key set is fresh",
        "evil\\r\\n\\u{1b}[31mkey",
        issuer.issuer().as_str(),
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    for secret in [
        "s3cr3t-claim",
        "acme",
        "user-1",
        "c2VjcmV0",
        "\u{1b}",
        "evil\r",
    ]
    .into_iter()
    .chain(tokens.iter().map(String::as_str))
    .chain(tokens.iter().filter_map(|token| token.rsplit('.').next()))
    {
        assert!(!text.contains(secret), "{secret:?} is in an event:\n{text}");
        assert!(
            !shown.contains(secret),
            "{secret:?} is in a `Debug`:\n{shown}"
        );
    }
}

#[tokio::test]
async fn whoever_writes_events_down_may_ask_for_the_status() {
    let issuer = MockIssuer::new();
    let served = issuer.serve().await;
    let server = trusting([served.trusted()]);
    let asked = server.clone();
    let logs = Logs::asking(move || drop(asked.key_set_status()));
    let _listening = logs.listen();
    let server = server.connect().await.expect("up");
    served.break_with(portcullis::test_util::Fault::Status(500));
    assert!(server.refresh_now().await.is_err());
    assert!(logs.text().contains("the key set could not be refreshed"));
}

#[tokio::test]
async fn a_route_without_a_layer_is_told_to_the_operator() {
    let logs = Logs::default();
    let _listening = logs.listen();
    let app = Router::new().route("/", get(|_: AccessToken| async {}));
    assert_eq!(app.send("/", &[]).await.status, 500);
    assert!(
        logs.text().contains("kind=not_authenticated"),
        "{}",
        logs.text()
    );
}

#[tokio::test]
async fn forgotten_connect_is_one_event_at_error_and_a_reason_of_its_own() {
    let logs = Logs::default();
    let _listening = logs.listen();
    let issuer = MockIssuer::new();
    let served = issuer.serve().await;
    let build = || trusting([served.trusted()]);
    let app = |server: &ResourceServer| TestApp::new(server);
    let token = issuer.token().sign();
    let server = build();
    let forgotten = app(&server);
    for _ in 0..3 {
        let answer = forgotten.get("/", &token).await;
        assert_eq!(answer.verdict(), "503 unavailable not_connected");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    // What needs no keys is answered as ever.
    let expired = issuer.token().expired().sign();
    let answer = forgotten.get("/", &expired).await;
    assert_eq!(answer.verdict(), "401 invalid_token expired");
    let loud = |text: &str| {
        text.matches("`connect()` was never called, so no keys")
            .count()
    };
    assert_eq!(loud(&logs.text()), 1, "{}", logs.text());
    // A layer that was made before takes the keys that come now.
    server.connect().await.expect("a runtime");
    assert_eq!(forgotten.get("/", &token).await.verdict(), "200");
    // Static keys need no `connect`.
    let fixed = trusting([issuer.trusted()]);
    assert_eq!(app(&fixed).get("/", &token).await.verdict(), "200");
    // An issuer that is down is no forgotten `connect`.
    let down = Issuer::oidc(issuer.issuer()).key_set_url("http://127.0.0.1:9/jwks.json");
    let down = ResourceServer::builder(API).issuer(down).build();
    let down = down.expect("sound").connect().await.expect("a runtime");
    let answer = app(&down).get("/", &token).await;
    assert_eq!(answer.verdict(), "503 unavailable keys_not_loaded");
    assert_eq!(loud(&logs.text()), 1);
}
