//! The run of an extraction: one request through a layer to an extractor.

#![allow(clippy::expect_used, clippy::panic)] // Test tooling: a panic is the report.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use axum::Router;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderValue, Request, StatusCode};
use tower_service::Service as _;

use crate::RejectionKind;
use crate::error::WiringFault;
use crate::test_util::extraction::refusal::ExtractionRefusal;
use crate::test_util::extraction::settings::{Cover, Extraction, RoutePath};
use crate::test_util::issuer::MockIssuer;
use crate::test_util::percent_encoding::encoded;

/// More than what any renderer writes.
const MOST_BODY_BYTES: usize = 1024 * 1024;

impl<S: Clone + Send + Sync + 'static> Extraction<S> {
    /// What `T` extracts from the request.
    ///
    /// # Panics
    ///
    /// When the layer or the extractor refuses, with the reason, and when something waits: a directory
    /// of the application, or the issuer. Then use [`extract_async`](Self::extract_async).
    #[must_use]
    #[track_caller] // A test sees its own line.
    pub fn extract<T: FromRequestParts<S> + Send + 'static>(&self) -> T {
        match ready(self.try_extract_async()) {
            Ok(value) => value,
            Err(refusal) => panic!("{}", self.report::<T>(&refusal)),
        }
    }

    /// The same, and what the client would be answered where it is refused.
    ///
    /// # Errors
    ///
    /// The refusal of the layer or of the extractor.
    ///
    /// # Panics
    ///
    /// When something waits.
    #[track_caller]
    pub fn try_extract<T: FromRequestParts<S> + Send + 'static>(
        &self,
    ) -> Result<T, ExtractionRefusal> {
        ready(self.try_extract_async())
    }

    /// The same where something waits: a directory of the application, or an issuer that answers
    /// over HTTP.
    ///
    /// # Panics
    ///
    /// When the layer or the extractor refuses, with the reason.
    pub async fn extract_async<T: FromRequestParts<S> + Send + 'static>(&self) -> T {
        match self.try_extract_async().await {
            Ok(value) => value,
            Err(refusal) => panic!("{}", self.report::<T>(&refusal)),
        }
    }

    /// What a test reads that wanted a value: the refusal, and the setting that a test forgets most often.
    fn report<T>(&self, refusal: &ExtractionRefusal) -> String {
        let name = without_modules(std::any::type_name::<T>());
        let is_default = self.server.is_none() && self.cover.is_none();
        let hint = match refusal.kind() {
            Some(RejectionKind::NoTenant) if is_default => {
                "; for tenant rules of your own name your server: `.extraction().server(&server)`"
            }
            Some(RejectionKind::Misconfigured(
                WiringFault::NoWorkspaceParameter | WiringFault::NoAccountParameter,
            )) => "; name what the path has: `.path_parameter(\"workspace_id\", ..)`",
            _ => "",
        };
        format!("`{name}` cannot be extracted: {refusal}{hint}")
    }

    /// The same, and what the client would be answered where it is refused.
    ///
    /// # Errors
    ///
    /// The refusal of the layer or of the extractor.
    pub async fn try_extract_async<T: FromRequestParts<S> + Send + 'static>(
        &self,
    ) -> Result<T, ExtractionRefusal> {
        let cover = self.cover.clone().unwrap_or_else(|| {
            let server = self.server.clone().unwrap_or_else(|| self.default_server());
            let layer = self.layer_of(&server);
            Arc::new(move |router: Router| router.layer(layer.clone()))
        });
        let (mut all, is_chosen) = match &self.route {
            RoutePath::Written { pattern, path } => return self.run(&cover, pattern, path).await,
            RoutePath::Parameters { all, is_chosen } => (all.clone(), *is_chosen),
        };
        if self.cover.is_none() && self.server.is_none() {
            for (name, value) in [("account_id", "acme"), ("workspace_id", "acme-prod")] {
                if all.iter().all(|(other, _)| other != name) {
                    all.push((name.to_owned(), value.to_owned()));
                }
            }
        }
        let (pattern, path) = route_of(all.iter());
        let outcome = self.run(&cover, &pattern, &path).await;
        let needs_account_alone = |refusal: &ExtractionRefusal| {
            let fault = RejectionKind::Misconfigured(WiringFault::WorkspaceParameter);
            !is_chosen && refusal.kind() == Some(fault)
        };
        if !outcome.as_ref().is_err_and(needs_account_alone) {
            return outcome;
        }
        let account = all.iter().filter(|(name, _)| name != "workspace_id");
        let (pattern, path) = route_of(account);
        self.run(&cover, &pattern, &path).await
    }

    async fn run<T: FromRequestParts<S> + Send + 'static>(
        &self,
        cover: &Cover,
        pattern: &str,
        path: &str,
    ) -> Result<T, ExtractionRefusal> {
        let found = Arc::new(Mutex::new(None));
        let (place, state) = (Arc::clone(&found), self.state.clone());
        let handler = async move |request: Request<Body>| -> Response {
            let (mut parts, _) = request.into_parts();
            match T::from_request_parts(&mut parts, &state).await {
                Ok(value) => {
                    *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
                    StatusCode::OK.into_response()
                }
                Err(rejection) => rejection.into_response(),
            }
        };
        let mut app = cover(Router::new().route(pattern, any(handler)));
        std::future::poll_fn(|context| {
            tower_service::Service::<Request<Body>>::poll_ready(&mut app, context)
        })
        .await
        .unwrap_or_else(|never| match never {});
        let answer = app.call(self.request(path)).await;
        let answer = answer.unwrap_or_else(|never| match never {});
        let value = found.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(value) = value {
            return Ok(value);
        }
        let (head, body) = answer.into_parts();
        let body = axum::body::to_bytes(body, MOST_BODY_BYTES).await;
        Err(ExtractionRefusal::new(head, body.unwrap_or_default()))
    }

    fn request(&self, path: &str) -> Request<Body> {
        let request = Request::builder().method(self.method.clone()).uri(path);
        let request = request.body(Body::empty()).expect("a path");
        let (mut parts, body) = request.into_parts();
        parts.headers = self.headers.clone();
        parts.extensions = self.extensions.clone();
        if !parts.headers.contains_key(HOST) {
            let host = HeaderValue::from_static("api.example.com");
            parts.headers.insert(HOST, host);
        }
        let mut request = Request::from_parts(parts, body);
        let Some(token) = &self.token else {
            return request;
        };
        if let Some(key) = &self.proof_key {
            let path = request.uri().path();
            let url = format!("{}{path}", MockIssuer::AUDIENCE);
            let proof = key.proof(self.method.as_str(), &url);
            return proof.authorize(request, token);
        }
        let value = HeaderValue::try_from(format!("Bearer {token}"));
        let value = value.expect("a token is visible ascii");
        request.headers_mut().append(AUTHORIZATION, value);
        request
    }
}

/// The pattern and the path of a route with these parameters.
fn route_of<'p>(parameters: impl Iterator<Item = &'p (String, String)>) -> (String, String) {
    let (mut pattern, mut path) = (String::new(), String::new());
    for (name, value) in parameters {
        pattern.push_str("/{");
        pattern.push_str(name);
        pattern.push('}');
        path.push('/');
        path.push_str(&encoded(value));
    }
    if pattern.is_empty() {
        return ("/".to_owned(), "/".to_owned());
    }
    (pattern, path)
}

/// The name of a type without the paths of modules, which are not those that an application writes.
fn without_modules(name: &str) -> String {
    let is_of_a_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut short = String::new();
    for part in name.split("::") {
        let end = short.trim_end_matches(is_of_a_word).len();
        short.truncate(end);
        short.push_str(part);
    }
    short
}

/// The output of a future that does not wait.
#[track_caller]
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!(
            "the extraction waits for a directory or an issuer: use `extract_async` or `try_extract_async`"
        ),
    }
}
