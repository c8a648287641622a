//! The admin endpoints, faults, and the start of the server.

use http::StatusCode;
use portcullis::test_util::{
    AuthorizationServer, AuthorizationServerError, Endpoint, Fault, ManualClock, MockIssuer,
    ServedAuthorizationServer,
};
use serde_json::{Value, json};

use super::support::{
    Answer, builder, get, http, is_active, refresh, send, served, signed_in, verdict,
};

async fn admin(server: &ServedAuthorizationServer, path: &str, body: &Value) -> Answer {
    let request = http().post(format!("{}/admin/{path}", server.url()));
    let request = request
        .header("content-type", "application/json")
        .body(body.to_string());
    send(request).await
}

/// Whether the key set is answered, over a connection of its own.
async fn fetched(server: &ServedAuthorizationServer) -> Result<StatusCode, reqwest::Error> {
    let request = http().get(server.url_of(Endpoint::KeySet));
    request.send().await.map(|response| response.status())
}

#[tokio::test]
async fn admin_rotates_and_retires_keys() {
    let clock = ManualClock::new();
    let server = served(&clock).await;
    let old = signed_in(&server).await;
    let answer = admin(&server, "keys/rotate", &json!({})).await;
    assert_eq!(answer.json()["keys"], json!(["key-1", "key-2"]));
    assert_eq!(verdict(&server, &clock, &old["access_token"]).await, "200");
    let answer = admin(&server, "keys/retire", &json!({})).await;
    assert_eq!(answer.json()["keys"], json!(["key-2"]));
    assert_eq!(
        verdict(&server, &clock, &old["access_token"]).await,
        "401 invalid_token unknown_key"
    );
    let new = signed_in(&server).await;
    assert_eq!(verdict(&server, &clock, &new["access_token"]).await, "200");
}

#[tokio::test]
async fn admin_switches_an_outage_on_and_off() {
    let server = served(&ManualClock::new()).await;
    assert_eq!(fetched(&server).await.ok(), Some(StatusCode::OK));
    assert_eq!(
        admin(&server, "outage", &json!({"on": true})).await.status,
        StatusCode::OK
    );
    assert!(fetched(&server).await.is_err());
    let status = get(&format!("{}/admin", server.url())).await.json();
    assert!(
        status["failing"]
            .as_array()
            .expect("a list")
            .contains(&json!("/token"))
    );
    admin(&server, "outage", &json!({"on": false})).await;
    assert_eq!(fetched(&server).await.ok(), Some(StatusCode::OK));
    server.stop();
    assert!(fetched(&server).await.is_err());
    server.restart();
    assert_eq!(fetched(&server).await.ok(), Some(StatusCode::OK));
    assert_eq!(server.requests(Endpoint::KeySet), 5);
}

#[tokio::test]
async fn admin_fails_one_endpoint_and_recovers() {
    let server = served(&ManualClock::new()).await;
    let fail = async |fault: Value| {
        admin(
            &server,
            "faults",
            &json!({"endpoint": "/jwks.json", "fault": fault}),
        )
        .await
    };
    for (fault, expected) in [
        (json!({"status": 503}), Some(503)),
        (json!({"too_many_requests": 7}), Some(429)),
        (json!({"body": "{}"}), Some(200)),
        (json!({"redirect": "http://127.0.0.1:1/"}), Some(302)),
        (json!({"slow_body": 0}), Some(200)),
        (json!("refuse"), None),
    ] {
        assert_eq!(fail(fault.clone()).await.status, StatusCode::OK, "{fault}");
        let found = fetched(&server).await.ok().map(|status| status.as_u16());
        assert_eq!(found, expected, "{fault}");
    }
    fail(json!("cut_body")).await;
    let cut = http()
        .get(server.url_of(Endpoint::KeySet))
        .send()
        .await
        .expect("a head");
    assert!(cut.content_length() > Some(0));
    assert!(cut.text().await.is_err());
    fail(json!("hang")).await;
    let hanging = tokio::spawn(http().get(server.url_of(Endpoint::KeySet)).send());
    let recovered = send(http().delete(format!("{}/admin/faults", server.url()))).await;
    assert_eq!(recovered.status, StatusCode::OK);
    let answer = hanging.await.expect("no panic").expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    server.break_endpoint_with(Endpoint::Token, Fault::Status(500));
    assert_eq!(fetched(&server).await.ok(), Some(StatusCode::OK));
    for wrong in [
        json!({"endpoint": "/x", "fault": "hang"}),
        json!({"endpoint": "/token"}),
        json!({"x": 1}),
    ] {
        assert_eq!(
            admin(&server, "faults", &wrong).await.error(),
            (400, "invalid_request".into())
        );
    }
}

