//! Tenants that other platforms' tokens state, or that the configuration knows.

use axum::routing::get;
use portcullis::tenant::ClientTenant;
use portcullis::test_util::{MockIssuer, TokenBuilder};
use portcullis::{
    AuthenticateLayer, Identity, Issuer, ResourceServer, TenantClaims, WorkspaceAccess,
};
use serde_json::json;

use crate::support::{API, Requests as _, TestApp, trusting};

async fn enter(access: WorkspaceAccess) -> String {
    let account = access.account().map(ToString::to_string);
    let who = match access.caller() {
        Identity::User(user) => format!("user {}", user.user()),
        Identity::Client(client) => format!("client {}", client.id()),
        Identity::Principal(_) | Identity::Subject(_) => "nobody".to_owned(),
    };
    format!(
        "{who} in {}/{}",
        account.unwrap_or_default(),
        access.workspace()
    )
}

fn routes(layer: AuthenticateLayer) -> TestApp {
    TestApp::behind(layer).workspaces(get(enter)).route(
        "/who",
        get(async |identity: Identity| format!("{identity:?}")),
    )
}

fn app(issuer: Issuer, context: Option<&str>) -> TestApp {
    let server = trusting([issuer]);
    let layer = server.authenticate();
    routes(match context {
        Some(context) => layer.context(context),
        None => layer,
    })
}

async fn said(app: &TestApp, path: &str, token: &TokenBuilder) -> String {
    app.get(path, &token.sign()).await.body_or_verdict()
}

fn pool() -> MockIssuer {
    MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf")
}

#[tokio::test]
async fn a_machine_without_claims_has_the_workspace_of_the_map() {
    let issuer = pool();
    let rules = TenantClaims::aworld().client_tenant(
        "5machine",
        ClientTenant::workspace("acme-prod")
            .account("acme")
            .context("app"),
    );
    // Naming the client in the map accepts its tokens.
    let trusted = issuer.trusted().tenant_claims(rules);
    let app = app(trusted.clone(), Some("app"));
    let dashboard = self::app(trusted, Some("dashboard"));
    let machine = || issuer.client_token().client("5machine");
    let here = "/workspaces/acme-prod";
    let entered = "client 5machine in acme/acme-prod";
    assert_eq!(said(&app, here, &machine()).await, entered);
    assert_eq!(
        said(&app, "/accounts/acme/workspaces/acme-prod", &machine()).await,
        entered
    );
    assert_eq!(
        said(&app, "/workspaces/acme-dev", &machine()).await,
        "403 wrong_tenant"
    );
    assert_eq!(
        said(&app, "/accounts/other/workspaces/acme-prod", &machine()).await,
        "403 wrong_tenant"
    );
    assert_eq!(said(&dashboard, here, &machine()).await, "403 wrong_caller");

    // Claims that agree are no contradiction; any other piece is.
    let agreeing = machine()
        .account("acme")
        .workspace("acme-prod")
        .context("app")
        .platform("m2m");
    assert_eq!(said(&app, here, &agreeing).await, entered);
    for (variant, token) in [
        ("another workspace", machine().workspace("acme-dev")),
        ("another account", machine().account("other")),
        ("another kind", machine().platform("web")),
        (
            "a workspace of another type",
            machine().claim("workspaceId", 1),
        ),
        ("a user's name", machine().claim("username", "user-1")),
        ("a user id", machine().user("user-1")),
        ("a principal id", machine().principal("principal-1")),
        ("a group", machine().groups(["editors"])),
        ("another subject", machine().subject("user-1")),
        ("a client that is not in the map", issuer.client_token()),
    ] {
        assert_eq!(said(&app, here, &token).await, "403 no_tenant", "{variant}");
    }
    assert_eq!(
        said(&app, here, &machine().context("dashboard")).await,
        "403 wrong_caller"
    );
    assert_eq!(
        said(&dashboard, here, &machine().context("dashboard")).await,
        "403 no_tenant"
    );

    // A user who signs in through that client is judged by the claims.
    let user = issuer
        .aworld_user()
        .client("5machine")
        .workspace("acme-dev");
    assert_eq!(said(&app, here, &user).await, "403 wrong_tenant");
    assert_eq!(
        said(&app, "/workspaces/acme-dev", &user).await,
        "user user-1 in acme/acme-dev"
    );
}

