//! What the issuer says of the user, asked for when a handler wants it.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::middleware::authenticate::context::AuthContext;
use crate::middleware::extract::macros::option;
use crate::middleware::response::refusal::Refusal;
use crate::model::error::rejection::WiringFault;
use crate::verify::request::credential::Credential;
use crate::verify::request::request_parts::RequestParts;

/// The claims of the user from the issuer's userinfo endpoint, as the application's own type `T`
/// (OpenID Connect Core section 5.3).
///
/// The issuer is asked with the caller's token when a handler wants this, and then not again for
/// a minute; see [`Issuer::userinfo`](crate::Issuer::userinfo). The layer has verified the token
/// before: this adds claims to a caller, and is no check.
///
/// 1. The answer counts only if its `sub` is the token's; else 503, and the operator is told.
/// 2. A token that the issuer calls bad is refused with 401, one that it lets see nothing with 403,
///    like a caller who is no user. An issuer that cannot be asked is an outage: 503.
/// 3. A token that is bound to its client (`cnf`) is sent nowhere, since the endpoint would demand the
///    client's proof or certificate: 503.
/// 4. An answer that does not fit `T` is refused like claims that do not: see
///    [`Claims`](crate::Claims).
///
/// ```
/// use portcullis::extract::UserInfo;
///
/// #[derive(serde::Deserialize)]
/// struct Contact {
///     email: String,
/// }
///
/// async fn handler(UserInfo(contact): UserInfo<Contact>) -> String {
///     contact.email.clone()
/// }
/// # let _ = handler;
/// ```
#[must_use]
pub struct UserInfo<T>(pub Arc<T>);

impl<T> Clone for UserInfo<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for UserInfo<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for UserInfo<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserInfo").finish_non_exhaustive()
    }
}

impl<S, T> FromRequestParts<S> for UserInfo<T>
where
    S: Sync,
    T: DeserializeOwned + Send + Sync + 'static,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let outcome: Result<Self, Refusal> = async {
            let admitted = AuthContext::of(&parts.extensions)?;
            check_wiring(admitted)?;
            let admission = admitted.required()?;
            let policy = admitted.policy();
            // The library keeps no token, so it is read again where the layer read it.
            let sent = Credential::find(&policy.sources, RequestParts::from(&*parts));
            let Ok(Some(token)) = sent else {
                return Err(admitted.refuse(WiringFault::TokenRemoved));
            };
            let result = policy.server.user_info(admission, token).await;
            let result = result.map_err(|rejection| admitted.refuse(rejection))?;
            match result.claims() {
                Ok(claims) => Ok(Self(claims)),
                Err(fault) => Err(admitted.refuse(fault)),
            }
        }
        .await;
        outcome.map_err(|refusal| refusal.for_request((&*parts).into()))
    }
}

fn check_wiring(admitted: &AuthContext) -> Result<(), Refusal> {
    match admitted.policy().server.user_info_fault() {
        Some(fault) => Err(admitted.refuse(fault)),
        None => Ok(()),
    }
}

option!(UserInfo<T>, check_wiring, T: DeserializeOwned + Send + Sync + 'static);
