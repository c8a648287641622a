//! What became of a token that only its issuer can judge.

use std::sync::Arc;

use crate::model::error::token_error::TokenError;
use crate::runtime::cache::token_cache::Cached;
use crate::server::decide::verified_request::VerifiedRequest;

/// What became of a token that only its issuer can judge. It is about one token, and never of an
/// outage.
#[derive(Clone)]
pub(crate) enum IntrospectionVerdict {
    Active(Arc<Cached<VerifiedRequest>>),
    /// The issuer does not call it good, or our rules do not.
    Refused(TokenError),
}
