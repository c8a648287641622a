//! What became of a token that only its issuer can judge.

use crate::model::error::token_error::TokenError;
use crate::server::decide::verified_request::SharedRequest;

/// What became of a token that only its issuer can judge. It is about one token, and never of an
/// outage.
#[derive(Clone)]
pub(crate) enum IntrospectionVerdict {
    Active(SharedRequest),
    /// The issuer does not call it good, or our rules do not.
    Refused(TokenError),
}
