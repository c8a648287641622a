//! Principals: an account within reach, and a workspace only where the route and its owner say so.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use portcullis::error::Outage;
use portcullis::tenant::{
    AccountAccess, AccountId, Client, LookupError, Principal, Reach, WorkspaceDirectory,
    WorkspaceId,
};
use portcullis::test_util::{ManualClock, MockIssuer, TokenBuilder};
use portcullis::time::Clock as _;
use portcullis::{
    AccessToken, AuthenticateLayer, Claims, Identity, InGroup, InRole, RejectionKind,
    ResourceServer, ResourceServerBuilder, Scope, Scoped, TenantClaims, WorkspaceAccess,
    WorkspaceUser,
};

use crate::support::logs::Logs;
use crate::support::{API, Requests as _, TestApp};

portcullis::scopes! { ReadReports = "reports/read"; }
portcullis::roles! { Auditor = "auditor"; }

/// `acme-prod` and `acme-dev` are acme's, `globex-prod` is globex's; `broken` fails and
/// `hanging` never answers. How often it was asked is counted.
#[derive(Clone, Default)]
struct Workspaces(Arc<AtomicUsize>);

impl Workspaces {
    fn asked(&self) -> usize {
        self.0.swap(0, Ordering::SeqCst)
    }
}

impl WorkspaceDirectory for Workspaces {
    async fn owner(&self, workspace: &WorkspaceId) -> Result<Option<AccountId>, LookupError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        match workspace.as_str() {
            "acme-prod" | "acme-dev" => Ok(Some(AccountId::new("acme")?)),
            "globex-prod" => Ok(Some(AccountId::new("globex")?)),
            "broken" => Err("the database is down".into()),
            "hanging" => std::future::pending().await,
            _ => Ok(None),
        }
    }
}

async fn enter(access: WorkspaceAccess) -> String {
    let account = access.account().map(ToString::to_string);
    let who = match access.caller() {
        Identity::Principal(principal) => format!("principal {}", principal.id()),
        Identity::User(user) => format!("user {}", user.user()),
        Identity::Client(client) => format!("client {}", client.id()),
        Identity::Subject(_) => "subject".to_owned(),
    };
    format!(
        "{who} in {}/{}",
        account.unwrap_or_default(),
        access.workspace()
    )
}

async fn account(access: AccountAccess) -> String {
    format!(
        "{} in {}",
        access.principal().expect("a principal").id(),
        access.account()
    )
}

async fn reach(principal: Principal) -> String {
    match principal.reach() {
        Reach::EveryAccount => "every account".to_owned(),
        Reach::Accounts(accounts) => {
            let names: Vec<_> = accounts.iter().map(AccountId::as_str).collect();
            names.join(" ")
        }
    }
}

fn routes(layer: AuthenticateLayer) -> TestApp {
    TestApp::behind(layer)
        .route("/reach", get(reach))
        .route("/me", get(|_: WorkspaceUser| async {}))
        .route("/machine", get(|_: Client| async {}))
        .route("/accounts/{account_id}", get(account))
        .workspaces(get(enter))
        .route(
            "/reports/{workspace_id}",
            get(async |_: Scoped<ReadReports, WorkspaceAccess>| {}),
        )
}

fn pool() -> MockIssuer {
    MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf")
}

fn rules() -> TenantClaims {
    TenantClaims::aworld().portal_client(MockIssuer::PORTAL_CLIENT_ID)
}

fn builder(issuer: &MockIssuer, rules: TenantClaims) -> ResourceServerBuilder {
    ResourceServer::builder(API).issuer(issuer.trusted().tenant_claims(rules))
}

struct World {
    issuer: MockIssuer,
    directory: Workspaces,
    /// The context `app`, where principals are guests.
    open: TestApp,
    /// The context `app`, where they are not.
    closed: TestApp,
    portal: TestApp,
}

fn world(rules: TenantClaims) -> World {
    let issuer = pool();
    let directory = Workspaces::default();
    let server = builder(&issuer, rules)
        .workspace_directory(directory.clone())
        .build()
        .expect("sound");
    let layer = |context| server.authenticate().context(context);
    World {
        open: routes(layer("app").admit_principals()),
        closed: routes(layer("app")),
        portal: routes(layer("portal")),
        issuer,
        directory,
    }
}

