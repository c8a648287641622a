//! Dynamic client registration (RFC 7591) and its management (RFC 7592).

use portcullis::test_util::{ManualClock, ServedAuthorizationServer};
use serde_json::{Value, json};

use super::support::{Answer, CALLBACK, code, http, post, redeem, send, served};

async fn register(server: &ServedAuthorizationServer, metadata: &Value) -> Answer {
    let request = http()
        .post(format!("{}/register", server.url()))
        .header("content-type", "application/json")
        .body(metadata.to_string());
    send(request).await
}

#[tokio::test]
async fn registered_public_client_signs_a_user_in() {
    let server = served(&ManualClock::new()).await;
    let metadata = json!({
        "client_name": "Notes",
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "scope": "openid app/read",
        "logo_uri": "https://notes.example/logo.png",
    });
    let answer = register(&server, &metadata).await;
    let told = answer.json();
    assert_eq!(answer.status, 201, "{told}");
    assert_eq!(answer.header("cache-control"), "no-store");
    for member in [
        "client_name",
        "redirect_uris",
        "token_endpoint_auth_method",
        "grant_types",
        "scope",
    ] {
        assert_eq!(told[member], metadata[member]);
    }
    assert!(told["client_id_issued_at"].is_number());
    assert!(told.get("client_secret").is_none() && told.get("logo_uri").is_none());
    let id = told["client_id"].as_str().expect("an id");
    let changed = [("client_id", id), ("scope", "openid app/read")];
    let code = code(&server, &changed).await;
    let tokens = redeem(&server, &code, &[("client_id", id)]).await.json();
    assert!(
        tokens["id_token"].is_string() && tokens["refresh_token"].is_string(),
        "{tokens}"
    );
}

#[tokio::test]
async fn registered_confidential_client_has_a_secret_of_its_own() {
    let server = served(&ManualClock::new()).await;
    let metadata = json!({"grant_types": ["client_credentials"]});
    let told = register(&server, &metadata).await.json();
    assert_eq!(told["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(told["client_secret_expires_at"], 0);
    let text = |member: &str| told[member].as_str().expect("text").to_owned();
    let (id, secret) = (text("client_id"), text("client_secret"));
    let url = format!("{}/token", server.url());
    let request = |secret: &str| {
        let request = http().post(&url).basic_auth(&id, Some(secret));
        request
            .header("content-type", "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials")
    };
    assert_eq!(send(request(&secret)).await.status, 200);
    assert_eq!(
        send(request("wrong")).await.error(),
        (401, "invalid_client".into())
    );
}

#[tokio::test]
async fn registration_is_read_and_deleted_with_its_token() {
    let server = served(&ManualClock::new()).await;
    let metadata = json!({"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"]});
    let told = register(&server, &metadata).await.json();
    let text = |member: &str| told[member].as_str().expect("text").to_owned();
    let (id, url) = (text("client_id"), text("registration_client_uri"));
    let token = format!("Bearer {}", text("registration_access_token"));
    let read = |token: &str| send(http().get(&url).header("authorization", token.to_owned()));
    let mut same = told.clone();
    same.as_object_mut()
        .expect("an object")
        .remove("client_id_issued_at");
    assert_eq!(read(&token).await.json(), same);
    for wrong in ["", "Bearer wrong", &token.replace("Bearer", "Basic")] {
        assert_eq!(read(wrong).await.status, 401, "{wrong}");
        let delete = http().delete(&url).header("authorization", wrong);
        assert_eq!(send(delete).await.status, 401, "{wrong}");
    }
    let other = register(&server, &metadata).await.json();
    let other = other["registration_access_token"]
        .as_str()
        .expect("text")
        .to_owned();
    assert_eq!(read(&format!("Bearer {other}")).await.status, 401);

    let code = code(&server, &[("client_id", &id)]).await;
    let tokens = redeem(&server, &code, &[("client_id", &id)]).await.json();
    let access = tokens["access_token"].as_str().expect("text");
    let deleted = send(http().delete(&url).header("authorization", &token)).await;
    assert_eq!(deleted.status, 204);
    assert_eq!(read(&token).await.status, 401);
    assert_eq!(server.introspection(access), r#"{"active":false}"#);
    let refresh = [
        ("grant_type", "refresh_token"),
        ("client_id", &*id),
        ("refresh_token", "x"),
    ];
    let refused = post(&format!("{}/token", server.url()), &refresh).await;
    assert_eq!(refused.error(), (401, "invalid_client".into()));
}

#[tokio::test]
async fn wrong_metadata_is_refused_by_its_kind() {
    let server = served(&ManualClock::new()).await;
    let good = json!({"redirect_uris": ["https://app.example/cb"]});
    assert_eq!(register(&server, &good).await.status, 201);
    for (metadata, error) in [
        (json!({}), "invalid_redirect_uri"),
        (json!({"redirect_uris": []}), "invalid_redirect_uri"),
        (
            json!({"redirect_uris": "https://app.example/cb"}),
            "invalid_redirect_uri",
        ),
        (
            json!({"redirect_uris": ["http://app.example/cb"]}),
            "invalid_redirect_uri",
        ),
        (
            json!({"redirect_uris": ["https://app.example/cb#x"]}),
            "invalid_redirect_uri",
        ),
        (
            json!({"redirect_uris": [CALLBACK], "grant_types": ["password"]}),
            "invalid_client_metadata",
        ),
        (
            json!({"redirect_uris": [CALLBACK], "response_types": ["token"]}),
            "invalid_client_metadata",
        ),
        (
            json!({"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "magic"}),
            "invalid_client_metadata",
        ),
        (
            json!({"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "private_key_jwt"}),
            "invalid_client_metadata",
        ),
        (
            json!({"redirect_uris": [CALLBACK], "client_name": 1}),
            "invalid_client_metadata",
        ),
        (
            json!({"redirect_uris": [CALLBACK], "scope": "a\"b"}),
            "invalid_client_metadata",
        ),
        (
            json!({"redirect_uris": [CALLBACK], "jwks_uri": "https://app.example/jwks"}),
            "invalid_client_metadata",
        ),
        (
            json!({"redirect_uris": [CALLBACK], "backchannel_logout_uri": "ftp://app.example"}),
            "invalid_client_metadata",
        ),
        (
            json!({"redirect_uris": [CALLBACK], "post_logout_redirect_uris": ["javascript:x"]}),
            "invalid_client_metadata",
        ),
        (
            json!({"grant_types": ["client_credentials"], "token_endpoint_auth_method": "none"}),
            "invalid_client_metadata",
        ),
        (json!([]), "invalid_client_metadata"),
    ] {
        let answer = register(&server, &metadata).await;
        assert_eq!(answer.error(), (400, error.to_owned()), "{metadata}");
    }
    let url = format!("{}/register", server.url());
    let form = http()
        .post(&url)
        .header("content-type", "text/plain")
        .body(good.to_string());
    assert_eq!(
        send(form).await.error(),
        (400, "invalid_client_metadata".into())
    );
    let long = json!({"redirect_uris": [CALLBACK], "client_name": "x".repeat(100_000)});
    assert_eq!(
        register(&server, &long).await.error(),
        (400, "invalid_client_metadata".into())
    );
}
