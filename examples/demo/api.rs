//! The resource server: three API contexts, each behind a layer of its own.

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use portcullis::extract::SenderConstrained;
use portcullis::tenant::{AccountAccess, Delegation, Principal};
use portcullis::{ResourceServer, Scoped, WorkspaceAccess, scopes};

scopes! {
    /// See the missions of a workspace.
    ReadMissions = "app/read";
    /// Change them.
    EditMissions = "app/read app/write";
    /// See the dashboard of a workspace.
    ReadDashboard = "dashboard/read";
}

pub(crate) fn routes(server: &ResourceServer) -> Router {
    let missions = get(list_missions).post(add_mission);
    let app = Router::new()
        .route("/workspaces/{workspace_id}/missions", missions)
        .route("/workspaces/{workspace_id}/inbox", get(inbox))
        .route("/workspaces/{workspace_id}/export", get(export))
        .route_layer(server.authenticate().context("app"));
    let dashboard = Router::new()
        .route("/workspaces/{workspace_id}", get(overview))
        // Here principals may look into the workspaces of the accounts within their reach.
        .route_layer(
            server
                .authenticate()
                .context("dashboard")
                .admit_principals(),
        );
    let portal = Router::new()
        .route("/accounts", get(list_accounts))
        .route("/accounts/{account_id}", get(show_account))
        .route_layer(server.authenticate().context("portal"));
    Router::new()
        .nest("/app", app)
        .nest("/dashboard", dashboard)
        .nest("/portal", portal)
        .route_service("/ready", server.readiness())
}

async fn list_missions(access: Scoped<ReadMissions, WorkspaceAccess>) -> String {
    format!("missions of {}\n", access.workspace())
}

async fn add_mission(access: Scoped<EditMissions, WorkspaceAccess>) -> (StatusCode, String) {
    let text = format!("a new mission in {}\n", access.workspace());
    (StatusCode::CREATED, text)
}

/// Everything at once: a token that is bound to its client's key, so that a stolen one is useless.
async fn export(access: SenderConstrained<Scoped<ReadMissions, WorkspaceAccess>>) -> String {
    format!("all missions of {}\n", access.workspace())
}

/// A customer's backend asks for one of its users: the log tells who asked, and for whom.
async fn inbox(delegation: Delegation) -> String {
    let (user, client) = (delegation.user(), delegation.client().id());
    format!(
        "inbox of {user} in {}, for {client}\n",
        delegation.workspace()
    )
}

async fn overview(access: Scoped<ReadDashboard, WorkspaceAccess>) -> String {
    format!("overview of {}\n", access.workspace())
}

async fn list_accounts(principal: Principal) -> String {
    format!("accounts, for {}\n", principal.id())
}

async fn show_account(access: AccountAccess) -> String {
    format!("account {}\n", access.account())
}
