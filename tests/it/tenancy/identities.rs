//! Who is who: AWorld's model, other models, and every variant that must not widen reach.

use axum::Router;
use axum::routing::get;
use portcullis::tenant::{Client, Principal};
use portcullis::test_util::{MockIssuer, TokenBuilder};
use portcullis::{
    AccessToken, Identity, InRole, Issuer, ResourceServer, TenantClaims, WorkspaceAccess,
    WorkspaceUser,
};
use serde_json::json;

use crate::support::{API, Requests as _, TestApp, trusting};

fn pool() -> MockIssuer {
    MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf")
}

fn trusted(issuer: &MockIssuer) -> Issuer {
    issuer
        .trusted()
        .client_id(MockIssuer::PORTAL_CLIENT_ID)
        .tenant_claims(TenantClaims::aworld().portal_client(MockIssuer::PORTAL_CLIENT_ID))
}

/// What a caller is, in one word and its reach.
async fn who(identity: Identity) -> String {
    match identity {
        Identity::User(user) => format!(
            "user {} of {}/{} as {}",
            user.user(),
            user.account().map(ToString::to_string).unwrap_or_default(),
            user.workspace(),
            user.role().unwrap_or_default(),
        ),
        Identity::Principal(principal) => format!("principal {}", principal.id()),
        Identity::Client(client) => format!(
            "client of {}",
            client
                .workspace()
                .map(ToString::to_string)
                .unwrap_or_default()
        ),
        Identity::Subject(_) => "subject".to_owned(),
    }
}

async fn enter(access: WorkspaceAccess) -> String {
    let account = access
        .account()
        .map(ToString::to_string)
        .unwrap_or_default();
    format!("{account}/{}", access.workspace())
}

fn routes() -> Router {
    Router::new()
        .route("/who", get(who))
        .route("/token", get(|_: AccessToken| async {}))
        .route("/workspaces/{workspace_id}", get(enter))
        .route(
            "/accounts/{account_id}/workspaces/{workspace_id}",
            get(enter),
        )
}

struct Apps {
    issuer: MockIssuer,
    app: Router,
    dashboard: Router,
    portal: Router,
}

fn apps() -> Apps {
    let issuer = pool();
    let server = trusting([trusted(&issuer)]);
    let behind = |context: &str| routes().route_layer(server.authenticate().context(context));
    Apps {
        app: behind("app"),
        dashboard: behind("dashboard"),
        portal: behind("portal"),
        issuer,
    }
}

#[tokio::test]
async fn aworld_callers_are_told_apart() {
    let Apps {
        issuer,
        app,
        portal,
        dashboard,
    } = apps();
    let body =
        async |router: &Router, token: TokenBuilder| router.get("/who", &token.sign()).await.body;
    assert_eq!(
        body(&app, issuer.aworld_user()).await,
        "user user-1 of acme/acme-prod as editor"
    );
    assert_eq!(
        body(&dashboard, issuer.aworld_user().context("dashboard")).await,
        "user user-1 of acme/acme-prod as editor"
    );
    assert_eq!(
        body(&portal, issuer.aworld_principal()).await,
        "principal principal-1"
    );
    assert_eq!(
        body(&app, issuer.aworld_client()).await,
        "client of acme-prod"
    );
    assert_eq!(body(&app, issuer.token()).await, "subject");
}

#[tokio::test]
async fn a_token_of_one_context_is_never_good_for_another() {
    let Apps {
        issuer,
        app,
        dashboard,
        portal,
    } = apps();
    let user = issuer.aworld_user();
    let client = issuer.aworld_client();
    let principal = issuer.aworld_principal();
    for path in ["/token", "/who", "/workspaces/acme-prod"] {
        for token in [user.clone(), client.clone()] {
            assert_eq!(app.get(path, &token.clone().sign()).await.status, 200);
            assert_eq!(
                dashboard.get(path, &token.clone().sign()).await.verdict(),
                "403 wrong_caller"
            );
            assert_eq!(
                portal.get(path, &token.sign()).await.verdict(),
                "403 wrong_caller"
            );
        }
        assert_eq!(
            app.get(path, &principal.sign()).await.verdict(),
            "403 wrong_caller"
        );
    }
    assert_eq!(portal.get("/who", &principal.sign()).await.status, 200);
    assert_eq!(
        portal
            .get("/workspaces/acme-prod", &principal.sign())
            .await
            .verdict(),
        "403 wrong_caller"
    );
}

