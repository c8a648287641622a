//! Users of several workspaces: by a claim, by an account-wide role and by the application's
//! directory. Each refusal stands beside its accepted twin.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::routing::get;
use portcullis::tenant::{AccountAccess, AccountId, UserId, WorkspaceId};
use portcullis::tenant::{
    LookupError, Membership, MembershipDirectory, WorkspaceDirectory, workspace_directory_fn,
};
use portcullis::test_util::{ManualClock, MockIssuer, TokenBuilder};
use portcullis::{
    AuthenticateLayer, Identity, InRole, ResourceServer, ResourceServerBuilder, TenantClaims,
    WorkspaceAccess, WorkspaceUser,
};
use serde_json::json;

use crate::support::{API, Requests as _, TestApp};

portcullis::roles! { Editor = "editor"; Owner = "owner"; }

/// The workspace that was entered, its account and the role there.
async fn enter(access: WorkspaceAccess) -> String {
    let account = access.account().map_or("-", AccountId::as_str).to_owned();
    let Identity::User(user) = access.caller() else {
        return "no user".to_owned();
    };
    assert_eq!(user.workspace(), access.workspace());
    assert_eq!(user.account(), access.account());
    let role = user.role().unwrap_or("-");
    format!("{account}/{} as {role}", access.workspace())
}

async fn account(access: AccountAccess) -> String {
    assert!(access.principal().is_none());
    access.account().to_string()
}

fn routes(layer: AuthenticateLayer) -> TestApp {
    TestApp::behind(layer)
        .route("/w/{workspace_id}", get(enter))
        .route("/a/{account_id}/w/{workspace_id}", get(enter))
        .route("/a/{account_id}", get(account))
        .route(
            "/w/{workspace_id}/edit",
            get(|_: InRole<Editor, WorkspaceAccess>| async {}),
        )
        .route("/w/{workspace_id}/peek", get(|_: InRole<Editor>| async {}))
        .route(
            "/w/{workspace_id}/own",
            get(|_: InRole<Owner, WorkspaceAccess>| async {}),
        )
        .route("/role", get(|_: InRole<Editor>| async {}))
        .route(
            "/me",
            get(|user: WorkspaceUser| async move { user.workspace().to_string() }),
        )
}

fn builder(issuer: &MockIssuer, rules: TenantClaims) -> ResourceServerBuilder {
    ResourceServer::builder(API).issuer(issuer.trusted().tenant_claims(rules))
}

/// A workspace is owned by the account before its hyphen; `nobody-1` by none.
fn owners() -> impl WorkspaceDirectory {
    workspace_directory_fn(|workspace: WorkspaceId| async move {
        let owner = workspace.as_str().split('-').next().unwrap_or_default();
        Ok((owner != "nobody")
            .then(|| AccountId::new(owner))
            .transpose()?)
    })
}

fn app(builder: ResourceServerBuilder) -> TestApp {
    routes(builder.build().expect("sound").authenticate())
}

async fn check(app: &TestApp, token: &TokenBuilder, cases: &[(&str, &str)]) {
    let token = token.sign();
    for (path, expected) in cases {
        // Twice: the second time the token is a remembered one.
        for _ in 0..2 {
            let answer = app.get(path, &token).await;
            let said = match answer.status.as_u16() {
                200 => answer.body.clone(),
                _ => answer.verdict(),
            };
            assert_eq!(said, *expected, "{path}");
        }
    }
}

fn listing() -> TenantClaims {
    TenantClaims::by_workspace("workspace")
        .account_claim("account")
        .role_claim("role")
        .workspaces_claim("workspaces")
}

fn alice(issuer: &MockIssuer) -> TokenBuilder {
    issuer
        .token()
        .subject("alice")
        .claim("workspace", "acme-prod")
        .claim("account", "acme")
        .claim("role", "editor")
        .claim("workspaces", ["acme-prod", "acme-dev"])
}

