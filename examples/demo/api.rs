//! The resource server: three API contexts, each behind a layer of its own.

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use portcullis::{Principal, ResourceServer, Scoped, WorkspaceAccess, scopes};

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
        .route_layer(server.authenticate().context("app"));
    let dashboard = Router::new()
        .route("/workspaces/{workspace_id}", get(overview))
        .route_layer(server.authenticate().context("dashboard"));
    let portal = Router::new()
        .route("/accounts", get(list_accounts))
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

async fn overview(access: Scoped<ReadDashboard, WorkspaceAccess>) -> String {
    format!("overview of {}\n", access.workspace())
}

async fn list_accounts(principal: Principal) -> String {
    format!("accounts, for {}\n", principal.id())
}
