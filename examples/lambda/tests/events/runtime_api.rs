//! The runtime API of Lambda on loopback, and the function as a process that asks it for events.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::StatusCode;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Notify, mpsc, oneshot};

/// Longer than any answer takes; a test that hangs shows nothing.
const PATIENCE: Duration = Duration::from_secs(60);

type Waiting = HashMap<String, oneshot::Sender<Value>>;

struct RuntimeApi {
    /// Events that wait for the function.
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<(String, Value)>>,
    /// Who waits for the answer to an event.
    waiting: Mutex<Waiting>,
    /// The function asks for its first event when its init phase is over.
    started: Notify,
}

/// The function of `src/main.rs` in its execution environment. It ends when this is dropped.
pub(crate) struct Function {
    api: Arc<RuntimeApi>,
    events: mpsc::UnboundedSender<(String, Value)>,
    process: Child,
    count: usize,
}

impl Function {
    /// Starts the program with these variables, and waits for the end of its init phase.
    pub(crate) async fn start(variables: &[(&str, &str)]) -> Self {
        let (events, receiver) = mpsc::unbounded_channel();
        let api = Arc::new(RuntimeApi {
            events: tokio::sync::Mutex::new(receiver),
            waiting: Mutex::default(),
            started: Notify::new(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let routes = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(answer))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(answer))
            .with_state(api.clone());
        tokio::spawn(axum::serve(listener, routes).into_future());

        let begin = Instant::now();
        let process = Command::new(env!("CARGO_BIN_EXE_portcullis-example-lambda"))
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "missions")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the function starts");
        let started = tokio::time::timeout(PATIENCE, api.started.notified()).await;
        started.expect("the function asks for an event");
        println!("init phase, keys fetched: {:?}", begin.elapsed());
        Self {
            api,
            events,
            process,
            count: 0,
        }
    }

    /// The answer of the function to an event.
    pub(crate) async fn invoke(&mut self, event: Value) -> Value {
        self.count += 1;
        let id = format!("request-{}", self.count);
        let (sender, receiver) = oneshot::channel();
        let waiting = self.api.waiting.lock();
        waiting.expect("no panic").insert(id.clone(), sender);
        self.events.send((id, event)).expect("the API runs");
        let answer = tokio::time::timeout(PATIENCE, receiver).await;
        answer.expect("in time").expect("an answer")
    }

    /// Sends the process a signal: `STOP` freezes it as Lambda does between invocations, `CONT` wakes it.
    pub(crate) async fn signal(&self, name: &str) {
        let id = self.process.id().expect("it runs").to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status().await;
        assert!(status.expect("`kill` starts").success());
    }
}

async fn next(State(api): State<Arc<RuntimeApi>>) -> Response {
    api.started.notify_one();
    let Some((id, event)) = api.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let deadline = std::time::UNIX_EPOCH.elapsed().expect("after 1970") + PATIENCE;
    let fields = [
        ("content-type", "application/json".to_owned()),
        ("lambda-runtime-aws-request-id", id),
        (
            "lambda-runtime-deadline-ms",
            deadline.as_millis().to_string(),
        ),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:eu-west-1:123456789012:function:missions".to_owned(),
        ),
    ];
    (fields, event.to_string()).into_response()
}

async fn answer(
    State(api): State<Arc<RuntimeApi>>,
    Path(id): Path<String>,
    body: String,
) -> StatusCode {
    let waiting = api.waiting.lock().expect("no panic").remove(&id);
    let answer = serde_json::from_str(&body).expect("JSON");
    match waiting.map(|waiting| waiting.send(answer)) {
        Some(Ok(())) => StatusCode::ACCEPTED,
        _ => StatusCode::NOT_FOUND,
    }
}
