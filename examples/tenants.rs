//! Who may act where: users, machine clients, principals, and clients that act for users.
//!
//! ```sh
//! cargo run --example tenants
//! ```
//!
//! 1. A user and a client enter their own workspace, and no other.
//! 2. A principal acts in the accounts within its reach, and enters a workspace only where the
//!    layer admits principals and the application's directory names an owner within reach.
//! 3. A client acts for a user only on handlers that ask for a `Delegation`, and only for users
//!    that the application's directory knows.

use axum::body::Body;
use axum::{Router, routing::get};
use http::{Request, StatusCode};
use portcullis::tenant::{AccountAccess, AccountId, Delegation, Principal, UserId, WorkspaceId};
use portcullis::tenant::{user_directory_fn, workspace_directory_fn};
use portcullis::test_util::{MockIssuer, TokenBuilder};
use portcullis::{Identity, Issuer, ResourceServer, TenantClaims, WorkspaceAccess};
use tower::ServiceExt as _;

/// What touches data takes the proof, not an id.
fn missions_of(access: &WorkspaceAccess) -> String {
    let who = match access.caller() {
        Identity::User(user) => format!("user {}", user.user()),
        Identity::Client(client) => format!("client {}", client.id()),
        Identity::Principal(principal) => format!("principal {}", principal.id()),
        Identity::Subject(_) => "nobody".to_owned(), // never inside a workspace
    };
    format!("missions of {}, for {who}", access.workspace())
}

async fn missions(access: WorkspaceAccess) -> String {
    missions_of(&access)
}

async fn inbox(delegation: Delegation) -> String {
    format!(
        "inbox of {}, {}",
        delegation.user(),
        missions_of(delegation.access())
    )
}

async fn account(access: AccountAccess) -> String {
    let principal = access.principal().map(Principal::id);
    let principal = principal.map(ToString::to_string).unwrap_or_default();
    format!("account {}, for {principal}", access.account())
}

fn routes(issuer: Issuer) -> Result<Router, Box<dyn std::error::Error>> {
    let rules = TenantClaims::aworld()
        .portal_client(MockIssuer::PORTAL_CLIENT_ID)
        .principals_reach(["acme"])
        .delegation();
    let server = ResourceServer::builder("https://api.example.com")
        .issuer(issuer.tenant_claims(rules))
        // An application asks its database here.
        .workspace_directory(workspace_directory_fn(
            |workspace: WorkspaceId| async move {
                let account = workspace.as_str().split('-').next().unwrap_or_default();
                Ok(Some(AccountId::new(account)?))
            },
        ))
        .user_directory(user_directory_fn(
            |_: WorkspaceId, user: UserId| async move {
                Ok(["user-1", "user-2"].contains(&user.as_str()))
            },
        ))
        .build()?;
    let app = Router::new()
        .route("/app/{workspace_id}/missions", get(missions))
        .route("/app/{workspace_id}/inbox", get(inbox))
        .route_layer(server.authenticate().context("app"));
    let dashboard = Router::new()
        .route("/dashboard/{workspace_id}/missions", get(missions))
        .route_layer(
            server
                .authenticate()
                .context("dashboard")
                .admit_principals(),
        );
    let portal = Router::new()
        .route("/portal/{account_id}", get(account))
        .route_layer(server.authenticate().context("portal"));
    Ok(app.merge(dashboard).merge(portal))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = MockIssuer::cognito("eu-west-1", "eu-west-1_AbCdEf");
    let routes = routes(pool.trusted())?;
    let user = pool.aworld_user();
    let client = pool.aworld_client();
    let principal = pool.aworld_principal();
    for (token, path, acting_for, expected) in [
        (&user, "/app/acme-prod/missions", None, 200),
        (&user, "/app/acme-dev/missions", None, 403),
        (&user, "/dashboard/acme-prod/missions", None, 403), // a token for another API
        (&client, "/app/acme-prod/missions", None, 200),
        (&client, "/app/acme-prod/inbox", Some("user-2"), 200),
        (&client, "/app/acme-prod/inbox", Some("stranger"), 403),
        (&client, "/app/acme-prod/inbox", None, 400),
        (&client, "/app/acme-prod/missions", Some("user-2"), 403), // no delegation here
        (&user, "/app/acme-prod/inbox", Some("user-2"), 403),
        (&principal, "/portal/acme", None, 200),
        (&principal, "/portal/globex", None, 403),
        (&principal, "/dashboard/acme-prod/missions", None, 200),
        (&principal, "/dashboard/globex-prod/missions", None, 403),
        (&principal, "/app/acme-prod/missions", None, 403), // principals are not let in here
        (&user, "/portal/acme", None, 403),
    ] {
        let status = ask(&routes, token, path, acting_for).await?;
        println!("{path:<32} {:<12} {status}", acting_for.unwrap_or_default());
        assert_eq!(status, expected, "{path}");
    }
    Ok(())
}

async fn ask(
    routes: &Router,
    token: &TokenBuilder,
    path: &str,
    acting_for: Option<&str>,
) -> Result<StatusCode, Box<dyn std::error::Error>> {
    let mut request = Request::get(path).header("authorization", token.bearer());
    if let Some(user) = acting_for {
        request = request.header("x-user-id", user);
    }
    let response = routes.clone().oneshot(request.body(Body::empty())?).await?;
    Ok(response.status())
}