#[tokio::test]
async fn user_enters_the_workspaces_that_a_claim_lists() {
    let issuer = MockIssuer::new();
    let listed = app(builder(&issuer, listing()));
    let user = alice(&issuer);
    check(
        &listed,
        &user,
        &[
            ("/w/acme-prod", "acme/acme-prod as editor"),
            ("/w/acme-dev", "acme/acme-dev as -"),
            ("/a/acme/w/acme-dev", "acme/acme-dev as -"),
            ("/w/acme-test", "403 wrong_tenant"),
            ("/a/globex/w/acme-dev", "403 wrong_tenant"),
            ("/a/acme", "403 wrong_caller"),
            ("/me", "acme-prod"),
            // The token's role is one in the workspace that the token names.
            ("/w/acme-prod/edit", ""),
            ("/w/acme-prod/peek", ""),
            ("/w/acme-dev/edit", "403 wrong_caller"),
            ("/w/acme-dev/peek", "403 wrong_caller"),
            ("/w/acme-test/edit", "403 wrong_tenant"),
            // A route that addresses no workspace is judged as without memberships.
            ("/role", ""),
        ],
    )
    .await;
    // Without the setting the list is a claim like any other.
    let plain = TenantClaims::by_workspace("workspace").account_claim("account");
    let plain = app(builder(&issuer, plain));
    check(
        &plain,
        &user,
        &[
            ("/w/acme-prod", "acme/acme-prod as -"),
            ("/w/acme-dev", "403 wrong_tenant"),
        ],
    )
    .await;
    // A role of the issuer's own counts everywhere, as without memberships.
    check(
        &listed,
        &user.clone().roles(["editor"]),
        &[("/w/acme-dev/edit", "")],
    )
    .await;
}

#[tokio::test]
async fn workspaces_claim_of_another_form_is_no_evidence() {
    let issuer = MockIssuer::new();
    let listed = app(builder(&issuer, listing()));
    let user = alice(&issuer);
    let home = [
        ("/w/acme-prod", "acme/acme-prod as editor"),
        ("/w/acme-dev", "403 wrong_tenant"),
    ];
    check(&listed, &user.clone().claim("workspaces", json!([])), &home).await;
    check(&listed, &user.clone().without("workspaces"), &home).await;
    let many = |count: usize| -> Vec<String> { (0..count).map(|at| format!("w-{at}")).collect() };
    check(
        &listed,
        &user.clone().claim("workspaces", many(1024)),
        &[("/w/w-1023", "acme/w-1023 as -")],
    )
    .await;
    for odd in [
        json!("acme-dev"),
        json!({"acme-dev": true}),
        json!(null),
        json!(["acme-dev", 7]),
        json!(["acme-dev", ""]),
        json!(["acme-dev", "a\nb"]),
        json!(["acme-dev", "x".repeat(257)]),
        json!(many(1025)),
    ] {
        let token = user.clone().claim("workspaces", odd);
        check(
            &listed,
            &token,
            &[
                ("/w/acme-dev", "403 no_tenant"),
                ("/w/acme-prod", "403 no_tenant"),
            ],
        )
        .await;
    }
    let numbers = app(builder(&issuer, listing().numeric_ids()));
    let token = user.claim("workspaces", json!([7, "acme-dev"]));
    check(
        &numbers,
        &token,
        &[("/w/7", "acme/7 as -"), ("/w/8", "403 wrong_tenant")],
    )
    .await;
}

#[tokio::test]
async fn tokens_that_name_no_workspace_enter_those_that_they_list() {
    let issuer = MockIssuer::new();
    let rules = TenantClaims::by_membership()
        .without_accounts()
        .user_claim("uid")
        .machine_claim("kind", "service")
        .workspaces_claim(["app", "workspaces"]);
    let listed = app(builder(&issuer, rules));
    let user = issuer
        .token()
        .claim("uid", "u-1")
        .claim("app", json!({"workspaces": ["one", "two"]}));
    check(
        &listed,
        &user,
        &[
            ("/w/one", "-/one as -"),
            ("/w/two", "-/two as -"),
            ("/w/three", "403 wrong_tenant"),
            ("/a/acme/w/one", "403 wrong_tenant"),
            ("/role", "403 wrong_caller"),
            ("/me", "403 no_tenant"),
        ],
    )
    .await;
    let out = [("/w/one", "403 no_tenant")];
    check(&listed, &user.clone().without("uid"), &out).await;
    check(&listed, &user.clone().claim("uid", 7), &out).await;
    check(
        &listed,
        &user.clone().claim("app", json!({"workspaces": []})),
        &out,
    )
    .await;
    check(&listed, &user.clone().without("app"), &out).await;
    // A machine is no member.
    check(&listed, &user.clone().claim("kind", "service"), &out).await;
    let machine = issuer
        .client_token()
        .claim("uid", "u-1")
        .claim("app", json!({"workspaces": ["one"]}));
    check(&listed, &machine, &out).await;
}

