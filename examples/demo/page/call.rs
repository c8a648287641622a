//! Calls of the API for the page: a request of a caller, its answer, the checks and the record.

use axum::Json;
use axum::extract::State;
use http::{Request, StatusCode};
use portcullis::explain::Explanation;
use serde::Deserialize;
use serde_json::{Value, json};

use super::callers::{Sent, sent};
use super::issuer::state;
use super::routes::{Layer, Route};
use super::{Answered, Shared, failure};
use crate::client;

/// Which request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    /// One of the list; or a token.
    caller: Option<String>,
    token: Option<String>,
    route: String,
}

/// A request that is ready to be sent.
struct Prepared {
    route: &'static Route,
    sent: Sent,
}

fn prepare(demo: &Shared, question: Question) -> Result<Prepared, (StatusCode, String)> {
    let unknown = |what: &str| (StatusCode::BAD_REQUEST, format!("no such {what}"));
    let route = Route::named(&question.route).ok_or_else(|| unknown("route"))?;
    let (method, path) = client::split(route.request);
    let sent = match (question.token, question.caller) {
        (Some(token), None) => Sent::bearer(token),
        (None, Some(caller)) => {
            let url = format!("http://{}{path}", demo.address);
            let sent = sent(demo, &caller, method, &url).map_err(failure)?;
            sent.ok_or_else(|| unknown("caller"))?
        }
        _ => return Err(unknown("caller; name one, or a token")),
    };
    Ok(Prepared { route, sent })
}

/// The checks of the layer, in their order. For operators: in a product no client may see them.
async fn explanation(demo: &Shared, prepared: &Prepared) -> Result<Value, (StatusCode, String)> {
    let (method, path) = client::split(prepared.route.request);
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in &prepared.sent.fields {
        request = request.header(*name, value);
    }
    let (parts, ()) = request.body(()).map_err(failure)?.into_parts();
    let explanation = prepared.route.layer.explain(demo, &parts).await;
    Ok(explanation.as_ref().map_or(Value::Null, with_subjects))
}

/// An explanation as data, and what each check looks at in words.
fn with_subjects(explanation: &Explanation) -> Value {
    let mut value = json!(explanation);
    let steps = value.get_mut("steps").and_then(Value::as_array_mut);
    for (step, known) in steps.into_iter().flatten().zip(explanation.steps()) {
        if let Some(step) = step.as_object_mut() {
            step.insert("subject".into(), json!(known.check().subject()));
        }
    }
    value
}

/// Takes a token apart and says which checks it passes on its way to a route; nothing is sent.
pub(super) async fn explain(
    State(demo): State<Shared>,
    Json(question): Json<Question>,
) -> Answered {
    let prepared = prepare(&demo, question)?;
    let explanation = explanation(&demo, &prepared).await?;
    Ok(Json(json!({
        "token": prepared.sent.token,
        "explanation": explanation,
    })))
}

/// Sends a request over a connection of its own, and says what became of it.
pub(super) async fn call(State(demo): State<Shared>, Json(question): Json<Question>) -> Answered {
    // One after the other, so that the last record is that of this request.
    let _turn = demo.turn.lock().await;
    let prepared = prepare(&demo, question)?;
    // Before the request, which uses up its proof.
    let explanation = explanation(&demo, &prepared).await?;
    let Prepared { route, sent } = prepared;
    demo.records.clear();
    let exchange = client::exchange(demo.address, route.request, &sent.fields, "").await;
    let exchange = exchange.map_err(failure)?;
    if let Some(nonce) = exchange.answer.nonce() {
        demo.key_holder.take_nonce(nonce);
    }
    let record = match route.layer {
        Layer::None => None,
        Layer::Ledger => {
            demo.ledger.flush_decision_records().await;
            demo.records.last()
        }
        Layer::App | Layer::Dashboard | Layer::Portal => {
            demo.server.flush_decision_records().await;
            demo.records.last()
        }
    };
    Ok(Json(json!({
        "status": exchange.answer.status(),
        "request": exchange.request,
        "response": exchange.response,
        "token": sent.token,
        "explanation": explanation,
        "record": record,
        "state": state(&demo),
    })))
}

/// A token of a caller, for a request that the browser sends itself.
pub(super) async fn token(State(demo): State<Shared>, Json(question): Json<Question>) -> Answered {
    let prepared = prepare(&demo, question)?;
    Ok(Json(json!({ "token": prepared.sent.token })))
}
