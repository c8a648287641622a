//! The endpoint for security events that transmitters push (RFC 8935).
//!
//! 1. One Security Event Token as `application/secevent+jwt`, sent with POST, of as many bytes as a token
//!    may have.
//! 2. 202 without a body when the revocations are in force, 400 with a registered error when the token is
//!    refused, 503 with `Retry-After` when it cannot be judged or stored now: then the transmitter
//!    sends it again.
//! 3. The same token again is 202 and changes nothing.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Buf as _;
use http::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderMap, HeaderValue,
    RETRY_AFTER,
};
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use crate::server::operate::ssf::receive::{SetFailure, SetSource};
use crate::server::resource_server::ResourceServer;
use crate::server::settings::error::ConfigError;
use crate::verify::ssf::error_code::SetErrorCode;

/// The media type of a Security Event Token.
const SET_TYPE: &str = "application/secevent+jwt";

/// The `Retry-After` of a body that breaks off.
const INCOMPLETE_RETRY_AFTER: Duration = Duration::from_secs(1);

impl ResourceServer {
    /// A service for the push endpoint of Shared Signals streams
    /// ([RFC 8935](https://www.rfc-editor.org/rfc/rfc8935)): it verifies Security Event Tokens of the
    /// [configured transmitters](crate::ResourceServerBuilder::ssf_transmitter), and
    /// [revokes](ResourceServer::revocations) what their events name. One endpoint serves all
    /// transmitters.
    ///
    /// | answer | when |
    /// |---|---|
    /// | 202, empty | the events have their effect, are ignored or not mapped, or came before |
    /// | 400, `{"err":"..","description":".."}` | the token is refused for good: `invalid_request`, `invalid_key`, `invalid_issuer`, `invalid_audience`, `authentication_failed` or `access_denied` |
    /// | 405 | the method is not POST |
    /// | 503, `Retry-After` | the body breaks off, keys cannot be fetched, or an event could not be mapped or stored; the transmitter sends it again |
    ///
    /// Mount it outside the authentication layer: in axum with `.route_service(..)`, or as a
    /// `Router` of its own with `.into()`. It may wait for keys like a request does.
    ///
    /// ```
    /// # #[cfg(all(feature = "axum", feature = "test-util"))] {
    /// use axum::Router;
    /// use portcullis::ResourceServer;
    /// use portcullis::ssf::SsfTransmitter;
    /// use portcullis::test_util::MockIssuer;
    ///
    /// let issuer = MockIssuer::new();
    /// let server = ResourceServer::builder("https://api.example.com")
    ///     .issuer(issuer.trusted())
    ///     .ssf_transmitter(issuer.transmitter())
    ///     .build()?;
    /// let app: Router = Router::new().route_service("/ssf/events", server.ssf_push()?);
    ///
    /// let without = ResourceServer::builder("https://api.example.com").issuer(issuer.trusted()).build()?;
    /// assert_eq!(without.ssf_push().unwrap_err().setting(), "ssf_transmitter");
    /// # let _ = app;
    /// # }
    /// # Ok::<(), portcullis::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when no transmitter is configured.
    #[doc(alias("shared_signals", "CAEP", "RISC", "webhook"))]
    pub fn ssf_push(&self) -> Result<SsfPush, ConfigError> {
        if self.has_transmitters() {
            let server = self.clone();
            return Ok(SsfPush { server });
        }
        Err(ConfigError::without_transmitter())
    }
}

/// The service that [`ResourceServer::ssf_push`] makes.
#[derive(Clone)]
pub struct SsfPush {
    server: ResourceServer,
}

impl fmt::Debug for SsfPush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SsfPush").finish_non_exhaustive()
    }
}

impl<B> Service<Request<B>> for SsfPush
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<String>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let server = self.server.clone();
        Box::pin(async move { Ok(answer(&server, request).await) })
    }
}

/// A router that answers every path with the service, to be nested.
#[cfg(feature = "axum")]
impl<S: Clone + Send + Sync + 'static> From<SsfPush> for axum::Router<S> {
    fn from(service: SsfPush) -> Self {
        Self::new().fallback_service(service)
    }
}

async fn answer<B: Body>(server: &ResourceServer, request: Request<B>) -> Response<String> {
    if request.method() != Method::POST {
        let mut response = respond(StatusCode::METHOD_NOT_ALLOWED);
        let allow = HeaderValue::from_static("POST");
        response.headers_mut().insert(ALLOW, allow);
        return response;
    }
    if !is_set(request.headers()) {
        return unread(server, "the content type is not `application/secevent+jwt`");
    }
    let (head, body) = request.into_parts();
    let set = match read(body, server.max_set_bytes()).await {
        Ok(set) => set,
        Err(BodyError::TooLarge) => return unread(server, "the body is too large"),
        Err(BodyError::Incomplete) => return unavailable(INCOMPLETE_RETRY_AFTER),
    };
    let source = SetSource::Push(authorization(&head.headers));
    match server.receive_set(set.trim_ascii(), source).await {
        Ok(_) => respond(StatusCode::ACCEPTED),
        Err(SetFailure::Refused { code, why }) => refused(code, &why),
        Err(SetFailure::Unavailable { retry_after, .. }) => unavailable(retry_after),
    }
}

fn is_set(headers: &HeaderMap) -> bool {
    let stated = headers.get(CONTENT_TYPE).and_then(|one| one.to_str().ok());
    let media_type = stated.and_then(|value| value.split(';').next());
    media_type.is_some_and(|name| name.trim().eq_ignore_ascii_case(SET_TYPE))
}

/// The one value of the field; of several none counts.
fn authorization(headers: &HeaderMap) -> Option<&[u8]> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    match (all.next(), all.next()) {
        (Some(only), None) => Some(only.as_bytes()),
        _ => None,
    }
}

/// Why a body is not read.
enum BodyError {
    TooLarge,
    /// It breaks off. The token may be good, so it must come again.
    Incomplete,
}

/// The body, of at most so many bytes.
async fn read<B: Body>(body: B, most: usize) -> Result<Vec<u8>, BodyError> {
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    loop {
        let frame = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await;
        let Some(frame) = frame else {
            return Ok(bytes);
        };
        let frame = frame.map_err(|_| BodyError::Incomplete)?;
        let Ok(mut data) = frame.into_data() else {
            continue; // Trailers.
        };
        if data.remaining() > most.saturating_sub(bytes.len()) {
            return Err(BodyError::TooLarge);
        }
        while data.has_remaining() {
            let chunk = data.chunk();
            let length = chunk.len();
            bytes.extend_from_slice(chunk);
            data.advance(length);
        }
    }
}

/// A refusal before the token is read.
fn unread(server: &ResourceServer, why: &str) -> Response<String> {
    server.note_unread_set(why);
    refused(SetErrorCode::InvalidRequest, why)
}

/// RFC 8935 s2.3: JSON, and the language of the description.
fn refused(code: SetErrorCode, why: &str) -> Response<String> {
    let mut response = respond(StatusCode::BAD_REQUEST);
    let body = serde_json::json!({ "err": code.as_str(), "description": why });
    *response.body_mut() = body.to_string();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static("en"));
    response
}

fn unavailable(retry_after: Duration) -> Response<String> {
    let mut response = respond(StatusCode::SERVICE_UNAVAILABLE);
    let seconds = retry_after.as_secs().max(1);
    response.headers_mut().insert(RETRY_AFTER, seconds.into());
    response
}

fn respond(status: StatusCode) -> Response<String> {
    let mut response = Response::new(String::new());
    *response.status_mut() = status;
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, no_store);
    response
}
