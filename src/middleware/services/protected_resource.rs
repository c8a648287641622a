//! The metadata of the server's resources, as a service (RFC 9728 section 3).
//!
//! 1. A response depends on the method, the path and `If-None-Match` alone; never on `Host`.
//! 2. Scripts of every origin may read it: a document is public, and browsers' clients need it.

use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderValue, IF_NONE_MATCH,
};
use http::{Method, Request, Response, StatusCode};
use tower_service::Service;

use crate::server::decide::protected_resource::{DocumentText, MetadataDocument};
use crate::server::resource_server::ResourceServer;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

impl ResourceServer {
    /// The service that serves the metadata documents of the server's resources (RFC 9728 section 3),
    /// each at its well-known path: `/.well-known/oauth-protected-resource` for
    /// `https://api.example.com`, and `/.well-known/oauth-protected-resource/mcp` for
    /// `https://api.example.com/mcp`. From this call on challenges name the documents' addresses as
    /// `resource_metadata`, in 400, 401 and 403 alike. Addresses come from the configuration and never
    /// from a request.
    ///
    /// It stands outside the authentication layer. In axum it becomes a router of these paths:
    /// `Router::new().merge(server.metadata())`. As a tower service it is given every request whose
    /// path begins with `/.well-known/oauth-protected-resource`.
    ///
    /// 1. `GET` and `HEAD` answer 200 with `Content-Type: application/json`, `Cache-Control: public,
    ///    max-age=3600` ([`metadata_max_age`](crate::config::Resource::metadata_max_age)) and an
    ///    `ETag`, or 304.
    /// 2. `OPTIONS` answers 204. Every origin may read the answers (`Access-Control-Allow-Origin: *`),
    ///    and send any header field except `Authorization`.
    /// 3. Other methods answer 405, other paths 404.
    ///
    /// A resource without a document is not served: its identifier is no URL.
    ///
    /// ```
    /// use axum::Router;
    /// use portcullis::ResourceServer;
    /// # use axum::body::Body;
    /// # use http::Request;
    /// # use tower::ServiceExt as _;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// # let issuer = portcullis::test_util::MockIssuer::new();
    /// let server = ResourceServer::builder("https://api.example.com/missions")
    ///     .issuer(issuer.trusted())
    ///     .build()?;
    /// let app: Router = Router::new().merge(server.metadata());
    ///
    /// let path = "/.well-known/oauth-protected-resource/missions";
    /// let response = app.oneshot(Request::get(path).body(Body::empty())?).await?;
    /// assert_eq!(response.status(), 200);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias("oauth-protected-resource", "protected_resource_metadata", "rfc9728"))]
    #[doc(alias("well_known", "resource_metadata"))]
    #[must_use]
    pub fn metadata(&self) -> MetadataService {
        self.begin_to_serve_metadata();
        MetadataService {
            server: self.clone(),
        }
    }
}

/// The service that [`ResourceServer::metadata`] makes. With the feature `axum` it becomes a
/// `Router` of the documents' paths.
#[doc(alias("oauth-protected-resource", "protected_resource_metadata", "rfc9728"))]
#[derive(Clone)]
pub struct MetadataService {
    server: ResourceServer,
}

impl MetadataService {
    /// The paths of the documents, none of which ends with a slash.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let documents = self.server.metadata_documents();
        documents.map(|document| &*document.path)
    }

    /// The document at this path, with a slash at the end or without.
    fn document(&self, path: &str) -> Option<&MetadataDocument> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let mut documents = self.server.metadata_documents();
        documents.find(|document| *document.path == *path)
    }

    fn answer<B>(&self, request: &Request<B>) -> Response<String> {
        let document = self.document(request.uri().path());
        let Some(document) = document.and_then(ServedDocument::of) else {
            return empty(StatusCode::NOT_FOUND);
        };
        let document = &document;
        match *request.method() {
            Method::GET | Method::HEAD if is_known(request.headers(), document) => {
                let mut response = empty(StatusCode::NOT_MODIFIED);
                add_validators(response.headers_mut(), document);
                response
            }
            Method::GET => {
                let mut response = head(document);
                (*document.text.json).clone_into(response.body_mut());
                response
            }
            Method::HEAD => head(document),
            Method::OPTIONS => preflight(),
            _ => {
                let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
                response.headers_mut().insert(ALLOW, METHODS);
                response
            }
        }
    }
}

/// A document with its text now.
struct ServedDocument<'d> {
    cache_control: &'d HeaderValue,
    text: Arc<DocumentText>,
}

impl<'d> ServedDocument<'d> {
    fn of(document: &'d MetadataDocument) -> Option<Self> {
        Some(Self {
            cache_control: &document.cache_control,
            text: document.text()?,
        })
    }
}

/// The response without its body.
fn head(document: &ServedDocument<'_>) -> Response<String> {
    let mut response = empty(StatusCode::OK);
    let headers = response.headers_mut();
    let json = HeaderValue::from_static("application/json");
    headers.insert(CONTENT_TYPE, json);
    headers.insert(CONTENT_LENGTH, document.text.json.len().into());
    add_validators(headers, document);
    response
}

fn preflight() -> Response<String> {
    let mut response = empty(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    headers.insert(ALLOW, METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    // Clients send fields of their own protocols, such as `MCP-Protocol-Version`.
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}

fn empty(status: StatusCode) -> Response<String> {
    let mut response = Response::new(String::new());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

fn add_validators(headers: &mut HeaderMap, document: &ServedDocument<'_>) {
    headers.insert(CACHE_CONTROL, document.cache_control.clone());
    headers.insert(ETAG, document.text.etag.clone());
}

/// Whether the client has this document (RFC 9110 section 13.1.2): the comparison is weak.
fn is_known(headers: &HeaderMap, document: &ServedDocument<'_>) -> bool {
    let tag = document.text.etag.as_bytes();
    let fields = headers.get_all(IF_NONE_MATCH).iter();
    let mut tags = fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b','));
    tags.any(|one| {
        let one = one.trim_ascii();
        one == b"*" || one.strip_prefix(b"W/").unwrap_or(one) == tag
    })
}

impl fmt::Debug for MetadataService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetadataService ")?;
        f.debug_list().entries(self.paths()).finish()
    }
}

impl<B> Service<Request<B>> for MetadataService {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.answer(&request)))
    }
}

/// The route of a path. axum takes no segment that begins with a colon or an asterisk: a capture stands
/// for it, and the service compares the path.
#[cfg(feature = "axum")]
fn route_of(path: &str) -> String {
    let segments = path.split('/').enumerate();
    let routed = segments.map(|(place, segment)| {
        if segment.starts_with([':', '*']) {
            format!("{{segment_{place}}}")
        } else {
            segment.to_owned()
        }
    });
    routed.collect::<Vec<_>>().join("/")
}

/// A router of the documents' paths, each with a slash at the end too.
#[cfg(feature = "axum")]
impl<S: Clone + Send + Sync + 'static> From<MetadataService> for axum::Router<S> {
    fn from(service: MetadataService) -> Self {
        let documents = service.paths().map(route_of);
        // The slash at the end of one may be the path of another.
        let mut routes: Vec<String> = documents
            .flat_map(|route| [format!("{route}/"), route])
            .collect();
        routes.sort_unstable();
        routes.dedup();
        routes.into_iter().fold(Self::new(), |router, route| {
            router.route_service(&route, service.clone())
        })
    }
}
