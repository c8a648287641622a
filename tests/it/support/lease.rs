//! Leases of requests to a server, without a handler of their own.

use std::convert::Infallible;

use http::{Request, Response};
use portcullis::ResourceServer;
use portcullis::lease::Lease;
use tower::{Layer as _, ServiceExt as _};

/// The lease of this request, unless it was refused.
pub(crate) async fn lease_of(server: &ResourceServer, request: Request<()>) -> Option<Lease> {
    let service = tower::service_fn(async |request: Request<()>| {
        let lease = Lease::of(&request).ok();
        Ok::<_, Infallible>(Response::new(lease.map(Some)))
    });
    let response = server.authenticate().layer(service).oneshot(request).await;
    response.expect("never fails").into_body().flatten()
}

/// The lease of a request with this token, unless it was refused.
pub(crate) async fn lease_by(server: &ResourceServer, token: &str) -> Option<Lease> {
    let request = Request::get("/").header("authorization", format!("Bearer {token}"));
    lease_of(server, request.body(()).expect("a request")).await
}