#[tokio::test]
async fn listed_workspace_of_a_limited_issuer_is_its_accounts_own() {
    let issuer = MockIssuer::new();
    let rules = listing().only_accounts(["acme"]);
    let limited = app(builder(&issuer, rules).workspace_directory(owners()));
    let user = alice(&issuer).claim("workspaces", ["acme-dev", "globex-prod", "nobody-1"]);
    check(
        &limited,
        &user,
        &[
            ("/w/acme-prod", "acme/acme-prod as editor"),
            ("/w/acme-dev", "acme/acme-dev as -"),
            ("/w/globex-prod", "403 wrong_tenant"),
            ("/w/nobody-1", "403 wrong_tenant"),
        ],
    )
    .await;
    let foreign = user.claim("account", "globex");
    check(&limited, &foreign, &[("/w/globex-prod", "403 no_tenant")]).await;
}

#[tokio::test]
async fn administrator_of_an_account_enters_its_workspaces_and_obtains_it() {
    let issuer = MockIssuer::new();
    let rules = TenantClaims::by_workspace("workspace")
        .account_claim("account")
        .role_claim("role")
        .account_admin_role("owner");
    let managed = app(builder(&issuer, rules).workspace_directory(owners()));
    let owner = alice(&issuer).claim("role", "owner");
    let everywhere = [
        ("/w/acme-prod", "acme/acme-prod as owner"),
        ("/w/acme-dev", "acme/acme-dev as owner"),
        ("/a/acme/w/acme-dev", "acme/acme-dev as owner"),
        ("/a/globex/w/acme-dev", "403 wrong_tenant"),
        ("/w/globex-prod", "403 wrong_tenant"),
        ("/a/acme/w/globex-prod", "403 wrong_tenant"),
        ("/a/globex/w/globex-prod", "403 wrong_tenant"),
        ("/w/nobody-1", "403 wrong_tenant"),
        ("/a/acme", "acme"),
        ("/a/globex", "403 wrong_tenant"),
        ("/w/acme-dev/own", ""),
        ("/w/globex-prod/own", "403 wrong_tenant"),
        ("/w/acme-dev/edit", "403 wrong_caller"),
    ];
    check(&managed, &owner, &everywhere).await;
    let nowhere = [
        ("/w/acme-prod", "acme/acme-prod as editor"),
        ("/w/acme-dev", "403 wrong_tenant"),
        ("/a/acme", "403 wrong_caller"),
    ];
    check(&managed, &alice(&issuer), &nowhere).await;
    // A role of the issuer's roles claim is as good.
    let by_roles = alice(&issuer).roles(["owner"]);
    check(
        &managed,
        &by_roles,
        &[
            ("/w/acme-dev", "acme/acme-dev as owner"),
            ("/a/acme", "acme"),
        ],
    )
    .await;
    let almost = alice(&issuer).roles(["Owner", "owners"]);
    check(&managed, &almost, &nowhere).await;
    for odd in [
        owner.clone().claim("role", json!(["owner"])),
        owner.clone().claim("account", json!(["acme"])),
        owner.clone().without("account"),
    ] {
        check(
            &managed,
            &odd,
            &[
                ("/w/acme-dev", "403 no_tenant"),
                ("/a/acme", "403 no_tenant"),
            ],
        )
        .await;
    }
    // A workspace that the token lists is one of the account: the role counts there too.
    let rules = listing().account_admin_role("owner");
    let both = app(builder(&issuer, rules).workspace_directory(owners()));
    check(
        &both,
        &owner,
        &[
            ("/w/acme-dev", "acme/acme-dev as owner"),
            ("/w/acme-dev/own", ""),
            ("/w/acme-test", "acme/acme-test as owner"),
        ],
    )
    .await;
    // A machine has no role in an account.
    let machine = owner.clone().subject(MockIssuer::CLIENT_ID);
    let refused = [
        ("/w/acme-dev", "403 wrong_tenant"),
        ("/a/acme", "403 wrong_caller"),
    ];
    check(&managed, &machine, &refused).await;
    // Without the setting the role is one in the workspace that the token names.
    let plain = TenantClaims::by_workspace("workspace")
        .account_claim("account")
        .role_claim("role");
    let plain = app(builder(&issuer, plain).workspace_directory(owners()));
    check(
        &plain,
        &owner,
        &[
            ("/w/acme-dev", "403 wrong_tenant"),
            ("/a/acme", "403 wrong_caller"),
        ],
    )
    .await;
}

