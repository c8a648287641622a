//! Opaque tokens behind the same guards as JWTs, with the same outcomes.
//!
//! 1. Each token is ordered once and asked for in both forms: signed, and issued to be
//!    introspected. The routes are the same.
//! 2. What the mock issuer would call inactive by itself it calls active here, so that in both
//!    cases our own checks speak.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use portcullis::tenant::{
    AccountAccess, Client, Delegation, Principal, Subject, UserId, WorkspaceId,
};
use portcullis::test_util::{ManualClock, MockIssuer, ServedIssuer, TokenBuilder};
use portcullis::{
    AccessToken, Algorithm, Claims, Identity, InGroup, InRole, Issuer, ResourceServer, Scoped,
    TenantClaims, WorkspaceAccess, WorkspaceUser,
};
use serde_json::json;

use crate::support::{API, Requests as _, TestApp};

portcullis::scopes! { Read = "app/read"; Both = "app/read app/write"; }
portcullis::roles! { Editor = "editor"; Admin = "admin"; }

const HOUR: Duration = Duration::from_secs(3600);

#[derive(serde::Deserialize)]
struct Custom {
    shoe: u8,
}

async fn who(identity: Identity) -> String {
    let text = |id: Option<&dyn ToString>| id.map(ToString::to_string).unwrap_or_default();
    match identity {
        Identity::User(user) => format!("user {} {}", user.user(), user.workspace()),
        Identity::Principal(principal) => format!("principal {}", principal.id()),
        Identity::Client(client) => format!("client {}", client.id()),
        Identity::Subject(subject) => {
            let id = subject.id();
            format!(
                "subject {}",
                text(id.as_ref().map(|id| id as &dyn ToString))
            )
        }
    }
}

async fn token(token: AccessToken) -> String {
    let scope: Vec<_> = token.scope().iter().map(|one| one.to_string()).collect();
    format!(
        "{:?} {:?} {scope:?} {} {:?} {:?}",
        token.subject().map(ToString::to_string),
        token.client_id().map(ToString::to_string),
        token.expires_at().as_secs(),
        token.roles().collect::<Vec<_>>(),
        token.groups().collect::<Vec<_>>(),
    )
}

fn app(server: &ResourceServer) -> Router {
    let inside =
        TestApp::behind(server.authenticate().context("app"))
            .route("/who", get(who))
            .route("/token", get(token))
            .route("/user", get(|_: WorkspaceUser| async {}))
            .route("/client", get(|_: Client| async {}))
            .route("/subject", get(|_: Subject| async {}))
            .route("/read", get(|_: Scoped<Read>| async {}))
            .route("/both", get(|_: Scoped<Both>| async {}))
            .route("/editor", get(|_: InRole<Editor>| async {}))
            .route("/admin", get(|_: InGroup<Admin>| async {}))
            .route(
                "/shoe",
                get(|Claims(custom): Claims<Custom>| async move { custom.shoe.to_string() }),
            )
            .route(
                "/workspaces/{workspace_id}",
                get(|access: Scoped<Read, WorkspaceAccess>| async move {
                    access.workspace().to_string()
                }),
            )
            .route(
                "/for/{workspace_id}",
                get(|delegation: Delegation| async move { delegation.user().to_string() }),
            );
    let portal = TestApp::behind(server.authenticate().context("portal"))
        .route("/principal", get(|_: Principal| async {}))
        .route("/accounts/{account_id}", get(|_: AccountAccess| async {}));
    Router::from(inside).nest("/portal", portal.into())
}

async fn server(issuer: Issuer, clock: &ManualClock) -> ResourceServer {
    let rules = TenantClaims::aworld()
        .portal_client(MockIssuer::PORTAL_CLIENT_ID)
        .principals_reach(["acme"])
        .delegation();
    ResourceServer::builder(API)
        .issuer(issuer.tenant_claims(rules))
        .user_directory(portcullis::tenant::user_directory_fn(
            |workspace: WorkspaceId, user: UserId| async move {
                Ok(workspace.as_str() == "acme-prod" && user.as_str() == "user-2")
            },
        ))
        .clock(clock.clone())
        .build()
        .expect("sound")
        .connect()
        .await
        .expect("the issuer is the one that was configured")
}

/// A request as an opaque token's bearer and as a JWT's makes it, and what both must get.
type Case<'c> = (&'c str, &'c TokenBuilder, &'c str, &'c str, &'c str);

