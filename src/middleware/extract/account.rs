//! The account that a route addresses, looked for in the principal's reach.

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::middleware::authenticate::context::AuthContext;
use crate::middleware::extract::admission::option;
use crate::middleware::extract::place;
use crate::middleware::response::refusal::Refusal;
use crate::verify::identity::access::AccountAccess;

impl<S: Send + Sync> FromRequestParts<S> for AccountAccess {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let outcome: Result<Self, Refusal> = async {
            let account = place::account(parts, state).await;
            let admitted = AuthContext::of(&parts.extensions)?;
            let admission = admitted.for_tenant_guard(&parts.headers)?;
            let account = account.map_err(|kind| admitted.refuse(kind))?;
            Self::enter(admission.identity(), &account)
                .map_err(|kind| admitted.refuse_place(kind, "principal", place::ACCOUNT))
        }
        .await;
        outcome.map_err(|refusal| refusal.for_request((&*parts).into()))
    }
}

option!(AccountAccess);
