//! The test application: the routes of the corpus, each with its guard, and handlers that
//! answer with what they see of the caller.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use http::{HeaderMap, StatusCode};
use portcullis::binding::{ClientCertificateHeader, TrustedPeers};
use portcullis::explain::Conclusion;
use portcullis::extract::ScopeToken;
use portcullis::layer::RequireScopeLayer;
use portcullis::tenant::{ClientId, SubjectId};
use portcullis::{
    AccessToken, AuthenticateLayer, InRole, RejectionKind, ResourceServer, Scoped, WorkspaceAccess,
};
use serde_json::{Value, json};

/// Shorter texts could stand in an explanation by accident.
const SHORTEST_SIGNATURE: usize = 16;

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
        .route_layer(authenticate())
        .route_layer(from_fn_with_state(authenticate(), explained));
    let optional = Router::new()
        .route("/optional", get(perhaps_known))
        .route_layer(authenticate().optional())
        .route_layer(from_fn_with_state(authenticate().optional(), explained));
    let public = Router::new().route("/public", get(anybody));
    let app = guarded.merge(optional).merge(public);
    match second {
        None => app,
        Some(second) => app.merge(
            Router::new()
                .route("/layer2", get(scoped::<Read>))
                .route_layer(second.authenticate())
                .route_layer(from_fn_with_state(second.authenticate(), explained)),
        ),
    }
}

/// Compares the explanation of each request with the layer's answer. A difference, or an explanation
/// that quotes a signature, is answered in a way that no case expects.
async fn explained(
    State(layer): State<AuthenticateLayer>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let explanation = layer.explain(&parts);
    let signatures = signatures(&parts.headers);
    let response = next.run(Request::from_parts(parts, body)).await;
    let kind = response.extensions().get::<RejectionKind>().copied();
    let is_alike = match explanation.conclusion() {
        Conclusion::Refused(rejection) => kind == Some(rejection.kind()),
        Conclusion::NothingSent => matches!(kind, None | Some(RejectionKind::MissingToken)),
        // A guard may refuse it.
        Conclusion::Admitted => !matches!(
            kind,
            Some(
                RejectionKind::InvalidRequest(_)
                    | RejectionKind::InvalidToken(_)
                    | RejectionKind::InvalidDpopProof(_)
                    | RejectionKind::Unavailable(_)
            )
        ),
        _ => true,
    };
    let json = serde_json::to_string(&explanation).expect("data");
    let quotes = |text: &str| signatures.iter().any(|secret| text.contains(secret));
    if is_alike && !quotes(&json) && !quotes(&explanation.to_string()) {
        return response;
    }
    println!("answered {kind:?}, and explained:\n{explanation}");
    StatusCode::IM_A_TEAPOT.into_response()
}

/// The last part of each credential, where it is long enough to be a secret.
fn signatures(headers: &HeaderMap) -> Vec<String> {
    let fields = ["authorization", "dpop", "cookie"];
    let values = fields.iter().flat_map(|name| headers.get_all(*name));
    let texts = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    texts
        .filter_map(|text| Some(text.rsplit(['.', ' ']).next()?.to_owned()))
        .filter(|last| last.len() >= SHORTEST_SIGNATURE)
        .collect()
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
