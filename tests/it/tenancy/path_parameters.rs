//! The names of the route parameters that address a tenant are settings of server and layer.

use axum::routing::get;
use portcullis::tenant::AccountAccess;
use portcullis::test_util::MockIssuer;
use portcullis::{
    AuthenticateLayer, ResourceServer, ResourceServerBuilder, TenantClaims, WorkspaceAccess,
};

use crate::support::logs::Logs;
use crate::support::{API, Requests as _, TestApp};

const ROUTE: &str = "/orgs/{org}/projects/{project}";

fn pool() -> MockIssuer {
    MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf")
}

fn builder(issuer: &MockIssuer) -> ResourceServerBuilder {
    let rules = TenantClaims::aworld()
        .portal_client(MockIssuer::PORTAL_CLIENT_ID)
        .principals_reach(["acme"]);
    ResourceServer::builder(API).issuer(issuer.trusted().tenant_claims(rules))
}

fn routes(layer: AuthenticateLayer) -> TestApp {
    TestApp::behind(layer)
        .route(ROUTE, get(|_: WorkspaceAccess| async {}))
        .route("/orgs/{org}", get(|_: AccountAccess| async {}))
        .route(
            "/orgs/{org}/projects/{project}/bill",
            get(|_: AccountAccess| async {}),
        )
        .route(
            "/accounts/{account_id}/workspaces/{workspace_id}",
            get(|_: WorkspaceAccess| async {}),
        )
}

#[tokio::test]
async fn route_parameters_have_the_names_that_the_server_sets() {
    let issuer = pool();
    let server = builder(&issuer)
        .workspace_parameter("project")
        .account_parameter("org")
        .build()
        .expect("sound");
    let user = issuer.aworld_user().sign();
    let app = routes(server.authenticate().context("app"));
    for (path, expected) in [
        ("/orgs/acme/projects/acme-prod", "200"),
        ("/orgs/acme/projects/acme%2Dprod", "200"),
        ("/orgs/acme/projects/acme-dev", "403 wrong_tenant"),
        ("/orgs/globex/projects/acme-prod", "403 wrong_tenant"),
        // The default names are names like any other now.
        (
            "/accounts/acme/workspaces/acme-prod",
            "500 misconfigured no_workspace_parameter",
        ),
    ] {
        assert_eq!(app.get(path, &user).await.verdict(), expected, "{path}");
    }
    let principal = issuer.aworld_principal().sign();
    let portal = routes(server.authenticate().context("portal"));
    for (path, expected) in [
        ("/orgs/acme", "200"),
        ("/orgs/globex", "403 wrong_tenant"),
        (
            "/orgs/acme/projects/acme-prod/bill",
            "500 misconfigured workspace_parameter",
        ),
    ] {
        let verdict = portal.get(path, &principal).await.verdict();
        assert_eq!(verdict, expected, "{path}");
    }
}

#[tokio::test]
async fn route_parameters_of_a_layer_stand_in_for_the_servers() {
    let issuer = pool();
    let server = builder(&issuer)
        .workspace_parameter("space")
        .build()
        .expect("sound");
    let layer = || server.authenticate().context("app");
    let user = issuer.aworld_user().sign();
    let path = "/orgs/acme/projects/acme-prod";
    let named = routes(
        layer()
            .workspace_parameter("project")
            .account_parameter("org"),
    );
    assert_eq!(named.get(path, &user).await.verdict(), "200");
    let unnamed = routes(layer());
    assert_eq!(
        unnamed.get(path, &user).await.verdict(),
        "500 misconfigured no_workspace_parameter"
    );
    // The account is compared where the route has it, under the name that was set.
    let foreign = "/orgs/globex/projects/acme-prod";
    assert_eq!(
        named.get(foreign, &user).await.verdict(),
        "403 wrong_tenant"
    );
    for faulty in [
        layer().workspace_parameter(""),
        layer().workspace_parameter("{project}"),
        layer().account_parameter("*rest"),
        layer().workspace_parameter("account_id"),
        layer().account_parameter("space"),
        layer()
            .workspace_parameter("project")
            .workspace_parameter("space"),
    ] {
        let app = routes(faulty);
        assert_eq!(
            app.get(path, &user).await.verdict(),
            "500 misconfigured layer_setting"
        );
    }
}

#[tokio::test]
async fn route_without_the_parameter_names_it_and_the_setting() {
    let issuer = pool();
    let server = builder(&issuer)
        .workspace_parameter("proyect")
        .account_parameter("org")
        .build()
        .expect("sound");
    let app = routes(server.authenticate().context("app"));
    let logs = Logs::default();
    let listening = logs.listen();
    let user = issuer.aworld_user().sign();
    let answer = app.get("/orgs/acme/projects/acme-prod", &user).await;
    drop(listening);
    assert_eq!(answer.verdict(), "500 misconfigured no_workspace_parameter");
    let text = logs.text();
    for word in [
        "workspace_parameter",
        "{proyect} in the route",
        "{org} {project}",
    ] {
        assert!(text.contains(word), "{word} in {text}");
    }
    assert!(!text.contains("acme-prod"), "{text}");
}

#[test]
fn route_parameter_names_that_no_route_can_have_are_mistakes() {
    let issuer = pool();
    for name in ["", "{project}", "a/b", "*rest"] {
        let workspace = builder(&issuer).workspace_parameter(name).build();
        let account = builder(&issuer).account_parameter(name).build();
        for (built, setting) in [
            (workspace, "workspace_parameter"),
            (account, "account_parameter"),
        ] {
            assert_eq!(built.expect_err(name).setting(), setting);
        }
    }
    let same = builder(&issuer).workspace_parameter("account_id").build();
    assert_eq!(same.expect_err("same").setting(), "workspace_parameter");
}
