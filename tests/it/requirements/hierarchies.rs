//! Scopes that imply others, at every guard (extractor, layer, requirement, delegation) and at the token.

use axum::Router;
use axum::routing::get;
use portcullis::config::ScopeHierarchy;
use portcullis::extract::Authorized;
use portcullis::layer::RequireLayer;
use portcullis::tenant::{Delegation, UserId, WorkspaceId};
use portcullis::test_util::MockIssuer;
use portcullis::{AccessToken, Issuer, ResourceServer, Scoped, TenantClaims};

use crate::support::{API, Requests as _, TestApp};

portcullis::scopes! {
    Read = "orders:read";
    Write = "orders:write";
    ReadAndWrite = "orders:read orders:write";
    ReadOrOther = "other" | "orders:read";
}

portcullis::requirements! { ReadOnce { scope: "orders:read" } }

fn orders() -> ScopeHierarchy {
    ScopeHierarchy::new()
        .implies("orders:admin", "orders:write orders:delete")
        .implies("orders:write", "orders:read")
}

fn routes() -> Router {
    let layered = || get(async |_: AccessToken| {});
    Router::new()
        .route("/scoped", get(async |_: Scoped<Read>| {}))
        .route("/authorized", get(async |_: Authorized<ReadOnce>| {}))
        .route("/layer", layered().route_layer(RequireLayer::of::<Read>()))
        .route(
            "/or",
            layered().route_layer(RequireLayer::of::<ReadOrOther>()),
        )
        .route("/both", get(async |_: Scoped<ReadAndWrite>| {}))
        .route("/write", get(async |_: Scoped<Write>| {}))
        .route(
            "/token",
            get(async |token: AccessToken| {
                let [has, contains] = [
                    token.has_scope("orders:read"),
                    token.scope().contains("orders:read"),
                ];
                format!("{has} {contains}")
            }),
        )
}

const READ: [&str; 4] = ["/scoped", "/authorized", "/layer", "/or"];

fn app(issuers: impl IntoIterator<Item = Issuer>, hierarchy: ScopeHierarchy) -> TestApp {
    let server = issuers.into_iter().fold(
        ResourceServer::builder(API).scope_hierarchy(hierarchy),
        portcullis::ResourceServerBuilder::issuer,
    );
    let server = server.build().expect("sound");
    TestApp::behind(server.authenticate()).routes(routes())
}

async fn check(app: &TestApp, token: &str, paths: &[&str], expected: &str) {
    // Verified, and remembered.
    for path in paths.iter().chain(paths) {
        assert_eq!(app.get(path, token).await.verdict(), expected, "{path}");
    }
}

const NO: &str = "403 insufficient_scope";

#[tokio::test]
async fn every_guard_follows_the_hierarchy_downwards_and_only_so() {
    let issuer = MockIssuer::new();
    let token = |scope: &str| issuer.token().audience(API).scope(scope).sign();
    let app = app([issuer.trusted()], orders());
    for scope in ["orders:read", "orders:write", "x orders:admin"] {
        check(&app, &token(scope), &READ, "200").await;
    }
    for scope in [
        "",
        "orders:delete",
        "orders",
        "orders:adminx",
        "ORDERS:ADMIN",
    ] {
        check(&app, &token(scope), &READ, NO).await;
    }
    for scope in ["orders:write", "orders:admin", "orders:read orders:write"] {
        check(&app, &token(scope), &["/both", "/write"], "200").await;
    }
    check(&app, &token("orders:read"), &["/both", "/write"], NO).await;
    for (scope, expected) in [
        ("orders:admin", "true false"),
        ("orders:read", "true true"),
        ("orders:delete", "false false"),
    ] {
        assert_eq!(app.get("/token", &token(scope)).await.body, expected);
    }
}

#[tokio::test]
async fn without_a_hierarchy_no_scope_implies_another() {
    let issuer = MockIssuer::new();
    let app = app([issuer.trusted()], ScopeHierarchy::new());
    let token = issuer.token().audience(API).scope("orders:admin").sign();
    check(&app, &token, &READ, NO).await;
    assert_eq!(app.get("/token", &token).await.body, "false false");
}

#[tokio::test]
async fn hierarchy_of_an_issuer_is_for_its_tokens_and_adds_to_that_of_the_server() {
    let [one, other] = ["https://one.test", "https://other.test"].map(MockIssuer::named);
    let of_one = ScopeHierarchy::new().implies("root", "orders:admin");
    let app = app(
        [one.trusted().scope_hierarchy(of_one), other.trusted()],
        orders(),
    );
    let token = |issuer: &MockIssuer, scope: &str| issuer.token().audience(API).scope(scope).sign();
    // By a step of the issuer's and two of the server's.
    check(&app, &token(&one, "root"), &READ, "200").await;
    check(&app, &token(&other, "root"), &READ, NO).await;
    for issuer in [&one, &other] {
        check(&app, &token(issuer, "orders:admin"), &READ, "200").await;
    }
}

#[tokio::test]
async fn delegation_follows_the_hierarchy_too() {
    let issuer = MockIssuer::new();
    let rules = TenantClaims::by_workspace("workspace")
        .without_accounts()
        .machine_claim("kind", "service")
        .delegation()
        .delegation_scope("act:write");
    let app = |hierarchy: ScopeHierarchy| {
        let users =
            portcullis::tenant::user_directory_fn(
                |_: WorkspaceId, _: UserId| async move { Ok(true) },
            );
        let server = ResourceServer::builder(API)
            .issuer(issuer.trusted().tenant_claims(rules.clone()))
            .user_directory(users)
            .scope_hierarchy(hierarchy)
            .build()
            .expect("sound");
        TestApp::behind(server.authenticate())
            .route("/w/{workspace_id}", get(async |_: Delegation| {}))
    };
    let wide = app(ScopeHierarchy::new().implies("act:admin", "act:write"));
    let flat = app(ScopeHierarchy::new());
    for (app, scope, expected) in [
        (&wide, "act:admin", "200"),
        (&wide, "act:write", "200"),
        (&wide, "act:read", NO),
        (&flat, "act:write", "200"),
        (&flat, "act:admin", NO),
    ] {
        let token = issuer
            .client_token()
            .audience(API)
            .claim("workspace", "acme")
            .claim("kind", "service")
            .scope(scope);
        let bearer = format!("Bearer {}", token.sign());
        let fields = [("authorization", &*bearer), ("x-user-id", "user-1")];
        let answer = app.send("/w/acme", &fields).await;
        assert_eq!(answer.verdict(), expected, "{scope}");
    }
}