async fn said(app: &Router, path: &str, token: &TokenBuilder) -> String {
    app.get(path, &token.sign()).await.body_or_verdict()
}

const NOT_YOURS: &str = "403 wrong_tenant";
const NOT_YOU: &str = "403 wrong_caller";

#[tokio::test]
async fn an_account_is_obtained_within_reach_and_by_principals_alone() {
    let World {
        issuer,
        portal,
        closed,
        ..
    } = world(rules().principals_reach(["acme", "globex"]));
    let principal = issuer.aworld_principal();
    let of = async |path: &str| said(&portal, path, &principal).await;
    assert_eq!(of("/accounts/acme").await, "principal-1 in acme");
    assert_eq!(of("/accounts/globex").await, "principal-1 in globex");
    for path in [
        "initech",
        "Acme",
        "acme%20",
        "%61cme%2f",
        "*",
        "acme,globex",
        "%FF",
        "a%00",
    ] {
        assert_eq!(of(&format!("/accounts/{path}")).await, NOT_YOURS, "{path}");
    }
    assert_eq!(of("/reach").await, "acme globex");

    // Neither a user nor a client, be it of this very account.
    for token in [issuer.aworld_user(), issuer.aworld_client()] {
        assert_eq!(said(&closed, "/accounts/acme", &token).await, NOT_YOU);
    }
    let subject = issuer.aworld_user().without("workspaceId");
    assert_eq!(
        said(&closed, "/accounts/acme", &subject).await,
        "403 no_tenant"
    );
}

#[tokio::test]
async fn reach_that_nobody_granted_is_none() {
    let World {
        issuer,
        portal,
        open,
        directory,
        ..
    } = world(rules());
    let principal = issuer.aworld_principal();
    assert_eq!(said(&portal, "/reach", &principal).await, "");
    assert_eq!(said(&portal, "/accounts/acme", &principal).await, NOT_YOURS);
    assert_eq!(
        said(&open, "/workspaces/acme-prod", &principal).await,
        NOT_YOURS
    );
    // A claim that no setting names grants nothing.
    let hopeful = principal.claim("accounts", ["acme"]).claim("reach", "*");
    assert_eq!(said(&portal, "/accounts/acme", &hopeful).await, NOT_YOURS);
    assert_eq!(
        directory.asked(),
        0,
        "the directory is not asked for a principal without reach"
    );
}

#[tokio::test]
async fn every_account_is_reached_by_an_explicit_setting() {
    let World {
        issuer,
        portal,
        open,
        ..
    } = world(rules().principals_reach_every_account());
    let principal = issuer.aworld_principal();
    assert_eq!(said(&portal, "/reach", &principal).await, "every account");
    assert_eq!(
        said(&portal, "/accounts/any", &principal).await,
        "principal-1 in any"
    );
    assert_eq!(
        said(&open, "/workspaces/globex-prod", &principal).await,
        "principal principal-1 in globex/globex-prod"
    );
    // Not those that do not exist.
    assert_eq!(
        said(&open, "/workspaces/nowhere", &principal).await,
        NOT_YOURS
    );
}

