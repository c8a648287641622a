//! The extractor of the lease on the request.

use http::request::Parts;

use crate::middleware::authenticate::context::AuthContext;
use crate::middleware::extract::macros::{FromAuthContext, extractor};
use crate::middleware::lease::handle::Lease;
use crate::middleware::response::refusal::Refusal;

impl FromAuthContext for Lease {
    fn from_admitted(admitted: &AuthContext, parts: &Parts) -> Result<Self, Refusal> {
        Self::of_context(admitted, &parts.extensions)
    }
}

extractor!(Lease);
