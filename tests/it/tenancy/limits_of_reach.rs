//! Single conditions between a caller and more reach, or between a token and more keys: each test
//! fails when that condition alone is left out.

use axum::routing::get;
use portcullis::tenant::{AccountId, WorkspaceId};
use portcullis::test_util::{ManualClock, MockIssuer};
use portcullis::{AccessToken, Identity, Issuer, ResourceServer, TenantClaims, WorkspaceAccess};
use serde_json::{Value, json};

use crate::support::endpoint::Endpoint;
use crate::support::introspection::{builder, issuer as introspected, with};
use crate::support::{API, Requests as _, TestApp, trusting};

fn behind(issuer: Issuer, context: &str) -> TestApp {
    let server = ResourceServer::builder(API)
        .issuer(issuer)
        .workspace_directory(portcullis::tenant::workspace_directory_fn(
            |workspace: WorkspaceId| async move {
                let owner = workspace.as_str().split('-').next().unwrap_or_default();
                Ok(Some(AccountId::new(owner)?))
            },
        ))
        .build()
        .expect("sound");
    let kind = |caller: Identity| async move {
        match caller {
            Identity::User(_) => "user",
            Identity::Principal(_) => "principal",
            Identity::Client(_) => "client",
            Identity::Subject(_) => "subject",
        }
    };
    TestApp::behind(server.authenticate().context(context).admit_principals())
        .route("/who", get(kind))
        .route(
            "/accounts/{account_id}/workspaces/{workspace_id}",
            get(|_: WorkspaceAccess| async { "in" }),
        )
}

fn pool() -> (MockIssuer, Issuer) {
    let issuer = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf");
    let rules = TenantClaims::aworld()
        .portal_client(MockIssuer::PORTAL_CLIENT_ID)
        .principals_reach(["acme", "globex"]);
    let trusted = issuer.trusted().tenant_claims(rules);
    (issuer, trusted)
}

#[tokio::test]
async fn principal_enters_a_workspace_under_its_owners_account_alone() {
    let (issuer, trusted) = pool();
    let app = behind(trusted, "app");
    let token = issuer.aworld_principal().sign();
    for (path, expected) in [
        ("/accounts/acme/workspaces/acme-prod", "200"),
        ("/accounts/globex/workspaces/globex-prod", "200"),
        // Both accounts are within reach, and the workspace is another's than the path says.
        ("/accounts/globex/workspaces/acme-prod", "403 wrong_tenant"),
        ("/accounts/acme/workspaces/globex-prod", "403 wrong_tenant"),
    ] {
        assert_eq!(app.get(path, &token).await.verdict(), expected, "{path}");
    }
}

#[tokio::test]
async fn principal_is_one_in_the_portals_context_alone() {
    let (issuer, trusted) = pool();
    let portal = behind(trusted.clone(), "portal");
    let app = behind(trusted, "app");
    let principal = issuer.aworld_principal();
    let who = async |app: &TestApp, context: &str| {
        let token = principal.clone().context(context).sign();
        app.get("/who", &token).await.body
    };
    assert_eq!(who(&portal, "portal").await, "principal");
    assert_eq!(who(&app, "app").await, "subject");
}

fn app(server: &ResourceServer) -> TestApp {
    TestApp::behind(server.authenticate()).route("/", get(|_: AccessToken| async { "ok" }))
}

fn with_keys(issuer: &MockIssuer, keys: &[Value]) -> Option<TestApp> {
    let trusted = Issuer::oidc(issuer.issuer()).key_set(json!({ "keys": keys }).to_string());
    let built = ResourceServer::builder(API).issuer(trusted).build();
    built.ok().map(|server| app(&server))
}

fn own_key(issuer: &MockIssuer) -> Value {
    let set: Value = serde_json::from_str(&issuer.key_set()).expect("json");
    set["keys"][0].clone()
}

#[tokio::test]
async fn key_beyond_the_limit_of_a_set_verifies_nothing() {
    let issuer = MockIssuer::new();
    let token = issuer.token().sign();
    let (own, other) = (own_key(&issuer), own_key(&MockIssuer::new()));
    let set = |count: usize| {
        let mut keys: Vec<Value> = (0..count)
            .map(|number| {
                let mut key = other.clone();
                key["kid"] = format!("filler-{number}").into();
                key
            })
            .collect();
        keys.push(own.clone());
        keys
    };
    let most = with_keys(&issuer, &set(99)).expect("a hundred keys");
    assert_eq!(most.get("/", &token).await.verdict(), "200");
    if let Some(more) = with_keys(&issuer, &set(100)) {
        let verdict = more.get("/", &token).await.verdict();
        assert_eq!(verdict, "401 invalid_token unknown_key");
    }
}

#[tokio::test]
async fn key_id_of_an_unusable_entry_is_not_tried_with_keys_without_an_id() {
    let issuer = MockIssuer::new();
    let mut without_id = own_key(&issuer);
    without_id.as_object_mut().expect("an object").remove("kid");
    let unusable = json!({"kty": "RSA", "kid": "broken", "n": "AQ", "e": "AQAB"});
    let app = with_keys(&issuer, &[without_id, unusable]).expect("one good key");
    let with_id = |id: &str| issuer.token().header("kid", id).sign();
    // An id that the set does not have may be that of a key without one.
    assert_eq!(app.get("/", &with_id("other")).await.verdict(), "200");
    assert_ne!(app.get("/", &with_id("broken")).await.verdict(), "200");
}

#[tokio::test]
async fn empty_audience_list_is_never_as_good_as_none() {
    let pool = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf");
    let server = trusting([pool.trusted()]);
    let cognito = app(&server);
    let token = pool.token();
    assert_eq!(cognito.get("/", &token.sign()).await.verdict(), "200");
    let empty = token.claim("aud", json!([])).sign();
    let refused = "401 invalid_token audience";
    assert_eq!(cognito.get("/", &empty).await.verdict(), refused);

    for (aud, expected) in [
        (json!(null), "200"),
        (json!(API), "200"),
        (json!([]), refused),
    ] {
        // `null` leaves the member out.
        let endpoint = Endpoint::saying(with("aud", aud.clone())).await;
        let trusted = introspected(&endpoint).audience_where_stated();
        let server = builder(trusted, &ManualClock::new())
            .build()
            .expect("sound");
        let verdict = app(&server).get("/", "opaque1").await.verdict();
        assert_eq!(verdict, expected, "{aud}");
    }
}