#[tokio::test]
async fn a_claim_of_reach_is_a_list_of_accounts_or_contradiction() {
    let World { issuer, portal, .. } =
        world(rules().principals_reach_claim(["grants", "accounts"]));
    let with = |accounts: serde_json::Value| {
        let grants = serde_json::json!({ "accounts": accounts });
        issuer.aworld_principal().claim("grants", grants)
    };
    let of = async |token: &TokenBuilder, path: &str| said(&portal, path, token).await;
    let granted = with(serde_json::json!(["acme", "globex"]));
    assert_eq!(of(&granted, "/reach").await, "acme globex");
    assert_eq!(
        of(&granted, "/accounts/globex").await,
        "principal-1 in globex"
    );
    assert_eq!(of(&granted, "/accounts/initech").await, NOT_YOURS);

    let none = issuer.aworld_principal();
    for token in [
        none,
        with(serde_json::json!([])),
        with(serde_json::json!(["*"])),
    ] {
        assert_eq!(of(&token, "/accounts/acme").await, NOT_YOURS);
    }
    for odd in [
        serde_json::json!("acme"),
        serde_json::json!(null),
        serde_json::json!(true),
        serde_json::json!({"acme": true}),
        serde_json::json!(["acme", 1]),
        serde_json::json!(["acme", ""]),
        serde_json::json!([["acme"]]),
    ] {
        assert_eq!(
            of(&with(odd.clone()), "/accounts/acme").await,
            "403 no_tenant",
            "{odd}"
        );
    }
    // The claim widens the reach of no other caller.
    let user = issuer
        .aworld_user()
        .context("portal")
        .claim("grants", serde_json::json!({"accounts": ["acme"]}));
    assert_eq!(of(&user, "/accounts/acme").await, "403 no_tenant");
}

#[tokio::test]
async fn a_principal_enters_a_workspace_where_the_route_says_so_and_its_owner_is_within_reach() {
    let World {
        issuer,
        open,
        closed,
        portal,
        directory,
    } = world(rules().principals_reach(["acme"]));
    let principal = issuer.aworld_principal();
    let of = async |path: &str| said(&open, path, &principal).await;
    let inside = "principal principal-1 in acme/acme-prod";
    assert_eq!(of("/workspaces/acme-prod").await, inside);
    assert_eq!(of("/accounts/acme/workspaces/acme-prod").await, inside);
    assert_eq!(directory.asked(), 2, "the owner is asked for every time");

    // Another's workspace, also under the path of an account within reach, and the reverse.
    assert_eq!(of("/workspaces/globex-prod").await, NOT_YOURS);
    assert_eq!(of("/accounts/acme/workspaces/globex-prod").await, NOT_YOURS);
    assert_eq!(of("/workspaces/nowhere").await, NOT_YOURS);
    assert_eq!(directory.asked(), 3);
    assert_eq!(of("/accounts/globex/workspaces/acme-prod").await, NOT_YOURS);
    assert_eq!(
        of("/accounts/globex/workspaces/globex-prod").await,
        NOT_YOURS
    );
    assert_eq!(of("/workspaces/acme%0Aprod").await, NOT_YOURS);
    assert_eq!(
        directory.asked(),
        0,
        "what the reach decides is decided without asking"
    );

    // Where the route does not say so.
    for path in ["/workspaces/acme-prod", "/accounts/acme", "/reach"] {
        assert_eq!(said(&closed, path, &principal).await, NOT_YOU, "{path}");
    }
    assert_eq!(
        said(&portal, "/workspaces/acme-prod", &principal).await,
        NOT_YOU
    );
    // A guest is no user, and the scope is demanded of it too.
    assert_eq!(of("/me").await, NOT_YOU);
    assert_eq!(of("/reports/acme-prod").await, "403 insufficient_scope");
    let reader = issuer.aworld_principal().scope("reports/read");
    assert_eq!(said(&open, "/reports/acme-prod", &reader).await, "");
    assert_eq!(
        said(&open, "/reports/globex-prod", &reader).await,
        NOT_YOURS
    );
}

#[tokio::test]
async fn who_belongs_to_the_context_is_judged_as_before_where_principals_are_guests() {
    let World {
        issuer,
        open,
        directory,
        ..
    } = world(rules().principals_reach(["acme", "globex"]));
    let (user, client) = (issuer.aworld_user(), issuer.aworld_client());
    assert_eq!(
        said(&open, "/workspaces/acme-prod", &user).await,
        "user user-1 in acme/acme-prod"
    );
    assert_eq!(
        said(&open, "/accounts/acme/workspaces/acme-prod", &user).await,
        "user user-1 in acme/acme-prod"
    );
    assert!(
        said(&open, "/workspaces/acme-prod", &client)
            .await
            .starts_with("client ")
    );
    for token in [&user, &client] {
        assert_eq!(said(&open, "/workspaces/acme-dev", token).await, NOT_YOURS);
        assert_eq!(
            said(&open, "/workspaces/globex-prod", token).await,
            NOT_YOURS
        );
        assert_eq!(
            said(&open, "/accounts/globex/workspaces/acme-prod", token).await,
            NOT_YOURS
        );
    }
    assert_eq!(
        directory.asked(),
        0,
        "their workspace stands in their token"
    );
    // A token of another context is a guest only as a principal's.
    let dashboard = issuer.aworld_user().context("dashboard");
    let portal = issuer.aworld_user().context("portal");
    assert_eq!(
        said(&open, "/workspaces/acme-prod", &dashboard).await,
        NOT_YOU
    );
    assert_eq!(said(&open, "/workspaces/acme-prod", &portal).await, NOT_YOU);
}

