//! Delegation: a client acts for one user of its workspace, and no other kind of caller does.

use std::time::Duration;

use axum::routing::get;
use portcullis::tenant::{
    AccountAccess, Client, Delegation, LookupError, Principal, UncheckedDelegation, UserDirectory,
    UserId,
};
use portcullis::test_util::{ManualClock, MockIssuer, TokenBuilder};
use portcullis::{
    AuthenticateLayer, Identity, Issuer, ResourceServer, ResourceServerBuilder, Scoped,
    TenantClaims, WorkspaceAccess, WorkspaceUser,
};

use crate::support::{API, Requests as _, TestApp, TestResponse};

portcullis::scopes! { Read = "app/read"; }

const USERS: [&str; 2] = ["user-1", "user-2"];
const HERE: &str = "/workspaces/acme-prod/act";
const THERE: &str = "/workspaces/acme-dev/act";

/// `acme-prod` has two users; asking about `broken` fails, about `hanging` takes for ever.
struct Users;

impl UserDirectory for Users {
    async fn has_user(&self, access: &WorkspaceAccess, user: &UserId) -> Result<bool, LookupError> {
        assert!(matches!(access.caller(), Identity::Client(_)));
        match user.as_str() {
            "broken" => Err("the database is down".into()),
            "hanging" => std::future::pending().await,
            known => Ok(access.workspace().as_str() == "acme-prod" && USERS.contains(&known)),
        }
    }
}

async fn act(delegation: Delegation) -> String {
    format!(
        "{} for {} in {}",
        delegation.client().id(),
        delegation.user(),
        delegation.workspace(),
    )
}

async fn claim(delegation: UncheckedDelegation) -> String {
    let account = delegation.access().account().map(ToString::to_string);
    format!(
        "{} perhaps for {} in {}",
        delegation.client().id(),
        delegation.unchecked_user(),
        account.unwrap_or_default(),
    )
}

fn routes(layer: AuthenticateLayer) -> TestApp {
    TestApp::behind(layer)
        .route("/workspaces/{workspace_id}/act", get(act))
        .route("/workspaces/{workspace_id}/claim", get(claim))
        .route(
            "/workspaces/{workspace_id}/plain",
            get(async |_: WorkspaceAccess| {}),
        )
        .route(
            "/accounts/{account_id}/workspaces/{workspace_id}/act",
            get(async |delegation: Scoped<Read, Delegation>| act(delegation.into_inner()).await),
        )
        .route("/accounts/{account_id}", get(async |_: AccountAccess| {}))
        .route("/client", get(async |_: Client| {}))
        .route("/user", get(async |_: WorkspaceUser| {}))
        .route("/principal", get(async |_: Principal| {}))
        .route("/who", get(async |_: Identity| {}))
}

fn pool() -> MockIssuer {
    MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf")
}

fn builder(issuer: Issuer) -> ResourceServerBuilder {
    ResourceServer::builder(API).issuer(issuer)
}

fn app(issuer: &MockIssuer, rules: TenantClaims) -> TestApp {
    let server = builder(issuer.trusted().tenant_claims(rules))
        .user_directory(Users)
        .build()
        .expect("sound");
    routes(server.authenticate().context("app"))
}

async fn ask(app: &TestApp, path: &str, token: &TokenBuilder, users: &[&str]) -> TestResponse {
    let bearer = format!("Bearer {}", token.sign());
    let mut fields = vec![("authorization", &*bearer)];
    fields.extend(users.iter().map(|user| ("x-user-id", *user)));
    app.send(path, &fields).await
}

async fn said(app: &TestApp, path: &str, token: &TokenBuilder, users: &[&str]) -> String {
    ask(app, path, token, users).await.body_or_verdict()
}

