//! Macros that implement axum's extractor traits, for `T` and for `Option<T>`.

use axum::response::IntoResponse;
use http::request::Parts;

use crate::middleware::authenticate::context::AuthContext;
use crate::middleware::response::refusal::Refusal;

impl IntoResponse for Refusal {
    fn into_response(self) -> axum::response::Response {
        self.to_rendered_response()
    }
}

/// An extractor that reads the request head and the layer's [`AuthContext`] and does no I/O.
pub(super) trait FromAuthContext: Sized {
    fn from_admitted(admitted: &AuthContext, parts: &Parts) -> Result<Self, Refusal>;
}

/// Implements `Option<T>`: `None` under an optional layer for a request without a token.
macro_rules! option {
    ($name:ty) => {
        $crate::middleware::extract::macros::option!(
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

/// Implements `FromRequestParts` and `OptionalFromRequestParts` by [`FromAuthContext`].
macro_rules! extractor {
    ($name:ty $(, $($generics:tt)+)?) => {
        impl<S: Sync $(, $($generics)+)?> axum::extract::FromRequestParts<S> for $name {
            type Rejection = $crate::error::Refusal;

            async fn from_request_parts(
                parts: &mut http::request::Parts,
                _: &S,
            ) -> Result<Self, $crate::error::Refusal> {
                let admitted = $crate::middleware::authenticate::context::AuthContext::of(&parts.extensions)?;
                <Self as $crate::middleware::extract::macros::FromAuthContext>::from_admitted(admitted, parts)
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
                <Self as $crate::middleware::extract::macros::FromAuthContext>::from_admitted(admitted, parts)
                    .map(Some)
                    .map_err(|refusal| refusal.for_request((&*parts).into()))
            }
        }
    };
}
pub(super) use extractor;

/// Declares a guard type `Name<R, T>`: an extractor of `T` that runs `$check` first. `$wiring` is
/// checked for `Option<Name<R, T>>` too, before the token.
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
                let checked = $check(parts).await;
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

/// The wiring check of guards that judge no tenant: it accepts every layer.
#[allow(clippy::unnecessary_wraps)] // like the checks of other guards
pub(super) const fn no_wiring(_: &AuthContext) -> Result<(), Refusal> {
    Ok(())
}
