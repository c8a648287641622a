//! The guard for tokens that are bound to their sender.

use std::fmt;
use std::ops::Deref;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;

use crate::middleware::authenticate::context::AuthContext;
use crate::middleware::response::refusal::Refusal;
use crate::model::requirement::binding::{Binding, RequiredBindings};
use crate::verify::claims::verified_token::AccessToken;

/// `T`, for requests whose token is bound to its sender: to a DPoP key (RFC 9449) or to a client
/// certificate (RFC 8705). Bearer tokens are refused with 401 `invalid_token`, and the challenge names the
/// scheme `DPoP` where it is on. `T` may be any extractor of request parts; it runs after the check.
///
/// The layer has verified the proof before. For a whole group of routes, or for one kind of binding, use
/// [`AuthenticateLayer::require_binding`](crate::AuthenticateLayer::require_binding).
///
/// ```
/// use portcullis::extract::SenderConstrained;
/// use portcullis::{Scoped, WorkspaceAccess};
///
/// portcullis::scopes! { Transfer = "payments/transfer"; }
///
/// async fn transfer(access: SenderConstrained<Scoped<Transfer, WorkspaceAccess>>) -> String {
///     format!("from {}", access.workspace())
/// }
/// # let _ = transfer;
/// ```
#[doc(alias("bound", "dpop", "mtls", "proof_of_possession"))]
#[derive(Clone)]
#[must_use]
pub struct SenderConstrained<T = AccessToken>(pub T);

impl<T> Deref for SenderConstrained<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: fmt::Debug> fmt::Debug for SenderConstrained<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SenderConstrained").field(&self.0).finish()
    }
}

fn check(parts: &Parts) -> Result<(), Refusal> {
    let context = AuthContext::of(&parts.extensions)?;
    let verified = context.any_context()?;
    let any = RequiredBindings::NONE.with(Binding::Any);
    let checked = verified.token.check_bindings(any);
    checked.map_err(|error| context.refuse(error))
}

impl<S, T> FromRequestParts<S> for SenderConstrained<T>
where
    S: Send + Sync,
    T: FromRequestParts<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        check(parts).map_err(|refusal| refusal.for_request((&*parts).into()).into_response())?;
        match T::from_request_parts(parts, state).await {
            Ok(value) => Ok(Self(value)),
            Err(rejection) => Err(rejection.into_response()),
        }
    }
}

impl<S, T> OptionalFromRequestParts<S> for SenderConstrained<T>
where
    S: Send + Sync,
    T: FromRequestParts<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Response> {
        let context = AuthContext::of(&parts.extensions).map_err(Refusal::into_response)?;
        if context.nothing_sent() {
            return Ok(None);
        }
        let extracted = <Self as FromRequestParts<S>>::from_request_parts(parts, state);
        extracted.await.map(Some)
    }
}
