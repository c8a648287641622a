//! What the check found.

use std::fmt;

/// A wrong credential that the application answers otherwise than documented.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WrongCredentialsFault {
    name: &'static str,
    request: String,
    problem: String,
    is_open: bool,
}

impl WrongCredentialsFault {
    pub(super) const fn new(
        name: &'static str,
        request: String,
        problem: String,
        is_open: bool,
    ) -> Self {
        Self {
            name,
            request,
            problem,
            is_open,
        }
    }

    /// The name of the credential, such as `expired`; `good_token` where the good one is refused.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Method and path of the request, such as `GET /missions`.
    #[must_use]
    pub fn request(&self) -> &str {
        &self.request
    }

    /// Whether the wrong credential was let in.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.is_open
    }
}

impl fmt::Display for WrongCredentialsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`: {}", self.request, self.name, self.problem)
    }
}

/// All faults that [`WrongCredentials::run`](super::WrongCredentials::run) found, at least one.
#[derive(Clone, PartialEq, Eq)]
pub struct WrongCredentialsFaults(pub(super) Vec<WrongCredentialsFault>);

impl WrongCredentialsFaults {
    /// The faults, those of credentials that were let in first.
    pub fn iter(&self) -> impl Iterator<Item = &WrongCredentialsFault> {
        self.0.iter()
    }
}

impl fmt::Display for WrongCredentialsFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "credentials are not answered as documented:")?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

/// As `Display`, so that `unwrap()` in a test shows one fault in each line.
impl fmt::Debug for WrongCredentialsFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for WrongCredentialsFaults {}