async fn compare(issuer: &ServedIssuer, clock: &ManualClock, cases: &[Case<'_>]) {
    let signed = app(&server(issuer.trusted(), clock).await);
    let opaque = app(&server(issuer.introspected(), clock).await);
    for (what, token, path, user, expected) in cases {
        // Twice each: judged, and remembered.
        let issued = (*token).clone().claim("active", true).issue();
        let forms = [(&signed, token.sign()), (&opaque, issued)];
        for (app, token) in forms.iter().flat_map(|form| [form, form]) {
            let bearer = format!("Bearer {token}");
            let mut fields = vec![("authorization", &*bearer)];
            if !user.is_empty() {
                fields.push(("x-user-id", user));
            }
            let answer = app.send(path, &fields).await;
            let found = format!("{} {}", answer.verdict(), answer.body);
            assert_eq!(found.trim_end(), *expected, "{what} at {path}: {token}");
        }
    }
}

async fn issuer(clock: &ManualClock) -> ServedIssuer {
    MockIssuer::new()
        .with_algorithms([Algorithm::ES256])
        .with_clock(clock.clone())
        .serve()
        .await
}

#[tokio::test]
async fn callers_are_the_same_and_enter_the_same_places() {
    let clock = ManualClock::new();
    let issuer = issuer(&clock).await;
    let user = issuer.aworld_user();
    let client = issuer.aworld_client();
    let principal = issuer.aworld_principal();
    let bare = issuer.token();
    let lost = issuer.aworld_user().without("workspaceId");
    let doubtful = issuer.aworld_client().claim("username", "user-1");
    let own = "/workspaces/acme-prod";
    let other = "/workspaces/acme-dev";
    let unscoped = issuer.aworld_user().scope("app/readonly");
    let cases = [
        ("user", &user, "/who", "", "200 user user-1 acme-prod"),
        ("user", &user, own, "", "200 acme-prod"),
        ("user", &user, other, "", "403 wrong_tenant"),
        ("user", &user, "/user", "", "200"),
        ("user", &user, "/client", "", "403 wrong_caller"),
        ("user", &user, "/portal/principal", "", "403 wrong_caller"),
        ("user", &unscoped, own, "", "403 insufficient_scope"),
        ("client", &client, "/who", "", "200 client 1example23456789"),
        ("client", &client, own, "", "200 acme-prod"),
        ("client", &client, other, "", "403 wrong_tenant"),
        ("client", &client, "/user", "", "403 wrong_caller"),
        ("client", &client, "/for/acme-prod", "user-2", "200 user-2"),
        (
            "client",
            &client,
            "/for/acme-prod",
            "user-3",
            "403 wrong_tenant",
        ),
        (
            "user",
            &user,
            "/for/acme-prod",
            "user-2",
            "403 wrong_caller",
        ),
        ("principal", &principal, "/portal/principal", "", "200"),
        ("principal", &principal, "/portal/accounts/acme", "", "200"),
        (
            "principal",
            &principal,
            "/portal/accounts/globex",
            "",
            "403 wrong_tenant",
        ),
        ("principal", &principal, own, "", "403 wrong_caller"),
        ("subject", &bare, "/who", "", "200 subject user-1"),
        ("subject", &bare, "/subject", "", "200"),
        ("subject", &bare, "/user", "", "403 no_tenant"),
        (
            "user without workspace",
            &lost,
            "/who",
            "",
            "200 subject user-1",
        ),
        (
            "user without workspace",
            &lost,
            "/user",
            "",
            "403 no_tenant",
        ),
        (
            "machine with a name",
            &doubtful,
            "/client",
            "",
            "403 wrong_caller",
        ),
    ];
    compare(&issuer, &clock, &cases).await;
}

#[tokio::test]
async fn scopes_roles_groups_and_claims_are_the_same() {
    let clock = ManualClock::new();
    let issuer = issuer(&clock).await;
    let rich = issuer
        .token()
        .scope("app/read other")
        .roles(["editor"])
        .groups(["admin", "staff"])
        .claim("shoe", 42);
    let poor = issuer.token().claim("roles", "editor").claim("shoe", "big");
    let end = ManualClock::START.as_secs() + 3600;
    let whole = format!(
        "200 Some(\"user-1\") Some(\"1example23456789\") [\"app/read\", \"other\"] {end} [\"editor\"] [\"admin\", \"staff\"]"
    );
    let cases = [
        ("rich", &rich, "/token", "", &*whole),
        ("rich", &rich, "/read", "", "200"),
        ("rich", &rich, "/both", "", "403 insufficient_scope"),
        ("rich", &rich, "/editor", "", "200"),
        ("rich", &rich, "/admin", "", "200"),
        ("rich", &rich, "/shoe", "", "200 42"),
        ("poor", &poor, "/read", "", "403 insufficient_scope"),
        ("poor", &poor, "/editor", "", "403 wrong_caller"),
        ("poor", &poor, "/admin", "", "403 wrong_caller"),
        (
            "poor",
            &poor,
            "/shoe",
            "",
            "401 invalid_token custom_claims",
        ),
    ];
    compare(&issuer, &clock, &cases).await;
}

#[tokio::test]
async fn what_is_not_for_us_or_not_now_is_refused_for_the_same_reason() {
    let clock = ManualClock::new();
    let issuer = issuer(&clock).await;
    let token = |change: &dyn Fn(TokenBuilder) -> TokenBuilder| change(issuer.token());
    let cases: Vec<(&str, TokenBuilder, &str)> = vec![
        ("good", token(&|token| token), "200"),
        (
            "expired",
            token(&|token| token.expired()),
            "401 invalid_token expired",
        ),
        (
            "early",
            token(&|token| token.not_before_in(HOUR)),
            "401 invalid_token not_yet_valid",
        ),
        (
            "for another",
            token(&|token| token.audience("https://other.example")),
            "401 invalid_token audience",
        ),
        (
            "by another",
            token(&|token| token.issuer("https://other.example")),
            "401 invalid_token unknown_issuer",
        ),
        (
            "bound",
            token(&|token| token.claim("cnf", json!({"jkt": "thumbprint"}))),
            "401 invalid_token binding",
        ),
        (
            "a subject that is no text",
            token(&|token| token.claim("sub", 7)),
            "401 invalid_token claims",
        ),
        (
            "an end that is no date",
            token(&|token| token.claim("exp", "tomorrow")),
            "401 invalid_token claims",
        ),
        (
            "a scope that is no text",
            token(&|token| token.claim("scope", 7)),
            "401 invalid_token claims",
        ),
    ];
    let cases: Vec<Case<'_>> = cases
        .iter()
        .map(|(what, token, expected)| (*what, token, "/subject", "", *expected))
        .collect();
    compare(&issuer, &clock, &cases).await;
}