#[tokio::test]
async fn admin_lists_sessions_and_ends_one_with_its_tokens() {
    let server = served(&ManualClock::new()).await;
    let (mine, others) = (signed_in(&server).await, signed_in(&server).await);
    let sessions = format!("{}/admin/sessions", server.url());
    let all = get(&sessions).await.json();
    assert_eq!(all.as_array().expect("a list").len(), 2);
    assert_eq!(
        (&all[0]["sub"], &all[0]["clients"]),
        (&json!("user-1"), &json!(["spa"]))
    );
    let sid = super::support::payload(&mine["access_token"])["sid"].clone();
    let one = format!("{sessions}/{}", sid.as_str().expect("a session"));
    assert_eq!(
        send(http().delete(&one)).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        send(http().delete(&one)).await.status,
        StatusCode::NOT_FOUND
    );
    assert!(!is_active(&server, &mine["access_token"]).await);
    let refused = refresh(&server, &mine["refresh_token"], &[]).await;
    assert_eq!(refused.error(), (400, "invalid_grant".into()));
    assert!(is_active(&server, &others["access_token"]).await);
}

#[tokio::test]
async fn admin_refuses_pages_of_other_origins_and_may_be_left_out() {
    let clock = ManualClock::new();
    let server = served(&clock).await;
    let rotate = |server: &ServedAuthorizationServer| {
        http().post(format!("{}/admin/keys/rotate", server.url()))
    };
    let as_form = rotate(&server)
        .header("content-type", "text/plain")
        .body("{}");
    assert_eq!(
        send(as_form).await.status,
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    let json =
        |request: reqwest::RequestBuilder| request.header("content-type", "application/json");
    let elsewhere = json(rotate(&server)).header("origin", "https://evil.example");
    assert_eq!(send(elsewhere).await.status, StatusCode::FORBIDDEN);
    assert_eq!(server.key_ids().len(), 1);
    let here = json(rotate(&server)).header("origin", "http://localhost:5173");
    assert_eq!(send(here).await.status, StatusCode::OK);
    let without = builder(&clock)
        .without_admin()
        .serve()
        .await
        .expect("a free port");
    assert_eq!(
        send(json(rotate(&without))).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn address_beyond_loopback_is_refused_unless_danger_allows_it() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let error = AuthorizationServer::new(MockIssuer::new())
            .listen(address)
            .serve()
            .await;
        let error = error.expect_err("beyond loopback");
        assert!(
            matches!(error, AuthorizationServerError::BeyondLoopback(_)),
            "{error}"
        );
        assert!(error.to_string().contains("danger()"));
    }
    for address in [
        "",
        "9400",
        "example.com:9400",
        "127.0.0.1:99999",
        "localhost",
    ] {
        let error = AuthorizationServer::new(MockIssuer::new())
            .listen(address)
            .serve()
            .await;
        assert!(
            matches!(error, Err(AuthorizationServerError::Address(_))),
            "{address}"
        );
    }
    let issuer = || MockIssuer::new().with_algorithms([portcullis::Algorithm::ES256]);
    let open = AuthorizationServer::new(issuer())
        .listen("0.0.0.0:0")
        .danger()
        .listen_beyond_loopback();
    let open = open
        .base_url("http://issuer.test:9400")
        .serve()
        .await
        .expect("a free port");
    assert_eq!(
        (open.url(), &*open.issuer()),
        ("http://issuer.test:9400", "http://issuer.test:9400")
    );
    let named = AuthorizationServer::new(issuer())
        .listen("localhost:0")
        .serve()
        .await;
    let named = named.expect("a free port");
    assert!(named.url().starts_with("http://localhost:"));
    let taken = named.url().replace("http://localhost", "127.0.0.1");
    let error = AuthorizationServer::new(issuer())
        .listen(taken)
        .serve()
        .await;
    assert!(matches!(error, Err(AuthorizationServerError::Bind(..))));
}

#[tokio::test]
async fn dropped_handle_ends_the_server() {
    let server = served(&ManualClock::new()).await;
    let url = server.url_of(Endpoint::KeySet);
    let client = http();
    assert!(client.get(&url).send().await.is_ok());
    drop(server);
    // The listener closes when its task runs.
    while client.get(&url).send().await.is_ok() {
        tokio::task::yield_now().await;
    }
}