#[tokio::test]
async fn a_client_with_the_write_scope_acts_for_a_user_of_its_workspace() {
    let issuer = pool();
    let app = app(&issuer, TenantClaims::aworld().delegation());
    let client = issuer.aworld_client();
    let id = MockIssuer::CLIENT_ID;
    assert_eq!(
        said(&app, HERE, &client, &["user-1"]).await,
        format!("{id} for user-1 in acme-prod")
    );
    assert_eq!(
        said(
            &app,
            "/accounts/acme/workspaces/acme-prod/act",
            &client,
            &["user-2"]
        )
        .await,
        format!("{id} for user-2 in acme-prod")
    );
    assert_eq!(
        said(&app, HERE, &client, &["stranger"]).await,
        "403 wrong_tenant"
    );
    assert_eq!(
        said(&app, HERE, &client, &["User-1"]).await,
        "403 wrong_tenant"
    );
    // Only inside its workspace, whichever user is named.
    assert_eq!(
        said(&app, THERE, &client, &["user-1"]).await,
        "403 wrong_tenant"
    );
    assert_eq!(
        said(
            &app,
            "/accounts/other/workspaces/acme-prod/act",
            &client,
            &["user-1"]
        )
        .await,
        "403 wrong_tenant"
    );
    // Only with the write scope of its context, which the answer names.
    let reader = issuer.aworld_client().scope("app/read dashboard/write");
    let refused = ask(&app, HERE, &reader, &["user-1"]).await;
    assert_eq!(refused.verdict(), "403 insufficient_scope");
    let challenge = refused.challenge();
    assert!(
        challenge.ends_with(r#"error="insufficient_scope", scope="app/write""#),
        "{challenge}"
    );
}

#[tokio::test]
async fn nobody_but_a_client_acts_for_anybody() {
    let issuer = pool();
    let rules = TenantClaims::aworld()
        .delegation()
        .portal_client(MockIssuer::PORTAL_CLIENT_ID)
        .principals_reach(["acme"]);
    let server = builder(issuer.trusted().tenant_claims(rules))
        .user_directory(Users)
        .workspace_directory(portcullis::tenant::workspace_directory_fn(|_| async {
            Ok(Some(portcullis::tenant::AccountId::new("acme")?))
        }))
        .build()
        .expect("sound");
    let app = routes(server.authenticate().context("app").admit_principals());
    let portal = routes(server.authenticate().context("portal"));
    let plain = "/workspaces/acme-prod/plain";
    let (user, principal) = (issuer.aworld_user(), issuer.aworld_principal());
    for token in [&user, &principal] {
        assert_eq!(said(&app, plain, token, &[]).await, "");
        for path in [HERE, "/workspaces/acme-prod/claim", plain] {
            // Also as itself, and whatever the field holds.
            for named in ["user-1", "user-2", "", "a,b"] {
                assert_eq!(
                    said(&app, path, token, &[named]).await,
                    "403 wrong_caller",
                    "{path}"
                );
            }
        }
    }
    assert_eq!(said(&app, "/user", &user, &[]).await, "");
    assert_eq!(
        said(&app, "/user", &user, &["user-1"]).await,
        "403 wrong_caller"
    );
    for path in ["/principal", "/accounts/acme"] {
        assert_eq!(said(&portal, path, &principal, &[]).await, "");
        let refused = said(&portal, path, &principal, &["user-1"]).await;
        assert_eq!(refused, "403 wrong_caller", "{path}");
    }
    // A machine with a user's name is a subject.
    let odd = issuer.aworld_client().claim("username", "user-1");
    assert_eq!(said(&app, HERE, &odd, &["user-1"]).await, "403 no_tenant");
}

#[tokio::test]
async fn a_guard_that_did_not_ask_refuses_a_client_that_names_a_user() {
    let issuer = pool();
    let app = app(&issuer, TenantClaims::aworld().delegation());
    let client = issuer.aworld_client();
    for path in ["/workspaces/acme-prod/plain", "/client"] {
        assert_eq!(said(&app, path, &client, &[]).await, "", "{path}");
        for named in [&["user-1"][..], &[""], &["user-1", "user-2"]] {
            assert_eq!(
                said(&app, path, &client, named).await,
                "403 wrong_caller",
                "{path}"
            );
        }
    }
    // No tenant guard, no tenant: the field means nothing there.
    assert_eq!(said(&app, "/who", &client, &["user-1"]).await, "");
}

#[tokio::test]
async fn a_user_is_named_once_and_well() {
    let issuer = pool();
    let app = app(&issuer, TenantClaims::aworld().delegation());
    let client = issuer.aworld_client();
    let longest = "u".repeat(128);
    let too_long = "u".repeat(129);
    assert!(
        said(&app, "/workspaces/acme-prod/claim", &client, &[&longest])
            .await
            .contains(&longest)
    );
    for (named, fault) in [
        (&[][..], "no_user"),
        (&[""], "not_a_user"),
        (&["user-1", "user-1"], "several_users"),
        (&["user-1, user-2"], "not_a_user"),
        (&["user-1,user-2"], "not_a_user"),
        (&["user 1"], "not_a_user"),
        (&["us\u{e9}r"], "not_a_user"),
        (&[&*too_long], "not_a_user"),
    ] {
        let refused = ask(&app, HERE, &client, named).await;
        assert_eq!(
            refused.verdict(),
            format!("400 invalid_request {fault}"),
            "{named:?}"
        );
        let challenge = refused.challenge();
        assert!(
            challenge.ends_with(r#"error="invalid_request""#),
            "{challenge}"
        );
    }
}

#[tokio::test]
async fn where_delegation_is_off_the_field_is_an_ordinary_one() {
    let issuer = pool();
    let app = app(&issuer, TenantClaims::aworld());
    for token in [issuer.aworld_user(), issuer.aworld_client()] {
        let plain = "/workspaces/acme-prod/plain";
        for named in [&[][..], &["user-1"], &["", "a,b"]] {
            assert_eq!(said(&app, plain, &token, named).await, "");
        }
        assert_eq!(
            said(&app, HERE, &token, &["user-1"]).await,
            "500 misconfigured no_delegation"
        );
    }
}

#[tokio::test]
async fn delegation_belongs_to_the_issuer_that_switched_it_on() {
    let (on, off) = (pool(), MockIssuer::cognito("eu-west-1", "eu-west-1_Other"));
    let server = builder(
        on.trusted()
            .tenant_claims(TenantClaims::aworld().delegation()),
    )
    .issuer(off.trusted().tenant_claims(TenantClaims::aworld()))
    .user_directory(Users)
    .build()
    .expect("sound");
    let app = routes(server.authenticate().context("app"));
    assert!(
        said(&app, HERE, &on.aworld_client(), &["user-1"])
            .await
            .contains("for user-1")
    );
    assert_eq!(
        said(&app, HERE, &off.aworld_client(), &["user-1"]).await,
        "403 wrong_caller"
    );
    assert_eq!(
        said(&app, "/client", &off.aworld_client(), &["user-1"]).await,
        ""
    );
    assert_eq!(
        said(&app, "/client", &on.aworld_client(), &["user-1"]).await,
        "403 wrong_caller"
    );
}

#[tokio::test]
async fn nobody_has_checked_an_unchecked_user() {
    let issuer = pool();
    let server = builder(
        issuer
            .trusted()
            .tenant_claims(TenantClaims::aworld().delegation()),
    )
    .build()
    .expect("sound");
    let app = routes(server.authenticate().context("app"));
    let client = issuer.aworld_client();
    let path = "/workspaces/acme-prod/claim";
    assert_eq!(
        said(&app, path, &client, &["stranger"]).await,
        format!("{} perhaps for stranger in acme", MockIssuer::CLIENT_ID)
    );
    let reader = issuer.aworld_client().scope("app/read");
    assert_eq!(
        said(&app, path, &reader, &["user-1"]).await,
        "403 insufficient_scope"
    );
    assert_eq!(
        said(&app, "/workspaces/acme-dev/claim", &client, &["user-1"]).await,
        "403 wrong_tenant"
    );
    // The checked one needs a directory, for every kind of caller.
    for token in [client, issuer.aworld_user()] {
        assert_eq!(
            said(&app, HERE, &token, &["user-1"]).await,
            "500 misconfigured no_user_directory"
        );
    }
}

#[tokio::test]
async fn a_directory_of_users_that_fails_or_hangs_is_an_outage_and_not_a_no() {
    let clock = ManualClock::new();
    let issuer = pool().with_clock(clock.clone());
    let server = builder(
        issuer
            .trusted()
            .tenant_claims(TenantClaims::aworld().delegation()),
    )
    .user_directory(Users)
    .clock(clock.clone())
    .build()
    .expect("sound");
    let app = routes(server.authenticate().context("app"));
    let client = issuer.aworld_client();
    let failed = ask(&app, HERE, &client, &["broken"]).await;
    assert_eq!(failed.verdict(), "503 unavailable directory_failed");
    assert_eq!(failed.header("retry-after"), Some("1"));
    let time = async {
        clock.await_sleepers(1).await;
        clock.advance(Duration::from_secs(2));
    };
    let (late, ()) = tokio::join!(ask(&app, HERE, &client, &["hanging"]), time);
    assert_eq!(late.verdict(), "503 unavailable directory_timed_out");
    assert_eq!(ask(&app, HERE, &client, &["user-1"]).await.status, 200);
}

#[tokio::test]
async fn header_and_scope_are_settings() {
    let issuer = pool();
    let rules = TenantClaims::by_workspace("workspaceId")
        .account_claim("accountId")
        .machine_claim("platform", "m2m")
        .delegation_scope("act")
        .delegation_header("X-On-Behalf-Of")
        .delegation();
    let server = builder(issuer.trusted().tenant_claims(rules))
        .user_directory(Users)
        .build()
        .expect("sound");
    let app = routes(server.authenticate());
    let client = issuer.aworld_client().without("context").scope("act");
    let bearer = format!("Bearer {}", client.sign());
    let by = async |name: &str| {
        app.send(HERE, &[("authorization", &bearer), (name, "user-1")])
            .await
    };
    assert_eq!(by("x-on-behalf-of").await.status, 200);
    assert_eq!(
        by("x-user-id").await.verdict(),
        "400 invalid_request no_user"
    );
    let other = client.scope("app/write");
    assert_eq!(
        said(&app, HERE, &other, &[]).await,
        "400 invalid_request no_user"
    );
    let bearer = format!("Bearer {}", other.sign());
    let refused = app
        .send(
            HERE,
            &[("authorization", &bearer), ("x-on-behalf-of", "user-1")],
        )
        .await;
    assert_eq!(refused.verdict(), "403 insufficient_scope");
}

#[tokio::test]
async fn a_client_that_is_mapped_delegates_in_its_own_context() {
    let issuer = pool();
    let tenant = portcullis::tenant::ClientTenant::workspace("acme-prod")
        .account("acme")
        .context("app");
    let rules = TenantClaims::aworld()
        .client_tenant("5machine", tenant)
        .delegation();
    let app = app(&issuer, rules);
    let client = issuer.client_token().client("5machine").scope("app/write");
    assert_eq!(
        said(&app, HERE, &client, &["user-1"]).await,
        "5machine for user-1 in acme-prod"
    );
    let other = client.scope("dashboard/write");
    assert_eq!(
        said(&app, HERE, &other, &["user-1"]).await,
        "403 insufficient_scope"
    );
}

#[tokio::test]
async fn an_option_finds_what_a_delegation_lacks() {
    let issuer = pool();
    let rules = TenantClaims::aworld();
    for (rules, fault) in [
        (rules.clone(), "no_delegation"),
        (rules.delegation(), "no_user_directory"),
    ] {
        let server = builder(issuer.trusted().tenant_claims(rules))
            .build()
            .expect("sound");
        let app = TestApp::behind(server.authenticate().context("app").optional())
            .route("/{workspace_id}", get(async |_: Option<Delegation>| {}));
        let answer = app.send("/acme-prod", &[]).await;
        assert_eq!(answer.verdict(), format!("500 misconfigured {fault}"));
    }
}
