//! Several tenants of one authorization server that share one key set.

use std::sync::{Arc, Mutex};

use axum::routing::get;
use portcullis::error::ConnectError;
use portcullis::tenant::SubjectId;
use portcullis::test_util::{Fault, MockIssuer, TokenBuilder};
use portcullis::{AccessToken, Algorithm, Issuer, ResourceServer};
use serde_json::{Value, json};

use crate::support::{API, Requests as _, TestApp, trusting};

const TEMPLATE: &str = "https://login.example.com/{tenant}/v2.0";

fn iss(tenant: &str) -> String {
    TEMPLATE.replace("{tenant}", tenant)
}

fn login() -> MockIssuer {
    MockIssuer::named(iss("t-1")).with_algorithms([Algorithm::ES256])
}

fn two() -> Issuer {
    Issuer::oidc_tenants(TEMPLATE, "tid", ["t-1", "t-2"])
}

/// A token as the server issues it to a user of this tenant.
fn of(login: &MockIssuer, tenant: &str) -> TokenBuilder {
    login.token().issuer(&iss(tenant)).claim("tid", tenant)
}

fn server(issuers: impl IntoIterator<Item = Issuer>) -> ResourceServer {
    trusting(issuers)
}

#[tokio::test]
async fn a_listed_tenant_is_admitted_when_iss_and_claim_agree() {
    let login = login();
    let served = login.serve().await;
    let server = server([two().key_set_url(served.key_set_url())])
        .connect()
        .await
        .expect("a runtime");
    let app = TestApp::new(&server);
    for (name, token, expected) in [
        ("the first", of(&login, "t-1"), "200"),
        ("the second", of(&login, "t-2"), "200"),
        (
            "another tenant's claim",
            of(&login, "t-1").claim("tid", "t-2"),
            "401 invalid_token required_value",
        ),
        (
            "no claim",
            of(&login, "t-1").without("tid"),
            "401 invalid_token required_value",
        ),
        (
            "a list of tenants",
            of(&login, "t-1").claim("tid", ["t-1"]),
            "401 invalid_token required_value",
        ),
        (
            "an unlisted tenant",
            of(&login, "t-3"),
            "401 invalid_token unknown_issuer",
        ),
        (
            "an unlisted tenant that claims a listed one",
            of(&login, "t-3").claim("tid", "t-1"),
            "401 invalid_token unknown_issuer",
        ),
        (
            "the template itself",
            of(&login, "t-1").issuer(TEMPLATE),
            "401 invalid_token unknown_issuer",
        ),
        (
            "another letter case",
            of(&login, "T-1"),
            "401 invalid_token unknown_issuer",
        ),
        (
            "a slash more",
            of(&login, "t-1").issuer(&format!("{}/", iss("t-1"))),
            "401 invalid_token unknown_issuer",
        ),
    ] {
        assert_eq!(app.verdict(&token.sign()).await, expected, "{name}");
    }
    assert_eq!(
        served.fetches(),
        1,
        "tokens of unknown tenants cause no fetch"
    );
}

#[tokio::test]
async fn tenants_share_one_fetch_one_status_and_one_rotation() {
    let login = login();
    let served = login.serve().await;
    let server = server([two().key_set_url(served.key_set_url())])
        .connect()
        .await
        .expect("a runtime");
    let app = TestApp::new(&server);
    assert_eq!(served.fetches(), 1);
    let status = server.key_set_status();
    assert_eq!(status.len(), 1);
    assert_eq!(status[0].issuer(), TEMPLATE);
    for name in [TEMPLATE, &iss("t-1"), &iss("t-2")] {
        let keys = server.issuer_keys(name).expect(name);
        assert_eq!(keys.status().len(), 1, "{name}");
    }
    assert!(server.issuer_keys(&iss("t-3")).is_none());
    server.refresh_now().await.expect("the server is up");
    assert_eq!(served.fetches(), 2);
    login.rotate();
    assert_eq!(app.verdict(&of(&login, "t-1").sign()).await, "200");
    assert_eq!(app.verdict(&of(&login, "t-2").sign()).await, "200");
    assert_eq!(served.fetches(), 3, "what one tenant's token asked for");
    served.break_with(Fault::Status(500));
    server.issuer_keys(&iss("t-2")).expect("listed").drop_keys();
    assert_eq!(app.get("/", &of(&login, "t-1").sign()).await.status, 503);
    assert!(!server.ready());
}

