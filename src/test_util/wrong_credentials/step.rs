//! The steps of a row.

use axum::body::Body;
use http::Request;

/// What is done for a row, in order. The answer to the last request is the row's; requests before it
/// must be accepted.
pub(super) enum Step {
    Send(Box<Request<Body>>),
    Do(Box<dyn FnOnce() + Send>),
}

impl Step {
    pub(super) fn send(request: Request<Body>) -> Self {
        Self::Send(Box::new(request))
    }
}
