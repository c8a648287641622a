//! Servers whose issuer is of a vendor's kind: its tokens have the vendor's shape, and the vendor's preset accepts
//! them.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use portcullis::test_util::{
    AuthorizationServer, ManualClock, MockIssuer, ServedAuthorizationServer, TestUser,
};
use portcullis::{AccessToken, Algorithm, ResourceServer};
use serde_json::Value;
use tower::ServiceExt as _;

use super::support::{get as fetch, payload, posting, send, signed_in};

const DIRECTORY: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

async fn served(issuer: MockIssuer, clock: &ManualClock) -> ServedAuthorizationServer {
    let issuer = issuer
        .with_algorithms([Algorithm::ES256])
        .with_clock(clock.clone());
    let ada = TestUser::new("user-1")
        .claim("name", "Ada")
        .claim("email", "ada@example.com");
    AuthorizationServer::new(issuer)
        .user(ada)
        .serve()
        .await
        .expect("a free port")
}

/// Who calls, as an API behind the vendor's preset sees it.
async fn caller(server: &ServedAuthorizationServer, clock: &ManualClock, token: &Value) -> String {
    async fn whoami(token: AccessToken) -> String {
        let client = token
            .client_id()
            .map(ToString::to_string)
            .unwrap_or_default();
        let scope: Vec<_> = token
            .scope()
            .iter()
            .map(|scope| scope.to_string())
            .collect();
        format!("{client} {}", scope.join(","))
    }
    let api = ResourceServer::builder(MockIssuer::AUDIENCE)
        .issuer(server.trusted())
        .clock(clock.clone())
        .build()
        .expect("sound")
        .connect()
        .await
        .expect("the server is up");
    let app = Router::new()
        .route("/", get(whoami))
        .layer(api.authenticate());
    let token = token.as_str().expect("a token");
    let request = http::Request::get("/")
        .header("authorization", format!("Bearer {token}"))
        .body(Body::empty())
        .expect("a request");
    let answer = app.oneshot(request).await.expect("infallible");
    let status = answer.status();
    let body = axum::body::to_bytes(answer.into_body(), 1000)
        .await
        .expect("a body");
    if status == 200 {
        String::from_utf8(body.to_vec()).expect("text")
    } else {
        status.as_u16().to_string()
    }
}

#[tokio::test]
async fn tokens_of_a_vendors_kind_are_accepted_by_its_preset_and_id_tokens_are_not() {
    let clock = ManualClock::new();
    for issuer in [
        MockIssuer::keycloak("https://id.example.com", "main"),
        MockIssuer::entra(DIRECTORY),
        MockIssuer::auth0("example.eu.auth0.com"),
        MockIssuer::okta("example.okta.com", "default"),
    ] {
        let server = served(issuer, &clock).await;
        let name = server.issuer();
        let tokens = signed_in(&server).await;
        let access = &tokens["access_token"];
        assert_eq!(
            caller(&server, &clock, access).await,
            "spa openid,email,app/read",
            "{name}"
        );
        assert_eq!(
            caller(&server, &clock, &tokens["id_token"]).await,
            "401",
            "{name}"
        );
        // The person of the token is the one who signed in.
        let stated = payload(access);
        assert!(
            stated.get("name").is_none_or(|stated| stated == "Ada"),
            "{stated}"
        );
        let fields = [("grant_type", "client_credentials"), ("scope", "app/read")];
        let request = posting(&format!("{}/token", server.url()), &fields);
        let machine = send(request.basic_auth("machine", Some("machine-secret")))
            .await
            .json();
        let machine = &machine["access_token"];
        assert_eq!(
            caller(&server, &clock, machine).await,
            "machine app/read",
            "{name}"
        );
    }
}

#[tokio::test]
async fn metadata_and_keys_of_a_vendors_kind_are_at_its_paths() {
    let clock = ManualClock::new();
    let server = served(
        MockIssuer::keycloak("https://id.example.com", "main"),
        &clock,
    )
    .await;
    let url = server.url();
    let metadata = fetch(&format!(
        "{url}/realms/main/.well-known/openid-configuration"
    ))
    .await
    .json();
    assert_eq!(metadata["issuer"], "https://id.example.com/realms/main");
    let keys = format!("{url}/realms/main/protocol/openid-connect/certs");
    assert_eq!(metadata["jwks_uri"], keys);
    assert_eq!(fetch(&keys).await.body, server.key_set());
    assert_eq!(
        fetch(&format!("{url}/realms/other/certs")).await.status,
        404
    );
}
