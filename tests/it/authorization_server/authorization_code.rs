//! The authorization code grant: the code, its use, and every mistake beside what is accepted.

use http::StatusCode;
use portcullis::ResourceServer;
use portcullis::test_util::{ManualClock, MockIssuer};
use serde_json::json;

use super::support::{authorization_url, code, parameter, payload, redeem, served, signed_in};

#[tokio::test]
async fn authorization_code_yields_tokens_that_a_resource_server_accepts() {
    let clock = ManualClock::new();
    let server = served(&clock).await;
    let tokens = signed_in(&server).await;
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["expires_in"], 3600);
    assert_eq!(tokens["scope"], "openid email app/read");
    let access = payload(&tokens["access_token"]);
    assert_eq!(access["sub"], "user-1");
    assert_eq!(access["workspaceId"], "acme-prod");
    assert_eq!(access["client_id"], "spa");
    assert!(access.get("email").is_none());
    let id = payload(&tokens["id_token"]);
    assert_eq!(
        (&id["aud"], &id["nonce"]),
        (&json!("spa"), &json!("nonce-1"))
    );
    assert_eq!(id["email"], "ada@example.com");
    let api = ResourceServer::builder(MockIssuer::AUDIENCE)
        .issuer(server.trusted())
        .clock(clock.clone())
        .build()
        .expect("a sound configuration")
        .connect()
        .await
        .expect("a server that answers");
    let request = |token: &serde_json::Value| {
        let value = format!("Bearer {}", token.as_str().expect("a token"));
        let mut headers = http::HeaderMap::new();
        headers.insert("authorization", value.parse().expect("a field value"));
        headers
    };
    let verdict = api
        .authenticate_headers(&request(&tokens["access_token"]))
        .await;
    assert!(verdict.is_ok());
    let verdict = api
        .authenticate_headers(&request(&tokens["id_token"]))
        .await;
    assert!(verdict.is_err());
}
