//! An endpoint on loopback that is asked about tokens: it notes every question, and answers what
//! the test says.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use http::{HeaderMap, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// One question.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Question {
    /// The decoded value of a field of the form.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        field(&self.body, name)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or("")
    }
}

/// The decoded value of a field of a form or a query, which must be there once.
pub(crate) fn field(form: &str, name: &str) -> Option<String> {
    let mut values = form.split('&').filter_map(|pair| {
        let (found, value) = pair.split_once('=')?;
        (found == name).then(|| decoded(value))
    });
    let first = values.next();
    assert!(values.next().is_none(), "`{name}` is there twice");
    first
}

fn decoded(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || {
                    let one = char::from(bytes.next().expect("two digits"));
                    u8::try_from(one.to_digit(16).expect("a digit")).expect("small")
                };
                digit() << 4 | digit()
            }
            other => other,
        });
    }
    String::from_utf8(out).expect("utf-8")
}

type Script = Box<dyn Fn(&Question) -> Response<Body> + Send>;

struct Shared {
    script: Mutex<Script>,
    questions: watch::Sender<Vec<Question>>,
    is_open: watch::Sender<bool>,
}

/// The endpoint. It is gone with this value.
pub(crate) struct Endpoint {
    origin: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Endpoint {
    /// One that says of every token what this JSON says.
    pub(crate) async fn saying(answer: Value) -> Self {
        Self::doing(move |_| json(200, &answer)).await
    }

    pub(crate) async fn doing(
        script: impl Fn(&Question) -> Response<Body> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let shared = Arc::new(Shared {
            script: Mutex::new(Box::new(script)),
            questions: watch::Sender::default(),
            is_open: watch::Sender::new(true),
        });
        let answering = Arc::clone(&shared);
        let app = Router::new().fallback(move |request| answer(Arc::clone(&answering), request));
        let task = tokio::spawn(async move {
            axum::serve(listener, app).await.expect("it serves");
        });
        Self {
            origin,
            shared,
            task,
        }
    }

    /// Answers otherwise from now on.
    pub(crate) fn turn(&self, script: impl Fn(&Question) -> Response<Body> + Send + 'static) {
        let mut held = self
            .shared
            .script
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *held = Box::new(script);
    }

    /// Notes questions, and answers none until it is opened.
    pub(crate) fn close(&self) {
        self.shared.is_open.send_replace(false);
    }

    pub(crate) fn open(&self) {
        self.shared.is_open.send_replace(true);
    }

    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/introspect", self.origin)
    }

    pub(crate) fn questions(&self) -> Vec<Question> {
        self.shared.questions.borrow().clone()
    }

    pub(crate) fn calls(&self) -> usize {
        self.shared.questions.borrow().len()
    }

    /// The last question.
    pub(crate) fn last(&self) -> Question {
        self.questions().pop().expect("a question")
    }

    /// Ends when so many questions have come.
    pub(crate) async fn asked(&self, count: usize) {
        let mut questions = self.shared.questions.subscribe();
        let enough = questions.wait_for(|questions| questions.len() >= count);
        enough.await.expect("the endpoint is there");
    }
}

async fn answer(shared: Arc<Shared>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.expect("a body");
    let question = Question {
        method: parts.method.to_string(),
        target: parts.uri.to_string(),
        headers: parts.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let seen = question.clone();
    shared.questions.send_modify(|all| all.push(seen));
    let mut is_open = shared.is_open.subscribe();
    is_open.wait_for(|open| *open).await.expect("it may open");
    let script = shared.script.lock().unwrap_or_else(PoisonError::into_inner);
    script(&question)
}

/// An answer in JSON.
pub(crate) fn json(status: u16, body: &Value) -> Response<Body> {
    raw(status, "application/json", body.to_string())
}

pub(crate) fn raw(status: u16, media_type: &str, body: impl Into<Body>) -> Response<Body> {
    Response::builder()
        .status(status)
        .header("content-type", media_type)
        .body(body.into())
        .expect("an answer")
}