#[tokio::test]
async fn ids_of_two_tenants_are_never_equal() {
    let login = login();
    let seen: Arc<Mutex<Vec<SubjectId>>> = Arc::default();
    let noted = Arc::clone(&seen);
    let note = move |token: AccessToken| {
        let subject = token.subject().cloned().expect("a subject");
        noted.lock().expect("no panic").push(subject);
        async {}
    };
    let app = TestApp::behind(server([two().key_set(login.key_set())]).authenticate())
        .route("/", get(note));
    for tenant in ["t-1", "t-2", "t-1"] {
        assert_eq!(
            app.verdict(&of(&login, tenant).subject("u").sign()).await,
            "200"
        );
    }
    let seen = seen.lock().expect("no panic");
    assert_eq!(seen[0].as_str(), seen[1].as_str());
    assert_ne!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
}

#[tokio::test]
async fn a_shared_discovery_document_names_a_tenant_or_leaves_their_place_open() {
    let login = login();
    let served = login.serve().await;
    let document = |issuer: &str| {
        let mut document: Value = serde_json::from_str(&served.discovery_document()).expect("json");
        document["issuer"] = issuer.into();
        Fault::Body(document.to_string().into_bytes())
    };
    for (issuer, accepted) in [
        (TEMPLATE, true),
        ("https://login.example.com/{tenantid}/v2.0", true),
        (&iss("t-1"), true),
        (&iss("t-2"), true),
        (&iss("t-3"), false),
        (&iss("common"), false),
        ("https://login.example.com/{tenantid}/", false),
        ("https://login.example.com/{tenantid}/{version}", false),
        ("https://{tenantid}/t-1/v2.0", false),
        ("https://login.example.com/v2.0", false),
    ] {
        served.break_discovery_with(document(issuer));
        let connected = server([two().discovery_url(served.discovery_url())])
            .connect()
            .await;
        match (connected, accepted) {
            (Ok(server), true) => {
                assert_eq!(
                    TestApp::new(&server)
                        .verdict(&of(&login, "t-2").sign())
                        .await,
                    "200",
                    "{issuer}"
                );
            }
            (
                Err(ConnectError::IssuerMismatch {
                    configured, found, ..
                }),
                false,
            ) => assert_eq!((&*configured, &*found), (TEMPLATE, issuer)),
            (other, _) => panic!("{issuer}: {other:?}"),
        }
    }
}

/// Three published keys: the first names all tenants, the second one, the third none.
fn keys_that_name_issuers(login: &MockIssuer) -> String {
    login.rotate();
    login.rotate();
    let mut set: Value = serde_json::from_str(&login.key_set()).expect("json");
    set["keys"][0]["issuer"] = "https://login.example.com/{tenantid}/v2.0".into();
    set["keys"][1]["issuer"] = iss("t-2").into();
    set.to_string()
}

#[tokio::test]
async fn a_key_that_names_an_issuer_verifies_no_other_ones_tokens() {
    let login = login();
    let keys = keys_that_name_issuers(&login);
    let tenants = TestApp::new(&server([two().key_set(keys.clone())]));
    let lone = TestApp::new(&server([Issuer::oidc(iss("t-1")).key_set(keys)]));
    for (tenant, key, expected) in [
        ("t-1", "key-1", "200"),
        ("t-2", "key-1", "200"),
        ("t-2", "key-2", "200"),
        ("t-1", "key-2", "401 invalid_token foreign_key"),
        ("t-1", "key-3", "200"),
        ("t-2", "key-3", "200"),
    ] {
        let token = of(&login, tenant).key_id(key);
        assert_eq!(
            tenants.verdict(&token.sign()).await,
            expected,
            "{tenant} {key}"
        );
        if tenant == "t-1" {
            let token = of(&login, tenant).key_id(key);
            assert_eq!(lone.verdict(&token.sign()).await, expected, "alone, {key}");
        }
    }
    // Nor where the token names no key.
    let mut named: Value = serde_json::from_str(&login.key_set()).expect("json");
    named["keys"][2]["issuer"] = iss("t-2").into();
    let tenants = TestApp::new(&server([two().key_set(named.to_string())]));
    let unnamed = |tenant| of(&login, tenant).without_header("kid");
    assert_eq!(tenants.verdict(&unnamed("t-2").sign()).await, "200");
    assert_eq!(
        tenants.verdict(&unnamed("t-1").sign()).await,
        "401 invalid_token signature"
    );
}

