//! From the layer's entry to an extractor.

use axum::response::IntoResponse;
use http::request::Parts;

use crate::middleware::authenticate::context::AuthContext;
use crate::middleware::response::refusal::Refusal;

impl IntoResponse for Refusal {
    fn into_response(self) -> axum::response::Response {
        self.to_rendered_response()
    }
}

/// Extractors whose value depends on the layer's entry and the request's head alone.
pub(super) trait FromAuthContext: Sized {
    fn from_admitted(admitted: &AuthContext, parts: &Parts) -> Result<Self, Refusal>;
}

/// `Option<T>` of an extractor: `None` under an optional layer, when nothing was sent.
macro_rules! option {
    ($name:ty) => {
        $crate::middleware::extract::admission::option!(
            $name,
            $crate::middleware::authenticate::context::AuthContext::check_wiring
        );
    };
    ($name:ty, $wiring:path $(, $($generics:tt)+)?) => {
        impl<S: Send + Sync $(, $($generics)+)?> axum::extract::OptionalFromRequestParts<S>
            for $name
        {
            type Rejection = $crate::error::Refusal;

            async fn from_request_parts(
                parts: &mut http::request::Parts,
                state: &S,
            ) -> Result<Option<Self>, $crate::error::Refusal> {
                let admitted = $crate::middleware::authenticate::context::AuthContext::of(&parts.extensions)?;
                $wiring(admitted).map_err(|refusal| refusal.for_request((&*parts).into()))?;
                if admitted.nothing_sent() {
                    return Ok(None);
                }
                <Self as axum::extract::FromRequestParts<S>>::from_request_parts(parts, state)
                    .await
                    .map(Some)
            }
        }
    };
}
pub(super) use option;

/// Implements axum's two traits by [`FromAuthContext`].
macro_rules! extractor {
    ($name:ty $(, $($generics:tt)+)?) => {
        impl<S: Sync $(, $($generics)+)?> axum::extract::FromRequestParts<S> for $name {
            type Rejection = $crate::error::Refusal;

            async fn from_request_parts(
                parts: &mut http::request::Parts,
                _: &S,
            ) -> Result<Self, $crate::error::Refusal> {
                let admitted = $crate::middleware::authenticate::context::AuthContext::of(&parts.extensions)?;
                <Self as $crate::middleware::extract::admission::FromAuthContext>::from_admitted(admitted, parts)
                    .map_err(|refusal| refusal.for_request((&*parts).into()))
            }
        }

        impl<S: Sync $(, $($generics)+)?> axum::extract::OptionalFromRequestParts<S> for $name {
            type Rejection = $crate::error::Refusal;

            async fn from_request_parts(
                parts: &mut http::request::Parts,
                _: &S,
            ) -> Result<Option<Self>, $crate::error::Refusal> {
                let admitted = $crate::middleware::authenticate::context::AuthContext::of(&parts.extensions)?;
                if admitted.nothing_sent() {
                    return Ok(None);
                }
                <Self as $crate::middleware::extract::admission::FromAuthContext>::from_admitted(admitted, parts)
                    .map(Some)
                    .map_err(|refusal| refusal.for_request((&*parts).into()))
            }
        }
    };
}
pub(super) use extractor;
