//! The way to an issuer's documents: a bearer token in a file, roots in files, another origin of the key set.

use std::sync::{Arc, Mutex};

use http::Response;
use portcullis::test_util::MockIssuer;
use portcullis::{Algorithm, Issuer, ResourceServer};
use serde_json::json;

use crate::support::certificate::{Authority, Host};
use crate::support::endpoint::{Endpoint, raw};
use crate::support::folder::Folder;
use crate::support::tls_key_set::TlsKeySet;
use crate::support::{API, Requests as _, TestApp, trusting};

async fn connected(issuer: Issuer) -> (ResourceServer, TestApp) {
    let server = trusting([issuer])
        .connect()
        .await
        .expect("down is a status");
    let app = TestApp::new(&server);
    (server, app)
}

/// An API server that demands a bearer token, and names this address as that of its keys.
async fn cluster(issuer: &MockIssuer, demanded: &Arc<Mutex<String>>, keys_at: &str) -> Endpoint {
    let (name, key_set) = (issuer.issuer(), issuer.key_set());
    let (demanded, keys_at) = (Arc::clone(demanded), keys_at.to_owned());
    Endpoint::doing(move |question| {
        let demanded = format!("Bearer {}", demanded.lock().expect("no panic"));
        if question.header("authorization") != demanded {
            return Response::builder()
                .status(401)
                .body(axum::body::Body::empty())
                .expect("an answer");
        }
        let body = match &*question.target {
            "/openid/v1/jwks" => key_set.clone(),
            _ => json!({"issuer": name, "jwks_uri": keys_at}).to_string(),
        };
        raw(200, "application/json", body)
    })
    .await
}

fn cluster_issuer() -> MockIssuer {
    MockIssuer::named("https://kubernetes.default.svc.cluster.local")
}

/// Nothing listens there.
const UNREACHABLE: &str = "https://127.0.0.1:1/openid/v1/jwks";

#[tokio::test]
async fn bearer_token_file_is_sent_for_documents_and_read_anew_when_it_rotates() {
    let (folder, issuer) = (Folder::new(), cluster_issuer());
    let demanded = Arc::new(Mutex::new("sa-token".to_owned()));
    let api = cluster(&issuer, &demanded, UNREACHABLE).await;
    let file = folder.write("token", "sa-token\n");
    let at = || {
        Issuer::oidc(issuer.issuer())
            .discovery_url(format!("{}/.well-known/openid-configuration", api.origin()))
            .key_set_origin(api.origin())
    };

    let (without, app) = connected(at()).await;
    let token = issuer.token().sign();
    assert_eq!(app.verdict(&token).await, "503 unavailable keys_not_loaded");
    let status = without.key_set_status().remove(0);
    let error = status.last_error().expect("a cause");
    assert!(error.ends_with("answered 401"), "{error}");

    let (server, app) = connected(at().bearer_token_file(&file)).await;
    assert_eq!(app.verdict(&token).await, "200");
    *demanded.lock().expect("no panic") = "sa-token-2".to_owned();
    server.refresh_now().await.expect_err("the old token");
    folder.write("token", "\r\nsa-token-2\r\n");
    server.refresh_now().await.expect("the new token");
    assert_eq!(server.key_set_status()[0].failures(), 0);
}

#[tokio::test]
async fn bearer_token_file_is_sent_to_no_origin_that_a_document_names() {
    let (folder, issuer) = (Folder::new(), cluster_issuer());
    let demanded = Arc::new(Mutex::new("sa-token".to_owned()));
    let key_set = issuer.key_set();
    let elsewhere = Endpoint::doing(move |_| raw(200, "application/json", key_set.clone())).await;
    let keys_at = format!("{}/openid/v1/jwks", elsewhere.origin());
    let api = cluster(&issuer, &demanded, &keys_at).await;
    let file = folder.write("token", "sa-token");
    let at = || {
        Issuer::oidc(issuer.issuer())
            .discovery_url(format!("{}/.well-known/openid-configuration", api.origin()))
            .bearer_token_file(&file)
    };
    let (_, app) = connected(at()).await;
    assert_eq!(app.verdict(&issuer.token().sign()).await, "200");
    assert_eq!(api.last().header("authorization"), "Bearer sa-token");
    assert_eq!(elsewhere.calls(), 1);
    assert_eq!(elsewhere.last().header("authorization"), "");
    // Named by a setting it is one of the issuer's own.
    let (_, app) = connected(at().key_set_origin(elsewhere.origin())).await;
    assert_eq!(app.verdict(&issuer.token().sign()).await, "200");
    assert_eq!(elsewhere.last().header("authorization"), "Bearer sa-token");
}

#[tokio::test]
async fn bearer_token_file_that_holds_no_token_is_a_failed_fetch_that_names_it() {
    let (folder, issuer) = (Folder::new(), cluster_issuer());
    let key_set = issuer.key_set();
    let api = Endpoint::doing(move |_| raw(200, "application/json", key_set.clone())).await;
    let at = |path| {
        Issuer::oidc(issuer.issuer())
            .key_set_url(format!("{}/keys", api.origin()))
            .bearer_token_file(path)
    };
    let (_, app) = connected(at(folder.write("good", "sa-token"))).await;
    assert_eq!(app.verdict(&issuer.token().sign()).await, "200");
    let before = api.calls();
    for path in [
        folder.path().join("missing"),
        folder.path().to_owned(),
        folder.write("empty", "\n"),
        folder.write("two", "one\ntwo"),
        folder.write("binary", [0, 159, 146, 150]),
        folder.write("long", "a".repeat((64 << 10) + 1)),
    ] {
        let name = path.display().to_string();
        let (server, app) = connected(at(path)).await;
        let answer = app.verdict(&issuer.token().sign()).await;
        assert_eq!(answer, "503 unavailable keys_not_loaded", "{name}");
        let status = server.key_set_status().remove(0);
        let error = status.last_error().expect("a cause");
        assert!(error.contains(&name), "{error}");
        assert!(!error.contains("two\n"), "{error}");
    }
    assert_eq!(api.calls(), before, "nothing was asked without the token");
}