#[tokio::test]
async fn a_foreign_key_asks_nobody_and_an_odd_name_is_nobodys() {
    let login = login();
    let served = login.serve().await;
    served.break_key_set_with(Fault::Body(keys_that_name_issuers(&login).into()));
    let fetched = server([two().key_set_url(served.key_set_url())])
        .connect()
        .await
        .expect("a runtime");
    let foreign = of(&login, "t-1").key_id("key-2");
    assert_eq!(
        TestApp::new(&fetched).verdict(&foreign.sign()).await,
        "401 invalid_token foreign_key"
    );
    assert_eq!(served.fetches(), 1);

    let mut set: Value = serde_json::from_str(&login.key_set()).expect("json");
    for (name, expected) in [
        (json!(iss("t-1")), "200"),
        (
            json!("https://login.example.com/{tenantid}/"),
            "401 invalid_token foreign_key",
        ),
        (
            json!("https://login.example.com/{a}/{b}"),
            "401 invalid_token foreign_key",
        ),
        // What is no address names no issuer.
        (json!(""), "200"),
        (json!("CN=Example"), "200"),
        (json!("{tenantid}"), "200"),
        (json!([iss("t-2")]), "200"),
        (json!(null), "200"),
    ] {
        set["keys"][0]["issuer"] = name.clone();
        let app = TestApp::new(&server([two().key_set(set.to_string())]));
        let token = of(&login, "t-1").key_id("key-1");
        assert_eq!(app.verdict(&token.sign()).await, expected, "{name}");
    }
}

#[tokio::test]
async fn both_versions_of_entras_tokens_stand_beside_one_another() {
    let tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47";
    let consumers = "9188040d-6c67-4c5b-b112-36a304b66dad";
    let v2 = |tenant: &str| format!("https://login.microsoftonline.com/{tenant}/v2.0");
    let v1 = |tenant: &str| format!("https://sts.windows.net/{tenant}/");
    let login = login();
    let mut named: Value = serde_json::from_str(&login.key_set()).expect("json");
    named["keys"][0]["issuer"] = v2("{tenantid}").into();
    let app = TestApp::new(&server([
        Issuer::oidc_tenants(v2("{tenantid}"), "tid", [tenant]).key_set(named.to_string()),
        // Whoever names the keys' address of the second version here gets its keys' names too.
        Issuer::oidc_tenants(v1("{tenantid}"), "tid", [tenant]).key_set(named.to_string()),
    ]));
    for (name, token, expected) in [
        (
            "v2",
            login.token().issuer(&v2(tenant)).claim("tid", tenant),
            "200",
        ),
        (
            "v1",
            login.token().issuer(&v1(tenant)).claim("tid", tenant),
            "200",
        ),
        (
            "v1, another tenant's claim",
            login.token().issuer(&v1(tenant)).claim("tid", consumers),
            "401 invalid_token required_value",
        ),
        (
            "v2 of another tenant",
            login.token().issuer(&v2(consumers)).claim("tid", consumers),
            "401 invalid_token unknown_issuer",
        ),
    ] {
        assert_eq!(app.verdict(&token.sign()).await, expected, "{name}");
    }
}