#[tokio::test]
async fn evidence_that_is_not_a_principals_makes_no_guest() {
    let World {
        issuer,
        open,
        portal,
        ..
    } = world(rules().principals_reach_every_account());
    let good = issuer.aworld_principal();
    assert!(
        said(&open, "/workspaces/acme-prod", &good)
            .await
            .starts_with("principal")
    );
    let with = |name: &str, value: &str| issuer.aworld_principal().claim(name, value);
    for (variant, token) in [
        (
            "a user who signed in through the portal's client",
            issuer.aworld_user().client(MockIssuer::PORTAL_CLIENT_ID),
        ),
        (
            "the same, for the portal",
            issuer
                .aworld_user()
                .client(MockIssuer::PORTAL_CLIENT_ID)
                .context("portal"),
        ),
        ("a user id", with("userId", "user-1")),
        ("a workspace", with("workspaceId", "acme-prod")),
        ("an account", with("accountId", "acme")),
        ("a role", with("role", "admin")),
        ("a machine", with("platform", "m2m")),
        (
            "another client",
            issuer.aworld_principal().client(MockIssuer::CLIENT_ID),
        ),
        (
            "no principal id",
            issuer.aworld_principal().without("principalId"),
        ),
        ("no context", issuer.aworld_principal().without("context")),
        (
            "a list of contexts",
            issuer.aworld_principal().claim("context", ["portal"]),
        ),
    ] {
        for (app, path) in [
            (&open, "/workspaces/acme-prod"),
            (&portal, "/accounts/acme"),
        ] {
            let verdict = said(app, path, &token).await;
            assert!(
                verdict == NOT_YOU || verdict == "403 no_tenant",
                "{variant} at {path}: {verdict}"
            );
        }
    }
}

#[tokio::test]
async fn directory_errors_are_logged_once_a_minute() {
    let issuer = pool();
    let clock = ManualClock::new();
    let server = builder(&issuer, rules().principals_reach(["acme"]))
        .workspace_directory(Workspaces::default())
        .clock(clock.clone())
        .build()
        .expect("sound");
    let issuer = issuer.with_clock(clock.clone());
    let app = routes(server.authenticate().context("app").admit_principals());
    let token = issuer.aworld_principal().sign();
    let logs = Logs::default();
    let listening = logs.listen();
    let lines = || {
        let text = logs.text();
        text.matches("message=the application's directory failed")
            .count()
    };
    for _ in 0..50 {
        let answer = app.get("/workspaces/broken", &token).await;
        assert_eq!(answer.status, 503);
    }
    assert_eq!(lines(), 1);
    clock.advance(Duration::from_secs(60));
    app.get("/workspaces/broken", &token).await;
    assert_eq!(lines(), 2);
    drop(listening);
}

