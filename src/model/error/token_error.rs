//! What is wrong with a token, with the cause in detail where there is more to say.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::model::error::rejection::{Rejection, TokenFault};
use crate::model::error::rejection_detail::{HeldDetail, Problem, RejectionDetail};

/// A fault and, for operators, its cause: the claim, its problem, the setting that demands it.
///
/// Two words long, so that results stay small where nothing is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenError {
    Plain(TokenFault),
    /// With a detail that is the same for every request.
    Fixed(TokenFault, &'static RejectionDetail),
    /// With a detail. Shared, since a refusal that is remembered is copied for each request.
    Detailed(TokenFault, Arc<RejectionDetail>),
}

impl TokenError {
    #[cold]
    pub(crate) fn new(fault: TokenFault, detail: RejectionDetail) -> Self {
        Self::Detailed(fault, Arc::new(detail))
    }

    /// A claim or header parameter with this problem.
    #[cold]
    pub(crate) fn about(fault: TokenFault, claim: &'static str, problem: Problem) -> Self {
        Self::new(
            fault,
            RejectionDetail::new()
                .with_claim(claim)
                .with_problem(problem),
        )
    }

    /// The same under another fault.
    pub(crate) fn with_fault(mut self, fault: TokenFault) -> Self {
        let (Self::Plain(held) | Self::Fixed(held, _) | Self::Detailed(held, _)) = &mut self;
        *held = fault;
        self
    }

    /// Adds the setting that makes the demand.
    pub(crate) fn by_setting(self, setting: &'static str) -> Self {
        self.map(|detail| detail.with_setting(setting))
    }

    /// Adds what the configuration or a specification demands.
    pub(crate) fn expecting(self, expected: impl Into<Cow<'static, str>>) -> Self {
        self.map(|detail| detail.with_expected(expected))
    }

    fn map(self, change: impl FnOnce(RejectionDetail) -> RejectionDetail) -> Self {
        let (fault, detail) = match self {
            Self::Plain(fault) => (fault, RejectionDetail::new()),
            Self::Fixed(fault, detail) => (fault, detail.clone()),
            Self::Detailed(fault, detail) => (fault, Arc::unwrap_or_clone(detail)),
        };
        Self::new(fault, change(detail))
    }
}

impl From<TokenFault> for TokenError {
    fn from(fault: TokenFault) -> Self {
        Self::Plain(fault)
    }
}

/// The fault without its detail, for logout tokens.
impl From<TokenError> for TokenFault {
    fn from(error: TokenError) -> Self {
        let (TokenError::Plain(fault)
        | TokenError::Fixed(fault, _)
        | TokenError::Detailed(fault, _)) = error;
        fault
    }
}

impl From<TokenError> for Rejection {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Plain(fault) => fault.into(),
            TokenError::Fixed(fault, detail) => Self::from(fault).with_fixed_detail(detail),
            TokenError::Detailed(fault, detail) => {
                Self::from(fault).with_held_detail(HeldDetail::Shared(detail))
            }
        }
    }
}

/// The fault's sentence.
impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Plain(fault) | Self::Fixed(fault, _) | Self::Detailed(fault, _)) = self;
        fault.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_error_is_small_and_becomes_a_rejection_with_its_detail() {
        assert!(size_of::<TokenError>() <= 2 * size_of::<usize>());
        let error = TokenError::about(TokenFault::Claims, "sub", Problem::Missing)
            .by_setting("rfc9068")
            .expecting("string");
        let rejection = Rejection::from(error);
        let detail = rejection.detail().map(ToString::to_string);
        assert_eq!(
            detail.as_deref(),
            Some("claim=sub problem=missing setting=rfc9068 expected=string")
        );
        assert!(
            Rejection::from(TokenError::from(TokenFault::Expired))
                .detail()
                .is_none()
        );
    }
}
