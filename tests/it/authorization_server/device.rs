//! The device grant (RFC 8628): the device asks, the user decides on the page.

use std::time::Duration;

use portcullis::test_util::{ManualClock, MockIssuer, ServedAuthorizationServer};
use serde_json::Value;

use super::support::{Answer, encoded, get, http, payload, post, send, served};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

async fn begin(server: &ServedAuthorizationServer) -> Value {
    let fields = [("client_id", "device"), ("scope", "openid app/read")];
    let answer = post(&format!("{}/device_authorization", server.url()), &fields).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

async fn poll(server: &ServedAuthorizationServer, code: &Value) -> Answer {
    let code = code["device_code"].as_str().expect("a device code");
    poll_as(server, "device", code).await
}

async fn poll_as(server: &ServedAuthorizationServer, client: &str, code: &str) -> Answer {
    let fields = [
        ("grant_type", GRANT),
        ("client_id", client),
        ("device_code", code),
    ];
    post(&format!("{}/token", server.url()), &fields).await
}

/// What the user does on the page: `subject` or `deny`.
async fn decide(
    server: &ServedAuthorizationServer,
    code: &Value,
    decision: (&str, &str),
) -> Answer {
    let page = get(code["verification_uri_complete"].as_str().expect("a URL")).await;
    assert_eq!(page.status, 200, "{page:?}");
    let cookie = page
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap_or_default()
        .to_owned();
    let (_, rest) = page
        .body
        .split_once("name=\"csrf\" value=\"")
        .expect("a form");
    let (csrf, _) = rest.split_once('"').expect("a value");
    let user_code = code["user_code"].as_str().expect("a code");
    send_decision(
        server,
        &cookie,
        &[("user_code", user_code), ("csrf", csrf), decision],
    )
    .await
}

async fn send_decision(
    server: &ServedAuthorizationServer,
    cookie: &str,
    fields: &[(&str, &str)],
) -> Answer {
    let request = http()
        .post(format!("{}/device", server.url()))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("cookie", cookie)
        .body(encoded(fields));
    send(request).await
}

const INTERVAL: Duration = Duration::from_secs(5);

#[tokio::test]
async fn device_gets_tokens_once_the_user_allows_it() {
    let clock = ManualClock::new();
    let server = served(&clock).await;
    let code = begin(&server).await;
    assert_eq!(
        (&code["interval"], &code["expires_in"]),
        (&5.into(), &600.into())
    );
    assert_eq!(code["verification_uri"], format!("{}/device", server.url()));
    assert_eq!(
        poll(&server, &code).await.error(),
        (400, "authorization_pending".into())
    );
    assert_eq!(
        decide(&server, &code, ("subject", "user-1")).await.status,
        200
    );
    clock.advance(INTERVAL);
    let tokens = poll(&server, &code).await.json();
    assert_eq!(payload(&tokens["access_token"])["sub"], "user-1");
    assert_eq!(payload(&tokens["id_token"])["aud"], "device");
    assert_eq!(tokens["scope"], "openid app/read");
    // The refresh token is good, and the device code is not good twice.
    let refresh = tokens["refresh_token"].as_str().expect("a refresh token");
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", "device"),
        ("refresh_token", refresh),
    ];
    assert_eq!(
        post(&format!("{}/token", server.url()), &fields)
            .await
            .status,
        200
    );
    clock.advance(INTERVAL);
    assert_eq!(
        poll(&server, &code).await.error(),
        (400, "invalid_grant".into())
    );
}

#[tokio::test]
async fn device_names_a_resource_that_its_grant_reaches() {
    let clock = ManualClock::new();
    let server = served(&clock).await;
    let code = begin(&server).await;
    decide(&server, &code, ("subject", "user-1")).await;
    let ask = async |resource: &str| {
        let fields = [
            ("grant_type", GRANT),
            ("client_id", "device"),
            ("device_code", code["device_code"].as_str().expect("a code")),
            ("resource", resource),
        ];
        post(&format!("{}/token", server.url()), &fields).await
    };
    let other = ask("https://other.example").await;
    assert_eq!(other.error(), (400, "invalid_target".into()));
    clock.advance(INTERVAL);
    assert_eq!(ask(MockIssuer::AUDIENCE).await.status, 200);
}

#[tokio::test]
async fn device_is_told_that_the_user_denied_it() {
    let clock = ManualClock::new();
    let server = served(&clock).await;
    let code = begin(&server).await;
    assert_eq!(decide(&server, &code, ("deny", "yes")).await.status, 200);
    assert_eq!(
        poll(&server, &code).await.error(),
        (400, "access_denied".into())
    );
}

