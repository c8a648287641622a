//! A row of the table: a wrong credential by name.

use axum::body::Body;
use http::Request;

use crate::test_util::wrong_credentials::expected::Expected;
use crate::test_util::wrong_credentials::sample::Sample;

/// A wrong credential, and its documented answer.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) expected: Expected,
    /// `None` where the good token has nothing to change here.
    pub(super) steps: fn(&Sample<'_>) -> Option<Vec<Step>>,
}

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

/// A row.
pub(super) const fn row(
    name: &'static str,
    expected: Expected,
    steps: fn(&Sample<'_>) -> Option<Vec<Step>>,
) -> Row {
    Row {
        name,
        expected,
        steps,
    }
}