#[tokio::test]
async fn a_map_without_accounts_and_contexts_names_the_workspace_alone() {
    let issuer = pool();
    let rules = TenantClaims::by_workspace("workspaceId")
        .without_accounts()
        .client_tenant("5machine", ClientTenant::workspace("prod"));
    let app = app(issuer.trusted().tenant_claims(rules), None);
    let machine = issuer.client_token().client("5machine");
    assert_eq!(
        said(&app, "/workspaces/prod", &machine).await,
        "client 5machine in /prod"
    );
    assert_eq!(
        said(&app, "/workspaces/dev", &machine).await,
        "403 wrong_tenant"
    );
    // Where there are no accounts, no caller is in one.
    assert_eq!(
        said(&app, "/accounts/any/workspaces/prod", &machine).await,
        "403 wrong_tenant"
    );
    let other = issuer.client_token();
    assert_eq!(
        said(&app, "/workspaces/prod", &other).await,
        "403 no_tenant"
    );
}

#[tokio::test]
async fn a_keycloak_group_names_account_and_workspace() {
    let issuer = MockIssuer::new();
    let rules = TenantClaims::by_group("groups", "/tenants/{account}/{workspace}");
    let app = app(issuer.trusted().tenant_claims(rules), None);
    let with = |groups: serde_json::Value| issuer.token().claim("groups", groups);
    let here = "/accounts/acme/workspaces/prod";
    let user = with(json!(["/staff", "/tenants/acme/prod", "/tenants/acme"]));
    assert_eq!(said(&app, here, &user).await, "user user-1 in acme/prod");
    assert_eq!(
        said(&app, "/workspaces/dev", &user).await,
        "403 wrong_tenant"
    );
    assert_eq!(
        said(&app, "/accounts/globex/workspaces/prod", &user).await,
        "403 wrong_tenant"
    );
    for (variant, groups) in [
        ("no group that fits", json!(["/staff", "/tenants/acme"])),
        ("two", json!(["/tenants/acme/prod", "/tenants/globex/prod"])),
        (
            "the same twice",
            json!(["/tenants/acme/prod", "/tenants/acme/prod"]),
        ),
        ("a deeper one", json!(["/tenants/acme/prod/editors"])),
        ("a lone string", json!("/tenants/acme/prod")),
        ("a number among them", json!(["/tenants/acme/prod", 1])),
        ("nothing", json!([])),
        ("an object", json!({"/tenants/acme/prod": true})),
    ] {
        assert_eq!(
            said(&app, here, &with(groups)).await,
            "403 no_tenant",
            "{variant}"
        );
    }
    assert_eq!(said(&app, here, &issuer.token()).await, "403 no_tenant");
}

#[tokio::test]
async fn a_group_may_name_the_workspace_alone() {
    let issuer = MockIssuer::new();
    let here = "/accounts/acme/workspaces/prod";
    let token = issuer.token().claim("groups", ["ws/prod"]);
    let rules = TenantClaims::by_group("groups", "ws/{workspace}");
    let with_claim = app(
        issuer
            .trusted()
            .tenant_claims(rules.clone().account_claim("org")),
        None,
    );
    let in_org = token.clone().claim("org", "acme");
    assert_eq!(
        said(&with_claim, here, &in_org).await,
        "user user-1 in acme/prod"
    );
    assert_eq!(said(&with_claim, here, &token).await, "403 no_tenant");
    let alone = app(
        issuer.trusted().tenant_claims(rules.without_accounts()),
        None,
    );
    assert_eq!(
        said(&alone, "/workspaces/prod", &token).await,
        "user user-1 in /prod"
    );
}

