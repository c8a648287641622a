//! A token among the subprotocols of a WebSocket, as a browser's script sends it.

use axum::Router;
use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::routing::any;
use http::{Method, Request, Version};
use portcullis::AccessToken;
use portcullis::test_util::MockIssuer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{API, Requests as _, TestApp, server};

fn app(issuer: &MockIssuer) -> TestApp {
    TestApp::behind(server(issuer)
                .authenticate()
                .optional()
                .danger()
                .token_subprotocol("bearer"))
        .route("/", any(|_: AccessToken| async {}))
        .route(
            "/optional",
            any(|token: Option<AccessToken>| async move {
                [("x-has-token", token.is_some().to_string())]
            }),
        )
}

/// The verdict on a request with these fields.
async fn verdict(
    app: &TestApp,
    (method, version): (Method, Version),
    fields: &[(&str, &str)],
) -> String {
    let mut verdicts = Vec::new();
    for path in ["/", "/optional"] {
        let mut request = Request::builder()
            .method(&method)
            .uri(path)
            .version(version);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).expect("a request");
        let answer = app.exchange(request).await;
        let anonymous = path == "/optional" && answer.header("x-has-token") == Some("false");
        verdicts.push(if anonymous {
            "anonymous".to_owned()
        } else {
            answer.verdict()
        });
    }
    verdicts.dedup();
    verdicts.join(", ")
}

const H1: (Method, Version) = (Method::GET, Version::HTTP_11);
const H2: (Method, Version) = (Method::CONNECT, Version::HTTP_2);

#[tokio::test]
async fn subprotocol_holds_the_token_behind_its_marker_and_nothing_else_does() {
    let issuer = MockIssuer::new();
    let app = app(&issuer);
    let token = issuer.token().audience(API).sign();
    let good = format!("bearer, {token}");
    let own_before = format!("chat.v1,superchat , bearer,\t{token}");
    let two = format!("bearer, {token}, {token}");
    let two_pairs = format!("bearer, {token}, bearer, {token}");
    let own_behind = format!("bearer, {token}, chat.v1");
    let other_case = format!("Bearer, {token}");
    let expired = issuer.token().audience(API).expired().sign();
    let expired = format!("bearer, {expired}");
    let quoted = format!("bearer, \"{token}\"");
    let several = "400 invalid_request several_credentials";
    let empty = "400 invalid_request no_credentials";
    let no_token = "401 missing_token, anonymous";
    for (list, expected) in [
        (&*good, "200"),
        (&own_before, "200"),
        (&format!(",,bearer,,{token},"), "200"),
        (&expired, "401 invalid_token expired"),
        ("bearer, garbage", "401 invalid_token malformed"),
        ("bearer, a b", "400 invalid_request not_a_token"),
        (&quoted, "400 invalid_request not_a_token"),
        ("bearer", empty),
        ("chat, bearer", empty),
        ("bearer, ", empty),
        (&two, several),
        (&two_pairs, several),
        (&own_behind, several),
        ("bearer, bearer", several),
        // No marker, no credential.
        (&token, no_token),
        (&other_case, no_token),
        ("chat, superchat", no_token),
        ("", no_token),
    ] {
        for (way, opens) in [
            (H1, ("upgrade", "websocket")),
            (H2, ("sec-websocket-version", "13")),
        ] {
            let fields = [opens, ("sec-websocket-protocol", list)];
            let found = verdict(&app, way.clone(), &fields).await;
            assert_eq!(found, expected, "{way:?} {list}");
        }
    }
    // Several fields are one list.
    let first = ("sec-websocket-protocol", "chat, bearer");
    let second = ("sec-websocket-protocol", &*token);
    let upgrade = ("upgrade", "h2c, WebSocket");
    assert_eq!(verdict(&app, H1, &[upgrade, first, second]).await, "200");
    // One credential in all sources.
    let bearer = format!("Bearer {token}");
    let fields = [
        upgrade,
        ("sec-websocket-protocol", &*good),
        ("authorization", &bearer),
    ];
    assert_eq!(verdict(&app, H1, &fields).await, several);
}

