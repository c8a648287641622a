//! What became of a token that only its issuer can judge.

use std::sync::Arc;

use super::admission::Admission;
use crate::model::token_error::TokenError;
use crate::source::verified::Known;

/// What became of a token that only its issuer can judge. It is about one token, and never of an
/// outage.
#[derive(Clone)]
pub(crate) enum Verdict {
    Active(Arc<Known<Admission>>),
    /// The issuer does not call it good, or our rules do not.
    Refused(TokenError),
}
