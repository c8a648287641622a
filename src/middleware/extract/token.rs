//! The token itself, and its payload as the application's own type.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::middleware::authenticate::context::AuthContext;
use crate::middleware::extract::macros::{FromAuthContext, extractor};
use crate::middleware::response::refusal::Refusal;
use crate::model::scope::Scope;
use crate::verify::claims::verified_token::AccessToken;

impl FromAuthContext for AccessToken {
    fn from_admitted(admitted: &AuthContext, _: &Parts) -> Result<Self, Refusal> {
        Ok(admitted.required()?.access_token())
    }
}

extractor!(AccessToken);

impl FromAuthContext for Scope {
    fn from_admitted(admitted: &AuthContext, _: &Parts) -> Result<Self, Refusal> {
        Ok(admitted.required()?.token.scope().clone())
    }
}

extractor!(Scope);

/// The payload of the token as the application's own type `T`.
///
/// The payload was verified; what `T` makes of it is the application's. It is read once for
/// each token and type. A payload that does not fit `T` is refused like any bad token, with
/// 401 and no word about why; the operator finds `custom_claims` in the event.
///
/// ```
/// use portcullis::Claims;
///
/// #[derive(serde::Deserialize)]
/// struct Waygee {
///     #[serde(rename = "UAID")]
///     uaid: String,
/// }
///
/// async fn handler(Claims(claims): Claims<Waygee>) -> String {
///     claims.uaid.clone()
/// }
/// # let _ = handler;
/// ```
#[doc(alias = "jwt_claims")]
#[doc(alias = "custom_claims")]
#[must_use]
pub struct Claims<T>(pub Arc<T>);

impl<T> Clone for Claims<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Claims<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Claims<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").finish_non_exhaustive()
    }
}

impl<T: DeserializeOwned + Send + Sync + 'static> FromAuthContext for Claims<T> {
    fn from_admitted(admitted: &AuthContext, _: &Parts) -> Result<Self, Refusal> {
        match admitted.required()?.read_claims() {
            Ok(claims) => Ok(Self(claims)),
            Err(fault) => Err(admitted.refuse(fault)),
        }
    }
}

extractor!(Claims<T>, T: DeserializeOwned + Send + Sync + 'static);
