//! What became of a token that only its issuer can judge.

use std::sync::Arc;

use crate::model::error::token_error::TokenError;
use crate::runtime::cache::token_cache::Known;
use crate::server::decide::verified_request::Admission;

/// What became of a token that only its issuer can judge. It is about one token, and never of an
/// outage.
#[derive(Clone)]
pub(crate) enum Verdict {
    Active(Arc<Known<Admission>>),
    /// The issuer does not call it good, or our rules do not.
    Refused(TokenError),
}
