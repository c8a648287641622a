//! A row of the table: a wrong credential by name.

use crate::test_util::wrong_credentials::expected::Expected;
use crate::test_util::wrong_credentials::sample::Sample;
use crate::test_util::wrong_credentials::step::Step;

/// A wrong credential, and its documented answer.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) expected: Expected,
    /// `None` where the good token has nothing to change here.
    pub(super) steps: fn(&Sample<'_>) -> Option<Vec<Step>>,
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