#[tokio::test]
async fn a_directory_that_fails_or_hangs_is_an_outage_and_not_a_no() {
    let issuer = pool();
    let clock = ManualClock::new();
    let server = builder(&issuer, rules().principals_reach(["acme"]))
        .workspace_directory(Workspaces::default())
        .lookup_timeout(Duration::from_millis(500))
        .clock(clock.clone())
        .build()
        .expect("sound");
    let issuer = issuer.with_clock(clock.clone());
    let app = routes(server.authenticate().context("app").admit_principals());
    let token = issuer.aworld_principal().sign();

    let failed = app.get("/workspaces/broken", &token).await;
    assert_eq!(
        failed.kind,
        Some(RejectionKind::Unavailable(Outage::DirectoryFailed))
    );
    assert_eq!(
        (failed.status.as_u16(), failed.header("retry-after")),
        (503, Some("1"))
    );
    assert_eq!(failed.header("www-authenticate"), None);

    let start = clock.monotonic();
    let hanging = app.get("/workspaces/hanging", &token);
    let time = async {
        clock.await_sleepers(1).await;
        clock.advance(Duration::from_millis(500));
    };
    let (late, ()) = tokio::join!(hanging, time);
    assert_eq!(late.verdict(), "503 unavailable directory_timed_out");
    assert_eq!(
        clock.monotonic().saturating_sub(start),
        Duration::from_millis(500)
    );
    assert_eq!(app.get("/workspaces/acme-prod", &token).await.status, 200);
}

#[tokio::test]
async fn guests_without_a_directory_and_accounts_without_a_parameter_are_wiring_faults() {
    let issuer = pool();
    let server = builder(&issuer, rules().principals_reach(["acme"]))
        .build()
        .expect("sound");
    let layer = || server.authenticate().context("app");
    let (open, closed) = (routes(layer().admit_principals()), routes(layer()));
    let user = issuer.aworld_user();
    // The first request shows the mistake, by any kind of caller.
    let fault = "500 misconfigured no_workspace_directory";
    assert_eq!(said(&open, "/workspaces/acme-prod", &user).await, fault);
    assert_eq!(
        said(&open, "/workspaces/acme-prod", &issuer.aworld_principal()).await,
        fault
    );
    assert_eq!(
        said(&closed, "/workspaces/acme-prod", &user).await,
        "user user-1 in acme/acme-prod"
    );

    let portal = TestApp::behind(server.authenticate().context("portal"))
        .route("/account/{id}", get(account));
    assert_eq!(
        said(&portal, "/account/acme", &issuer.aworld_principal()).await,
        "500 misconfigured no_account_parameter"
    );
}

#[tokio::test]
async fn an_account_that_nesting_brings_twice_must_agree() {
    let issuer = pool();
    let server = builder(&issuer, rules().principals_reach(["acme", "globex"]))
        .build()
        .expect("sound");
    let app = Router::new()
        .nest(
            "/outer/{account_id}",
            Router::new().route("/inner/{account_id}", get(account)),
        )
        .route_layer(server.authenticate().context("portal"));
    let token = issuer.aworld_principal();
    assert_eq!(
        said(&app, "/outer/acme/inner/acme", &token).await,
        "principal-1 in acme"
    );
    assert_eq!(
        said(&app, "/outer/acme/inner/globex", &token).await,
        "500 misconfigured repeated_parameter"
    );
}

