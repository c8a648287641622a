//! What the check found.

use std::fmt;

/// An operation that answers otherwise than its document states.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenApiFault {
    method: String,
    path: String,
    problem: String,
    is_open: bool,
}

impl OpenApiFault {
    pub(super) fn new(method: &str, path: &str, problem: String) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            problem,
            is_open: false,
        }
    }

    pub(super) fn open(self) -> Self {
        Self {
            is_open: true,
            ..self
        }
    }

    /// The method, such as `GET`.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path, as the document has it.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the operation answers callers that it must refuse: without a token, or without a scope
    /// that the document demands.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.is_open
    }
}

impl fmt::Display for OpenApiFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.method, self.path, self.problem)
    }
}

/// All faults that [`OpenApiCheck::run`](super::OpenApiCheck::run) found, at least one.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenApiFaults(pub(super) Vec<OpenApiFault>);

impl OpenApiFaults {
    /// The faults, those of open operations first.
    pub fn iter(&self) -> impl Iterator<Item = &OpenApiFault> {
        self.0.iter()
    }
}

impl fmt::Display for OpenApiFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the application and its OpenAPI document differ:")?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

/// As `Display`, so that `unwrap()` in a test shows one fault in each line.
impl fmt::Debug for OpenApiFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for OpenApiFaults {}
