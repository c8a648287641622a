//! The application under test: routes behind the layer of a server, requests to them, and what comes
//! back.

use std::convert::Infallible;
use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, Route, get};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use portcullis::{AccessToken, RejectionKind, ResourceServer};
use tower::{Layer, Service, ServiceExt as _};

/// Routes of a test, and requests to them.
#[derive(Clone)]
pub(crate) struct TestApp {
    router: Router,
    layer: Arc<dyn Fn(Router) -> Router + Send + Sync>,
}

impl TestApp {
    /// `/` answers 200 to every token that this server accepts.
    pub(crate) fn new(server: &ResourceServer) -> Self {
        Self::behind(server.authenticate()).route("/", get(async |_: AccessToken| {}))
    }

    /// No routes yet; all that are added stand behind this layer.
    pub(crate) fn behind<L>(layer: L) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request<Body>>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request<Body>>>::Future: Send + 'static,
    {
        Self {
            router: Router::new(),
            layer: Arc::new(move |routes| routes.route_layer(layer.clone())),
        }
    }

    /// Adds a route, or another method of one, behind the layer.
    #[must_use]
    pub(crate) fn route(self, path: &str, handler: MethodRouter) -> Self {
        self.routes(Router::new().route(path, handler))
    }

    /// Adds several routes behind the layer.
    #[must_use]
    pub(crate) fn routes(self, routes: Router) -> Self {
        let router = self.router.merge((self.layer)(routes));
        Self { router, ..self }
    }

    /// Adds both routes that lead into a workspace: by its id alone, and by its account's id too.
    #[must_use]
    pub(crate) fn workspaces(self, handler: MethodRouter) -> Self {
        self.route("/workspaces/{workspace_id}", handler.clone())
            .route("/accounts/{account_id}/workspaces/{workspace_id}", handler)
    }

    /// Adds a service that the layer does not guard, such as the readiness of the server.
    #[must_use]
    pub(crate) fn public<S>(self, path: &str, service: S) -> Self
    where
        S: Service<Request<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Response: IntoResponse,
        S::Future: Send + 'static,
    {
        let router = self.router.route_service(path, service);
        Self { router, ..self }
    }
}

/// What takes a router takes the application too.
impl Deref for TestApp {
    type Target = Router;

    fn deref(&self) -> &Router {
        &self.router
    }
}

impl From<TestApp> for Router {
    fn from(app: TestApp) -> Self {
        app.router
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct TestResponse {
    pub(crate) status: StatusCode,
    pub(crate) kind: Option<RejectionKind>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl TestResponse {
    /// The status and, for refusals, kind and fault: `401 invalid_token expired`.
    pub(crate) fn verdict(&self) -> String {
        let mut words = vec![self.status.as_u16().to_string()];
        if let Some(kind) = self.kind {
            words.push(kind.as_str().to_owned());
            words.extend(kind.fault().map(ToOwned::to_owned));
        }
        words.join(" ")
    }

    /// The body of a success, the verdict on a refusal.
    pub(crate) fn body_or_verdict(self) -> String {
        if self.status == StatusCode::OK {
            self.body
        } else {
            self.verdict()
        }
    }

    /// The value of `WWW-Authenticate`; empty where there is none.
    pub(crate) fn challenge(&self) -> &str {
        self.header("www-authenticate").unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Status and headers as they would stand on the wire, headers in alphabetical order.
    pub(crate) fn wire(&self) -> String {
        let mut lines: Vec<String> = self
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
            .collect();
        lines.sort();
        lines.insert(0, format!("{}", self.status));
        lines.join("\n")
    }
}

/// Requests to a [`TestApp`], and to any other router.
pub(crate) trait Requests {
    /// Sends any request.
    async fn exchange(&self, request: Request<Body>) -> TestResponse;

    /// Sends a `GET` request with these header fields.
    async fn send(&self, path: &str, fields: &[(&str, &str)]) -> TestResponse;

    /// Sends a `GET` request with this bearer token.
    async fn get(&self, path: &str, token: &str) -> TestResponse;

    /// The verdict on this bearer token at `/`.
    async fn verdict(&self, token: &str) -> String;
}

impl Requests for Router {
    async fn exchange(&self, request: Request<Body>) -> TestResponse {
        let response: Response<Body> = match self.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        TestResponse {
            status: parts.status,
            kind: parts.extensions.get::<RejectionKind>().copied(),
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    async fn send(&self, path: &str, fields: &[(&str, &str)]) -> TestResponse {
        let mut request = Request::get(path).body(Body::empty()).expect("a request");
        for (name, value) in fields {
            request.headers_mut().append(
                HeaderName::from_bytes(name.as_bytes()).expect("a name"),
                HeaderValue::from_bytes(value.as_bytes()).expect("a value"),
            );
        }
        self.exchange(request).await
    }

    async fn get(&self, path: &str, token: &str) -> TestResponse {
        let value = format!("Bearer {token}");
        self.send(path, &[("authorization", &value)]).await
    }

    async fn verdict(&self, token: &str) -> String {
        self.get("/", token).await.verdict()
    }
}
