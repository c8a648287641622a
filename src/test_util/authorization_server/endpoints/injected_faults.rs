//! Faults that a test ordered, in place of an answer, and the count of requests.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use http_body::Frame;
use tokio::time::{Sleep, sleep};

use super::discovery;
use crate::test_util::authorization_server::state::Server;
use crate::test_util::served::{Endpoint, Fault};

/// Answers, or fails as the test ordered it.
pub(super) async fn inject(
    State(server): State<Arc<Server>>,
    request: Request,
    next: Next,
) -> Response {
    let Some(endpoint) = endpoint_of(&server, request.uri().path()) else {
        return next.run(request).await;
    };
    server
        .requests
        .send_modify(|counts| *counts.entry(endpoint).or_default() += 1);
    let status = |code| StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let text =
        |value: &str| HeaderValue::try_from(value).unwrap_or_else(|_| HeaderValue::from_static(""));
    match fault_of(&server, endpoint).await {
        None | Some(Fault::Hang) => next.run(request).await,
        Some(Fault::Refuse) => Response::new(Body::new(Faulty::cut(Bytes::new()))),
        Some(Fault::Status(code)) => status(code).into_response(),
        Some(Fault::TooManyRequests(pause)) => {
            let fields = [(RETRY_AFTER, pause.as_secs().to_string())];
            (StatusCode::TOO_MANY_REQUESTS, fields).into_response()
        }
        Some(Fault::Body(body)) => ([(CONTENT_TYPE, "application/json")], body).into_response(),
        Some(Fault::BodyOfType(media_type, body)) => {
            ([(CONTENT_TYPE, text(&media_type))], body).into_response()
        }
        Some(Fault::Redirect(url)) => (StatusCode::FOUND, [(LOCATION, text(&url))]).into_response(),
        Some(Fault::CutBody) => {
            replace_body(next.run(request).await, |body| {
                Faulty::cut(body.slice(..body.len() / 2))
            })
            .await
        }
        Some(Fault::SlowBody(pause)) => {
            replace_body(next.run(request).await, |body| Faulty::slow(body, pause)).await
        }
    }
}

/// Endpoints have several paths: those of vendors, and those of their pages.
fn endpoint_of(server: &Server, path: &str) -> Option<Endpoint> {
    if discovery::is_metadata_path(path) {
        return Some(Endpoint::Discovery);
    }
    match path {
        "/.well-known/jwks.json" => Some(Endpoint::KeySet),
        "/login" => Some(Endpoint::Authorization),
        "/device" => Some(Endpoint::DeviceAuthorization),
        _ if path == server.issuer.key_set_path() => Some(Endpoint::KeySet),
        _ if path.starts_with("/register/") => Some(Endpoint::Registration),
        _ => {
            let mut all = Endpoint::OF_AUTHORIZATION_SERVER.iter();
            all.find(|endpoint| endpoint.path() == path).copied()
        }
    }
}

/// The fault of this endpoint as soon as it is another than to hang.
async fn fault_of(server: &Server, endpoint: Endpoint) -> Option<Fault> {
    let mut faults = server.faults.subscribe();
    let settled = faults.wait_for(|faults| faults.at(endpoint) != Some(&Fault::Hang));
    let settled = settled.await.ok();
    settled.and_then(|faults| faults.at(endpoint).cloned())
}

/// The response with the right length, and this body in place of its own.
async fn replace_body(response: Response, body: impl FnOnce(Bytes) -> Faulty) -> Response {
    let (mut head, right) = response.into_parts();
    let right = to_bytes(right, usize::MAX).await.unwrap_or_default();
    head.headers
        .insert(CONTENT_LENGTH, HeaderValue::from(right.len()));
    Response::from_parts(head, Body::new(body(right)))
}

/// A body that comes slowly, or ends with an error, by which the connection is closed.
struct Faulty {
    rest: Bytes,
    pause: Option<Duration>,
    sleep: Option<Pin<Box<Sleep>>>,
    end: End,
}

/// How a body ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    Cut,
    /// Cut, when what was sent has had its turn to leave.
    CutAfterYield,
}

impl Faulty {
    const fn cut(rest: Bytes) -> Self {
        Self {
            rest,
            pause: None,
            sleep: None,
            end: End::Cut,
        }
    }

    const fn slow(rest: Bytes, pause: Duration) -> Self {
        Self {
            rest,
            pause: Some(pause),
            sleep: None,
            end: End::Whole,
        }
    }
}

/// The error of a body that is cut.
#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the body is cut")
    }
}

impl std::error::Error for Cut {}

impl http_body::Body for Faulty {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if self.rest.is_empty() {
            return match self.end {
                End::Whole => Poll::Ready(None),
                End::Cut => Poll::Ready(Some(Err(Cut))),
                End::CutAfterYield => {
                    self.end = End::Cut;
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
            };
        }
        let Some(pause) = self.pause else {
            self.end = End::CutAfterYield;
            let all = std::mem::take(&mut self.rest);
            return Poll::Ready(Some(Ok(Frame::data(all))));
        };
        let timer = self.sleep.get_or_insert_with(|| Box::pin(sleep(pause)));
        if timer.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        self.sleep = None;
        let byte = self.rest.split_to(1);
        Poll::Ready(Some(Ok(Frame::data(byte))))
    }
}