/// Members of workspaces, of one issuer; it counts how often it is asked.
struct Members {
    issuer: String,
    asked: AtomicUsize,
}

impl MembershipDirectory for Members {
    async fn membership(
        &self,
        user: &UserId,
        workspace: &WorkspaceId,
    ) -> Result<Option<Membership>, LookupError> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        let acme = || AccountId::new("acme");
        Ok(match (user.as_str(), workspace.as_str()) {
            _ if user.issuer() != self.issuer => None,
            ("bob", "acme-dev") => Some(Membership::new().account(acme()?).role("editor")),
            ("bob", "globex-prod") => Some(Membership::new().account(AccountId::new("globex")?)),
            ("bob", "free") => Some(Membership::new()),
            ("bob", "once") if asked % 2 == 0 => Some(Membership::new().account(acme()?)),
            (_, "broken") => return Err("no connection".into()),
            (_, "slow") => std::future::pending().await,
            _ => None,
        })
    }
}

fn members(issuer: &MockIssuer) -> Arc<Members> {
    Arc::new(Members {
        issuer: issuer.issuer(),
        asked: AtomicUsize::new(0),
    })
}

#[tokio::test]
async fn user_enters_the_workspaces_that_the_directory_says() {
    let issuer = MockIssuer::new();
    let directory = members(&issuer);
    let rules = TenantClaims::by_membership().memberships_from_directory();
    let server = builder(&issuer, rules).membership_directory(Arc::clone(&directory));
    let app = app(server);
    let bob = issuer.token().subject("bob");
    check(
        &app,
        &bob,
        &[
            ("/w/acme-dev", "acme/acme-dev as editor"),
            ("/a/acme/w/acme-dev", "acme/acme-dev as editor"),
            ("/a/globex/w/acme-dev", "403 wrong_tenant"),
            ("/w/globex-prod", "globex/globex-prod as -"),
            ("/w/free", "-/free as -"),
            ("/a/acme/w/free", "403 wrong_tenant"),
            ("/w/other", "403 wrong_tenant"),
            ("/w/broken", "503 unavailable directory_failed"),
            ("/a/acme", "403 no_tenant"),
            ("/w/acme-dev/edit", ""),
            ("/w/globex-prod/edit", "403 wrong_caller"),
            ("/w/broken/edit", "503 unavailable directory_failed"),
        ],
    )
    .await;
    check(
        &app,
        &issuer.token().subject("eve"),
        &[("/w/acme-dev", "403 wrong_tenant")],
    )
    .await;
    // A machine is not asked about.
    let before = directory.asked.load(Ordering::Relaxed);
    let machine = issuer.client_token();
    check(&app, &machine, &[("/w/acme-dev", "403 no_tenant")]).await;
    assert_eq!(directory.asked.load(Ordering::Relaxed), before);
    // Nothing is remembered: the same token is let in and then is not.
    directory.asked.store(0, Ordering::Relaxed);
    let token = bob.sign();
    for expected in ["200", "403 wrong_tenant", "200"] {
        assert_eq!(app.get("/w/once", &token).await.verdict(), expected);
    }
}

#[tokio::test]
async fn membership_is_one_of_the_users_issuer() {
    let (ours, theirs) = (
        MockIssuer::named("https://ours.example.com"),
        MockIssuer::named("https://theirs.example.com"),
    );
    let rules = || TenantClaims::by_membership().memberships_from_directory();
    let server = ResourceServer::builder(API)
        .issuer(ours.trusted().tenant_claims(rules()))
        .issuer(theirs.trusted().tenant_claims(rules()))
        .membership_directory(members(&ours));
    let app = app(server);
    check(
        &app,
        &ours.token().subject("bob"),
        &[("/w/acme-dev", "acme/acme-dev as editor")],
    )
    .await;
    check(
        &app,
        &theirs.token().subject("bob"),
        &[("/w/acme-dev", "403 wrong_tenant")],
    )
    .await;
}

