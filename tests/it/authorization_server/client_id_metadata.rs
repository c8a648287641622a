//! Clients whose id is the URL of their metadata document.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use portcullis::test_util::{Endpoint, ManualClock, ServedAuthorizationServer};
use serde_json::{Value, json};

use super::support::{CALLBACK, authorization_url, code, get as fetch, http, redeem, send, served};

const JSON: &str = "application/json";

/// A site of a client: what it answers, and how often it was asked.
struct Site {
    id: String,
    asked: Arc<AtomicUsize>,
    answer: Arc<Mutex<(u16, &'static str, String)>>,
}

impl Site {
    async fn new() -> Self {
        let (asked, answer) = (Arc::new(AtomicUsize::new(0)), Arc::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let id = format!(
            "http://{}/client.json",
            listener.local_addr().expect("an address")
        );
        let site = Self { id, asked, answer };
        site.publish(200, "application/json", site.document().to_string());
        let (asked, answer) = (Arc::clone(&site.asked), Arc::clone(&site.answer));
        let app = Router::new()
            .route(
                "/client.json",
                get(async move || {
                    asked.fetch_add(1, Ordering::Relaxed);
                    let (status, kind, body) = answer.lock().expect("a lock").clone();
                    let status = http::StatusCode::from_u16(status).expect("a status");
                    let fields = [("content-type", kind), ("location", "/elsewhere.json")];
                    (status, fields, body)
                }),
            )
            .route("/elsewhere.json", get(async || "{}"));
        tokio::spawn(async move { axum::serve(listener, app).await });
        site
    }

    fn document(&self) -> Value {
        json!({"client_id": self.id, "client_name": "Notes", "redirect_uris": [CALLBACK],
            "grant_types": ["authorization_code", "refresh_token"]})
    }

    fn publish(&self, status: u16, kind: &'static str, body: String) {
        *self.answer.lock().expect("a lock") = (status, kind, body);
    }

    /// Whether the server knows the client.
    async fn is_known(&self, server: &ServedAuthorizationServer) -> bool {
        let url = authorization_url(server, &[("client_id", &self.id)]);
        server.sign_in(&url, "user-1").await.is_ok()
    }
}

#[tokio::test]
async fn client_of_a_document_signs_a_user_in_and_is_asked_for_once_a_minute() {
    let clock = ManualClock::new();
    let server = served(&clock).await;
    let metadata: Value = serde_json::from_str(&server.discovery_document()).expect("JSON");
    assert_eq!(metadata["client_id_metadata_document_supported"], true);
    let site = Site::new().await;
    let code = code(&server, &[("client_id", &site.id)]).await;
    let tokens = redeem(&server, &code, &[("client_id", &site.id)])
        .await
        .json();
    assert!(tokens["refresh_token"].is_string(), "{tokens}");
    assert_eq!(site.asked.load(Ordering::Relaxed), 1);
    clock.advance(Duration::from_secs(61));
    assert!(site.is_known(&server).await);
    assert_eq!(site.asked.load(Ordering::Relaxed), 2);
    // Redirect URIs are those of the document.
    let foreign = [
        ("client_id", &*site.id),
        ("redirect_uri", "http://localhost:5173/other"),
    ];
    let refused = server
        .sign_in(&authorization_url(&server, &foreign), "user-1")
        .await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn document_that_is_not_good_makes_no_client_and_is_not_kept() {
    let server = served(&ManualClock::new()).await;
    let site = Site::new().await;
    let good = site.document();
    let with = |name: &str, value: Value| {
        let mut document = good.clone();
        document[name] = value;
        document.to_string()
    };
    for (status, kind, body) in [
        (404, JSON, good.to_string()),
        (201, JSON, good.to_string()),
        (302, JSON, good.to_string()),
        (200, "text/html", good.to_string()),
        (200, JSON, "not json".to_owned()),
        (
            200,
            JSON,
            with("client_id", json!("https://other.example/client.json")),
        ),
        (200, JSON, with("client_secret", json!("secret"))),
        (
            200,
            JSON,
            with("token_endpoint_auth_method", json!("client_secret_post")),
        ),
        (200, JSON, with("redirect_uris", json!([]))),
        (200, JSON, with("padding", json!("x".repeat(6 * 1024)))),
    ] {
        site.publish(status, kind, body.clone());
        assert!(!site.is_known(&server).await, "{status} {kind} {body}");
    }
    site.publish(
        200,
        "application/oauth-client+json; charset=utf-8",
        good.to_string(),
    );
    assert!(site.is_known(&server).await);
}

#[tokio::test]
async fn unsafe_client_id_is_not_fetched() {
    let server = served(&ManualClock::new()).await;
    let site = Site::new().await;
    let host = site
        .id
        .trim_start_matches("http://")
        .trim_end_matches("/client.json");
    for id in [
        format!("http://{host}/x/../client.json"),
        format!("http://user@{host}/client.json"),
        format!("http://{host}/client.json#part"),
        format!("ftp://{host}/client.json"),
        "http://client.example/client.json".to_owned(),
    ] {
        let url = authorization_url(&server, &[("client_id", &id)]);
        assert!(server.sign_in(&url, "user-1").await.is_err(), "{id}");
    }
    assert_eq!(site.asked.load(Ordering::Relaxed), 0);
    assert!(site.is_known(&server).await);
}

#[tokio::test]
async fn client_that_a_page_can_introduce_gets_nothing_without_the_user() {
    let server = served(&ManualClock::new()).await;
    let site = Site::new().await;
    let uris = json!([CALLBACK, "https://site.example/cb"]);
    let document = json!({"client_id": site.id, "redirect_uris": uris});
    site.publish(200, JSON, document.to_string());
    let id = site.id;
    let url = authorization_url(&server, &[]);
    server.sign_in(&url, "user-1").await.expect("a redirect");
    let all = fetch(&format!("{}/admin/sessions", server.url())).await;
    let sid = all.json()[0]["sid"].as_str().expect("a session").to_owned();
    let port = server.url().rsplit(':').next().expect("a port").to_owned();
    let cookie = format!("as_session_{port}={sid}");
    let authorize = async |client: &str, redirect_uri: &str| {
        let changed = [("client_id", client), ("redirect_uri", redirect_uri)];
        let url = authorization_url(&server, &changed);
        send(http().get(url).header("cookie", &cookie)).await
    };
    assert_eq!(authorize("spa", CALLBACK).await.status, 303);
    assert_eq!(authorize(&id, CALLBACK).await.status, 303);
    let page = authorize(&id, "https://site.example/cb").await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("Pick a user"), "{}", page.body);
    // Its origin is that of a site which anyone may have, so that its pages can read nothing here.
    let origin = async |origin: &str| {
        let request = http().get(server.url_of(Endpoint::KeySet));
        let answer = send(request.header("origin", origin)).await;
        answer.header("access-control-allow-origin").to_owned()
    };
    assert_eq!(origin("https://site.example").await, "");
    assert_eq!(origin("http://localhost:1").await, "http://localhost:1");
}