#[test]
fn mistakes_about_tenants_are_found_and_named() {
    const KEYS: &str = "https://login.example.com/keys";
    let list = |template: &str, tenants: &[&str]| {
        Issuer::oidc_tenants(template, "tid", tenants.iter().copied()).key_set_url(KEYS)
    };
    let long = "x".repeat(257);
    for (name, issuer, setting) in vec![
        (
            "no place",
            list("https://login.example.com/v2.0", &["t-1"]),
            "oidc_tenants",
        ),
        (
            "two places",
            list("https://login.example.com/{a}/{b}", &["t-1"]),
            "oidc_tenants",
        ),
        (
            "a place without a name",
            list("https://login.example.com/{}", &["t-1"]),
            "oidc_tenants",
        ),
        ("no tenant", list(TEMPLATE, &[]), "oidc_tenants"),
        (
            "an empty tenant",
            list(TEMPLATE, &["t-1", ""]),
            "oidc_tenants",
        ),
        (
            "a tenant twice",
            list(TEMPLATE, &["t-1", "t-1"]),
            "oidc_tenants",
        ),
        ("a path", list(TEMPLATE, &["a/b"]), "oidc_tenants"),
        ("a way up", list(TEMPLATE, &[".."]), "oidc_tenants"),
        (
            "a place as a tenant",
            list(TEMPLATE, &["{tenant}"]),
            "oidc_tenants",
        ),
        ("a blank", list(TEMPLATE, &["t 1"]), "oidc_tenants"),
        ("a blank behind", list(TEMPLATE, &["t-1\n"]), "oidc_tenants"),
        ("a control", list(TEMPLATE, &["t\u{0}"]), "oidc_tenants"),
        ("an escape", list(TEMPLATE, &["t%2f"]), "oidc_tenants"),
        (
            "a host",
            list("https://{tenant}/v2.0", &["login.example.com@evil"]),
            "oidc_tenants",
        ),
        ("a long one", list(TEMPLATE, &[&long]), "oidc_tenants"),
        (
            "a claim without a name",
            Issuer::oidc_tenants(TEMPLATE, "", ["t-1"]).key_set_url(KEYS),
            "oidc_tenants",
        ),
        (
            "no keys",
            Issuer::oidc_tenants(TEMPLATE, "tid", ["t-1"]),
            "key_set_url",
        ),
        (
            "a place in the host",
            list("https://{tenant}.example.com/", &["t-1"]),
            "oidc_tenants",
        ),
        (
            "an endpoint",
            list(TEMPLATE, &["t-1"]).endpoint("https://x.example.com"),
            "endpoint",
        ),
    ] {
        let error = ResourceServer::builder(API)
            .issuer(issuer)
            .build()
            .expect_err(name);
        let text = error.to_string();
        assert_eq!(error.setting(), setting, "{name}: {text}");
        assert!(
            !text.contains('\n') && !text.ends_with('.'),
            "{name}: {text}"
        );
    }
    let twice = ResourceServer::builder(API)
        .issuer(list(TEMPLATE, &["t-1"]))
        .issuer(Issuer::oidc(iss("t-1")));
    assert_eq!(twice.build().expect_err("twice").setting(), "issuer");
}

#[test]
fn their_accepted_twins_build() {
    let login = login();
    for issuer in [
        two().key_set_url("https://login.example.com/keys"),
        two().discovery_url("https://login.example.com/common/.well-known/openid-configuration"),
        two().key_set(login.key_set()),
        two().pem(login.public_key_pem()),
        Issuer::oidc_tenants("https://example.com/{t}", ["org", "id"], ["a.b", "a_b~c"])
            .key_set(login.key_set()),
        Issuer::oidc_tenants("http://127.0.0.1/{t}", "tid", ["t-1"]).key_set(login.key_set()),
        // A name is not an address.
        Issuer::oidc_tenants("http://login.example.com/{t}", "tid", ["t-1"])
            .key_set_url("https://login.example.com/keys"),
    ] {
        let built = ResourceServer::builder(API).issuer(issuer).build();
        assert!(built.is_ok(), "{built:?}");
    }
}
