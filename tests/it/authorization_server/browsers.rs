//! What browsers may do from pages of other origins, and metadata.

use http::StatusCode;
use portcullis::test_util::{ManualClock, TestClient};
use serde_json::json;

use super::support::{authorization_url, builder, get, http, send, served};

#[tokio::test]
async fn metadata_is_one_document_for_both_well_known_paths() {
    let server = served(&ManualClock::new()).await;
    let url = server.url();
    let openid = get(&format!("{url}/.well-known/openid-configuration")).await;
    let oauth = get(&format!("{url}/.well-known/oauth-authorization-server")).await;
    assert_eq!(openid.body, oauth.body);
    assert_eq!(openid.body, server.discovery_document());
    let document = openid.json();
    assert_eq!(document["issuer"], url);
    assert_eq!(
        document["code_challenge_methods_supported"],
        json!(["S256"])
    );
    assert_eq!(
        document["authorization_response_iss_parameter_supported"],
        true
    );
    assert_eq!(
        document["id_token_signing_alg_values_supported"],
        json!(["ES256"])
    );
    let key_set = get(document["jwks_uri"].as_str().expect("a URL")).await;
    assert_eq!(key_set.json()["keys"][0]["kid"], "key-1");
    for endpoint in [
        "authorization",
        "token",
        "userinfo",
        "revocation",
        "introspection",
    ] {
        let endpoint = document[format!("{endpoint}_endpoint")]
            .as_str()
            .expect("a URL");
        assert_ne!(
            get(endpoint).await.status,
            StatusCode::NOT_FOUND,
            "{endpoint}"
        );
    }
    assert_eq!(
        get(&format!("{url}/nothing")).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn cross_origin_answers_are_readable_from_loopback_and_from_origins_of_clients() {
    let clock = ManualClock::new();
    let client = TestClient::public("app").redirect_uri("https://app.example/cb");
    let server = builder(&clock)
        .client(client)
        .serve()
        .await
        .expect("a free port");
    let allowed = async |path: &str, origin: &str| {
        let request = http()
            .get(format!("{}{path}", server.url()))
            .header("origin", origin);
        let answer = send(request).await;
        answer.header("access-control-allow-origin").to_owned()
    };
    for origin in [
        "http://localhost:5173",
        "http://127.0.0.1:1",
        "https://app.example",
    ] {
        for path in [
            "/token",
            "/userinfo",
            "/jwks.json",
            "/revoke",
            "/.well-known/openid-configuration",
        ] {
            assert_eq!(allowed(path, origin).await, origin, "{path}");
        }
    }
    for origin in [
        "https://evil.example",
        "https://app.example.evil.example",
        "null",
        "https://localhost.evil",
    ] {
        assert_eq!(allowed("/userinfo", origin).await, "", "{origin}");
    }
    let page = authorization_url(&server, &[]).replace(server.url(), "");
    assert_eq!(allowed(&page, "http://localhost:5173").await, "");

    let preflight = http()
        .request(http::Method::OPTIONS, format!("{}/token", server.url()))
        .header("origin", "http://localhost:5173")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "dpop");
    let answer = send(preflight).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert!(
        answer
            .header("access-control-allow-headers")
            .contains("DPoP")
    );
    assert!(
        answer
            .header("access-control-allow-methods")
            .contains("POST")
    );
}

#[tokio::test]
async fn host_that_is_not_loopback_is_refused() {
    let server = served(&ManualClock::new()).await;
    let url = format!("{}/jwks.json", server.url());
    for (host, status) in [
        ("localhost:9400", StatusCode::OK),
        ("127.0.0.1", StatusCode::OK),
        ("evil.example", StatusCode::MISDIRECTED_REQUEST),
        ("127.0.0.1.evil.example:80", StatusCode::MISDIRECTED_REQUEST),
    ] {
        let answer = send(http().get(&url).header("host", host)).await;
        assert_eq!(answer.status, status, "{host}");
    }
}
