//! Where discovery looks, on a real socket: behind the path of the issuer, and before it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use http::{StatusCode, Uri};
use portcullis::error::ConnectError;
use portcullis::test_util::MockIssuer;
use portcullis::{Algorithm, Issuer, ResourceServer};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::support::{API, Requests as _, TestApp, trusting};

/// A server on loopback that has the pages it is given, and notes what it is asked for.
struct Site {
    origin: String,
    pages: Arc<Mutex<BTreeMap<String, String>>>,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Site {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let pages: Arc<Mutex<BTreeMap<String, String>>> = Arc::default();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (shown, noted) = (Arc::clone(&pages), Arc::clone(&asked));
        let app = Router::new().fallback(move |uri: Uri| {
            let page = shown.lock().expect("no panic").get(uri.path()).cloned();
            noted.lock().expect("no panic").push(uri.path().to_owned());
            async move { page.ok_or(StatusCode::NOT_FOUND) }
        });
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, app).await;
        });
        Self {
            origin,
            pages,
            asked,
            task,
        }
    }

    /// Has the issuer's keys, and its document at this place alone.
    fn publish(&self, place: &str, issuer: &MockIssuer) {
        let document = json!({
            "issuer": issuer.issuer(),
            "jwks_uri": format!("{}/keys", self.origin),
        });
        let mut pages = self.pages.lock().expect("no panic");
        pages.clear();
        pages.insert("/keys".to_owned(), issuer.key_set());
        pages.insert(place.to_owned(), document.to_string());
    }

    /// What was asked for since the last time.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().expect("no panic"))
    }
}

fn named(name: &str) -> MockIssuer {
    MockIssuer::named(name).with_algorithms([Algorithm::ES256])
}

fn server(issuer: Issuer) -> ResourceServer {
    trusting([issuer])
}

#[tokio::test]
async fn the_document_is_found_behind_the_path_and_in_both_places_before_it() {
    let site = Site::open().await;
    let issuer = named(&format!("{}/realms/main", site.origin));
    let places = [
        "/realms/main/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/realms/main",
        "/.well-known/openid-configuration/realms/main",
    ];
    for (tried, place) in places.iter().enumerate() {
        site.publish(place, &issuer);
        let server = server(Issuer::oidc(issuer.issuer()));
        let server = server.connect().await.expect("a runtime");
        let answer = TestApp::new(&server).get("/", &issuer.token().sign()).await;
        assert_eq!(answer.verdict(), "200", "{place}");
        let mut expected = places[..=tried].to_vec();
        expected.push("/keys");
        assert_eq!(site.asked(), expected);
    }
    site.publish("/elsewhere", &issuer);
    let server = server(Issuer::oidc(issuer.issuer()));
    let server = server.connect().await.expect("down is a status");
    assert_eq!(site.asked(), places);
    assert!(!server.ready());
}

#[tokio::test]
async fn an_issuer_without_a_path_has_two_places() {
    let site = Site::open().await;
    let issuer = named(&site.origin);
    let places = [
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
    ];
    for place in places {
        site.publish(place, &issuer);
        let server = server(Issuer::oidc(issuer.issuer()));
        let server = server.connect().await.expect("a runtime");
        let answer = TestApp::new(&server).get("/", &issuer.token().sign()).await;
        assert_eq!(answer.verdict(), "200", "{place}");
    }
    site.asked();
    site.publish("/elsewhere", &issuer);
    let _ = server(Issuer::oidc(issuer.issuer())).connect().await;
    assert_eq!(site.asked(), places);
}

#[tokio::test]
async fn a_slash_at_the_end_makes_another_issuer() {
    let site = Site::open().await;
    let place = "/realms/main/.well-known/openid-configuration";
    let plain = named(&format!("{}/realms/main", site.origin));
    let slash = named(&format!("{}/realms/main/", site.origin));
    for (own, other) in [(&plain, &slash), (&slash, &plain)] {
        site.publish(place, own);
        let server = server(Issuer::oidc(own.issuer()));
        let server = server.connect().await.expect("it names its own name");
        let app = TestApp::new(&server);
        assert_eq!(app.get("/", &own.token().sign()).await.verdict(), "200");
        let other = own.token().issuer(&other.issuer()).sign();
        assert_eq!(
            app.get("/", &other).await.verdict(),
            "401 invalid_token unknown_issuer"
        );
    }
    site.publish(place, &plain);
    let mismatch = server(Issuer::oidc(slash.issuer())).connect().await;
    assert!(
        matches!(mismatch, Err(ConnectError::IssuerMismatch { .. })),
        "{mismatch:?}"
    );
    let both = ResourceServer::builder(API)
        .issuer(plain.trusted())
        .issuer(slash.trusted())
        .build()
        .expect("two issuers");
    let app = TestApp::new(&both);
    for (name, token, expected) in [
        ("plain", plain.token(), "200"),
        ("slash", slash.token(), "200"),
        (
            "one's key, the other's name",
            plain.token().issuer(&slash.issuer()),
            "401 invalid_token signature",
        ),
    ] {
        assert_eq!(
            app.get("/", &token.sign()).await.verdict(),
            expected,
            "{name}"
        );
    }
}

#[tokio::test]
async fn refresh_error_names_each_issuer_its_kind_and_its_cause() {
    use portcullis::error::RefreshErrorKind;
    use std::error::Error as _;

    let site = Site::open().await;
    let server = || {
        let issuer = |name: &str| {
            Issuer::oidc(format!("https://{name}.example.com"))
                .key_set_url(format!("{}/{name}", site.origin))
        };
        ResourceServer::builder(API)
            .issuer(issuer("one"))
            .issuer(issuer("two"))
            .build()
            .expect("sound")
    };
    let unconnected = server().refresh_now().await.expect_err("no task");
    assert_eq!(unconnected.kind(), RefreshErrorKind::NotRunning);
    let connected = server().connect().await.expect("a runtime");
    let failed = connected.refresh_now().await.expect_err("no page");
    let mut issuers: Vec<_> = failed.causes().filter_map(|cause| cause.issuer()).collect();
    issuers.sort_unstable();
    assert_eq!(
        issuers,
        ["https://one.example.com", "https://two.example.com"]
    );
    assert!(
        failed
            .causes()
            .all(|cause| cause.kind() == RefreshErrorKind::Failed)
    );
    let source = failed.source().expect("a cause").to_string();
    assert!(failed.to_string().starts_with(&source));
    assert_eq!(failed.clone(), failed);
}