#[tokio::test]
async fn an_issuer_limited_to_accounts_asserts_no_other_and_no_workspace_of_another() {
    let partner = MockIssuer::cognito("eu-west-1", "eu-west-1_Partner");
    let own = pool();
    let directory = Workspaces::default();
    let server = builder(&own, rules().principals_reach_every_account())
        .issuer(
            partner.trusted().tenant_claims(
                rules()
                    .principals_reach_every_account()
                    .only_accounts(["globex"]),
            ),
        )
        .workspace_directory(directory.clone())
        .build()
        .expect("sound");
    let app = routes(server.authenticate().context("app").admit_principals());
    let portal = routes(server.authenticate().context("portal"));

    let user = partner
        .aworld_user()
        .account("globex")
        .workspace("globex-prod");
    let client = partner
        .aworld_client()
        .account("globex")
        .workspace("globex-prod");
    for token in [&user, &client] {
        assert!(
            said(&app, "/workspaces/globex-prod", token)
                .await
                .ends_with("globex/globex-prod")
        );
    }
    assert_eq!(said(&app, "/me", &user).await, "");
    assert_eq!(said(&app, "/machine", &client).await, "");
    assert_eq!(
        directory.asked(),
        4,
        "the partner is not believed about workspaces"
    );
    for token in [
        user.clone().account("acme").workspace("acme-prod"),
        client.clone().account("acme").workspace("acme-prod"),
    ] {
        assert_eq!(
            said(&app, "/workspaces/acme-prod", &token).await,
            "403 no_tenant"
        );
    }
    // Its own account, and another account's workspace.
    let thief = user.clone().workspace("acme-prod");
    assert_eq!(said(&app, "/workspaces/acme-prod", &thief).await, NOT_YOURS);
    assert_eq!(
        said(&app, "/accounts/globex/workspaces/acme-prod", &thief).await,
        NOT_YOURS
    );
    assert_eq!(said(&app, "/me", &thief).await, NOT_YOURS);
    let machine = client.clone().workspace("acme-prod");
    assert_eq!(said(&app, "/machine", &machine).await, NOT_YOURS);
    let broken = user.clone().workspace("broken");
    assert_eq!(
        said(&app, "/me", &broken).await,
        "503 unavailable directory_failed"
    );
    let thief = user.clone().workspace("nowhere");
    assert_eq!(said(&app, "/workspaces/nowhere", &thief).await, NOT_YOURS);
    // Its principals reach what it may assert, also where the setting says every account.
    let principal = partner.aworld_principal();
    assert_eq!(said(&portal, "/reach", &principal).await, "globex");
    assert_eq!(said(&portal, "/accounts/acme", &principal).await, NOT_YOURS);
    assert_eq!(
        said(&app, "/workspaces/acme-prod", &principal).await,
        NOT_YOURS
    );
    assert!(
        said(&app, "/workspaces/globex-prod", &principal)
            .await
            .starts_with("principal")
    );
    // The other issuer is not limited by it.
    assert!(
        said(&app, "/workspaces/acme-prod", &own.aworld_user())
            .await
            .starts_with("user")
    );
    assert_eq!(
        said(&portal, "/accounts/acme", &own.aworld_principal()).await,
        "principal-1 in acme"
    );
}

#[tokio::test]
async fn a_closure_is_a_directory() {
    let issuer = pool();
    let server = builder(&issuer, rules().principals_reach(["acme"]))
        .workspace_directory(portcullis::tenant::workspace_directory_fn(
            |workspace: WorkspaceId| async move {
                let owner = workspace.as_str().split('-').next().unwrap_or_default();
                Ok(Some(AccountId::new(owner)?))
            },
        ))
        .build()
        .expect("sound");
    let app = routes(server.authenticate().context("app").admit_principals());
    let principal = issuer.aworld_principal();
    assert!(
        said(&app, "/workspaces/acme-new", &principal)
            .await
            .starts_with("principal")
    );
    assert_eq!(
        said(&app, "/workspaces/globex-new", &principal).await,
        NOT_YOURS
    );
}

