//! Extractors for axum: what the layer found, as arguments of handlers.
//!
//! 1. An extractor reads the layer's entry and never takes or adds anything, so any number of
//!    them stand on one handler, in any order, in nested routers.
//! 2. Without a layer every one of them answers 500, `Option<T>` included.
//! 3. `Option<T>` is `None` only under an optional layer, when no `Authorization` field was
//!    sent. A refusal stays a refusal.

mod caller;
mod roles;
mod scoped;
mod token;
mod workspace;

pub use roles::{InGroup, InRole, RoleRequirement, assert_roles};
pub use scoped::Scoped;
pub use token::Claims;

use axum::response::IntoResponse;
use http::request::Parts;

use super::admitted::Admitted;
use super::refusal::Refusal;

impl IntoResponse for Refusal {
    fn into_response(self) -> axum::response::Response {
        self.to_response()
    }
}

/// Extractors whose value depends on the layer's entry and the request's head alone.
trait FromAdmitted: Sized {
    fn from_admitted(admitted: &Admitted, parts: &Parts) -> Result<Self, Refusal>;
}

/// Implements axum's two traits by [`FromAdmitted`].
macro_rules! extractor {
    ($name:ty $(, $($generics:tt)+)?) => {
        impl<S: Sync $(, $($generics)+)?> axum::extract::FromRequestParts<S> for $name {
            type Rejection = $crate::Refusal;

            async fn from_request_parts(
                parts: &mut http::request::Parts,
                _: &S,
            ) -> Result<Self, $crate::Refusal> {
                let admitted = $crate::middleware::admitted::Admitted::of(&parts.extensions)?;
                <Self as super::FromAdmitted>::from_admitted(admitted, parts)
            }
        }

        impl<S: Sync $(, $($generics)+)?> axum::extract::OptionalFromRequestParts<S> for $name {
            type Rejection = $crate::Refusal;

            async fn from_request_parts(
                parts: &mut http::request::Parts,
                _: &S,
            ) -> Result<Option<Self>, $crate::Refusal> {
                let admitted = $crate::middleware::admitted::Admitted::of(&parts.extensions)?;
                if admitted.nothing_sent() {
                    return Ok(None);
                }
                <Self as super::FromAdmitted>::from_admitted(admitted, parts).map(Some)
            }
        }
    };
}
use extractor;
