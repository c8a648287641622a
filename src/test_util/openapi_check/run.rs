//! The run of the check.

#![allow(clippy::expect_used)] // Test tooling: a panic is the report.

use std::fmt;

use axum::body::Body;
use http::{Request, Response};
use tower_service::Service;

use crate::test_util::openapi_check::document::Access;
use crate::test_util::openapi_check::fault::{OpenApiFault, OpenApiFaults};
use crate::test_util::openapi_check::judge::{Answer, judge};
use crate::test_util::openapi_check::request::Call;
use crate::test_util::openapi_check::settings::OpenApiCheck;

impl OpenApiCheck {
    /// Calls the application, an `axum::Router` or another service. Returns how many operations were
    /// called.
    ///
    /// # Errors
    ///
    /// All faults.
    ///
    /// # Panics
    ///
    /// When a token is not set, when the service itself fails, or when no request can be made of an
    /// operation.
    pub async fn run<S, A>(&self, app: S) -> Result<usize, OpenApiFaults>
    where
        S: Service<Request<Body>, Response = Response<A>> + Clone,
        S::Error: fmt::Debug,
    {
        let mut faults = Vec::new();
        let mut called = 0;
        for operation in self.document.operations() {
            let name = (operation.method.clone(), operation.path.to_owned());
            if self.skipped.contains(&name) {
                continue;
            }
            called += 1;
            for call in [Call::WithoutToken, Call::WithoutScope, Call::Good] {
                let access = match self.document.access(&operation) {
                    _ if self.public.contains(&name) => Access::Public,
                    access => access,
                };
                if must_succeed(call, &access) && self.refusals_only.contains(&name) {
                    continue;
                }
                let request = self.request(&operation, call);
                let mut app = app.clone();
                std::future::poll_fn(|context| app.poll_ready(context))
                    .await
                    .expect("the application is ready");
                let response = app.call(request).await.expect("the application answers");
                let (head, _) = response.into_parts();
                let answer = Answer {
                    status: head.status,
                    headers: head.headers,
                };
                let fault = judge(&operation, &access, call, &answer);
                faults.extend(fault);
                // What is said of an undeclared operation is said once.
                if matches!(access, Access::Undeclared) {
                    break;
                }
            }
        }
        faults.sort_by_key(|fault: &OpenApiFault| !fault.is_open());
        if faults.is_empty() {
            Ok(called)
        } else {
            Err(OpenApiFaults(faults))
        }
    }
}

/// Whether the document states that this call is not refused.
fn must_succeed(call: Call, access: &Access) -> bool {
    match (call, access) {
        (Call::Good, _) | (_, Access::Public) => true,
        (Call::WithoutScope, Access::Guarded(sets)) => sets.iter().any(Vec::is_empty),
        _ => false,
    }
}
