//! A scope demanded of one handler, around any extractor.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::request::Parts;

use crate::middleware::admitted::Admitted;
use crate::middleware::require_scope::check;
use crate::model::scope::ScopeRequirement;
use crate::verify::claims::AccessToken;

/// `T`, for requests whose token has the scope that `R` demands; others are refused with 403
/// and the scope in the challenge (RFC 6750 section 3.1). `T` may be any extractor of request
/// parts; it runs after the scope was checked.
///
/// ```
/// use portcullis::{Scoped, WorkspaceAccess};
///
/// portcullis::scopes! { ReadMissions = "app/read"; }
///
/// async fn list(access: Scoped<ReadMissions, WorkspaceAccess>) -> String {
///     format!("missions of {}", access.workspace())
/// }
/// # let _ = list;
/// ```
pub struct Scoped<R, T = AccessToken> {
    value: T,
    requirement: PhantomData<fn() -> R>,
}

impl<R, T> Scoped<R, T> {
    /// The value, without the guard around it.
    pub fn into_inner(self) -> T {
        self.value
    }

    const fn new(value: T) -> Self {
        Self {
            value,
            requirement: PhantomData,
        }
    }
}

impl<R, T> Deref for Scoped<R, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<R, T: Clone> Clone for Scoped<R, T> {
    fn clone(&self) -> Self {
        Self::new(self.value.clone())
    }
}

impl<R, T: fmt::Debug> fmt::Debug for Scoped<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scoped").field(&self.value).finish()
    }
}

impl<S, R, T> FromRequestParts<S> for Scoped<R, T>
where
    S: Send + Sync,
    R: ScopeRequirement,
    T: FromRequestParts<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        check::<R>(&parts.extensions).map_err(IntoResponse::into_response)?;
        match T::from_request_parts(parts, state).await {
            Ok(value) => Ok(Self::new(value)),
            Err(rejection) => Err(rejection.into_response()),
        }
    }
}

impl<S, R, T> OptionalFromRequestParts<S> for Scoped<R, T>
where
    S: Send + Sync,
    R: ScopeRequirement,
    T: FromRequestParts<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Response> {
        let admitted = Admitted::of(&parts.extensions).map_err(IntoResponse::into_response)?;
        if admitted.nothing_sent() {
            return Ok(None);
        }
        <Self as FromRequestParts<S>>::from_request_parts(parts, state)
            .await
            .map(Some)
    }
}
