//! What the tests share: a router around a server, and a request through it.

pub(crate) mod certificate;
pub(crate) mod endpoint;
pub(crate) mod introspection;
pub(crate) mod logs;
pub(crate) mod tls_key_set;

use axum::Router;
use axum::body::Body;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use portcullis::test_util::MockIssuer;
use portcullis::{RejectionKind, ResourceServer, ResourceServerBuilder};
use tower::ServiceExt as _;

/// The resource that the tests protect.
pub(crate) const API: &str = "https://api.example.com";

/// A server for [`API`] that trusts this issuer's present keys.
pub(crate) fn server(issuer: &MockIssuer) -> ResourceServer {
    builder(issuer).build().expect("a sound configuration")
}

/// The same, still open for settings.
pub(crate) fn builder(issuer: &MockIssuer) -> ResourceServerBuilder {
    ResourceServer::builder(API).issuer(issuer.trusted())
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) kind: Option<RejectionKind>,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    /// The status and, for refusals, kind and fault: `401 invalid_token expired`.
    pub(crate) fn verdict(&self) -> String {
        let mut words = vec![self.status.as_u16().to_string()];
        if let Some(kind) = self.kind {
            words.push(kind.as_str().to_owned());
            words.extend(kind.fault().map(ToOwned::to_owned));
        }
        words.join(" ")
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

/// Sends a request with this bearer token.
pub(crate) async fn get(app: &Router, path: &str, token: &str) -> Answer {
    send(app, path, &[("authorization", &format!("Bearer {token}"))]).await
}

/// Sends a request with these header fields.
pub(crate) async fn send(app: &Router, path: &str, fields: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(path).body(Body::empty()).expect("a request");
    for (name, value) in fields {
        request.headers_mut().append(
            HeaderName::from_bytes(name.as_bytes()).expect("a name"),
            HeaderValue::from_bytes(value.as_bytes()).expect("a value"),
        );
    }
    exchange(app, request).await
}

/// Sends any request.
pub(crate) async fn exchange(app: &Router, request: Request<Body>) -> Answer {
    let response: Response<Body> = match app.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    Answer {
        status: parts.status,
        kind: parts.extensions.get::<RejectionKind>().copied(),
        headers: parts.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    }
}