#[tokio::test]
async fn device_that_asks_too_often_is_slowed_down() {
    let clock = ManualClock::new();
    let server = served(&clock).await;
    let code = begin(&server).await;
    let pending = (400, "authorization_pending".to_owned());
    let slower = (400, "slow_down".to_owned());
    assert_eq!(poll(&server, &code).await.error(), pending);
    clock.advance(Duration::from_secs(4));
    assert_eq!(poll(&server, &code).await.error(), slower);
    // The interval is 10 seconds from now on.
    clock.advance(INTERVAL);
    assert_eq!(poll(&server, &code).await.error(), slower);
    clock.advance(Duration::from_secs(15));
    assert_eq!(poll(&server, &code).await.error(), pending);
}

#[tokio::test]
async fn device_code_expires() {
    let clock = ManualClock::new();
    let server = served(&clock).await;
    let code = begin(&server).await;
    clock.advance(Duration::from_secs(599));
    assert_eq!(
        poll(&server, &code).await.error(),
        (400, "authorization_pending".into())
    );
    clock.advance(INTERVAL);
    assert_eq!(
        poll(&server, &code).await.error(),
        (400, "expired_token".into())
    );
    let page = get(code["verification_uri_complete"].as_str().expect("a URL")).await;
    assert_eq!(page.status, 400);
}

#[tokio::test]
async fn device_code_is_good_for_its_client_alone() {
    let clock = ManualClock::new();
    let device = portcullis::test_util::TestClient::public("other-device").grant_types([GRANT]);
    let server = super::support::builder(&clock)
        .client(device)
        .serve()
        .await
        .expect("a free port");
    let code = begin(&server).await;
    let text = code["device_code"].as_str().expect("a device code");
    assert_eq!(
        poll_as(&server, "other-device", text).await.error(),
        (400, "invalid_grant".into())
    );
    assert_eq!(
        poll_as(&server, "device", "unknown").await.error(),
        (400, "invalid_grant".into())
    );
    assert_eq!(
        poll_as(&server, "device", text).await.error(),
        (400, "authorization_pending".into())
    );
}

#[tokio::test]
async fn device_authorization_is_for_clients_that_are_registered_for_it() {
    let server = served(&ManualClock::new()).await;
    let url = format!("{}/device_authorization", server.url());
    for (client, error) in [
        ("spa", (400, "unauthorized_client")),
        ("unknown", (401, "invalid_client")),
    ] {
        let answer = post(&url, &[("client_id", client)]).await;
        assert_eq!(answer.error(), (error.0, error.1.to_owned()), "{client}");
    }
    assert_eq!(post(&url, &[("client_id", "device")]).await.status, 200);
}

#[tokio::test]
async fn device_page_takes_the_code_in_any_writing_and_no_form_of_another_site() {
    let server = served(&ManualClock::new()).await;
    let code = begin(&server).await;
    let user_code = code["user_code"].as_str().expect("a code");
    let page = |typed: &str| {
        format!(
            "{}/device?{}",
            server.url(),
            encoded(&[("user_code", typed)])
        )
    };
    let typed = user_code.replace('-', " ").to_lowercase();
    assert!(get(&page(&typed)).await.body.contains(user_code));
    assert_eq!(get(&page("BBBB-BBBB")).await.status, 400);
    let empty = get(&format!("{}/device", server.url())).await;
    assert_eq!(empty.status, 200);
    let hostile = get(&page("\"><script>")).await;
    assert!(!hostile.body.contains("<script>"), "{}", hostile.body);
    let fields = [
        ("user_code", user_code),
        ("csrf", "guessed"),
        ("subject", "user-1"),
    ];
    assert_eq!(send_decision(&server, "", &fields).await.status, 400);
    assert_eq!(
        poll(&server, &code).await.error(),
        (400, "authorization_pending".into())
    );
}

#[tokio::test]
async fn metadata_names_the_device_authorization_endpoint() {
    let server = served(&ManualClock::new()).await;
    let metadata: Value = serde_json::from_str(&server.discovery_document()).expect("JSON");
    let endpoint = format!("{}/device_authorization", server.url());
    assert_eq!(metadata["device_authorization_endpoint"], endpoint);
    let grants = metadata["grant_types_supported"]
        .as_array()
        .expect("a list");
    assert!(grants.contains(&GRANT.into()));
}
