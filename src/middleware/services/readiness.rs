//! A readiness probe that an application can expose.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use http::header::{CACHE_CONTROL, HeaderValue};
use http::{Request, Response, StatusCode};
use tower_service::Service;

use crate::server::resource_server::ResourceServer;

impl ResourceServer {
    /// A service that answers 200 when [`ready()`](Self::ready), else 503, with an empty body
    /// and without details. Mount it outside the authentication layer, in axum with
    /// `.route_service("/ready", server.readiness())`.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        Readiness {
            server: self.clone(),
        }
    }
}

/// The service that [`ResourceServer::readiness`] makes.
#[derive(Clone, Debug)]
pub struct Readiness {
    server: ResourceServer,
}

impl<B> Service<Request<B>> for Readiness {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        let mut response = Response::new(String::new());
        if !self.server.ready() {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        response
            .headers_mut()
            .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        ready(Ok(response))
    }
}