#[tokio::test]
async fn key_set_origin_replaces_that_of_the_discovered_address() {
    let issuer = cluster_issuer();
    let (name, key_set) = (issuer.issuer(), issuer.key_set());
    let api = Endpoint::doing(move |question| {
        let body = match &*question.target {
            "/openid/v1/jwks" => key_set.clone(),
            _ => json!({"issuer": name, "jwks_uri": UNREACHABLE}).to_string(),
        };
        raw(200, "application/json", body)
    })
    .await;
    let at = || {
        let document = format!("{}/.well-known/openid-configuration", api.origin());
        Issuer::oidc(issuer.issuer()).discovery_url(document)
    };
    let token = issuer.token().sign();
    let (server, app) = connected(at()).await;
    assert_eq!(app.verdict(&token).await, "503 unavailable keys_not_loaded");
    let status = server.key_set_status().remove(0);
    let error = status.last_error().expect("a cause");
    assert!(error.contains("127.0.0.1:1"), "{error}");
    let (_, app) = connected(at().key_set_origin(api.origin())).await;
    assert_eq!(app.verdict(&token).await, "200");
    let (_, app) = connected(at().key_set_origin(format!("{}/", api.origin()))).await;
    assert_eq!(app.verdict(&token).await, "200", "with a slash at its end");
}

#[tokio::test]
async fn root_certificate_file_is_trusted_and_read_again_when_the_authority_changes() {
    let folder = Folder::new();
    let issuer = MockIssuer::named("https://issuer.test").with_algorithms([Algorithm::ES256]);
    let (old, new) = (Authority::new("the old one"), Authority::new("the new one"));
    let vault = TlsKeySet::open(old.vouch(Host::Loopback), issuer.key_set()).await;
    let file = folder.path().join("ca.crt");
    let at = |url: &str| {
        Issuer::oidc(issuer.issuer())
            .key_set_url(url)
            .root_certificate_file(&file)
    };
    let token = issuer.token().sign();
    let (server, app) = connected(at(&vault.url)).await;
    assert_eq!(app.verdict(&token).await, "503 unavailable keys_not_loaded");
    let status = server.key_set_status().remove(0);
    let error = status.last_error().expect("a cause");
    assert!(error.contains("ca.crt"), "{error}");
    for content in ["", "no certificate", &issuer.public_key_pem()] {
        folder.write("ca.crt", content);
        server.refresh_now().await.expect_err("no certificate");
    }
    folder.write("ca.crt", new.pem());
    server.refresh_now().await.expect_err("another authority");
    folder.write("ca.crt", old.pem());
    server.refresh_now().await.expect("its authority");
    assert_eq!(app.verdict(&token).await, "200");

    // Without the file, what it held counts.
    std::fs::remove_file(&file).expect("the file");
    server.refresh_now().await.expect("what was read before");

    let vault = TlsKeySet::open(new.vouch(Host::Loopback), issuer.key_set()).await;
    folder.write("ca.crt", old.pem());
    let (server, _) = connected(at(&vault.url)).await;
    server.refresh_now().await.expect_err("another authority");
    folder.write("ca.crt", format!("{}{}", old.pem(), new.pem()));
    server.refresh_now().await.expect("both are trusted");
}

#[test]
fn key_access_settings_that_contradict_others_are_mistakes() {
    let mistake = |issuer: Issuer| {
        let built = ResourceServer::builder(API).issuer(issuer).build();
        built
            .err()
            .map(|error| (error.setting(), error.to_string()))
    };
    let oidc = || Issuer::oidc("https://issuer.test");
    let key_set = || cluster_issuer().key_set();
    for good in [
        oidc().bearer_token_file("/token"),
        oidc()
            .key_set_url("https://a.test/keys")
            .bearer_token_file("/token"),
        oidc().key_set_origin("https://a.test:8443"),
        oidc().root_certificate_file("/ca.crt"),
    ] {
        assert_eq!(mistake(good), None);
    }
    for (issuer, setting) in [
        (oidc().bearer_token_file(""), "bearer_token_file"),
        (
            oidc().bearer_token_file("/token").key_set(key_set()),
            "bearer_token_file",
        ),
        (
            oidc().bearer_token_file("/token").danger().plain_http(),
            "bearer_token_file",
        ),
        (
            oidc().bearer_token_file("/a").bearer_token_file("/b"),
            "bearer_token_file",
        ),
        (oidc().root_certificate_file(""), "root_certificate_file"),
        (oidc().key_set_origin("http://a.test"), "key_set_origin"),
        (
            oidc().key_set_origin("https://a.test/keys"),
            "key_set_origin",
        ),
        (oidc().key_set_origin("https://a.test?b"), "key_set_origin"),
        (oidc().key_set_origin(""), "key_set_origin"),
        (
            oidc().key_set_origin("https://a.test").key_set(key_set()),
            "key_set_origin",
        ),
        (
            oidc()
                .key_set_url("https://b.test/keys")
                .key_set_origin("https://a.test"),
            "key_set_origin",
        ),
    ] {
        let (found, text) = mistake(issuer).expect(setting);
        assert_eq!(found, setting, "{text}");
    }
}
