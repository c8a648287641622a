//! The bodies of refusals.
//!
//! 1. A renderer supplies a media type and bytes. Status, challenge, `Retry-After` and
//!    `Cache-Control` are never its business, so none of them can be forgotten.
//! 2. Without a renderer a body is empty, and need only have a default.
//! 3. Whether bodies are rendered is part of a layer's type, which renderer it is is not: a
//!    service over any body type compiles without one, and two renderers make one type.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

use crate::model::error::rejection::Rejection;
use crate::verify::request::request_parts::RequestParts;

/// Makes the bodies of refusals; given to a layer by
/// [`AuthenticateLayer::renderer`](crate::AuthenticateLayer::renderer).
///
/// What it writes is sent to strangers. [`RejectionKind::as_str`](crate::RejectionKind::as_str)
/// is fit for them; the fault, `Display` and [`Rejection::issuer`] are for the operator.
///
/// A closure of the shape of [`render`](Self::render) is a renderer too.
///
/// ```
/// use http::{HeaderValue, Request, Response, StatusCode};
/// use http_body_util::{BodyExt, Full};
/// use portcullis::error::Rejection;
/// use portcullis::layer::RefusalBody;
/// use portcullis::ResourceServer;
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// let issuer = portcullis::test_util::MockIssuer::new();
/// let server = ResourceServer::builder("https://api.example.com")
///     .issuer(issuer.trusted())
///     .build()?;
/// let layer = server.authenticate().renderer(|rejection: &Rejection, _: StatusCode| {
///     RefusalBody::new(HeaderValue::from_static("text/plain"), rejection.kind().as_str())
/// });
/// let service = layer.layer(service_fn(|_: Request<()>| async {
///     Ok::<_, std::convert::Infallible>(Response::new(Full::<bytes::Bytes>::from("hello")))
/// }));
///
/// let refused = service.clone().oneshot(Request::new(())).await?;
/// assert_eq!(refused.headers()["content-type"], "text/plain");
/// assert_eq!(refused.into_body().collect().await?.to_bytes(), "missing_token");
///
/// let token = issuer.token().audience("https://api.example.com").bearer();
/// let request = Request::get("/").header("authorization", token).body(())?;
/// assert_eq!(service.oneshot(request).await?.into_body().collect().await?.to_bytes(), "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub trait Renderer: Send + Sync + 'static {
    /// The body for this refusal, which is answered with this status.
    fn render(&self, rejection: &Rejection, status: StatusCode) -> RefusalBody;

    /// The same for a renderer that looks at the request, for its `Accept`, say. Called in place of
    /// [`render`](Self::render) wherever the request is at hand: in layers, in extractors and for
    /// a [`Refuser`](crate::extract::Refuser). A service that finds a refusal by
    /// [`AccessToken::of`](crate::AccessToken::of) or [`Identity::of`](crate::Identity::of) shows
    /// no request, and then `render` is called. Default: `render`, without a look at the request.
    ///
    /// ```
    /// use http::{HeaderValue, StatusCode};
    /// use portcullis::error::Rejection;
    /// use portcullis::layer::{ProblemJson, RefusalBody, RefusedRequest, Renderer};
    ///
    /// struct HtmlOrJson;
    ///
    /// impl Renderer for HtmlOrJson {
    ///     fn render(&self, rejection: &Rejection, status: StatusCode) -> RefusalBody {
    ///         ProblemJson.render(rejection, status)
    ///     }
    ///
    ///     fn render_for(&self, request: &RefusedRequest<'_>, rejection: &Rejection, status: StatusCode) -> RefusalBody {
    ///         let accept = request.headers().get("accept");
    ///         if accept.is_some_and(|types| types.as_bytes().starts_with(b"text/html")) {
    ///             let html = HeaderValue::from_static("text/html; charset=utf-8");
    ///             return RefusalBody::new(html, format!("<h1>{status}</h1>"));
    ///         }
    ///         self.render(rejection, status)
    ///     }
    /// }
    /// # let _ = HtmlOrJson;
    /// ```
    fn render_for(
        &self,
        request: &RefusedRequest<'_>,
        rejection: &Rejection,
        status: StatusCode,
    ) -> RefusalBody {
        let _ = request;
        self.render(rejection, status)
    }
}

/// The head of a refused request, as a [`Renderer`] sees it.
///
/// The header fields hold the credential, and a path or query may hold secrets of the application:
/// do not write them into a body or a log as they stand.
#[derive(Clone, Copy)]
pub struct RefusedRequest<'r> {
    method: &'r Method,
    uri: &'r Uri,
    headers: &'r HeaderMap,
}

impl<'r> RefusedRequest<'r> {
    pub(in crate::middleware) const fn new(
        method: &'r Method,
        uri: &'r Uri,
        headers: &'r HeaderMap,
    ) -> Self {
        Self {
            method,
            uri,
            headers,
        }
    }

    pub(in crate::middleware) const fn of(request: RequestParts<'r>) -> Self {
        Self::new(request.method, request.uri, request.headers)
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> &'r Method {
        self.method
    }

    /// The URI as the layer or the handler sees it: inside `axum::Router::nest` without the prefix.
    #[must_use]
    pub const fn uri(&self) -> &'r Uri {
        self.uri
    }

    /// The header fields, the credential included.
    #[must_use]
    pub const fn headers(&self) -> &'r HeaderMap {
        self.headers
    }
}