#[tokio::test]
async fn a_user_and_a_client_enter_their_own_workspace_and_no_other() {
    let Apps { issuer, app, .. } = apps();
    for token in [issuer.aworld_user().sign(), issuer.aworld_client().sign()] {
        for (path, expected) in [
            ("/workspaces/acme-prod", "acme/acme-prod"),
            ("/workspaces/acme%2Dprod", "acme/acme-prod"),
            ("/accounts/acme/workspaces/acme-prod", "acme/acme-prod"),
        ] {
            assert_eq!(app.get(path, &token).await.body, expected, "{path}");
        }
        for path in [
            "/workspaces/acme-dev",
            "/workspaces/ACME-PROD",
            "/workspaces/acme-prod%00",
            "/workspaces/acme-prod%20",
            "/workspaces/%20acme-prod",
            "/workspaces/acme-prod%2f..%2facme-dev",
            "/workspaces/acme%252Dprod",
            "/workspaces/acme-prod%ff",
            "/accounts/other/workspaces/acme-prod",
            "/accounts/acme/workspaces/acme-dev",
            "/accounts/%ff/workspaces/acme-prod",
        ] {
            assert_eq!(
                app.get(path, &token).await.verdict(),
                "403 wrong_tenant",
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn incomplete_or_contradictory_evidence_reaches_nothing() {
    let Apps {
        issuer,
        app,
        portal,
        ..
    } = apps();
    let user = || issuer.aworld_user();
    let client = || issuer.aworld_client();
    let principal = || issuer.aworld_principal();
    let app_cases = [
        ("user without a workspace", user().without("workspaceId")),
        ("user without an account", user().without("accountId")),
        ("user without a user id", user().without("userId")),
        ("user without a context", user().without("context")),
        ("user who says m2m", user().platform("m2m")),
        (
            "user from the portal client",
            user().client(MockIssuer::PORTAL_CLIENT_ID),
        ),
        ("workspace as a number", user().claim("workspaceId", 7)),
        (
            "workspace as a list",
            user().claim("workspaceId", ["acme-prod"]),
        ),
        (
            "workspace as null",
            user().claim("workspaceId", json!(null)),
        ),
        ("empty workspace", user().workspace("")),
        (
            "account as an object",
            user().claim("accountId", json!({"id": "acme"})),
        ),
        ("role as a list", user().claim("role", ["admin"])),
        ("context as a list", user().claim("context", ["app"])),
        (
            "workspace with a control character",
            user().workspace("acme-prod\u{0}"),
        ),
        (
            "client with a user name",
            client().claim("username", "somebody"),
        ),
        ("client with a user id", client().user("user-1")),
        (
            "client with a principal id",
            client().principal("principal-1"),
        ),
        ("client in a group", client().groups(["admins"])),
        (
            "client in a group that is text",
            client().claim("cognito:groups", "admins"),
        ),
        (
            "client in a group among others",
            client().claim("cognito:groups", json!(["admins", 1])),
        ),
        (
            "client whose groups are null",
            client().claim("cognito:groups", json!(null)),
        ),
        (
            "client whose subject is another",
            client().subject("somebody"),
        ),
        (
            "client without a workspace",
            client().without("workspaceId"),
        ),
        ("client that does not say m2m", client().platform("web")),
        ("client without a platform", client().without("platform")),
        (
            "client from the portal client",
            client().client(MockIssuer::PORTAL_CLIENT_ID),
        ),
    ];
    for (name, token) in app_cases {
        let answer = app.get("/who", &token.sign()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.body.as_str()),
            (200, "subject"),
            "{name}"
        );
        let answer = app.get("/workspaces/acme-prod", &token.sign()).await;
        assert_eq!(answer.verdict(), "403 no_tenant", "{name}");
    }
    let portal_cases = [
        ("user on the portal", user().context("portal")),
        (
            "user who signed in through the portal client",
            user()
                .context("portal")
                .client(MockIssuer::PORTAL_CLIENT_ID),
        ),
        (
            "principal from another client",
            principal().client(MockIssuer::CLIENT_ID),
        ),
        (
            "principal without an id",
            principal().without("principalId"),
        ),
        ("principal with a user id", principal().user("user-1")),
        (
            "principal with a workspace",
            principal().workspace("acme-prod"),
        ),
        ("principal with an account", principal().account("acme")),
        ("principal with a role", principal().role("admin")),
        ("principal who says m2m", principal().platform("m2m")),
        (
            "principal whose workspace is null",
            principal().claim("workspaceId", json!(null)),
        ),
        (
            "principal id as a list",
            principal().claim("principalId", ["principal-1"]),
        ),
        (
            "machine on the portal",
            issuer.aworld_client().context("portal"),
        ),
        (
            "machine that calls itself a principal",
            issuer
                .client_token()
                .client(MockIssuer::PORTAL_CLIENT_ID)
                .subject(MockIssuer::PORTAL_CLIENT_ID)
                .principal("p")
                .context("portal"),
        ),
    ];
    for (name, token) in portal_cases {
        let answer = portal.get("/who", &token.sign()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.body.as_str()),
            (200, "subject"),
            "{name}"
        );
    }
}

#[tokio::test]
async fn nobody_is_a_principal_before_it_is_switched_on() {
    let issuer = pool();
    let server = |rules: TenantClaims| {
        let trusted = issuer
            .trusted()
            .client_id(MockIssuer::PORTAL_CLIENT_ID)
            .tenant_claims(rules);
        let server = trusting([trusted]);
        routes().route_layer(server.authenticate().context("portal"))
    };
    let off = server(TenantClaims::aworld());
    let on = server(TenantClaims::aworld().portal_client(MockIssuer::PORTAL_CLIENT_ID));
    let token = issuer.aworld_principal().sign();
    assert_eq!(off.get("/who", &token).await.body, "subject");
    assert_eq!(on.get("/who", &token).await.body, "principal principal-1");
}

#[tokio::test]
async fn a_forgotten_or_misspelt_context_and_a_route_without_its_parameter_are_500() {
    let issuer = pool();
    let server = trusting([trusted(&issuer)]);
    let token = issuer.aworld_user().sign();
    let forgotten = routes().route_layer(server.authenticate());
    assert_eq!(
        forgotten
            .get("/workspaces/acme-prod", &token)
            .await
            .verdict(),
        "500 misconfigured no_context"
    );
    assert_eq!(forgotten.get("/token", &token).await.status, 200);
    let misspelt = routes().route_layer(server.authenticate().context("ap"));
    let silent = issuer.aworld_user().without("context").sign();
    assert_eq!(
        misspelt
            .get("/workspaces/acme-prod", &silent)
            .await
            .verdict(),
        "500 misconfigured unknown_context"
    );

    let odd = TestApp::behind(server.authenticate().context("app"))
        .route("/none", get(enter))
        .route("/x/{id}", get(enter));
    for path in ["/none", "/x/acme-prod"] {
        assert_eq!(
            odd.get(path, &token).await.verdict(),
            "500 misconfigured no_workspace_parameter"
        );
    }
}

#[tokio::test]
async fn a_server_without_tenant_rules_knows_clients_and_subjects() {
    let issuer = pool();
    let server = trusting([issuer.trusted()]);
    let app = routes()
        .route(
            "/client",
            get(
                |client: Client| async move { format!("{} {:?}", client.id(), client.workspace()) },
            ),
        )
        .route_layer(server.authenticate());
    assert_eq!(
        app.get("/who", &issuer.client_token().sign()).await.body,
        "client of "
    );
    assert_eq!(
        app.get("/who", &issuer.aworld_user().sign()).await.body,
        "subject"
    );
    assert_eq!(
        app.get("/client", &issuer.client_token().sign()).await.body,
        format!("{} None", MockIssuer::CLIENT_ID)
    );
    // A user whose name was chosen to equal a client's id is no machine.
    let confused = issuer.token().subject(MockIssuer::CLIENT_ID).sign();
    assert_eq!(app.get("/who", &confused).await.body, "subject");
    for token in [issuer.client_token().sign(), issuer.aworld_user().sign()] {
        assert_eq!(
            app.get("/workspaces/acme-prod", &token).await.verdict(),
            "403 no_tenant"
        );
    }
}

#[tokio::test]
async fn a_platform_of_its_own_names_its_own_claims() {
    let issuer = MockIssuer::new();
    let rules = TenantClaims::by_workspace(["org", "workspace"]).account_claim(["org", "id"]);
    let flat = TenantClaims::by_workspace("workspace_id").without_accounts();
    let router = |rules: TenantClaims| {
        let trusted = issuer.trusted().tenant_claims(rules);
        let server = trusting([trusted]);
        routes().route_layer(server.authenticate())
    };
    let nested = router(rules);
    let token = issuer
        .token()
        .claim("org", json!({"id": "acme", "workspace": "w-1"}))
        .sign();
    assert_eq!(
        nested
            .get("/accounts/acme/workspaces/w-1", &token)
            .await
            .body,
        "acme/w-1"
    );
    assert_eq!(
        nested
            .get("/accounts/acme2/workspaces/w-1", &token)
            .await
            .verdict(),
        "403 wrong_tenant"
    );
    let not_an_object = issuer.token().claim("org", "acme").sign();
    assert_eq!(
        nested
            .get("/workspaces/w-1", &not_an_object)
            .await
            .verdict(),
        "403 no_tenant"
    );

    let flat = router(flat);
    let user = issuer.token().claim("workspace_id", "w-1").sign();
    let machine = issuer.client_token().claim("workspace_id", "w-1").sign();
    assert_eq!(
        flat.get("/who", &user).await.body,
        format!("user {} of /w-1 as ", MockIssuer::SUBJECT)
    );
    assert_eq!(flat.get("/who", &machine).await.body, "client of w-1");
    assert_eq!(flat.get("/workspaces/w-1", &user).await.body, "/w-1");
    // A caller without an account enters no place in an account.
    assert_eq!(
        flat.get("/accounts/acme/workspaces/w-1", &user)
            .await
            .verdict(),
        "403 wrong_tenant"
    );
}

#[tokio::test]
async fn what_one_issuer_asserts_is_read_by_its_own_rules_alone() {
    let (ours, partner) = (pool(), MockIssuer::named("https://partner.test"));
    let server = ResourceServer::builder(API)
        .issuer(trusted(&ours))
        .issuer(partner.trusted())
        .build()
        .expect("sound");
    let app = routes().route_layer(server.authenticate().context("app"));
    let forged = partner.aworld_user().sign();
    assert_eq!(app.get("/who", &forged).await.body, "subject");
    assert_eq!(
        app.get("/workspaces/acme-prod", &forged).await.verdict(),
        "403 no_tenant"
    );
    assert_eq!(
        app.get("/workspaces/acme-prod", &ours.aworld_user().sign())
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn ids_of_different_issuers_are_never_equal() {
    let (one, two) = (
        MockIssuer::named("https://one.test"),
        MockIssuer::named("https://two.test"),
    );
    let server = ResourceServer::builder(API)
        .issuer(one.trusted())
        .issuer(two.trusted())
        .build()
        .expect("sound");
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let keep = std::sync::Arc::clone(&seen);
    let app = TestApp::behind(server.authenticate()).route(
        "/",
        get(move |token: AccessToken, identity: Identity| async move {
            keep.lock().expect("a lock").push((
                token.subject().cloned(),
                token.client_id().cloned(),
                identity,
            ));
        }),
    );
    for token in [one.token().sign(), two.token().sign(), one.token().sign()] {
        assert_eq!(app.get("/", &token).await.status, 200);
    }
    let seen = seen.lock().expect("a lock");
    assert_eq!(
        seen[0]
            .0
            .as_ref()
            .map(portcullis::tenant::SubjectId::as_str),
        seen[1]
            .0
            .as_ref()
            .map(portcullis::tenant::SubjectId::as_str)
    );
    assert_ne!(seen[0].0, seen[1].0);
    assert_ne!(seen[0].1, seen[1].1);
    assert_ne!(seen[0].2, seen[1].2);
    assert_eq!(seen[0], seen[2]);
}

#[tokio::test]
async fn a_parameter_that_nesting_brings_twice_must_agree() {
    let issuer = MockIssuer::new();
    let trusted = issuer
        .trusted()
        .tenant_claims(TenantClaims::by_workspace("workspace_id").without_accounts());
    let server = trusting([trusted]);
    // A handler behind a service of its own sees the parameters of both routers.
    let inner = Router::new().route("/inner/{workspace_id}", get(enter));
    let app = Router::new()
        .nest_service("/outer/{workspace_id}", inner)
        .layer(server.authenticate());
    let token = issuer.token().claim("workspace_id", "w-1").sign();
    assert_eq!(app.get("/outer/w-1/inner/w-1", &token).await.body, "/w-1");
    for path in ["/outer/w-1/inner/w-2", "/outer/w-2/inner/w-1"] {
        assert_eq!(
            app.get(path, &token).await.verdict(),
            "500 misconfigured repeated_parameter",
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_empty_list_of_groups_is_no_group() {
    let Apps { issuer, app, .. } = apps();
    let token = issuer
        .aworld_client()
        .claim("cognito:groups", json!([]))
        .sign();
    assert_eq!(app.get("/who", &token).await.body, "client of acme-prod");
}

#[tokio::test]
async fn a_role_in_a_workspace_counts_in_its_own_context_alone() {
    portcullis::roles! { Editor = "editor"; }
    let issuer = pool();
    let server_with = |issuer: &MockIssuer| {
        let builder = ResourceServer::builder(API).issuer(trusted(issuer));
        builder.build().expect("sound")
    };
    let optional_routes = || {
        Router::new()
            .route(
                "/option",
                get(|role: Option<InRole<Editor>>| async move { role.is_some().to_string() }),
            )
            .route("/user", get(|_: Option<WorkspaceUser>| async {}))
            .route("/client", get(|_: Option<Client>| async {}))
            .route("/principal", get(|_: Option<Principal>| async {}))
            .route(
                "/workspaces/{workspace_id}",
                get(|_: Option<WorkspaceAccess>| async {}),
            )
    };
    let server = server_with(&issuer);
    let routes = optional_routes().route("/role", get(|_: InRole<Editor>| async {}));
    let app = routes
        .clone()
        .route_layer(server.authenticate().context("app"));
    let forgotten = routes.clone().route_layer(server.authenticate());
    let optional = routes.route_layer(server.authenticate().optional());
    let user = issuer.aworld_user();
    assert_eq!(app.get("/role", &user.sign()).await.status, 200);
    assert_eq!(app.get("/option", &user.sign()).await.body, "true");
    assert_eq!(
        app.get("/role", &user.clone().role("viewer").sign())
            .await
            .verdict(),
        "403 wrong_caller"
    );
    let dashboard = user.clone().context("dashboard").sign();
    assert_eq!(
        app.get("/role", &dashboard).await.verdict(),
        "403 wrong_caller"
    );
    assert_eq!(
        forgotten.get("/role", &user.sign()).await.verdict(),
        "500 misconfigured no_context"
    );
    let named = server_with(&issuer).authenticate().context("app");
    let named = optional_routes().route_layer(named.optional());
    assert_eq!(named.send("/option", &[]).await.body, "false");
    // A forgotten context shows in an `Option` too, whether anything was sent or not.
    for path in ["/option", "/user", "/client", "/principal"] {
        let verdict = optional.send(path, &[]).await.verdict();
        assert_eq!(verdict, "500 misconfigured no_context", "{path}");
    }
    assert_eq!(
        optional.send("/workspaces/x", &[]).await.verdict(),
        "500 misconfigured no_context"
    );
}

#[tokio::test]
async fn naming_a_portal_client_accepts_its_tokens() {
    let issuer = pool();
    let only = Issuer::cognito("eu-west-1", "eu-west-1_AbCdEf")
        .client_id("app-client")
        .key_set(issuer.key_set())
        .tenant_claims(TenantClaims::aworld().portal_client("portal-client"));
    let server = trusting([only]);
    let portal = routes().route_layer(server.authenticate().context("portal"));
    let principal = issuer.aworld_principal();
    assert_eq!(
        portal
            .get("/who", &principal.clone().client("portal-client").sign())
            .await
            .body,
        "principal principal-1"
    );
    assert_eq!(
        portal
            .get("/who", &principal.client("other").sign())
            .await
            .verdict(),
        "401 invalid_token client_id"
    );
}
