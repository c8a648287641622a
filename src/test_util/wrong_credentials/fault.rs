//! What the check found.

use std::fmt;

/// The credentials that are let in where a route demands no scope.
const SCOPE_NAMES: [&str; 4] = [
    "scope_missing",
    "wrong_scope",
    "scope_longer_word",
    "scope_in_other_case",
];

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

    /// Whether the request is let in with nothing, and with what no layer lets in.
    fn is_uncovered(&self, request: &str) -> bool {
        let lets_in = |name| {
            let mut faults = self.0.iter();
            faults.any(|fault| fault.is_open && fault.name == name && fault.request == request)
        };
        lets_in("no_token") && lets_in("unknown_token")
    }
}

impl fmt::Display for WrongCredentialsFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "credentials are not answered as documented:")?;
        let (mut summed, mut has_scope_fault) = (Vec::new(), false);
        for fault in &self.0 {
            if !self.is_uncovered(&fault.request) {
                has_scope_fault |= fault.is_open && SCOPE_NAMES.contains(&fault.name);
                write!(f, "\n  {fault}")?;
            } else if !summed.contains(&&fault.request) {
                summed.push(&fault.request);
                let of_this = self.0.iter().filter(|other| other.request == fault.request);
                write!(
                    f,
                    "\n  {}: a request without a token and {} wrong credentials are let in: no layer covers this route",
                    fault.request,
                    of_this.count().saturating_sub(1)
                )?;
            }
        }
        if has_scope_fault {
            write!(
                f,
                "\nA route that demands no scope needs a check of its own, with `without_scope()`"
            )?;
        }
        Ok(())
    }
}

/// As `Display`, so that `unwrap()` in a test shows one fault in each line, and one line for a route that no
/// layer covers.
impl fmt::Debug for WrongCredentialsFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for WrongCredentialsFaults {}