impl fmt::Debug for RefusedRequest<'_> {
    /// The method alone, since the rest may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefusedRequest")
            .field("method", self.method)
            .finish_non_exhaustive()
    }
}

impl<F> Renderer for F
where
    F: Fn(&Rejection, StatusCode) -> RefusalBody + Send + Sync + 'static,
{
    fn render(&self, rejection: &Rejection, status: StatusCode) -> RefusalBody {
        self(rejection, status)
    }
}

/// What a [`Renderer`] makes: the bytes of a body, and their media type.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct RefusalBody {
    media_type: HeaderValue,
    bytes: Bytes,
}

impl RefusalBody {
    /// A body of this media type, which becomes the `Content-Type`.
    pub fn new(media_type: HeaderValue, bytes: impl Into<Bytes>) -> Self {
        Self {
            media_type,
            bytes: bytes.into(),
        }
    }

    /// The media type.
    #[must_use]
    pub const fn media_type(&self) -> &HeaderValue {
        &self.media_type
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(in crate::middleware) fn into_parts(self) -> (HeaderValue, Bytes) {
        (self.media_type, self.bytes)
    }
}

/// Problem details (RFC 9457), as `application/problem+json`.
///
/// The members are `type` (`about:blank`), `title` (the status's reason phrase), `status`, and
/// the extension `kind`: the name that [`RejectionKind::as_str`](crate::RejectionKind::as_str)
/// has for the kind. Nothing tells one bad token from another.
///
/// ```
/// use http::StatusCode;
/// use portcullis::error::Rejection;
/// use portcullis::layer::{ProblemJson, Renderer};
/// use portcullis::RejectionKind;
///
/// let body = ProblemJson.render(&Rejection::from(RejectionKind::NoTenant), StatusCode::FORBIDDEN);
/// assert_eq!(body.media_type(), "application/problem+json");
/// assert_eq!(
///     body.bytes(),
///     r#"{"type":"about:blank","title":"Forbidden","status":403,"kind":"no_tenant"}"#
/// );
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ProblemJson;

impl Renderer for ProblemJson {
    fn render(&self, rejection: &Rejection, status: StatusCode) -> RefusalBody {
        // INVARIANT: reason phrases and the names of kinds are static text of letters, spaces,
        // `_`, `-` and `'`, which a JSON string holds as they stand.
        let text = format!(
            r#"{{"type":"about:blank","title":"{}","status":{},"kind":"{}"}}"#,
            status.canonical_reason().unwrap_or_default(),
            status.as_u16(),
            rejection.kind().as_str(),
        );
        RefusalBody::new(HeaderValue::from_static("application/problem+json"), text)
    }
}

/// How a layer makes the body of a refusal: [`EmptyBody`] or [`RenderedBody`]. Sealed.
#[diagnostic::on_unimplemented(
    message = "refusals cannot be answered with a body of type `{B}`",
    note = "a layer without a renderer needs `{B}: Default`, one with a renderer `{B}: From<bytes::Bytes>`"
)]
pub trait MakeBody<B>: sealed::Sealed {
    #[doc(hidden)]
    const RENDERED: bool;

    #[doc(hidden)]
    fn make(bytes: Bytes) -> B;
}

/// Refusals with an empty body, of any type that has a default. The default of the layers.
#[derive(Clone, Copy, Debug)]
pub struct EmptyBody;

/// Refusals with the body that the layer's [`Renderer`] makes, of any type that is made of
/// [`Bytes`], such as axum's and `http_body_util::Full`.
#[derive(Clone, Copy, Debug)]
pub struct RenderedBody;

impl<B: Default> MakeBody<B> for EmptyBody {
    const RENDERED: bool = false;

    fn make(_: Bytes) -> B {
        B::default()
    }
}

impl<B: From<Bytes>> MakeBody<B> for RenderedBody {
    const RENDERED: bool = true;

    fn make(bytes: Bytes) -> B {
        bytes.into()
    }
}

impl sealed::Sealed for EmptyBody {}
impl sealed::Sealed for RenderedBody {}

mod sealed {
    pub trait Sealed {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::error::rejection::{
        Outage, RejectionKind, RequestFault, TokenFault, WiringFault,
    };

    #[test]
    fn problem_details_are_json_for_every_kind_and_status_and_name_no_fault() {
        for kind in [
            RejectionKind::MissingToken,
            RejectionKind::InvalidRequest(RequestFault::NotAToken),
            RejectionKind::InvalidToken(TokenFault::Expired),
            RejectionKind::InsufficientScope,
            RejectionKind::InsufficientUserAuthentication,
            RejectionKind::WrongCaller,
            RejectionKind::WrongTenant,
            RejectionKind::NoTenant,
            RejectionKind::Unavailable(Outage::KeysNotLoaded),
            RejectionKind::NotAuthenticated,
            RejectionKind::Misconfigured(WiringFault::NoContext),
            RejectionKind::Forbidden,
        ] {
            for code in 100..1000 {
                let status = StatusCode::from_u16(code).expect("a status");
                let body = ProblemJson.render(&kind.into(), status);
                let value: serde_json::Value =
                    serde_json::from_slice(body.bytes()).expect("valid JSON");
                assert_eq!(value["status"], code);
                assert_eq!(value["kind"], kind.as_str());
                assert_eq!(value["type"], "about:blank");
                assert_eq!(
                    value["title"],
                    status.canonical_reason().unwrap_or_default()
                );
                assert_eq!(value.as_object().map(serde_json::Map::len), Some(4));
            }
        }
    }
}
