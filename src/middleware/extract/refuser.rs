//! The extractor of the application's own refusals.

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::middleware::authenticate::refuser::Refuser;
use crate::middleware::response::refusal::Refusal;
use crate::verify::request::request_parts::RequestParts;

impl<S: Sync> FromRequestParts<S> for Refuser {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        Self::of_parts(RequestParts::from(&*parts))
    }
}