#[tokio::test]
async fn a_guest_gets_into_a_workspace_and_nowhere_else() {
    let issuer = pool();
    let server = builder(&issuer, rules().principals_reach(["acme"]))
        .workspace_directory(Workspaces::default())
        .build()
        .expect("sound");
    let claims = get(async |access: WorkspaceAccess| {
        let claims = access.token().claims::<serde_json::Value>();
        claims
            .map(|claims| claims["principalId"].to_string())
            .unwrap_or_default()
    });
    let routes = Router::new()
        .route("/in/{workspace_id}", claims)
        .route(
            "/scoped/{workspace_id}",
            get(async |_: Scoped<ReadReports, WorkspaceAccess>| {}),
        )
        .route(
            "/role/{workspace_id}",
            get(async |_: InRole<Auditor, WorkspaceAccess>| {}),
        )
        .route(
            "/group/{workspace_id}",
            get(async |_: InGroup<Auditor, WorkspaceAccess>| {}),
        )
        .route("/token", get(async |_: AccessToken| {}))
        .route("/identity", get(async |_: Identity| {}))
        .route("/scope", get(async |_: Scope| {}))
        .route("/claims", get(async |_: Claims<serde_json::Value>| {}))
        .route("/only-scoped", get(async |_: Scoped<ReadReports>| {}))
        .route("/only-role", get(async |_: InRole<Auditor>| {}))
        .route("/principal", get(async |_: Principal| {}))
        .route("/accounts/{account_id}", get(account));
    let layer = || server.authenticate().context("app");
    let (open, optional) = (
        routes.clone().route_layer(layer().admit_principals()),
        routes
            .clone()
            .route_layer(layer().admit_principals().optional()),
    );
    let portal = routes.route_layer(server.authenticate().context("portal").admit_principals());
    let guest = issuer
        .aworld_principal()
        .scope("reports/read")
        .roles(["auditor"])
        .groups(["auditor"]);
    let user = issuer
        .aworld_user()
        .scope("reports/read")
        .roles(["auditor"])
        .groups(["auditor"]);
    assert_eq!(
        said(&open, "/in/acme-prod", &guest).await,
        "\"principal-1\""
    );
    for app in [&open, &optional] {
        for path in ["/scoped/acme-prod", "/role/acme-prod", "/group/acme-prod"] {
            assert_eq!(said(app, path, &guest).await, "", "{path}");
            assert_eq!(said(app, path, &user).await, "", "{path}");
        }
        for path in [
            "/token",
            "/identity",
            "/scope",
            "/claims",
            "/only-scoped",
            "/only-role",
        ] {
            assert_eq!(said(app, path, &guest).await, NOT_YOU, "{path}");
            assert_eq!(said(app, path, &user).await, "", "{path}");
        }
        for path in ["/principal", "/accounts/acme"] {
            assert_eq!(said(app, path, &guest).await, NOT_YOU, "{path}");
        }
    }
    // In their own context principals are no guests.
    assert_eq!(said(&portal, "/principal", &guest).await, "");
    assert_eq!(
        said(&portal, "/accounts/acme", &guest).await,
        "principal-1 in acme"
    );
    assert_eq!(
        said(&portal, "/in/acme-prod", &guest).await,
        "\"principal-1\""
    );
    assert_eq!(said(&portal, "/in/globex-prod", &guest).await, NOT_YOURS);
}

#[tokio::test]
async fn an_account_is_no_proof_for_a_workspace_below_it() {
    let issuer = pool();
    let server = builder(&issuer, rules().principals_reach(["acme"]))
        .build()
        .expect("sound");
    let app = TestApp::behind(server.authenticate().context("portal"))
        .route("/{account_id}", get(account))
        .route("/{account_id}/{workspace_id}", get(account));
    let token = issuer.aworld_principal();
    assert_eq!(said(&app, "/acme", &token).await, "principal-1 in acme");
    assert_eq!(
        said(&app, "/acme/globex-prod", &token).await,
        "500 misconfigured workspace_parameter"
    );
}

#[tokio::test]
async fn a_role_that_a_limited_issuer_gives_counts_where_the_directory_agrees() {
    let partner = pool();
    let server = builder(&partner, TenantClaims::aworld().only_accounts(["acme"]))
        .workspace_directory(Workspaces::default())
        .build()
        .expect("sound");
    let app = TestApp::behind(server.authenticate().context("app"))
        .route("/", get(async |_: InRole<Auditor>| {}));
    let auditor = partner.aworld_user().role("auditor");
    assert_eq!(said(&app, "/", &auditor).await, "");
    assert_eq!(
        said(&app, "/", &auditor.clone().workspace("globex-prod")).await,
        NOT_YOURS
    );
    let broken = auditor.workspace("broken");
    assert_eq!(
        said(&app, "/", &broken).await,
        "503 unavailable directory_failed"
    );
}

#[test]
fn a_directory_that_answers_at_once_needs_no_timer() {
    let issuer = pool();
    let server = builder(&issuer, rules().principals_reach(["acme"]))
        .workspace_directory(Workspaces::default())
        .build()
        .expect("sound");
    let app = routes(server.authenticate().context("app").admit_principals());
    let token = issuer.aworld_principal();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let answer = runtime.block_on(said(&app, "/workspaces/acme-prod", &token));
    assert!(answer.starts_with("principal"), "{answer}");
}
