//! The test application: the routes of the corpus, each with its guard, and handlers that
//! answer with what they see of the caller.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::routing::get;
use axum::{Extension, Json, Router};
use portcullis::binding::{ClientCertificateHeader, TrustedPeers};
use portcullis::extract::ScopeToken;
use portcullis::layer::RequireScopeLayer;
use portcullis::tenant::{ClientId, SubjectId};
use portcullis::{AccessToken, InRole, ResourceServer, Scoped, WorkspaceAccess};
use serde_json::{Value, json};

portcullis::scopes! {
    Read = "orders:read";
    Write = "orders:write";
    Both = "orders:read orders:write";
    Administer = "orders:admin";
}

portcullis::roles! {
    Admin = "admin";
}

/// Counts the handlers that a request has reached.
#[derive(Clone, Default)]
pub(super) struct Reached(Arc<AtomicUsize>);

impl Reached {
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// The routes behind `server`, and one with a layer of its own behind `second`.
/// `proxies` are believed about the certificates of their clients.
pub(super) fn router(
    server: &ResourceServer,
    second: Option<&ResourceServer>,
    proxies: Option<&TrustedPeers>,
) -> Router {
    let authenticate = || match proxies {
        None => server.authenticate(),
        Some(proxies) => server
            .authenticate()
            .danger()
            .client_certificate_header(ClientCertificateHeader::Rfc9440, proxies.clone()),
    };
    let orders = get(scoped::<Read>)
        .post(scoped::<Write>)
        .delete(scoped::<Write>);
    let guarded = Router::new()
        .route("/orders", orders)
        .route("/both", get(known).layer(RequireScopeLayer::of::<Both>()))
        .route("/admin", get(scoped::<Administer>))
        .route("/whoami", get(known))
        .route("/workspaces/{workspace_id}/items", get(in_workspace))
        .route("/roles-admin", get(in_role))
        .route_layer(authenticate());
    let optional = Router::new()
        .route("/optional", get(perhaps_known))
        .route_layer(authenticate().optional());
    let public = Router::new().route("/public", get(anybody));
    let app = guarded.merge(optional).merge(public);
    match second {
        None => app,
        Some(second) => app.merge(
            Router::new()
                .route("/layer2", get(scoped::<Read>))
                .route_layer(second.authenticate()),
        ),
    }
}

async fn scoped<R>(token: Scoped<R>, Extension(reached): Extension<Reached>) -> Json<Value> {
    seen(&reached, Some(&token))
}

async fn known(token: AccessToken, Extension(reached): Extension<Reached>) -> Json<Value> {
    seen(&reached, Some(&token))
}

async fn in_workspace(
    _: WorkspaceAccess,
    token: AccessToken,
    Extension(reached): Extension<Reached>,
) -> Json<Value> {
    seen(&reached, Some(&token))
}

async fn in_role(token: InRole<Admin>, Extension(reached): Extension<Reached>) -> Json<Value> {
    seen(&reached, Some(&token))
}

async fn perhaps_known(
    token: Option<AccessToken>,
    Extension(reached): Extension<Reached>,
) -> Json<Value> {
    seen(&reached, token.as_ref())
}

async fn anybody(Extension(reached): Extension<Reached>) -> Json<Value> {
    seen(&reached, None)
}

fn seen(reached: &Reached, token: Option<&AccessToken>) -> Json<Value> {
    reached.0.fetch_add(1, Ordering::SeqCst);
    let scopes: Vec<&str> = token
        .into_iter()
        .flat_map(|token| token.scope().iter())
        .map(ScopeToken::as_str)
        .collect();
    Json(json!({
        "iss": token.map(AccessToken::issuer),
        "sub": token.and_then(AccessToken::subject).map(SubjectId::as_str),
        "client_id": token.and_then(AccessToken::client_id).map(ClientId::as_str),
        "scopes": scopes,
        "handler": true,
    }))
}