#[tokio::test]
async fn an_auth0_organization_is_a_workspace() {
    let issuer = MockIssuer::new();
    let rules = TenantClaims::by_workspace("org_id")
        .without_accounts()
        .user_claim("https://example.com/user")
        .user_mark("https://example.com/user")
        .machine_claim("gty", "client-credentials")
        .machine_claim_suffices();
    let app = app(
        issuer.trusted().client_id_claim("azp").tenant_claims(rules),
        None,
    );
    let here = "/workspaces/org_1";
    let user = issuer
        .token()
        .without("client_id")
        .claim("azp", "spa")
        .subject("auth0|1")
        .claim("https://example.com/user", "u-1")
        .claim("org_id", "org_1");
    assert_eq!(said(&app, here, &user).await, "user u-1 in /org_1");
    // What a token lacks makes no user of its bearer: a machine without its mark is none.
    let unmarked = user.clone().without("https://example.com/user");
    assert_eq!(said(&app, here, &unmarked).await, "403 no_tenant");
    assert_eq!(
        said(&app, "/workspaces/org_2", &user).await,
        "403 wrong_tenant"
    );
    assert_eq!(
        said(&app, here, &user.clone().without("org_id")).await,
        "403 no_tenant"
    );
    // Its machines have a subject of their own.
    let machine = unmarked
        .subject("api@clients")
        .claim("azp", "api")
        .claim("gty", "client-credentials");
    assert_eq!(said(&app, here, &machine).await, "client api in /org_1");
    let named = machine.clone().claim("username", "somebody");
    assert_eq!(said(&app, here, &named).await, "403 no_tenant");
    let odd = machine.claim("gty", ["client-credentials"]);
    assert_eq!(said(&app, here, &odd).await, "403 no_tenant");
}

#[tokio::test]
async fn an_entra_tenant_is_an_account_or_a_workspace() {
    let issuer = MockIssuer::new();
    let rules = TenantClaims::by_workspace("tid")
        .without_accounts()
        .user_claim("oid")
        .user_mark("scp")
        .machine_claim("idtyp", "app")
        .machine_claim_suffices();
    let app = app(
        issuer.trusted().client_id_claim("azp").tenant_claims(rules),
        None,
    );
    let user = issuer
        .token()
        .without("client_id")
        .claim("azp", "app-1")
        .claim("oid", "object-1")
        .claim("scp", "orders.read")
        .claim("tid", "tenant-1");
    assert_eq!(
        said(&app, "/workspaces/tenant-1", &user).await,
        "user object-1 in /tenant-1"
    );
    assert_eq!(
        said(&app, "/workspaces/tenant-2", &user).await,
        "403 wrong_tenant"
    );
    // Its machines have a subject and an object id of their own.
    let unmarked = user.clone().without("scp");
    assert_eq!(
        said(&app, "/workspaces/tenant-1", &unmarked).await,
        "403 no_tenant"
    );
    let both = user.clone().claim("idtyp", "app");
    assert_eq!(
        said(&app, "/workspaces/tenant-1", &both).await,
        "403 no_tenant"
    );
    let machine = unmarked
        .subject("object-2")
        .claim("oid", "object-2")
        .claim("idtyp", "app");
    assert_eq!(
        said(&app, "/workspaces/tenant-1", &machine).await,
        "client app-1 in /tenant-1"
    );
    let grouped = machine.claim("groups", ["staff"]);
    assert_eq!(
        said(&app, "/workspaces/tenant-1", &grouped).await,
        "403 no_tenant"
    );
}

#[tokio::test]
async fn an_issuer_whose_tokens_state_no_context_means_one() {
    let (own, partner) = (pool(), MockIssuer::named("https://partner.example"));
    let rules = || TenantClaims::by_workspace("ws").without_accounts();
    let build = |partner_rules: TenantClaims| {
        ResourceServer::builder(API)
            .issuer(own.trusted().tenant_claims(TenantClaims::aworld()))
            .issuer(partner.trusted().tenant_claims(partner_rules))
            .build()
    };
    let unsaid = build(rules())
        .err()
        .map(|mistake| mistake.to_string())
        .unwrap_or_default();
    assert!(unsaid.contains("`in_context(..)`"), "{unsaid}");

    let token = partner.token().claim("ws", "w-1");
    let verdicts = async |server: ResourceServer| {
        let mut verdicts = Vec::new();
        for context in ["app", "dashboard", "portal"] {
            let app = routes(server.authenticate().context(context));
            verdicts.push(said(&app, "/workspaces/w-1", &token).await);
        }
        verdicts
    };
    let one = build(rules().in_context("dashboard")).expect("sound");
    assert_eq!(
        verdicts(one).await,
        [
            "403 wrong_caller",
            "user user-1 in /w-1",
            "403 wrong_caller"
        ]
    );
    let every = build(rules().in_every_context()).expect("sound");
    assert_eq!(verdicts(every).await, ["user user-1 in /w-1"; 3]);

    // Alone, it may mean a context too, and its layers then name it.
    let alone = trusting([partner.trusted().tenant_claims(rules().in_context("app"))]);
    assert_eq!(
        verdicts(alone).await,
        [
            "user user-1 in /w-1",
            "500 misconfigured unknown_context",
            "500 misconfigured unknown_context"
        ]
    );
}

