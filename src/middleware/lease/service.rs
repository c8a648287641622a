//! The setting that ends the bodies of a layer's responses with their tokens.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Method, Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::middleware::authenticate::layer::AuthenticateLayer;
use crate::middleware::authenticate::service::Authenticate;
use crate::middleware::lease::body::LeasedBody;
use crate::middleware::lease::cell::LeaseCell;
use crate::middleware::response::grpc::ResponseProtocol;

/// The bodies of responses end with their tokens: an [`AuthenticateLayer`] with
/// [`end_streams`](AuthenticateLayer::end_streams).
#[derive(Clone, Copy, Debug)]
pub struct EndStreams(());

impl<M, E> AuthenticateLayer<M, E> {
    /// Ends the body of every response when the token of its request expires or is revoked, or the key
    /// that verified it is removed: Server-Sent Events, gRPC streams, answers of an MCP server,
    /// downloads, over HTTP/1.1 and HTTP/2. See [`LeasedBody`] for what the client sees.
    ///
    /// **A WebSocket or another upgraded connection is no body**: it ends only by
    /// [`Lease::web_socket`](crate::lease::Lease) or [`Lease::io`](crate::lease::Lease::io). One that is
    /// answered without a lease is a warning in the log, once a minute.
    ///
    /// A body that is complete with its first frame takes no [lease](crate::lease::Lease). The type of
    /// the body becomes [`LeasedBody`], which axum takes as it is. Default: a body lasts as long as the
    /// handler writes it.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use portcullis::{AccessToken, Issuer, ResourceServer};
    ///
    /// let server = ResourceServer::builder("https://api.example.com")
    ///     .issuer(Issuer::oidc("https://id.example.com"))
    ///     .build()?;
    /// let app: Router = Router::new()
    ///     .route("/events", get(|_: AccessToken| async { "a stream, say" }))
    ///     .route_layer(server.authenticate().end_streams());
    /// # let _ = app;
    /// # Ok::<(), portcullis::ConfigError>(())
    /// ```
    #[doc(alias("sse", "server_sent_events", "streaming", "long_lived"))]
    pub fn end_streams(self) -> AuthenticateLayer<M, EndStreams> {
        self.treat_streams()
    }
}

impl<S, M> Layer<S> for AuthenticateLayer<M, EndStreams> {
    type Service = Authenticate<LeasedService<S>, M>;

    fn layer(&self, inner: S) -> Self::Service {
        Authenticate::new(LeasedService { inner }, self.policy())
    }
}

/// A service whose responses have bodies that end with the token of the request.
#[derive(Clone, Debug)]
#[must_use]
pub struct LeasedService<S> {
    inner: S,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for LeasedService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = Response<LeasedBody<ResBody>>;
    type Error = S::Error;
    type Future = LeasedResponse<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let cell = LeaseCell::of(request.extensions());
        if let Some(cell) = &cell {
            request.extensions_mut().insert(cell.clone());
        }
        // RFC 8441, RFC 9220: a request that is answered 200 and goes on as another protocol.
        let is_connect = request.method() == Method::CONNECT;
        LeasedResponse {
            response: self.inner.call(request),
            cell,
            is_connect,
        }
    }
}

pin_project! {
    /// The future of [`LeasedService`].
    pub struct LeasedResponse<F> {
        #[pin]
        response: F,
        cell: Option<LeaseCell>,
        is_connect: bool,
    }
}

impl<F, B, E> Future for LeasedResponse<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<LeasedBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.response.poll(context))?;
        let cell = this.cell.take();
        let is_upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS
            || (*this.is_connect && response.status().is_success());
        if let Some(cell) = cell.as_ref().filter(|cell| is_upgraded && !cell.is_open()) {
            cell.report_unleased();
        }
        let protocol = ResponseProtocol::of(response.headers());
        Poll::Ready(Ok(
            response.map(|body| LeasedBody::under(body, cell, protocol))
        ))
    }
}

impl<F> fmt::Debug for LeasedResponse<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeasedResponse").finish_non_exhaustive()
    }
}
