//! What an operator does to the issuer and to its keys, and how both sides are.

use std::fmt::Display;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use portcullis::revocation::Revocation;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answered, Shared, Stage, failure};
use crate::client;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    action: Action,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    /// The issuer makes a new key and signs with it; the old one stays published.
    Rotate,
    /// The issuer publishes the new key alone.
    Retire,
    /// The issuer answers nothing any more.
    Stop,
    Start,
    /// The API forgets the issuer's keys.
    Drop,
    /// The API fetches the issuer's keys.
    Fetch,
}

/// Does it, and says how things are then.
pub(super) async fn operate(State(demo): State<Shared>, Json(order): Json<Order>) -> Answered {
    let mut problem = None;
    match order.action {
        Action::Rotate => demo.pool.rotate(),
        Action::Retire => demo.pool.retire_old_keys(),
        Action::Stop => {
            demo.is_stopped.store(true, Ordering::Relaxed);
            demo.pool.stop();
        }
        Action::Start => {
            demo.is_stopped.store(false, Ordering::Relaxed);
            demo.pool.restart();
        }
        Action::Drop => {
            for server in [&demo.server, &demo.ledger] {
                let keys = server.issuer_keys(&demo.pool.issuer());
                keys.ok_or_else(|| failure("no such issuer"))?.drop_keys();
            }
        }
        Action::Fetch => {
            for server in [&demo.server, &demo.ledger] {
                let fetched = server.refresh_now().await;
                problem = fetched.err().map(|error| error.to_string()).or(problem);
            }
        }
    }
    let mut state = state(&demo);
    if let Some(state) = state.as_object_mut() {
        state.insert("problem".into(), json!(problem));
    }
    Ok(Json(state))
}

/// A session, as the tokens of it name it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Session {
    session: String,
}

/// Revokes a session at the API: its tokens are refused, and its streams end. The issuer ends it too, so
/// that the next sign-in begins another one.
pub(super) async fn revoke(State(demo): State<Shared>, Json(session): Json<Session>) -> Answered {
    let session = session.session;
    let wrong = |error: &dyn Display| (StatusCode::BAD_REQUEST, error.to_string());
    let revocation = Revocation::session(&demo.pool.issuer(), &session);
    let revoked = demo.server.revocations().revoke(revocation);
    revoked.map_err(|error| wrong(&error))?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !session.bytes().all(is_plain) {
        return Err(wrong(&"no issuer of the demo has such a session"));
    }
    let address = demo.pool.url().trim_start_matches("http://").parse();
    let request = format!("DELETE /admin/sessions/{session}");
    // It knows none of the sessions of tokens that the demo has made, and none while it is stopped.
    let _ = client::send_fields(address.map_err(failure)?, &request, &[]).await;
    Ok(Json(state(&demo)))
}

pub(super) async fn status(State(demo): State<Shared>) -> Json<Value> {
    Json(state(&demo))
}

pub(super) fn state(demo: &Stage) -> Value {
    let issuer = demo.pool.issuer();
    let key_sets = demo.server.key_set_status();
    let key_set = key_sets.iter().find(|status| status.issuer() == issuer);
    let seconds = |time: Duration| time.as_secs();
    let key_set = key_set.map(|status| {
        json!({
            "state": status.state().as_str(),
            "keys": status.keys(),
            "age": status.age().map(seconds),
            "failures": status.failures(),
            "lastError": status.last_error(),
            "nextAttempt": status.next_attempt().map(seconds),
        })
    });
    json!({
        "answers": !demo.is_stopped.load(Ordering::Relaxed),
        "published": demo.pool.key_ids(),
        "keySet": key_set,
        "streams": demo.server.lease_status().open(),
    })
}
