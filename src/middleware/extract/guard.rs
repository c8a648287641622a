//! What guards around an extractor have in common.

use crate::middleware::authenticate::context::AuthContext;
use crate::middleware::response::refusal::Refusal;

/// Declares a guard: `T`, for requests that a check lets through. What it checks of the layer's
/// wiring it checks for an `Option` of it too.
macro_rules! guard {
    ($(#[$meta:meta])* $name:ident, $requirement:ident, $wiring:path, $check:path) => {
        $(#[$meta])*
        #[must_use]
        pub struct $name<R, T = $crate::AccessToken> {
            value: T,
            requirement: std::marker::PhantomData<fn() -> R>,
        }

        impl<R, T> $name<R, T> {
            /// The value, without the guard around it.
            pub fn into_inner(self) -> T {
                self.value
            }

            const fn around(value: T) -> Self {
                Self {
                    value,
                    requirement: std::marker::PhantomData,
                }
            }
        }

        impl<R, T> std::ops::Deref for $name<R, T> {
            type Target = T;

            fn deref(&self) -> &T {
                &self.value
            }
        }

        impl<R, T: Clone> Clone for $name<R, T> {
            fn clone(&self) -> Self {
                Self::around(self.value.clone())
            }
        }

        impl<R, T: std::fmt::Debug> std::fmt::Debug for $name<R, T> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.value).finish()
            }
        }

        impl<S, R, T> axum::extract::FromRequestParts<S> for $name<R, T>
        where
            S: Send + Sync,
            R: $requirement,
            T: axum::extract::FromRequestParts<S>,
        {
            type Rejection = axum::response::Response;

            async fn from_request_parts(
                parts: &mut http::request::Parts,
                state: &S,
            ) -> Result<Self, axum::response::Response> {
                use axum::response::IntoResponse as _;
                let checked = $check(&mut parts.extensions).await;
                checked.map_err(|refusal| refusal.for_request((&*parts).into()).into_response())?;
                match T::from_request_parts(parts, state).await {
                    Ok(value) => Ok(Self::around(value)),
                    Err(rejection) => Err(rejection.into_response()),
                }
            }
        }

        impl<S, R, T> axum::extract::OptionalFromRequestParts<S> for $name<R, T>
        where
            S: Send + Sync,
            R: $requirement,
            T: axum::extract::FromRequestParts<S>,
        {
            type Rejection = axum::response::Response;

            async fn from_request_parts(
                parts: &mut http::request::Parts,
                state: &S,
            ) -> Result<Option<Self>, axum::response::Response> {
                use axum::response::IntoResponse as _;
                let admitted = $crate::middleware::authenticate::context::AuthContext::of(&parts.extensions)
                    .map_err(|refusal| refusal.into_response())?;
                $wiring(admitted)
                    .map_err(|refusal| refusal.for_request((&*parts).into()).into_response())?;
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
pub(super) use guard;

/// For guards that judge no tenant, and so need nothing of the layer's wiring.
#[allow(clippy::unnecessary_wraps)] // like the checks of other guards
pub(super) const fn no_wiring(_: &AuthContext) -> Result<(), Refusal> {
    Ok(())
}
