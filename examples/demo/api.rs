//! The resource server: three API contexts, each behind a layer of its own.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::response::Response;
use axum::response::sse::{Event, Sse};
use axum::routing::{any, get, post};
use futures_core::Stream;
use http::StatusCode;
use portcullis::extract::{SenderConstrained, ThroughActor, WithoutActor};
use portcullis::layer::{AuthenticateLayer, EmptyBody, EndStreams};
use portcullis::lease::Lease;
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

portcullis::actors! {
    /// The agents of this product.
    Ours = "assistant";
}

pub(crate) fn routes(server: &ResourceServer) -> Router {
    let missions = get(list_missions).post(add_mission);
    let app = Router::new()
        .route("/workspaces/{workspace_id}/missions", missions)
        .route("/workspaces/{workspace_id}/inbox", get(inbox))
        .route("/workspaces/{workspace_id}/export", get(export))
        .route("/workspaces/{workspace_id}/events", get(events))
        .route("/workspaces/{workspace_id}/feed", any(feed))
        .route("/workspaces/{workspace_id}/assistant", get(assist))
        .route("/workspaces/{workspace_id}/password", post(change_password))
        .route_layer(app_layer(server));
    let dashboard = Router::new()
        .route("/workspaces/{workspace_id}", get(overview))
        .route_layer(dashboard_layer(server));
    let portal = Router::new()
        .route("/accounts", get(list_accounts))
        .route("/accounts/{account_id}", get(show_account))
        .route_layer(portal_layer(server));
    Router::new()
        .nest("/app", app)
        .nest("/dashboard", dashboard)
        .nest("/portal", portal)
        .route_service("/ready", server.readiness())
}

/// A stream ends when its token expires or is revoked.
pub(crate) fn app_layer(server: &ResourceServer) -> AuthenticateLayer<EmptyBody, EndStreams> {
    server.authenticate().context("app").end_streams()
}

/// Here principals may look into the workspaces of the accounts within their reach.
pub(crate) fn dashboard_layer(server: &ResourceServer) -> AuthenticateLayer {
    server
        .authenticate()
        .context("dashboard")
        .admit_principals()
}

pub(crate) fn portal_layer(server: &ResourceServer) -> AuthenticateLayer {
    server.authenticate().context("portal")
}

async fn list_missions(access: Scoped<ReadMissions, WorkspaceAccess>) -> String {
    format!("missions of {}\n", access.workspace())
}

async fn add_mission(access: Scoped<EditMissions, WorkspaceAccess>) -> (StatusCode, String) {
    let text = format!("a new mission in {}\n", access.workspace());
    (StatusCode::CREATED, text)
}

/// What an agent of ours does for a user, whose token names both.
async fn assist(access: ThroughActor<Ours, WorkspaceAccess>) -> String {
    format!("what to do next in {}\n", access.workspace())
}

/// What no agent may do for a user.
async fn change_password(_: WithoutActor<WorkspaceAccess>) -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Everything at once: a token that is bound to its client's key, so that a stolen one is useless.
async fn export(access: SenderConstrained<Scoped<ReadMissions, WorkspaceAccess>>) -> String {
    format!("all missions of {}\n", access.workspace())
}

/// A customer's backend asks for one of its users: the log names the backend and the user.
async fn inbox(delegation: Delegation) -> String {
    let (user, client) = (delegation.user(), delegation.client().id());
    format!(
        "inbox of {user} in {}, for {client}\n",
        delegation.workspace()
    )
}

/// One event, and then a wait for the next.
async fn events(access: Scoped<ReadMissions, WorkspaceAccess>) -> Sse<FirstEvent> {
    let event = Event::default().data(format!("missions of {}", access.workspace()));
    Sse::new(FirstEvent(Some(event)))
}

/// A WebSocket that echoes. The body of a response does not carry it, so the lease is given to it.
async fn feed(
    _: Scoped<ReadMissions, WorkspaceAccess>,
    lease: Lease,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.on_upgrade(async move |socket| {
        let mut socket = lease.web_socket(socket);
        while let Some(Ok(message)) = socket.recv().await {
            if socket.send(message).await.is_err() {
                break;
            }
        }
    })
}

/// The events of a workspace, of which only the first happens.
struct FirstEvent(Option<Event>);

impl Stream for FirstEvent {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.0.take() {
            Some(event) => Poll::Ready(Some(Ok(event))),
            None => Poll::Pending,
        }
    }
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
