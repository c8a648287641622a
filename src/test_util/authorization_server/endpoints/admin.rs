//! Endpoints to change the running server: keys, outage, faults, sessions. JSON in and out.
//!
//! 1. A request that changes something has a body of type `application/json`, or the method `DELETE`, which pages of
//!    other origins cannot send without being asked first (Fetch standard, CORS protocol).

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::test_util::authorization_server::logout_tokens;
use crate::test_util::authorization_server::request::{OAuthError, json_response};
use crate::test_util::authorization_server::state::Server;
use crate::test_util::served::{Endpoint, Fault, Faults};

type Answer = Result<Response, OAuthError>;

pub(super) fn router() -> Router<Arc<Server>> {
    Router::new()
        .route("/admin", get(status))
        .route("/admin/keys/rotate", post(rotate))
        .route("/admin/keys/retire", post(retire))
        .route("/admin/outage", post(outage))
        .route("/admin/faults", post(fault).delete(end_faults))
        .route("/admin/sessions", get(sessions))
        .route("/admin/sessions/{id}", delete(end_session))
}

/// What runs, and what fails.
async fn status(State(server): State<Arc<Server>>) -> Response {
    let now = server.now();
    let (sessions, grants) = {
        let state = server.state();
        (
            state.sessions.iter(now).count(),
            state.grants.iter(now).count(),
        )
    };
    let failing: Vec<&str> = {
        let faults = server.faults.borrow();
        let all = Endpoint::OF_AUTHORIZATION_SERVER.iter();
        let failing = all.filter(|endpoint| faults.at(**endpoint).is_some());
        failing.map(|endpoint| endpoint.path()).collect()
    };
    ok(&json!({
        "issuer": server.issuer.issuer(),
        "keys": server.issuer.key_ids(),
        "sessions": sessions,
        "grants": grants,
        "failing": failing,
    }))
}

/// New keys sign; the old ones stay published.
async fn rotate(State(server): State<Arc<Server>>, request: Request) -> Answer {
    body::<NoMembers>(request).await?;
    server.issuer.rotate();
    Ok(ok(&json!({"keys": server.issuer.key_ids()})))
}

/// The old keys are no longer published.
async fn retire(State(server): State<Arc<Server>>, request: Request) -> Answer {
    body::<NoMembers>(request).await?;
    server.issuer.retire_old_keys();
    Ok(ok(&json!({"keys": server.issuer.key_ids()})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoMembers {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Outage {
    on: bool,
}

/// Closes every connection without an answer, or ends that.
async fn outage(State(server): State<Arc<Server>>, request: Request) -> Answer {
    let asked: Outage = body(request).await?;
    let mut faults = Faults::default();
    if asked.on {
        for endpoint in Endpoint::OF_AUTHORIZATION_SERVER {
            faults.set(*endpoint, Fault::Refuse);
        }
    }
    server.faults.send_replace(faults);
    Ok(ok(&json!({"on": asked.on})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultAt {
    /// The path, such as `/token`.
    endpoint: String,
    fault: NamedFault,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum NamedFault {
    Refuse,
    Hang,
    CutBody,
    Status(u16),
    /// Seconds.
    TooManyRequests(u64),
    /// Milliseconds before each byte.
    SlowBody(u64),
    Body(String),
    Redirect(String),
}

/// Fails requests to one endpoint.
async fn fault(State(server): State<Arc<Server>>, request: Request) -> Answer {
    let asked: FaultAt = body(request).await?;
    let mut all = Endpoint::OF_AUTHORIZATION_SERVER.iter();
    let endpoint = all.find(|endpoint| endpoint.path() == asked.endpoint);
    let endpoint =
        endpoint.ok_or_else(|| OAuthError::invalid_request("no endpoint has this path"))?;
    let fault = match asked.fault {
        NamedFault::Refuse => Fault::Refuse,
        NamedFault::Hang => Fault::Hang,
        NamedFault::CutBody => Fault::CutBody,
        NamedFault::Status(status) => Fault::Status(status),
        NamedFault::TooManyRequests(seconds) => {
            Fault::TooManyRequests(Duration::from_secs(seconds))
        }
        NamedFault::SlowBody(millis) => Fault::SlowBody(Duration::from_millis(millis)),
        NamedFault::Body(body) => Fault::Body(body.into_bytes()),
        NamedFault::Redirect(url) => Fault::Redirect(url),
    };
    server
        .faults
        .send_modify(|faults| faults.set(*endpoint, fault));
    Ok(ok(&json!({"endpoint": asked.endpoint})))
}

async fn end_faults(State(server): State<Arc<Server>>) -> Response {
    server.faults.send_replace(Faults::default());
    ok(&json!({}))
}

async fn sessions(State(server): State<Arc<Server>>) -> Response {
    let now = server.now();
    let state = server.state();
    let mut all: Vec<(i64, Value)> = state
        .sessions
        .iter(now)
        .map(|(sid, session)| {
            let time = session.authentication.time.as_secs();
            let clients: Vec<&str> = session.clients.iter().map(|client| &*client.id).collect();
            let shown = json!({
                "sid": &**sid,
                "sub": session.user.subject,
                "auth_time": time,
                "acr": session.authentication.acr,
                "clients": clients,
            });
            (time, shown)
        })
        .collect();
    drop(state);
    all.sort_by_key(|(time, _)| *time);
    ok(&all.into_iter().map(|(_, shown)| shown).collect())
}

/// Ends a session, with its refresh tokens and access tokens, and tells its clients.
async fn end_session(State(server): State<Arc<Server>>, Path(sid): Path<String>) -> Answer {
    if logout_tokens::end_session(&server, &sid).await {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let unknown = OAuthError::invalid_request("there is no such session");
    Err(unknown.status(StatusCode::NOT_FOUND))
}

fn ok(body: &Value) -> Response {
    json_response(StatusCode::OK, body)
}

/// The body of a request; an empty one is an empty object.
async fn body<T: DeserializeOwned>(request: Request) -> Result<T, OAuthError> {
    const MAX_BYTES: usize = 64 * 1024;
    let media_type = request.headers().get(CONTENT_TYPE);
    let is_json = media_type.is_some_and(|value| {
        let media_type = value.to_str().unwrap_or_default().split(';').next();
        media_type.is_some_and(|found| found.trim().eq_ignore_ascii_case("application/json"))
    });
    if !is_json {
        let problem = OAuthError::invalid_request("the body must be of type `application/json`");
        return Err(problem.status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    let bytes = to_bytes(request.into_body(), MAX_BYTES).await;
    let bytes = bytes.map_err(|_| OAuthError::invalid_request("the body is too long"))?;
    let text = if bytes.is_empty() { &b"{}"[..] } else { &bytes };
    serde_json::from_slice(text).map_err(|error| OAuthError::invalid_request(error.to_string()))
}
