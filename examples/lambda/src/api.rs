//! The routes, as they would be in any other process.

use axum::extract::Path;
use axum::routing::get;
use axum::{Json, Router};
use portcullis::{AccessToken, ResourceServer, Scoped, scopes};
use serde_json::{Value, json};

scopes! {
    /// Look at missions.
    ReadMissions = "missions/read";
    /// Change missions.
    EditMissions = "missions/read missions/write";
}

pub(crate) fn routes(server: &ResourceServer) -> Router {
    Router::new()
        .route("/missions", get(list).post(add))
        .route("/missions/{mission}", get(show))
        .route_layer(server.authenticate())
}

async fn list(token: Scoped<ReadMissions, AccessToken>) -> Json<Value> {
    let caller = token.subject().map(ToString::to_string);
    Json(json!({ "missions": ["apollo"], "caller": caller }))
}

async fn show(_: Scoped<ReadMissions, AccessToken>, Path(mission): Path<String>) -> Json<Value> {
    Json(json!({ "mission": mission }))
}

async fn add(_: Scoped<EditMissions, AccessToken>, Json(mission): Json<Value>) -> Json<Value> {
    Json(json!({ "added": mission }))
}