#[tokio::test]
async fn a_slip_in_the_layers_context_is_a_wiring_fault_whatever_the_token_states() {
    let issuer = pool();
    let server = trusting([issuer.trusted().tenant_claims(TenantClaims::aworld())]);
    let (good, slip) = (
        routes(server.authenticate().context("app")),
        routes(server.authenticate().context("ap")),
    );
    let user = issuer.aworld_user();
    let here = "/workspaces/acme-prod";
    assert_eq!(
        said(&good, here, &user).await,
        "user user-1 in acme/acme-prod"
    );
    for token in [
        user.clone(),
        user.clone().without("context"),
        user.context("dashboard"),
    ] {
        assert_eq!(
            said(&slip, here, &token).await,
            "500 misconfigured unknown_context"
        );
    }
}

#[tokio::test]
async fn a_user_claim_that_is_the_subjects_is_the_default() {
    let issuer = pool();
    let rules = TenantClaims::aworld().user_claim("sub");
    let app = app(issuer.trusted().tenant_claims(rules), Some("app"));
    let here = "/workspaces/acme-prod";
    assert_eq!(
        said(&app, here, &issuer.aworld_user()).await,
        "user user-1 in acme/acme-prod"
    );
    assert!(
        said(&app, here, &issuer.aworld_client())
            .await
            .starts_with("client")
    );
}

#[tokio::test]
async fn a_keycloak_service_account_is_told_by_its_mark_and_never_by_what_it_lacks() {
    let issuer = MockIssuer::new();
    let rules = TenantClaims::by_group("groups", "/tenants/{account}/{workspace}")
        .user_mark("sid")
        .machine_claim("kind", "service")
        .machine_claim_suffices()
        .client_tenant("backend", ClientTenant::workspace("prod").account("acme"));
    let app = app(
        issuer.trusted().client_id_claim("azp").tenant_claims(rules),
        None,
    );
    let here = "/accounts/acme/workspaces/prod";
    let user = issuer
        .token()
        .without("client_id")
        .claim("azp", "spa")
        .claim("sid", "s-1")
        .claim("groups", ["/tenants/acme/prod"]);
    assert_eq!(said(&app, here, &user).await, "user user-1 in acme/prod");
    let service = user
        .clone()
        .without("sid")
        .without("groups")
        .subject("5f0c")
        .claim("azp", "backend")
        .claim("kind", "service");
    assert_eq!(
        said(&app, here, &service).await,
        "client backend in acme/prod"
    );
    for (variant, token) in [
        ("a user without a session", user.clone().without("sid")),
        (
            "a user of the machine's kind",
            user.clone().claim("kind", "service"),
        ),
        (
            "a service without its kind",
            service.clone().without("kind"),
        ),
        (
            "the same in a tenant's group",
            service
                .clone()
                .without("kind")
                .claim("groups", ["/tenants/acme/prod"]),
        ),
        (
            "a service with a session",
            service.clone().claim("sid", "s-1"),
        ),
        (
            "a service in a group",
            service.clone().claim("groups", ["/staff"]),
        ),
        (
            "a service that is not mapped",
            service.clone().claim("azp", "other"),
        ),
    ] {
        assert_eq!(said(&app, here, &token).await, "403 no_tenant", "{variant}");
    }
}