#[tokio::test]
async fn field_of_subprotocols_is_no_token_header() {
    use http::header::SEC_WEBSOCKET_PROTOCOL;

    let issuer = MockIssuer::new();
    let token = issuer.token().audience(API).sign();
    let layer = || server(&issuer).authenticate().danger();
    let alone = layer().token_header(SEC_WEBSOCKET_PROTOCOL);
    let both = layer()
        .token_subprotocol("bearer")
        .danger()
        .token_header(SEC_WEBSOCKET_PROTOCOL);
    for (layer, list, expected) in [
        (&alone, token.clone(), "401 missing_token"),
        (&both, token.clone(), "401 missing_token"),
        (&both, format!("bearer, {token}"), "200"),
    ] {
        let app = TestApp::behind(layer.clone()).route("/", any(|_: AccessToken| async {}));
        let fields = [("upgrade", "websocket"), ("sec-websocket-protocol", &*list)];
        let answer = app.send("/", &fields).await;
        assert_eq!(answer.verdict(), expected, "{list}");
    }
}

#[tokio::test]
async fn subprotocol_counts_for_requests_that_open_a_websocket_alone() {
    let issuer = MockIssuer::new();
    let app = app(&issuer);
    let token = issuer.token().audience(API).sign();
    let list = format!("bearer, {token}");
    let field = ("sec-websocket-protocol", &*list);
    let version = ("sec-websocket-version", "13");
    let upgrade = ("upgrade", "websocket");
    for (way, fields, expected) in [
        (H1, &[field, upgrade][..], "200"),
        (H2, &[field, version], "200"),
        (H1, &[field], "401 missing_token"),
        (H1, &[field, version], "401 missing_token"),
        (H1, &[field, ("upgrade", "h2c")], "401 missing_token"),
        (H1, &[field, ("upgrade", "websocket2")], "401 missing_token"),
        (
            (Method::POST, Version::HTTP_11),
            &[field, upgrade],
            "401 missing_token",
        ),
        (
            (Method::CONNECT, Version::HTTP_11),
            &[field, version],
            "401 missing_token",
        ),
        (
            (Method::GET, Version::HTTP_2),
            &[field, upgrade, version],
            "401 missing_token",
        ),
        (H2, &[field], "401 missing_token"),
    ] {
        assert_eq!(
            verdict(&app, way.clone(), fields).await,
            expected,
            "{way:?} {fields:?}"
        );
    }
}

#[tokio::test]
async fn websocket_opens_by_its_subprotocol_and_the_token_is_not_repeated() {
    let issuer = MockIssuer::new();
    let app = TestApp::behind(
        server(&issuer)
            .authenticate()
            .danger()
            .token_subprotocol("bearer"),
    )
    .route(
        "/",
        any(|_: AccessToken, upgrade: WebSocketUpgrade| async {
            upgrade.protocols(["bearer"]).on_upgrade(|_| async {})
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, Router::from(app)).await });
    let open = async |token: &str| {
        let mut stream = tokio::net::TcpStream::connect(address)
            .await
            .expect("a server");
        let request = format!(
            "GET / HTTP/1.1\r\nhost: a.test\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: bearer, {token}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("an answer"));
        }
        String::from_utf8(head).expect("text").to_ascii_lowercase()
    };
    let token = issuer.token().audience(API).sign();
    let opened = open(&token).await;
    assert!(opened.starts_with("http/1.1 101"), "{opened}");
    assert!(
        opened.contains("sec-websocket-protocol: bearer\r\n"),
        "{opened}"
    );
    assert!(!opened.contains(&token.to_ascii_lowercase()), "{opened}");
    let refused = open(&issuer.token().audience(API).expired().sign()).await;
    assert!(refused.starts_with("http/1.1 401"), "{refused}");
}