#[tokio::test]
async fn membership_in_an_account_fits_the_rules() {
    let issuer = MockIssuer::new();
    let directory = members(&issuer);
    let with = |rules: TenantClaims| {
        app(builder(&issuer, rules.memberships_from_directory())
            .workspace_directory(owners())
            .membership_directory(Arc::clone(&directory)))
    };
    let bob = issuer
        .token()
        .subject("bob")
        .claim("workspace", "acme-prod")
        .claim("account", "acme");
    let home = || TenantClaims::by_workspace("workspace");
    // Without an account of its own, a membership is of the token's.
    check(
        &with(home().account_claim("account")),
        &bob,
        &[
            ("/w/acme-prod", "acme/acme-prod as -"),
            ("/w/free", "acme/free as -"),
            ("/w/globex-prod", "globex/globex-prod as -"),
        ],
    )
    .await;
    let stateless = issuer.token().subject("bob");
    let rules = TenantClaims::by_membership().account_claim("account");
    check(
        &with(rules),
        &stateless,
        &[
            ("/w/acme-dev", "acme/acme-dev as editor"),
            ("/w/free", "403 wrong_tenant"),
        ],
    )
    .await;
    check(
        &with(home().without_accounts()),
        &bob,
        &[
            ("/w/free", "-/free as -"),
            ("/w/acme-dev", "403 wrong_tenant"),
        ],
    )
    .await;
    check(
        &with(home().account_claim("account").only_accounts(["acme"])),
        &bob,
        &[
            ("/w/acme-dev", "acme/acme-dev as editor"),
            ("/w/globex-prod", "403 wrong_tenant"),
        ],
    )
    .await;
}

#[tokio::test]
async fn membership_directory_that_is_late_is_an_outage() {
    let issuer = MockIssuer::new();
    let clock = ManualClock::new();
    let issuer = issuer.with_clock(clock.clone());
    let rules = TenantClaims::by_membership().memberships_from_directory();
    let app = app(builder(&issuer, rules)
        .clock(clock.clone())
        .lookup_timeout(Duration::from_secs(1))
        .membership_directory(members(&issuer)));
    let token = issuer.token().subject("bob").sign();
    let waiting = tokio::spawn(async move { app.get("/w/slow", &token).await });
    clock.await_sleepers(1).await;
    clock.advance(Duration::from_secs(1));
    let answer = waiting.await.expect("an answer");
    assert_eq!(answer.verdict(), "503 unavailable directory_timed_out");
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn member_of_another_api_context_enters_nothing() {
    let issuer = MockIssuer::new();
    let rules = listing().contexts("context", ["app", "dashboard"]);
    let server = builder(&issuer, rules).build().expect("sound");
    let app = routes(server.authenticate().context("app"));
    let user = alice(&issuer).claim("context", "app");
    check(&app, &user, &[("/w/acme-dev", "acme/acme-dev as -")]).await;
    let other = user.clone().claim("context", "dashboard");
    check(&app, &other, &[("/w/acme-dev", "403 wrong_caller")]).await;
    check(
        &app,
        &user.without("context"),
        &[("/w/acme-dev", "403 no_tenant")],
    )
    .await;
}

#[test]
fn memberships_that_cannot_work_are_mistakes() {
    let issuer = MockIssuer::new();
    let build = |rules: TenantClaims| builder(&issuer, rules);
    let home = || TenantClaims::by_workspace("workspace").account_claim("account");
    for (faulty, words) in [
        (
            build(TenantClaims::by_membership().without_accounts()),
            "`workspaces_claim(..)` or",
        ),
        (
            build(TenantClaims::by_membership().workspaces_claim("w")),
            "`account_claim(..)`",
        ),
        (build(home().workspaces_claim("")), "name the claim"),
        (
            build(home().memberships_from_directory()),
            "`membership_directory(..)`",
        ),
        (
            build(home().account_admin_role("owner")),
            "`workspace_directory(..)`",
        ),
        (
            build(home().account_admin_role("")).workspace_directory(owners()),
            "name the role",
        ),
        (
            build(
                TenantClaims::by_workspace("w")
                    .without_accounts()
                    .account_admin_role("owner"),
            )
            .workspace_directory(owners()),
            "`account_claim(..)`",
        ),
        (
            build(home().workspaces_claim("a").workspaces_claim("b")),
            "set twice",
        ),
        (
            build(home()).membership_directory(members(&issuer)),
            "memberships_from_directory",
        ),
    ] {
        let error = faulty.build().expect_err(words).to_string();
        assert!(error.contains(words), "{error}");
    }
    for sound in [
        build(
            TenantClaims::by_membership()
                .without_accounts()
                .workspaces_claim("w"),
        ),
        build(TenantClaims::by_membership().memberships_from_directory())
            .membership_directory(members(&issuer)),
        build(home().account_admin_role("owner")).workspace_directory(owners()),
    ] {
        assert!(sound.build().is_ok());
    }
}
