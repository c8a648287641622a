//! The detail of a refusal, for operators: the claim, its problem, and the setting that expects
//! another value.
//!
//! 1. A detail is for logs and for the program; no response to a client contains it.
//! 2. It names claims, settings and configured values. Of a token it holds the type of a value
//!    and, where the documentation says so, scopes and roles; never another claim's value.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// The cause of a refusal in detail, for operators; see
/// [`Rejection::detail`](crate::error::Rejection::detail).
///
/// `Display` writes what is there as `claim=sub problem=missing setting=subject_claim`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RejectionDetail {
    claim: Option<Cow<'static, str>>,
    problem: Option<Problem>,
    setting: Option<&'static str>,
    expected: Option<Cow<'static, str>>,
    found: Option<Cow<'static, str>>,
}

/// A detail as a refusal holds it: one that is the same for every request takes no memory.
#[derive(Clone, Debug)]
pub(super) enum HeldDetail {
    Fixed(&'static RejectionDetail),
    /// Shared, since a refusal that is remembered is copied for each request.
    Shared(Arc<RejectionDetail>),
}

impl Deref for HeldDetail {
    type Target = RejectionDetail;

    fn deref(&self) -> &RejectionDetail {
        match self {
            Self::Fixed(detail) => detail,
            Self::Shared(detail) => detail,
        }
    }
}

impl PartialEq for HeldDetail {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for HeldDetail {}

#[cfg_attr(not(feature = "axum"), allow(dead_code))]
impl RejectionDetail {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A detail that is the same for every request.
    pub(crate) const fn fixed(
        problem: Problem,
        expected: &'static str,
        found: Option<&'static str>,
    ) -> Self {
        Self {
            claim: None,
            problem: Some(problem),
            setting: None,
            expected: Some(Cow::Borrowed(expected)),
            found: match found {
                Some(found) => Some(Cow::Borrowed(found)),
                None => None,
            },
        }
    }

    /// Names the claim or header parameter, by the configured path or by a fixed name.
    pub(crate) fn with_claim(mut self, claim: impl Into<Cow<'static, str>>) -> Self {
        self.claim = Some(claim.into());
        self
    }

    pub(crate) fn with_problem(mut self, problem: Problem) -> Self {
        self.problem = Some(problem);
        self
    }

    /// Names the setting of this library that requires it.
    pub(crate) fn with_setting(mut self, setting: &'static str) -> Self {
        self.setting = Some(setting);
        self
    }

    /// The value that the configuration requires. Never made of a request's bytes.
    pub(crate) fn with_expected(mut self, expected: impl Into<Cow<'static, str>>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// What was found: a type, or text that was bounded and escaped.
    pub(crate) fn with_found(mut self, found: impl Into<Cow<'static, str>>) -> Self {
        self.found = Some(found.into());
        self
    }

    /// The claim or header parameter at fault: a name of a specification, or a configured path.
    #[must_use]
    pub fn claim(&self) -> Option<&str> {
        self.claim.as_deref()
    }

    /// What is wrong with it.
    #[must_use]
    pub const fn problem(&self) -> Option<Problem> {
        self.problem
    }

    /// The setting of this library that requires it, by the name of its method.
    #[must_use]
    pub const fn setting(&self) -> Option<&'static str> {
        self.setting
    }

    /// The value that the configuration requires.
    #[must_use]
    pub fn expected(&self) -> Option<&str> {
        self.expected.as_deref()
    }

    /// What was found instead: the JSON type of a value, or bounded and escaped text where the
    /// kind of refusal documents it.
    #[must_use]
    pub fn found(&self) -> Option<&str> {
        self.found.as_deref()
    }
}

impl fmt::Display for RejectionDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = [
            ("claim", self.claim()),
            ("problem", self.problem.map(Problem::as_str)),
            ("setting", self.setting),
            ("expected", self.expected()),
            ("found", self.found()),
        ];
        let mut separator = "";
        for (name, value) in fields {
            if let Some(value) = value {
                write!(f, "{separator}{name}={value}")?;
                separator = " ";
            }
        }
        Ok(())
    }
}

/// What is wrong with a claim, a header parameter or another piece of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Problem {
    /// It is not there.
    Missing,
    /// It is there and is an empty text or an empty list.
    Empty,
    /// It is there with another JSON type.
    WrongType,
    /// It is longer than the limit that its documentation states.
    TooLong,
    /// It has the right type and not the right form.
    Malformed,
    /// It is another value than the one that the configuration requires.
    Differs,
    /// It marks another kind of token than an access token.
    WrongKind,
    /// It contradicts another claim.
    Contradicts,
}

impl Problem {
    /// A stable name, fit for a metric's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Empty => "empty",
            Self::WrongType => "wrong_type",
            Self::TooLong => "too_long",
            Self::Malformed => "malformed",
            Self::Differs => "differs",
            Self::WrongKind => "wrong_kind",
            Self::Contradicts => "contradicts",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detail_display_names_what_is_there_and_nothing_else() {
        assert_eq!(RejectionDetail::new().to_string(), "");
        let detail = RejectionDetail::new()
            .with_claim("sub")
            .with_problem(Problem::WrongType)
            .with_setting("subject_claim")
            .with_expected("string")
            .with_found("number");
        assert_eq!(
            detail.to_string(),
            "claim=sub problem=wrong_type setting=subject_claim expected=string found=number"
        );
    }
}
